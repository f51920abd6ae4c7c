import * as Effect from "effect/Effect"
import { AuthorizationServerUnavailable, InvalidMetadata } from "../protocol/AuthError.ts"
import * as HttpUri from "../protocol/HttpUri.ts"
import { parse } from "../protocol/Json.ts"
import { isShallow, maximumDepth } from "../protocol/JsonDepth.ts"
import { sanitize, sanitizeUrl } from "../protocol/RemoteText.ts"
import { type Fetcher, isRedirect, type Response } from "./Fetcher.ts"
import { retryAfterOf } from "./internal/retryAfter.ts"
import { withTimeLimit } from "./TimeLimit.ts"

/** A JSON document, and the time that its server allows it to be cached (`Cache-Control: max-age`, in seconds). */
export interface Document {
  readonly json: unknown
  readonly maxAge: number | undefined
}

/** Limits for metadata and key sets. */
const limit = { bytes: 1024 * 1024, time: "5 seconds" } as const

export type DocumentError = AuthorizationServerUnavailable | InvalidMetadata

/** The issuer that errors name, and whether its URLs may be plain http. */
export interface Purpose {
  readonly issuer: string
  readonly allowInsecureHttp: boolean
  /** The largest document, in bytes. Default: 1 MiB. */
  readonly maximumBytes?: number | undefined
}

/**
 * Fetches one JSON document: over https (or http, on loopback or with `allowInsecureHttp`), without redirects, at most
 * `maximumBytes`, within 5 seconds. Fails with `AuthorizationServerUnavailable` if the server has an outage (5xx, 429, no connection, no
 * response in time), and with `InvalidMetadata` if its response cannot be used.
 */
export const fetchDocument = (
  fetcher: Fetcher["Service"],
  url: string,
  { allowInsecureHttp, issuer, maximumBytes = limit.bytes }: Purpose
): Effect.Effect<Document, DocumentError> => {
  const unusable = (reason: InvalidMetadata["reason"], detail: string) =>
    new InvalidMetadata({ reason, issuer, detail: `${sanitizeUrl(url)} ${detail}` })
  const unavailable = (reason: AuthorizationServerUnavailable["reason"], retryAfter = 1, code?: string) =>
    new AuthorizationServerUnavailable({ reason, issuer, retryAfter, code })

  if (!URL.canParse(url)) return Effect.fail(unusable("insecure-url", "is not an absolute URL"))
  if (!allowInsecureHttp && !HttpUri.isSecure(new URL(url))) {
    return Effect.fail(unusable("insecure-url", "must be https (http is accepted on loopback only)"))
  }
  const tooLarge = () => unusable("too-large", `is larger than ${maximumBytes} bytes`)

  const read = ({ body, headers, status }: Response): Effect.Effect<Document, DocumentError> => {
    if (isRedirect(status)) {
      const target = headers["location"]
      return Effect.fail(unusable(
        "redirect",
        `redirects${
          target === undefined ? "" : ` to ${sanitizeUrl(target)}`
        }. Redirects are not followed. If you trust the ` +
          "target, set metadataUrl (or jwksUri) to it"
      ))
    }
    if (status >= 500 || status === 429) return Effect.fail(unavailable("server-error", retryAfterOf(headers)))
    if (status !== 200) return Effect.fail(unusable("status", `answered ${status}; expected 200`))
    if (!isJson(headers["content-type"])) {
      return Effect.fail(
        unusable(
          "content-type",
          `has the content type ${sanitize(headers["content-type"] ?? "(none)")}; expected application/json`
        )
      )
    }
    return Effect.try({ try: () => parse(body), catch: () => unusable("not-json", "is not JSON") }).pipe(
      Effect.filterOrFail(
        (json) => isShallow(json),
        () => unusable("too-large", `nests deeper than ${maximumDepth} levels`)
      ),
      Effect.map((json) => ({ json, maxAge: maxAgeOf(headers["cache-control"]) }))
    )
  }

  return Effect.suspend(() =>
    fetcher.send({
      method: "GET",
      url,
      headers: { accept: "application/json" },
      maximumBytes,
      readsBody: ({ headers, status }) => status === 200 && isJson(headers["content-type"])
    })
  ).pipe(
    Effect.mapError(({ code, reason }) => reason === "too-large" ? tooLarge() : unavailable("network", 1, code)),
    Effect.flatMap(read),
    withTimeLimit(limit.time, issuer),
    // A custom fetcher may throw. This becomes an ordinary failure, so that the backoff starts and the cached document stays in
    // use.
    Effect.catchDefect((defect) =>
      Effect.andThen(
        Effect.logError(
          `The HTTP client threw an exception while it fetched ${sanitizeUrl(url)}: ${sanitize(String(defect), 1_024)}`
        ),
        Effect.fail(unavailable("network"))
      )
    )
  )
}

/**
 * Tells whether a content type is `application/json` or has the form `application/…+json`. RFC 8414 §3.2 requires
 * `application/json`, and RFC 7517 §8.5 registers `application/jwk-set+json`. A document with another type may be an error
 * page, a captive portal or a file that an attacker uploaded, even if it is valid JSON. If a new document is rejected, the
 * cached one stays in use.
 */
export const isJson = (contentType: string | undefined): boolean =>
  /^application\/(?:[\w.+-]+\+)?json$/i.test((contentType ?? "").split(";")[0]!.trim())

/** Returns the time for which a document may be cached, in seconds, or `undefined` if its server states none. */
export const maxAgeOf = (cacheControl: string | undefined): number | undefined => {
  if (cacheControl === undefined) return undefined
  if (/\bno-(?:cache|store)\b/i.test(cacheControl)) return 0
  const found = /\bmax-age=(\d{1,9})\b/i.exec(cacheControl)
  return found === null ? undefined : Number(found[1])
}
