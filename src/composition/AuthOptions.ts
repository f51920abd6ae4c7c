/**
 * The options of a protected server.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import type * as Redacted from "effect/Redacted"
import type { Input as AllowedOrigins } from "../authorization/AllowedOrigins.ts"
import type { AuthChallenge } from "../authorization/AuthChallenge.ts"
import type * as ClaimsDecoder from "../authorization/ClaimsDecoder.ts"
import type * as Decision from "../authorization/Decision.ts"
import type * as ProtectedResource from "../authorization/ProtectedResource.ts"
import type { PublicUrl } from "../authorization/public-url/PublicUrl.ts"
import type * as Quotas from "../authorization/quotas/Quotas.ts"
import type { ChallengeScopes } from "../authorization/Rejection.ts"
import type { ScopeHierarchy } from "../authorization/ScopeHierarchy.ts"
import type * as SessionStore from "../authorization/sessions/SessionStore.ts"
import type * as Credentials from "../protocol/Credentials.ts"
import type * as ApiKeys from "../verification/api-keys/ApiKeys.ts"
import type * as Audience from "../verification/claims/Audience.ts"
import type { RoleSource } from "../verification/claims/Roles.ts"
import type * as TokenType from "../verification/claims/TokenType.ts"
import type * as AuthorizationServer from "../verification/issuers/AuthorizationServer.ts"
import type { OpaqueTokens } from "../verification/issuers/OpaqueTokens.ts"
import type * as Revocations from "../verification/revocation/Revocations.ts"
import type * as Tenants from "../verification/tenants/Tenants.ts"
import type * as TokenHeader from "../verification/token-header/TokenHeader.ts"
import type * as Presentation from "../verification/tokens/Presentation.ts"
import type * as TokenCache from "../verification/tokens/TokenCache.ts"
import type * as TokenVerifier from "../verification/TokenVerifier.ts"

/**
 * The scopes that a configuration offers. Their types must be literals.
 *
 * @category models
 * @since 0.1.0
 */
export type Scopes = ProtectedResource.Scopes

/**
 * Rejects scopes of the wide type `string`.
 *
 * @category utility types
 * @since 0.1.0
 */
export type LiteralScopes<S extends Scopes> = string extends ProtectedResource.OfferedOf<S>
  ? "scopes must be literals: a value of type string cannot be checked against what the tools need"
  : unknown

/**
 * The type of `authorizationServers`: a list with at least one entry.
 *
 * @category models
 * @since 0.1.0
 */
export type Servers = readonly [AuthorizationServer.Input<any>, ...ReadonlyArray<AuthorizationServer.Input<any>>]

/** A list of authorization servers whose introspection requires no service. */
export type Inputs = readonly [AuthorizationServer.Input, ...ReadonlyArray<AuthorizationServer.Input>]

/**
 * The services that the introspection of the authorization servers requires.
 *
 * @category utility types
 * @since 0.1.0
 */
export type ServicesOf<I> = I extends ReadonlyArray<infer Server>
  ? Server extends { readonly introspection?: OpaqueTokens<infer R> | undefined } ? unknown extends R ? never : R
  : never
  : never

/**
 * Rejects unknown options of authorization servers. The compiler names the option.
 *
 * @category utility types
 * @since 0.1.0
 */
export type OnlyKnown<I> = I extends ReadonlyArray<unknown> ? { readonly [K in keyof I]: OnlyKnownServer<I[K]> }
  : unknown

type OnlyKnownServer<Server> = Server extends { readonly id: string } | string ? unknown
  : { readonly [K in Exclude<keyof Server, keyof AuthorizationServer.Options>]?: NoSuchOption }

/**
 * The compiler shows this type in its error. It is an interface, because an intersection with a literal type could become
 * `never`.
 */
interface NoSuchOption {
  readonly "there is no such option": never
}

/**
 * The options of a gate.
 *
 * @category models
 * @since 0.1.0
 */
export type Options<
  S extends Scopes,
  C = never,
  A = unknown,
  RD = never,
  RT = never,
  RR = never,
  RK = never,
  I extends Servers = Inputs,
  RS = never,
  RQ = never
> =
  & Common<S, C, A, RD, RT, RR, RK, RS, RQ>
  & Issuers<I>
  & {
    /**
     * The resource identifier: the URL at which clients reach the server, in canonical form. It must be https, except on
     * loopback. If it has no path, `https://host` and `https://host/` are the same resource (RFC 3986 §6.2.3). If it has a path, a final
     * slash makes a difference. If a reverse proxy changes the path, or if the server has several public URLs, write a value of
     * `PublicUrl` from `effect-mcp-auth/public-url`.
     */
    readonly resource: string | PublicUrl
  }

/**
 * Names the authorization servers that may issue tokens.
 *
 * @category models
 * @since 0.1.0
 */
