/**
 * An authorization server in memory: real keys, real signatures, real documents, and every way to fail.
 *
 * It follows the `Clock`, so under `TestClock` nothing of it happens by itself. What it keeps it keeps for the length of a
 * test. It admits nobody who should stay out only because you use it in tests alone: its client secrets stand in this file.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientError from "effect/http/HttpClientError"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as HttpServer from "effect/http/HttpServer"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import type { CryptoKey, JWK } from "jose"
import type { Algorithm } from "../crypto/Algorithm.ts"
import * as AddressGuard from "../outbound/AddressGuard.ts"
import { Fetcher } from "../outbound/Fetcher.ts"
import * as HttpClientFetcher from "../outbound/http-client/HttpClientFetcher.ts"
import * as OptionValue from "../protocol/OptionValue.ts"
import * as Forgery from "./Forgery.ts"
import * as Endpoints from "./internal/endpoints.ts"
import { defined, generate, type KeyPair, segment, signSegments } from "./internal/keys.ts"
import * as nodeListener from "./internal/nodeListener.ts"
import { type Promised, promised } from "./internal/promised.ts"
import * as TokenShape from "./TokenShape.ts"

/**
 * What a token says.
 *
 * @category models
 * @since 0.1.0
 */
export interface TokenOptions {
  /** Default: `alice`. */
  readonly subject?: string | undefined
  readonly scopes?: ReadonlyArray<string> | undefined
  /** Default: the resource of the issuer's options. */
  readonly audience?: string | ReadonlyArray<string> | undefined
  /** Default: `client-1`. */
  readonly clientId?: string | undefined
  /** Lifetime from now; negative for an expired token. Default: 5 minutes. */
  readonly expiresIn?: Duration.Input | undefined
  /** The thumbprint of the key that the token is bound to: `cnf.jkt` (RFC 9449 §6.1). */
  readonly boundTo?: string | undefined
  /** Signs with a key for this algorithm, which is published from then on. Default: the issuer's. */
  readonly algorithm?: Algorithm | undefined
  /** Merged over everything else; `undefined` removes a claim. */
  readonly claims?: Readonly<Record<string, unknown>> | undefined
  /** Merged over the protected header; `undefined` removes a member. */
  readonly header?: Readonly<Record<string, unknown>> | undefined
}

/**
 * What an opaque token stands for; the claims are what introspection says of it.
 *
 * @category models
 * @since 0.1.0
 */
export interface OpaqueOptions extends Omit<TokenOptions, "algorithm" | "header"> {
  /** The token itself. Default: 43 characters that nobody guesses. */
  readonly token?: string | undefined
}

/**
 * What a token in a provider's shape says.
 *
 * @category models
 * @since 0.1.0
 */
export interface ShapeOptions extends TokenOptions {
  /** The token stands for a program and nobody else, as with client credentials. Default: false. */
  readonly machine?: boolean | undefined
}

/**
 * A request that the issuer received.
 *
 * @category models
 * @since 0.1.0
 */
export interface Received {
  readonly method: string
  readonly url: string
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/**
 * How an endpoint misbehaves.
 *
 * **Details**
 *
 * `Reject` is a connection that is not accepted. On a real port it is a connection that ends without an answer, or 503
 * where the host cannot do that.
 *
 * @category models
 * @since 0.1.0
 */
export type Fault =
  | { readonly _tag: "Status"; readonly status: number; readonly headers?: Readonly<Record<string, string>> }
  | { readonly _tag: "Hang" }
  | { readonly _tag: "Slow"; readonly by: Duration.Input }
  | { readonly _tag: "Reject" }
  | { readonly _tag: "Body"; readonly body: string | Uint8Array; readonly contentType: string }

/**
 * A client that the issuer knows, and how it may authenticate at introspection, revocation and the token endpoint.
 *
 * @category models
 * @since 0.1.0
 */
export type Client = Endpoints.Client

/**
 * The issuer.
 *
 * **Details**
 *
 * Where `where` stands it is a part of the URL of the requests that are meant: `"/jwks"`, `"/.well-known/"`, `"/introspect"`;
 * by default all of them. A fault lasts until the next one, or until `recover`.
 *
 * **Example** (Keys that are rotated)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { TestIssuer } from "effect-mcp-auth/testing"
 * import assert from "node:assert/strict"
 *
 * const kids = Effect.gen(function*() {
 *   const issuer = yield* TestIssuer.TestIssuer
 *   const before = yield* issuer.currentKey
 *   yield* issuer.rotateKeys
 *   return [before.kid, (yield* issuer.currentKey).kid]
 * })
 *
 * const [before, after] = await Effect.runPromise(Effect.provide(kids, TestIssuer.layer()))
 * assert.notStrictEqual(before, after)
 * ```
 *
 * @category services
 * @since 0.1.0
 */
export class TestIssuer extends Context.Service<TestIssuer, {
  readonly issuer: string
  /** The audience of its tokens unless they name another. */
  readonly resource: string
  readonly jwksUri: string
  readonly introspectionEndpoint: string
  readonly revocationEndpoint: string
  readonly tokenEndpoint: string
  /** A client that the endpoints accept: the first of the options. */
  readonly client: { readonly clientId: string; readonly clientSecret: string }

