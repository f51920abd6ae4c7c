/** A process that calls an MCP server with the token of a file, and never opens a browser. */
import { Effect } from "effect"
import { McpAuthClient } from "effect-mcp-auth/client"
import { AuthorizationCode } from "effect-mcp-auth/sign-in"
import { FileStore } from "effect-mcp-auth/store-node"

const [file = "", resource = "", redirectUri = ""] = process.argv.slice(2)

const auth = await McpAuthClient.make({
  resource,
  grant: AuthorizationCode.grant({
    client: { name: "Test" },
    redirect: { redirectUris: [redirectUri], listen: Effect.die(new Error("A browser was needed")) },
    store: FileStore.make({ file })
  })
})
const response = await auth.fetch(resource, {
  method: "POST",
  headers: { "content-type": "application/json", accept: "application/json, text/event-stream" },
  body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "ping" })
})
await response.body?.cancel()
await auth.dispose()
console.log(response.status)
