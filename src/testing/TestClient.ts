/**
 * An MCP client that shows what a server answers: status, challenge, result, and, in process, the decision behind it.
 *
 * It speaks to anything that turns a `Request` into a `Response`: a server of Effect's, built in the test; a handler of one of
 * the official SDKs; `fetch` for one that listens.
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
import { Principal } from "../verification/Principal.ts"
import type { DpopClient } from "./DpopClient.ts"
import type { Promised } from "./internal/promised.ts"
import * as wire from "./internal/wire.ts"
import { TestIssuer, type TokenOptions } from "./TestIssuer.ts"

/**
 * The revision of MCP that the client speaks: `2026-07-28`, where every request stands for itself, or an earlier one, where
 * a session comes first.
 *
 * @category models
 * @since 0.1.0
 */
export type ProtocolVersion = "2026-07-28" | "2025-11-25" | "2025-06-18" | "2025-03-26"

/**
 * Somebody with an account at the issuer. Each request gets a new token.
 *
 * @category models
 * @since 0.1.0
 */
export interface Person extends Omit<TokenOptions, "boundTo"> {
  /** Binds the token to this key, and proves it with each request (RFC 9449). */
  readonly dpop?: DpopClient | Promised<DpopClient> | undefined
  /** The nonce of those proofs. */
  readonly dpopNonce?: string | undefined
}

/**
 * Who calls: a person, somebody with a token, or nobody.
 *
 * @category models
 * @since 0.1.0
 */
export type Caller = Person | string | Redacted.Redacted | undefined

/**
 * What came back.
 *
 * @category models
 * @since 0.1.0
 */
export interface Answer {
  readonly status: number
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** The Bearer challenge, or the first one where there is none; `undefined` when the header is absent or malformed. */
  readonly challenge: Challenge.Challenge | undefined
  /** Every challenge, in the order of the header. */
  readonly challenges: ReadonlyArray<Challenge.Challenge>
  /** The JSON-RPC result; `undefined` when there is none. */
  readonly result: {
    readonly isError?: boolean
    readonly content?: unknown
    readonly structuredContent?: unknown
    readonly [member: string]: unknown
  } | undefined
  /** The JSON-RPC error; `undefined` when there is none. */
  readonly error: { readonly code: number; readonly message: string; readonly data?: unknown } | undefined
  /** What a tool gave: its structured content, or its text. */
  readonly value: unknown
  /** What the gate decided, where the server runs in the test and tells. It holds the reason, which is never on the wire. */
  readonly decisions: ReadonlyArray<Decision>
}

/**
 * The requests of an MCP client. Each one is made as the caller that `TestClient.as` names, or as nobody.
 *
 * @category services
 * @since 0.1.0
 */
export class TestClient extends Context.Service<TestClient, {
  readonly url: string
  readonly callTool: (name: string, args?: Readonly<Record<string, unknown>>) => Effect.Effect<Answer>
  readonly listTools: Effect.Effect<Answer>
  readonly readResource: (uri: string) => Effect.Effect<Answer>
  readonly listResources: Effect.Effect<Answer>
  readonly getPrompt: (name: string, args?: Readonly<Record<string, string>>) => Effect.Effect<Answer>
  readonly listPrompts: Effect.Effect<Answer>
  /** Any other method. */
  readonly request: (method: string, params?: Readonly<Record<string, unknown>>) => Effect.Effect<Answer>
  /** A request of your own, with the caller's credentials unless it has some. */
  readonly send: (request: Request) => Effect.Effect<Answer>
  /**
   * Opens a session, as revisions before 2026-07-28 have it, and shows the answer; its id is in the header `mcp-session-id`. The
   * requests of a caller open one by themselves when they need it.
   */
  readonly openSession: Effect.Effect<Answer>
}>()("effect-mcp-auth/testing/TestClient") {}

/**
 * Who calls, where `as` does not say. Nobody.
 *
 * @category references
 * @since 0.1.0
 */
export const CurrentCaller: Context.Reference<Caller> = Context.Reference<Caller>(
  "effect-mcp-auth/testing/TestClient/CurrentCaller",
  { defaultValue: () => undefined }
)

/** The session that requests name instead of the caller's own. */
const CurrentSession = Context.Reference<string | undefined>("effect-mcp-auth/testing/TestClient/CurrentSession", {
  defaultValue: () => undefined
})

/**
 * Makes the requests of an effect as somebody.
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
  (caller: Caller): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  <A, E, R>(self: Effect.Effect<A, E, R>, caller: Caller): Effect.Effect<A, E, R>
} = dual(
  // A caller may be a record or a token, never an effect.
  (args) => Effect.isEffect(args[0]),
  <A, E, R>(self: Effect.Effect<A, E, R>, caller: Caller): Effect.Effect<A, E, R> =>
    Effect.provideService(self, CurrentCaller, caller)
)

/**
 * Makes the requests of an effect in a session that somebody opened, be it the caller or not.
 *
 * **Example** (Somebody else's session)
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
 * What mints the tokens of persons: a `TestIssuer` in either form.
 *
 * @category models
 * @since 0.1.0
 */
export interface Mint {
  readonly resource: string
  readonly mint: (options?: TokenOptions) => Effect.Effect<string> | Promise<string>
}

/**
 * How a client speaks.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Default: `2026-07-28`. */
  readonly protocol?: ProtocolVersion | undefined
  /** The URL of the MCP endpoint. Default: the resource of the issuer. */
  readonly url?: string | undefined
}

/**
 * Hears what a gate decides, for clients of servers that the kit does not build itself.
 *
 * @category models
 * @since 0.1.0
 */
