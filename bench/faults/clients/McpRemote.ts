/** `mcp-remote`, a program that serves a remote MCP server over stdio. A person signs in at each URL that it prints. */
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js"
import { once } from "node:events"
import { connect as connectSocket } from "node:net"
import { setTimeout } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { type Connect, credentials, type Person } from "./World.ts"

/** Waits until the program listens for the callback, which is a moment after it has printed the URL. */
const listening = async ({ hostname, port }: URL): Promise<void> => {
  for (let attempt = 0; attempt < 100; attempt++) {
    const socket = connectSocket({ host: hostname, port: Number(port) })
    const isAccepted = await once(socket, "connect").then(() => true, () => false)
    socket.destroy()
    if (isAccepted) return
    await setTimeout(20)
  }
}

const visit = async (person: Person, url: string): Promise<void> => {
  const redirectUri = URL.canParse(url) ? new URL(url).searchParams.get("redirect_uri") : null
  if (redirectUri !== null) await listening(new URL(redirectUri))
  await person.signInAndReturn(url)
}

export const mcpRemote: Connect = async (world, options) => {
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [
      fileURLToPath(new URL("packages/node_modules/mcp-remote/dist/proxy.js", import.meta.url)),
      world.servers.resource,
      ...Object.entries(options.headers).flatMap(([name, value]) => ["--header", `${name}:${value}`]),
      ...(options.isRegistered
        ? [
          "--static-oauth-client-info",
          JSON.stringify({ client_id: credentials.clientId, client_secret: credentials.clientSecret })
        ]
        : [])
    ],
    // An empty home, and a browser that opens no window.
    env: { PATH: process.env["PATH"]!, HOME: world.folder, BROWSER: "true" },
    stderr: "pipe"
  })
  let output = ""
  const seen = new Set<string>()
  const visits: Array<Promise<void>> = []
  const ended = once(transport.stderr!, "end")
  transport.stderr!.on("data", (chunk) => {
    output += String(chunk)
    // The program asks the person to open the URL on the line after the request.
    const lines = output.slice(0, output.lastIndexOf("\n") + 1).split("\n")
    for (const [index, line] of lines.entries()) {
      if (!/authorize this client by visiting/i.test(line)) continue
      const url = lines[index + 1]?.trim()
      if (url === undefined || url === "" || seen.has(url)) continue
      seen.add(url)
      visits.push(visit(world.person, url).catch(() => {}))
    }
  })
  const client = new Client({ name: "faults", version: "1.0.0" })
  const close = () => client.close()
  try {
    await client.connect(transport as never)
  } catch (error) {
    await close()
    // The program can end before its last lines are read, and before the person has opened the URL in them.
    await Promise.race([ended, setTimeout(5_000, undefined, { ref: false })])
    await Promise.allSettled(visits)
    throw new Error(output.slice(-2_000), { cause: error })
  }
  return {
    call: async (name) => {
      const { content, isError } = await client.callTool({ name, arguments: {} })
      if (isError === true) throw new Error(JSON.stringify(content))
    },
    output: () => output,
    close
  }
}
