/**
 * Tests a whole server whose authorization server is behind the fault proxy. Every connection is a real socket; the test
 * clock makes hours pass at once.
 */
import { NodeHttpServer } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Fiber, Layer } from "effect"
import { FaultProxy, TestIssuer } from "effect-mcp-auth/testing"
import { FetchHttpClient, HttpClient } from "effect/http"
import { TestClock } from "effect/testing"
import { createServer } from "node:http"
import * as Running from "../threats/Running.ts"

const { assertInvalidToken, assertUnavailable, bearer, resultOf } = Running

const start = Effect.gen(function*() {
  yield* TestClock.setTime(Running.now * 1000)
  const node = createServer()
  const provider = yield* Layer.build(
    FaultProxy.serve().pipe(
      Layer.provide(
        NodeHttpServer.layerServer(() => node, { host: "127.0.0.1", port: 0 })
      )
    )
  )
  // Runs before the node:http server closes. Otherwise, closing would wait for open requests until a timeout that the test
  // clock never reaches.
  yield* Effect.addFinalizer(() => Effect.sync(() => node.closeAllConnections()))
  const issuer = Context.get(provider, TestIssuer.TestIssuer)
  const proxy = Context.get(provider, FaultProxy.FaultProxy)
  const client = yield* HttpClient.HttpClient.pipe(Effect.provide(FetchHttpClient.layer))
  const server = yield* Running.start({ authorizationServers: [issuer.issuer], client: () => client })
  return {
    issuer,
    proxy,
    server,
    mint: (options: TestIssuer.TokenOptions = {}) =>
      issuer.mint({ audience: server.resource, scopes: ["todos:read"], expiresIn: "72 hours", ...options }),
    call: (token: string) => server.call("list_todos", bearer(token)),
    /** Waits until this many requests have reached the proxy. */
    arrivals: (count: number) =>
      Running.until(`request ${count}`, () => Effect.runSync(proxy.received).length === count),
    takeDocuments: Effect.map(
      proxy.takeReceived,
      (paths) => paths.map((path) => path.includes("/jwks") ? "keys" : "metadata")
    )
  }
})

const documents = [{ where: "/jwks", document: "keys" }, { where: ".well-known", document: "metadata" }] as const

const atOnce: ReadonlyArray<FaultProxy.Fault> = [
  { _tag: "Status", status: 503 },
  { _tag: "Status", status: 404 },
  { _tag: "Status", status: 302, headers: { location: "/elsewhere" } },
  { _tag: "Reset" },
  { _tag: "Truncate" },
  { _tag: "Giant", bytes: 3 * 1024 * 1024 },
  { _tag: "Replace", body: "<html>", contentType: "text/html" },
  { _tag: "Replace", body: "{}", contentType: "application/json" },
  { _tag: "ContentType", contentType: "text/html" }
]

describe("a provider that fails at once", () => {
  it.effect.each(documents.flatMap(({ where }) => atOnce.map((fault) => ({ where, fault }))))(
    "$fault at $where: 503 without cached documents, no effect with them, and recovery after the backoff",
    ({ fault, where }) =>
      Effect.gen(function*() {
        const { call, mint, proxy, takeDocuments } = yield* start
        const token = yield* mint()
        yield* proxy.set(fault, where)
        assertUnavailable(yield* call(token))
        const first = yield* takeDocuments
        assert.isAtMost(first.length, 2)
        // No request is sent during the backoff.
        assertUnavailable(yield* call(token))
        assert.deepStrictEqual(yield* takeDocuments, [])
        yield* proxy.clear
        yield* TestClock.adjust("2 minutes")
        resultOf(yield* call(token))
        yield* proxy.set(fault, where)
        for (const hours of [1, 10, 12]) {
          yield* TestClock.adjust(`${hours} hours`)
          resultOf(yield* call(token))
        }
        // Each of the three calls causes at most three requests: one for each of the two metadata URLs, and one for the keys.
        // Two more requests are tolerated.
        assert.isAtMost((yield* takeDocuments).length, 3 * 3 + 2)
      })
  )
})

const slow: ReadonlyArray<FaultProxy.Fault> = [{ _tag: "Hang" }, { _tag: "Drip", every: "100 millis" }, {
  _tag: "Latency",
  by: "1 minute"
}]