export interface Decisions {
  /** Goes where the server takes layers: the option `layer` of the SDK adapters. */
  readonly layer: Layer.Layer<never>
  /** What was decided since the last time. */
  readonly take: () => ReadonlyArray<Decision>
}

/**
 * Starts to listen.
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
  let heard: ReadonlyArray<Decision> = []
  return {
    layer: Layer.succeed(DecisionListener, (decision) =>
      Effect.sync(() => {
        heard = [...heard, decision]
      })),
    take: () => {
      const taken = heard
      heard = []
      return taken
    }
  }
}

/**
 * Where a client speaks to.
 *
 * @category models
 * @since 0.1.0
 */
export interface HandlerOptions extends Options {
  /** Answers requests. `fetch` for a server that listens. */
  readonly handler: (request: Request) => Promise<Response> | Response
  /** Mints the tokens of persons. Without it callers are tokens or nobody, and `url` is needed. */
  readonly issuer?: Mint | undefined
  /** What hears the decisions of the server's gate. Without it the answers hold none, since the wire never tells a reason. */
  readonly decisions?: Decisions | undefined
}

const toEffect = <A>(value: Effect.Effect<A> | Promise<A>): Effect.Effect<A> =>
  Effect.isEffect(value) ? value : Effect.promise(() => value)

/**
 * A client for any handler.
 *
 * **Example** (A handler of your own)
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
  const sessions = new Map<Caller, string | undefined>()
  let id = 0

  const credentials = (caller: Caller, request: Request): Effect.Effect<Readonly<Record<string, string>>> => {
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

  const sendAwaiting = (request: Request, awaited: number | undefined): Effect.Effect<Answer> =>
    Effect.gen(function*() {
      const caller = yield* CurrentCaller
      const own = request.headers.has("authorization") ? {} : yield* credentials(caller, request)
      for (const [name, value] of Object.entries(own)) request.headers.set(name, value)
      const { decisions, response } = yield* exchange(request)
      const { body, message } = yield* Effect.promise(() => wire.read(response, awaited))
      return answerOf(response, body, message, decisions)
    })

  const post = (
    message: wire.Message,
    headers: Readonly<Record<string, string>>
  ): Effect.Effect<Answer> => Effect.suspend(() => sendAwaiting(wire.post(url, message, headers), message.id))

  const openSession: Effect.Effect<Answer> = Effect.gen(function*() {
    const opened = yield* post(wire.initialize(++id, protocol), {})
    if (opened.result === undefined) return opened
    const session = opened.headers["mcp-session-id"]
    yield* post({ method: "notifications/initialized" }, wire.sessionHeaders(protocol, session))
    return opened
  })

  const request: TestClient["Service"]["request"] = (method, params = {}) =>
    Effect.gen(function*() {
      if (protocol === "2026-07-28") {
        const message = wire.stateless(++id, method, params)
        return yield* post(message, wire.statelessHeaders(message))
      }
      const caller = yield* CurrentCaller
      let session = yield* CurrentSession
      if (session === undefined) {
        if (!sessions.has(caller)) {
          const opened = yield* openSession
          // What keeps a caller from opening a session is the answer to whatever they wanted.
          if (opened.result === undefined) return opened
          sessions.set(caller, opened.headers["mcp-session-id"])
        }
        session = sessions.get(caller)
      }
      return yield* post({ id: ++id, method, params }, wire.sessionHeaders(protocol, session))
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
    send: (request) => sendAwaiting(new Request(request), undefined),
    openSession
  }
}

const answerOf = (
  response: Response,
  body: string,
  message: wire.Reply | undefined,
  decisions: ReadonlyArray<Decision>
): Answer => {
  const header = response.headers.get("www-authenticate")
  const challenges = header === null ? [] : Result.getOrElse(Challenge.parse(header), () => [])
  const result = message?.result as Answer["result"]
  return {
    status: response.status,
    headers: Object.fromEntries(response.headers),
    body,
    challenges,
    challenge: challenges.find(({ scheme }) => scheme.toLowerCase() === "bearer") ?? challenges[0],
    result,
    error: message?.error,
    value: wire.valueOf(result),
    decisions
  }
}

/**
 * A client for a server of Effect's: builds the layer, and calls it in process.
 *
 * **Details**
 *
 * The server runs by the test's clock, and its requests to the issuer reach the `TestIssuer`, also where its `AuthLayer` brings
 * the fetch client along. So the layer is the very one that you serve.
 *
 * **Gotchas**
 *
 * A server that is given an `HttpClient` of its own, other than fetch, has to be given the one of `TestIssuer.layer`.
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
          const told = Context.get(test, DecisionListener)
          const fetch = yield* issuer.fetch
          // Who runs the test is not who calls.
          const around = Context.omit(Principal)(test as Context.Context<Principal>).pipe(
            Context.add(FetchHttpClient.Fetch, fetch),
            Context.add(
              DecisionListener,
              (decision) => Effect.andThen(Effect.sync(() => decisions.push(decision)), told(decision))
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
  /** The same client, with somebody's credentials. */
  readonly as: (caller: Caller) => PromisedTestClient
  /** The same client, in a session that somebody opened. */
  readonly inSession: (session: string) => PromisedTestClient
}

/**
 * A client for tests without Effect.
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
 * const answer = () => alice.callTool("add_todo", { title: "milk" })
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const start = (options: HandlerOptions): PromisedTestClient => promisedAs(make(options), undefined, undefined)

const promisedAs = (
  client: TestClient["Service"],
  caller: Caller,
  session: string | undefined
): PromisedTestClient => {
  const run = (effect: Effect.Effect<Answer>): Promise<Answer> =>
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
