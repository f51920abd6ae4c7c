import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { Fetcher, type Head, isRedirect, type Request } from "../../outbound/Fetcher.ts"
import { AuthorizationServerUnavailable } from "../../protocol/AuthError.ts"
import { type JsonObject, parseObject } from "../../protocol/Json.ts"

/** The maximum size and time of a response to a request about a token. */
const limit = { bytes: 128 * 1024, time: Duration.seconds(5) }

export interface ProviderResponse {
  readonly status: number
  readonly json: JsonObject | undefined
}

export type Unavailable = (reason: AuthorizationServerUnavailable["reason"]) => AuthorizationServerUnavailable

/**
 * Sends a request about a token to its identity provider. Follows no redirect, and limits bytes and time.
 *
 * Fails for redirects, for 401, 403 and 429, and for statuses from 500. Such a response is not a verdict on the
 * token. The calling function interprets every other status.
 */
export const send = (
  request: Pick<Request, "body" | "headers" | "url">,
  issuer: string
): Effect.Effect<ProviderResponse, AuthorizationServerUnavailable, Fetcher> => {
  const unavailable = unavailableFor(issuer)
  return Effect.flatMap(
    Fetcher,
    (fetcher) =>
      fetcher.send({
        ...request,
        method: "POST",
        maximumBytes: limit.bytes,
        readsBody: (head) => getFault(head) === undefined
      })
  ).pipe(
    Effect.mapError(({ reason }) => unavailable(reason === "too-large" ? "unusable-answer" : "network")),
    Effect.flatMap((response) => {
      const fault = getFault(response)
      return fault === undefined
        ? Effect.succeed<ProviderResponse>({ status: response.status, json: parseObject(response.body) })
        : Effect.fail(unavailable(fault))
    }),
    Effect.timeoutOrElse({ duration: limit.time, orElse: () => Effect.fail(unavailable("timeout")) })
  )
}

const getFault = ({ status }: Head): AuthorizationServerUnavailable["reason"] | undefined =>
  status < 200 || isRedirect(status)
    ? "unusable-answer"
    : status === 401 || status === 403
    ? "client-rejected"
    : status >= 500 || status === 429
    ? "server-error"
    : undefined

export const unavailableFor = (issuer: string): Unavailable => (reason) =>
  // An outage can end by itself, so a client can retry after a second. A wrong configuration must be repaired first.
  new AuthorizationServerUnavailable({
    reason,
    issuer,
    retryAfter: reason === "client-rejected" || reason === "unusable-answer" ? 30 : 1
  })
