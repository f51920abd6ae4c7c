import * as Effect from "effect/Effect"
import type { MalformedRequest } from "../../protocol/AuthError.ts"
import type { Body, Read } from "./Admission.ts"
import * as body from "./Body.ts"
import * as webBody from "./WebBody.ts"

/* Reads and parses the body of a `Request`, or uses the value that a framework has parsed. */

/** The error if other code has read the body. */
export const consumed = body.makeConsumed("protect", "give it the parsed body as parsedBody")

/** The options for reading the body of a request. */
export interface Reading {
  readonly limits: body.Limits
  /** Returns the body that a framework has parsed, or `undefined` if there is none. */
  readonly parsedBody?: (() => unknown) | undefined
  /** Whether the handler uses only the parsed body, so that the bytes need not be kept. Default: `false`. */
  readonly consumes?: boolean | undefined
}

/** The body of a request, which is read once for the gate and for the handler. */
export class WebRequestBody {
  readonly #request: Request
  readonly #reading: Reading
  #bytes: Uint8Array | undefined

  constructor(request: Request, reading: Reading) {
    this.#request = request
    this.#reading = reading
  }

  readonly read: Read = () => {
    const request = this.#request
    const { limits, parsedBody } = this.#reading
    if (!body.carriesMessages(request.method)) return this.#readUnexpected()
    if (!body.isJson(request.headers.get("content-type") ?? undefined)) return Effect.fail(body.contentTypeRejected)
    if (parsedBody === undefined) return this.#readStream()
    // Most `parsedBody` functions call `request.json()`, which fails with a `SyntaxError` for a body that is not JSON. Other
    // failures are bugs.
    const parsing = Effect.catchDefect(
      Effect.promise(async () => await parsedBody()),
      (defect) => defect instanceof SyntaxError ? Effect.fail(body.notJson) : Effect.die(defect)
    )
    return Effect.flatMap(
      webBody.within(parsing, limits.timeout),
      (parsed) => parsed === undefined ? this.#readStream() : Effect.fromResult(body.parsed(parsed, limits))
    )
  }

  /**
   * Reads the body of a request whose method needs no body, such as GET. On some servers, a request without a body has an empty
   * stream.
   */
  #readUnexpected(): Body {
    const request = this.#request
    const { limits } = this.#reading
    // The gate cannot check a body that a framework has already read. Then `admission.body` is `undefined`. The handler
    // must take messages only from `admission.body`. Then it executes no message that was not checked.
    if (request.body === null || request.bodyUsed) return Effect.succeed(body.empty)
    return Effect.flatMap(webBody.read(request.body, limits.bytes, limits.timeout), (bytes) => {
      this.#bytes = bytes
      return bytes.byteLength === 0 ? Effect.succeed(body.empty) : Effect.fromResult(body.parse(bytes, limits))
    })
  }

  #readStream(): Body {
    const request = this.#request
    const { consumes = false, limits } = this.#reading
    if (request.bodyUsed) return Effect.fail(consumed)
    const announced = Number(request.headers.get("content-length") ?? Number.NaN)
    if (announced > limits.bytes) return Effect.fail(body.tooLarge)
    if (consumes && announced <= small) return readAtOnce(request, limits)
    if (request.body === null) return Effect.fail(body.notJson)
    return Effect.flatMap(webBody.read(request.body, limits.bytes, limits.timeout), (bytes) => {
      if (!consumes) this.#bytes = bytes
      return Effect.fromResult(body.parse(bytes, limits))
    })
  }

  /** Returns the request for the handler, with an unread body. */
  toRequest(): Request {
    return this.#bytes === undefined ? this.#request : webBody.replay(this.#request, this.#bytes)
  }
}

/**
 * The maximum `Content-Length` of a body that is read with `arrayBuffer`, in bytes. The platform keeps all chunks of such a
 * body until its end. This limit bounds their memory, even if each chunk is one byte.
 */
const small = 16 * 1024

/** Reads a body whose `Content-Length` is small, without a stream. Servers read no more bytes than the header announces. */
const readAtOnce = (request: Request, limits: body.Limits): Effect.Effect<body.Message, MalformedRequest> =>
  Effect.flatMap(
    webBody.readAtOnce(request, limits.timeout),
    (bytes) =>
      bytes.byteLength > limits.bytes
        ? Effect.fail(body.tooLarge)
        : Effect.fromResult(body.parse(new Uint8Array(bytes), limits))
  )