  /** A token signed with the current key. */
  readonly mint: (options?: TokenOptions) => Effect.Effect<string>
  /** A token that tells nothing by itself. */
  readonly mintOpaque: (options?: OpaqueOptions) => Effect.Effect<string>
  /** An access token as a provider writes it, opaque where the provider's are. */
  readonly mintLike: (provider: TokenShape.Provider, options?: ShapeOptions) => Effect.Effect<string>
  /** An ID token as a provider writes it: no server may take it for an access token. */
  readonly mintIdTokenLike: (provider: TokenShape.Provider, options?: ShapeOptions) => Effect.Effect<string>
  /**
   * A forgery of the token that `mint` would give; `Forgery.forgeries[kind].reason` says why it must be rejected. Those with an
   * HMAC are made with HS256, or with the one that `header.alg` names.
   */
  readonly mintBroken: (kind: Forgery.Kind, options?: TokenOptions) => Effect.Effect<string>
  /** A token with exactly this header and these claims, signed with the current key. */
  readonly sign: (
    header: Readonly<Record<string, unknown>>,
    claims: Readonly<Record<string, unknown>>
  ) => Effect.Effect<string>
  /** Signs two segments as they stand with the current key, whatever they hold. */
  readonly signSegments: (header: string, claims: string) => Effect.Effect<string>
  /** From now on introspection calls the token inactive. Who verifies signatures does not notice. */
  readonly revoke: (token: string) => Effect.Effect<void>

  /** Signs with a new key, and publishes it beside the old one. */
  readonly rotateKeys: Effect.Effect<void>
  /** Publishes the current key alone. */
  readonly withdrawOldKeys: Effect.Effect<void>
  /**
   * Takes a key out of the set, by default the current one as if it were stolen: what it signed must be rejected as soon as the
   * set is read again. Another takes its place.
   */
  readonly withdrawKey: (kid?: string) => Effect.Effect<void>
  /** The current private key and its id, for forgeries. */
  readonly currentKey: Effect.Effect<{ readonly kid: string; readonly privateKey: CryptoKey; readonly publicJwk: JWK }>
  /** What the key set endpoint publishes from now on, instead of the keys. */
  readonly publishKeys: (keys: ReadonlyArray<unknown> | undefined) => Effect.Effect<void>
  /** What the metadata says from now on, merged over the usual; `undefined` removes a member. */
  readonly publishMetadata: (members: Readonly<Record<string, unknown>>) => Effect.Effect<void>
  /** What introspection says of every active token from now on, merged over its claims; `undefined` removes a member. */
  readonly publishIntrospection: (members: Readonly<Record<string, unknown>>) => Effect.Effect<void>
  /**
   * Answers requests whose URL contains `where` as you like from now on, at the issuer's own host or any other; `undefined` ends
   * it. A rejection is a connection that breaks, a promise that stays open an answer that never comes.
   */
  readonly respondWith: (
    where: string,
    answer: ((request: Received) => Response | Promise<Response>) | undefined
  ) => Effect.Effect<void>
  /** The token endpoint takes DPoP proofs with this nonce alone from now on (RFC 9449 §8). */
  readonly requireDpopNonce: (nonce: string | undefined) => Effect.Effect<void>

