import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpClient from "effect/http/HttpClient"
import type * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Stream from "effect/Stream"
import { AuthorizationServerUnavailable } from "../../protocol/AuthError.ts"

/** What an answer about one token may cost. */
const limit = { bytes: 128 * 1024, time: Duration.seconds(5) }

export interface Answered {
  readonly status: number
  readonly json: Readonly<Record<string, unknown>> | undefined
}

export type Unavailable = (reason: AuthorizationServerUnavailable["reason"]) => AuthorizationServerUnavailable

/**
 * Asks a provider about a token: no redirect, bounded in bytes and time. Whatever is no proper answer is the provider's or
 * our own trouble, never the token's. Statuses from 200 to 299 and from 400 on that are not named here are for the caller.
 */
export const ask = (
  request: HttpClientRequest.HttpClientRequest,
  issuer: string
): Effect.Effect<Answered, AuthorizationServerUnavailable, HttpClient.HttpClient> => {
  const unavailable = unavailableAt(issuer)
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
        Effect.map((bytes): Answered => ({ status, json: jsonObject(bytes) }))
      )
    }),
    Effect.timeoutOrElse({ duration: limit.time, orElse: () => Effect.fail(unavailable("timeout")) }),
    // Read by the fetch client when the request runs: whichever client the user provides, fetch follows nothing.
    Effect.provideService(FetchHttpClient.RequestInit, { redirect: "manual", credentials: "omit" })
  )
}

export const unavailableAt = (issuer: string): Unavailable => (reason) =>
  // What passes by itself may be tried again at once; what somebody has to repair may not.
  new AuthorizationServerUnavailable({
    reason,
    issuer,
    retryAfter: reason === "client-rejected" || reason === "unusable-answer" ? 30 : 1
  })

const jsonObject = (bytes: Uint8Array): Answered["json"] => {
  try {
    const json: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes))
    return typeof json === "object" && json !== null && !Array.isArray(json) ? json as Answered["json"] : undefined
  } catch {
    return undefined
  }
}
