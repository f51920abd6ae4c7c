/** Signs a person in with a browser without a window, and calls a tool: `node call.ts <person> <tool> [arguments]`. */
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client"
import { Effect } from "effect"
import { McpAuthClient } from "effect-mcp-auth/client"
import { AuthorizationCode } from "effect-mcp-auth/sign-in"
import { MemoryStore } from "effect-mcp-auth/store"
import { TestBrowser } from "effect-mcp-auth/testing"

const resource = process.env["MCP_URL"] ?? "http://127.0.0.1:3000/mcp"
const [person = "alice", tool = "list_todos", args = "{}"] = process.argv.slice(2)

const browser = TestBrowser.make()
const redirectUri = "http://127.0.0.1/callback"

const auth = await McpAuthClient.make({
  resource,
  grant: AuthorizationCode.grant({
    client: { name: "call.ts" },
    redirect: {
      redirectUris: [redirectUri],
      listen: Effect.succeed({
        redirectUri,
        // On each page, the person presses the button with this text, or else the one that goes on.
        open: (url, complete) =>
          browser.signIn(url, { button: `Sign in as ${person}` }).pipe(Effect.orDie, Effect.flatMap(complete))
      })
    },
    store: MemoryStore.make()
  })
})

const client = new Client({ name: "call.ts", version: "1.0.0" })
try {
  await client.connect(new StreamableHTTPClientTransport(new URL(resource), { fetch: auth.fetch }))
  const { content } = await client.callTool({ name: tool, arguments: JSON.parse(args) })
  for (const { heading } of await Effect.runPromise(browser.visits)) {
    if (heading !== undefined) console.log(`page: ${heading}`)
  }
  console.log(JSON.stringify(content))
} catch (error) {
  console.log(String(error))
} finally {
  await client.close()
  await auth.dispose()
}