  readonly fail: (fault: Fault, where?: string) => Effect.Effect<void>
  /** No connection. */
  readonly goDown: (where?: string) => Effect.Effect<void>
  /** No answer, ever. */
  readonly hang: (where?: string) => Effect.Effect<void>
  readonly slow: (by: Duration.Input, where?: string) => Effect.Effect<void>
  /** A page for people, with status 200, as captive portals and sign-in walls send it. */
  readonly answerHtml: (where?: string) => Effect.Effect<void>
  readonly answerStatus: (status: number, where?: string) => Effect.Effect<void>
  /** A redirect to somewhere else. */
  readonly redirect: (location: string, where?: string) => Effect.Effect<void>
  /** The end of all faults. */
  readonly recover: Effect.Effect<void>
  /** Its clock differs from everybody's by so much; negative for one that is behind. */
  readonly skewClock: (by: Duration.Input) => Effect.Effect<void>

  /** What was asked so far. */
  readonly requests: Effect.Effect<ReadonlyArray<Received>>
  /** The same, and forgets it. */
  readonly takeRequests: Effect.Effect<ReadonlyArray<Received>>

  /** Answers a request, faults included. Fails where a real connection would. */
  readonly respond: (request: Request) => Effect.Effect<Response, ConnectionRefused>
  /** A `fetch` that reaches the issuer, and nothing else unless `elsewhere` answers. It keeps the clock of whoever asks for it. */
  readonly fetch: Effect.Effect<typeof globalThis.fetch>
}>()("effect-mcp-auth/testing/TestIssuer") {}

/**
 * The issuer is down. As `fetch` has it, a `TypeError`.
 *
 * @category errors
 * @since 0.1.0
 */
export class ConnectionRefused extends TypeError {
  readonly _tag = "ConnectionRefused"
  constructor() {
    super("fetch failed")
  }
}

/**
 * What the issuer is called, and what it publishes. Every default is that of a provider without faults.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Default: `https://issuer.test`. */
  readonly issuer?: string | undefined
  /** The audience of its tokens. Default: `https://server.test/mcp`. */
  readonly resource?: string | undefined
  /** Default: ES256, which is the quickest to generate. */
  readonly algorithm?: Algorithm | undefined
  /** Further algorithms of which keys are published from the start. */
  readonly algorithms?: ReadonlyArray<Algorithm> | undefined
  /** Who may use the endpoints. Default: `resource-server` with the secret `resource-server-secret`. */
  readonly clients?: Readonly<Record<string, Client>> | undefined
  /** What its metadata says, merged over the usual; `undefined` removes a member. */
  readonly metadata?: Readonly<Record<string, unknown>> | undefined
  /** What its public keys say, merged over the usual; `undefined` removes a member. */
  readonly jwk?: Readonly<Record<string, unknown>> | undefined
  /** Where its key set is, which may be another host. Default: `/jwks` below the issuer. */
  readonly jwksUri?: string | undefined
  /** Issuers that its client and its `fetch` reach as well, for servers that take the tokens of several. */
  readonly others?: ReadonlyArray<TestIssuer["Service"]> | undefined
  /** Answers for URLs that are not the issuer's. Default: 404. */
  readonly elsewhere?: ((url: URL) => Response | undefined) | undefined
  /** `Cache-Control` of its documents. */
  readonly cacheControl?: string | undefined
}

