/** A server on `@modelcontextprotocol/sdk`, as written by a user who has installed only this SDK and this library. */
import { McpServer, ResourceTemplate } from "@modelcontextprotocol/sdk/server/mcp.js"
import { WebStandardStreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js"
import { McpAuthSdk } from "effect-mcp-auth/sdk-v1"

const server = () => new McpServer({ name: "todos", version: "1.0.0" })

const call = (name: string) =>
  new Request("https://todos.example.com/mcp", {
    method: "POST",
    headers: {
      accept: "application/json, text/event-stream",
      "content-type": "application/json",
      "mcp-protocol-version": "2025-11-25"
    },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name, arguments: {} } })
  })

const summary = ({ headers, status }: Response) => [status, headers.get("www-authenticate")]

export const answers = async () => {
  const real = await McpAuthSdk.make({
    resource: "https://todos.example.com/mcp",
    authorizationServers: ["https://auth.example.com"],
    scopes: { baseline: ["todos:read"], stepUp: ["todos:write"] }
  })
  const unknown = await real.protectFetch(server(), () => new Response("never"))(call("whoami"))
  await real.dispose()

  const mock = await McpAuthSdk.mock({
    resource: "https://todos.example.com/mcp",
    subject: "alice",
    scopes: ["todos:read", "todos:write"],
    granted: ["todos:read"]
  })
  const make = () => {
    const todos = server()
    mock.registerTool(todos, "add_todo", { scopes: ["todos:write"] }, () => ({ content: [] }))
    mock.registerTool(todos, "whoami", { scopes: ["todos:read"] }, ({ principal }) => ({
      content: [{ type: "text", text: principal.subject ?? "nobody" }]
    }))
    mock.registerPrompt(todos, "summary", { scopes: ["todos:read"] }, () => ({ messages: [] }))
    mock.registerResource(todos, "about", "todos://about", { scopes: ["todos:read"] }, () => ({ contents: [] }))
    const template = new ResourceTemplate("todos://{id}", { list: undefined })
    mock.registerResource(todos, "todo", template, { scopes: ["todos:read"] }, (uri, { id }, { principal }) => ({
      contents: [{ uri: uri.href, text: `${String(id)} of ${principal.owner}` }]
    }))
    return todos
  }
  const handle = mock.protectFetch(make(), async (request, options) => {
    const transport = new WebStandardStreamableHTTPServerTransport({ enableJsonResponse: true })
    const todos = make()
    await todos.connect(transport as Parameters<typeof todos.connect>[0])
    return transport.handleRequest(request, options)
  })
  const lacking = await handle(call("add_todo"))
  const allowed = (await (await handle(call("whoami"))).json()) as {
    readonly result: { readonly content: ReadonlyArray<{ readonly text: string }> }
  }
  await mock.dispose()
  return { unknown: summary(unknown), lacking: summary(lacking), allowed: allowed.result.content[0]?.text }
}
