import * as Clock from "effect/Clock"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { errorOf, isToken, readLifetime } from "../../client/TokenResponse.ts"
import * as ClientAuthentication from "../../outbound/ClientAuthentication.ts"
import { Discovery } from "../../outbound/Discovery.ts"
import * as EndpointGuard from "../../outbound/EndpointGuard.ts"
import { Fetcher, isRedirect } from "../../outbound/Fetcher.ts"
import * as FormPost from "../../outbound/FormPost.ts"
import { isJson } from "../../outbound/JsonDocument.ts"
import { withTimeLimit } from "../../outbound/TimeLimit.ts"
import { type AuthConfigError, AuthorizationServerUnavailable, type InvalidMetadata } from "../../protocol/AuthError.ts"
import { own, parse } from "../../protocol/Json.ts"
import { isShallow } from "../../protocol/JsonDepth.ts"
import * as ScopeToken from "../../protocol/ScopeToken.ts"
import type { AuthorizationServer } from "../../verification/issuers/AuthorizationServer.ts"
import type { ReadUpstream } from "./Preset.ts"
import type { UpstreamToken } from "./UpstreamLeg.ts"
import * as upstreamRevocation from "./UpstreamRevocation.ts"
import * as times from "./UpstreamTimes.ts"

/* Sends the requests of the proxy to its upstream, within limits of time, size and number. */

/** Reports that the upstream rejected a code or a token of a person. */
export class Rejected extends Data.TaggedError("Rejected")<{ readonly code: string }> {}

/** The endpoints of an upstream, and the issuer that its callbacks name. */
export interface Endpoints {
  readonly authorization: string
  readonly token: string
  /** The user endpoint, or the userinfo endpoint of an OpenID provider that has one. */
  readonly user: string | undefined
  readonly emails: string | undefined
  readonly issuer: string | undefined
  readonly sendsIssuer: boolean
}

/** A token response. */
export interface Issued {
  readonly accessToken: UpstreamToken
  readonly refreshToken: Redacted.Redacted | undefined
  /** The end of the access token, in milliseconds since 1970. */
  readonly expiresAt: number | undefined
  /** The granted upstream scopes. `undefined` means: as requested (RFC 6749 §5.1). */
  readonly granted: ReadonlyArray<string> | undefined
  readonly idToken: string | undefined
}

/** A response to a request with the token of a person. */
export interface UserResponse {
  readonly status: 200 | 403 | 404
  /** `undefined` unless the status is 200. */
  readonly json: unknown
}

export type Unavailable = AuthorizationServerUnavailable | InvalidMetadata

/** The requests to one upstream. */
export interface UpstreamRequests {
  readonly endpoints: Effect.Effect<Endpoints, Unavailable>
  readonly redeem: (request: {
    readonly code: string
    readonly verifier: string | undefined
    readonly redirectUri: string
  }) => Effect.Effect<Issued, Rejected | Unavailable>
  readonly refresh: (refreshToken: Redacted.Redacted) => Effect.Effect<Issued, Rejected | Unavailable>
  /** Sends a GET request with the token of a person. Status 401 means `Rejected`. */
  readonly ask: (url: string, token: UpstreamToken) => Effect.Effect<UserResponse, Rejected | Unavailable>
  /** Revokes the tokens of a person, if the upstream has an endpoint for this. */
  readonly revoke: (tokens: Pick<Issued, "accessToken" | "refreshToken">) => Effect.Effect<void, Unavailable>
}

/** The largest response of a user endpoint, in bytes. */
const maximumBytes = 128 * 1024

/** Error codes with which a token endpoint rejects the client of the proxy, and not a person. */
const clientErrors = new Set(["invalid_client", "unauthorized_client", "incorrect_client_credentials"])

/** Error codes with which a token endpoint reports an outage (RFC 6749 §4.1.2.1). */
const outages = new Set(["server_error", "temporarily_unavailable"])

/**
 * Creates the requests to an upstream. `server` is the checked issuer of an OpenID provider. Fails with `AuthConfigError` if the
 * credentials of the proxy cannot be used.
 */
