/**
 * Exchanges the token of a caller for a token that another server accepts (RFC 8693, or the on-behalf-of grant of Entra ID).
 * With the new token, a handler can call other servers on behalf of its caller without forwarding the caller's token.
 *
 * @since 0.1.0
 */
import type * as Brand from "effect/Brand"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import { sha256 } from "../../crypto/Sha256.ts"
import type * as ClientAuthentication from "../../outbound/ClientAuthentication.ts"
import * as Discovery from "../../outbound/Discovery.ts"
import * as EndpointGuard from "../../outbound/EndpointGuard.ts"
import * as Fetcher from "../../outbound/Fetcher.ts"
import * as FormPost from "../../outbound/FormPost.ts"
import { Sharing } from "../../outbound/Sharing.ts"
import * as SingleFlight from "../../outbound/SingleFlight.ts"
import { withTimeLimit } from "../../outbound/TimeLimit.ts"
import { type AuthConfigError, AuthorizationServerUnavailable, type InvalidMetadata } from "../../protocol/AuthError.ts"
import * as ConfigOption from "../../protocol/ConfigOption.ts"
import { own } from "../../protocol/Json.ts"
import { sanitize } from "../../protocol/RemoteText.ts"
import * as ScopeToken from "../../protocol/ScopeToken.ts"
import { BoundedMap } from "../../store/BoundedMap.ts"
import * as monotonic from "../../store/MonotonicTime.ts"
import * as AuthorizationServer from "../../verification/issuers/AuthorizationServer.ts"
import { apiKeyIssuer, Principal } from "../../verification/Principal.ts"
import { errorOf } from "../TokenResponse.ts"

/**
 * Represents a token that an exchange issued. The token is valid for the requested audience only.
 *
 * @category models
 * @since 0.1.0
 */
export type UpstreamToken = Redacted.Redacted<string & Brand.Brand<"effect-mcp-auth/UpstreamToken">>

/**
 * Describes the server that a token is for, and the requested scopes. The authorization server decides which members it needs.
 * RFC 8693 defines `audience`, a logical name, and `resource`, a URL. For Entra ID, set `scopes`, such as
 * `api://orders/.default`, or only `audience`, which requests the scope `<audience>/.default`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Target {
  readonly audience?: string | undefined
  readonly resource?: string | undefined
  readonly scopes?: ReadonlyArray<string> | undefined
}

/**
 * Reports that a token exchange failed.
 *
 * **Details**
 *
 * `reason` is one of these:
 *
 * - `rejected`: the authorization server rejected the exchange. `code` is the `error` of the response, such as
 *   `invalid_target`, or `interaction_required` from Entra ID. If the response has no valid `error`, `code` is its status.
 * - `unusable-token`: the response has no access token of the type Bearer, or returns the inbound token itself.
 * - `target`: the target has no audience, no resource and no scopes, or one of its members is invalid. With the grant
 *   `on-behalf-of`, a target that has only a resource fails as well.
 * - `api-key`: the caller has an API key, so there is no token to exchange.
 * - `insecure-url`: the request would send the token over plain http.
 * - `unavailable`: the authorization server is unavailable, or its metadata cannot be used. `cause` contains the error.
 *
 * @category errors
 * @since 0.1.0
 */
export class TokenExchangeError extends Data.TaggedError("TokenExchangeError")<{
  readonly reason: "rejected" | "unusable-token" | "target" | "api-key" | "insecure-url" | "unavailable"
  readonly code?: string
  readonly cause?: AuthorizationServerUnavailable | InvalidMetadata
}> {
  override get message(): string {
    return this.cause === undefined
      ? `The token exchange failed (${this.reason}): ${
        this.code === undefined
          ? exchangeMessages[this.reason]
          : `the authorization server answered ${sanitize(this.code)}`
      }`
      : `The token exchange failed (${this.reason}): ${this.cause.message}`
  }
}

const exchangeMessages: Readonly<Record<TokenExchangeError["reason"], string>> = {
  "rejected": "the authorization server rejected the request",
  "unusable-token": "the authorization server issued a token that cannot be sent to another server",
  "target": "no target is named; give audience, resource or scopes",
  "api-key": "the caller has an API key, so there is no token to exchange",
  "insecure-url": "the target URL must be https",
  "unavailable": "the authorization server cannot be reached"
}

