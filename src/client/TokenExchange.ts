/**
 * Tokens for the servers behind this one (RFC 8693, and Entra ID's on-behalf-of): calling on for a caller without
 * passing the caller's token on.
 *
 * @since 0.1.0
 */
import type * as Brand from "effect/Brand"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { sha256 } from "../crypto/Sha256.ts"
import * as ClientAuthentication from "../outbound/ClientAuthentication.ts"
import * as Discovery from "../outbound/Discovery.ts"
import * as EndpointGuard from "../outbound/EndpointGuard.ts"
import * as Fetcher from "../outbound/Fetcher.ts"
import { type Answered, postForm } from "../outbound/FormPost.ts"
import { Sharing } from "../outbound/Sharing.ts"
import { AuthConfigError, AuthorizationServerUnavailable, type InvalidMetadata } from "../protocol/AuthError.ts"
import * as HttpUri from "../protocol/HttpUri.ts"
import { own, parseObject } from "../protocol/Json.ts"
import * as optionNames from "../protocol/OptionNames.ts"
import * as OptionValue from "../protocol/OptionValue.ts"
import { sanitize } from "../protocol/RemoteText.ts"
import * as ScopeToken from "../protocol/ScopeToken.ts"
import { BoundedMap } from "../store/BoundedMap.ts"
import * as monotonic from "../store/MonotonicTime.ts"
import * as AuthorizationServer from "../verification/issuers/AuthorizationServer.ts"
import { Principal } from "../verification/Principal.ts"

/**
 * A token that an exchange gave: for the audience that it was asked for, and for no other.
 *
 * @category models
 * @since 0.1.0
 */
export type UpstreamToken = Redacted.Redacted<string & Brand.Brand<"effect-mcp-auth/UpstreamToken">>

/**
 * Whom a token is for, and what it may do there. What the authorization server asks for depends on the server: RFC 8693
 * knows a logical `audience` and the URL of a `resource`; Entra ID takes scopes such as `api://orders/.default` alone.
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
 * No token for a server behind this one.
 *
 * **Details**
 *
 * `rejected`: the authorization server said no; `code` is its `error`, such as `invalid_target` or, of Entra ID,
 * `interaction_required`. `unusable-token`: it gave something that cannot be sent on: of another type, or the inbound
 * token itself. `target`: nothing says whom the token is for. `insecure-url`: the request would carry it over plain http.
 * `unavailable`: the server could not be asked; the cause says why.
 *
 * @category errors
 * @since 0.1.0
 */
export class TokenExchangeError extends Data.TaggedError("TokenExchangeError")<{
  readonly reason: "rejected" | "unusable-token" | "target" | "insecure-url" | "unavailable"
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
  "insecure-url": "the target URL must be https",
  "unavailable": "the authorization server cannot be reached"
}

/**
 * Exchanges the token of the current caller.
 *
 * **When to use**
 *
 * A request takes its token in a way that `bearer` does not know.
 *
 * **Details**
 *
 * A token is kept for the caller's token, the audience and the scopes, until shortly before its end and never past the end
 * of the caller's token. It is kept per token and not per subject: two tokens of one person may stand for two
 * organisations, or for different strengths of authentication, and none may profit from the other. Callers that ask for
 * the same at the same time share one request.
 *
 * Load on the token endpoint is bounded as for introspection: 64 requests at a time, 256 that wait, and after 3 failures in
 * a row a cooldown of 1 second that doubles with each further failure, up to 1 minute. Rejected credentials and a
 * `Retry-After` count at once. An error of the endpoint such as `invalid_grant` is an answer. What is not sent fails at once
 * with the reason `unavailable` and a cause that says how long to wait.
 *
 * **Example** (A token for one request)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { TokenExchange } from "effect-mcp-auth/client"
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
 * How tokens are exchanged. This server proves who it is as it does for introspection.
 *
 * @category models
 * @since 0.1.0
 */
