/** Opens event streams, and ends each in one of three ways. */
import { type IncomingMessage, request as httpRequest } from "node:http"
import { setTimeout as delay } from "node:timers/promises"

/** The header of requests that open an event stream. A reload does not wait for them. */
export const streamHeader = "x-soak-stream"

/** The parts of the soak test that the streams need. */
export interface Parts {
  readonly port: number
  readonly revision: "2026-07-28" | "2025-11-25"
  /** Creates a token of a separate caller. */
  readonly mint: () => Promise<string>
  readonly revoke: (token: string) => Promise<void>
  /** Returns the status of a tool call with a token. */
  readonly call: (token: string) => Promise<string>
  /** Returns how many reloads began or ended. An odd number means that one is in progress. A reload ends the open streams. */
  readonly reloads: () => number
  readonly signal: AbortSignal
}

/** How many streams ended in each way, and the failures. */
export interface Seen {
  /** The client dropped the stream when it received the head of the response. */
  readonly dropped: number
  /** The client read an event, kept the stream open for a second, and dropped it. */
  readonly read: number
  /** The token was revoked, the server ended the stream, and rejected the next call. */
  readonly revoked: number
  /** A reload of the configuration ended the stream. */
  readonly reloaded: number
  readonly failed: ReadonlyArray<string>
}

/** How long an event, or the end of a stream after a revocation, may take, in milliseconds. */
const patience = 15_000

const listen = (revision: Parts["revision"]) => {
  // Before MCP 2026-07-28, a GET opens the stream.
  if (revision === "2025-11-25") return { method: "GET", headers: { "mcp-protocol-version": revision }, body: "" }
  const body = JSON.stringify({
    jsonrpc: "2.0",
    id: 1,
    method: "subscriptions/listen",
    params: {
      notifications: { toolsListChanged: true },
      _meta: {
        "io.modelcontextprotocol/protocolVersion": revision,
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": { name: "bench", version: "1.0.0" }
      }
    }
  })
  const headers = {
    "mcp-protocol-version": revision,
    "mcp-method": "subscriptions/listen",
    "content-type": "application/json"
  }
  return { method: "POST", headers, body }
}

const open = ({ port, revision }: Parts, token: string) => {
  const { body, headers, method } = listen(revision)
  return new Promise<IncomingMessage>((resolve, reject) => {
    const sent = httpRequest({
      host: "127.0.0.1",
      port,
      path: "/mcp",
      method,
      agent: false,
      headers: {
        ...headers,
        accept: method === "GET" ? "text/event-stream" : "application/json, text/event-stream",
        authorization: `Bearer ${token}`,
        [streamHeader]: "1"
      }
    })
    sent.once("response", resolve).once("error", reject).setTimeout(
      patience,
      () => sent.destroy(new Error("no answer"))
    )
    sent.end(body)
  })
}

const inTime = <A>(promise: Promise<A>, what: string): Promise<A> => {
  const end = new AbortController()
  const late = delay(patience, undefined, { signal: end.signal }).then(() => {
    throw new Error(`${what} did not happen in ${patience} ms`)
  })
  late.catch(() => {})
  return Promise.race([promise, late]).finally(() => end.abort())
}

const ways = ["dropped", "read", "revoked"] as const

/** Opens one stream after the other until the signal aborts. */
const openOneByOne = async (parts: Parts, first: number, seen: { -readonly [K in keyof Seen]: Seen[K] }) => {
  const { call, mint, reloads, revoke, signal } = parts
  for (let turn = first; !signal.aborted; turn++) {
    const way = ways[turn % ways.length]!
    const token = await mint()
    const before = reloads()
    let stream: IncomingMessage | undefined
    try {
      stream = await open(parts, token)
      const type = stream.headers["content-type"]
      if (stream.statusCode !== 200 || !type?.startsWith("text/event-stream")) {
        throw new Error(`status ${stream.statusCode}, type ${type}`)
      }
      stream.on("error", () => {})
      const ended = new Promise<"ended">((resolve) => void stream!.once("close", () => resolve("ended")))
      const event = new Promise<"event">((resolve) => void stream!.on("data", () => resolve("event")))
      if (way !== "dropped") {
        if (await inTime(Promise.race([event, ended]), "the first event") === "ended") throw new Error("no event")
      }
      if (way === "read") {
        const kept = delay(1000, "kept" as const, { signal }).catch(() => "kept" as const)
        if (await Promise.race([kept, ended]) === "ended") throw new Error("ended without a cause")
      }
      if (way === "revoked") {
        await revoke(token)
        await inTime(ended, "the end of the stream after the revocation")
        const status = await call(token)
        if (status !== "401") throw new Error(`a call with the revoked token: ${status}`)
      }
      seen[way]++
    } catch (error) {
      const now = reloads()
      if (now === before && now % 2 === 0) seen.failed = [...seen.failed, `${way}: ${(error as Error).message}`]
      else seen.reloaded++
    }
    stream?.destroy()
    await delay(100, undefined, { signal }).catch(() => {})
  }
}

/** Keeps four streams open at most, each in turn dropped, read and dropped, or ended by a revocation. */
export const run = async (parts: Parts): Promise<Seen> => {
  const seen = { dropped: 0, read: 0, revoked: 0, reloaded: 0, failed: [] as ReadonlyArray<string> }
  await Promise.all([0, 1, 2, 3].map((first) => openOneByOne(parts, first, seen)))
  return seen
}
