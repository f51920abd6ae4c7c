import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import type { AuthConfigError, MalformedRequest } from "../../protocol/AuthError.ts"
import type { Read } from "./Admission.ts"
import * as body from "./Body.ts"
import { BodyDeadlines } from "./BodyDeadlines.ts"
import type { Host } from "./Host.ts"
import * as nodeBody from "./NodeBody.ts"
import { extras, headerOfRequest, type NodeRequest } from "./NodeRequest.ts"

/* Reads and parses the body of a Node request, or uses the value that a body parser has stored in `req.body`. */

/** The error if other code has read the body. `McpAuthNode` has the option `parsedBody`. */
export const consumed = body.makeConsumed(
  "protect",
  "store the parsed body in req.body, or return it from the option parsedBody of McpAuthNode"
)

/** The limits and deadlines of the bodies of an endpoint. */
export interface Reading {
  readonly limits: body.Limits
  readonly deadlines: BodyDeadlines
}

/** Prepares the reading of the bodies of an endpoint. */
export const reading = ({ fiber, runtime }: Pick<Host, "fiber" | "runtime">, limits: body.Limits): Reading => ({
  limits,
  deadlines: new BodyDeadlines(fiber.getRef(Clock.Clock), (watch) => runtime.runFork(watch), limits.timeout)
})

/** The errors for a body that cannot be read or parsed. */
type Unread = MalformedRequest | AuthConfigError

/** A body that was read and parsed, or the error. */
export type ReadResult = Exit.Exit<body.Message, Unread>

/** Returns the function that reads the body of a request, or `undefined` for a request that neither has nor needs a body. */
export const bodyReader = (
  req: NodeRequest,
  reading: Reading,
  parsedBody?: ParsedBody | undefined
): Read | undefined =>
  hasBody(req)
    ? () => Effect.callback<body.Message, Unread>((resume) => Effect.sync(readBody(req, reading, resume, parsedBody)))
    : undefined

const hasBody = (req: NodeRequest): boolean =>
  body.carriesMessages(req.method ?? "GET") || announcesBody(req) || hasUnannouncedBody(req)

/**
 * Returns whether `req.body` has a value, although the request announces no body. A platform that creates requests from events
 * can set this member without a header. Some parsers set it to `{}` for requests without a body.
 */
const hasUnannouncedBody = (req: NodeRequest): boolean => {
  const left = extras(req).body
  return left !== undefined && left !== null && !isNothing(left, "application/json")
}

/** Returns the body that a framework has parsed, or `undefined` if there is none. The author of a server supplies this function. */
export type ParsedBody = () => unknown

/**
 * Reads and parses the body of a request, if it has or needs one, and stores it in `req.body`. Calls `callback` once, with the
 * result. Returns a function that stops the reading.
 */
export const readBody = (
  req: NodeRequest,
  { deadlines, limits }: Reading,
  callback: (read: ReadResult) => void,
  parsedBody?: ParsedBody | undefined
): () => void => {
  const end: End = (check) => callback(checkedAndStored(req, check))
  const known = withoutReading(req)
  if (known !== undefined) {
    callback(known)
    return () => {}
  }
  if (parsedBody === undefined) return readStream(req, limits, deadlines, end)
  let stopReading: (() => void) | undefined
  const stopParsing = callParser(parsedBody, deadlines, (parsed) => {
    if (Exit.isFailure(parsed)) callback(Exit.failCause(parsed.cause))
    else if (isInStream(req, parsed.value)) stopReading = readStream(req, limits, deadlines, end)
    else end(() => checkParsed(req, parsed.value, limits))
  })
  return () => (stopReading ?? stopParsing)()
}

/** Ends a reading with the result of a check. */
type End = (check: () => ReadResult) => void

/**
 * Checks a body, and stores it in `req.body`. The stream is empty now, so handlers use the stored value. `_body` makes later body
 * parsers skip the request. A defect is a result as well: an error in a listener of the stream would end the process, and the
 * request would never be answered. `req.body` can be a getter, and a parsed value can have getters.
 */
const checkedAndStored = (req: NodeRequest, check: () => ReadResult): ReadResult => {
  try {
    const read = check()
    if (Exit.isSuccess(read)) {
      const request = extras(req)
      request.body = read.value.value
      request._body = true
    }
    return read
  } catch (defect) {
    return Exit.die(defect)
  }
}

/**
 * Returns whether the stream of a request has the body, because the function of the author returned no body. A framework that
 * parses no bodies of GET requests can return `{}`, and leave the body of such a request in the stream.
 */
const isInStream = (req: NodeRequest, parsed: unknown): boolean =>
  parsed === undefined ||
  (!body.carriesMessages(req.method ?? "GET") && req.readableEnded === false && extras(req).readableDidRead !== true &&
    isNothing(parsed, contentTypeOf(req)))

const noBody: ReadResult = Exit.succeed(body.empty)