export type Options = ClientAuthentication.ClientAuthentication & {
  /** Who exchanges: the issuer of the inbound tokens, as a rule. */
  readonly authorizationServer: AuthorizationServer.Input
  /** Default: `token_endpoint` of its metadata. */
  readonly endpoint?: string | undefined
  /** `"token-exchange"` (default) is RFC 8693; `"on-behalf-of"` is Entra ID's grant. */
  readonly grant?: "token-exchange" | "on-behalf-of" | undefined
  /** At most this many tokens are kept. Default: 10,000. */
  readonly capacity?: number | undefined
}

/**
 * Lets an `HttpClient` call on for the caller: each request gets a token of its own for the audience.
 *
 * **When to use**
 *
 * In a handler that calls another protected server. The caller's own token is meant for this server, and must not be sent
 * on (MCP authorization, "Token Passthrough").
 *
 * **Gotchas**
 *
 * Every request of the client gets the token: use the client for that server alone.
 *
 * **Example** (A tool that asks the orders API)
 *
 * ```ts
 * import { TokenExchange } from "effect-mcp-auth/client"
 * import { Effect } from "effect"
 * import { HttpClient } from "effect/http"
 *
 * const orders = Effect.gen(function*() {
 *   const client = (yield* HttpClient.HttpClient).pipe(
 *     HttpClient.mapRequestEffect(TokenExchange.bearer({ audience: "https://orders.example.com" }))
 *   )
 *   return yield* client.get("https://orders.example.com/recent")
 * })
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const bearer = (target: Target) =>
(
  request: HttpClientRequest.HttpClientRequest
): Effect.Effect<HttpClientRequest.HttpClientRequest, TokenExchangeError, TokenExchange | Principal> => {
  if (!URL.canParse(request.url) || !HttpUri.isSecure(new URL(request.url))) {
    return Effect.fail(new TokenExchangeError({ reason: "insecure-url" }))
  }
  return Effect.map(
    Effect.flatMap(TokenExchange, (exchange) => exchange.token(target)),
    (token) => HttpClientRequest.bearerToken(request, token)
  )
}

/**
 * `layer`, with the `fetch` of the platform.
 *
 * **Example** (RFC 8693 at the issuer of the inbound tokens)
 *
 * ```ts
 * import { TokenExchange } from "effect-mcp-auth/client"
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
 * The exchange at one authorization server.
 *
 * **When to use**
 *
 * The authorization server is reached in another way than by the `fetch` of the platform.
 *
 * **Example** (With an HTTP client of Effect)
 *
 * ```ts
 * import { Layer, Redacted } from "effect"
 * import { TokenExchange } from "effect-mcp-auth/client"
 * import { HttpClientFetcher } from "effect-mcp-auth/http-client"
 * import { FetchHttpClient } from "effect/http"
 *
 * const Exchange = TokenExchange.layer({
 *   authorizationServer: "https://auth.example.com",
 *   clientId: "todos-server",
 *   clientSecret: Redacted.make("from the place where secrets are")
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
  /** The end of the caller's token, on the wall clock. */
  readonly until: number
  /** The end of the token's own lifetime, in monotonic milliseconds: it counts from the answer. */
  readonly freshUntil: number
}

/** How long a caller waits, in the queue and for the answer. */
const longestWait = Duration.seconds(8)

/** A token that is about to end could end on its way. */
const margin = Duration.toMillis(Duration.seconds(30))

const accessToken = "urn:ietf:params:oauth:token-type:access_token"

const names: Readonly<Record<optionNames.NamesOf<Options>, true>> = {
  authorizationServer: true,
  endpoint: true,
  grant: true,
  capacity: true,
  clientId: true,
  clientSecret: true,
  privateKey: true,
  bearerToken: true,
  method: true,
  assertionAudience: true
}

const makeService = (
  options: Options
): Effect.Effect<
  TokenExchange["Service"],
  AuthConfigError,
  Discovery.Discovery | Fetcher.Fetcher | Scope.Scope
