/**
 * An authorization server in memory for tests, with real keys, signatures and documents, and with faults on request.
 *
 * **Details**
 *
 * It follows the `Clock`, so under `TestClock` nothing happens until the clock is adjusted. It keeps its state until the end of the
 * test. It is for tests only: its client secrets are public.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpServer from "effect/http/HttpServer"
import * as Layer from "effect/Layer"
import type { CryptoKey, JWK } from "jose"
import type { Algorithm } from "../crypto/Algorithm.ts"
import * as AddressGuard from "../outbound/AddressGuard.ts"
import { Fetcher } from "../outbound/Fetcher.ts"
import * as HttpClientFetcher from "../outbound/http-client/HttpClientFetcher.ts"
import * as OptionValue from "../protocol/OptionValue.ts"
import type * as Forgery from "./Forgery.ts"
import type { Client } from "./internal/endpoints.ts"
import { makeKeyRing, segment } from "./internal/keys.ts"
import * as listen from "./internal/listen.ts"
import * as mint from "./internal/mint.ts"
import { type Promised, promised } from "./internal/promised.ts"
import * as respond from "./internal/respond.ts"
import * as endpoints from "./internal/serve.ts"
import * as TokenShape from "./TokenShape.ts"

export type { Client } from "./internal/endpoints.ts"
export type { NodeRequest, NodeResponse } from "./internal/listen.ts"
export type { OpaqueOptions, ShapeOptions, TokenOptions } from "./internal/mint.ts"
export { ConnectionRefused, type Fault, type Received } from "./internal/respond.ts"

/**
 * The service of an issuer.
 *
 * **Details**
 *
 * The parameter `where` selects requests by a part of their URL: `"/jwks"`, `"/.well-known/"`, `"/introspect"`. Default: all requests. A
 * fault lasts until the next fault or `recover`.
 *
 * **Example** (Rotating keys)
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
  /** The default audience of tokens. */
  readonly resource: string
  readonly jwksUri: string
  readonly introspectionEndpoint: string
  readonly revocationEndpoint: string
  readonly tokenEndpoint: string
  /** The credentials of the first client in the options. */
  readonly client: { readonly clientId: string; readonly clientSecret: string }

  /** Mints a token, signed with the current key. */
  readonly mint: (options?: mint.TokenOptions) => Effect.Effect<string>
  /** Mints an opaque token. */
  readonly mintOpaque: (options?: mint.OpaqueOptions) => Effect.Effect<string>
  /** Mints an access token in the shape of a provider; an opaque one if the provider issues opaque tokens. */
  readonly mintLike: (provider: TokenShape.Provider, options?: mint.ShapeOptions) => Effect.Effect<string>
  /** Mints an ID token in the shape of a provider. Servers must reject it as an access token. */
  readonly mintIdTokenLike: (provider: TokenShape.Provider, options?: mint.ShapeOptions) => Effect.Effect<string>
  /**
   * Mints a forgery of the token that `mint` returns. `Forgery.forgeries[kind].reason` is the reason of its rejection. Forgeries with
   * an HMAC use HS256, or the algorithm in `header.alg`.
   */
  readonly mintBroken: (kind: Forgery.Kind, options?: mint.TokenOptions) => Effect.Effect<string>
  /** Signs a token with exactly this header and these claims with the current key. */
  readonly sign: (
    header: Readonly<Record<string, unknown>>,
    claims: Readonly<Record<string, unknown>>
  ) => Effect.Effect<string>
  /** Signs two segments unchanged with the current key, also if they are malformed. */
  readonly signSegments: (header: string, claims: string) => Effect.Effect<string>
  /** Revokes a token: introspection reports it as inactive. Its signature stays valid. */
  readonly revoke: (token: string) => Effect.Effect<void>

  /** Signs with a new key, and publishes it in addition to the old one. */
  readonly rotateKeys: Effect.Effect<void>
  /** Publishes only the current key of each algorithm. */
  readonly withdrawOldKeys: Effect.Effect<void>
  /**
   * Removes a key from the set, by default the current one, as after a theft. Servers must reject its tokens after they fetch the set
   * again. A new key replaces the last one.
   */
  readonly withdrawKey: (kid?: string) => Effect.Effect<void>
  /** Returns the current key pair and its id, for forgeries. */
  readonly currentKey: Effect.Effect<{ readonly kid: string; readonly privateKey: CryptoKey; readonly publicJwk: JWK }>
  /** Replaces the published keys; `undefined` publishes the keys of the issuer again. */
  readonly publishKeys: (keys: ReadonlyArray<unknown> | undefined) => Effect.Effect<void>
  /** Replaces members of the metadata; `undefined` removes a member. */
  readonly publishMetadata: (members: Readonly<Record<string, unknown>>) => Effect.Effect<void>
  /** Replaces members of the introspection of every active token; `undefined` removes a member. */
  readonly publishIntrospection: (members: Readonly<Record<string, unknown>>) => Effect.Effect<void>
  /**
   * Responds with `answer` to requests whose URL contains `where`, at any host; `undefined` ends it. If the promise rejects, the
   * connection fails. If it never settles, no response arrives.
   */
  readonly respondWith: (
    where: string,
    answer: ((request: respond.Received) => Response | Promise<Response>) | undefined
  ) => Effect.Effect<void>
  /** Requires this nonce in DPoP proofs at the token endpoint (RFC 9449 §8); `undefined` requires none. */
  readonly requireDpopNonce: (nonce: string | undefined) => Effect.Effect<void>

  /** Sets a fault. */
  readonly fail: (fault: respond.Fault, where?: string) => Effect.Effect<void>
  /** Accepts no connection. */
  readonly goDown: (where?: string) => Effect.Effect<void>
  /** Never responds. */
  readonly hang: (where?: string) => Effect.Effect<void>
  /** Delays every response. */
  readonly slow: (by: Duration.Input, where?: string) => Effect.Effect<void>
  /** Responds 200 with a web page, as captive portals do. */
  readonly answerHtml: (where?: string) => Effect.Effect<void>
  /** Responds with a status and without a body. */
  readonly answerStatus: (status: number, where?: string) => Effect.Effect<void>
  /** Redirects with status 302. */
  readonly redirect: (location: string, where?: string) => Effect.Effect<void>
  /** Ends the current fault. */
  readonly recover: Effect.Effect<void>
  /** Sets the difference between the clock of the issuer and the `Clock`; negative for a clock that is behind. */
  readonly skewClock: (by: Duration.Input) => Effect.Effect<void>

  /** Returns the received requests. */
  readonly requests: Effect.Effect<ReadonlyArray<respond.Received>>
  /** Returns the received requests, and clears them. */
  readonly takeRequests: Effect.Effect<ReadonlyArray<respond.Received>>

  /** Responds to a request, with the current fault. Fails if a connection would fail. */
  readonly respond: (request: Request) => Effect.Effect<Response, respond.ConnectionRefused>
  /** Creates a `fetch` that reaches the issuer; other URLs go to `elsewhere`. It uses the clock of the fiber that creates it. */
  readonly fetch: Effect.Effect<typeof globalThis.fetch>
}>()("effect-mcp-auth/testing/TestIssuer") {}

