/**
 * An MCP client for tests. Its responses contain the status, the challenge, the result and, in process, the decision of the gate.
 *
 * **Details**
 *
 * It works with everything that turns a `Request` into a `Response`: a server of Effect that the test builds, a handler of an
 * official SDK, or `fetch` for a server that listens.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpEffect from "effect/http/HttpEffect"
import * as HttpRouter from "effect/http/HttpRouter"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import type * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import { type Decision, DecisionListener } from "../authorization/Decision.ts"
import * as Challenge from "../protocol/Challenge.ts"
import * as McpWire from "../provider/probe/McpWire.ts"
import { Principal } from "../verification/Principal.ts"
import type { DpopClient } from "./DpopClient.ts"
import type { Promised } from "./internal/promised.ts"
import * as wire from "./internal/wire.ts"
import { TestIssuer, type TokenOptions } from "./TestIssuer.ts"

/**
 * The revision of MCP of a client: `2026-07-28` without sessions, or an earlier one with sessions.
 *
 * @category models
 * @since 0.1.0
 */
export type ProtocolVersion = "2026-07-28" | "2025-11-25" | "2025-06-18" | "2025-03-26"

/**
 * A user with an account at the issuer. Each request gets a new token.
 *
 * @category models
 * @since 0.1.0
 */
export interface TestUser extends Omit<TokenOptions, "boundTo"> {
  /** Binds the token to this key, and sends a proof with each request (RFC 9449). Default: a bearer token. */
  readonly dpop?: DpopClient | Promised<DpopClient> | undefined
  /** The nonce of the proofs. Default: no nonce. */
  readonly dpopNonce?: string | undefined
}

/**
 * The caller of requests: a user, a token, or `undefined` for an anonymous caller.
 *
 * @category models
 * @since 0.1.0
 */
export type TestCaller = TestUser | string | Redacted.Redacted | undefined

/**
 * The response to a request.
 *
 * @category models
 * @since 0.1.0
 */
export interface TestResponse {
  readonly status: number
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** The Bearer challenge, or else the first one; `undefined` if the header is absent or malformed. */
  readonly challenge: Challenge.Challenge | undefined
  /** Every challenge, in the order of the header. */
  readonly challenges: ReadonlyArray<Challenge.Challenge>
  /** The JSON-RPC result, if the response has one. */
  readonly result: {
    readonly isError?: boolean
    readonly content?: unknown
    readonly structuredContent?: unknown
    readonly [member: string]: unknown
  } | undefined
  /** The JSON-RPC error, if the response has one. */
  readonly error: { readonly code: number; readonly message: string; readonly data?: unknown } | undefined
  /** The value that a tool returned: its structured content, or its text. */
  readonly value: unknown
  /** The decisions of the gate, if the server runs in the test. They contain the reason, which no response contains. */
  readonly decisions: ReadonlyArray<Decision>
}

/**
 * The service of a client. Each request has the credentials of the caller that `TestClient.as` sets, or none.
 *
 * @category services
 * @since 0.1.0
 */
export class TestClient extends Context.Service<TestClient, {
  readonly url: string
  readonly callTool: (name: string, args?: Readonly<Record<string, unknown>>) => Effect.Effect<TestResponse>
  readonly listTools: Effect.Effect<TestResponse>
  readonly readResource: (uri: string) => Effect.Effect<TestResponse>
  readonly listResources: Effect.Effect<TestResponse>
  readonly getPrompt: (name: string, args?: Readonly<Record<string, string>>) => Effect.Effect<TestResponse>
  readonly listPrompts: Effect.Effect<TestResponse>
  /** Calls any other method. */
  readonly request: (method: string, params?: Readonly<Record<string, unknown>>) => Effect.Effect<TestResponse>
  /** Sends any request, with the credentials of the caller unless the request has credentials. */
  readonly send: (request: Request) => Effect.Effect<TestResponse>
  /**
   * Opens a session, in revisions before 2026-07-28. Its id is in the header `mcp-session-id`. Requests of a caller open a session when
   * they need one.
   */
  readonly openSession: Effect.Effect<TestResponse>
}>()("effect-mcp-auth/testing/TestClient") {}

