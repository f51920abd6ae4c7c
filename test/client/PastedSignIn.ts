/** A program that signs a person in without a browser, prints the result of a tool, and keeps its token in a file. */
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client"
import { McpAuthClient } from "effect-mcp-auth/client"
import { NodeBrowser } from "effect-mcp-auth/client-node"
import { AuthorizationCode } from "effect-mcp-auth/sign-in"
import { FileStore } from "effect-mcp-auth/store-node"

const [file = "", resource = "", port = "", tool = ""] = process.argv.slice(2)

const auth = await McpAuthClient.make({
  resource,
  grant: AuthorizationCode.grant({
    client: { name: "Test" },
    redirect: NodeBrowser.loopback({
      ports: [Number(port)],
      open: () => Promise.reject(new Error("there is no browser")),
      otherwise: ["paste"]
    }),
    store: FileStore.make({ file })
  })
})
const client = new Client({ name: "tool", version: "1.0.0" })
try {
  await client.connect(new StreamableHTTPClientTransport(new URL(resource), { fetch: auth.fetch }))
  const { content } = await client.callTool({ name: tool, arguments: {} })
  console.log(JSON.stringify(content))
  await client.close()
} catch (error) {
  console.log(String(error))
} finally {
  await auth.dispose()
}
