import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as ClientAuthentication from "../../outbound/ClientAuthentication.ts"
import type { Discovery } from "../../outbound/Discovery.ts"
import type { Fetcher } from "../../outbound/Fetcher.ts"
import * as FormPost from "../../outbound/FormPost.ts"
import { withTimeLimit } from "../../outbound/TimeLimit.ts"
import { AuthorizationServerUnavailable, type InvalidMetadata } from "../../protocol/AuthError.ts"
import type { AuthorizationServer } from "../../verification/issuers/AuthorizationServer.ts"
import type { ReadUpstream, Revocation } from "./Preset.ts"
import type { UpstreamToken } from "./UpstreamLeg.ts"
import * as times from "./UpstreamTimes.ts"

/* Revokes tokens at an upstream: with a request of RFC 7009, or as GitHub does it. */

type Unavailable = AuthorizationServerUnavailable | InvalidMetadata

/** The tokens of a person. */
export interface Revoked {
  readonly accessToken: UpstreamToken
  readonly refreshToken: Redacted.Redacted | undefined
}

/** The parts of a revocation. */
export interface Parts {
  readonly upstream: ReadUpstream
  readonly server: AuthorizationServer | undefined
  readonly issuer: string
  readonly discovery: Discovery["Service"]
  readonly fetcher: Fetcher["Service"]
  readonly prove: Effect.Effect<ClientAuthentication.Proof>
}

/** Finds out how an upstream revokes tokens. */
const findRevocation = (
  { discovery, server, upstream }: Parts
): Effect.Effect<Revocation | undefined, Unavailable> =>
  Effect.gen(function*() {
    if (upstream.server.type === "oauth2") return upstream.server.revocation
    const metadata = yield* discovery.metadata(server!, "token_endpoint")
    if (metadata.revocation_endpoint === undefined) return undefined
    const { revocation_endpoint: endpoint } = yield* discovery.metadata(server!, "revocation_endpoint")
    return { type: "rfc7009", endpoint: endpoint! }
  })

/** Revokes the tokens of a person, if the upstream has an endpoint for this. */
export const revoke = (
  parts: Parts,
  { accessToken, refreshToken }: Revoked
): Effect.Effect<void, Unavailable> => {
  const { fetcher, issuer, prove } = parts
  return Effect.gen(function*() {
    const found = yield* findRevocation(parts)
    if (found === undefined) return
    if (found.type === "github") return yield* deleteAtGitHub(parts, found.applications, accessToken)
    // The upstream revokes the access tokens of a refresh token as well (RFC 7009 §2.1).
    yield* FormPost.postForm(fetcher, {
      url: found.endpoint,
      accept: "application/json",
      proof: yield* prove,
      parameters: [
        ["token", Redacted.value(refreshToken ?? accessToken)],
        ["token_type_hint", refreshToken === undefined ? "access_token" : "refresh_token"]
      ],
      timeLimit: times.revocation
    }, { issuer, allowInsecureHttp: false })
  }).pipe(
    withTimeLimit(times.revocation, issuer),
    // A custom fetcher may throw. The defect is not reported, because it may contain the token.
    Effect.catchDefect(() => Effect.fail(unavailable(issuer, "network")))
  )
}

const unavailable = (issuer: string, reason: AuthorizationServerUnavailable["reason"], code?: string) =>
  new AuthorizationServerUnavailable({ reason, issuer, retryAfter: 5, code })

/** Deletes a token as GitHub does it. */
const deleteAtGitHub = (
  { fetcher, issuer, upstream: { clientId, clientSecret } }: Parts,
  applications: string,
  token: UpstreamToken
): Effect.Effect<void, Unavailable> =>
  fetcher.send({
    method: "DELETE",
    url: `${applications}/${encodeURIComponent(clientId)}/token`,
    headers: {
      accept: "application/json",
      authorization: `Basic ${btoa(`${clientId}:${Redacted.value(clientSecret)}`)}`,
      "content-type": "application/json",
      "user-agent": "effect-mcp-auth"
    },
    body: JSON.stringify({ access_token: Redacted.value(token) }),
    maximumBytes: 1_024,
    readsBody: () => false
  }).pipe(
    Effect.mapError(({ code }) => unavailable(issuer, "network", code)),
    Effect.flatMap(({ status }) =>
      // The token can have ended before.
      status === 204 || status === 404 || status === 422
        ? Effect.void
        : Effect.fail(unavailable(issuer, status === 401 || status === 403 ? "client-rejected" : "server-error"))
    )
  )
