import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Fiber, Layer } from "effect"
import { AuthError, AuthLayer, type AuthorizationServer, Gate, Tenants } from "effect-mcp-auth"
import { TestIssuer } from "effect-mcp-auth/testing"
import { HttpClient } from "effect/http"
import { TestClock } from "effect/testing"
import { Sharing } from "../../src/verification/internal/sharing.ts"
import { resource, start } from "./introspection.ts"

type Found = ReturnType<Tenants.Options["authorizationServers"]>

/** A server with an issuer of its own, and one of each tenant. */
const setup = (
  id: Tenants.TenantId,
  options: Partial<Tenants.Options> & {
    readonly change?: (tenant: string, found: Found) => Found
  } = {}
) =>
  Effect.gen(function*() {
    yield* TestClock.setTime(start * 1000)
    const acme = yield* TestIssuer.make({ issuer: "https://acme.test", resource })
    const bolt = yield* TestIssuer.make({ issuer: "https://bolt.test", resource })
    const others = [acme.issuer, bolt.issuer]
    const own = yield* TestIssuer.make({ issuer: "https://own.test", resource, others })
    const issuers = { own, acme, bolt }
    const lookedUp: Array<string> = []
    const servers: Record<string, ReadonlyArray<AuthorizationServer.Input>> = {
      acme: ["https://acme.test"],
      bolt: [{ issuer: "https://bolt.test" }]
    }
    const { change, ...rest } = options
    const context = yield* Layer.build(
      AuthLayer.layerServices({
        resource,
        authorizationServers: ["https://own.test"],
        scopes: ["todos:read"],
        tenants: {
          id,
          authorizationServers: (tenant) => {
            lookedUp.push(tenant)
            const found: Found = Effect.sync(() => (servers[tenant] ?? []).map((_) => structuredCloneOf(_)))
            return change === undefined ? found : change(tenant, found)
          },
          ...rest
        }
      }).pipe(Layer.provide(Layer.succeed(HttpClient.HttpClient, own.client)))
    )
    const gate = Context.get(context, Gate.AuthLayer)
    const outcome = (
      token: string,
      { headers = {}, path }: { readonly headers?: Record<string, string>; readonly path?: string } = {}
    ) =>
      gate.authenticate({
        method: "POST",
        header: (name) => headers[name],
        authorization: [`Bearer ${token}`],
        path
      }).pipe(
        Effect.as("admitted"),
        Effect.catch(({ reason, status }) => Effect.succeed(`${status} ${reason}`))
      )
    const token = (name: keyof typeof issuers, claims: Record<string, unknown> = {}) =>
      issuers[name].issuer.mint({ claims, expiresIn: "1 hour" })
    return { gate, issuers, lookedUp, outcome, servers, token }
  })

// Equal by structure, never the same object: as it comes from a database.
const structuredCloneOf = (input: AuthorizationServer.Input): AuthorizationServer.Input =>
  typeof input === "string" ? input : { ...input }

const header = Tenants.fromHeader("X-Tenant")
const of = (tenant: string) => ({ headers: { "x-tenant": tenant } })

