import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Stream from "effect/Stream"
import { isShallow, parseJson, shown } from "../report/Json.ts"
import { describeFailure, describeNoServer } from "./ConnectionFailure.ts"
import { readReply } from "./EventStream.ts"

/** The result of one request. A failed connection is a value and not an error, because a report describes it. */
export type Exchange =
  | {
    readonly _tag: "Response"
    readonly url: string
    readonly status: number
    /** The names are in lower case. */
    readonly headers: Readonly<Record<string, string>>
    readonly body: string
  }
  | {
    readonly _tag: "NoResponse"
    readonly url: string
    readonly reason: "timeout" | "network" | "too-large"
    readonly detail: string
  }

export type Response = Extract<Exchange, { readonly _tag: "Response" }>

/** The maximum size of one response, and the maximum time until it has arrived. */
const limit = { bytes: 1024 * 1024, time: Duration.seconds(5) }

/** The `Origin` that a client in a browser would send. */
export const origin = "https://browser-client.example"

export interface ProbeRequest {
  readonly method?: "GET" | "POST" | "OPTIONS" | "DELETE"
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  /** Whether to stop when the headers arrive, without reading the body. For responses that can be streams. */
  readonly bodyless?: boolean
}

/** Sends one request. Follows no redirect, limits bytes and time, and never fails. */
export const send = (
  url: string,
  { body, bodyless, headers, method }: ProbeRequest = {}
): Effect.Effect<Exchange, never, HttpClient.HttpClient> => {
  const request = HttpClientRequest.make(method ?? "GET")(url).pipe(
    HttpClientRequest.setHeaders({ accept: "application/json", ...headers }),
    (_) => body === undefined ? _ : HttpClientRequest.bodyText(_, body, headers?.["content-type"] ?? "application/json")
  )
  const noResponse = (reason: "timeout" | "network" | "too-large", detail: string): Exchange => ({
    _tag: "NoResponse",
    url,
    reason,
    detail
  })
  return HttpClient.execute(request).pipe(
    Effect.flatMap((response) => {
      const respond = (text: string): Exchange => ({
        _tag: "Response",
        url,
        status: response.status,
        headers: { ...response.headers },
        body: text
      })
      if (bodyless === true) return Effect.succeed(respond(""))
      const isStream = (response.headers["content-type"] ?? "").startsWith("text/event-stream")
      return response.stream.pipe(
        // A response without a body counts as a response with an empty body.
        Stream.catchIf((error) => error.reason._tag === "EmptyBodyError", () => Stream.empty),
        Stream.mapError(() => "broken" as const),
        Stream.limitBytes(
          limit.bytes,
          (): Stream.Stream<Uint8Array, "broken" | "too-large"> => Stream.fail("too-large" as const)
        ),
        // The server can keep the stream open after the reply, so the rest is not read.
        (_) => isStream ? readReply(_) : Stream.mkString(Stream.decodeText(_)),
        Effect.map((text) => {
          const cause = describeNoServer(response.status, text, new URL(url))
          return cause === undefined ? respond(text) : noResponse("network", cause)
        }),
        Effect.catch((error) =>
          error === "too-large"
            ? Effect.succeed(noResponse("too-large", `sends more than ${limit.bytes / 1024 / 1024} MiB`))
            : Effect.succeed(noResponse("network", "closes the connection in the middle of its response"))
        )
      )
    }),
    Effect.catch((error) => Effect.succeed(noResponse("network", describeFailure(error, new URL(url))))),
    Effect.catchDefect(() => Effect.succeed(noResponse("network", "cannot be reached"))),
    Effect.timeoutOrElse({
      duration: limit.time,
      orElse: () =>
        Effect.succeed(noResponse("timeout", `does not respond within ${Duration.toSeconds(limit.time)} seconds`))
    }),
    Effect.provideService(FetchHttpClient.RequestInit, { redirect: "manual", credentials: "omit" }),
    // Trace ids must not be sent to other parties.
    Effect.provideService(HttpClient.TracerPropagationEnabled, false),
    Effect.scoped
  )
}

/** The content of a URL that should serve a JSON document. */
export type Reading =
  | { readonly _tag: "Json"; readonly url: string; readonly json: Readonly<Record<string, unknown>> }
  | {
    readonly _tag: "NoDocument"
    readonly url: string
    /** `absent` is the correct response of a server without the document. Every other kind misleads clients or is an outage. */
    readonly kind: "absent" | "html" | "not-json" | "redirect" | "server-error" | "no-response"
    readonly detail: string
  }

/** Reads a document from a response, as a client does. */
export const read = (exchange: Exchange): Reading => {
  const { url } = exchange
  const none = (kind: Extract<Reading, { readonly _tag: "NoDocument" }>["kind"], detail: string): Reading => ({
    _tag: "NoDocument",
    url,
    kind,
    detail
  })
  if (exchange._tag === "NoResponse") return none("no-response", exchange.detail)
  const { body, headers, status } = exchange
  const type = (headers["content-type"] ?? "").split(";")[0]!.trim().toLowerCase()
  if (status === 0 || (status >= 300 && status < 400)) {
    return none("redirect", `redirects to ${shown(headers["location"] ?? "an unnamed location", 200)}`)
  }
  if (status >= 500 || status === 429) return none("server-error", `returns ${status}`)
  if (status !== 200) return none("absent", `returns ${status}`)
  const json = parseJson(body)
  if (json !== undefined && isShallow(json) && typeof json === "object" && json !== null && !Array.isArray(json)) {
    return { _tag: "Json", url, json: json as Readonly<Record<string, unknown>> }
  }
  return type.includes("html") || /^\s*</.test(body)
    ? none("html", `returns 200 with a web page (${type === "" ? "no content type" : shown(type)})`)
    : none(
      "not-json",
      `returns 200 with something that is not a JSON object (${type === "" ? "no content type" : shown(type)})`
    )
}
