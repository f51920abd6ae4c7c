/**
 * An identity provider in memory that does not speak MCP, for tests of the OAuth proxy. It signs people in like GitHub, Google or
 * Entra ID.
 *
 * **Details**
 *
 * It follows the `Clock`, so under `TestClock` its time changes only when the test adjusts the clock. It is for tests only: its client
 * secret is public, and anyone who reaches it can sign in as anyone.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpServer from "effect/http/HttpServer"
import * as Layer from "effect/Layer"
import type { Fetcher } from "../outbound/Fetcher.ts"
import * as HttpClientFetcher from "../outbound/http-client/HttpClientFetcher.ts"
import * as ConfigOption from "../protocol/ConfigOption.ts"
import { makeKeyRing } from "./internal/keys.ts"
import * as listen from "./internal/listen.ts"
import { type Promised, toPromises } from "./internal/promises.ts"
import * as respond from "./internal/respond.ts"
import * as upstreamEndpoints from "./internal/upstreamEndpoints.ts"
import { type Account, type Form, tenant, traits } from "./internal/upstreamForms.ts"

export type { Counts } from "./internal/upstreamEndpoints.ts"
export type { Account, Form } from "./internal/upstreamForms.ts"

/**
 * The options of an upstream.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The provider that it imitates. */
  readonly form: Form
  /** Its origin. Default: `https://upstream.test`. */
  readonly origin?: string | undefined
  /**
   * The people with an account. Default: `alice`, a member of the organization, the Workspace and the tenant `acme`, and `mallory`, who
   * is a member of none.
   */
  readonly accounts?: readonly [Account, ...ReadonlyArray<Account>] | undefined
  /**
   * `"silent"`: the first person is signed in and has approved before, so the browser returns at once. `"page"`: the browser shows a
   * page with a button for each person. Default: `"silent"`.
   */
  readonly login?: "silent" | "page" | undefined
}

const servedTable: ConfigOption.Table<Exclude<keyof Options, "origin">> = {
  form: ConfigOption.rule(
    (value) => Object.hasOwn(traits, value),
    `one of ${Object.keys(traits).join(", ")}`,
    "Write one such as \"github\""
  ),
  accounts: true,
  login: ConfigOption.oneOf("silent", "page")
}

const table: ConfigOption.Table<keyof Options> = {
  ...servedTable,
  origin: ConfigOption.rule(
    (value) => URL.canParse(value) && new URL(value).origin === value,
    "an origin",
    "Write one such as https://upstream.test"
  )
}

/** The accounts of an upstream whose options name none. */
const defaultAccounts: readonly [Account, ...ReadonlyArray<Account>] = [
  {
    id: 1001,
    login: "alice",
    email: "alice@acme.test",
    hostedDomain: "acme.test",
    acct: 0,
    organizations: [{ login: "acme", id: 9919 }]
  },
  { id: 1002, login: "mallory", email: "mallory@elsewhere.test", acct: 1 }
]

/**
 * The service of an upstream.
 *
 * **Details**
 *
 * The parameter `where` selects requests by a part of their URL, such as `"/token"`. Default: all requests. A fault lasts until the next
 * fault or `recover`.
 *
 * **Example** (A sign-in)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { TestUpstream } from "effect-mcp-auth/testing"
 * import assert from "node:assert/strict"
 *
 * const program = Effect.gen(function*() {
 *   const { upstream } = yield* TestUpstream.make({ form: "github" })
 *   const callback = yield* upstream.signIn(
 *     `${upstream.origin}/login/oauth/authorize?redirect_uri=https://app.test/callback&state=s`,
 *     "alice"
 *   )
 *   return new URL(callback).searchParams.has("code")
 * })
 *
 * assert.ok(await Effect.runPromise(program))
 * ```
 *
 * @category services
 * @since 0.1.0
 */
export class TestUpstream extends Context.Service<TestUpstream, {
  readonly form: Form
  readonly origin: string
  /** The issuer that callbacks name. */
  readonly issuer: string
  readonly clientId: string
  readonly clientSecret: string
  /** The tenant of the form `entra`. */
  readonly tenant: string
  /** Lets a person sign in at a URL of the authorization endpoint, and returns the URL of the callback. Default: the first person. */
  readonly signIn: (url: string, login?: string) => Effect.Effect<string>
  /** Returns how often each endpoint has answered. */
  readonly counts: Effect.Effect<upstreamEndpoints.Counts>
  /** Returns how often an unknown or used refresh token arrived. */
  readonly reuses: Effect.Effect<number>
  /** Returns the access tokens of a person that are not revoked. */
  readonly liveTokens: (login: string) => Effect.Effect<ReadonlyArray<string>>
  /** Adds an account, or replaces the one with the same login. */
  readonly setAccount: (account: Account) => Effect.Effect<void>
  /** Removes an account. Its tokens are rejected. */
  readonly removeAccount: (login: string) => Effect.Effect<void>
  /** Revokes all tokens of a person. The person can sign in again. */
  readonly revokeTokens: (login: string) => Effect.Effect<void>
  /** Makes people leave out these scopes when they approve a request. A refresh then grants fewer scopes as well. */
  readonly withholdScopes: (...scopes: ReadonlyArray<string>) => Effect.Effect<void>
  /** Leaves ID tokens out of the following responses. */
  readonly omitIdTokens: Effect.Effect<void>
  /** Responds with the result of a function to requests whose URL contains `where`; `undefined` restores the response. */
  readonly respondWith: (
    where: string,
    respond: ((request: respond.Received) => Response | Promise<Response>) | undefined
  ) => Effect.Effect<void>
  /** Sets the current fault. It replaces the previous one. */
  readonly fail: (fault: respond.Fault, where?: string) => Effect.Effect<void>
  /** Makes the upstream accept no connections. */
  readonly goDown: (where?: string) => Effect.Effect<void>
  /** Makes the upstream receive requests and never respond. */
  readonly hang: (where?: string) => Effect.Effect<void>
  /** Makes the upstream delay every response. */
  readonly slow: (by: Duration.Input, where?: string) => Effect.Effect<void>
  /** Ends the current fault. */
  readonly recover: Effect.Effect<void>
  /** Returns the received requests, and clears the list. */
  readonly takeRequests: Effect.Effect<ReadonlyArray<respond.Received>>
  /** Signs an ID token with exactly these claims, for tokens that a proxy must reject. */
  readonly signIdToken: (claims: Readonly<Record<string, unknown>>) => Effect.Effect<string>
  /** Responds to a request as over HTTP, with the current fault. Fails if the connection would fail. */
  readonly respond: (request: Request) => Effect.Effect<Response, respond.ConnectionRefused>
  /** Creates a `fetch` that reaches the upstream, and uses the clock of the fiber that creates it. */
  readonly fetch: Effect.Effect<typeof globalThis.fetch>
}>()("effect-mcp-auth/testing/TestUpstream") {}