/**
 * Options for an issuer that has the spelling and the documents of a provider; `mintLike` then gives its tokens.
 *
 * **Example** (An issuer like a provider's)
 *
 * ```ts
 * import { TestIssuer } from "effect-mcp-auth/testing"
 *
 * const issuer = await TestIssuer.start(TestIssuer.optionsLike("okta"))
 * const token = await issuer.mintLike("okta", { subject: "alice", scopes: ["todos:read"] })
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const optionsLike = (provider: TokenShape.Provider): Options => {
  const { algorithm, issuer, jwk, metadata } = TokenShape.shapes[provider]
  return { issuer, algorithm, jwk, metadata }
}

const defaultClients: Readonly<Record<string, Client>> = { "resource-server": { secret: "resource-server-secret" } }

const page = "<!doctype html><title>Sign in</title><p>Please sign in to this network."

/**
 * Makes an issuer, and the HTTP client that answers for it.
 *
 * **When to use**
 *
 * A test needs several issuers, or one that is not a layer.
 *
 * **Example** (Two issuers)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { TestIssuer } from "effect-mcp-auth/testing"
 *
 * const resource = "https://todos.example.com/mcp"
 *
 * const program = Effect.gen(function*() {
 *   const acme = yield* TestIssuer.make({ issuer: "https://login.acme.example", resource })
 *   // The first answers for the second as well.
 *   return TestIssuer.layer({ issuer: "https://auth.example.com", resource, others: [acme.issuer] })
 * })
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (
  options: Options = {}
): Effect.Effect<{
  readonly issuer: TestIssuer["Service"]
  readonly client: HttpClient.HttpClient
  readonly fetcher: Fetcher["Service"]
}> =>
  Effect.gen(function*() {
    const issuer = options.issuer ?? "https://issuer.test"
    const resource = options.resource ?? "https://server.test/mcp"
    const algorithm = options.algorithm ?? "ES256"
    const clients = new Map(Object.entries(options.clients ?? defaultClients))
    if (!URL.canParse(issuer)) {
      return yield* Effect.die(
        new TypeError(
          `TestIssuer: the issuer ${
            OptionValue.describe(issuer)
          } is not an absolute URL. Write one such as https://issuer.test`
        )
      )
    }
    const url = new URL(issuer)
    const own = url.pathname.replace(/\/$/, "")
    const base = `${url.origin}${own}`
    const jwksUri = options.jwksUri ?? `${base}/jwks`
    const tokenEndpoint = `${base}/token`
    const introspectionEndpoint = `${base}/introspect`
    const revocationEndpoint = `${base}/revoke`
    const authentication = ["client_secret_basic", "client_secret_post", "private_key_jwt"]

    let count = 0
    const nextKey = (wanted: Algorithm) => Effect.suspend(() => generate(wanted, `key-${++count}`))
    /** The newest of an algorithm signs. */
    let keys: ReadonlyArray<KeyPair> = yield* Effect.forEach(
      [...new Set([algorithm, ...(options.algorithms ?? [])])],
      nextKey
    )
    let published: ReadonlyArray<unknown> | undefined
    let metadata: Readonly<Record<string, unknown>> = defined({
      issuer,
      authorization_endpoint: `${base}/authorize`,
      token_endpoint: tokenEndpoint,
      jwks_uri: jwksUri,
      introspection_endpoint: introspectionEndpoint,
      introspection_endpoint_auth_methods_supported: authentication,
      revocation_endpoint: revocationEndpoint,
      token_endpoint_auth_methods_supported: authentication,
      response_types_supported: ["code"],
      code_challenge_methods_supported: ["S256"],
      ...options.metadata
    })
    let introspection: Readonly<Record<string, unknown>> = {}
    let nonce: string | undefined
    let answers: ReadonlyMap<string, (request: Received) => Response | Promise<Response>> = new Map()
    let fault: { readonly fault: Fault; readonly where: string } | undefined
    let received: ReadonlyArray<Received> = []
    let skew = 0
    const issued = new Map<string, Endpoints.Issued>()
    const assertions = new Set<string>()

    const current = () => keys.find((key) => key.algorithm === algorithm)!
    const now = Effect.map(Clock.currentTimeMillis, (millis) => Math.floor((millis + skew) / 1000))
    const keyFor = (wanted: Algorithm): Effect.Effect<KeyPair> =>
      Effect.suspend(() => {
        const known = keys.find((key) => key.algorithm === wanted)
        return known !== undefined ? Effect.succeed(known) : Effect.tap(nextKey(wanted), (key) =>
          Effect.sync(() => {
            keys = [...keys, key]
          }))
      })
    const register = (token: string, claims: Readonly<Record<string, unknown>>): string => {
      issued.set(token, { claims, revoked: false })
      return token
    }

    const sign: TestIssuer["Service"]["sign"] = (header, claims) =>
      Effect.suspend(() => signSegments(current(), segment(header), segment(claims)))

    const lifetime = (token: TokenOptions) =>
      Duration.toSeconds(durationOf(token.expiresIn ?? "5 minutes", "expiresIn"))
    const claimsOf = (token: TokenOptions, seconds: number): Record<string, unknown> =>
      defined({
        iss: issuer,
        sub: token.subject ?? "alice",
        aud: token.audience ?? resource,
        client_id: token.clientId ?? "client-1",
        iat: seconds,
        exp: seconds + lifetime(token),
        jti: `jti-${++count}`,
        scope: token.scopes?.join(" "),
        cnf: token.boundTo === undefined ? undefined : { jkt: token.boundTo },
        ...token.claims
      })
    const headerOf = (token: TokenOptions, key: KeyPair): Record<string, unknown> =>
      defined({ alg: key.algorithm, typ: "at+jwt", kid: key.kid, ...token.header })

    const mint: TestIssuer["Service"]["mint"] = (token = {}) =>
      Effect.gen(function*() {
        const key = yield* keyFor(token.algorithm ?? algorithm)
        const claims = claimsOf(token, yield* now)
        return register(yield* signSegments(key, segment(headerOf(token, key)), segment(claims)), claims)
      })

    const contentOf = (token: ShapeOptions, seconds: number): TokenShape.Content => ({
      issuer,
      audience: token.audience ?? resource,
      subject: token.subject ?? "alice",
      clientId: token.clientId ?? "client-1",
      scopes: token.scopes ?? [],
      issuedAt: seconds,
      expiresAt: seconds + lifetime(token),
      id: `${issuer} ${++count}`,
      machine: token.machine ?? false
    })
    const mintShaped = (
      provider: TokenShape.Provider,
      token: ShapeOptions,
      claimsOf: (shape: TokenShape.TokenShape, content: TokenShape.Content) => Readonly<Record<string, unknown>>,
      isIdToken: boolean
    ): Effect.Effect<string> =>
      Effect.gen(function*() {
        const shape = TokenShape.shapes[provider]
        const content = contentOf(token, yield* now)
        const claims = defined({
          ...claimsOf(shape, content),
          ...(token.boundTo === undefined ? {} : { cnf: { jkt: token.boundTo } }),
          ...token.claims
        })
        if (shape.opaque !== undefined && !isIdToken) return register(shape.opaque(content), claims)
        const key = yield* keyFor(token.algorithm ?? algorithm)
        const typ = isIdToken ? { typ: "JWT" } : {}
        const header = defined({ ...shape.header, ...typ, alg: key.algorithm, kid: key.kid, ...token.header })
        return register(yield* signSegments(key, segment(header), segment(claims)), claims)
      })

    const answer = (asked: Endpoints.Asked, target: URL): Effect.Effect<Response> =>
      Effect.gen(function*() {
        if (target.href === jwksUri) {
          return document({ keys: published ?? keys.map((key) => defined({ ...key.publicJwk, ...options.jwk })) })
        }
        if (target.origin !== url.origin) return options.elsewhere?.(target) ?? new Response("", { status: 404 })
        const path = target.pathname
        if (
          path === `/.well-known/oauth-authorization-server${own}` ||
          path === `/.well-known/openid-configuration${own}` ||
          path === `${own}/.well-known/openid-configuration`
        ) {
          return document(metadata)
        }
        const books: Endpoints.Books = { issuer, clients, issued, assertions, now: yield* now }
        const context = yield* Effect.context<never>()
        const run = Effect.runPromiseWith(context)
        switch (target.href) {
          case introspectionEndpoint:
            return yield* Effect.promise(() =>
              Endpoints.introspect(
                asked,
                books,
                (claims) => ({ ...claims, ...introspection }),
                (header, claims) => run(sign({ ...header, alg: algorithm, kid: current().kid }, claims))
              )
            )
          case revocationEndpoint:
            return yield* Effect.promise(() => Endpoints.revoke(asked, books))
          case tokenEndpoint:
            return yield* Effect.promise(() =>
              Endpoints.token(asked, books, nonce, ({ audience, jkt, ...grant }) =>
                run(Effect.map(
                  mint({ ...grant, audience: audience?.length === 1 ? audience[0] : audience, boundTo: jkt }),
                  (token) => ({ token, expiresIn: 300 })
                )))
            )
          default:
            return new Response("", { status: 404 })
        }
      })

    const document = (body: unknown) =>
      Response.json(
        body,
        options.cacheControl === undefined ? {} : { headers: { "cache-control": options.cacheControl } }
      )

    // Suspends only where a fault or a signature does, so a test that forks a request may go on with its clock at once.
    const react = (asked: Endpoints.Asked): Effect.Effect<Response, ConnectionRefused> =>
      Effect.suspend(() => {
        const { origin } = new URL(asked.url)
        const other = origin === url.origin
          ? undefined
          : options.others?.find((_) => new URL(_.issuer).origin === origin)
        if (other !== undefined) {
          const { body, headers, method } = asked
          return other.respond(new Request(asked.url, { method, headers, ...(body === "" ? {} : { body }) }))
        }
        received = [...received, asked]
        const active = fault !== undefined && asked.url.includes(fault.where) ? fault.fault : undefined
        const scripted = [...answers].find(([where]) => asked.url.includes(where))?.[1]
        const reply: Effect.Effect<Response, ConnectionRefused> = scripted === undefined
          ? Effect.suspend(() => answer(asked, new URL(asked.url)))
          : Effect.tryPromise({ try: async () => scripted(asked), catch: () => new ConnectionRefused() })
        switch (active?._tag) {
          case undefined:
            return reply
          case "Hang":
            return Effect.never
          case "Slow":
            return Effect.delay(reply, active.by)
          case "Reject":
            return Effect.fail(new ConnectionRefused())
          case "Status":
            return Effect.succeed(new Response(null, { status: active.status, headers: { ...active.headers } }))
          case "Body":
            return Effect.succeed(
              new Response(active.body as BodyInit, { headers: { "content-type": active.contentType } })
            )
        }
      })

    const respond: TestIssuer["Service"]["respond"] = (request) =>
      (request.body === null ? Effect.succeed("") : Effect.promise(() => request.text())).pipe(
        Effect.flatMap((body) =>
          react({ method: request.method, url: request.url, headers: Object.fromEntries(request.headers), body })
        )
      )

    const client = HttpClient.make((request, target) =>
      bodyOf(request).pipe(
        Effect.flatMap(({ body, headers }) => react({ method: request.method, url: target.href, headers, body })),
        Effect.map((response) => HttpClientResponse.fromWeb(request, response)),
        Effect.mapError(() =>
          new HttpClientError.HttpClientError({
            reason: new HttpClientError.TransportError({ request, description: "connection refused" })
          })
        )
      )
    )

    const fail: TestIssuer["Service"]["fail"] = (next, where = "") =>
      Effect.sync(() => {
        fault = { fault: next, where }
      })

    const [clientId = "nobody", first] = [...clients][0] ?? []
    const service: TestIssuer["Service"] = {
      issuer,
      resource,
      jwksUri,
      introspectionEndpoint,
      revocationEndpoint,
      tokenEndpoint,
      client: { clientId, clientSecret: first?.secret ?? "" },
      mint,
      mintOpaque: (token = {}) =>
        Effect.map(now, (seconds) =>
          register(
            token.token ?? segment(crypto.getRandomValues(new Uint8Array(32))),
            claimsOf(token, seconds)
          )),
      mintLike: (provider, token = {}) => mintShaped(provider, token, (shape, content) => shape.claims(content), false),
      mintIdTokenLike: (provider, token = {}) => mintShaped(provider, token, TokenShape.idTokenClaims, true),
      mintBroken: (kind, token = {}) =>
        Effect.gen(function*() {
          const seconds = yield* now
          const key = yield* keyFor(token.algorithm ?? algorithm)
          if (!Object.hasOwn(Forgery.forgeries, kind)) {
            return yield* Effect.die(
              new TypeError(
                `TestIssuer.mintBroken: there is no kind ${OptionValue.describe(kind)}. The kinds are ${
                  Object.keys(Forgery.forgeries).join(", ")
                }`
              )
            )
          }
          return yield* Forgery.forgeries[kind].forge({
            issuer,
            resource,
            algorithm: key.algorithm,
            now: seconds,
            header: headerOf(token, key),
            claims: claimsOf(token, seconds),
            key,
            stranger: generate(key.algorithm, "stranger")
          })
        }),
      sign,
      signSegments: (header, claims) => Effect.suspend(() => signSegments(current(), header, claims)),
      revoke: (token) =>
        Effect.sync(() => {
          const known = issued.get(token)
          if (known !== undefined) known.revoked = true
        }),
      rotateKeys: Effect.map(nextKey(algorithm), (key) => {
        keys = [key, ...keys]
      }),
      withdrawOldKeys: Effect.sync(() => {
        keys = keys.filter((key) => keys.find((_) => _.algorithm === key.algorithm) === key)
      }),
      withdrawKey: (kid = current().kid) =>
        Effect.gen(function*() {
          keys = keys.filter((key) => key.kid !== kid)
          if (!keys.some((key) => key.algorithm === algorithm)) keys = [yield* nextKey(algorithm), ...keys]
        }),
      currentKey: Effect.sync(current),
      publishKeys: (next) =>
        Effect.sync(() => {
          published = next
        }),
      publishMetadata: (members) =>
        Effect.sync(() => {
          metadata = defined({ ...metadata, ...members })
        }),
      publishIntrospection: (members) =>
        Effect.sync(() => {
          introspection = { ...introspection, ...members }
        }),
      respondWith: (where, next) =>
        Effect.sync(() => {
          const others = [...answers].filter(([known]) => known !== where)
          answers = new Map(next === undefined ? others : [[where, next], ...others])
        }),
      requireDpopNonce: (next) =>
        Effect.sync(() => {
          nonce = next
        }),
      fail,
      goDown: (where) => fail({ _tag: "Reject" }, where),
      hang: (where) => fail({ _tag: "Hang" }, where),
      slow: (by, where) => fail({ _tag: "Slow", by }, where),
      answerHtml: (where) => fail({ _tag: "Body", body: page, contentType: "text/html; charset=utf-8" }, where),
      answerStatus: (status, where) => fail({ _tag: "Status", status }, where),
      redirect: (location, where) => fail({ _tag: "Status", status: 302, headers: { location } }, where),
      recover: Effect.sync(() => {
        fault = undefined
      }),
      skewClock: (by) =>
        Effect.sync(() => {
          skew = Duration.toMillis(durationOf(by, "skewClock"))
        }),
      requests: Effect.sync(() => received),
      takeRequests: Effect.sync(() => {
        const taken = received
        received = []
        return taken
      }),
      respond,
      fetch: Effect.map(
        Effect.context<never>(),
        (context): typeof globalThis.fetch => (input, init) => {
          const request = new Request(input, init)
          return Effect.runPromiseWith(context)(respond(request), { signal: request.signal })
        }
      )
    }
    return { client, fetcher: HttpClientFetcher.make(client), issuer: service }
  })