/**
 * Exchanges the token of the current caller.
 *
 * **When to use**
 *
 * Use it if you need the token itself, for example for a library that sends its requests without Effect. To add the token to
 * requests of an `HttpClient`, use `ExchangedToken.bearer` of `effect-mcp-auth/http-client`.
 *
 * **Details**
 *
 * The key of the cache consists of the caller's token, the audience, the resource and the scopes. The key does not use the
 * subject, because two tokens of one person may be for two organisations, or may result from sign-ins of different strength.
 * Such tokens must not share a result. An exchanged token is cached until 30 seconds before it expires, or for 1 minute if its
 * lifetime is unknown, and never beyond the expiry of the caller's token. Concurrent requests for the same token are coalesced,
 * except in Cloudflare Workers.
 *
 * Load on the token endpoint is bounded as for introspection: at most 64 concurrent requests, at most 256 in the queue, and
 * after 3 failures in a row a cooldown of 1 second, which doubles with each further failure up to 1 minute. A response that
 * rejects the credentials of this server or has a `Retry-After` starts a cooldown at once. An error response such as
 * `invalid_grant` does not count as a failure. During a cooldown, or if the queue is full, the exchange fails at once with the
 * reason `unavailable`, and `retryAfter` of its `cause` is the time to wait, in seconds.
 *
 * **Example** (A token for one request)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { TokenExchange } from "effect-mcp-auth/token-exchange"
 *
 * const recentOrders = Effect.gen(function*() {
 *   const { token } = yield* TokenExchange.TokenExchange
 *   const upstream = yield* token({ resource: "https://orders.example.com", scopes: ["orders:read"] })
 *   return upstream
 * })
 * ```
 *
 * @category services
 * @since 0.1.0
 */
export class TokenExchange extends Context.Service<TokenExchange, {
  readonly token: (target: Target) => Effect.Effect<UpstreamToken, TokenExchangeError, Principal>
}>()("effect-mcp-auth/TokenExchange") {}

/**
 * Configures the exchange. This server authenticates at the token endpoint with a secret, a private key or a bearer token, as
 * for introspection.
 *
 * @category models
 * @since 0.1.0
 */
export type Options = ClientAuthentication.ClientAuthentication & {
  /** The authorization server that exchanges tokens, usually the issuer of the inbound tokens. */
  readonly authorizationServer: AuthorizationServer.Input
  /** The URL of the token endpoint. Default: `token_endpoint` of the authorization server's metadata. */
  readonly endpoint?: string | undefined
  /** The grant: `"token-exchange"` (RFC 8693) or `"on-behalf-of"` (Entra ID). Default: `"token-exchange"`. */
  readonly grant?: "token-exchange" | "on-behalf-of" | undefined
  /** The maximum number of cached tokens. Default: 10,000. */
  readonly capacity?: number | undefined
}

/**
 * Provides the exchange at one authorization server, with the `fetch` of the platform.
 *
 * **Example** (RFC 8693 at the issuer of the inbound tokens)
 *
 * ```ts
 * import { TokenExchange } from "effect-mcp-auth/token-exchange"
 * import { Redacted } from "effect"
 *
 * const Exchange = TokenExchange.make({
 *   authorizationServer: "https://auth.example.com",
 *   clientId: "todos",
 *   clientSecret: Redacted.make(process.env["CLIENT_SECRET"] ?? "")
 * })
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const make = (options: Options): Layer.Layer<TokenExchange, AuthConfigError> =>
  layer(options).pipe(Layer.provide(Fetcher.layer))

/**
 * Provides the exchange at one authorization server, with a custom `Fetcher`.
 *
 * **When to use**
 *
 * Use it if requests to the authorization server must not use the `fetch` of the platform.
 *
 * **Example** (With an HTTP client of Effect)
 *
 * ```ts
 * import { Layer, Redacted } from "effect"
 * import { TokenExchange } from "effect-mcp-auth/token-exchange"
 * import { HttpClientFetcher } from "effect-mcp-auth/http-client"
 * import { FetchHttpClient } from "effect/http"
 *
 * const Exchange = TokenExchange.layer({
 *   authorizationServer: "https://auth.example.com",
 *   clientId: "todos-server",
 *   clientSecret: Redacted.make("a secret")
 * }).pipe(Layer.provide(HttpClientFetcher.layer), Layer.provide(FetchHttpClient.layer))
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options): Layer.Layer<TokenExchange, AuthConfigError, Fetcher.Fetcher> =>
  Layer.effect(TokenExchange, makeService(options)).pipe(Layer.provide(Layer.fresh(Discovery.layer)))

interface Entry {
  readonly token: UpstreamToken
  /** When the caller's token expires, in milliseconds since 1970. */
  readonly until: number
  /** When the exchanged token is no longer reused, in monotonic milliseconds. Its lifetime begins with the response. */
  readonly freshUntil: number
}

