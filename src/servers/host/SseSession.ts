/**
 * Sessions of the HTTP+SSE transport of MCP 2024-11-05. The first event of the stream that answers a GET names the
 * address for messages, with the session in its query; a party that knows it could send messages into the stream of another
 * caller.
 */

/** The parameter names that servers use: the official SDKs for TypeScript and for Python. */
const parameter = /^\[?(?:sessionId|session_id)(?:[[\].]|$)/

const none: ReadonlyArray<string> = []

/**
 * The session ids in the query of a request target, each once, in every way in which servers read a query. Frameworks that
 * make objects of it read `sessionId[]=x` and `[sessionId]=x` as the same parameter, and some do not end it at `#`.
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

/** The name of such a session among all sessions. No header can hold it, so it is no `Mcp-Session-Id`. */
export const keyOf = (id: string): string => `\n${id}`

/** More than that is read of no stream to find its first event. */
const longestEvent = 8192

/** Reads the beginning of an event stream, however it is cut into chunks. */
export class FirstEvent {
  #decoder: TextDecoder | undefined
  #text = ""
  /** Whether nothing of the stream has to be read any more. */
  isDone = false

  /** The session that the first event names, once it is complete; `undefined` for as long as, and where, there is none. */
  read(chunk: unknown): string | undefined {
    if (this.isDone) return undefined
    const text = typeof chunk === "string"
      ? chunk
      : chunk instanceof Uint8Array
      ? (this.#decoder ??= new TextDecoder()).decode(chunk, { stream: true })
      : undefined
    this.#text += text ?? ""
    // Half of a line break waits for the other half.
    const lines = this.#text.replace(/^\uFEFF/, "").replace(/\r(?!$)\n?/g, "\n")
    for (const event of lines.split("\n\n").slice(0, -1)) {
      const fields = fieldsOf(event)
      // Comments, and times to wait, come before the first event.
      if (fields.data === undefined && fields.event === undefined) continue
      this.isDone = true
      const ids = fields.event === "endpoint" && fields.data !== undefined ? idsOf(fields.data.split("#", 1)[0]!) : none
      return ids.length === 1 ? ids[0] : undefined
    }
    if (text === undefined || this.#text.length > longestEvent) this.isDone = true
    return undefined
  }
}

/** The fields of an event that count here (HTML, 9.2.6). */
const fieldsOf = (event: string): { readonly event: string | undefined; readonly data: string | undefined } => {
  const fields: { event: string | undefined; data: string | undefined } = { event: undefined, data: undefined }
  for (const line of event.split("\n")) {
    const [, name, value = ""] = /^([^:]*)(?:: ?(.*))?$/.exec(line) ?? []
    if (name === "event") fields.event = value
    if (name === "data") fields.data = fields.data === undefined ? value : `${fields.data}\n${value}`
  }
  return fields
}

/** The same stream, of which each chunk is shown to `observe`, and the end to `ended`. */
export const observed = (
  body: ReadableStream<Uint8Array>,
  observe: (chunk: Uint8Array) => void,
  ended: () => void
): ReadableStream<Uint8Array> => {
  const reader = body.getReader()
  return new ReadableStream<Uint8Array>({
    pull: async (controller) => {
      try {
        const { done, value } = await reader.read()
        if (done) {
          ended()
          return controller.close()
        }
        observe(value)
        controller.enqueue(value)
      } catch (error) {
        ended()
        controller.error(error)
      }
    },
    cancel: (reason) => {
      ended()
      return reader.cancel(reason)
    }
  }, { highWaterMark: 0 })
}
