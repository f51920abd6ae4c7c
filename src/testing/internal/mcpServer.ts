/* A small MCP server without sessions, for tests of clients. */

interface Message {
  readonly id?: unknown
  readonly method?: unknown
  readonly params?: { readonly name?: unknown; readonly protocolVersion?: unknown }
}

const parse = (body: string): Message => {
  try {
    const message: unknown = JSON.parse(body)
    return typeof message === "object" && message !== null ? message : {}
  } catch {
    return {}
  }
}

const versions: ReadonlyArray<unknown> = ["2025-11-25", "2025-06-18", "2025-03-26"]

const tools = ["list_todos", "add_todo"].map((name) => ({
  name,
  description: name === "list_todos" ? "Lists todos" : "Adds a todo",
  inputSchema: { type: "object", properties: {} }
}))

/** Returns the scope that a message requires. */
export const requiredScope = (body: string): string => {
  const { method, params } = parse(body)
  return method === "tools/call" && params?.name === "add_todo" ? "todos:write" : "todos:read"
}

/** Responds to a JSON-RPC message. */
export const answerMcp = (body: string): Response => {
  const { id, method, params } = parse(body)
  if (id === undefined) return new Response(null, { status: 202 })
  const result = (value: unknown) => Response.json({ jsonrpc: "2.0", id, result: value })
  switch (method) {
    case "initialize":
      return result({
        protocolVersion: versions.includes(params?.protocolVersion) ? params?.protocolVersion : versions[0],
        capabilities: { tools: {} },
        serverInfo: { name: "todos", version: "1.0.0" }
      })
    case "ping":
      return result({})
    case "tools/list":
      return result({ tools })
    case "tools/call":
      return result({ content: [{ type: "text", text: `${String(params?.name)} is done` }] })
    default:
      return Response.json({ jsonrpc: "2.0", id, error: { code: -32601, message: "Method not found" } })
  }
}