/**
 * The caller of requests. Default: anonymous.
 *
 * @category references
 * @since 0.1.0
 */
export const CurrentCaller: Context.Reference<TestCaller> = Context.Reference<TestCaller>(
  "effect-mcp-auth/testing/TestClient/CurrentCaller",
  { defaultValue: () => undefined }
)

/** The session of requests, instead of the session of the caller. */
const CurrentSession = Context.Reference<string | undefined>("effect-mcp-auth/testing/TestClient/CurrentSession", {
  defaultValue: () => undefined
})

/**
 * Sets the caller of the requests of an effect.
 *
 * **Example** (A call)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { TestClient } from "effect-mcp-auth/testing"
 *
 * const alice = { subject: "alice", scopes: ["todos:write"] }
 *
 * const added = Effect.gen(function*() {
 *   const client = yield* TestClient.TestClient
 *   return yield* client.callTool("add_todo", { title: "milk" }).pipe(TestClient.as(alice))
 * })
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const as: {
  (caller: TestCaller): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  <A, E, R>(self: Effect.Effect<A, E, R>, caller: TestCaller): Effect.Effect<A, E, R>
} = dual(
  // A caller is a record or a token, never an effect.
  (args) => Effect.isEffect(args[0]),
  <A, E, R>(self: Effect.Effect<A, E, R>, caller: TestCaller): Effect.Effect<A, E, R> =>
    Effect.provideService(self, CurrentCaller, caller)
)

/**
 * Sets the session of the requests of an effect, which can belong to another caller.
 *
 * **Example** (The session of another user)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { expectRejected, TestClient } from "effect-mcp-auth/testing"
 *
 * const alice = { subject: "alice", scopes: ["todos:read"] }
 * const mallory = { subject: "mallory", scopes: ["todos:read"] }
 *
 * const hijack = Effect.gen(function*() {
 *   const client = yield* TestClient.TestClient
 *   const { headers } = yield* client.openSession.pipe(TestClient.as(alice))
 *   return yield* client.listTools.pipe(
 *     TestClient.inSession(headers["mcp-session-id"]!),
 *     TestClient.as(mallory),
 *     expectRejected("session")
 *   )
 * })
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const inSession: {
  (session: string): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  <A, E, R>(self: Effect.Effect<A, E, R>, session: string): Effect.Effect<A, E, R>
} = dual(
  2,
  <A, E, R>(self: Effect.Effect<A, E, R>, session: string): Effect.Effect<A, E, R> =>
    Effect.provideService(self, CurrentSession, session)
)

/**
 * Mints the tokens of users: a `TestIssuer`, with effects or promises.
 *
 * @category models
 * @since 0.1.0
 */
export interface Mint {
  readonly resource: string
  readonly mint: (options?: TokenOptions) => Effect.Effect<string> | Promise<string>
}

/**
 * The options of a client.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The revision of MCP. Default: `2026-07-28`. */
  readonly protocol?: ProtocolVersion | undefined
  /** The URL of the MCP endpoint. Default: the resource of the issuer. */
  readonly url?: string | undefined
}

/**
 * Records the decisions of a gate, for servers that the test does not build with `TestClient.layer`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Decisions {
  /** The layer for the option `layer` of the SDK adapters. */
  readonly layer: Layer.Layer<never>
  /** Returns the decisions since the last call. */
  readonly take: () => ReadonlyArray<Decision>
}