/** The maximum wait of a caller: the time in the queue plus the time for the response. */
const longestWait = "8 seconds"

/** In milliseconds. A token that expires within this time is not reused, because it could expire before it arrives. */
const margin = 30_000

/** How long a token without `expires_in` is reused, in milliseconds. */
const reuseWithoutLifetime = 60_000

type Grant = NonNullable<Options["grant"]>

const accessToken = "urn:ietf:params:oauth:token-type:access_token"

const table = {
  authorizationServer: true,
  endpoint: true,
  grant: ConfigOption.oneOf("token-exchange", "on-behalf-of"),
  capacity: ConfigOption.wholeNumber(0, 10_000),
  clientId: true,
  clientSecret: true,
  privateKey: true,
  bearerToken: true,
  method: true,
  assertionAudience: true
} satisfies ConfigOption.Table<ConfigOption.NamesOf<Options>>

const makeService = (
  options: Options
): Effect.Effect<
  TokenExchange["Service"],
  AuthConfigError,
  Discovery.Discovery | Fetcher.Fetcher | Scope.Scope
> =>
  Effect.gen(function*() {
    yield* Effect.fromResult(ConfigOption.attempt(() => ConfigOption.check(options, "TokenExchange", table)))
    const { capacity = table.capacity.default, grant = table.grant.default } = options
    const request = yield* makeRequest(options, grant)
    const shares = yield* Sharing
    const flights = SingleFlight.make<UpstreamToken, TokenExchangeError>(yield* Effect.scope)
    const entries = new BoundedMap<string, Entry>(capacity)

    const exchange = Effect.fnUntraced(function*(principal: Principal, target: Target, key: string) {
      const inbound = toText(principal)
      const { lifetime, token } = yield* Effect.fromResult(readToken(yield* request(inbound, target), inbound))
      const reuse = lifetime === undefined ? reuseWithoutLifetime : lifetime - margin
      const until = principal.expiresAt * 1000
      if (reuse > 0 && until > (yield* Clock.currentTimeMillis)) {
        entries.set(key, { token, until, freshUntil: (yield* monotonic.millis) + reuse })
      }
      return token
    })

    return TokenExchange.of({
      token: Effect.fnUntraced(function*(target) {
        const principal = yield* Principal
        if (principal.issuer === apiKeyIssuer) return yield* new TokenExchangeError({ reason: "api-key" })
        if (!isTarget(target, grant)) return yield* new TokenExchangeError({ reason: "target" })
        const { audience, resource, scopes = [] } = target
        const key = yield* sha256(
          JSON.stringify([toText(principal), audience ?? null, resource ?? null, [...new Set(scopes)].sort()])
        )
        const known = entries.get(key)
        const now = yield* Clock.currentTimeMillis
        if (known !== undefined && now < known.until && (yield* monotonic.millis) < known.freshUntil) return known.token
        entries.delete(key)
        const token = exchange(principal, target, key)
        return yield* shares ? flights.join(key) ?? Effect.flatten(flights.start(key, token)) : token
      })
    })
  })

/**
 * Creates the function that sends a request to the token endpoint. It bounds the load on the endpoint and the time of each
 * request.
 */
const makeRequest = Effect.fnUntraced(function*(options: Options, grant: Grant) {
  const server = yield* Effect.fromResult(
    AuthorizationServer.make(options.authorizationServer, "TokenExchange.authorizationServer")
  )
  const { issuer } = server
  const { endpoint: url } = options
  if (url !== undefined) {
    yield* Effect.fromResult(
      ConfigOption.attempt(() => AuthorizationServer.checkUrl(url, "TokenExchange.endpoint", server.allowInsecureHttp))
    )
  }
  const post = yield* FormPost.toEndpoint(server, "token_endpoint", options, "TokenExchange")
  const guard = yield* EndpointGuard.make({
    issuer,
    endpoint: "The token endpoint",
    option: "the credentials in the options of TokenExchange"
  })
  const send = Effect.fnUntraced(function*(inbound: string, target: Target) {
    const answered = yield* post({
      accept: "application/json",
      parameters: parametersFor(grant, inbound, target),
      reads: [401, 403]
    })
    return rejectsOurCredentials(answered)
      ? yield* new AuthorizationServerUnavailable({ reason: "client-rejected", issuer, retryAfter: 30 })
      : answered
  })
  return (inbound: string, target: Target): Effect.Effect<FormPost.Answered, TokenExchangeError> =>
    // A `Principal` exists only for a verified token, so the status is always `verified`.
    guard.protect("verified", send(inbound, target)).pipe(
      withTimeLimit(longestWait, issuer),
      Effect.mapError((cause) => new TokenExchangeError({ reason: "unavailable", cause }))
    )
})