/**
 * The options of an issuer. The defaults are those of a correct authorization server.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Default: `https://issuer.test`. */
  readonly issuer?: string | undefined
  /** The default audience of tokens. Default: `https://server.test/mcp`. */
  readonly resource?: string | undefined
  /** The algorithm of tokens. Default: ES256, whose keys are the fastest to generate. */
  readonly algorithm?: Algorithm | undefined
  /** Additional algorithms with published keys. Default: none. */
  readonly algorithms?: ReadonlyArray<Algorithm> | undefined
  /** The clients, by id. Default: `resource-server` with the secret `resource-server-secret`. */
  readonly clients?: Readonly<Record<string, Client>> | undefined
  /** Members that replace those of the metadata; `undefined` removes a member. */
  readonly metadata?: Readonly<Record<string, unknown>> | undefined
  /** Members that replace those of every public key; `undefined` removes a member. */
  readonly jwk?: Readonly<Record<string, unknown>> | undefined
  /** The URL of the key set, which can be at another host. Default: `/jwks` below the issuer. */
  readonly jwksUri?: string | undefined
  /** Issuers that the client and `fetch` reach as well, for servers that accept tokens of several. */
  readonly others?: ReadonlyArray<TestIssuer["Service"]> | undefined
  /** Responds to URLs of other hosts. Default: 404. */
  readonly elsewhere?: ((url: URL) => Response | undefined) | undefined
  /** The `Cache-Control` of documents. Default: no header. */
  readonly cacheControl?: string | undefined
}