/**
 * Creates a recorder of decisions.
 *
 * **Example** (Reasons of a gate in the same process)
 *
 * ```ts
 * import { TestClient } from "effect-mcp-auth/testing"
 * import { McpAuthSdk } from "effect-mcp-auth/sdk-v2"
 *
 * const decisions = TestClient.decisions()
 * const auth = await McpAuthSdk.make({
 *   resource: "https://todos.example.com/mcp",
 *   authorizationServers: ["https://auth.example.com"],
 *   scopes: ["todos:read"],
 *   layer: decisions.layer
 * })
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const decisions = (): Decisions => {
  let recorded: ReadonlyArray<Decision> = []
  return {
    layer: Layer.succeed(DecisionListener, (decision) =>
      Effect.sync(() => {
        recorded = [...recorded, decision]
      })),
    take: () => {
      const taken = recorded
      recorded = []
      return taken
    }
  }
}

/**
 * The options of a client for a handler.
 *
 * @category models
 * @since 0.1.0
 */
export interface HandlerOptions extends Options {
  /** Responds to requests. `fetch` for a server that listens. */
  readonly handler: (request: Request) => Promise<Response> | Response
  /** Mints the tokens of users. Without it, callers must be tokens or anonymous, and `url` is required. */
  readonly issuer?: Mint | undefined
  /** Records the decisions of the server's gate. Without it, responses contain no decisions. */
  readonly decisions?: Decisions | undefined
}

const toEffect = <A>(value: Effect.Effect<A> | Promise<A>): Effect.Effect<A> =>
  Effect.isEffect(value) ? value : Effect.promise(() => value)