export interface Issuers<I extends Servers = Inputs> {
  /**
   * Each entry is an issuer, an object with an issuer and its options, or a profile of an identity provider, such as
   * `Profiles.okta({ … })` with `Profiles` from `effect-mcp-auth/provider`. Clients sign in at the first entry.
   */
  readonly authorizationServers: I & OnlyKnown<I>
}

/**
 * All options except `resource` and `authorizationServers`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Common<
  S extends Scopes,
  C = never,
  A = unknown,
  RD = never,
  RT = never,
  RR = never,
  RK = never,
  RS = never,
  RQ = never
> {
  /**
   * The scopes that the server offers: a list, or a baseline and the scopes that clients request by step-up authorization. With
   * `[]`, the server has no scopes and any valid token is enough: an operation that requires a scope does not compile.
   */
  readonly scopes: S & LiteralScopes<S>
  /** Maps a scope to the scopes that it includes, such as `{ "todos:write": ["todos:read"] }`. */
  readonly scopeHierarchy?: ScopeHierarchy | undefined
  /**
   * The claims that contain the roles of a caller, for `Policy.role` and `Principal.roles`: paths such as
   * `["realm_access", "roles"]`, or functions from the claims to the roles. Several sources are combined. They replace the sources
   * of a profile. Default: those of the profile. Without a profile, callers have no roles.
   */
  readonly roles?: ReadonlyArray<RoleSource> | undefined
  /**
   * The rule for the audience of tokens. It overrides the rule of a profile. Default: the rule of the profile, or else
   * `Audience.resource`.
   */
  readonly audience?: Audience.Audience | undefined
  /**
   * The rule that decides which JWTs are access tokens. If an authorization server has a profile, the requirements of the
   * profile apply as well, so the ID tokens of its provider are rejected with every rule. Default: `TokenType.standard()`.
   */
  readonly tokenType?: TokenType.TokenType | undefined
  /**
   * The allowed difference of clocks, for `exp`, `nbf` and `iat`, from 0 to 5 minutes. Default: 0 for `exp`, 30 seconds for
   * `nbf` and `iat`.
   */
  readonly clockTolerance?: Duration.Input | undefined
  /**
   * The allowed characters of a token. `"visible-ascii"` is for providers whose opaque tokens contain characters outside the
   * grammar of RFC 6750, for example `oauth:…` or `00D…!…`. Default: `"token68"`, the grammar of RFC 6750.
   */
  readonly tokenGrammar?: Credentials.Grammar | undefined
  /**
   * Accepts tokens that are bound to a key of the client, if the request contains a proof of that key (RFC 9449).
   * `Dpop.optional({ … })` accepts Bearer tokens as well; `Dpop.required({ … })` rejects them. Default: tokens that are bound
   * to a key are rejected.
   */
  readonly dpop?: Presentation.Mechanism<RD> | undefined
  /**
   * Accepts API keys in addition to access tokens, with `ApiKeys.make({ store, header })` from `effect-mcp-auth/api-keys`. A
   * request with both is rejected. With `tenants`, each key belongs to one tenant. Default: no API keys.
   */
  readonly apiKeys?: ApiKeys.Mechanism<RK> | undefined
  /**
   * Reads the access token from another header than `Authorization`, for a server behind a proxy that signs users in:
   * `TokenHeader.make({ name, setBy })` from `effect-mcp-auth/token-header`. The token is verified like any other. The
   * `Authorization` header is ignored, because it is meant for the proxy. Not allowed with `dpop` and with API keys in
   * `Authorization`. Default: tokens are in the `Authorization` header.
   */
  readonly tokenHeader?: TokenHeader.Mechanism | undefined
  /** How long verified JWTs are cached, and how many tokens the cache contains. Default: 5 minutes, and 10,000 tokens. */
  readonly tokenCache?: TokenCache.Options | undefined
  /**
   * Rejects tokens that were revoked before they expire: `Revocations.stored`, or `Revocations.check(function)`. The gate
   * checks for revocation on every request, even if the token is cached, and again when the body of the request is complete. It
   * checks open streams every `revocationInterval`. `Revocations.revoke` ends the open streams of this instance at once. With
   * `Revocations.check`, call `Gate.invalidate` to end them at once. Default: tokens are valid until they expire.
   */
  readonly revocation?: Revocations.Mechanism<RR> | undefined
  /**
   * The interval at which `revocation` is checked for an open stream, from 1 second to 1 hour. At most 16 checks run at a time.
   * If a check fails or times out, the stream stays open until a later check or the expiry of its token ends it. If the
   * function of `Revocations.check` throws, the stream ends. Default: 30 seconds.
   */
  readonly revocationInterval?: Duration.Input | undefined
  /**
   * Finds the authorization servers of each tenant while the server runs. A request without a tenant is rejected unless
   * `withoutTenant` allows it. With this option, `authorizationServers` are used only for requests without a tenant: for their
   * tokens, and in the metadata for clients that name no tenant. Not allowed with `anonymous: "allow-unscoped"`. Default: no
   * tenants.
   */
  readonly tenants?: Tenants.Mechanism<RT> | undefined
  /**
   * Replaces or wraps the configured verifier, which verifies and caches the tokens of the authorization servers and tenants.
   * `TokenVerifier` has combinators for this. The gate accepts every principal that the verifier returns.
   *
   * The verifier runs on every request and its results are not cached, so they may depend on the request. If the results of a
   * verifier depend only on the token, `cached` can cache them.
   *
   * With `tenants`, a principal is rejected unless its `tenant` is that of the request. So a verifier that creates principals
   * must set `tenant`.
   */
  readonly verifier?: ((configured: TokenVerifier.Verifier, cached: Cached) => TokenVerifier.Verifier) | undefined
  /**
   * Origins of web pages, extensions and desktop applications that may send requests, in addition to the origin of the resource:
   * a list, or a function that returns whether an origin is allowed. Examples are `https://app.example.com`,
   * `chrome-extension://<id>`, `vscode-webview://<id>` and `tauri://localhost`. A request without an `Origin` header is not
   * checked, because clients other than browsers send none. Default: none.
   *
   * The gate rejects every other origin with 403, so the request runs nothing. A CORS middleware cannot do that: it only tells
   * browsers which pages may read a response. An origin needs both, if the responses of your handlers are for a page.
   *
   * The function receives one well-formed origin of at most 512 characters, and never `null`. If it throws or returns anything
   * other than a boolean, the gate answers 500.
   */
  readonly allowedOrigins?: AllowedOrigins | undefined
  /**
   * Whether the origin `null` is allowed. Browsers send it for sandboxed frames, local files and `data:` URLs. Every web page can
   * open a sandboxed frame, so the server then receives requests from scripts of every page, and only the token protects it.
   * Default: `false`.
   */
  readonly allowNullOrigin?: boolean | undefined
  /**
   * Host names that are accepted in the `Host` header. The port of the header is ignored. Default: a loopback resource accepts
   * `localhost`, `*.localhost`, `127.0.0.0/8` and `[::1]`, and rejects every other `Host` with 403, to prevent DNS rebinding.
   * A resource with http on another host accepts its own host name only. An https resource accepts every `Host`.
   *
   * For a loopback resource, the list extends the default, so that a container or a tunnel can reach the server by another
   * name. A web page on one of the listed names can then send requests to the server. For any other resource, the server
   * accepts only the list and the host name of the resource identifier. `X-Forwarded-Host` is not read.
   */
  readonly allowedHosts?: ReadonlyArray<string> | undefined
  /** The scopes that a 403 names in its challenge. Default: `"auto"`. */
  readonly challengeScopes?: ChallengeScopes | undefined
  /**
   * The form of the challenge for a single tool call: the status of HTTP (`"http"`), or a tool result with the challenge in
   * `_meta["mcp/www_authenticate"]` (`"tool-result"`), with which ChatGPT starts a sign-in. A function chooses by request. The gate
   * then reads the body of a request that it rejects, within the usual limits. Default: `"http"`.
   */
  readonly authChallenge?: AuthChallenge | undefined
  /**
   * Whether a tool call that a policy denies is answered with a tool result instead of a 403, if there is no challenge. The result is an
   * error, and its `_meta["io.modelcontextprotocol/authorization"]` is the envelope of the draft SEP-2643: a client must neither repeat the
   * call nor start a sign-in because of it. Results with a challenge (`authChallenge`), and those for callers of `auth.local`, contain the
   * envelope as well. It names no role, claim or check.
   * Default: `false`.
   */
  readonly structuredDenials?: boolean | undefined
  /**
   * Whether tools, prompts and resources without scopes are allowed for every valid token (`"allow"`) or rejected (`"deny"`).
   * Default: `"allow"`.
   */
  readonly unlisted?: "allow" | "deny" | undefined
  /**
   * Whether an MCP server rejects requests without credentials (`"deny"`), or lets them run operations that need no scope
   * (`"allow-unscoped"`). An invalid token is rejected either way. Default: `"deny"`.
   */
  readonly anonymous?: "deny" | "allow-unscoped" | undefined
  /**
   * The maximum number of sessions of one caller, from 1 to 100,000. A further session ends the least recently used one. Raise
   * it for a program that opens sessions for many users with one token. Default: 100.
   */
  readonly sessionsPerCaller?: number | undefined
  /**
   * The maximum number of open event streams of one caller (`Principal.owner`), from 1 to 100,000: GET streams, subscriptions, and
   * answers of POST requests while they are sent. If a caller has as many, the server answers 429 with `Retry-After` to its further
   * requests that accept `text/event-stream`, before it reads the body. If a stream begins nevertheless, the oldest stream of the
   * caller ends. All anonymous callers together may have 10 times as many; beyond that, their GET requests are rejected. Each instance
   * counts its own streams. Workers of Cloudflare count none, because they do not learn when a client leaves. Default: 200.
   */
  readonly streamsPerCaller?: number | undefined
  /**
   * Shares the owners of sessions between the instances of a server: a value of `SessionStore.make` (`effect-mcp-auth/sessions`).
   * MCP 2026-07-28 has no sessions. Default: each instance knows only the sessions that it opened.
   */
  readonly sessionStore?: SessionStore.Mechanism<RS> | undefined
  /**
   * Limits the rates of requests, sessions, streams and DPoP proofs of each caller: a value of `Quotas.make`
   * (`effect-mcp-auth/quotas`). A caller that exceeds one gets 429 with `Retry-After`. Default: no rate is limited.
   */
  readonly quotas?: Quotas.Mechanism<RQ> | undefined
  /**
   * Decodes the claims of a token: a Standard Schema, such as `z.object({ … })` of zod, or a service with such a schema, or a
   * service and the function that decodes its value, such as `Schema.decodeUnknownResult(schema)`. A token whose claims do not
   * match is rejected. Requests with the same token share the value, so it is frozen. If the value contains anything other than
   * plain data and instances of a `Schema.Class`, it is not shared: it is decoded for each request. An asynchronous schema has 5
   * seconds. If it throws, rejects or takes longer, the gate answers 500. Its value is copied for each request if it contains
   * dates, maps or sets. It must not contain functions or instances of other classes.
   */
  readonly claims?: ClaimsDecoder.Claims<C, A> | undefined
  /**
   * Configures how `RequestState` seals the state that handlers send to clients. `secret` has 32 bytes or more, and must be the
   * same on every instance. Default: a random secret.
   */
  readonly requestState?: {
    /** The key that all instances of the server share. Default: a random secret. */
    readonly secret?: Redacted.Redacted | undefined
  } | undefined
  /** Configures how decisions are logged and reported. */
  readonly decisions?: DecisionOptions | undefined
  /**
   * Publishes a copy of the first authorization server's metadata at `/.well-known/oauth-authorization-server`, where
   * clients of MCP 2025-03-26 look for it, because they treat the server as the authorization server. If `metadataUrl` has another host than the issuer and the metadata
   * contain this host, the copy is answered with 500 and the log names the member. Default: `false`.
   */
  readonly mirrorMetadata?: boolean | undefined
  /** The name that clients show to people (`resource_name`). Default: none. */
  readonly resourceName?: string | undefined
  /** The URL of a page for developers (`resource_documentation`). Default: none. */
  readonly resourceDocumentation?: string | undefined
}

