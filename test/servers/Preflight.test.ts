import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger } from "effect"
import { TestIssuer } from "effect-mcp-auth/testing"
import { HttpClient, HttpRouter, HttpServerResponse } from "effect/http"
import * as Host from "./Host.ts"
import * as Mcp from "./Mcp.ts"
import * as TodoServer from "./TodoServer.ts"

const origin = "https://server.test"

const asking = [["origin", origin], ["access-control-request-method", "POST"]] as const

describe.each(["web", "node"] as const)("OPTIONS, %s", (kind) => {
  const start = Effect.gen(function*() {
    const { client, issuer } = yield* TestIssuer.make({ resource: TodoServer.resource })
    const ran: Array<string> = []
    const route = (name: string) =>
      Effect.sync(() => {
        ran.push(name)
        return HttpServerResponse.text(name)
      })
    const routes = Layer.mergeAll(
      HttpRouter.add("OPTIONS", "/options", route("options")),
      HttpRouter.add("*", "/any", route("any")),
      HttpRouter.add("GET", "/get", route("get")),
      TodoServer.make().layer
    )
    const host = yield* Host.hosts[kind](
      routes.pipe(
        Layer.provide(TodoServer.auth(issuer.issuer)),
        Layer.provide(Layer.succeed(HttpClient.HttpClient, client))
      )
    )
    const options = (path: string, headers: Host.Sent["headers"]) => host.send({ method: "OPTIONS", path, headers })
    return { issuer, options, ran }
  }).pipe(Effect.provide(Logger.layer([])))

  it.live("[T-AUD-02a] the gate answers a preflight, on a route for OPTIONS, for every method, and of the MCP server", () =>
    Effect.gen(function*() {
      const { issuer, options, ran } = yield* start
      const token = yield* issuer.mint()
      for (const path of ["/options", "/any", "/mcp"]) {
        for (const more of [[], Mcp.bearer(token)]) {
          const { body, headers, status } = yield* options(path, [...asking, ...more])
          assert.deepStrictEqual([status, body, headers["access-control-allow-origin"]], [204, "", origin], path)
          assert.strictEqual(headers["access-control-allow-methods"], "GET, HEAD, POST, PUT, PATCH, DELETE")
          assert.notProperty(headers, "www-authenticate")
          assert.notProperty(headers, "access-control-allow-credentials")
        }
      }
      assert.deepStrictEqual(ran, [])
    }))

  it.live("[T-AUD-02a] a route for OPTIONS outside the layer answers preflights itself", () =>
    Effect.gen(function*() {
      const own = HttpRouter.add("OPTIONS", "/own", HttpServerResponse.text("own"))
      const host = yield* Host.hosts[kind](own)
      const { body } = yield* host.send({ method: "OPTIONS", path: "/own", headers: asking })
      assert.strictEqual(body, "own")
    }))

  it.live("an OPTIONS request that is not a preflight needs a token", () =>
    Effect.gen(function*() {
      const { issuer, options, ran } = yield* start
      const token = yield* issuer.mint()
      const others = [[], [["origin", origin]], [["access-control-request-method", "POST"]]] as const
      for (const headers of others) {
        for (const path of ["/options", "/any", "/mcp"]) {
          assert.strictEqual((yield* options(path, headers)).status, 401, path)
        }
      }
      assert.deepStrictEqual(ran, [])
      assert.strictEqual((yield* options("/options", Mcp.bearer(token))).body, "options")
      assert.strictEqual((yield* options("/any", Mcp.bearer(token))).body, "any")
    }))

  it.live("a preflight of an origin that is not allowed: 403", () =>
    Effect.gen(function*() {
      const { options, ran } = yield* start
      const foreign = [["origin", "https://evil.test"], ["access-control-request-method", "POST"]] as const
      for (const path of ["/options", "/any", "/mcp"]) {
        const received = yield* options(path, foreign)
        assert.deepStrictEqual([received.status, received.headers["www-authenticate"]], [403, undefined])
      }
      assert.deepStrictEqual(ran, [])
    }))

  it.live("a path without a route stays 404", () =>
    Effect.gen(function*() {
      const { options } = yield* start
      assert.strictEqual((yield* options("/nowhere", asking)).status, 404)
      assert.strictEqual((yield* options("/get", asking)).status, 404)
    }))

  it.live("behind the router's own CORS a page of an allowed origin gets its preflight, and reads the challenge", () =>
    Effect.gen(function*() {
      const app = "https://app.test"
      const host = yield* Host.hosts[kind](
        Layer.mergeAll(
          TodoServer.make().layer.pipe(
            Layer.provide(TodoServer.auth("https://issuer.test", { allowedOrigins: [app] })),
            Layer.provide(Layer.effect(HttpClient.HttpClient, Effect.map(TestIssuer.make(), ({ client }) => client)))
          ),
          HttpRouter.cors({ allowedOrigins: [app], allowedMethods: ["POST"], allowedHeaders: ["authorization"] })
        )
      )
      const preflight = yield* host.send({
        method: "OPTIONS",
        path: "/mcp",
        headers: [["origin", app], ["access-control-request-method", "POST"]]
      })
      assert.deepStrictEqual([preflight.status, preflight.headers["access-control-allow-origin"]], [204, app])
      const rejected = yield* host.send(Mcp.call("list", { headers: [["origin", app]] }))
      assert.strictEqual(rejected.status, 401)
      assert.strictEqual(rejected.headers["access-control-allow-origin"], app)
      assert.include(rejected.headers["access-control-expose-headers"], "WWW-Authenticate")
      assert.strictEqual(rejected.headers["vary"], "Origin")
    }).pipe(Effect.provide(Logger.layer([]))))
})