const durationOf = (input: Duration.Input, option: string): Duration.Duration => {
  const duration = OptionValue.toDuration(input)
  if (duration !== undefined) return duration
  throw new TypeError(`TestIssuer: ${option}: ${OptionValue.isNot(input, "a duration")}. Write one such as "5 minutes"`)
}

const bodyOf = (
  request: HttpClientRequest.HttpClientRequest
): Effect.Effect<{ readonly headers: Readonly<Record<string, string>>; readonly body: string }> => {
  const { body } = request
  const headers: Readonly<Record<string, string>> = { ...request.headers }
  switch (body._tag) {
    case "Empty":
      return Effect.succeed({ headers, body: "" })
    case "Uint8Array":
      return Effect.succeed({
        headers: { "content-type": body.contentType, ...headers },
        body: new TextDecoder().decode(body.body)
      })
    default:
      return Effect.flatMap(
        Effect.orDie(HttpClientRequest.toWeb(request)),
        (web) =>
          Effect.map(Effect.promise(() => web.text()), (body) => ({
            headers: Object.fromEntries(web.headers),
            body
          }))
      )
  }
}

/**
 * The issuer, and an `HttpClient` that answers for it: provide both to `AuthLayer.layer`.
 *
 * **Example** (A fault)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { TestIssuer } from "effect-mcp-auth/testing"
 * import { HttpClient } from "effect/http"
 * import assert from "node:assert/strict"
 *
 * const program = Effect.gen(function*() {
 *   const { answerStatus, jwksUri } = yield* TestIssuer.TestIssuer
 *   yield* answerStatus(503, "/jwks")
 *   return (yield* HttpClient.get(jwksUri)).status
 * })
 *
 * assert.strictEqual(await Effect.runPromise(Effect.provide(program, TestIssuer.layer())), 503)
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options = {}): Layer.Layer<TestIssuer | HttpClient.HttpClient | Fetcher> =>
  Layer.effectContext(
    Effect.map(make(options), ({ client, fetcher, issuer }) =>
      Context.make(TestIssuer, issuer).pipe(
        Context.add(HttpClient.HttpClient, client),
        Context.add(Fetcher, fetcher),
        // The names of issuers in memory are in no DNS.
        Context.add(AddressGuard.Resolver, undefined)
      ))
  )

/**
 * The issuer on a real port, for servers in another process and for clients that bring their own network.
 *
 * **Details**
 *
 * It listens on the `HttpServer` that you provide, and is named by its address: `http://127.0.0.1:…`. Which runtime listens is
 * your choice, so the kit itself depends on none.
 *
 * **Example** (On Node, on a free port)
 *
 * ```ts
 * import { NodeHttpServer } from "@effect/platform-node"
 * import { Layer } from "effect"
 * import { TestIssuer } from "effect-mcp-auth/testing"
 * import { createServer } from "node:http"
 *
 * const Issuer = TestIssuer.serve().pipe(
 *   Layer.provide(NodeHttpServer.layer(createServer, { host: "127.0.0.1", port: 0 }))
 * )
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const serve = (
  options: Omit<Options, "issuer"> = {}
): Layer.Layer<TestIssuer, never, HttpServer.HttpServer> =>
  Layer.unwrap(Effect.gen(function*() {
    const { address } = yield* HttpServer.HttpServer
    const { issuer } = yield* make({ ...options, issuer: originOf(HttpServer.formatAddress(address)) })
    const app = Effect.gen(function*() {
      const request = yield* HttpServerRequest.HttpServerRequest
      const web = yield* HttpServerRequest.toWeb(request)
      // What a client sends as Host has no say in which documents it gets.
      const { pathname, search } = new URL(web.url)
      const response = yield* issuer.respond(new Request(`${issuer.issuer}${pathname}${search}`, web))
      return HttpServerResponse.fromWeb(response)
    }).pipe(
      Effect.catch(() => Effect.succeed(HttpServerResponse.empty({ status: 503 }))),
      // An application that is served as it is cannot be interrupted, and an answer that hangs would keep its port open.
      Effect.interruptible
    )
    return HttpServer.serve(app).pipe(Layer.merge(Layer.succeed(TestIssuer, issuer)))
  }))

// A server that listens everywhere is reached on this machine, and an IPv4 address stays one in a certificate or a log.
const originOf = (address: string): string =>
  new URL(address.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")).origin

export type { NodeRequest, NodeResponse } from "./internal/nodeListener.ts"

/**
 * An issuer for tests without Effect: every method gives a promise.
 *
 * @category models
 * @since 0.1.0
 */
