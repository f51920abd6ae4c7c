import { assert, describe, it } from "@effect/vitest"
import { Config, ConfigProvider, Context, Effect, Layer, Logger, Schema } from "effect"
import { AuthError, AuthLayer, Principal, requireScopes } from "effect-mcp-auth"
import { McpAuth } from "effect-mcp-auth/mcp"
import { TestIssuer } from "effect-mcp-auth/testing"
import { McpProtocol, Tool, Toolkit } from "effect/ai"
import { HttpClient, HttpRouter, HttpServerResponse } from "effect/http"
import { authLayer } from "../gates.ts"
import * as Host from "../Host.ts"
import * as Mcp from "../Mcp.ts"
import * as TodoServer from "../TodoServer.ts"

const get = (path: string, token?: string, headers: Host.Sent["headers"] = []): Host.Sent => ({
  method: "GET",
  path,
  headers: [...Mcp.bearer(token), ...headers]
})

const quiet = Effect.provide(Logger.layer([]))

describe.each(["web", "node"] as const)("Routes behind the gate, %s", (kind) => {
  const start = Effect.gen(function*() {
    const { client, issuer } = yield* TestIssuer.make({ resource: TodoServer.resource })
    const ran: Array<string> = []
    const run = (name: string) =>
      Effect.map(Principal, ({ subject }) => {
        ran.push(name)
        return HttpServerResponse.text(`${name} of ${subject}`)
      })
    const routes = Layer.mergeAll(
      HttpRouter.add("GET", "/me", run("me")),
      HttpRouter.add("GET", "/list", requireScopes("todos:read")(run("list"))),
      HttpRouter.add("POST", "/add", requireScopes("todos:write")(requireScopes("todos:read")(run("add")))),
      // Here `requireScopes` protects an effect inside the handler, and not the route.
      HttpRouter.add(
        "GET",
        "/inside",
        Effect.gen(function*() {
          ran.push("before")
          return yield* requireScopes("todos:admin")(run("inside"))
        })
      ),
      HttpRouter.add("GET", "/other-error", Effect.die(new Error("a secret of the handler"))),
      HttpRouter.add("*", "/any", run("any"))
    )
    const host = yield* Host.hosts[kind](
      Layer.mergeAll(
        routes.pipe(Layer.provide(TodoServer.auth(issuer.issuer))),
        HttpRouter.add("GET", "/health", HttpServerResponse.text("ok"))
      ).pipe(Layer.provide(Layer.succeed(HttpClient.HttpClient, client)))
    )
    return { host, issuer, ran }
  }).pipe(quiet)

  it.live("a route outside the layer is public, and one inside needs a token", () =>
    Effect.gen(function*() {
      const { host, issuer, ran } = yield* start
      assert.strictEqual((yield* host.send(get("/health"))).body, "ok")
      for (const path of ["/me", "/list", "/inside", "/any"]) {
        const { headers, status } = yield* host.send(get(path))
        assert.strictEqual(status, 401, path)
        assert.strictEqual(
          headers["www-authenticate"],
          `Bearer scope="todos:read", resource_metadata="${TodoServer.metadataUrl}"`
        )
      }
      assert.deepStrictEqual(ran, [])
      const token = yield* issuer.mint({ subject: "alice" })
      assert.strictEqual((yield* host.send(get("/me", token))).body, "me of alice")
      assert.strictEqual((yield* host.send({ ...get("/any", token), method: "DELETE" })).body, "any of alice")
    }))

  it.live("SCOPE-07 CHAL-03 a guarded effect is rejected with 403, its scopes and the granted ones", () =>
    Effect.gen(function*() {
      const { host, issuer, ran } = yield* start
      const token = yield* issuer.mint({ scopes: ["todos:admin"] })
      const list = yield* host.send(get("/list", token))
      assert.strictEqual(list.status, 403)
      assert.include(list.headers["www-authenticate"], "error=\"insufficient_scope\", scope=\"todos:read todos:admin\"")
      assert.deepStrictEqual(JSON.parse(list.body), {
        error: "insufficient_scope",
        error_description: "The access token lacks a scope that this operation needs",
        scope: "todos:read todos:admin"
      })
      assert.deepStrictEqual(ran, [])
      assert.strictEqual((yield* host.send(get("/inside", token))).status, 200)
    }))

  it.live("SCOPE-10 two layers of requirements make one challenge", () =>
    Effect.gen(function*() {
      const { host, issuer, ran } = yield* start
      const add = (token: string) => host.send({ ...get("/add", token), method: "POST" })
      const rejected = yield* add(yield* issuer.mint())
      assert.include(rejected.headers["www-authenticate"], "scope=\"todos:read todos:write\"")
      assert.deepStrictEqual(ran, [])
      assert.strictEqual((yield* add(yield* issuer.mint({ scopes: ["todos:write", "todos:read"] }))).status, 200)
    }))

  it.live("a requirement inside the handler is a 403 as well, after any other effects", () =>
    Effect.gen(function*() {
      const { host, issuer, ran } = yield* start
      const { headers, status } = yield* host.send(get("/inside", yield* issuer.mint()))
      assert.strictEqual(status, 403)
      assert.include(headers["www-authenticate"], "scope=\"todos:admin\"")
      assert.deepStrictEqual(ran, ["before"])
    }))

  it.live("CHAL-10 other failures cause no challenge, and are not revealed", () =>
    Effect.gen(function*() {
      const { host, issuer } = yield* start
      const { body, headers, status } = yield* host.send(get("/other-error", yield* issuer.mint()))
      assert.strictEqual(status, 500)
      assert.isUndefined(headers["www-authenticate"])
      assert.notInclude(body, "secret")
    }))

  it.live("MCP-09 an origin that is not allowed gets 403 on every route", () =>
    Effect.gen(function*() {
      const { host, issuer, ran } = yield* start
      const token = yield* issuer.mint({ scopes: ["todos:read"] })
      const received = yield* host.send(get("/list", token, [["origin", "https://evil.test"]]))
      assert.deepStrictEqual([received.status, received.headers["www-authenticate"]], [403, undefined])
      assert.strictEqual((yield* host.send(get("/list", token, [["origin", "https://server.test"]]))).status, 200)
      assert.deepStrictEqual(ran, ["list"])
    }))
})