/**
 * Creates a client for a handler.
 *
 * **Example** (A custom handler)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { TestClient } from "effect-mcp-auth/testing"
 * import assert from "node:assert/strict"
 *
 * const client = TestClient.make({
 *   url: "https://todos.example.com/mcp",
 *   handler: () => new Response(null, { status: 401 })
 * })
 *
 * const { status } = await Effect.runPromise(client.listTools)
 * assert.strictEqual(status, 401)
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: HandlerOptions): TestClient["Service"] =>
  makeWith(options, (request) =>
    Effect.map(
      Effect.promise(async () => options.handler(request)),
      (response) => ({ response, decisions: options.decisions?.take() ?? [] })
    ))

interface Exchange {
  readonly response: Response
  readonly decisions: ReadonlyArray<Decision>
}

const makeWith = (
  options: Omit<HandlerOptions, "handler">,
  exchange: (request: Request) => Effect.Effect<Exchange>
): TestClient["Service"] => {
  const { issuer, protocol = "2026-07-28" } = options
  const url = options.url ?? issuer?.resource
  if (url === undefined) {
    throw new TypeError(
      "TestClient: the URL of the MCP endpoint is missing. Set url, or pass an issuer that was made with resource"
    )
  }
  const sessions = new Map<TestCaller, string | undefined>()
  let id = 0

  const credentials = (caller: TestCaller, request: Request): Effect.Effect<Readonly<Record<string, string>>> => {
    if (caller === undefined) return Effect.succeed({})
    if (typeof caller === "string") return Effect.succeed({ authorization: `Bearer ${caller}` })
    if (Redacted.isRedacted(caller)) return Effect.succeed({ authorization: `Bearer ${Redacted.value(caller)}` })
    if (issuer === undefined) {
      return Effect.die(
        new TypeError(
          "TestClient: a caller with subject and scopes needs an issuer that mints its token. Set issuer, or pass a token"
        )
      )
    }
    const { dpop, dpopNonce, ...token } = caller
    return Effect.flatMap(toEffect(issuer.mint({ ...token, boundTo: dpop?.thumbprint })), (token) =>
      dpop === undefined
        ? Effect.succeed({ authorization: `Bearer ${token}` })
        : toEffect<{ readonly authorization: string; readonly dpop: string }>(
          dpop.headers({ method: request.method, url: request.url, token, nonce: dpopNonce })
        ))
  }

  const sendAndRead = (request: Request, awaited: number | undefined): Effect.Effect<TestResponse> =>
    Effect.gen(function*() {
      const caller = yield* CurrentCaller
      const own = request.headers.has("authorization") ? {} : yield* credentials(caller, request)
      for (const [name, value] of Object.entries(own)) request.headers.set(name, value)
      const { decisions, response } = yield* exchange(request)
      const { body, message } = yield* Effect.promise(() => wire.read(response, awaited))
      return toTestResponse(response, body, message, decisions)
    })

  const post = (
    message: McpWire.Message,
    headers: Readonly<Record<string, string>>
  ): Effect.Effect<TestResponse> => Effect.suspend(() => sendAndRead(wire.post(url, message, headers), message.id))

  const openSession: Effect.Effect<TestResponse> = Effect.gen(function*() {
    const opened = yield* post(McpWire.initialize(++id, protocol, wire.clientInfo), {})
    if (opened.result === undefined) return opened
    const session = opened.headers["mcp-session-id"]
    yield* post({ method: "notifications/initialized" }, McpWire.getSessionHeaders(protocol, session))
    return opened
  })

  const request: TestClient["Service"]["request"] = (method, params = {}) =>
    Effect.gen(function*() {
      if (protocol === McpWire.statelessRevision) {
        const message = McpWire.toStateless({ id: ++id, method, params }, wire.clientInfo)
        return yield* post(message, McpWire.getStatelessHeaders(message))
      }
      const caller = yield* CurrentCaller
      let session = yield* CurrentSession
      if (session === undefined) {
        if (!sessions.has(caller)) {
          const opened = yield* openSession
          // A caller that cannot open a session gets the rejection as the response to its request.
          if (opened.result === undefined) return opened
          sessions.set(caller, opened.headers["mcp-session-id"])
        }
        session = sessions.get(caller)
      }
      return yield* post({ id: ++id, method, params }, McpWire.getSessionHeaders(protocol, session))
    })

  return {
    url,
    callTool: (name, args = {}) => request("tools/call", { name, arguments: args }),
    listTools: request("tools/list"),
    readResource: (uri) => request("resources/read", { uri }),
    listResources: request("resources/list"),
    getPrompt: (name, args = {}) => request("prompts/get", { name, arguments: args }),
    listPrompts: request("prompts/list"),
    request,
    send: (request) => sendAndRead(new Request(request), undefined),
    openSession
  }
}

const toTestResponse = (
  response: Response,
  body: string,
  message: McpWire.Reply | undefined,
  decisions: ReadonlyArray<Decision>
): TestResponse => {
  const header = response.headers.get("www-authenticate")
  const challenges = header === null ? [] : Result.getOrElse(Challenge.parse(header), () => [])
  const result = message?.result as TestResponse["result"]
  return {
    status: response.status,
    headers: Object.fromEntries(response.headers),
    body,
    challenges,
    challenge: challenges.find(({ scheme }) => scheme.toLowerCase() === "bearer") ?? challenges[0],
    result,
    error: message?.error,
    value: wire.getValue(result),
    decisions
  }
}

/**
 * Creates a layer with a client for a server of Effect: builds the layer of the server, and calls it in process.
 *
 * **Details**
 *
 * The server uses the clock of the test. Its requests to the issuer reach the `TestIssuer`, also if it includes Effect's fetch client.
 * So the layer can be exactly the one that you serve.
 *
 * **Gotchas**
 *
 * If the server provides an `HttpClient` other than fetch, replace it by the one of `TestIssuer.layer`.
 *
 * **Example** (The layer that you serve, in a test)
 *
 * ```ts
 * import { Layer, type Layer as L } from "effect"
 * import { TestClient, TestIssuer } from "effect-mcp-auth/testing"
 * import type { HttpRouter } from "effect/http"
 *
 * declare const Server: L.Layer<never, never, HttpRouter.HttpRouter>
 *
 * const Test = TestClient.layer(Server).pipe(
 *   Layer.provideMerge(TestIssuer.layer({ resource: "https://todos.example.com/mcp" }))
 * )
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = <A, E, R>(
  server: Layer.Layer<A, E, R>,
  options: Options = {}
): Layer.Layer<
  TestClient,
  HttpRouter.Request.Without<E>,
  | TestIssuer
  | Exclude<HttpRouter.Request.Without<R>, HttpRouter.HttpRouter | Scope.Scope>
  | HttpRouter.Request.Only<"Requires" | "GlobalRequires", R>
> =>
  Layer.effect(
    TestClient,
    Effect.gen(function*() {
      const issuer = yield* TestIssuer
      const app = yield* HttpRouter.toHttpEffect(server)
      const context = yield* Effect.context<never>()
      const handler = HttpEffect.toWebHandlerWith<never, Scope.Scope | HttpServerRequest.HttpServerRequest>(context)(
        app as Effect.Effect<HttpServerResponse.HttpServerResponse, unknown, Scope.Scope>
      )
      return makeWith({ ...options, issuer }, (request) =>
        Effect.gen(function*() {
          const decisions: Array<Decision> = []
          const test = yield* Effect.context<never>()
          const listener = Context.get(test, DecisionListener)
          const fetch = yield* issuer.fetch
          // A principal in the context of the test is not the caller.
          const around = Context.omit(Principal)(test as Context.Context<Principal>).pipe(
            Context.add(FetchHttpClient.Fetch, fetch),
            Context.add(
              DecisionListener,
              (decision) => Effect.andThen(Effect.sync(() => decisions.push(decision)), listener(decision))
            )
          )
          const response = yield* Effect.promise(() => handler(request, around))
          return { response, decisions }
        }))
    })
  ) as never

/**
 * A client for tests without Effect.
 *
 * @category models
 * @since 0.1.0
 */