export const make = Effect.fnUntraced(function*(
  upstream: ReadUpstream,
  server: AuthorizationServer | undefined
): Effect.fn.Return<
  UpstreamRequests,
  AuthConfigError,
  Discovery | Fetcher | Scope.Scope
> {
  const { clientId, clientSecret, method, name, quirks } = upstream
  const discovery = yield* Discovery
  const fetcher = yield* Fetcher
  const issuer = upstream.server.issuer ?? name
  const prove = yield* ClientAuthentication.make({ clientId, clientSecret, method }, { issuer, option: "upstream" })
  const option = "the option clientId or clientSecret of the upstream"
  const tokenGuard = yield* EndpointGuard.make({ issuer, endpoint: "The token endpoint", option })
  const userGuard = yield* EndpointGuard.make({ issuer, endpoint: "The user endpoint", option })
  const unavailable = (reason: AuthorizationServerUnavailable["reason"], code?: string) =>
    new AuthorizationServerUnavailable({ reason, issuer, retryAfter: reason === "client-rejected" ? 30 : 5, code })
  const rejections = new Set(["invalid_grant", ...quirks.rejections])

  const endpoints: UpstreamRequests["endpoints"] = upstream.server.type === "oauth2"
    ? Effect.succeed({
      authorization: upstream.server.authorizationEndpoint,
      token: upstream.server.tokenEndpoint,
      user: upstream.server.userEndpoint,
      emails: upstream.server.emailsEndpoint,
      issuer: upstream.server.issuer,
      sendsIssuer: upstream.server.sendsIssuer
    })
    : Effect.gen(function*() {
      const { authorization_endpoint: authorization } = yield* discovery.metadata(server!, "authorization_endpoint")
      const metadata = yield* discovery.metadata(server!, "token_endpoint")
      // The guard of addresses checks an endpoint when it is the one that is needed.
      const hasUser = !quirks.hasNoUserinfo && metadata.userinfo_endpoint !== undefined
      const user = hasUser ? (yield* discovery.metadata(server!, "userinfo_endpoint")).userinfo_endpoint : undefined
      return {
        authorization: authorization!,
        token: metadata.token_endpoint!,
        user,
        emails: undefined,
        issuer: metadata.issuer,
        sendsIssuer: metadata.authorization_response_iss_parameter_supported === true
      }
    }).pipe(withTimeLimit(times.discovery, issuer))

  const readTokens =
    (tokenStatus: EndpointGuard.TokenStatus) =>
    (answered: FormPost.Answered): Effect.Effect<Issued, Rejected | Unavailable> =>
      Clock.clockWith((clock): Effect.Effect<Issued, Rejected | Unavailable> => {
        const answer = FormPost.readObject(answered)
        // GitHub and Slack report errors with status 200.
        const error = errorOf(answer)
        if (error !== undefined && rejections.has(error)) return Effect.fail(new Rejected({ code: error }))
        const { status } = answered
        const isJunk = tokenStatus === "unverified" && error === undefined && status >= 400 && status < 500 &&
          status !== 429
        // A firewall in front of the upstream can answer 403 to a junk code. It must not count as an outage either.
        if (isJunk) return Effect.fail(new Rejected({ code: `status ${status}` }))
        if (status === 401 || status === 403 || (error !== undefined && clientErrors.has(error))) {
          return Effect.fail(unavailable("client-rejected", error))
        }
        // Entra ID answers `invalid_request` for a junk code. It must not count as an outage, which would delay all other sign-ins.
        if (tokenStatus === "unverified" && error !== undefined && !outages.has(error)) {
          return Effect.fail(new Rejected({ code: error }))
        }
        const nested = quirks.tokenMember === undefined ? undefined : own(answer, quirks.tokenMember)
        const tokens = own(nested, "access_token") === undefined ? answer : nested
        const accessToken = own(tokens, "access_token")
        const type = own(tokens, "token_type")
        const isUsable = status === 200 && error === undefined && own(answer, "ok") !== false &&
          isToken(accessToken) && typeof type === "string" && quirks.tokenTypes.includes(type.toLowerCase())
        if (!isUsable) return Effect.fail(unavailable("unusable-answer", error))
        const refreshToken = own(tokens, "refresh_token")
        const lifetime = readLifetime(own(tokens, "expires_in"))
        const scope = own(tokens, "scope")
        const idToken = own(answer, "id_token")
        return Effect.succeed({
          accessToken: toUpstreamToken(accessToken),
          refreshToken: isToken(refreshToken)
            ? Redacted.make(refreshToken, { label: "upstream-refresh-token" })
            : undefined,
          expiresAt: lifetime === undefined ? undefined : clock.currentTimeMillisUnsafe() + lifetime,
          granted: typeof scope === "string" && !quirks.hasNoScopes
            ? scope.slice(0, 8_192).split(/[ ,]+/).filter(ScopeToken.isScopeToken)
            : undefined,
          idToken: typeof idToken === "string" ? idToken : undefined
        })
      })

  const request = (
    tokenStatus: EndpointGuard.TokenStatus,
    parameters: ReadonlyArray<readonly [string, string]>
  ): Effect.Effect<Issued, Rejected | Unavailable> =>
    Effect.gen(function*() {
      const { token } = yield* endpoints
      const proof = yield* prove
      const send = FormPost.postForm(fetcher, {
        url: token,
        accept: "application/json",
        proof,
        parameters,
        reads: [401, 403],
        timeLimit: times.request
      }, { issuer, allowInsecureHttp: false })
      return yield* tokenGuard.protect(tokenStatus, Effect.flatMap(send, readTokens(tokenStatus))).pipe(
        withTimeLimit(times.exchange, issuer)
      )
    })

  return {
    endpoints,
    redeem: ({ code, redirectUri, verifier }) =>
      // Anyone can send codes, so some permits are reserved for refreshes.
      request("unverified", [
        ["grant_type", "authorization_code"],
        ["code", code],
        ["redirect_uri", redirectUri],
        ...(verifier === undefined ? [] : [["code_verifier", verifier] as const])
      ]),
    refresh: (refreshToken) =>
      request("verified", [
        ["grant_type", "refresh_token"],
        ["refresh_token", Redacted.value(refreshToken)]
      ]),
    ask: (url, token) => {
      const read = (status: number, contentType: string | undefined, body: Uint8Array) =>
        Effect.gen(function*() {
          if (status === 403 || status === 404) return { status, json: undefined } as const
          const json = status === 200 && isJson(contentType)
            ? yield* Effect.try({ try: () => parse(body), catch: () => unavailable("unusable-answer") })
            : undefined
          if (json === undefined || !isShallow(json)) return yield* unavailable("unusable-answer")
          if (own(json, "ok") !== false) return { status: 200, json } as const
          const error = errorOf(json as Readonly<Record<string, unknown>>) ?? ""
          return yield* rejections.has(error) ? new Rejected({ code: error }) : unavailable("unusable-answer", error)
        })
      const send = Effect.suspend(() =>
        fetcher.send({
          method: "GET",
          url,
          headers: {
            accept: "application/json",
            authorization: `Bearer ${Redacted.value(token)}`,
            // The API of GitHub requires this header.
            "user-agent": "effect-mcp-auth"
          },
          maximumBytes,
          readsBody: ({ status }) => status === 200
        })
      ).pipe(
        Effect.mapError(({ code, reason }) =>
          reason === "too-large" ? unavailable("unusable-answer") : unavailable("network", code)
        ),
        Effect.flatMap(
          ({ body, headers, status }): Effect.Effect<UserResponse, Rejected | AuthorizationServerUnavailable> => {
            if (status === 401) return Effect.fail(new Rejected({ code: "401" }))
            if (isRedirect(status)) return Effect.fail(unavailable("unusable-answer"))
            // GitHub reports a used-up rate limit with status 403 as well.
            const isLimited = headers["retry-after"] !== undefined || headers["x-ratelimit-remaining"] === "0"
            return status >= 500 || status === 429 || (status === 403 && isLimited)
              ? Effect.fail(unavailable("server-error"))
              : read(status, headers["content-type"], body)
          }
        ),
        withTimeLimit(times.request, issuer),
        // A custom fetcher may throw. The defect is not logged, because it may contain the token.
        Effect.catchDefect(() =>
          Effect.andThen(
            Effect.logError(`The HTTP client threw an exception while it sent a request to ${new URL(url).origin}`),
            Effect.fail(unavailable("network"))
          )
        )
      )
      return userGuard.protect("verified", send)
    },
    revoke: (tokens) => upstreamRevocation.revoke({ upstream, server, issuer, discovery, fetcher, prove }, tokens)
  }
})

/** Marks a token of the upstream. Only tokens that the upstream issued to the proxy become one. */
export const toUpstreamToken = (token: string): UpstreamToken =>
  Redacted.make(token, { label: "upstream-token" }) as UpstreamToken