class Tenant extends Context.Service<Tenant, { readonly tenant: string; readonly admin: boolean }>()("test/Tenant") {}

const TenantClaims = Schema.Struct({ tenant: Schema.String.check(Schema.isNonEmpty()), admin: Schema.Boolean })

describe("Claims of the author's schema", () => {
  const Where = Tool.make("where", { success: Schema.String, dependencies: [Tenant] })
  const Tools = Toolkit.make(Where)

  const start = Effect.gen(function*() {
    const { client, issuer } = yield* TestIssuer.make({ resource: TodoServer.resource })
    const tenant = Effect.map(Tenant, ({ tenant }) => tenant)
    const app = Layer.mergeAll(
      McpAuth.layerHttp({
        ...TodoServer.make().options,
        protocols: [McpProtocol.v2026_07_28],
        registrations: McpAuth.toolkit(Tools).pipe(Layer.provide(Tools.toLayer({ where: () => tenant })))
      }),
      HttpRouter.add("GET", "/where", Effect.map(tenant, (tenant) => HttpServerResponse.text(tenant)))
    )
    const host = yield* Host.web(app.pipe(
      Layer.provide(authLayer({
        resource: TodoServer.resource,
        authorizationServers: [issuer.issuer],
        scopes: ["a"],
        claims: { service: Tenant, schema: TenantClaims }
      })),
      Layer.provide(Layer.succeed(HttpClient.HttpClient, client))
    ))
    return { host, issuer }
  }).pipe(quiet)

  it.live("are a service in tools and routes, for each caller", () =>
    Effect.gen(function*() {
      const { host, issuer } = yield* start
      for (const tenant of ["acme", "globex", "acme"]) {
        const token = yield* issuer.mint({ claims: { tenant, admin: false } })
        // In the second round, the token is cached.
        for (let i = 0; i < 2; i++) {
          assert.strictEqual((yield* host.send(get("/where", token))).body, tenant)
          const called = Mcp.answer(yield* host.send(Mcp.call("where", { token, arguments: undefined })))
          assert.strictEqual(called.result?.structuredContent, tenant)
        }
      }
    }))

  it.live.each([
    { title: "a claim is missing", claims: { tenant: "acme" } },
    { title: "a claim has another type", claims: { tenant: 1, admin: true } },
    { title: "a flag is a string", claims: { tenant: "acme", admin: "true" } },
    { title: "a check fails", claims: { tenant: "", admin: true } },
    {
      title: "a claim is in the prototype",
      claims: JSON.parse("{\"__proto__\":{\"tenant\":\"acme\",\"admin\":true}}")
    }
  ])("CHAL-10 $title: 401, without details", ({ claims }) =>
    Effect.gen(function*() {
      const { host, issuer } = yield* start
      const received = yield* host.send(get("/where", yield* issuer.mint({ claims })))
      assert.strictEqual(received.status, 401)
      assert.include(received.headers["www-authenticate"], "error=\"invalid_token\"")
      assert.notInclude(received.body + received.headers["www-authenticate"], "tenant")
    }))
})

