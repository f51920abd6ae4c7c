/**
 * A client with little overhead. It writes prepared bytes to raw sockets, one request at a time on each connection. A client on
 * `node:http` would be slower than fast servers, and so would limit the measurement.
 */
import { connect, type Socket } from "node:net"

/** The result of a load. */
export interface Outcome {
  /** Body of the first response. */
  readonly body: string
  readonly count: number
  readonly statuses: Readonly<Record<string, number>>
  /** The measurement. `undefined` if none was requested, or if the load ended before the measurement started. */
  readonly measured: Measured | undefined
}

export interface Measured {
  readonly count: number
  readonly seconds: number
  /** CPU time of the server, in microseconds. */
  readonly cpu: number
}

/** Returns the length of the response at the start of the text, or `undefined` if it is incomplete. */
const lengthOf = (text: string): number | undefined => {
  const head = text.indexOf("\r\n\r\n")
  if (head < 0) return undefined
  const headers = text.slice(0, head).toLowerCase()
  const body = head + 4
  const found = headers.indexOf("\r\ncontent-length:")
  if (found >= 0) {
    const length = body + Number.parseInt(headers.slice(found + 17), 10)
    return text.length >= length ? length : undefined
  }
  if (headers.includes("\r\ntransfer-encoding: chunked")) {
    const end = text.indexOf("0\r\n\r\n", body)
    return end < 0 ? undefined : end + 5
  }
  return body
}

/**
 * Sends the requests in order, each on the next free connection. After the last request, it continues with the first. It ends
 * when `until` returns `true`.
 */
export const run = async (
  port: number,
  requests: ReadonlyArray<Uint8Array>,
  { connections = 32, from = 0, measure, until }: {
    readonly connections?: number
    /** Index of the first request. */
    readonly from?: number
    /**
     * Starts to measure after `after` milliseconds, so that all connections are open. `cpu` returns the CPU time of the server.
     */
    readonly measure?: { readonly after: number; readonly cpu: () => Promise<number> }
    readonly until: (count: number, milliseconds: number) => boolean
  }
): Promise<Outcome> => {
  const statuses: Record<string, number> = {}
  let body = ""
  const began = performance.now()
  let sent = 0
  let count = 0
  const look = () => ({ count, at: performance.now(), cpu: measure!.cpu() })
  let start: ReturnType<typeof look> | undefined
  let end: ReturnType<typeof look> | undefined
  const one = () =>
    new Promise<void>((resolve, reject) => {
      let socket: Socket
      let text = ""
      let open = false
      const next = () => {
        const passed = performance.now() - began
        if (until(sent, passed)) {
          if (start !== undefined) end ??= look()
          open = false
          socket.destroy()
          resolve()
          return
        }
        if (start === undefined && measure !== undefined && passed > measure.after) start = look()
        open = true
        socket.write(requests[(from + sent++) % requests.length]!)
      }
      const onData = (chunk: Buffer) => {
        text = text + chunk.toString("latin1")
        const length = lengthOf(text)
        if (length === undefined) return
        const status = text.slice(9, 12)
        if (count === 0) body = text.slice(text.indexOf("\r\n\r\n") + 4, length)
        statuses[status] = (statuses[status] ?? 0) + 1
        count++
        const closes = /\r\nconnection: close/i.test(text.slice(0, 1000))
        text = text.slice(length)
        if (closes) {
          open = false
          socket.destroy()
          begin()
        } else {
          next()
        }
      }
      const begin = () => {
        socket = connect(port, "127.0.0.1")
        socket.setNoDelay(true)
        socket.on("connect", next)
        socket.on("data", onData)
        socket.on("error", reject)
        socket.on("close", () => {
          if (open) reject(new Error("the server closed the connection"))
        })
      }
      begin()
    })
  // Keeps this process awake. On a virtual machine, waking a process is expensive, and the server that writes to it pays for
  // that. A server that writes each response separately would pay more often than one that writes several at once.
  let awake = true
  const spin = () => {
    if (awake) setImmediate(spin)
  }
  spin()
  try {
    await Promise.all(Array.from({ length: connections }, one))
  } finally {
    awake = false
  }
  const measured = start === undefined || end === undefined ? undefined : {
    count: end.count - start.count,
    seconds: (end.at - start.at) / 1000,
    cpu: await end.cpu - await start.cpu
  }
  return { body, count, statuses, measured }
}

/** Returns a function that creates a GET request of a path with a token. */
export const getAt = (path: string) => (token: string): Buffer =>
  Buffer.from(`GET ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer ${token}\r\naccept: */*\r\n\r\n`)

export const get = getAt("/mcp")

/** Creates a GET request with a token that is bound to a key, and the proof of that key (RFC 9449 §7.1). */
export const getWithProof = (
  { authorization, dpop }: { readonly authorization: string; readonly dpop: string }
): Buffer =>
  Buffer.from(
    `GET /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: ${authorization}\r\ndpop: ${dpop}\r\naccept: */*\r\n\r\n`
  )

/** Creates a tool call of MCP 2026-07-28, or of the previous revision, which is the latest that SDK v1 supports. */
export const callTool = (token: string, revision: "2026-07-28" | "2025-11-25", path = "/mcp"): Buffer => {
  const modern = revision === "2026-07-28"
  const body = JSON.stringify({
    jsonrpc: "2.0",
    id: 1,
    method: "tools/call",
    params: {
      name: "add_todo",
      arguments: { title: "buy milk" },
      ...(modern
        ? {
          _meta: {
            "io.modelcontextprotocol/protocolVersion": revision,
            "io.modelcontextprotocol/clientCapabilities": {},
            "io.modelcontextprotocol/clientInfo": { name: "bench", version: "1.0.0" }
          }
        }
        : {})
    }
  })
  const headers = [
    `POST ${path} HTTP/1.1`,
    "host: 127.0.0.1",
    `authorization: Bearer ${token}`,
    "content-type: application/json",
    "accept: application/json, text/event-stream",
    `mcp-protocol-version: ${revision}`,
    ...(modern ? ["mcp-method: tools/call", "mcp-name: add_todo"] : []),
    `content-length: ${Buffer.byteLength(body)}`
  ]
  return Buffer.from(`${headers.join("\r\n")}\r\n\r\n${body}`)
}