/**
 * Returns the options of an issuer whose issuer URL and documents match those of a provider. Mint its tokens with `mintLike`.
 *
 * **Example** (An issuer in the shape of a provider)
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
 * Creates an issuer, and an `HttpClient` that reaches it.
 *
 * **When to use**
 *
 * A test needs several issuers, or an issuer without a layer.
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
 *   // The client of the second issuer reaches the first as well.
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
    const { algorithm = "ES256", issuer = "https://issuer.test", resource = "https://server.test/mcp" } = options
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
    const keys = yield* makeKeyRing(algorithm, options.algorithms ?? [])
    const minter = mint.make({ issuer, resource, algorithm, keys })
    const { serve, urls, ...published } = endpoints.make({
      issuer,
      keys,
      minter,
      algorithm,
      clients,
      metadata: options.metadata,
      jwk: options.jwk,
      jwksUri: options.jwksUri,
      elsewhere: options.elsewhere,
      cacheControl: options.cacheControl
    })
    const { react, ...responder } = respond.make(issuer, options.others ?? [], serve)
    const { fail } = responder
    const { issued: _issued, now: _now, ...tokens } = minter
    const [clientId = "no-client", first] = [...clients][0] ?? []
    const client = listen.makeClient(react)
    return {
      client,
      fetcher: HttpClientFetcher.make(client),
      issuer: {
        issuer,
        resource,
        client: { clientId, clientSecret: first?.secret ?? "" },
        ...urls,
        ...tokens,
        ...published,
        ...responder,
        rotateKeys: keys.rotate,
        withdrawOldKeys: keys.withdrawOld,
        withdrawKey: keys.withdraw,
        currentKey: Effect.sync(keys.getCurrent),
        goDown: (where) => fail({ _tag: "Reject" }, where),
        hang: (where) => fail({ _tag: "Hang" }, where),
        slow: (by, where) => fail({ _tag: "Slow", by }, where),
        answerHtml: (where) => fail({ _tag: "Body", body: page, contentType: "text/html; charset=utf-8" }, where),
        answerStatus: (status, where) => fail({ _tag: "Status", status }, where),
        redirect: (location, where) => fail({ _tag: "Status", status: 302, headers: { location } }, where),
        fetch: listen.makeFetch(responder.respond)
      }
    }
  })

/**
 * Creates a layer with an issuer, and an `HttpClient` that reaches it.
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
        // Host names of issuers in memory do not resolve.
        Context.add(AddressGuard.Resolver, undefined)
      ))
  )

/**
 * Creates a layer with an issuer on a real port, for servers in another process and for clients with a separate network.
 *
 * **Details**
 *
 * It listens on the provided `HttpServer`, and its issuer is the address of this server: `http://127.0.0.1:…`. The kit depends on no
 * runtime.
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
    const { issuer } = yield* make({ ...options, issuer: listen.getOrigin(HttpServer.formatAddress(address)) })
    return HttpServer.serve(listen.makeApp(issuer)).pipe(Layer.merge(Layer.succeed(TestIssuer, issuer)))
  }))

/**
 * An issuer for tests without Effect. Every method returns a promise.
 *
 * @category models
 * @since 0.1.0
 */
export interface PromisedTestIssuer extends Promised<Omit<TestIssuer["Service"], "fetch">> {
  /** A `fetch` that reaches the issuer; other URLs go to `elsewhere`. */
  readonly fetch: typeof globalThis.fetch
  /** Handles requests of `node:http`: `createServer(issuer.listener)` serves the issuer on a real port. */
  readonly listener: (request: listen.NodeRequest, response: listen.NodeResponse) => void
  /** The same issuer for code that uses Effect. */
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
 * It follows the system clock, and mocks of `Date`. On Node, `listener` serves it on a real port, at the address in `issuer`. On other
 * runtimes call `respond`, which takes a `Request` and returns a `Response`.
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
      listener: listen.makeNodeListener(issuer.issuer, (request) => Effect.runPromise(issuer.respond(request))),
      effect: issuer,
      httpClient: Layer.succeedContext(
        Context.make(HttpClient.HttpClient, client).pipe(Context.add(AddressGuard.Resolver, undefined))
      )
    }
  }))

/**
 * Encodes one segment of a compact token, for hand-written forgeries.
 *
 * @category encoding
 * @since 0.1.0
 */
export const encodeSegment = (value: unknown): string => segment(value)