describe("Mocks of AuthLayer on a server", () => {
  it.live("mock: every request has the caller, and a missing scope is the real 403", () =>
    Effect.gen(function*() {
      const server = TodoServer.make()
      const host = yield* Host.web(server.layer.pipe(Layer.provide(AuthLayer.mock({
        resource: TodoServer.resource,
        scopes: ["todos:read", "todos:write", "todos:admin"],
        granted: ["todos:read"]
      }))))
      const whoami = Mcp.answer(yield* host.send(Mcp.call("whoami")))
      assert.deepInclude(whoami.result?.structuredContent, { subject: "alice", scopes: ["todos:read"] })
      const rejected = yield* host.send(Mcp.call("add"))
      assert.strictEqual(rejected.status, 403)
      assert.include(rejected.headers["www-authenticate"], "scope=\"todos:read todos:write\"")
      assert.deepStrictEqual(server.ran, ["whoami"])
    }).pipe(quiet))

  it.live("mock: a session belongs to the caller of the mock", () =>
    Effect.gen(function*() {
      const scopes = ["todos:read", "todos:write", "todos:admin"] as const
      const host = yield* Host.web(
        TodoServer.make().layer.pipe(Layer.provide(AuthLayer.mock({ resource: TodoServer.resource, scopes })))
      )
      const { headers } = yield* host.send(Mcp.initialize("2025-11-25"))
      const received = yield* host.send(Mcp.legacy(headers["mcp-session-id"]!, Mcp.message("tools/list")))
      assert.strictEqual(received.status, 200)
    }).pipe(quiet))

  it.live("mock: claims of the author's schema", () =>
    Effect.gen(function*() {
      const host = yield* Host.web(
        HttpRouter.add("GET", "/where", Effect.map(Tenant, ({ tenant }) => HttpServerResponse.text(tenant))).pipe(
          Layer.provide(AuthLayer.mock({
            resource: TodoServer.resource,
            scopes: ["a"],
            claims: { tenant: "acme", admin: true },
            claimsService: { service: Tenant, schema: TenantClaims }
          }))
        )
      )
      assert.strictEqual((yield* host.send(get("/where"))).body, "acme")
    }).pipe(quiet))

  it.live("mockRejected: every request is rejected, and nothing runs", () =>
    Effect.gen(function*() {
      const server = TodoServer.make()
      const error = new AuthError.AuthorizationServerUnavailable({
        reason: "timeout",
        issuer: "https://issuer.test",
        retryAfter: 9
      })
      const host = yield* Host.web(server.layer.pipe(Layer.provide(
        AuthLayer.mockRejected(error, {
          resource: TodoServer.resource,
          scopes: ["todos:read", "todos:write", "todos:admin"]
        })
      )))
      const received = yield* host.send(Mcp.call("list", { token: "x" }))
      assert.deepStrictEqual([received.status, received.headers["retry-after"]], [503, "9"])
      assert.isUndefined(received.headers["www-authenticate"])
      assert.deepStrictEqual(server.ran, [])
    }).pipe(quiet))

  it.live("[T-AUD-18a] mock and mockRejected: Host, Origin and preflights come first, as at the real gate", () =>
    Effect.gen(function*() {
      const error = new AuthError.InvalidToken({ reason: "revoked" })
      const route = HttpRouter.add("*", "/mcp", HttpServerResponse.text("in"))
      const scopes = ["a"] as const
      const layers = [
        [AuthLayer.mock({ scopes }), 200],
        [AuthLayer.mockRejected(error, { scopes }), 401]
      ] as const
      const named = [
        [AuthLayer.mock({ scopes, allowedHosts: ["server.test"] }), 200],
        [AuthLayer.mockRejected(error, { scopes, allowedHosts: ["server.test"] }), 401]
      ] as const
      const origin = "http://localhost"
      for (const [layer, status] of layers) {
        const handle = yield* Host.webHandler(route.pipe(Layer.provide(layer)))
        const send = (url: string, init?: RequestInit) => handle(new Request(url, init))
        assert.strictEqual((yield* send("http://localhost/mcp")).status, status)
        assert.strictEqual((yield* send("http://127.0.0.1:3000/mcp")).status, status)
        assert.strictEqual((yield* send("http://evil.example/mcp")).status, 403)
        assert.strictEqual((yield* send("http://localhost/mcp", { headers: { host: "evil.example" } })).status, 403)
        assert.strictEqual((yield* send("http://localhost/mcp", { headers: { origin: "http://a.b" } })).status, 403)
        const headers = { origin, "access-control-request-method": "POST" }
        assert.strictEqual((yield* send("http://localhost/mcp", { method: "OPTIONS", headers })).status, 204)
        const read = yield* send("http://localhost/mcp", { headers: { origin } })
        if (status === 401) assert.strictEqual(read.headers.get("access-control-allow-origin"), origin)
      }
      for (const [layer, status] of named) {
        const host = yield* Host.web(route.pipe(Layer.provide(layer)))
        assert.strictEqual((yield* host.send(get("/mcp"))).status, status)
      }
      assert.throws(() => AuthLayer.mock({ scopes, allowedHosts: ["http://server.test"] }), "allowedHosts")
    }).pipe(quiet))

  const list = (name: string) => Config.Array(Schema.String, name)
  const places = { resource: Config.String("RESOURCE_URL"), authorizationServers: list("AUTHORIZATION_SERVERS") }

  it.live("reads the resource, the issuers and the origins from environment variables", () =>
    Effect.gen(function*() {
      const env = {
        RESOURCE_URL: "https://todos.test/mcp",
        AUTHORIZATION_SERVERS: "https://one.test,https://two.test/tenant",
        ALLOWED_ORIGINS: "https://app.test"
      }
      const host = yield* Host.web(
        TodoServer.make().layer.pipe(
          Layer.provide(
            AuthLayer.make({ ...places, scopes: TodoServer.scopes, allowedOrigins: list("ALLOWED_ORIGINS") })
          ),
          Layer.provide(ConfigProvider.layer(ConfigProvider.fromEnvRecord(env)))
        )
      )
      const document = yield* host.send(get("/.well-known/oauth-protected-resource/mcp"))
      assert.deepInclude(JSON.parse(document.body), {
        resource: "https://todos.test/mcp",
        authorization_servers: ["https://one.test", "https://two.test/tenant"]
      })
      const rejected = yield* host.send(Mcp.call("list", { headers: [["origin", "https://app.test"]] }))
      assert.strictEqual(rejected.status, 401)
      assert.include(
        rejected.headers["www-authenticate"],
        "https://todos.test/.well-known/oauth-protected-resource/mcp"
      )
      const foreign = yield* host.send(Mcp.call("list", { headers: [["origin", "https://server.test"]] }))
      assert.strictEqual(foreign.status, 403)
    }).pipe(quiet))

  it.live("reads allowedOrigins and allowedHosts from environment variables, with defaults in code", () =>
    Effect.gen(function*() {
      const given = { RESOURCE_URL: "https://server.test/mcp", AUTHORIZATION_SERVERS: "https://one.test" }
      const verdicts = Effect.fnUntraced(function*(env: Record<string, string>) {
        const host = yield* Host.web(
          TodoServer.make().layer.pipe(
            Layer.provide(AuthLayer.make({
              ...places,
              scopes: TodoServer.scopes,
              allowedOrigins: Config.withDefault(list("ALLOWED_ORIGINS"), ["https://in-code.test"]),
              allowedHosts: Config.withDefault(list("ALLOWED_HOSTS"), ["in-code.test"])
            })),
            Layer.provide(ConfigProvider.layer(ConfigProvider.fromEnvRecord({ ...given, ...env })))
          )
        )
        const status = (...headers: ReadonlyArray<readonly [string, string]>) =>
          Effect.map(host.send(Mcp.call("list", { headers })), (_) => _.status)
        return [
          yield* status(["origin", "https://in-code.test"]),
          yield* status(["origin", "https://in-env.test"]),
          yield* status(["host", "in-code.test"]),
          yield* status(["host", "in-env.test"])
        ]
      })
      assert.deepStrictEqual(yield* verdicts({}), [401, 403, 401, 403])
      const env = { ALLOWED_ORIGINS: "https://in-env.test", ALLOWED_HOSTS: "in-env.test, 10.0.0.7" }
      assert.deepStrictEqual(yield* verdicts(env), [403, 401, 403, 401])
    }).pipe(quiet))
})
