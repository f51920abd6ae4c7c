import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import type { Request } from "../../authorization/Gate.ts"
import { isPreflight, type Rejection } from "../../authorization/Rejection.ts"
import type { AuthConfigError, MalformedRequest } from "../../protocol/AuthError.ts"
import * as headerLines from "../../protocol/HeaderLines.ts"
import * as requestPath from "../../protocol/RequestPath.ts"
import * as body from "./Body.ts"
import type { BodyDeadlines } from "./BodyDeadlines.ts"
import type { Answer } from "./Documents.ts"
import type { Admitted, Host, Policies } from "./Host.ts"
import * as nodeBody from "./NodeBody.ts"
import * as requestHost from "./RequestHost.ts"
import * as sseSession from "./SseSession.ts"
import { isEventStream } from "./StreamLifetime.ts"

/* The gate on Node's `(req, res)`, known by their shape alone: `node:http`, Connect, Express. */

/**
 * A request of `node:http` or of a framework on it, as far as the gate looks at it.
 *
 * @category models
 * @since 0.1.0
 */
export interface NodeRequest {
  readonly method?: string | undefined
  readonly url?: string | undefined
  readonly headers: { readonly [name: string]: string | Array<string> | undefined }
  readonly rawHeaders: ReadonlyArray<string>
  readonly readableEnded: boolean
  on(event: string, listener: (argument: unknown) => void): unknown
  off(event: string, listener: (argument: unknown) => void): unknown
}

/**
 * A response of `node:http` or of a framework on it, as far as the gate looks at it.
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
  on(event: string, listener: () => void): unknown
  off(event: string, listener: () => void): unknown
  end(data?: string): unknown
}

/** What frameworks and body parsers hang on a request. */
interface Extras {
  auth?: unknown
  body?: unknown
  /** Set by `body-parser` of Express 4, which reads a body once only if it stands. */
  _body?: boolean
  readonly originalUrl?: unknown
  /** Of a request over HTTP/2: whether anything came after its headers. */
  readonly stream?: { readonly endAfterHeaders?: unknown } | undefined
  /** The parameters of the route that Express matched. Under `app.use` there are none. */
  readonly params?: unknown
}

/** Returns the tenant of a request, where the author of a host hands it over. */
export type TenantOf = (req: NodeRequest) => string | undefined

const extras = (req: NodeRequest): Extras => req as unknown as Extras

const headerOfRequest = (req: NodeRequest, name: string): string | undefined => {
  const value = req.headers[name]
  return typeof value === "string" || value === undefined ? value : value.join(", ")
}

/** What the gate sees of a request of Node's. A class, since a literal with getters costs more than all that is done with it. */
class GateRequest implements Request {
  readonly recalled: boolean
  readonly method: string
  readonly #req: NodeRequest
  readonly #tenantOf: TenantOf | undefined

  constructor(req: NodeRequest, recalled: boolean, tenantOf: TenantOf | undefined) {
    this.#req = req
    this.#tenantOf = tenantOf
    this.recalled = recalled
    this.method = req.method ?? "GET"
  }

