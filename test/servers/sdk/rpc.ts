/** JSON-RPC requests as an MCP client sends them, and functions that read their responses. */

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** The JSON-RPC message of the response, from a JSON body or from an event stream. */
  readonly message: any
}

const read = (text: string): any => {
  const data = /^data: (\{.*)$/m.exec(text)?.[1] ?? text
  try {
    return JSON.parse(data)
  } catch {
    return undefined
  }
}

export interface Call {
  readonly token?: string | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly signal?: AbortSignal | undefined
}

export const post = async (url: string, body: unknown, { headers, signal, token }: Call = {}): Promise<Answer> => {
  const response = await fetch(url, {
    method: "POST",
    headers: {
      accept: "application/json, text/event-stream",
      "content-type": "application/json",
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...headers
    },
    body: typeof body === "string" ? body : JSON.stringify(body),
    ...(signal === undefined ? {} : { signal })
  })
  const text = await response.text()
  return { status: response.status, headers: response.headers, text, message: read(text) }
}

export const request = (method: string, params: object = {}, id: number | string = 1) => ({
  jsonrpc: "2.0",
  id,
  method,
  params
})

export const callTool = (name: string, args: object = {}) => request("tools/call", { name, arguments: args })

export const initialize = request("initialize", {
  protocolVersion: "2025-11-25",
  capabilities: {},
  clientInfo: { name: "test", version: "1.0.0" }
})

/** Returns a parameter of the challenge. It takes the first `name="value"`, as clients do. */
export const challenged = (answer: Answer, name: string): string | undefined =>
  new RegExp(`${name}="([^"]*)"`).exec(answer.headers.get("www-authenticate") ?? "")?.[1]

/**
 * Turns a message into a message of MCP 2026-07-28: adds `_meta` to the parameters, and returns the headers, which repeat the
 * method and the name.
 */
export const modern = (
  message: any,
  capabilities: object = {}
): { readonly body: any; readonly headers: Readonly<Record<string, string>> } => {
  const protocolVersion = "2026-07-28"
  const { method, params } = message
  const name = params.name ?? params.uri
  return {
    body: {
      ...message,
      params: {
        ...params,
        _meta: {
          "io.modelcontextprotocol/protocolVersion": protocolVersion,
          "io.modelcontextprotocol/clientCapabilities": capabilities,
          "io.modelcontextprotocol/clientInfo": { name: "test", version: "1.0.0" }
        }
      }
    },
    headers: {
      "mcp-protocol-version": protocolVersion,
      "mcp-method": method,
      ...(name === undefined ? {} : { "mcp-name": name })
    }
  }
}
