/**
 * Sends the requests of this library, such as those for metadata, key sets, introspection and tokens.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

/**
 * Describes a request to an authorization server.
 *
 * @category models
 * @since 0.1.0
 */
export interface Request {
  readonly method: "GET" | "POST" | "DELETE"
  /** An absolute URL. */
  readonly url: string
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string | undefined
  /** The largest body that is read, in bytes. */
  readonly maximumBytes: number
  /** Decides from the status and the headers whether the body is read. If it returns `false`, the body is empty. */
  readonly readsBody: (head: Head) => boolean
}

/**
 * Contains the status and the headers of a response. The status of a redirect is 300 to 399, or 0 on platforms that hide it
 * (browsers, workers).
 *
 * @category models
 * @since 0.1.0
 */
export interface Head {
  readonly status: number
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>
}

/**
 * Describes a response. Its body is empty if `readsBody` returned `false`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Response extends Head {
  readonly body: Uint8Array
}

/**
 * Reports that a request has no usable response: the connection failed, the body is larger than `maximumBytes`, or a guard does not
 * allow the URL.
 *
 * @category errors
 * @since 0.1.0
 */
export class FetchError extends Data.TaggedError("FetchError")<{
  readonly reason: "network" | "too-large" | "not-allowed"
  /** The code of a failed connection, if it is known, such as `ENOTFOUND`, `SELF_SIGNED_CERT_IN_CHAIN` or `ERR_BAD_PORT`. */
  readonly code?: string | undefined
}> {
  override get message(): string {
    return `The request has no usable response: ${this.code ?? this.reason}`
  }
}

/**
 * Creates the error of a failed connection. Takes its code from the thrown value or from the innermost cause that has one, and
 * nothing else, because messages can quote the request. The code `ERR_BAD_PORT` means that `fetch` sends no requests to the port
 * (Fetch §2.9); Node gives this error a message and no code.
 *
 * @category constructors
 * @since 0.1.0
 */
export const networkError = (thrown: unknown): FetchError => {
  let code: string | undefined
  let error = thrown as
    | { readonly code?: unknown; readonly cause?: unknown; readonly message?: unknown }
    | null
    | undefined
  for (let depth = 0; depth < 8 && typeof error === "object" && error !== null; depth++) {
    if (typeof error.code === "string" && /^[A-Z]\w{2,63}$/.test(error.code)) code = error.code
    else if (error.message === "bad port") code = "ERR_BAD_PORT"
    error = error.cause as typeof error
  }
  return new FetchError({ reason: "network", code })
}

/**
 * Sends requests. Every service that contacts an authorization server uses it.
 *
 * **Details**
 *
 * An implementation must not follow redirects and must not send cookies or trace ids. It must abort the request when its
 * fiber is interrupted, because callers interrupt requests that take too long.
 *
 * Two implementations exist: `layer` uses `fetch`, and `HttpClientFetcher.layer` of `effect-mcp-auth/http-client` uses the
 * `HttpClient` of Effect. `layer` does not import `effect/http`, because the modules of `effect/http` would more than double
 * the number of modules that a server loads when it starts.
 *
 * **Example** (Metadata through a custom fetch function)
 *
 * ```ts
 * import { Effect, Layer } from "effect"
 * import { Discovery, Fetcher } from "effect-mcp-auth/verification"
 *
 * const throughProxy: typeof globalThis.fetch = (input, init) => fetch(input, { ...init, keepalive: true })
 *
 * const DiscoveryLive = Discovery.layer.pipe(Layer.provide(Fetcher.layerFetch(throughProxy)))
 *
 * const program = Effect.provide(Discovery.Discovery, DiscoveryLive)
 * ```
 *
 * @category services
 * @since 0.1.0
 */
export class Fetcher extends Context.Service<Fetcher, {
  readonly send: (request: Request) => Effect.Effect<Response, FetchError>
}>()("effect-mcp-auth/Fetcher") {}

/**
 * Tells whether a status is a redirect, which no implementation follows.
 *
 * @category guards
 * @since 0.1.0
 */
export const isRedirect = (status: number): boolean => status === 0 || (status >= 300 && status < 400)

/**
 * Creates a service that sends requests with the given `fetch` function.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (fetch: typeof globalThis.fetch): Fetcher["Service"] =>
  Fetcher.of({
    send: (request) =>
      Effect.tryPromise({
        try: (signal) => exchange(fetch, request, signal),
        catch: (error) => error instanceof FetchError ? error : networkError(error)
      })
  })

/**
 * Provides a service that sends requests with the given `fetch` function.
 *
 * **When to use**
 *
 * Use it to send requests through a proxy, or to answer them in a test.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerFetch = (fetch: typeof globalThis.fetch): Layer.Layer<Fetcher> => Layer.succeed(Fetcher, make(fetch))

/**
 * Uses the key of `FetchHttpClient.Fetch`, so that a program that replaces the `fetch` of Effect's client replaces it here as
 * well.
 */
const platformFetch = Context.Reference<typeof globalThis.fetch>("effect/http/FetchHttpClient/Fetch", {
  defaultValue: () => (input, init) => globalThis.fetch(input, init)
})

/**
 * Provides a service that sends requests with `FetchHttpClient.Fetch` if the program sets it, else with the `fetch` of the
 * platform.
 *
 * **When to use**
 *
 * Use it to compose services of this library in a program that has no `HttpClient`.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<Fetcher> = /*#__PURE__*/ Layer.succeed(Fetcher, {
  send: (request) => Effect.flatMap(platformFetch, (fetch) => make(fetch).send(request))
})

const exchange = async (
  fetch: typeof globalThis.fetch,
  { body, headers, maximumBytes, method, readsBody, url }: Request,
  signal: AbortSignal
): Promise<Response> => {
  const response = await fetch(url, {
    method,
    headers,
    ...(body === undefined ? {} : { body }),
    redirect: "manual",
    credentials: "omit",
    signal
  })
  const head: Head = { status: response.status, headers: Object.fromEntries(response.headers) }
  if (response.body === null) return { ...head, body: new Uint8Array() }
  const reader = response.body.getReader()
  // Frees the connection, even if `fetch` ignores the signal. Has no effect after the end of the body.
  const cancel = () => void reader.cancel().catch(() => {})
  if (signal.aborted) cancel()
  else signal.addEventListener("abort", cancel, { once: true })
  try {
    if (!readsBody(head)) return { ...head, body: new Uint8Array() }
    if (Number(head.headers["content-length"] ?? 0) > maximumBytes) throw new FetchError({ reason: "too-large" })
    return { ...head, body: await readAll(reader, maximumBytes, signal) }
  } finally {
    signal.removeEventListener("abort", cancel)
    cancel()
  }
}

const readAll = async (
  reader: ReadableStreamDefaultReader<Uint8Array>,
  maximumBytes: number,
  signal: AbortSignal
): Promise<Uint8Array> => {
  const chunks: Array<Uint8Array> = []
  let length = 0
  for (;;) {
    const { done, value } = await reader.read()
    // A cancelled stream ends in the same way as a complete one.
    signal.throwIfAborted()
    if (done) return concat(chunks, length)
    length += value.length
    if (length > maximumBytes) throw new FetchError({ reason: "too-large" })
    chunks.push(value)
  }
}

const concat = (chunks: ReadonlyArray<Uint8Array>, length: number): Uint8Array => {
  if (chunks.length === 1) return chunks[0]!
  const bytes = new Uint8Array(length)
  let offset = 0
  for (const chunk of chunks) {
    bytes.set(chunk, offset)
    offset += chunk.length
  }
  return bytes
}