> =>
  Effect.gen(function*() {
    yield* Effect.fromResult(optionNames.check(options, "TokenExchange", names))
    const server = yield* Effect.fromResult(
      AuthorizationServer.make(options.authorizationServer, "TokenExchange.authorizationServer")
    )
    const grant = options.grant ?? "token-exchange"
    if (grant !== "token-exchange" && grant !== "on-behalf-of") {
      return yield* new AuthConfigError({
        reason: "malformed",
        option: "TokenExchange.grant",
        fix: `${OptionValue.isNot(grant, "\"token-exchange\" or \"on-behalf-of\"")}. Leave it out for "token-exchange"`
      })
    }
    const capacity = options.capacity ?? 10_000
    if (!Number.isSafeInteger(capacity) || capacity < 0) {
      return yield* new AuthConfigError({
        reason: "malformed",
        option: "TokenExchange.capacity",
        fix: `${OptionValue.isNot(capacity, "a whole number from 0 (caches nothing)")}. Leave it out for 10000`
      })
    }
    if (options.endpoint !== undefined) {
      yield* Effect.fromResult(
        AuthorizationServer.checkUrl(options.endpoint, "TokenExchange.endpoint", server.allowInsecureHttp)
      )
    }
    const prove = yield* ClientAuthentication.make(options, { issuer: server.issuer, option: "TokenExchange" })
    const fetcher = yield* Fetcher.Fetcher
    const discovery = yield* Discovery.Discovery
    const scope = yield* Effect.scope
    const endpoint = options.endpoint !== undefined
      ? Effect.succeed(options.endpoint)
      : Effect.map(discovery.metadata(server, "token_endpoint"), (_) => _.token_endpoint!)
    const guard = yield* EndpointGuard.make({
      issuer: server.issuer,
      endpoint: "The token endpoint",
      option: "the credentials in the options of TokenExchange"
    })
    const entries = new BoundedMap<string, Entry>(capacity)
    const running = new Map<string, Deferred.Deferred<UpstreamToken, TokenExchangeError>>()

    const parametersOf = (inbound: string, { audience, resource, scopes = [] }: Target) => {
      const onBehalfOf = grant === "on-behalf-of"
      // Entra ID names the audience in the scope: everything that was consented to there, unless scopes say less.
      const scope = onBehalfOf && scopes.length === 0 && audience !== undefined ? [`${audience}/.default`] : scopes
      const given: ReadonlyArray<readonly [string, string | undefined]> = onBehalfOf
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

    const exchange = (
      principal: Principal,
      target: Target,
      key: string
    ): Effect.Effect<UpstreamToken, TokenExchangeError> =>
      Effect.gen(function*() {
        const inbound = revealed(principal)
        // Only callers that were verified come here.
        const { body, contentType, status } = yield* guard.protect(
          "verified",
          Effect.gen(function*() {
            const answered = yield* postForm(fetcher, {
              url: yield* endpoint,
              accept: "application/json",
              proof: yield* prove,
              parameters: parametersOf(inbound, target),
              reads: [401, 403]
            }, server)
            if (!isAboutClient(answered)) return answered
            return yield* new AuthorizationServerUnavailable({
              reason: "client-rejected",
              issuer: server.issuer,
              retryAfter: 30
            })
          })
        ).pipe(Effect.timeoutOrElse({
          duration: longestWait,
          orElse: () =>
            Effect.fail(new AuthorizationServerUnavailable({ reason: "timeout", issuer: server.issuer, retryAfter: 1 }))
        }))
        const answer = jsonOf({ body, contentType })
        if (status !== 200) {
          return yield* new TokenExchangeError({ reason: "rejected", code: errorOf(answer) ?? String(status) })
        }
        const token = own(answer, "access_token")
        const type = own(answer, "token_type")
        const issuedType = own(answer, "issued_token_type")
        const fits = typeof token === "string" && /^[\x21-\x7e]+$/.test(token) && token !== inbound &&
          typeof type === "string" && type.toLowerCase() === "bearer" &&
          (issuedType === undefined || issuedType === accessToken ||
            issuedType === "urn:ietf:params:oauth:token-type:jwt")
        if (!fits) return yield* new TokenExchangeError({ reason: "unusable-token" })
        const lifetime = own(answer, "expires_in")
        // Without a word about its end a token is used for a minute.
        const reuse = typeof lifetime === "number" && Number.isFinite(lifetime) ? lifetime * 1000 - margin : 60_000
        const upstream = Redacted.make(token, { label: "upstream-token" }) as UpstreamToken
        const until = principal.expiresAt * 1000
        if (reuse > 0 && until > (yield* Clock.currentTimeMillis)) {
          entries.set(key, { token: upstream, until, freshUntil: (yield* monotonic.millis) + reuse })
        }
        return upstream
      }).pipe(
        Effect.catchTag(
          ["AuthorizationServerUnavailable", "InvalidMetadata"],
          (cause) => Effect.fail(new TokenExchangeError({ reason: "unavailable", cause }))
        )
      )

    const shares = yield* Sharing
    const exchangeOnce = (principal: Principal, target: Target, key: string) =>
      shares ? exchangeTogether(principal, target, key) : exchange(principal, target, key)
    const exchangeTogether = (principal: Principal, target: Target, key: string) =>
      Effect.suspend(() => {
        const known = running.get(key)
        if (known !== undefined) return Deferred.await(known)
        const deferred = Deferred.makeUnsafe<UpstreamToken, TokenExchangeError>()
        running.set(key, deferred)
        return exchange(principal, target, key).pipe(
          Effect.onExit((exit) => {
            running.delete(key)
            return Deferred.done(deferred, exit)
          }),
          Effect.ignore,
          Effect.forkIn(scope, { startImmediately: true }),
          Effect.andThen(Deferred.await(deferred))
        )
      })

    return TokenExchange.of({
      token: Effect.fnUntraced(function*(target) {
        const principal = yield* Principal
        if (!isTarget(target, grant)) return yield* new TokenExchangeError({ reason: "target" })
        const { audience, resource, scopes = [] } = target
        const hash = sha256(
          JSON.stringify([revealed(principal), audience ?? null, resource ?? null, [...new Set(scopes)].sort()])
        )
        const key = typeof hash === "string" ? hash : yield* Effect.promise(() => hash)
        const known = entries.get(key)
        const now = yield* Clock.currentTimeMillis
        if (known !== undefined && now < known.until && (yield* monotonic.millis) < known.freshUntil) return known.token
        entries.delete(key)
        return yield* exchangeOnce(principal, target, key)
      })
    })
  })

const jsonOf = ({ body, contentType }: Pick<Answered, "body" | "contentType">) =>
  /^application\/(?:[\w.+-]+\+)?json$/.test(contentType) ? parseObject(body) : undefined

/** A word of the server's, fit for a log: anything else of its answer is not (RFC 6749 §5.2). */
const errorOf = (answer: Readonly<Record<string, unknown>> | undefined): string | undefined => {
  const code = own(answer, "error")
  return typeof code === "string" && /^[\x21\x23-\x5b\x5d-\x7e]{1,64}$/.test(code) ? code : undefined
}

/**
 * Whether a server rejects the credentials of this one. Some servers also answer 403 about a token or an audience, and name
 * the error (Auth0: `invalid_grant`; Keycloak: `access_denied`): one caller could otherwise stop the exchange for all.
 */
const isAboutClient = ({ status, ...answered }: Answered): boolean => {
  if (status !== 401 && status !== 403) return false
  const code = errorOf(jsonOf(answered))
  return code === undefined || code === "invalid_client"
}

/** The one place that takes the inbound token for what it is: its issuer may see it. */
const revealed = ({ token }: Principal): string => Redacted.value(token) as unknown as string

const isTarget = ({ audience, resource, scopes = [] }: Target, grant: Options["grant"]): boolean =>
  [audience, resource].every((_) => _ === undefined || _ !== "") && scopes.every(ScopeToken.isScopeToken) &&
  (audience !== undefined || scopes.length > 0 || (resource !== undefined && grant === "token-exchange"))
