/** A JSON-RPC message of a client. A notification has no id. */
export interface Message {
  readonly id?: number
  readonly method: string
  readonly params?: Readonly<Record<string, unknown>>
}

/** A JSON-RPC message of a server that answers one. */
export interface Reply {
  readonly id?: unknown
  readonly result?: unknown
  readonly error?: { readonly code: number; readonly message: string; readonly data?: unknown }
}

const clientInfo = { name: "effect-mcp-auth/testing", version: "1.0.0" }

export const post = (url: string, message: Message, headers: Readonly<Record<string, string>>): Request =>
  new Request(url, {
    method: "POST",
    headers: { accept: "application/json, text/event-stream", "content-type": "application/json", ...headers },
    body: JSON.stringify({ jsonrpc: "2.0", ...message })
  })

/** A message of MCP 2026-07-28: it says itself what a session would remember. */
export const stateless = (id: number, method: string, params: Readonly<Record<string, unknown>>): Message => ({
  id,
  method,
  params: {
    ...params,
    _meta: {
      "io.modelcontextprotocol/protocolVersion": "2026-07-28",
      "io.modelcontextprotocol/clientCapabilities": {},
      "io.modelcontextprotocol/clientInfo": clientInfo,
      ...params["_meta"] as object | undefined
    }
  }
})

/** The headers that repeat the message. */
export const statelessHeaders = ({ method, params }: Message): Readonly<Record<string, string>> => {
  const name = params?.["name"] ?? params?.["uri"]
  return {
    "mcp-protocol-version": "2026-07-28",
    "mcp-method": method,
    ...(typeof name === "string" ? { "mcp-name": headerValue(name) } : {})
  }
}

/** What a header cannot hold is written in base64. */
const headerValue = (text: string): string =>
  /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(text) && !text.startsWith("=?base64?")
    ? text
    : `=?base64?${btoa(String.fromCodePoint(...new TextEncoder().encode(text)))}?=`

export const initialize = (id: number, protocolVersion: string): Message => ({
  id,
  method: "initialize",
  params: { protocolVersion, capabilities: {}, clientInfo }
})

export const sessionHeaders = (
  protocolVersion: string,
  session: string | undefined
): Readonly<Record<string, string>> => ({
  "mcp-protocol-version": protocolVersion,
  ...(session === undefined ? {} : { "mcp-session-id": session })
})

/**
 * Reads an answer. Of an event stream only as much as it takes: a server may keep it open behind the reply that is awaited.
 */
export const read = async (
  response: Response,
  awaited: number | undefined
): Promise<{ readonly body: string; readonly message: Reply | undefined }> => {
  if (response.body === null) return { body: "", message: undefined }
  if (!(response.headers.get("content-type") ?? "").startsWith("text/event-stream")) {
    const body = await response.text()
    return { body, message: replyIn(body, awaited) }
  }
  const reader = response.body.pipeThrough(new TextDecoderStream() as never).getReader() as ReadableStreamDefaultReader<
    string
  >
  let body = ""
  for (;;) {
    const { done, value } = await reader.read()
    body += value ?? ""
    const message = body.split(/\r?\n\r?\n/).slice(0, done ? undefined : -1).map(dataOf).map((data) =>
      replyIn(data, awaited)
    ).find((_) => _ !== undefined)
    if (message !== undefined || done) {
      await reader.cancel().catch(() => undefined)
      return { body, message }
    }
  }
}

const dataOf = (event: string): string =>
  event.split(/\r?\n/).filter((line) => line.startsWith("data:")).map((line) => line.slice(5).trimStart()).join("\n")

const replyIn = (text: string, awaited: number | undefined): Reply | undefined => {
  try {
    const json: unknown = JSON.parse(text)
    const messages = (Array.isArray(json) ? json : [json]) as ReadonlyArray<Reply | null>
    return messages.find((message): message is Reply =>
      typeof message === "object" && message !== null && (message.result !== undefined || isError(message.error)) &&
      (awaited === undefined || message.id === awaited || message.id === null || message.id === undefined)
    )
  } catch {
    return undefined
  }
}

/** The error of an OAuth answer is a string; that of JSON-RPC has a code. */
const isError = (error: unknown): boolean => typeof error === "object" && error !== null && Object.hasOwn(error, "code")

/** What a tool gave, for people to compare. */
export const valueOf = (result: Readonly<Record<string, unknown>> | undefined): unknown => {
  if (result === undefined) return undefined
  if (result["structuredContent"] !== undefined) return result["structuredContent"]
  const content = result["content"]
  if (!Array.isArray(content)) return undefined
  const texts = content.flatMap((part: { readonly type?: unknown; readonly text?: unknown }) =>
    part.type === "text" && typeof part.text === "string" ? [part.text] : []
  )
  return texts.length === 0 ? undefined : texts.join("\n")
}
