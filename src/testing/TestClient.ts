/**
 * An MCP client for tests. Its responses contain the status, the challenge and the result. With `TestClient.layer` or the
 * option `decisions`, they also contain the decisions of the gate.
 *
 * **Details**
 *
 * It works with everything that turns a `Request` into a `Response`: an Effect server that the test builds, a handler of an
 * official SDK, or `fetch` for a server that listens on a port.
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
import type * as Scope from "effect/Scope"
import { type Decision, DecisionListener } from "../authorization/Decision.ts"
import * as ConfigOption from "../protocol/ConfigOption.ts"
import { Principal } from "../verification/Principal.ts"
import {
  CurrentCaller,
  CurrentSession,
  type Decisions,
  type HandlerOptions,
  type Options,
  type TestCaller,
  TestClient,
  type TestResponse
} from "./internal/clientModel.ts"
import { makeWith } from "./internal/clientRequests.ts"
import type { Promised } from "./internal/promises.ts"
import { TestIssuer } from "./TestIssuer.ts"

export {
  CurrentCaller,
  type Decisions,
  type HandlerOptions,
  type Mint,
  type Options,
  type ProtocolVersion,
  type TestCaller,
  TestClient,
  type TestCredentials,
  type TestResponse,
  type TestUser
} from "./internal/clientModel.ts"

/**
 * Sets the caller for every request that an effect sends.
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
 * Sets the session for every request that an effect sends. The session can belong to another caller.
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
 * Creates a recorder of the gate's decisions, for servers that the test does not build with `TestClient.layer`.
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
export const make = (options: HandlerOptions): TestClient["Service"] => {
  ConfigOption.check(options, "TestClient.make", handlerTable, adviceOnHandler)
  if (typeof options.handler !== "function") {
    throw ConfigOption.invalid("TestClient.make.handler", options.handler, "a function", adviceOnHandler, "missing")
  }
  return makeWith(options, (request) =>
    Effect.map(
      Effect.promise(async () => options.handler(request)),
      (response) => ({ response, decisions: options.decisions?.take() ?? [] })
    ))
}

const adviceOnHandler = "Give the handler of the server, such as { handler: fetch, issuer }"

const table: ConfigOption.Table<keyof Options> = { url: true, protocol: true }

const handlerTable: ConfigOption.Table<keyof HandlerOptions> = {
  ...table,
  handler: true,
  issuer: true,
  decisions: true
}

/**
 * Creates a layer with a client for an Effect server. The layer builds the server, and the client calls it in process.
 *
 * **Details**
 *
 * The server uses the clock of the test. Its requests to the issuer reach the `TestIssuer`, even if the server provides
 * Effect's fetch client. So you can test exactly the layer that you serve.
 *
 * **Gotchas**
 *
 * If the server provides an `HttpClient` other than fetch, replace it with the client of `TestIssuer.layer`.
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
      ConfigOption.check(options, "TestClient.layer", table)
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
          // Omits a principal that the test itself provides, because handlers must see only the caller of the request.
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
  /** Returns the same client in a session. The session can belong to another caller. */
  readonly inSession: (session: string) => PromisedTestClient
}

/**
 * Creates a client for tests without Effect.
 *
 * **When to use**
 *
 * Use it with `node:test`, Jest or vitest, for example for a server on one of the official SDKs.
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