export interface PromisedTestIssuer extends Promised<Omit<TestIssuer["Service"], "fetch">> {
  /** A `fetch` that reaches the issuer, and nothing else unless `elsewhere` answers. */
  readonly fetch: typeof globalThis.fetch
  /** Answers requests of `node:http`: `createServer(issuer.listener)` is the issuer on a real port. */
  readonly listener: (request: nodeListener.NodeRequest, response: nodeListener.NodeResponse) => void
  /** The same issuer for what is made with Effect. */
  readonly effect: TestIssuer["Service"]
  /** An `HttpClient` that reaches the issuer, for `AuthLayer.layer`. */
  readonly httpClient: Layer.Layer<HttpClient.HttpClient>
}

/**
 * Starts an issuer for tests without Effect.
 *
 * **When to use**
 *
 * With `node:test`, Jest, or vitest, for a server on one of the official SDKs.
 *
 * **Details**
 *
 * It follows the system clock, and with it whatever mocks `Date`. On Node, `listener` puts it on a real port, under the address
 * that its `issuer` names; elsewhere answer requests with `respond`: it takes a `Request` and gives a `Response`.
 *
 * **Example** (A token)
 *
 * ```ts
 * import { TestIssuer } from "effect-mcp-auth/testing"
 *
 * const issuer = await TestIssuer.start()
 * const token = await issuer.mint({ subject: "alice", scopes: ["todos:read"] })
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const start = (options: Options = {}): Promise<PromisedTestIssuer> =>
  Effect.runPromise(Effect.gen(function*() {
    const { client, issuer } = yield* make(options)
    const { fetch, ...members } = issuer
    return {
      ...promised(members),
      fetch: yield* fetch,
      listener: nodeListener.make(issuer.issuer, (request) => Effect.runPromise(issuer.respond(request))),
      effect: issuer,
      httpClient: Layer.succeedContext(
        Context.make(HttpClient.HttpClient, client).pipe(Context.add(AddressGuard.Resolver, undefined))
      )
    }
  }))

/**
 * One segment of a compact token, for forgeries that are written by hand.
 *
 * @category encoding
 * @since 0.1.0
 */
export const encodeSegment = (value: unknown): string => segment(value)