/**
 * Creates an upstream, and a `Fetcher` that reaches it.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (
  options: Options
): Effect.Effect<{
  readonly upstream: TestUpstream["Service"]
  readonly fetcher: Fetcher["Service"]
}> =>
  Effect.gen(function*() {
    ConfigOption.check(options, "TestUpstream.make", table)
    const { accounts = defaultAccounts, form, login = "silent", origin = "https://upstream.test" } = options
    const client = { clientId: "proxy-client", clientSecret: "proxy-client-secret" }
    const keys = yield* makeKeyRing("ES256", [])
    const { issuer, serve, ...state } = upstreamEndpoints.make(
      { form, origin, keys, client, isSilent: login === "silent" },
      new Map(accounts.map((account) => [account.login, account]))
    )
    const { react, ...responder } = respond.make(origin, [], serve)
    const { fail } = responder
    if (form === "slow") yield* fail({ _tag: "Slow", by: "3 seconds" })
    return {
      fetcher: HttpClientFetcher.make(listen.makeClient(react)),
      upstream: {
        form,
        origin,
        issuer,
        ...client,
        tenant,
        ...state,
        fail,
        goDown: (where) => fail({ _tag: "Reject" }, where),
        hang: (where) => fail({ _tag: "Hang" }, where),
        slow: (by, where) => fail({ _tag: "Slow", by }, where),
        respondWith: responder.respondWith,
        recover: responder.recover,
        takeRequests: responder.takeRequests,
        respond: responder.respond,
        fetch: listen.makeFetch(responder.respond)
      }
    }
  })

/**
 * Creates a layer with an upstream on a real port: the provided `HttpServer`. Its origin is that of the server.
 *
 * **Example** (On Node, on a free port)
 *
 * ```ts
 * import { NodeHttpServer } from "@effect/platform-node"
 * import { Layer } from "effect"
 * import { TestUpstream } from "effect-mcp-auth/testing"
 * import { createServer } from "node:http"
 *
 * const Upstream = TestUpstream.serve({ form: "github", login: "page" }).pipe(
 *   Layer.provide(NodeHttpServer.layer(createServer, { host: "127.0.0.1", port: 0 }))
 * )
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const serve = (
  options: Omit<Options, "origin">
): Layer.Layer<TestUpstream, never, HttpServer.HttpServer> =>
  Layer.unwrap(Effect.gen(function*() {
    ConfigOption.check(options, "TestUpstream.serve", servedTable)
    const { address } = yield* HttpServer.HttpServer
    const { upstream } = yield* make({ ...options, origin: listen.getOrigin(HttpServer.formatAddress(address)) })
    const app = listen.makeApp({ issuer: upstream.origin, respond: upstream.respond })
    return HttpServer.serve(app).pipe(Layer.merge(Layer.succeed(TestUpstream, upstream)))
  }))

/**
 * An upstream for tests without Effect. Every method returns a promise.
 *
 * @category models
 * @since 0.1.0
 */
export interface PromisedTestUpstream extends Promised<Omit<TestUpstream["Service"], "fetch">> {
  /** A `fetch` that reaches the upstream. */
  readonly fetch: typeof globalThis.fetch
  /** Handles requests of `node:http`: `createServer(upstream.listener)` serves the upstream on a real port. */
  readonly listener: (request: listen.NodeRequest, response: listen.NodeResponse) => void
  /** The same upstream for code that uses Effect. */
  readonly effect: TestUpstream["Service"]
}

/**
 * Starts an upstream for tests without Effect. On Node, `listener` serves it on a real port, whose origin is the option `origin`.
 *
 * **Example** (An upstream for a server on an official SDK)
 *
 * ```ts
 * import { TestUpstream } from "effect-mcp-auth/testing"
 *
 * const upstream = await TestUpstream.start({ form: "google" })
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const start = (options: Options): Promise<PromisedTestUpstream> =>
  Effect.runPromise(Effect.gen(function*() {
    const { upstream } = yield* make(options)
    const { fetch, ...members } = upstream
    return {
      ...toPromises(members),
      fetch: yield* fetch,
      listener: listen.makeNodeListener(upstream.origin, (request) => Effect.runPromise(upstream.respond(request))),
      effect: upstream
    }
  }))
