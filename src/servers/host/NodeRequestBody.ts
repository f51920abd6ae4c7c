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
import { extras, type NodeRequest } from "./NodeRequest.ts"

/* Reads and parses the body of a Node request, or uses the value that a body parser has stored in `req.body`. */

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
export const bodyReader = (req: NodeRequest, reading: Reading): Read | undefined =>
  hasBody(req)
    ? () => Effect.callback<body.Message, Unread>((resume) => Effect.sync(readBody(req, reading, resume)))
    : undefined

const hasBody = (req: NodeRequest): boolean => body.carriesMessages(req.method ?? "GET") || announcesBody(req)

/**
 * Reads and parses the body of a request, if it has or needs one, and stores it in `req.body`. Calls `callback` once, with the
 * result. Returns a function that stops the reading.
 */
export const readBody = (
  req: NodeRequest,
  { deadlines, limits }: Reading,
  callback: (read: ReadResult) => void
): () => void => {
  const end = (read: ReadResult) => {
    if (Exit.isSuccess(read)) {
      // The stream is empty now. Handlers use the checked value, and `_body` makes later body parsers skip the request.
      const request = extras(req)
      request.body = read.value.value
      request._body = true
    }
    callback(read)
  }
  if (!hasBody(req)) {
    callback(Exit.succeed(body.empty))
    return () => {}
  }
  const known = withoutReading(req, limits)
  if (known !== undefined) {
    end(known)
    return () => {}
  }
  // `req.body` is used only if the stream is empty, because some parsers set `req.body` without reading the stream. If the gate
  // checked that value, the handler could read the stream and execute another body.
  return nodeBody.listen(req, limits.bytes, deadlines, (read) => {
    if (Exit.isFailure(read)) return end(Exit.failCause(read.cause))
    if (read.value.byteLength > 0) return end(exitOf(body.parse(read.value, limits)))
    end(body.carriesMessages(req.method ?? "GET") ? leftByParser(req, limits, body.notJson) : Exit.succeed(body.empty))
  })
}

/**
 * Returns whether a request announces a body. A request with any method can announce one in its headers (RFC 9112 §6.3). Over
 * HTTP/2, no header is necessary: the stream stays open after the headers (RFC 9113 §8.1).
 */
const announcesBody = (req: NodeRequest): boolean =>
  req.headers["transfer-encoding"] !== undefined || Number(req.headers["content-length"] ?? 0) !== 0 ||
  extras(req).stream?.endAfterHeaders === false

const withoutReading = (req: NodeRequest, limits: body.Limits): ReadResult | undefined => {
  if (body.carriesMessages(req.method ?? "GET") && !body.isJson(contentTypeOf(req))) {
    return Exit.fail(body.contentTypeRejected)
  }
  if (req.readableEnded) return leftByParser(req, limits, body.consumed)
  return Number(req.headers["content-length"] ?? 0) > limits.bytes ? Exit.fail(body.tooLarge) : undefined
}

const leftByParser = (req: NodeRequest, limits: body.Limits, otherwise: Unread): ReadResult => {
  const left = extras(req).body
  if (left === undefined) return Exit.fail(otherwise)
  const isEmpty = !body.carriesMessages(req.method ?? "GET") && isNothing(left, contentTypeOf(req))
  return isEmpty ? Exit.succeed(body.empty) : exitOf(body.parsed(left, limits))
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

const contentTypeOf = (req: NodeRequest): string | undefined => {
  const value = req.headers["content-type"]
  return typeof value === "string" ? value : undefined
}