/** Returns the result for a request that has no body or has the wrong type of body. */
const withoutReading = (req: NodeRequest): ReadResult | undefined => {
  if (!hasBody(req)) return noBody
  return body.carriesMessages(req.method ?? "GET") && !body.isJson(contentTypeOf(req))
    ? Exit.fail(body.contentTypeRejected)
    : undefined
}

/** Calls the function of the author, which returns a value or a promise. Returns a function that stops the wait. */
const callParser = (
  parsedBody: ParsedBody,
  deadlines: BodyDeadlines,
  callback: (parsed: Exit.Exit<unknown, MalformedRequest>) => void
): () => void => {
  // A parser fails with a `SyntaxError` for a body that is not JSON. Other failures are bugs.
  const failed = (defect: unknown) =>
    callback(defect instanceof SyntaxError ? Exit.fail(body.notJson) : Exit.die(defect))
  let parsed: unknown
  try {
    parsed = parsedBody()
  } catch (defect) {
    failed(defect)
    return () => {}
  }
  if (!isThenable(parsed)) {
    callback(Exit.succeed(parsed))
    return () => {}
  }
  let ended = false
  const stop = () => {
    ended = true
    deadlines.delete(pending)
  }
  const pending = deadlines.add(() => {
    stop()
    callback(Exit.fail(body.tooSlow))
  })
  const settle = <A>(next: (value: A) => void) => (value: A) => {
    if (ended) return
    stop()
    next(value)
  }
  parsed.then(settle((value) => callback(Exit.succeed(value))), settle(failed))
  return stop
}

const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  typeof (value as { readonly then?: unknown } | null | undefined)?.then === "function"

/** Reads the stream of a request to its end, or uses the value of the body parser that has read it. */
const readStream = (
  req: NodeRequest,
  limits: body.Limits,
  deadlines: BodyDeadlines,
  end: End
): () => void => {
  // The requests of some mocks are no streams, so `readableEnded` is `undefined`.
  if (req.readableEnded !== false) {
    end(() => leftByParser(req, limits, consumed))
    return () => {}
  }
  if (nodeBody.isListenedTo(req)) {
    end(() => Exit.fail(nodeBody.listenedTo))
    return () => {}
  }
  if (Number(req.headers["content-length"] ?? 0) > limits.bytes) {
    end(() => Exit.fail(body.tooLarge))
    return () => {}
  }
  // The gate must not check the rest of a body of which other code has read the beginning.
  const isPartial = extras(req).readableDidRead === true
  // `req.body` is used only if the stream is empty, because some parsers set `req.body` without reading the stream. If the gate
  // checked that value, the handler could read the stream and execute another body.
  return nodeBody.listen(req, limits.bytes, deadlines, (read) => {
    end(() => {
      if (Exit.isFailure(read)) return Exit.failCause(read.cause)
      if (read.value.byteLength === 0) {
        if (isPartial) return leftByParser(req, limits, consumed)
        return body.carriesMessages(req.method ?? "GET") ? leftByParser(req, limits, body.notJson) : noBody
      }
      if (isPartial) return Exit.fail(consumed)
      nodeBody.replay(req, read.value)
      return exitOf(body.parse(read.value, limits))
    })
  })
}

/**
 * Returns whether a request announces a body. A request with any method can announce one in its headers (RFC 9112 §6.3). Over
 * HTTP/2, no header is necessary: the stream stays open after the headers (RFC 9113 §8.1).
 */
const announcesBody = (req: NodeRequest): boolean =>
  req.headers["transfer-encoding"] !== undefined || Number(req.headers["content-length"] ?? 0) !== 0 ||
  extras(req).stream?.endAfterHeaders === false

const leftByParser = (req: NodeRequest, limits: body.Limits, otherwise: Unread): ReadResult => {
  const left = extras(req).body
  return left === undefined ? Exit.fail(otherwise) : checkParsed(req, left, limits)
}

/** Checks the output of a body parser: a parsed value, or the text or bytes of the body. */
const checkParsed = (req: NodeRequest, parsed: unknown, limits: body.Limits): ReadResult => {
  if (!body.isWithin(parsed, limits.bytes)) return Exit.fail(body.tooLarge)
  const isEmpty = !body.carriesMessages(req.method ?? "GET") && isNothing(parsed, contentTypeOf(req))
  return isEmpty ? noBody : exitOf(body.parsed(parsed, limits))
}

// A parser for another content type may set `req.body` to `{}` and store the body elsewhere, so `{}` counts as empty only for
// JSON.
/** Returns whether a value is the output of a parser for an empty body. */
const isNothing = (left: unknown, contentType: string | undefined): boolean => {
  if (typeof left === "string") return left === ""
  if (left instanceof Uint8Array) return left.byteLength === 0
  return body.isJson(contentType) && typeof left === "object" && left !== null && !Array.isArray(left) &&
    Object.keys(left).length === 0
}

const exitOf = <A, E>(result: Result.Result<A, E>): Exit.Exit<A, E> =>
  Result.isSuccess(result) ? Exit.succeed(result.success) : Exit.fail(result.failure)

const contentTypeOf = (req: NodeRequest): string | undefined => headerOfRequest(req, "content-type")
