import { assert, describe, it } from "@effect/vitest"
import { type Duration, Effect, Fiber, Layer, Logger, Schema } from "effect"
import { requireScopes } from "effect-mcp-auth"
import { McpAuth } from "effect-mcp-auth/mcp"
import { TestIssuer } from "effect-mcp-auth/testing"
import { McpServer, Tool, Toolkit } from "effect/ai"
import { HttpClient } from "effect/http"
import { TestClock } from "effect/testing"
import * as Host from "./Host.ts"
import * as Mcp from "./Mcp.ts"
import * as TodoServer from "./TodoServer.ts"

const sendTo =
  (handle: Effect.Success<ReturnType<typeof Host.webHandler>>) => ({ body, headers, method, path }: Host.Sent) =>
    handle(
      new Request(`https://server.test${path}`, {
        method,
        headers: headers as Array<[string, string]>,
        body: body ?? null
      })
    )

const start = Effect.gen(function*() {
  yield* TestClock.setTime(1_800_000_000_000)
  const { client, issuer } = yield* TestIssuer.make({ resource: TodoServer.resource })
  const handle = yield* Host.webHandler(
    TodoServer.make().layer.pipe(
      Layer.provide(TodoServer.auth(issuer.issuer)),
      Layer.provide(Layer.succeed(HttpClient.HttpClient, client))
    )
  )
  return { issuer, send: sendTo(handle) }
}).pipe(Effect.provide(Logger.layer([])))

const listen = (token: string, notifications: Readonly<Record<string, unknown>> = { toolsListChanged: true }) =>
  Mcp.modern("subscriptions/listen", { notifications }, { token })

/** A tool whose handler reports progress once and never ends. */
const Slow = requireScopes("todos:read")(Tool.make("slow", { success: Schema.String }))
const SlowTools = Toolkit.make(Slow)

/** Starts a fiber that reads a body to its end. Records the number of chunks and whether the body has ended. */
const reading = Effect.fnUntraced(function*(response: Response) {
  const reader = response.body!.getReader()
  const state = { chunks: 0, ended: false }
  const fiber = yield* Effect.forkChild(Effect.promise(async () => {
    while (!(await reader.read()).done) state.chunks++
    state.ended = true
  }))
  return { state, fiber }
})

/**
 * Advances the clock, and waits until a stream that was opened last and expires at that time has ended. By then, each stream that
 * expires at that time or before has ended as well.
 */
const advance = Effect.fnUntraced(function*(
  duration: Duration.Input,
  { issuer, send }: Effect.Success<typeof start>
) {
  const last = yield* reading(yield* send(listen(yield* issuer.mint({ expiresIn: duration }))))
  yield* TestClock.adjust(duration)
  yield* Fiber.join(last.fiber)
})

describe("The end of a token", () => {
  it.effect("ends a running response five minutes later", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(1_800_000_000_000)
      const { client, issuer } = yield* TestIssuer.make({ resource: TodoServer.resource })
      const handlers = SlowTools.toLayer(
        Effect.map(McpServer.McpServer, ({ notifications }) => ({
          slow: () =>
            Effect.andThen(notifications["notifications/progress"]({ progressToken: "p", progress: 1 }), Effect.never)
        }))
      )
      const handle = yield* Host.webHandler(
        McpAuth.layerHttp({
          ...TodoServer.make().options,
          protocols: TodoServer.protocols,
          registrations: McpAuth.toolkit(SlowTools).pipe(Layer.provide(handlers))
        }).pipe(
          Layer.provide(TodoServer.auth(issuer.issuer)),
          Layer.provide(Layer.succeed(HttpClient.HttpClient, client))
        )
      )
      const send = sendTo(handle)
      const token = yield* issuer.mint({ scopes: ["todos:read"], expiresIn: "1 minute" })
      const response = yield* send(
        Mcp.modern("tools/call", { name: "slow", arguments: {}, _meta: { progressToken: "p" } }, { token })
      )
      assert.strictEqual(response.status, 200)
      const { fiber, state } = yield* reading(response)
      for (const step of ["1 minute", "4 minutes", "59 seconds"] as const) {
        yield* advance(step, { issuer, send })
        assert.isFalse(state.ended)
      }
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(fiber)
      assert.isTrue(state.ended)
    }).pipe(Effect.provide(Logger.layer([]))))

  it.effect("ends the stream that the server keeps open for it, to the second", () =>
    Effect.gen(function*() {
      const server = yield* start
      const { issuer, send } = server
      const response = yield* send(listen(yield* issuer.mint({ expiresIn: "5 minutes" })))
      assert.strictEqual(response.status, 200)
      assert.match(response.headers.get("content-type")!, /^text\/event-stream/)
      const { fiber, state } = yield* reading(response)
      yield* advance("4 minutes", server)
      yield* advance("59 seconds", server)
      assert.isFalse(state.ended)
      // The chunks are the acknowledgement and the messages that keep the connection alive.
      assert.isAbove(state.chunks, 1)
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(fiber)
      assert.isTrue(state.ended)
    }))

  it.effect("the same token gets 401, and a new token gets a new stream", () =>
    Effect.gen(function*() {
      const { issuer, send } = yield* start
      const token = yield* issuer.mint({ expiresIn: "1 minute" })
      const first = yield* send(listen(token))
      assert.strictEqual(first.status, 200)
      yield* TestClock.adjust("1 minute")
      const again = yield* send(listen(token))
      assert.strictEqual(again.status, 401)
      assert.include(again.headers.get("www-authenticate"), "error=\"invalid_token\"")
      const second = yield* send(listen(yield* issuer.mint()))
      assert.strictEqual(second.status, 200)
      yield* Effect.promise(() => Promise.all([first.body!.cancel(), second.body!.cancel()]))
    }))

  it.effect("a stream that watches resources requires their scopes", () =>
    Effect.gen(function*() {
      const { issuer, send } = yield* start
      const watched = { resourceSubscriptions: ["todo://items/1", "todo://about"] }
      const rejected = yield* send(listen(yield* issuer.mint({ scopes: ["todos:read"] }), watched))
      assert.strictEqual(rejected.status, 403)
      const admitted = yield* send(listen(yield* issuer.mint({ scopes: ["todos:read", "todos:write"] }), watched))
      assert.strictEqual(admitted.status, 200)
      yield* Effect.promise(() => admitted.body!.cancel())
    }))

  it.effect("CHAL-17 every request checks the expiry of its token", () =>
    Effect.gen(function*() {
      const { issuer, send } = yield* start
      const token = yield* issuer.mint({ scopes: ["todos:read"], expiresIn: "1 minute" })
      assert.strictEqual((yield* send(Mcp.call("list", { token }))).status, 200)
      yield* TestClock.adjust("59 seconds")
      assert.strictEqual((yield* send(Mcp.call("list", { token }))).status, 200)
      assert.strictEqual((yield* send(Mcp.call("add", { token }))).status, 403)
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* send(Mcp.call("list", { token }))).status, 401)
      assert.strictEqual((yield* send(Mcp.call("add", { token }))).status, 401)
    }))
})
