import { NodeHttpServer } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Layer, Result, Scope } from "effect"
import { AuthLayer } from "effect-mcp-auth"
import { FaultProxy, TestIssuer } from "effect-mcp-auth/testing"
import { FetchHttpClient } from "effect/http"
import { createServer } from "node:http"
import { authenticate } from "../authorization/steps.ts"
import { gateLayer } from "../servers/gates.ts"

/** Starts an issuer behind the fault proxy, on a free port. Both run until the scope closes. */
const start = Effect.gen(function*() {
  const node = createServer()
  const scope = yield* Scope.make()
  yield* Effect.addFinalizer(() =>
    Effect.andThen(Effect.sync(() => node.closeAllConnections()), Scope.close(scope, Exit.void))
  )
  const context = yield* FaultProxy.serve({ resource: "http://127.0.0.1:1/mcp" }).pipe(
    Layer.provide(
      NodeHttpServer.layer(() => node, { port: 0, host: "127.0.0.1", gracefulShutdownTimeout: "1 second" })
    ),
    Layer.build,
    Scope.provide(scope)
  )
  const issuer = Context.get(context, TestIssuer.TestIssuer)
  const proxy = Context.get(context, FaultProxy.FaultProxy)
  const get = (path: string, timeout = 10_000) =>
    Effect.promise(() =>
      fetch(`${issuer.issuer}${path}`, { signal: AbortSignal.timeout(timeout), redirect: "manual" }).then(
        async (response) => ({
          status: response.status,
          contentType: response.headers.get("content-type"),
          body: await response.text()
        }),
        (error: Error) => error.name === "TimeoutError" ? "timeout" : "closed"
      ).catch((error: Error) => error.name === "TimeoutError" ? "late" : "cut")
    )
  return { issuer, proxy, get }
})

const path = "/.well-known/oauth-authorization-server"

describe("the fault proxy", () => {
  it.live("forwards requests without a fault, and records them", () =>
    Effect.gen(function*() {
      const { get, issuer, proxy } = yield* start
      const answer = yield* get(path)
      assert.strictEqual(typeof answer === "object" && JSON.parse(answer.body).issuer, issuer.issuer)
      assert.deepStrictEqual(yield* proxy.takeReceived, [path])
      assert.deepStrictEqual(yield* proxy.received, [])
    }))

  it.live("applies its fault to responses", () =>
    Effect.gen(function*() {
      const { get, proxy } = yield* start
      const getWith = (fault: FaultProxy.Fault, timeout?: number) =>
        Effect.gen(function*() {
          yield* proxy.clear
          yield* proxy.set(fault, ".well-known")
          return yield* get(path, timeout)
        })
      const getStatus = (response: Effect.Success<ReturnType<typeof getWith>>) =>
        typeof response === "string" ? response : response.status
      assert.strictEqual(yield* getWith({ _tag: "Hang" }, 400), "timeout")
      assert.strictEqual(yield* getWith({ _tag: "Reset" }), "closed")
      const half = yield* getWith({ _tag: "Truncate" })
      assert.isTrue(half === "closed" || half === "cut")
      assert.strictEqual(yield* getWith({ _tag: "Drip", every: "20 millis" }, 2000), "late")
      assert.strictEqual(getStatus(yield* getWith({ _tag: "Latency", by: "50 millis" })), 200)
      assert.strictEqual(getStatus(yield* getWith({ _tag: "Status", status: 503 })), 503)
      assert.strictEqual(
        getStatus(yield* getWith({ _tag: "Status", status: 302, headers: { location: "https://evil.test" } })),
        302
      )
      const giant = yield* getWith({ _tag: "Giant", bytes: 3 * 1024 * 1024 })
      assert.isAtLeast(typeof giant === "object" ? giant.body.length : 0, 3 * 1024 * 1024)
      const portal = yield* getWith({ _tag: "Replace", body: "<html>", contentType: "text/html" })
      assert.strictEqual(typeof portal === "object" ? portal.body : "", "<html>")
      const html = yield* getWith({ _tag: "ContentType", contentType: "text/html" })
      assert.strictEqual(typeof html === "object" ? html.contentType : undefined, "text/html")
      // The fault applies only to `.well-known` URLs, so `/jwks` works. After `clear`, `path` works, too.
      assert.strictEqual(getStatus(yield* get("/jwks")), 200)
      yield* proxy.clear
      assert.strictEqual(getStatus(yield* get(path)), 200)
    }))

  it.live("causes 503 at a gate without keys, and does not affect a gate with cached keys", () =>
    Effect.gen(function*() {
      const { issuer, proxy } = yield* start
      const token = yield* issuer.mint({ scopes: ["todos:read"] })
      const gate = Effect.map(
        Layer.build(
          gateLayer({
            resource: "http://127.0.0.1:1/mcp",
            authorizationServers: [issuer.issuer],
            scopes: ["todos:read"]
          }).pipe(Layer.provide(FetchHttpClient.layer))
        ),
        (context) => {
          const gate = Context.get(context, AuthLayer.AuthLayer)
          return Effect.map(
            Effect.result(
              authenticate(gate, {
                method: "POST",
                header: () => undefined,
                host: ["localhost"],
                authorization: [`Bearer ${token}`]
              })
            ),
            (_) => Result.isSuccess(_) ? 200 : _.failure.status
          )
        }
      )
      const warm = yield* gate
      assert.strictEqual(yield* warm, 200)
      for (
        const fault of [
          { _tag: "Reset" },
          { _tag: "Truncate" },
          { _tag: "Giant", bytes: 3 * 1024 * 1024 },
          { _tag: "ContentType", contentType: "text/html" },
          { _tag: "Status", status: 500 },
          { _tag: "Status", status: 404 }
        ] as const
      ) {
        yield* proxy.clear
        yield* proxy.set(fault)
        assert.strictEqual(yield* (yield* gate), 503, fault._tag)
        assert.strictEqual(yield* warm, 200, fault._tag)
        yield* proxy.clear
        assert.strictEqual(yield* (yield* gate), 200, fault._tag)
      }
    }))
})
