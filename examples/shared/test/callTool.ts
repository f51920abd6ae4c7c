export interface Called {
  readonly status: number
  readonly challenge: string | null
  /** The result of the call. `undefined` if the call was rejected. */
  readonly result:
    | { readonly isError?: boolean; readonly structuredContent?: unknown; readonly content?: unknown }
    | undefined
}

/** Calls a tool with one request of MCP 2026-07-28, or with one request of MCP 2025-11-25 outside a session. */
export const callTool = async (
  url: string,
  token: string,
  name: string,
  args: object = {},
  protocolVersion: "2026-07-28" | "2025-11-25" = "2026-07-28"
): Promise<Called> => {
  const modern = protocolVersion === "2026-07-28"
  const response = await fetch(url, {
    method: "POST",
    headers: {
      accept: "application/json, text/event-stream",
      authorization: `Bearer ${token}`,
      "content-type": "application/json",
      "mcp-protocol-version": protocolVersion,
      ...(modern ? { "mcp-method": "tools/call", "mcp-name": name } : {})
    },
    body: JSON.stringify({
      jsonrpc: "2.0",
      id: 1,
      method: "tools/call",
      params: {
        name,
        arguments: args,
        ...(modern
          ? {
            _meta: {
              "io.modelcontextprotocol/protocolVersion": protocolVersion,
              "io.modelcontextprotocol/clientCapabilities": {},
              "io.modelcontextprotocol/clientInfo": { name: "test", version: "1.0.0" }
            }
          }
          : {})
      }
    })
  })
  const { result } = await response.json()
  return { status: response.status, challenge: response.headers.get("www-authenticate"), result }
}
