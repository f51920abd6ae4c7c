import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpClient from "effect/http/HttpClient"
import type * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Stream from "effect/Stream"
import { AuthorizationServerUnavailable } from "../../protocol/AuthError.ts"

/** For one response about one token. */
const limit = { bytes: 128 * 1024, time: Duration.seconds(5) }

export interface ProviderResponse {
  readonly status: number
  readonly json: Readonly<Record<string, unknown>> | undefined
}

export type Unavailable = (reason: AuthorizationServerUnavailable["reason"]) => AuthorizationServerUnavailable

/**
 * Sends a request about a token to its identity provider. Follows no redirect, and limits bytes and time.
 *
 * A response that is not usable is an outage, never a verdict on the token. The caller interprets the statuses from 200 to
 * 299, and those from 400 that are not handled here.
 */
export const send = (
  request: HttpClientRequest.HttpClientRequest,
  issuer: string
): Effect.Effect<ProviderResponse, AuthorizationServerUnavailable, HttpClient.HttpClient> => {
  const unavailable = unavailableFor(issuer)
  return HttpClient.execute(request).pipe(
    Effect.mapError(() => unavailable("network")),
    Effect.flatMap((response) => {
      const { status } = response
      // A manual redirect shows as status 0 where fetch hides it (browsers, workers).
      if (status < 200 || (status >= 300 && status < 400)) return Effect.fail(unavailable("unusable-answer"))
      if (status === 401 || status === 403) return Effect.fail(unavailable("client-rejected"))
      if (status >= 500 || status === 429) return Effect.fail(unavailable("server-error"))
      return response.stream.pipe(
        Stream.mapError(() => unavailable("network")),
        Stream.limitBytes(
          limit.bytes,
          (): Stream.Stream<Uint8Array, AuthorizationServerUnavailable> => Stream.fail(unavailable("unusable-answer"))
        ),
        Stream.mkUint8Array,
        Effect.map((bytes): ProviderResponse => ({ status, json: jsonObject(bytes) }))
      )
    }),
    Effect.timeoutOrElse({ duration: limit.time, orElse: () => Effect.fail(unavailable("timeout")) }),
    // Effect's fetch client reads this when the request runs, so it follows no redirect in any client that is based on it.
    Effect.provideService(FetchHttpClient.RequestInit, { redirect: "manual", credentials: "omit" })
  )
}

export const unavailableFor = (issuer: string): Unavailable => (reason) =>
  // An outage can end by itself, so callers can retry at once. A wrong configuration must be repaired first.
  new AuthorizationServerUnavailable({
    reason,
    issuer,
    retryAfter: reason === "client-rejected" || reason === "unusable-answer" ? 30 : 1
  })

const jsonObject = (bytes: Uint8Array): ProviderResponse["json"] => {
  try {
    const json: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes))
    return typeof json === "object" && json !== null && !Array.isArray(json)
      ? json as ProviderResponse["json"]
      : undefined
  } catch {
    return undefined
  }
}
