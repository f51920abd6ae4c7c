/** The client of this library, below the client of SDK v2. */
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client"
import { Redacted } from "effect"
import { DpopKeys, McpAuthClient } from "effect-mcp-auth/client"
import { NodeBrowser } from "effect-mcp-auth/client-node"
import { AuthorizationCode } from "effect-mcp-auth/sign-in"
import { FileStore } from "effect-mcp-auth/store-node"
import { once } from "node:events"
import { createServer } from "node:net"
import { join } from "node:path"
import { inspect } from "node:util"
import { type Connect, credentials, type World } from "./World.ts"

/** Returns the port of the program, which stays the same for all sessions. */
const portOf = async ({ values }: World): Promise<number> => {
  const known = values.get("port")
  if (typeof known === "number") return known
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as { readonly port: number }
  server.close()
  await once(server, "close")
  values.set("port", port)
  return port
}

export const own: Connect = async (world, { headers, isRegistered, usesDpop }) => {
  let output = ""
  const { issuer, resource } = world.servers
  const auth = await McpAuthClient.make({
    resource,
    dpop: usesDpop ? DpopKeys.make() : undefined,
    grant: AuthorizationCode.grant({
      client: { name: "faults" },
      ...(isRegistered
        ? {
          allowIssuers: [{
            issuer,
            clientId: credentials.clientId,
            clientSecret: Redacted.make(credentials.clientSecret)
          }]
        }
        : {}),
      redirect: NodeBrowser.loopback({
        ports: [await portOf(world)],
        // The browser works beside the program, as a real one.
        open: (url) => void world.person.signInAndReturn(url).catch(() => {})
      }),
      store: FileStore.make({ file: join(world.folder, "tokens", "tokens.json") })
    })
  })
  const client = new Client({ name: "faults", version: "1.0.0" })
  try {
    await client.connect(
      new StreamableHTTPClientTransport(new URL(resource), { fetch: auth.fetch, requestInit: { headers } })
    )
  } catch (error) {
    await auth.dispose()
    throw error
  }
  return {
    call: async (name) => {
      try {
        const { content, isError } = await client.callTool({ name, arguments: {} })
        if (isError === true) throw new Error(JSON.stringify(content))
      } catch (error) {
        output += inspect(error, { depth: 8 })
        throw error
      }
    },
    output: () => output,
    close: async () => {
      await client.close()
      await auth.dispose()
    }
  }
}