/** Returns the parameters of a request (RFC 8693 §2.1, or the on-behalf-of grant of Entra ID). */
const parametersFor = (
  grant: Grant,
  inbound: string,
  { audience, resource, scopes = [] }: Target
): ReadonlyArray<readonly [string, string]> => {
  const isOnBehalfOf = grant === "on-behalf-of"
  // Entra ID takes the audience from the scope. `.default` requests all scopes of the audience to which consent was given.
  const scope = isOnBehalfOf && scopes.length === 0 && audience !== undefined ? [`${audience}/.default`] : scopes
  const given: ReadonlyArray<readonly [string, string | undefined]> = isOnBehalfOf
    ? [
      ["grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"],
      ["assertion", inbound],
      ["requested_token_use", "on_behalf_of"]
    ]
    : [
      ["grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"],
      ["subject_token", inbound],
      ["subject_token_type", accessToken],
      ["requested_token_type", accessToken],
      ["audience", audience],
      ["resource", resource]
    ]
  return [...given, ["scope", scope.length === 0 ? undefined : scope.join(" ")] as const].filter(
    (_): _ is readonly [string, string] => _[1] !== undefined
  )
}

/** Reads the issued token and its lifetime, in milliseconds. The token must be a Bearer token other than the inbound token. */
const readToken = (
  answered: FormPost.Answered,
  inbound: string
): Result.Result<
  { readonly token: UpstreamToken; readonly lifetime: number | undefined },
  TokenExchangeError
> => {
  const answer = FormPost.readObject(answered)
  if (answered.status !== 200) {
    return Result.fail(
      new TokenExchangeError({ reason: "rejected", code: errorOf(answer) ?? String(answered.status) })
    )
  }
  const token = own(answer, "access_token")
  const type = own(answer, "token_type")
  const issuedType = own(answer, "issued_token_type")
  const lifetime = own(answer, "expires_in")
  return typeof token === "string" && /^[\x21-\x7e]+$/.test(token) && token !== inbound &&
      typeof type === "string" && type.toLowerCase() === "bearer" &&
      (issuedType === undefined || issuedType === accessToken ||
        issuedType === "urn:ietf:params:oauth:token-type:jwt")
    ? Result.succeed({
      token: Redacted.make(token, { label: "upstream-token" }) as UpstreamToken,
      lifetime: typeof lifetime === "number" && Number.isFinite(lifetime) ? lifetime * 1000 : undefined
    })
    : Result.fail(new TokenExchangeError({ reason: "unusable-token" }))
}

/**
 * Tells whether a response rejects the credentials of this server. Some authorization servers also answer 403 because of a
 * token or an audience, and then send a specific `error` (Auth0: `invalid_grant`; Keycloak: `access_denied`). Such a response
 * does not count as a rejection of the credentials, because otherwise one caller could block the exchange for all callers.
 */
const rejectsOurCredentials = (answered: FormPost.Answered): boolean => {
  if (answered.status !== 401 && answered.status !== 403) return false
  const code = errorOf(FormPost.readObject(answered))
  return code === undefined || code === "invalid_client"
}

/**
 * Returns the inbound token as a string. The string must not leave this module, except in a request to the authorization server
 * that exchanges it.
 */
const toText = ({ token }: Principal): string => Redacted.value(token) as unknown as string

const isTarget = ({ audience, resource, scopes = [] }: Target, grant: Grant): boolean =>
  [audience, resource].every((_) => _ === undefined || _ !== "") && scopes.every(ScopeToken.isScopeToken) &&
  (audience !== undefined || scopes.length > 0 || (resource !== undefined && grant === "token-exchange"))
