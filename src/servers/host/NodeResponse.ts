import { allowOrigin, type Rejection } from "../../authorization/Rejection.ts"
import * as headerLines from "../../protocol/HeaderLines.ts"
import { type Admitted, hasHeaders } from "./Admission.ts"
import * as corsHeaders from "./CorsHeaders.ts"
import type { Answer } from "./Documents.ts"
import { holdBack, sendHeadersFirst } from "./HeldResponse.ts"
import type { Host, Recorded } from "./Host.ts"
import { extras, type NodeRequest, originOf } from "./NodeRequest.ts"
import * as sseSession from "./SseSession.ts"
import { isEventStream } from "./StreamLifetime.ts"

/* Sends rejections and documents on Node, and observes the responses of handlers. */

/**
 * A response of `node:http`, or of a framework that is built on it. This type has only the members that the gate uses.
 *
 * @category models
 * @since 0.1.0
 */
export interface NodeResponse {
  statusCode: number
  readonly headersSent: boolean
  readonly writableEnded: boolean
  readonly destroyed: boolean
  getHeader(name: string): number | string | ReadonlyArray<string> | undefined
  setHeader(name: string, value: string): unknown
  removeHeader?(name: string): unknown
  on(event: string, listener: () => void): unknown
  removeListener(event: string, listener: () => void): unknown
  end(data?: string): unknown
}

/** Sends a rejection or a document. Does nothing if the response has been sent or its connection is closed. */
export const send = (req: NodeRequest, res: NodeResponse, answer: Rejection | Answer): void => {
  if (res.headersSent || res.writableEnded || res.destroyed) return
  res.statusCode = answer.status
  const allowed = answer.headers[corsHeaders.allowOrigin]
  if (allowed !== undefined && allowed !== res.getHeader(corsHeaders.allowOrigin)) {
    // A middleware sets this header for the origins that it allows itself, and this is not one of them.
    res.removeHeader?.(corsHeaders.allowCredentials)
  }
  for (const [name, value] of Object.entries(answer.headers)) {
    // A CORS middleware before the gate may have set these headers.
    const before = corsHeaders.lists.has(name) ? res.getHeader(name) : undefined
    res.setHeader(name, before === undefined ? value : headerLines.addMembers(String(before), value))
  }
  if (answer.body === "" || req.method === "HEAD") res.end()
  else res.end(answer.body)
}

/** Sends a rejection, with the CORS headers that let a page of an allowed origin read it. */
export const sendRejection = <A>(host: Host<A>, req: NodeRequest, res: NodeResponse, rejection: Rejection): void => {
  send(req, res, allowOrigin(rejection, hasHeaders(req) ? originOf(req) : undefined, host.gate.published.allowsOrigin))
}

/**
 * Sets `req.auth`, which the transports of the SDKs pass to handlers. Observes the response, to bind the session that it opens
 * and to end an event stream when the token is no longer valid.
 */
export const prepare = <A>(host: Host<A>, req: NodeRequest, res: NodeResponse, admitted: Admitted<A>): void => {
  if (admitted.authInfo !== undefined) extras(req).auth = admitted.authInfo
  const watched = res as unknown as Watched
  const watch = new Watch(host, admitted, watched.writeHead, watched[watching])
  watched[watching] = watch
  watched.writeHead = writeHead
  if (host.gate.sessions.isShared) {
    watch.sendRejection = (rejection) => sendRejection(host, req, res, rejection)
    sendHeadersFirst(res)
  }
  if (admitted.caller.request.method === "GET") observeFirstEvent(host, res, admitted, watch)
}

type WriteHead = (...args: ReadonlyArray<unknown>) => unknown

const watching = Symbol("effect-mcp-auth/watching")

/** A response with an observer. */
interface Watched {
  writeHead: WriteHead
  [watching]?: Watch<any> | undefined
}

/** Observes the status and headers of a response. */
class Watch<A> {
  readonly #host: Host<A>
  readonly #admitted: Admitted<A>
  readonly writeHead: WriteHead
  /** The observer of another gate that admitted the same request before, if any. */
  readonly before: Watch<any> | undefined
  /** Whether the response is an event stream. `undefined` until the headers are sent. */
  isEventStream: boolean | undefined
  /** Sends a rejection in place of the response. Set if instances share their sessions. */
  sendRejection: ((rejection: Rejection) => void) | undefined
  #isRecorded = false

  constructor(host: Host<A>, admitted: Admitted<A>, writeHead: WriteHead, before: Watch<any> | undefined) {
    this.#host = host
    this.#admitted = admitted
    this.writeHead = writeHead
    this.before = before
  }

