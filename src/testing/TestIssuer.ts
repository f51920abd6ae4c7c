/**
 * An authorization server in memory, for tests. Its keys, signatures and documents are real, and a test can set faults.
 *
 * **Details**
 *
 * It follows the `Clock`, so under `TestClock` its time changes only when the test adjusts the clock. It keeps its state until
 * the end of the test. It is for tests only: its client secrets are public.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpServer from "effect/http/HttpServer"
import * as Layer from "effect/Layer"
import * as AddressGuard from "../outbound/AddressGuard.ts"
import { Fetcher } from "../outbound/Fetcher.ts"
import * as HttpClientFetcher from "../outbound/http-client/HttpClientFetcher.ts"
import * as OptionValue from "../protocol/OptionValue.ts"
import type { Client } from "./internal/endpoints.ts"
import { TestIssuer } from "./internal/issuerModel.ts"
import type { Options } from "./internal/issuerOptions.ts"
import * as issuerOptions from "./internal/issuerOptions.ts"
import { makeKeyRing, segment } from "./internal/keys.ts"
import * as listen from "./internal/listen.ts"
import * as mint from "./internal/mint.ts"
import { type Promised, toPromises } from "./internal/promises.ts"
import * as respond from "./internal/respond.ts"
import * as endpoints from "./internal/serve.ts"
import * as TokenShape from "./TokenShape.ts"

export type { Client } from "./internal/endpoints.ts"
export { TestIssuer } from "./internal/issuerModel.ts"
export type { Options } from "./internal/issuerOptions.ts"
export type { NodeRequest, NodeResponse } from "./internal/listen.ts"
export type { IdJagOptions, IdTokenOptions, OpaqueOptions, ShapeOptions, TokenOptions } from "./internal/mint.ts"
export { ConnectionRefused, type Fault, type Received } from "./internal/respond.ts"
export type { SignInMode } from "./internal/signIn.ts"

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
 * Use it if a test needs several issuers, or an issuer without a layer.
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
    issuerOptions.check(options, "TestIssuer.make")
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
    const { identityProviders = [], others = [], workloadIssuers = [] } = options
    const { serve, urls, ...published } = endpoints.make({
      issuer,
      resource,
      identityProviders,
      workloadIssuers,
      keys,
      minter,
      algorithm,
      clients,
      metadata: options.metadata,
      jwk: options.jwk,
      jwksUri: options.jwksUri,
      signIn: options.signIn,
      tokenLifetime: options.tokenLifetime,
      elsewhere: options.elsewhere,
      cacheControl: options.cacheControl
    })
    const { react, ...responder } = respond.make(issuer, [...others, ...identityProviders, ...workloadIssuers], serve)
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
        // The host names of issuers in memory do not resolve, so only the text of a name is checked.
        Context.add(AddressGuard.Resolver, undefined)
      ))
  )

/**
 * Creates a layer with an issuer on a real port, for servers in another process, and for clients that send requests over a real
 * network.
 *
 * **Details**
 *
 * The issuer listens on the provided `HttpServer`, because the kit depends on no runtime. The issuer identifier is the origin
 * of this server, such as `http://127.0.0.1:…`.
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
    issuerOptions.checkServed(options, "TestIssuer.serve")
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
  /** A `fetch` that reaches the issuer and `others`. `elsewhere` responds to requests for other URLs. */
  readonly fetch: typeof globalThis.fetch
  /** Handles requests of `node:http`: `createServer(issuer.listener)` serves the issuer on a real port. */
  readonly listener: (request: listen.NodeRequest, response: listen.NodeResponse) => void
  /** The same issuer for code that uses Effect. */
  readonly effect: TestIssuer["Service"]
  /** An `HttpClient` that reaches the issuer, for the option `httpClient` of `AuthLayer.make`. */
  readonly httpClient: Layer.Layer<HttpClient.HttpClient>
}

/**
 * Starts an issuer for tests without Effect.
 *
 * **When to use**
 *
 * Use it with `node:test`, Jest or vitest, for example for a server on one of the official SDKs.
 *
 * **Details**
 *
 * It follows the system clock, so mocks of `Date` affect it. On Node, `listener` serves it on a real port. The option `issuer`
 * must then be the URL of this port. On other runtimes, call `respond`, which takes a `Request` and returns a `Response`.
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
      ...toPromises(members),
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
