/**
 * Gives the tools of a server the upstream token of their caller.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { RecordStoreUnavailable } from "../../store/records/RecordStore.ts"
import { UpstreamFailure } from "./UpstreamFailure.ts"
import type { UpstreamLeg, UpstreamToken } from "./UpstreamLeg.ts"

/**
 * The upstream token of the caller of this request.
 *
 * **Details**
 *
 * `token` reads the stored token, and refreshes it first if it expires within a minute. It is never the access token that the client
 * sent. It fails with `UpstreamFailure`: `ended` if the upstream no longer accepts the person, and `unavailable` during an outage.
 *
 * `apiUrl` is the URL below which the API of the upstream lies, without a final slash: `https://api.github.com` or `/api/v3` of an
 * Enterprise server, `https://www.googleapis.com`, Microsoft Graph of the cloud of the tenant, and for other upstreams the origin of the
 * issuer or of the user endpoint. Send the token only there.
 *
 * **Example** (A request to the API of the upstream)
 *
 * ```ts
 * import { UpstreamAccess } from "effect-mcp-auth/proxy"
 * import { Effect, Redacted } from "effect"
 * import { HttpClient, HttpClientRequest } from "effect/http"
 *
 * const repositories = Effect.gen(function*() {
 *   const upstream = yield* UpstreamAccess
 *   const token = yield* upstream.token
 *   return yield* HttpClient.execute(
 *     HttpClientRequest.get(`${upstream.apiUrl}/user/repos`).pipe(
 *       HttpClientRequest.bearerToken(Redacted.value(token))
 *     )
 *   )
 * })
 * ```
 *
 * @category services
 * @since 0.1.0
 */
export class UpstreamAccess extends Context.Service<UpstreamAccess, {
  readonly apiUrl: string
  readonly token: Effect.Effect<UpstreamToken, UpstreamFailure | RecordStoreUnavailable>
}>()("effect-mcp-auth/UpstreamAccess") {}

/**
 * Creates the service of a request. `upstreamKey` is that of the caller's grant, or `undefined` if the grant has ended.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (
  leg: Pick<UpstreamLeg, "apiUrl" | "token">,
  upstreamKey: Effect.Effect<string | undefined, RecordStoreUnavailable>
): UpstreamAccess["Service"] => ({
  apiUrl: leg.apiUrl,
  token: Effect.flatMap(
    upstreamKey,
    (key) => key === undefined ? Effect.fail(new UpstreamFailure({ reason: "ended" })) : leg.token(key)
  )
})
