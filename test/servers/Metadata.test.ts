import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Layer, Logger } from "effect"
import { AuthError, type AuthLayer } from "effect-mcp-auth"
import { TestIssuer } from "effect-mcp-auth/testing"
import { HttpClient, HttpRouter, HttpServerResponse } from "effect/http"
import { authLayer } from "./gates.ts"
import * as Host from "./Host.ts"
import * as TodoServer from "./TodoServer.ts"

const inserted = "/.well-known/oauth-protected-resource/mcp"
const root = "/.well-known/oauth-protected-resource"

const auth = (
  resource: string,
  options: Omit<AuthLayer.Common<readonly ["a"]>, "scopes"> = {},
  authorizationServers: AuthLayer.Options<readonly ["a"]>["authorizationServers"] & {} = ["https://issuer.test"]
) => authLayer({ resource, authorizationServers, ...options, scopes: ["a"] })

const client = Layer.effect(HttpClient.HttpClient, Effect.map(TestIssuer.make(), ({ client }) => client))

/** One route for each authentication layer: `path` behind the first layer, `path` + `1` behind the second, and so on. */
const behind = (path: `/${string}`, ...layers: ReadonlyArray<ReturnType<typeof auth>>) =>
  Layer.mergeAll(
    Layer.empty,
    ...layers.map((layer, i) =>
      HttpRouter.add("GET", `${path}${i === 0 ? "" : i}`, HttpServerResponse.text("in")).pipe(Layer.provide(layer))
    )
  ).pipe(Layer.provide(client))

const quiet = Effect.provide(Logger.layer([]))

/** The layers that both `web` and `node` of `Host.ts` accept. */
type App<E> = Parameters<typeof Host.web<E>>[0]

