/** A server on `@modelcontextprotocol/server`, with only the imports of a user who has installed this SDK and the library. */
import { createMcpHandler, McpServer, ResourceTemplate } from "@modelcontextprotocol/server"
import { McpAuthSdk } from "effect-mcp-auth/sdk-v2"

const server = () => new McpServer({ name: "todos", version: "1.0.0" })

const call = (name: string) =>
  new Request("https://todos.example.com/mcp", {
    method: "POST",
    headers: {
      accept: "application/json, text/event-stream",
      "content-type": "application/json",
      "mcp-protocol-version": "2026-07-28",
      "mcp-method": "tools/call",
      "mcp-name": name
    },
    body: JSON.stringify({
      jsonrpc: "2.0",
      id: 1,
      method: "tools/call",
      params: {
        name,
        arguments: {},
        _meta: {
          "io.modelcontextprotocol/protocolVersion": "2026-07-28",
          "io.modelcontextprotocol/clientCapabilities": {},
          "io.modelcontextprotocol/clientInfo": { name: "test", version: "1.0.0" }
        }
      }
    })
  })

const summary = ({ headers, status }: Response) => [status, headers.get("www-authenticate")]

export const answers = async () => {
  const real = await McpAuthSdk.make({
    resource: "https://todos.example.com/mcp",
    authorizationServers: ["https://auth.example.com"],
    scopes: { baseline: ["todos:read"], stepUp: ["todos:write"] }
  })
  const unknown = await real.createMcpHandler(server, { createMcpHandler }).fetch(call("whoami"))
  await real.dispose()

  const mock = await McpAuthSdk.mock({
    resource: "https://todos.example.com/mcp",
    subject: "alice",
    scopes: ["todos:read", "todos:write"],
    granted: ["todos:read"]
  })
  const handler = mock.createMcpHandler(() => {
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
  }, { createMcpHandler })
  const lacking = await handler.fetch(call("add_todo"))
  const allowed = (await (await handler.fetch(call("whoami"))).json()) as {
    readonly result: { readonly content: ReadonlyArray<{ readonly text: string }> }
  }
  await mock.dispose()
  return { unknown: summary(unknown), lacking: summary(lacking), allowed: allowed.result.content[0]?.text }
}