  /**
   * Records the response once, before its headers are sent. `args` are the arguments of `writeHead`. The headers in `args`
   * override those that were set with `setHeader`. Returns a promise if the headers must wait for a shared store of sessions.
   */
  record(res: NodeResponse, args: ReadonlyArray<unknown>): Promise<Recorded> | undefined {
    if (this.#isRecorded) return undefined
    this.#isRecorded = true
    const given = args[2] ?? args[1]
    const header = (name: string): string | undefined => {
      const value = headerOf(given, name) ?? res.getHeader(name)
      return value === undefined ? undefined : String(value)
    }
    const recorded = this.#host.recordResponse(
      this.#admitted,
      Number(args[0] ?? res.statusCode),
      header("mcp-session-id")
    )
    this.isEventStream = isEventStream(header("content-type"))
    if (this.isEventStream) endInTime(this.#host, this.#admitted, res)
    return recorded instanceof Promise ? recorded : undefined
  }

  /** Sends the headers with the function that the response had before. */
  sendHeaders(res: Watched, args: ReadonlyArray<unknown>): unknown {
    // If another gate admitted the request before, this function is the one below again. It must then find the observer of the
    // other gate.
    res[watching] = this.before
    try {
      return this.writeHead.apply(res, args as never)
    } finally {
      res[watching] = this
    }
  }
}

// One function for all responses. If each response had a closure, V8 would keep the response alive until a full garbage
// collection.
const writeHead = function(this: NodeResponse & Watched, ...args: ReadonlyArray<unknown>): unknown {
  const watch = this[watching]!
  const recorded = watch.record(this, args)
  if (recorded === undefined) return watch.sendHeaders(this, args)
  holdBack(this, recorded, () => watch.sendHeaders(this, args), (rejection) => watch.sendRejection?.(rejection))
  return this
}

/**
 * Returns the value of a header in an argument of `writeHead`, which is an object, a flat list or a list of pairs. If several
 * headers have the name, returns the value of the last one.
 */
const headerOf = (headers: unknown, name: string): unknown => {
  if (typeof headers !== "object" || headers === null) return undefined
  if (Array.isArray(headers)) {
    const flat: ReadonlyArray<unknown> = headers.flat()
    for (let index = flat.length - 2; index >= 0; index -= 2) {
      if (isNamed(String(flat[index]), name)) return flat[index + 1]
    }
    return undefined
  }
  const names = Object.keys(headers)
  for (let index = names.length - 1; index >= 0; index--) {
    if (isNamed(names[index]!, name)) return (headers as Record<string, unknown>)[names[index]!]
  }
  return undefined
}

const isNamed = (header: string, name: string): boolean =>
  header.length === name.length && header.toLowerCase() === name

/** Reads the session id in the first event of a stream, and binds this session to the caller before the event is sent. */
const observeFirstEvent = <A>(host: Host<A>, res: NodeResponse, admitted: Admitted<A>, watch: Watch<A>): void => {
  const stream = res as unknown as { write: (...args: ReadonlyArray<unknown>) => unknown }
  const { write } = stream
  const first = new sseSession.FirstEvent()
  const observing = (...args: ReadonlyArray<unknown>): unknown => {
    // If the handler has not called `writeHead`, the first write sends the headers, so they are read from the response.
    if (watch.isEventStream ?? isEventStream(String(res.getHeader("content-type") ?? ""))) {
      const isText = typeof args[1] !== "string" || /^utf-?8$/i.test(args[1])
      const id = first.read(typeof args[0] === "string" && !isText ? undefined : args[0])
      const release = id === undefined ? undefined : host.bindStream(admitted, id)
      if (release !== undefined) res.on("close", release)
    } else {
      first.isDone = true
    }
    if (first.isDone && stream.write === observing) stream.write = write
    return write.apply(res, args as never)
  }
  stream.write = observing
}

/**
 * Ends an event stream when the token of its request is no longer valid, or when its caller has too many streams. Then ignores later
 * writes of the handler.
 */
const endInTime = <A>(host: Host<A>, admitted: Admitted<A>, res: NodeResponse): void => {
  // The client has left before the stream began. A closed response emits no event that would end the count.
  if (isClosed(res)) return
  const cancel = host.whenStreamEnds(admitted, () => {
    if (res.writableEnded || res.destroyed) return
    res.end()
    Object.assign(res, { write: () => false, end: () => res })
  })
  res.on("close", cancel)
}

/** Returns whether the connection of a response is closed. The response of HTTP/2 has only a stream that knows it. */
const isClosed = (res: NodeResponse & { readonly stream?: { readonly destroyed?: boolean } | null }): boolean =>
  res.destroyed || res.stream?.destroyed === true
