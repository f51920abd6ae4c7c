/**
 * A minimal MCP server that shows which operations a gate admits: it records every requested operation, and checks nothing
 * itself. It uses no module of Node, because it also runs in workerd.
 */

/** The scopes that each operation of the table of cases requires. They are the same on every host. */
export const scopesOf: Readonly<Record<string, ReadonlyArray<"todos:read" | "todos:write">>> = {
  "tool whoami": [],
  "tool list_todos": ["todos:read"],
  "tool add_todo": ["todos:read", "todos:write"],
  "resource todo://1": ["todos:read"],
  "prompt plan": ["todos:write"]
}

export const requirementOf = ({ kind, target }: { readonly kind: string | undefined; readonly target: unknown }) => {
  const scopes = scopesOf[`${kind} ${target}`]
  return scopes === undefined ? undefined : { scopes }
}

export interface Reply {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** The text of the body. `"open"` means an event stream that sends one comment and then stays open. */
  readonly body: string | "open"
}

interface Message {
  readonly id?: unknown
  readonly method?: string
  readonly params?: { readonly name?: string; readonly uri?: string; readonly protocolVersion?: string }
}

/** Answers one HTTP request. `ran` is called with each executed operation and its caller, such as `add_todo alice`. */
export const answer = (
  method: string,
  body: unknown,
  subject: string | undefined,
  ran: (line: string) => void
): Reply => {
  if (method === "OPTIONS") {
    ran(`OPTIONS ${subject ?? "nobody"}`)
    return { status: 204, headers: {}, body: "" }
  }
  if (method === "DELETE") return { status: 204, headers: {}, body: "" }
  if (method === "GET") return { status: 200, headers: { "content-type": "text/event-stream" }, body: "open" }
  const messages = (Array.isArray(body) ? body : [body]) as ReadonlyArray<Message>
  const headers: Record<string, string> = { "content-type": "application/json" }
  const replies = messages.flatMap(({ id, method, params }) => {
    const target = params?.name ?? params?.uri
    if (method === "initialize" && params?.protocolVersion !== "2026-07-28") {
      headers["mcp-session-id"] = crypto.randomUUID()
    }
    if (target !== undefined) ran(`${target} ${subject ?? "nobody"}`)
    const result = { content: [{ type: "text", text: `${target} for ${subject ?? "nobody"}` }] }
    return id === undefined ? [] : [{ jsonrpc: "2.0", id, result }]
  })
  if (replies.length === 0) return { status: 202, headers: {}, body: "" }
  return { status: 200, headers, body: JSON.stringify(Array.isArray(body) ? replies : replies[0]) }
}

/** Returns the reply as a `Response` of fetch. */
export const toResponse = ({ body, headers, status }: Reply): Response =>
  body === "open" ? endless() : new Response(body === "" ? null : body, { status, headers })

/** An event stream that does not end by itself. `closed` is called when it is cancelled. */
export const endless = (closed: () => void = () => {}): Response =>
  new Response(
    new ReadableStream({
      start: (controller) => controller.enqueue(new TextEncoder().encode(": open\n\n")),
      cancel: closed
    }),
    { headers: { "content-type": "text/event-stream" } }
  )

/** Records the operations that run. */
export const recorder = () => {
  let lines: Array<string> = []
  return {
    ran: (line: string) => {
      lines.push(line)
    },
    take: () => {
      const taken = lines
      lines = []
      return taken
    }
  }
}
