import { NodeHttpServer } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Scope } from "effect"
import { Principal } from "effect-mcp-auth"
import { McpAuthFetch } from "effect-mcp-auth/fetch"
import { McpAuthNode } from "effect-mcp-auth/node"
import { McpAuthSdk as SdkV1 } from "effect-mcp-auth/sdk-v1"
import { McpAuthSdk as SdkV2 } from "effect-mcp-auth/sdk-v2"
import { TestIssuer } from "effect-mcp-auth/testing"
import { HttpClient, HttpRouter, HttpServerResponse } from "effect/http"
import { TestClock } from "effect/testing"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { authLayer, fetcherWith } from "./gates.ts"

const Whoami = HttpRouter.add("GET", "/mcp", Effect.map(Principal, (_) => HttpServerResponse.text(_.subject ?? "")))

/** A server and its issuer. `eager`: the server waits for `Auth.ready`, as the documentation of `ready` shows. */
const program = Effect.fnUntraced(function*(start: "eager" | "lazy") {
  yield* TestClock.setTime(1_800_000_000_000)
  const { client, issuer } = yield* TestIssuer.make()
  const node = createServer()
  const Auth = authLayer({
    resource: "https://server.test/mcp",
    authorizationServers: [issuer.issuer],
    scopes: ["todos:read"]
  })
  const Client = Layer.succeed(HttpClient.HttpClient, client)
  const Server = HttpRouter.serve(Whoami.pipe(Layer.provide(Auth)), { disableLogger: true, disableListenLog: true })
    .pipe(
      Layer.provide(NodeHttpServer.layer(() => node, { port: 0, host: "127.0.0.1" }))
    )
  const Main = (start === "eager" ? Server.pipe(Layer.provide(Auth.ready)) : Server).pipe(
    Layer.provide(Client)
  )
  const scope = yield* Scope.make()
  yield* Effect.addFinalizer(() =>
    Effect.andThen(Effect.sync(() => node.closeAllConnections()), Scope.close(scope, Exit.void))
  )
  const get = (token: string) =>
    Effect.promise(() =>
      fetch(`http://127.0.0.1:${(node.address() as AddressInfo).port}/mcp`, {
        headers: { authorization: `Bearer ${token}`, connection: "close" }
      }).then(async (response) => ({ status: response.status, body: await response.text() }))
    )
  return { issuer, node, get, build: Scope.provide(Layer.build(Main), scope) }
})

describe("the start", () => {
  it.effect("is lazy: sends no request before the first token", () =>
    Effect.gen(function*() {
      const { build, get, issuer, node } = yield* program("lazy")
      yield* issuer.fail({ _tag: "Hang" })
      yield* build
      assert.isTrue(node.listening)
      assert.deepStrictEqual(yield* issuer.requests, [])
      yield* issuer.recover
      assert.deepStrictEqual(yield* get(yield* issuer.mint()), { status: 200, body: "alice" })
      assert.strictEqual((yield* issuer.requests).length, 2)
    }))

  it.effect("is eager with ready, and the first token uses the keys that it fetched", () =>
    Effect.gen(function*() {
      const { build, get, issuer } = yield* program("eager")
      yield* build
      assert.strictEqual((yield* issuer.takeRequests).length, 2)
      yield* issuer.fail({ _tag: "Status", status: 500 })
      assert.deepStrictEqual(yield* get(yield* issuer.mint()), { status: 200, body: "alice" })
      assert.deepStrictEqual(yield* issuer.requests, [])
    }))

  it.effect("an eager start listens only after the keys are fetched, so no request waits for the layer", () =>
    Effect.gen(function*() {
      const { build, get, issuer, node } = yield* program("eager")
      yield* issuer.fail({ _tag: "Slow", by: "3 seconds" }, "/jwks")
      const building = yield* Effect.forkChild(build, { startImmediately: true })
      yield* TestClock.adjust("2 seconds")
      assert.isFalse(node.listening)
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(building)
      assert.isTrue(node.listening)
      assert.deepStrictEqual(yield* get(yield* issuer.mint()), { status: 200, body: "alice" })
    }))

  const faults = [
    { fault: { _tag: "Status", status: 500 }, tag: "AuthorizationServerUnavailable" },
    { fault: { _tag: "Reject" }, tag: "AuthorizationServerUnavailable" },
    { fault: { _tag: "Hang" }, tag: "AuthorizationServerUnavailable" },
    { fault: { _tag: "Status", status: 404 }, tag: "InvalidMetadata" },
    { fault: { _tag: "Body", body: "{\"keys\":[]}", contentType: "application/json" }, tag: "InvalidMetadata" }
  ] as const

  it.effect.each(faults)("an eager start fails, without listening, for %j", ({ fault, tag }) =>
    Effect.gen(function*() {
      for (const where of ["", "/jwks"]) {
        const { build, issuer, node } = yield* program("eager")
        yield* issuer.fail(fault, where)
        const building = yield* Effect.forkChild(Effect.flip(build), { startImmediately: true })
        yield* TestClock.adjust("13 seconds")
        assert.strictEqual((yield* Fiber.join(building))._tag, tag)
        assert.isFalse(node.listening)
      }
    }))
})

describe("gate.ready of hosts outside Effect", () => {
  interface Options {
    readonly resource: string
    readonly authorizationServers: readonly [string]
    readonly scopes: readonly ["todos:read"]
    readonly layer: ReturnType<typeof fetcherWith>
  }
  type Make = (options: Options) => Promise<AsyncDisposable & Pick<McpAuthFetch.McpAuthFetch<string>, "gate">>
  const makers: ReadonlyArray<readonly [host: string, make: Make]> = [
    ["fetch", (options) => McpAuthFetch.make(options)],
    ["node:http", (options) => McpAuthNode.make(options)],
    ["SDK v1", (options) => SdkV1.make(options)],
    ["SDK v2", (options) => SdkV2.make(options)]
  ]

  it.each(makers)("fetches the keys before the first token, and fails during an outage: %s", async (_, make) => {
    const { client, issuer } = await Effect.runPromise(TestIssuer.make())
    const options: Options = {
      resource: "https://server.test/mcp",
      authorizationServers: [issuer.issuer],
      scopes: ["todos:read"],
      layer: fetcherWith(client)
    }
    await using auth = await make(options)
    assert.deepStrictEqual(await Effect.runPromise(issuer.requests), [])
    await Effect.runPromise(auth.gate.ready)
    assert.strictEqual((await Effect.runPromise(issuer.requests)).length, 2)

    await Effect.runPromise(issuer.goDown())
    await using other = await make(options)
    assert.isTrue(Exit.isFailure(await Effect.runPromiseExit(other.gate.ready)))
  })
})
