import * as McpWire from "../../provider/probe/McpWire.ts"

/** The name and the version that the client sends in its MCP messages. */
export const clientInfo: McpWire.ClientInfo = { name: "effect-mcp-auth/testing", version: "1.0.0" }

/** Creates the POST request that sends a message. */
export const post = (
  url: string,
  message: McpWire.Message,
  headers: Readonly<Record<string, string>>
): Request =>
  new Request(url, {
    method: "POST",
    headers: { ...McpWire.contentHeaders, ...headers },
    body: McpWire.encode(message)
  })

/**
 * Reads the body of a response, and finds the reply to the request `id` in it. Stops reading an event stream after the reply,
 * because the stream can stay open.
 */
export const read = async (
  response: Response,
  id: number | undefined
): Promise<{ readonly body: string; readonly message: McpWire.Reply | undefined }> => {
  if (response.body === null) return { body: "", message: undefined }
  if (!McpWire.isEventStream(response.headers.get("content-type"))) {
    const body = await response.text()
    return { body, message: McpWire.findReply(body, id) }
  }
  const reader = response.body.pipeThrough(new TextDecoderStream() as never).getReader() as ReadableStreamDefaultReader<
    string
  >
  let body = ""
  for (;;) {
    const { done, value } = await reader.read()
    body += value ?? ""
    const message = McpWire.getEvents(body).slice(0, done ? undefined : -1)
      .map((data) => McpWire.findReply(data, id))
      .find((_) => _ !== undefined)
    if (message !== undefined || done) {
      await reader.cancel().catch(() => undefined)
      return { body, message }
    }
  }
}

/** Returns the value that a tool returned: its structured content, or its text. */
export const getValue = (result: Readonly<Record<string, unknown>> | undefined): unknown => {
  if (result === undefined) return undefined
  if (result["structuredContent"] !== undefined) return result["structuredContent"]
  const content = result["content"]
  if (!Array.isArray(content)) return undefined
  const texts = content.flatMap((part: { readonly type?: unknown; readonly text?: unknown }) =>
    part.type === "text" && typeof part.text === "string" ? [part.text] : []
  )
  return texts.length === 0 ? undefined : texts.join("\n")
}