describe.each(["web", "node"] as const)("The metadata documents, %s", (kind) => {
  const start = <E>(app: App<E>) => quiet(Host.hosts[kind](app))

  const get = (host: Host.Host, path: string, method = "GET", headers: Host.Sent["headers"] = []) =>
    host.send({ method, path, headers })

  const failure = <E>(app: App<E>) =>
    Effect.map(
      Effect.exit(start(app)),
      (exit) => Exit.isFailure(exit) ? exit.cause.reasons.filter(Cause.isFailReason).map(({ error }) => error) : []
    )

  it.live("PRM-08 PRM-17 PRM-18 GET without a token: 200, JSON, the resource and the issuers as configured", () =>
    Effect.gen(function*() {
      const host = yield* start(behind("/mcp", auth("https://server.test/mcp")))
      for (const path of [inserted, root]) {
        const { body, headers, status } = yield* get(host, path)
        assert.strictEqual(status, 200)
        assert.match(headers["content-type"]!, /^application\/json/)
        assert.strictEqual(headers["access-control-allow-origin"], "*")
        assert.strictEqual(headers["cache-control"], "public, max-age=3600")
        assert.isUndefined(headers["www-authenticate"])
        assert.deepStrictEqual(JSON.parse(body), {
          resource: "https://server.test/mcp",
          authorization_servers: ["https://issuer.test"],
          scopes_supported: ["a"],
          bearer_methods_supported: ["header"]
        })
      }
    }))

  it.live("PRM-09 PRM-18 with everything configured: name, documentation, several issuers in their order", () =>
    Effect.gen(function*() {
      const host = yield* start(behind(
        "/mcp",
        auth(
          "https://server.test/mcp",
          { resourceName: "Todos", resourceDocumentation: "https://server.test/docs" },
          ["https://issuer.test/tenant/", { issuer: "https://b.test", tokenIssuers: ["urn:b"] }]
        )
      ))
      const { body } = yield* get(host, inserted)
      assert.deepStrictEqual(JSON.parse(body), {
        resource: "https://server.test/mcp",
        authorization_servers: ["https://issuer.test/tenant/", "https://b.test"],
        scopes_supported: ["a"],
        bearer_methods_supported: ["header"],
        resource_name: "Todos",
        resource_documentation: "https://server.test/docs"
      })
    }))

  it.live("PRM-13 HEAD: 200, the same headers, no body", () =>
    Effect.gen(function*() {
      const host = yield* start(behind("/mcp", auth("https://server.test/mcp")))
      for (const path of [inserted, root]) {
        const withBody = yield* get(host, path)
        const head = yield* get(host, path, "HEAD")
        assert.strictEqual(head.status, 200)
        assert.strictEqual(head.body, "")
        const { date: _, ...headers } = head.headers
        const { date: __, ...expected } = withBody.headers
        assert.deepStrictEqual(headers, expected)
      }
    }))

  it.live("OPTIONS: a preflight of any origin is answered", () =>
    Effect.gen(function*() {
      const host = yield* start(behind("/mcp", auth("https://server.test/mcp")))
      for (const path of [inserted, root]) {
        const { body, headers, status } = yield* get(host, path, "OPTIONS", [
          ["origin", "https://anywhere.test"],
          ["access-control-request-method", "GET"],
          ["access-control-request-headers", "mcp-protocol-version"]
        ])
        assert.deepStrictEqual([status, body], [204, ""])
        assert.strictEqual(headers["access-control-allow-origin"], "*")
        assert.strictEqual(headers["access-control-allow-methods"], "GET, HEAD")
        assert.strictEqual(headers["access-control-allow-headers"], "*")
      }
    }))

  it.live("PRM-17 any origin may read it, also with a bad token", () =>
    Effect.gen(function*() {
      const host = yield* start(behind("/mcp", auth("https://server.test/mcp")))
      const headers = [["origin", "https://anywhere.test"], ["authorization", "Bearer a b c"]] as const
      for (const path of [inserted, root]) assert.strictEqual((yield* get(host, path, "GET", headers)).status, 200)
    }))

  it.live.each(["POST", "PUT", "PATCH", "DELETE"])("PRM-11 %s: 405 with Allow", (method) =>
    Effect.gen(function*() {
      const host = yield* start(behind("/mcp", auth("https://server.test/mcp")))
      for (const path of [inserted, root]) {
        const { headers, status } = yield* get(host, path, method)
        assert.deepStrictEqual([status, headers["allow"]], [405, "GET, HEAD, OPTIONS"])
      }
    }))

  it.live("PRM-14 other paths fall through to the application", () =>
    Effect.gen(function*() {
      const own = HttpRouter.add("GET", "/.well-known/other", HttpServerResponse.text("mine"))
      const host = yield* start(Layer.mergeAll(behind("/mcp", auth("https://server.test/mcp")), own))
      assert.strictEqual((yield* get(host, "/.well-known/other")).body, "mine")
      const unknown = [
        `${inserted}/x`,
        `${root}/other`,
        `${root}x`,
        "/.well-known",
        "/.well-known/oauth-authorization-server"
      ]
      for (const path of unknown) assert.strictEqual((yield* get(host, path)).status, 404, path)
    }))

  it.live("PRM-01 PRM-02 a resource without a path: the root document is its only one", () =>
    Effect.gen(function*() {
      for (const resource of ["https://server.test", "https://server.test/"]) {
        const host = yield* start(behind("/mcp", auth(resource)))
        const { body, status } = yield* get(host, root)
        assert.deepStrictEqual([status, JSON.parse(body).resource], [200, resource])
        assert.strictEqual((yield* get(host, inserted)).status, 404)
      }
    }))

  it.live("PRM-05 a trailing slash of the resource is kept", () =>
    Effect.gen(function*() {
      const host = yield* start(behind("/mcp", auth("https://server.test/api/v1/")))
      const { body, status } = yield* get(host, `${root}/api/v1/`)
      assert.deepStrictEqual([status, JSON.parse(body).resource], [200, "https://server.test/api/v1/"])
    }))

  it.live("a path with a colon, an escape or the form of a parameter is served unchanged", () =>
    Effect.gen(function*() {
      const paths = [
        "/a:b",
        "/:id",
        "/a%20b/c",
        "/a::b",
        "/(x)",
        "/100%25",
        "/%25zz",
        "/%C3%A4",
        "/A/B",
        "/a+b&c=d@e,f"
      ]
      for (const path of paths) {
        const host = yield* start(behind("/mcp", auth(`https://server.test${path}`)))
        const { body, status } = yield* get(host, root + path)
        assert.strictEqual(status, 200, path)
        assert.strictEqual(JSON.parse(body).resource, `https://server.test${path}`)
        assert.strictEqual((yield* get(host, `${root}/anything`)).status, 404)
      }
    }))

  it.live("a path that no request can reach fails with an AuthConfigError", () =>
    Effect.gen(function*() {
      for (const path of ["/%2A", "/a;b", "/a%2Fb", "/a%3fb", "/%E4", "/%zz"]) {
        const [error] = yield* failure(behind("/mcp", auth(`https://server.test${path}`)))
        assert.instanceOf(error, AuthError.AuthConfigError, path)
        assert.deepStrictEqual([error?.reason, error?.option], ["malformed", "resource"])
      }
    }))

  it.live("PRM-17 stays public when the layer is provided inside another middleware", () =>
    Effect.gen(function*() {
      const closed = HttpRouter.middleware((app) => Effect.as(app, HttpServerResponse.empty({ status: 418 })))
      const host = yield* start(
        behind("/mcp", auth("https://server.test/mcp")).pipe(Layer.provide(closed.layer))
      )
      assert.strictEqual((yield* get(host, "/mcp")).status, 418)
      for (const path of [inserted, root]) assert.strictEqual((yield* get(host, path)).status, 200)
    }))

  it.live("PRM-15 two layers on one router: each has its own document, the root belongs to the first", () =>
    Effect.gen(function*() {
      const host = yield* start(behind("/mcp", auth("https://server.test/a"), auth("https://server.test/b")))
      const resourceAt = (path: string) =>
        Effect.map(get(host, path), ({ body }) => (JSON.parse(body) as { readonly resource: string }).resource)
      assert.strictEqual(yield* resourceAt(`${root}/a`), "https://server.test/a")
      assert.strictEqual(yield* resourceAt(`${root}/b`), "https://server.test/b")
      assert.strictEqual(yield* resourceAt(root), "https://server.test/a")
      for (const [path, metadata] of [["/mcp", "/a"], ["/mcp1", "/b"]] as const) {
        const { headers } = yield* get(host, path)
        assert.include(headers["www-authenticate"], `resource_metadata="https://server.test${root}${metadata}"`)
      }
    }))

  it.live("two layers for the same resource on one router fail with an AuthConfigError", () =>
    Effect.gen(function*() {
      const [error] = yield* failure(behind("/mcp", auth("https://server.test/mcp"), auth("https://server.test/mcp")))
      assert.instanceOf(error, AuthError.AuthConfigError)
      assert.deepStrictEqual([error?.reason, error?.option], ["duplicate", "resource"])
      assert.include(error?.fix, "https://server.test/mcp")
    }))

  it.live("two layers whose documents would have one path fail: a path, and the bare origin after it", () =>
    Effect.gen(function*() {
      const [error] = yield* failure(behind("/mcp", auth("https://server.test/mcp"), auth("https://server.test")))
      assert.instanceOf(error, AuthError.AuthConfigError)
      assert.deepStrictEqual([error?.reason, error?.option], ["duplicate", "resource"])
      // If the layer for the bare origin comes first, each document has a separate path.
      const host = yield* start(behind("/mcp", auth("https://server.test"), auth("https://server.test/mcp")))
      assert.strictEqual(JSON.parse((yield* get(host, root)).body).resource, "https://server.test")
      assert.strictEqual(JSON.parse((yield* get(host, inserted)).body).resource, "https://server.test/mcp")
    }))

  it.live("one layer that is provided twice counts once", () =>
    Effect.gen(function*() {
      const shared = auth("https://server.test/mcp")
      const host = yield* start(
        Layer.mergeAll(
          HttpRouter.add("GET", "/a", HttpServerResponse.text("a")).pipe(Layer.provide(shared)),
          HttpRouter.add("GET", "/b", HttpServerResponse.text("b")).pipe(Layer.provide(shared))
        ).pipe(Layer.provide(client))
      )
      for (const path of ["/a", "/b"]) assert.strictEqual((yield* get(host, path)).status, 401)
      assert.strictEqual((yield* get(host, inserted)).status, 200)
    }))

  it.live("is at exactly the URL that the challenge names", () =>
    Effect.gen(function*() {
      const host = yield* start(
        TodoServer.make().layer.pipe(
          Layer.provide(TodoServer.auth("https://issuer.test")),
          Layer.provide(client)
        )
      )
      const rejected = yield* host.send({ method: "POST", path: "/mcp" })
      const url = new URL(/resource_metadata="([^"]+)"/.exec(rejected.headers["www-authenticate"]!)![1]!)
      const { body } = yield* get(host, url.pathname)
      assert.deepStrictEqual(JSON.parse(body), {
        resource: TodoServer.resource,
        authorization_servers: ["https://issuer.test"],
        scopes_supported: ["todos:read"],
        bearer_methods_supported: ["header"]
      })
    }))
})