/**
 * Configures how decisions are logged and reported.
 *
 * @category models
 * @since 0.1.0
 */
export interface DecisionOptions {
  /** The form in which logs and audits contain the subject of a token. Default: `Decision.plainSubject`. */
  readonly subject?: Decision.SubjectForm | undefined
  /**
   * Whether the explanation of a rejection contains values: the expected one from the configuration, and the received one from
   * the unverified token or request, such as `aud`, `iss`, `kid` or `Origin`. SECURITY.md lists them. With `false`, an
   * explanation contains only advice. Default: `true`.
   */
  readonly details?: boolean | undefined
  /**
   * The maximum number of log lines per minute about rejections with one reason, from 1 to 1,000,000. The first line of a later
   * minute has the number of lines that were left out. Metrics and the listener receive every decision. Default: 60.
   */
  readonly linesPerMinute?: number | undefined
}

/**
 * Caches the results of a custom verifier by token, for at most `timeToLive` and never beyond `expiresAt` of the principal. The
 * results must depend only on the token. `Gate.invalidate` evicts them. The capacity of the cache is that of the option
 * `tokenCache`.
 *
 * **Example** (API keys beside tokens)
 *
 * ```ts
 * import { AuthLayer, TokenVerifier } from "effect-mcp-auth"
 *
 * declare const apiKeys: TokenVerifier.Verifier
 *
 * const Auth = AuthLayer.make({
 *   resource: "https://todos.example.com/mcp",
 *   authorizationServers: ["https://auth.example.com"],
 *   scopes: ["todos:read"],
 *   verifier: (configured, cached) => TokenVerifier.byPrefix({ "key_": cached(apiKeys, "1 minute") }, configured)
 * })
 * ```
 *
 * @category models
 * @since 0.1.0
 */
export type Cached = (verifier: TokenVerifier.Verifier, timeToLive: Duration.Input) => TokenVerifier.Verifier