export interface PromisedTestClient extends Promised<TestClient["Service"]> {
  /** Returns the same client with another caller. */
  readonly as: (caller: TestCaller) => PromisedTestClient
  /** Returns the same client in a session, which can belong to another caller. */
  readonly inSession: (session: string) => PromisedTestClient
}

/**
 * Creates a client for tests without Effect.
 *
 * **When to use**
 *
 * With `node:test`, Jest, or vitest, for a server on one of the official SDKs.
 *
 * **Example** (A server that listens)
 *
 * ```ts
 * import { TestClient, TestIssuer } from "effect-mcp-auth/testing"
 *
 * const issuer = await TestIssuer.start({ resource: "http://localhost:3000/mcp" })
 * const client = TestClient.start({ handler: fetch, issuer })
 * const alice = client.as({ subject: "alice", scopes: ["todos:write"] })
 * const response = () => alice.callTool("add_todo", { title: "milk" })
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const start = (options: HandlerOptions): PromisedTestClient => promisedAs(make(options), undefined, undefined)

const promisedAs = (
  client: TestClient["Service"],
  caller: TestCaller,
  session: string | undefined
): PromisedTestClient => {
  const run = (effect: Effect.Effect<TestResponse>): Promise<TestResponse> =>
    Effect.runPromise(effect.pipe(
      Effect.provideService(CurrentCaller, caller),
      Effect.provideService(CurrentSession, session)
    ))
  return {
    url: client.url,
    callTool: (name, args) => run(client.callTool(name, args)),
    listTools: () => run(client.listTools),
    readResource: (uri) => run(client.readResource(uri)),
    listResources: () => run(client.listResources),
    getPrompt: (name, args) => run(client.getPrompt(name, args)),
    listPrompts: () => run(client.listPrompts),
    request: (method, params) => run(client.request(method, params)),
    send: (request) => run(client.send(request)),
    openSession: () => run(client.openSession),
    as: (next) => promisedAs(client, next, session),
    inSession: (next) => promisedAs(client, caller, next)
  }
}