  header(name: string): string | undefined {
    return headerOfRequest(this.#req, name)
  }

  get authorization(): ReadonlyArray<string> {
    return headerLines.ofRaw(this.#req.rawHeaders, "authorization")
  }

  get dpop(): ReadonlyArray<string> {
    return headerLines.ofRaw(this.#req.rawHeaders, "dpop")
  }

  get host(): ReadonlyArray<string> {
    return hostOf(this.#req)
  }

  get path(): string {
    return pathOf(this.#req)
  }

  get streams(): ReadonlyArray<string> {
    return streamsOf(this.#req)
  }

  routeParameter(name: string): string | undefined {
    if (this.#tenantOf !== undefined) return this.#tenantOf(this.#req)
    const { params } = extras(this.#req)
    if (typeof params !== "object" || params === null || !Object.hasOwn(params, name)) return undefined
    const value = (params as Readonly<Record<string, unknown>>)[name]
    return typeof value === "string" ? value : undefined
  }
}

/** Both targets count: frameworks shorten `url`, and what runs may read either. */
const streamsOf = (req: NodeRequest): ReadonlyArray<string> => {
  const { originalUrl } = extras(req)
  const ids = sseSession.idsOf(req.url ?? "")
  return typeof originalUrl !== "string" || originalUrl === req.url
    ? ids
    : [...new Set([...ids, ...sseSession.idsOf(originalUrl)])]
}

/** How the bodies of an endpoint are read. */
export interface Reading {
  readonly limits: body.Limits
  readonly deadlines: BodyDeadlines
}

export const reading = <A>(host: Host<A>, limits: body.Limits): Reading => ({
  limits,
  deadlines: host.deadlines(limits.timeout)
})

/** Decides about a request to an MCP endpoint, as `decide` does. */
export const decideCall = <A>(
  host: Host<A>,
  req: NodeRequest,
  res: NodeResponse,
  reading: Reading,
  policies: Policies,
  tenantOf?: TenantOf | undefined,
  preflight?: AnswerPreflight | undefined
): Admitted<A> | undefined | Promise<Admitted<A> | undefined> => {
  // Whoever is gone by now will not be heard of again.
  if (res.destroyed) return undefined
  const hasBody = body.carriesMessages(req.method ?? "GET") || announcesBody(req)
  const line = hasBody ? headerLines.soleOfRaw(req.rawHeaders, "authorization", "origin") : undefined
  const request = new GateRequest(req, line !== undefined, tenantOf)
  const recalled = line === undefined ? undefined : host.recall(request, line, policies)
  if (recalled === undefined) {
    const read = () => Effect.callback<body.Message, Unread>((resume) => Effect.sync(readBody(req, reading, resume)))
    return decide(host, req, res, host.admit(request, hasBody ? read : undefined, policies), preflight)
  }
  // No fiber waits for the body: for a small call it would cost as much as the rest of the gate.
  const waiting = new Promise<Exit.Exit<body.Message, Unread> | "closing">((resolve) => {
    const forget = host.atEnd(() => resolve("closing"))
    readBody(req, reading, (read) => {
      forget()
      resolve(read)
    })
  })
  return waiting.then((read) => {
    // Whoever went away meanwhile gets no answer, and nothing was decided.
    if (res.destroyed) return undefined
    return decide(host, req, res, read === "closing" ? Exit.fail(host.gate.rejections.closing) : recalled(read))
  })
}

/** A decision about a route, as `decide` makes it: at once where the token was verified lately. */
export const decideRoute = <A>(
  host: Host<A>,
  req: NodeRequest,
  res: NodeResponse,
  scopes: ReadonlyArray<string>,
  tenantOf?: TenantOf | undefined,
  preflight?: AnswerPreflight | undefined
): Admitted<A> | undefined | Promise<Admitted<A> | undefined> => {
  const line = headerLines.soleOfRaw(req.rawHeaders, "authorization", "origin")
  const named = host.gate.checksHost ? hostOf(req) : requestHost.unchecked
  const recalled = line === undefined || streamsOf(req).length > 0
    ? undefined
    : host.recallRoute(line, req.method ?? "GET", scopes, named)
  return decide(
    host,
    req,
    res,
    recalled ?? host.admitRoute(new GateRequest(req, line !== undefined, tenantOf), scopes),
    preflight
  )
}

/** An answer of the author's own to a preflight from an allowed origin. */
export type AnswerPreflight = (req: NodeRequest, res: NodeResponse) => unknown

/** Why there is no body to judge. */
type Unread = MalformedRequest | AuthConfigError

/** Reads and parses the body, and leaves it on the request for the handler. The result lets go of what still comes. */
const readBody = (
  req: NodeRequest,
  { deadlines, limits }: Reading,
  callback: (read: Exit.Exit<body.Message, Unread>) => void
): () => void => {
  const end = (read: Exit.Exit<body.Message, Unread>) => {
    if (Exit.isSuccess(read)) {
      // The stream is read now: the handler, and body parsers that come later, find the value that was judged.
      const request = extras(req)
      request.body = read.value.value
      request._body = true
    }
    callback(read)
  }
  const known = withoutReading(req, limits)
  if (known !== undefined) {
    end(known)
    return () => {}
  }
  // What a parser left counts only where the stream is read: some set `req.body` and read nothing, and what runs would
  // then be another body than the one that was judged.
  return nodeBody.listen(req, limits.bytes, deadlines, (read) => {
    if (Exit.isFailure(read)) return end(Exit.failCause(read.cause))
    if (read.value.byteLength > 0) return end(exitOf(body.parse(read.value, limits)))
    end(body.carriesMessages(req.method ?? "GET") ? leftByParser(req, limits, body.notJson) : Exit.succeed(body.empty))
  })
}

/** As body parsers find out, whatever the method (RFC 9112 §6.3); over HTTP/2 a body may come unannounced (RFC 9113 §8.1). */
const announcesBody = (req: NodeRequest): boolean =>
  req.headers["transfer-encoding"] !== undefined || Number(req.headers["content-length"] ?? 0) !== 0 ||
  extras(req).stream?.endAfterHeaders === false

const withoutReading = (req: NodeRequest, limits: body.Limits): Exit.Exit<body.Message, Unread> | undefined => {
  if (body.carriesMessages(req.method ?? "GET") && !body.isJson(contentTypeOf(req))) {
    return Exit.fail(body.contentTypeRejected)
  }
  if (req.readableEnded) return leftByParser(req, limits, body.consumed)
  return Number(req.headers["content-length"] ?? 0) > limits.bytes ? Exit.fail(body.tooLarge) : undefined
}

const leftByParser = (req: NodeRequest, limits: body.Limits, otherwise: Unread): Exit.Exit<body.Message, Unread> => {
  const left = extras(req).body
  if (left === undefined) return Exit.fail(otherwise)
  const isEmpty = !body.carriesMessages(req.method ?? "GET") && isNothing(left, contentTypeOf(req))
  return isEmpty ? Exit.succeed(body.empty) : exitOf(body.parsed(left, limits))
}

/** Whether this is what parsers make of an empty body. Those of other types than JSON may have put it elsewhere. */
const isNothing = (left: unknown, contentType: string | undefined): boolean => {
  if (typeof left === "string") return left === ""
  if (left instanceof Uint8Array) return left.byteLength === 0
  return body.isJson(contentType) && typeof left === "object" && left !== null && !Array.isArray(left) &&
    Object.keys(left).length === 0
}

const exitOf = <A, E>(result: Result.Result<A, E>): Exit.Exit<A, E> =>
  Result.isSuccess(result) ? Exit.succeed(result.success) : Exit.fail(result.failure)

const contentTypeOf = (req: NodeRequest): string | undefined => {
  const value = req.headers["content-type"]
  return typeof value === "string" ? value : undefined
}

/** Sends an answer of the gate, or a document. */
export const send = (req: NodeRequest, res: NodeResponse, answer: Rejection | Answer): void => {
  if (res.headersSent || res.writableEnded || res.destroyed) return
  res.statusCode = answer.status
  for (const [name, value] of Object.entries(answer.headers)) {
    // A CORS middleware in front may have set headers of its own.
    const before = corsHeaders.has(name) ? res.getHeader(name) : undefined
    res.setHeader(name, before === undefined ? value : added(String(before), value))
  }
  if (answer.body === "" || req.method === "HEAD") res.end()
  else res.end(answer.body)
}

/** Lists, of which an answer adds its members to those that are set. */
const corsHeaders = new Set(["access-control-expose-headers", "access-control-allow-headers", "vary"])

const added = (before: string, value: string): string => {
  const known = new Set(before.toLowerCase().split(",").map((_) => _.trim()))
  const others = value.split(", ").filter((_) => !known.has(_.toLowerCase()))
  return others.length === 0 ? before : `${before}, ${others.join(", ")}`
}

/** The target as it came in: frameworks shorten `url` below a mount point. */
const targetOf = (req: NodeRequest): string => {
  const { originalUrl } = extras(req)
  return typeof originalUrl === "string" ? originalUrl : req.url ?? "/"
}

const pathOf = (req: NodeRequest): string => requestPath.of(targetOf(req))

const hostOf = (req: NodeRequest): ReadonlyArray<string> => requestHost.ofRaw(req.rawHeaders, targetOf(req))

/** Answers with the public document that a request asks for; `undefined` if it asks for none. */
export const document = <A>(host: Host<A>, req: NodeRequest, res: NodeResponse): Promise<void> | undefined => {
  const found = host.document(pathOf(req), {
    header: (name) => headerOfRequest(req, name)
  })
  return found === undefined
    ? undefined
    : host.run(found(req.method ?? "GET")).then((answer) => send(req, res, Result.merge(answer)))
}

/**
 * Runs a decision for as long as the client is there. A rejection is sent; what comes in is given back, at once where the
 * decision waits for nothing. `preflight` answers preflights in place of the gate.
 */
export const decide = <A, B>(
  host: Host<A>,
  req: NodeRequest,
  res: NodeResponse,
  decision: B | Effect.Effect<B, Rejection>,
  preflight?: AnswerPreflight | undefined
): B | undefined | Promise<B | undefined> => {
  // Whatever stands in here was not put there by this gate.
  if ("auth" in req) delete extras(req).auth
  if (!Effect.isEffect(decision)) return decision
  const settle = (result: Result.Result<B, Rejection>): B | undefined | Promise<undefined> => {
    if (Result.isSuccess(result)) return result.success
    if (preflight !== undefined && isPreflight(result.failure)) {
      return Promise.resolve(preflight(req, res)).then(() => undefined)
    }
    const { origin } = req.headers
    send(req, res, host.gate.allowOrigin(result.failure, typeof origin === "string" ? origin : undefined))
    return undefined
  }
  const started = host.start(decision)
  if (Result.isResult(started)) return settle(started)
  res.on("close", started.abandon)
  return started.result.then((result) => {
    res.off("close", started.abandon)
    return settle(result)
  })
}

/** Leaves the caller where handlers of the SDK look for it, and watches the answer for its session and its length. */
export const prepare = <A>(host: Host<A>, req: NodeRequest, res: NodeResponse, admitted: Admitted<A>): void => {
  if (admitted.authInfo !== undefined) extras(req).auth = admitted.authInfo
  const watched = res as unknown as Watched
  const watch = new Watch(host, admitted, watched.writeHead, watched[watching])
  watched[watching] = watch
  watched.writeHead = writeHead
  if (admitted.method === "GET") observeFirstEvent(host, res, admitted, watch)
}

type WriteHead = (...args: ReadonlyArray<unknown>) => unknown

const watching = Symbol("effect-mcp-auth/watching")

/** A response that somebody waits for. */
interface Watched {
  writeHead: WriteHead
  [watching]?: Watch<any> | undefined
}

/** Waits for the head of an answer. */
class Watch<A> {
  readonly #host: Host<A>
  readonly #admitted: Admitted<A>
  readonly writeHead: WriteHead
  /** Another gate may wait for the same answer. */
  readonly before: Watch<any> | undefined
  /** Known once the head has gone out. */
  isEventStream: boolean | undefined
  #told = false

  constructor(host: Host<A>, admitted: Admitted<A>, writeHead: WriteHead, before: Watch<any> | undefined) {
    this.#host = host
    this.#admitted = admitted
    this.writeHead = writeHead
    this.before = before
  }

  /** Once, before the head goes out: headers may have come by `setHeader`, or come with `writeHead` itself. */
  tell(res: NodeResponse, args: ReadonlyArray<unknown>): void {
    if (this.#told) return
    this.#told = true
    const given = args[2] ?? args[1]
    const header = (name: string): string | undefined => {
      const value = headerOf(given, name) ?? res.getHeader(name)
      return value === undefined ? undefined : String(value)
    }
    this.#host.answered(this.#admitted, Number(args[0] ?? res.statusCode), header("mcp-session-id"))
    this.isEventStream = isEventStream(header("content-type"))
    if (this.isEventStream) endInTime(this.#host, this.#admitted, res)
  }
}

// One function for all responses: with one of its own V8 would keep each of them alive until a full collection.
const writeHead = function(this: NodeResponse & Watched, ...args: ReadonlyArray<unknown>): unknown {
  const watch = this[watching]!
  this[watching] = watch.before
  try {
    watch.tell(this, args)
    return watch.writeHead.apply(this, args as never)
  } finally {
    this[watching] = watch
  }
}

/** One of the headers that `writeHead` takes, an object, a flat list or a list of pairs: of several the last. */
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

/** Binds the session that the first event of a stream names, before that event goes out. */
const observeFirstEvent = <A>(host: Host<A>, res: NodeResponse, admitted: Admitted<A>, watch: Watch<A>): void => {
  const stream = res as unknown as { write: (...args: ReadonlyArray<unknown>) => unknown }
  const { write } = stream
  const first = new sseSession.FirstEvent()
  const observing = (...args: ReadonlyArray<unknown>): unknown => {
    // A first write sends the head, so it is not known yet what `writeHead` would be given.
    if (watch.isEventStream ?? isEventStream(String(res.getHeader("content-type") ?? ""))) {
      const isText = typeof args[1] !== "string" || /^utf-?8$/i.test(args[1])
      const id = first.read(typeof args[0] === "string" && !isText ? undefined : args[0])
      const release = id === undefined ? undefined : host.streamOpened(admitted, id)
      if (release !== undefined) res.on("close", release)
    } else {
      first.isDone = true
    }
    if (first.isDone && stream.write === observing) stream.write = write
    return write.apply(res, args as never)
  }
  stream.write = observing
}

/** Ends a stream cleanly. What the handler writes afterwards goes nowhere. */
const endInTime = <A>(host: Host<A>, admitted: Admitted<A>, res: NodeResponse): void => {
  const forget = host.whenStreamEnds(admitted, () => {
    if (res.writableEnded || res.destroyed) return
    res.end()
    Object.assign(res, { write: () => false, end: () => res })
  })
  if (forget !== undefined) res.on("close", forget)
}
