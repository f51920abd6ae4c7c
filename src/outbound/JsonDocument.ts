import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Stream from "effect/Stream"
import { AuthorizationServerUnavailable, InvalidMetadata } from "../protocol/AuthError.ts"
import { parse } from "../protocol/Json.ts"
import { isShallow, maximumDepth } from "../protocol/JsonDepth.ts"
import { sanitize } from "../protocol/RemoteText.ts"
import * as WellKnown from "../protocol/WellKnown.ts"
import { retryAfterOf } from "./internal/retryAfter.ts"

/** A JSON document, and how long its server says it stays fresh (seconds, `Cache-Control: max-age`). */
export interface Document {
  readonly json: unknown
  readonly maxAge: number | undefined
}

/** What both documents of an authorization server (metadata, key set) may cost. */
const limit = { bytes: 1024 * 1024, time: Duration.seconds(5) }

export type DocumentError = AuthorizationServerUnavailable | InvalidMetadata

/** On whose behalf a document is fetched: errors name the issuer, and an issuer may be allowed plain http. */
export interface Purpose {
  readonly issuer: string
  readonly allowInsecureHttp: boolean
}

/**
 * Fetches one JSON document: https only, no redirect, bounded in bytes and time. A provider that fails for a while
 * (5xx, 429, no connection, no answer) gives `AuthorizationServerUnavailable`; one that answers wrongly `InvalidMetadata`.
 */
export const fetchDocument = (
  client: HttpClient.HttpClient,
  url: string,
  { allowInsecureHttp, issuer }: Purpose
): Effect.Effect<Document, DocumentError> => {
  const unusable = (reason: InvalidMetadata["reason"], detail: string) =>
    new InvalidMetadata({ reason, issuer, detail: `${sanitize(url)} ${detail}` })
  const unavailable = (reason: AuthorizationServerUnavailable["reason"], retryAfter = 1) =>
    new AuthorizationServerUnavailable({ reason, issuer, retryAfter })

  if (!URL.canParse(url)) return Effect.fail(unusable("insecure-url", "is not an absolute URL"))
  if (!allowInsecureHttp && !WellKnown.isSecure(new URL(url))) {
    return Effect.fail(unusable("insecure-url", "must be https (http is accepted on loopback only)"))
  }

  const judge = (response: HttpClientResponse.HttpClientResponse): Effect.Effect<Document, DocumentError> => {
    const { headers, status } = response
    // A manual redirect shows as status 0 where fetch hides it (browsers, workers).
    if (status === 0 || (status >= 300 && status < 400)) {
      const target = headers["location"]
      return Effect.fail(unusable(
        "redirect",
        `redirects${
          target === undefined ? "" : ` to ${sanitize(target)}`
        }. Redirects are not followed. If you trust the ` +
          "target, set metadataUrl (or jwksUri) to it"
      ))
    }
    if (status >= 500 || status === 429) {
      return Effect.fail(unavailable("server-error", retryAfterOf(headers)))
    }
    if (status !== 200) return Effect.fail(unusable("status", `answered ${status}; expected 200`))
    if (!isJson(headers["content-type"])) {
      return Effect.fail(
        unusable(
          "content-type",
          `has the content type ${sanitize(headers["content-type"] ?? "(none)")}; expected application/json`
        )
      )
    }
    const tooLarge = unusable("too-large", `is larger than ${limit.bytes} bytes, which is the limit`)
    if (Number(headers["content-length"] ?? 0) > limit.bytes) return Effect.fail(tooLarge)
    return response.stream.pipe(
      Stream.mapError(() => unavailable("network")),
      Stream.limitBytes(limit.bytes, (): Stream.Stream<Uint8Array, DocumentError> => Stream.fail(tooLarge)),
      Stream.mkUint8Array,
      Effect.flatMap((bytes) =>
        Effect.try({
          try: () => parse(bytes),
          catch: () => unusable("not-json", "is not JSON")
        })
      ),
      Effect.filterOrFail(
        (json) => isShallow(json),
        () => unusable("too-large", `nests deeper than ${maximumDepth} levels, which is the limit`)
      ),
      Effect.map((json) => ({ json, maxAge: maxAgeOf(headers["cache-control"]) }))
    )
  }

  return client.execute(HttpClientRequest.get(url).pipe(HttpClientRequest.acceptJson)).pipe(
    Effect.mapError(() => unavailable("network")),
    Effect.flatMap(judge),
    Effect.timeoutOrElse({ duration: limit.time, orElse: () => Effect.fail(unavailable("timeout")) }),
    // A client of the user's may throw. That must not cost the good keys, nor the pauses between attempts.
    Effect.catchDefect((defect) =>
      Effect.andThen(
        Effect.logError(
          `The HTTP client threw an exception while it fetched ${sanitize(url)}`,
          sanitize(String(defect), 1_024)
        ),
        Effect.fail(unavailable("network"))
      )
    ),
    // Read by the fetch client when the request runs: whichever client the user provides, fetch follows nothing.
    Effect.provideService(FetchHttpClient.RequestInit, { redirect: "manual", credentials: "omit" }),
    // The ids of a request's trace are nobody's business outside.
    Effect.provideService(HttpClient.TracerPropagationEnabled, false)
  )
}

/**
 * RFC 8414 §3.2 asks for `application/json`, RFC 7517 §8.5 names `application/jwk-set+json`. What is labelled as anything
 * else is a page, an upload or a portal that happens to be at this URL, even where it parses: a stranger's key set that a
 * host delivers as `text/html` would sign in the stranger. An outage costs less, for the last good document goes on serving.
 */
const isJson = (contentType: string | undefined): boolean =>
  /^application\/(?:[\w.+-]+\+)?json$/i.test((contentType ?? "").split(";")[0]!.trim())

const maxAgeOf = (cacheControl: string | undefined): number | undefined => {
  if (cacheControl === undefined) return undefined
  if (/\bno-(?:cache|store)\b/i.test(cacheControl)) return 0
  const found = /\bmax-age=(\d{1,9})\b/i.exec(cacheControl)
  return found === null ? undefined : Number(found[1])
}
