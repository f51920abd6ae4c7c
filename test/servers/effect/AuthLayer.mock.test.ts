import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, References, Schema } from "effect"
import { AuthError, AuthLayer, Principal, requireScopes } from "effect-mcp-auth"
import { McpAuthFetch } from "effect-mcp-auth/fetch"
import { HttpRouter, HttpServerResponse } from "effect/http"

class Tenant extends Context.Service<Tenant, { readonly tenant: string }>()("test/Tenant") {}
const claimsService = { service: Tenant, schema: Schema.Struct({ tenant: Schema.String }) }
const scopes = { baseline: ["a"], stepUp: ["b"] } as const

const Write = HttpRouter.add(
  "POST",
  "/mcp",
  requireScopes("b")(
    Effect.flatMap(
      Effect.all([Principal, Tenant]),
      ([{ owner }, { tenant }]) => HttpServerResponse.json({ owner, tenant })
    )
  )
)

// These tests cause rejections, which would fill the log.
const Quiet = Layer.succeed(References.MinimumLogLevel, "Error")

/** Runs one request against the route. */
const request = <E>(auth: Layer.Layer<AuthLayer.Provided<"a" | "b", Tenant>, E>, init: RequestInit = {}) =>
  Effect.promise(async () => {
    const { dispose, handler } = HttpRouter.toWebHandler(Write.pipe(Layer.provide(auth), Layer.provideMerge(Quiet)), {
      disableLogger: true
    })
    const response = await handler(new Request("http://localhost/mcp", { method: "POST", ...init }))
    const answer = {
      status: response.status,
      challenge: response.headers.get("www-authenticate"),
      text: await response.text()
    }
    await dispose()
    return answer
  })

describe("AuthLayer.mock", () => {
  it.effect("admits every request as the caller, with the claims of the service", () =>
    Effect.gen(function*() {
      const auth = AuthLayer.mock({ subject: "bob", scopes, claims: { tenant: "t1" }, claimsService })
      const { status, text } = yield* request(auth)
      assert.strictEqual(status, 200)
      assert.deepStrictEqual(JSON.parse(text), { owner: "[\"http://localhost/issuer\",\"bob\"]", tenant: "t1" })
    }))

  it.effect("is the real gate, except for the token", () =>
    Effect.gen(function*() {
      const auth = AuthLayer.mock({ scopes, granted: ["a"], claims: { tenant: "t1" }, claimsService })
      const missing = yield* request(auth)
      assert.strictEqual(missing.status, 403)
      assert.include(missing.challenge, "error=\"insufficient_scope\"")
      assert.strictEqual((yield* request(auth, { headers: { origin: "https://evil.test" } })).status, 403)
    }))

  it.effect("applies the hierarchy of scopes", () =>
    Effect.gen(function*() {
      const auth = AuthLayer.mock({
        scopes,
        granted: ["a"],
        scopeHierarchy: { a: ["b"] },
        claims: { tenant: "t1" },
        claimsService
      })
      assert.strictEqual((yield* request(auth)).status, 200)
    }))

  it.effect("provides plain effects with their caller and claims", () =>
    Effect.gen(function*() {
      const program = requireScopes("b")(Effect.map(Tenant, ({ tenant }) => tenant))
      const mock = AuthLayer.mock({ scopes, claims: { tenant: "t1" }, claimsService })
      assert.strictEqual(yield* Effect.provide(program, mock), "t1")
      const less = AuthLayer.mock({ scopes, granted: ["a"], claims: { tenant: "t1" }, claimsService })
      assert.strictEqual((yield* Effect.flip(Effect.provide(program, less)))._tag, "InsufficientScope")
      const wrong = AuthLayer.mock({ scopes, claimsService })
      const defect = yield* Effect.provide(program, wrong).pipe(Effect.catchDefect((error) => Effect.succeed(error)))
      assert.instanceOf(defect, AuthError.AuthConfigError)
      assert.strictEqual(defect.option, "AuthLayer.mock.claims")
    }))

  it("replaces a layer with tenants, on a host that passes the tenant of its route", async () => {
    const auth = await McpAuthFetch.mock({ scopes: ["a"], tenant: "acme" })
    const handle = auth.protectRoute((_request, { principal }) => new Response(principal.tenant), {
      tenant: (request) => request.url.split("/")[4]
    })
    assert.strictEqual(await (await handle(new Request("http://localhost/t/acme/mcp"))).text(), "acme")
    const metadata = await auth.metadata(new Request("http://localhost/.well-known/oauth-protected-resource"))
    assert.strictEqual(metadata?.status, 200)
    await auth.dispose()
  })

  it("reports wrong options", () => {
    assert.throws(() => AuthLayer.mock({ scopes: ["a b"] }), /is not a scope/)
    assert.throws(() => AuthLayer.mock({ scopes: ["a"], resource: "nowhere" }), /is not an absolute URL/)
    assert.throws(() => AuthLayer.mock({ scopes: ["a"], grantd: [] } as never), /at AuthLayer.mock.grantd: .+granted/)
    assert.throws(() => AuthLayer.mock(undefined as never), /at AuthLayer.mock: the value is missing/)
  })
})

describe("AuthLayer.mockRejected", () => {
  it.effect.each(
    [
      [new AuthError.InvalidToken({ reason: "expired" }), 401],
      [new AuthError.InsufficientScope({ reason: "missing-scope", required: ["b"] }), 403],
      [
        new AuthError.AuthorizationServerUnavailable({ reason: "timeout", issuer: "https://i.test", retryAfter: 5 }),
        503
      ]
    ] as const
  )("%s", ([error, status]) =>
    Effect.gen(function*() {
      const answer = yield* request(AuthLayer.mockRejected(error, { scopes, claimsService }))
      assert.strictEqual(answer.status, status)
      assert.strictEqual(answer.challenge === null, status === 503)
    }))
})