describe("a tenant is named", () => {
  it.effect("in a header", () =>
    Effect.gen(function*() {
      const { outcome, token } = yield* setup(header)
      assert.strictEqual(yield* outcome(yield* token("acme"), of("acme")), "admitted")
      assert.strictEqual(yield* outcome(yield* token("bolt"), of("bolt")), "admitted")
      assert.strictEqual(yield* outcome(yield* token("bolt"), of("acme")), "401 unknown-issuer")
      assert.strictEqual(yield* outcome(yield* token("own"), of("acme")), "401 unknown-issuer")
      assert.strictEqual(yield* outcome(yield* token("acme"), of("nobody")), "401 unknown-issuer")
      for (const odd of ["", "a b", "x".repeat(257), "acme, bolt"]) {
        assert.strictEqual(yield* outcome(yield* token("acme"), of(odd)), "401 unknown-issuer")
      }
    }))

  it.effect("in the path", () =>
    Effect.gen(function*() {
      const { lookedUp, outcome, token } = yield* setup(Tenants.fromPath("/t/:tenant/mcp"))
      const acme = yield* token("acme")
      assert.strictEqual(yield* outcome(acme, { path: "/t/acme/mcp" }), "admitted")
      assert.strictEqual(yield* outcome(acme, { path: "/t/bolt/mcp" }), "401 unknown-issuer")
      assert.deepStrictEqual(lookedUp, ["acme", "bolt"])
      for (const path of ["/t/acme/mcp/x", "/x/acme/mcp", "/mcp", undefined]) {
        assert.strictEqual(yield* outcome(acme, path === undefined ? {} : { path }), "401 unknown-issuer")
      }
      assert.strictEqual(yield* outcome(yield* token("own"), { path: "/mcp" }), "admitted")
      assert.strictEqual(yield* outcome(acme, { path: "/t//mcp" }), "401 unknown-issuer")
      assert.deepStrictEqual(lookedUp, ["acme", "bolt"])
    }))

  it.effect("in a claim, which the tenant's issuer has to vouch for", () =>
    Effect.gen(function*() {
      const { lookedUp, outcome, token } = yield* setup(Tenants.fromClaim("tid"))
      assert.strictEqual(yield* outcome(yield* token("acme", { tid: "acme" })), "admitted")
      assert.strictEqual(yield* outcome(yield* token("acme", { tid: "bolt" })), "401 unknown-issuer")
      const forged = yield* token("bolt", { tid: "acme", iss: "https://acme.test" })
      assert.match(yield* outcome(forged), /^401 (?:signature|unknown-key)$/)
      assert.strictEqual(yield* outcome(yield* token("acme", { tid: ["acme"] })), "401 unknown-issuer")
      assert.strictEqual(yield* outcome(yield* token("own")), "admitted")
      assert.strictEqual(yield* outcome(yield* token("acme")), "401 unknown-issuer")
      assert.deepStrictEqual(lookedUp, ["acme", "bolt"])
    }))
})

describe("what is found", () => {
  it.effect("is kept for a while, and with the same servers their keys and verdicts are", () =>
    Effect.gen(function*() {
      const { issuers, lookedUp, outcome, servers, token } = yield* setup(header, { timeToLive: "1 minute" })
      const acme = yield* token("acme")
      yield* outcome(acme, of("acme"))
      yield* TestClock.adjust("59 seconds")
      yield* outcome(acme, of("acme"))
      assert.deepStrictEqual(lookedUp, ["acme"])
      yield* issuers.acme.issuer.takeRequests
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* outcome(acme, of("acme")), "admitted")
      assert.deepStrictEqual(lookedUp, ["acme", "acme"])
      assert.deepStrictEqual(yield* issuers.acme.issuer.requests, [])

      servers["acme"] = ["https://bolt.test"]
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(yield* outcome(acme, of("acme")), "401 unknown-issuer")
      assert.strictEqual(yield* outcome(yield* token("bolt"), of("acme")), "admitted")
      delete servers["acme"]
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(yield* outcome(yield* token("bolt"), of("acme")), "401 unknown-issuer")
    }))

  it.effect("nobody is asked again for 5 seconds about a tenant that does not exist", () =>
    Effect.gen(function*() {
      const { lookedUp, outcome, servers, token } = yield* setup(header)
      const acme = yield* token("acme")
      yield* outcome(acme, of("late"))
      servers["late"] = ["https://acme.test"]
      yield* TestClock.adjust("4 seconds")
      assert.strictEqual(yield* outcome(acme, of("late")), "401 unknown-issuer")
      assert.deepStrictEqual(lookedUp, ["late"])
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* outcome(acme, of("late")), "admitted")
    }))

  it.effect("no more tenants are kept than the capacity", () =>
    Effect.gen(function*() {
      const { lookedUp, outcome, token } = yield* setup(header, { capacity: 1 })
      const [acme, bolt] = [yield* token("acme"), yield* token("bolt")]
      yield* outcome(acme, of("acme"))
      yield* outcome(bolt, of("bolt"))
      yield* outcome(bolt, of("bolt"))
      yield* outcome(acme, of("acme"))
      assert.deepStrictEqual(lookedUp, ["acme", "bolt", "acme"])
    }))

  it.effect("is forgotten with everything else on invalidate", () =>
    Effect.gen(function*() {
      const { gate, token } = yield* setup(header)
      const line = `Bearer ${yield* token("acme")}`
      const named = (name: string) => name === "x-tenant" ? "acme" : undefined
      const again = gate.authenticate({ method: "POST", header: named, authorization: [line] })
      const before = yield* again
      assert.strictEqual(yield* again, before)
      yield* gate.invalidate({ subject: "bob" })
      assert.strictEqual(yield* again, before)
      yield* gate.invalidate({ subject: "alice" })
      assert.notStrictEqual(yield* again, before)
    }))
})

