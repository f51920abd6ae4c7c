import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Stream from "effect/Stream"
import { AuthorizationServerUnavailable } from "../protocol/AuthError.ts"
import * as WellKnown from "../protocol/WellKnown.ts"
import type { Proof } from "./ClientAuthentication.ts"
import { retryAfterOf } from "./internal/retryAfter.ts"
import type { Purpose } from "./JsonDocument.ts"

/** What an answer about one token may cost. */
const limit = { bytes: 128 * 1024, time: Duration.seconds(5) }

export interface Answered {
  readonly status: number
  /** In lower case, without parameters. */
  readonly contentType: string
  readonly body: Uint8Array
}

export interface Form {
  readonly url: string
  readonly accept: string
  readonly proof: Proof
  readonly parameters: ReadonlyArray<readonly [name: string, value: string]>
  /** These statuses are returned like any other, for callers that tell by the body what the answer is about. */
  readonly reads?: ReadonlyArray<401 | 403> | undefined
}

/**
 * Posts a form that holds secrets: https only, no redirect, bounded in bytes and time. What is not a proper answer (no
 * connection, 3xx, 401, 403, 429, 5xx, too large, too late, a client that throws) is the server's or our own trouble, never
 * the token's.
 */
export const postForm = (
  client: HttpClient.HttpClient,
  form: Form,
  { allowInsecureHttp, issuer }: Purpose
): Effect.Effect<Answered, AuthorizationServerUnavailable> => {
  // What passes by itself may be tried again at once; what somebody has to repair may not.
  const unavailable = (
    reason: AuthorizationServerUnavailable["reason"],
    retryAfter = reason === "client-rejected" || reason === "unusable-answer" ? 30 : 1
  ) => Effect.fail(new AuthorizationServerUnavailable({ reason, issuer, retryAfter }))

  if (!URL.canParse(form.url) || !(allowInsecureHttp || WellKnown.isSecure(new URL(form.url)))) {
    return unavailable("unusable-answer")
  }
  const request = HttpClientRequest.post(form.url).pipe(
    HttpClientRequest.setHeaders(form.proof.headers),
    HttpClientRequest.setHeader("accept", form.accept),
    HttpClientRequest.bodyUrlParams([...form.parameters, ...Object.entries(form.proof.parameters)])
  )
  return client.execute(request).pipe(
    Effect.catch(() => unavailable("network")),
    Effect.flatMap((response) => {
      const { headers, status } = response
      // A manual redirect shows as status 0 where fetch hides it (browsers, workers).
      if (status === 0 || (status >= 300 && status < 400)) return unavailable("unusable-answer")
      if ((status === 401 || status === 403) && form.reads?.includes(status) !== true) {
        return unavailable("client-rejected")
      }
      if (status >= 500 || status === 429) return unavailable("server-error", retryAfterOf(headers))
      if (Number(headers["content-length"] ?? 0) > limit.bytes) return unavailable("unusable-answer")
      return response.stream.pipe(
        Stream.catch(() => Stream.fromEffect(unavailable("network"))),
        Stream.limitBytes(
          limit.bytes,
          (): Stream.Stream<Uint8Array, AuthorizationServerUnavailable> =>
            Stream.fromEffect(unavailable("unusable-answer"))
        ),
        Stream.mkUint8Array,
        Effect.map((body): Answered => ({
          status,
          contentType: (headers["content-type"] ?? "").split(";")[0]!.trim().toLowerCase(),
          body
        }))
      )
    }),
    Effect.timeoutOrElse({ duration: limit.time, orElse: () => unavailable("timeout") }),
    // A client that the user provides may throw. Its defect may hold the request, and so a token: it is not logged.
    Effect.catchDefect(() =>
      Effect.andThen(
        Effect.logError(`The HTTP client threw an exception while it sent a request to ${new URL(form.url).origin}`),
        unavailable("network")
      )
    ),
    // Read by the fetch client when the request runs: whichever client the user provides, fetch follows nothing.
    Effect.provideService(FetchHttpClient.RequestInit, { redirect: "manual", credentials: "omit" }),
    // The ids of a request's trace are nobody's business outside.
    Effect.provideService(HttpClient.TracerPropagationEnabled, false)
  )
}
