/**
 * Reads the session ids of the HTTP+SSE transport of MCP 2024-11-05. A server answers a GET request with a stream. The
 * first event of the stream contains the URL for messages, with the session id in the query. Sessions are bound to callers,
 * because otherwise any caller that knows the URL could send messages into the stream.
 */

/** The names of the query parameter in the official SDKs for TypeScript and for Python. */
const parameter = /^\[?(?:sessionId|session_id)(?:[[\].]|$)/

const none: ReadonlyArray<string> = []

/**
 * Returns the session ids in the query of a request target, without duplicates. Servers parse queries in different ways, and
 * the result contains every id that one of them would read. Frameworks that parse a query to an object read `sessionId[]=x` and
 * `[sessionId]=x` as the same parameter, and some frameworks do not end the query at `#`.
 */
export const idsOf = (target: string): ReadonlyArray<string> => {
  const start = target.indexOf("?")
  if (start === -1) return none
  const query = target.slice(start + 1)
  const ids = new Set<string>()
  for (const text of query.includes("#") ? [query.split("#", 1)[0]!, query] : [query]) {
    for (const [name, value] of new URLSearchParams(text)) if (parameter.test(name)) ids.add(value)
  }
  return ids.size === 0 ? none : [...ids]
}

/** Returns the key of the session in `Sessions`. It contains a line break, so it differs from every `Mcp-Session-Id` header. */
export const keyOf = (id: string): string => `\n${id}`

/** The maximum length of the text up to the end of the first event, in UTF-16 code units. */
const longestEvent = 8192

/** Finds the session id in the first event of an event stream. A chunk can end anywhere in the event. */
export class FirstEvent {
  #decoder: TextDecoder | undefined
  #text = ""
  /** Whether the rest of the stream can be ignored. */
  isDone = false

  /** Reads a chunk. When the first event is complete, returns its session id, if it contains exactly one. */
  read(chunk: unknown): string | undefined {
    if (this.isDone) return undefined
    const text = typeof chunk === "string"
      ? chunk
      : chunk instanceof Uint8Array
      ? (this.#decoder ??= new TextDecoder()).decode(chunk, { stream: true })
      : undefined
    this.#text += text ?? ""
    // A final CR may be followed by LF in the next chunk.
    const lines = this.#text.replace(/^\uFEFF/, "").replace(/\r(?!$)\n?/g, "\n")
    for (const event of lines.split("\n\n").slice(0, -1)) {
      const fields = fieldsOf(event)
      // Comments and `retry` fields may precede the first event.
      if (fields.data === undefined && fields.event === undefined) continue
      this.isDone = true
      const ids = fields.event === "endpoint" && fields.data !== undefined ? idsOf(fields.data.split("#", 1)[0]!) : none
      return ids.length === 1 ? ids[0] : undefined
    }
    if (text === undefined || this.#text.length > longestEvent) this.isDone = true
    return undefined
  }
}

/** Parses the fields `event` and `data` of an event (HTML Standard, section 9.2.6). */
const fieldsOf = (event: string): { readonly event: string | undefined; readonly data: string | undefined } => {
  const fields: { event: string | undefined; data: string | undefined } = { event: undefined, data: undefined }
  for (const line of event.split("\n")) {
    const [, name, value = ""] = /^([^:]*)(?:: ?(.*))?$/.exec(line) ?? []
    if (name === "event") fields.event = value
    if (name === "data") fields.data = fields.data === undefined ? value : `${fields.data}\n${value}`
  }
  return fields
}

/** Wraps a stream: calls `onChunk` with each chunk, and `onEnd` when the stream ends, fails or is cancelled. */
export const observe = (
  body: ReadableStream<Uint8Array>,
  onChunk: (chunk: Uint8Array) => void,
  onEnd: () => void
): ReadableStream<Uint8Array> => {
  const reader = body.getReader()
  return new ReadableStream<Uint8Array>({
    pull: async (controller) => {
      try {
        const { done, value } = await reader.read()
        if (done) {
          onEnd()
          return controller.close()
        }
        onChunk(value)
        controller.enqueue(value)
      } catch (error) {
        onEnd()
        controller.error(error)
      }
    },
    cancel: (reason) => {
      onEnd()
      return reader.cancel(reason)
    }
  }, { highWaterMark: 0 })
}