describe("a slow provider", () => {
  it.effect.each(documents.flatMap(({ document, where }) => slow.map((fault) => ({ where, document, fault }))))(
    "$fault at $where: 503 after the time limit without cached documents, one fetch for concurrent calls, and no effect with them",
    ({ document, fault, where }) =>
      Effect.gen(function*() {
        const { arrivals, call, mint, proxy, takeDocuments } = yield* start
        const token = yield* mint()
        yield* proxy.set(fault, where)
        const waiting = yield* Effect.forEach(
          Array.from({ length: 20 }),
          () => Effect.forkChild(call(token), { startImmediately: true })
        )
        // The fetch of one document times out after five seconds. Metadata has two URLs, and both together get eight seconds.
        if (document === "metadata") {
          yield* arrivals(1)
          yield* TestClock.adjust("5 seconds")
        }
        yield* arrivals(2)
        yield* TestClock.adjust(document === "keys" ? "5 seconds" : "3 seconds")
        for (const fiber of waiting) assertUnavailable(yield* Fiber.join(fiber))
        assert.deepStrictEqual(yield* takeDocuments, ["metadata", document])
        yield* proxy.clear
        yield* TestClock.adjust("2 minutes")
        resultOf(yield* call(token))
        // After eight minutes the cached documents are refreshed in the background, so the call does not wait for the slow
        // authorization server.
        yield* proxy.set(fault, where)
        yield* TestClock.adjust("8 minutes")
        resultOf(yield* call(token))
      })
  )

  it.effect("slower than usual, but faster than five seconds: one fetch serves all calls", () =>
    Effect.gen(function*() {
      const { arrivals, call, mint, proxy, takeDocuments } = yield* start
      const token = yield* mint()
      yield* proxy.set({ _tag: "Latency", by: "2 seconds" })
      const waiting = yield* Effect.forEach(
        Array.from({ length: 20 }),
        () => Effect.forkChild(call(token), { startImmediately: true })
      )
      for (const count of [1, 2]) {
        yield* arrivals(count)
        yield* TestClock.adjust("2 seconds")
      }
      for (const fiber of waiting) resultOf(yield* Fiber.join(fiber))
      assert.deepStrictEqual(yield* takeDocuments, ["metadata", "keys"])
    }))
})

describe("a provider that changes", () => {
  it.effect("its key: the new one serves at once, and the old one until the refresh after it was withdrawn", () =>
    Effect.gen(function*() {
      const { call, issuer, mint, server, takeDocuments } = yield* start
      const old = yield* mint()
      resultOf(yield* call(old))
      yield* takeDocuments
      yield* issuer.rotateKeys
      resultOf(yield* call(yield* mint()))
      assert.deepStrictEqual(yield* takeDocuments, ["keys"])
      yield* issuer.withdrawOldKeys
      resultOf(yield* call(old))
      yield* TestClock.adjust("10 minutes")
      assertInvalidToken(server, yield* call(old))
      resultOf(yield* call(yield* mint()))
    }))

  it.effect("its clock: tokens are accepted 20 seconds ahead, and rejected two minutes ahead", () =>
    Effect.gen(function*() {
      const { call, issuer, mint, server } = yield* start
      const notBefore = (seconds: number) => mint({ claims: { nbf: Running.now + seconds } })
      yield* issuer.skewClock("20 seconds")
      resultOf(yield* call(yield* notBefore(20)))
      yield* issuer.skewClock("2 minutes")
      const early = yield* notBefore(120)
      assertInvalidToken(server, yield* call(early))
      yield* TestClock.adjust("2 minutes")
      resultOf(yield* call(early))
    }))

  it.effect("its jwks_uri: followed after the refresh", () =>
    Effect.gen(function*() {
      const { call, issuer, mint, proxy } = yield* start
      const token = yield* mint()
      resultOf(yield* call(token))
      const { publicJwk } = yield* issuer.currentKey
      yield* issuer.respondWith("/moved", () => Response.json({ keys: [publicJwk] }))
      yield* issuer.publishMetadata({ jwks_uri: `${issuer.issuer}/moved` })
      yield* TestClock.adjust("11 minutes")
      resultOf(yield* call(yield* mint({ subject: "bob" })))
      assert.include(yield* proxy.received, "/moved")
    }))

  it.effect("its issuer: not followed, and the cached documents serve for a day", () =>
    Effect.gen(function*() {
      const { call, issuer, mint, proxy } = yield* start
      const token = yield* mint()
      resultOf(yield* call(token))
      yield* issuer.publishMetadata({ issuer: "https://evil.test", jwks_uri: `${issuer.issuer}/evil` })
      for (const passed of ["11 minutes", "1 hour", "20 hours"] as const) {
        yield* TestClock.adjust(passed)
        resultOf(yield* call(yield* mint({ subject: passed })))
      }
      assert.isFalse((yield* proxy.received).some((path) => path.includes("evil")))
      yield* TestClock.adjust("4 hours")
      assertUnavailable(yield* call(yield* mint({ subject: "late" })))
      assert.isFalse((yield* proxy.received).some((path) => path.includes("evil")))
    }))
})
