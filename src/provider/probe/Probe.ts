import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Stream from "effect/Stream"
import { isShallow, parseJson, shown } from "../report/Json.ts"
import { notPublic } from "./NamedHosts.ts"

/** What came of one request. Not to be reached is an answer here: a report tells of it. */
export type Exchange =
  | {
    readonly _tag: "Answered"
    readonly url: string
    readonly status: number
    /** Names in lower case. */
    readonly headers: Readonly<Record<string, string>>
    readonly body: string
  }
  | {
    readonly _tag: "NotReached"
    readonly url: string
    readonly reason: "timeout" | "network" | "too-large"
    readonly detail: string
  }

export type Answered = Extract<Exchange, { readonly _tag: "Answered" }>

const limit = { bytes: 1024 * 1024, time: Duration.seconds(5) }

/** The origin that a client in a browser would have. */
export const origin = "https://browser-client.example"

export interface Asking {
  readonly method?: "GET" | "POST" | "OPTIONS" | "DELETE"
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  /** Ends as soon as the headers are there: for answers that may be streams. */
  readonly bodyless?: boolean
}

/** Asks once: no redirect followed, bounded in bytes and time, never a failure. */
export const ask = (
  url: string,
  { body, bodyless, headers, method }: Asking = {}
): Effect.Effect<Exchange, never, HttpClient.HttpClient> => {
  const request = HttpClientRequest.make(method ?? "GET")(url).pipe(
    HttpClientRequest.setHeaders({ accept: "application/json", ...headers }),
    (_) => body === undefined ? _ : HttpClientRequest.bodyText(_, body, headers?.["content-type"] ?? "application/json")
  )
  const notReached = (reason: "timeout" | "network" | "too-large", detail: string): Exchange => ({
    _tag: "NotReached",
    url,
    reason,
    detail
  })
  return HttpClient.execute(request).pipe(
    Effect.flatMap((response) => {
      const answered = (text: string): Exchange => ({
        _tag: "Answered",
        url,
        status: response.status,
        headers: { ...response.headers },
        body: text
      })
      if (bodyless === true) return Effect.succeed(answered(""))
      const isStream = (response.headers["content-type"] ?? "").startsWith("text/event-stream")
      return response.stream.pipe(
        // No body is an empty one.
        Stream.catchIf((error) => error.reason._tag === "EmptyBodyError", () => Stream.empty),
        Stream.mapError(() => "broken" as const),
        Stream.limitBytes(
          limit.bytes,
          (): Stream.Stream<Uint8Array, "broken" | "too-large"> => Stream.fail("too-large" as const)
        ),
        // The first event of a stream is the answer; the server may keep it open after that.
        (_) => isStream ? firstEvent(_) : Stream.mkString(Stream.decodeText(_)),
        Effect.map(answered),
        Effect.catch((error) =>
          error === "too-large"
            ? Effect.succeed(notReached("too-large", `answers more than ${limit.bytes} bytes`))
            : Effect.succeed(notReached("network", "breaks off in the middle of its answer"))
        )
      )
    }),
    Effect.catch((error) => Effect.succeed(notReached("network", describe(error)))),
    Effect.catchDefect(() => Effect.succeed(notReached("network", "cannot be reached"))),
    Effect.timeoutOrElse({
      duration: limit.time,
      orElse: () =>
        Effect.succeed(notReached("timeout", `does not answer within ${Duration.toSeconds(limit.time)} seconds`))
    }),
    Effect.provideService(FetchHttpClient.RequestInit, { redirect: "manual", credentials: "omit" }),
    Effect.scoped
  )
}

/** The lines up to the end of the first event with data. Each line is examined once, however small the chunks are. */
const firstEvent = <E>(stream: Stream.Stream<Uint8Array, E>): Effect.Effect<string, E> =>
  Stream.decodeText(stream).pipe(
    Stream.splitLines,
    Stream.mapAccum(() => false, (hasData, line) => {
      const isEnd = hasData && line === ""
      return [hasData || line.startsWith("data:"), [{ line, isEnd }]] as const
    }),
    Stream.takeUntil(({ isEnd }) => isEnd),
    Stream.runCollect,
    Effect.map((lines) => lines.map(({ line }) => line).join("\n"))
  )

/** What the socket said, without the wrapping of the layers above it. */
const describe = (error: unknown): string => {
  let current: unknown = error
  for (let depth = 0; depth < 8 && typeof current === "object" && current !== null; depth++) {
    const code = (current as { readonly code?: unknown }).code
    if (typeof code === "string" && Object.hasOwn(codes, code)) return `${codes[code]} (${code})`
    if (typeof code === "string" && /^(?:CERT_|ERR_TLS|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO)/.test(code)) {
      return `has a certificate that is not trusted (${code})`
    }
    const { cause, reason } = current as { readonly cause?: unknown; readonly reason?: unknown }
    const next = cause ?? reason
    if (next === undefined || next === current) break
    current = next
  }
  return "cannot be reached"
}

const codes: Readonly<Record<string, string>> = {
  [notPublic]: "is on a loopback or private address, to which a public server may not lead: check it by itself",
  ECONNREFUSED: "refuses the connection",
  ECONNRESET: "closes the connection",
  ENOTFOUND: "is not a known host name",
  EAI_AGAIN: "cannot be looked up",
  ETIMEDOUT: "does not answer",
  EHOSTUNREACH: "is not reachable from here",
  ENETUNREACH: "is not reachable from here"
}

/** What a URL that should hold a JSON document holds. */
export type Reading =
  | { readonly _tag: "Json"; readonly url: string; readonly json: Readonly<Record<string, unknown>> }
  | {
    readonly _tag: "NoDocument"
    readonly url: string
    /** `absent` is the honest answer of a server that has none; the others are traps, or an outage. */
    readonly kind: "absent" | "html" | "not-json" | "redirect" | "server-error" | "not-reached"
    readonly detail: string
  }

/** Judges an answer as a client would. */
export const read = (exchange: Exchange): Reading => {
  const { url } = exchange
  const none = (kind: Extract<Reading, { readonly _tag: "NoDocument" }>["kind"], detail: string): Reading => ({
    _tag: "NoDocument",
    url,
    kind,
    detail
  })
  if (exchange._tag === "NotReached") return none("not-reached", exchange.detail)
  const { body, headers, status } = exchange
  const type = (headers["content-type"] ?? "").split(";")[0]!.trim().toLowerCase()
  if (status === 0 || (status >= 300 && status < 400)) {
    return none("redirect", `redirects to ${shown(headers["location"] ?? "somewhere", 200)}`)
  }
  if (status >= 500 || status === 429) return none("server-error", `answers ${status}`)
  if (status !== 200) return none("absent", `answers ${status}`)
  const json = parseJson(body)
  if (json !== undefined && isShallow(json) && typeof json === "object" && json !== null && !Array.isArray(json)) {
    return { _tag: "Json", url, json: json as Readonly<Record<string, unknown>> }
  }
  return type.includes("html") || /^\s*</.test(body)
    ? none("html", `answers 200 with a web page (${type === "" ? "no content type" : shown(type)})`)
    : none(
      "not-json",
      `answers 200 with something that is no JSON object (${type === "" ? "no content type" : shown(type)})`
    )
}