describe("in a Worker, where no request may wait for another", () => {
  it.effect("what one request finds serves the next", () =>
    Effect.gen(function*() {
      const { lookedUp, outcome, token } = yield* Effect.provideService(setup(header), Sharing, false)
      const acme = yield* token("acme")
      assert.strictEqual(yield* outcome(acme, of("acme")), "admitted")
      assert.strictEqual(yield* outcome(acme, of("acme")), "admitted")
      assert.deepStrictEqual(lookedUp, ["acme"])
    }))
})

describe("trouble with one tenant", () => {
  const outage = new AuthError.AuthorizationServerUnavailable({ reason: "network", issuer: "db", retryAfter: 1 })

  it.effect("is no trouble for another: its look-up hangs, or its issuer does", () =>
    Effect.gen(function*() {
      const { issuers, outcome, token } = yield* setup(header, {
        change: (tenant, found) => tenant === "stuck" ? Effect.never : found
      })
      yield* issuers.acme.issuer.fail({ _tag: "Hang" })
      const acme = yield* token("acme")
      const stuck = yield* Effect.forkChild(outcome(acme, of("stuck")))
      const hanging = yield* Effect.forkChild(outcome(acme, of("acme")))
      assert.strictEqual(yield* outcome(yield* token("bolt"), of("bolt")), "admitted")
      assert.strictEqual(yield* outcome(yield* token("own")), "admitted")
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(yield* Fiber.join(stuck), "503 timeout")
      assert.strictEqual(yield* Fiber.join(hanging), "503 timeout")
    }))

  it.effect("a look-up that fails is asked again at once", () =>
    Effect.gen(function*() {
      let fails = true
      const { outcome, token } = yield* setup(header, {
        change: (_, found) => Effect.suspend(() => fails ? Effect.fail(outage) : found)
      })
      const acme = yield* token("acme")
      assert.strictEqual(yield* outcome(acme, of("acme")), "503 network")
      fails = false
      assert.strictEqual(yield* outcome(acme, of("acme")), "admitted")
    }))

  it.effect("servers that cannot be are a misconfiguration of that tenant", () =>
    Effect.gen(function*() {
      const { outcome, servers, token } = yield* setup(header)
      servers["acme"] = ["http://acme.test"]
      assert.strictEqual(yield* outcome(yield* token("acme"), of("acme")), "500 insecure")
      assert.strictEqual(yield* outcome(yield* token("bolt"), of("bolt")), "admitted")
    }))
})

describe("the options", () => {
  it.effect.each<readonly [option: string, options: Partial<Tenants.Options>]>([
    ["id", { id: Tenants.fromHeader("x tenant") }],
    ["id", { id: Tenants.fromClaim("") }],
    ["id", { id: Tenants.fromPath("/t/mcp") }],
    ["id", { id: Tenants.fromPath("t/:tenant") }],
    ["id", { id: Tenants.fromPath("/:tenant/:tenant") }],
    ["id", { id: "x-tenant" as unknown as Tenants.TenantId }],
    ["capacity", { capacity: 0 }],
    ["tokensPerTenant", { tokensPerTenant: -1 }],
    ["timeToLive", { timeToLive: "-1 seconds" }],
    ["authorizationServers", { authorizationServers: [] as unknown as Tenants.Options["authorizationServers"] }]
  ])("a wrong %s fails the layer", ([option, options]) =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(setup(header, options))
      assert.strictEqual(error.option, `tenants.${option}`)
    }))
})
