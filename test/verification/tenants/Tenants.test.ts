import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { AuthError } from "effect-mcp-auth"
import { Tenants } from "effect-mcp-auth/tenants"
import { TestClock } from "effect/testing"
import { Sharing } from "../../../src/outbound/Sharing.ts"
import { authenticate } from "../../authorization/steps.ts"
import { by, header, of, setup } from "./servers.ts"

describe("the name of a tenant", () => {
  it.effect("comes from a header", () =>
    Effect.gen(function*() {
      const { outcome, token } = yield* setup(header)
      assert.strictEqual(yield* outcome(yield* token("acme"), of("acme")), "admitted")
      assert.strictEqual(yield* outcome(yield* token("bolt"), of("bolt")), "admitted")
      assert.strictEqual(yield* outcome(yield* token("bolt"), of("acme")), "401 unknown-issuer")
      assert.strictEqual(yield* outcome(yield* token("own"), of("acme")), "401 unknown-issuer")
      assert.strictEqual(yield* outcome(yield* token("acme"), of("nobody")), "401 unknown-tenant")
      for (const odd of ["", "a b", "x".repeat(257), "acme, bolt", "acme,bolt"]) {
        assert.strictEqual(yield* outcome(yield* token("acme"), of(odd)), "401 unknown-tenant")
      }
    }))

  it.effect("comes from the path", () =>
    Effect.gen(function*() {
      const { lookedUp, outcome, token } = yield* setup(by("fromPath", "/t/:tenant/mcp"))
      const acme = yield* token("acme", {}, "https://server.test/t/acme/mcp")
      assert.strictEqual(yield* outcome(acme, { path: "/t/acme/mcp" }), "admitted")
      assert.strictEqual(yield* outcome(acme, { path: "/t/bolt/mcp" }), "401 unknown-issuer")
      assert.deepStrictEqual(lookedUp, ["acme", "bolt"])
      for (const path of ["/t/acme/mcp/x", "/x/acme/mcp", "/mcp", undefined, "/t//mcp"]) {
        assert.strictEqual(yield* outcome(acme, path === undefined ? {} : { path }), "401 unknown-tenant")
      }
      assert.deepStrictEqual(lookedUp, ["acme", "bolt"])
    }))

  it.effect("comes from the route", () =>
    Effect.gen(function*() {
      const { outcome, token } = yield* setup(by("fromRoute", "/t/:tenant/mcp"))
      const acme = yield* token("acme", {}, "https://server.test/t/acme/mcp")
      for (const path of ["/t/acme/mcp", "/T/acme/mcp/", "/acme", undefined]) {
        const sent = { params: { tenant: "acme" }, ...(path === undefined ? {} : { path }) }
        assert.strictEqual(yield* outcome(acme, sent), "admitted")
      }
      for (const params of [{}, { other: "acme" }, { tenant: "" }, { tenant: "a/b" }, { tenant: ".." }]) {
        assert.strictEqual(yield* outcome(acme, { path: "/t/acme/mcp", params }), "401 unknown-tenant")
      }
    }))

  it.effect("comes from a claim, which the issuer of the tenant must confirm", () =>
    Effect.gen(function*() {
      const { lookedUp, outcome, token } = yield* setup(by("fromClaim", "tid"))
      assert.strictEqual(yield* outcome(yield* token("acme", { tid: "acme" })), "admitted")
      assert.strictEqual(yield* outcome(yield* token("acme", { tid: "bolt" })), "401 unknown-issuer")
      const forged = yield* token("bolt", { tid: "acme", iss: "https://acme.test" })
      assert.match(yield* outcome(forged), /^401 (?:signature|unknown-key)$/)
      assert.strictEqual(yield* outcome(yield* token("acme", { tid: ["acme"] })), "401 unknown-tenant")
      assert.strictEqual(yield* outcome(yield* token("own")), "401 unknown-tenant")
      assert.strictEqual(yield* outcome(yield* token("acme")), "401 unknown-tenant")
      assert.deepStrictEqual(lookedUp, ["acme", "bolt"])
    }))
})

describe("a resource without a path", () => {
  const origin = "https://server.test"

  it.effect.each([
    { title: "a header", tenants: header, sent: of("acme"), claims: {} },
    { title: "a claim", tenants: by("fromClaim", "tid"), sent: {}, claims: { tid: "acme" } }
  ])(
    "[T-AUD-31b] is that of each tenant with both spellings, if $title names the tenant",
    ({ claims, sent, tenants }) =>
      Effect.gen(function*() {
        for (const resource of [origin, `${origin}/`]) {
          const { outcome, token } = yield* setup(tenants, { layer: { resource } })
          for (const audience of [origin, `${origin}/`]) {
            assert.strictEqual(yield* outcome(yield* token("acme", claims, audience), sent), "admitted")
          }
          assert.strictEqual(yield* outcome(yield* token("acme", claims, `${origin}/mcp`), sent), "401 audience")
        }
      })
  )

  it.effect("[T-AUD-31b] is not that of a tenant whose name is in the path", () =>
    Effect.gen(function*() {
      const { outcome, token } = yield* setup(by("fromPath", "/:tenant"), { layer: { resource: `${origin}/` } })
      const acme = (audience: string) =>
        Effect.flatMap(token("acme", {}, audience), (_) => outcome(_, { path: "/acme" }))
      assert.strictEqual(yield* acme(`${origin}/acme`), "admitted")
      for (const audience of [`${origin}/acme/`, origin, `${origin}/`]) {
        assert.strictEqual(yield* acme(audience), "401 audience", audience)
      }
    }))
})

describe("the result of a look-up", () => {
  it.effect("is kept for its time to live, and with the same servers their keys and cached tokens are kept, too", () =>
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
      assert.strictEqual(yield* outcome(yield* token("bolt"), of("acme")), "401 unknown-tenant")
    }))

  it.effect("an unknown tenant is not looked up again for 5 seconds", () =>
    Effect.gen(function*() {
      const { lookedUp, outcome, servers, token } = yield* setup(header)
      const acme = yield* token("acme")
      yield* outcome(acme, of("late"))
      servers["late"] = ["https://acme.test"]
      yield* TestClock.adjust("4 seconds")
      assert.strictEqual(yield* outcome(acme, of("late")), "401 unknown-tenant")
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

  it.effect("is evicted with everything else on invalidate", () =>
    Effect.gen(function*() {
      const { gate, token } = yield* setup(header)
      const line = `Bearer ${yield* token("acme")}`
      const named = (name: string) => name === "x-tenant" ? "acme" : undefined
      const again = authenticate(gate, { method: "POST", header: named, authorization: [line] })
      const before = yield* again
      assert.strictEqual(yield* again, before)
      yield* gate.invalidate({ subject: "bob" })
      assert.strictEqual(yield* again, before)
      yield* gate.invalidate({ subject: "alice" })
      assert.notStrictEqual(yield* again, before)
    }))
})

describe("a Worker, where no request may wait for another", () => {
  it.effect("reuses the result of one request for the next", () =>
    Effect.gen(function*() {
      const { lookedUp, outcome, token } = yield* Effect.provideService(setup(header), Sharing, false)
      const acme = yield* token("acme")
      assert.strictEqual(yield* outcome(acme, of("acme")), "admitted")
      assert.strictEqual(yield* outcome(acme, of("acme")), "admitted")
      assert.deepStrictEqual(lookedUp, ["acme"])
    }))
})

describe("failures of one tenant", () => {
  const outage = new AuthError.AuthorizationServerUnavailable({ reason: "network", issuer: "db", retryAfter: 1 })

  it.effect("do not affect another tenant if the look-up or the issuer hangs", () =>
    Effect.gen(function*() {
      const { issuers, outcome, token } = yield* setup(header, {
        change: (tenant, found) => tenant === "stuck" ? Effect.never : found
      })
      yield* issuers.acme.issuer.fail({ _tag: "Hang" })
      const acme = yield* token("acme")
      const stuck = yield* Effect.forkChild(outcome(acme, of("stuck")))
      const hanging = yield* Effect.forkChild(outcome(acme, of("acme")))
      assert.strictEqual(yield* outcome(yield* token("bolt"), of("bolt")), "admitted")
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(yield* Fiber.join(stuck), "503 timeout")
      assert.strictEqual(yield* Fiber.join(hanging), "503 timeout")
    }))

  it.effect("a failed look-up is retried at once", () =>
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

  it.effect("[T-AUD-01f] a known tenant whose look-up fails is looked up once a second, for any number of requests", () =>
    Effect.gen(function*() {
      let fails = false
      const { lookedUp, outcome, token } = yield* setup(header, {
        change: (_, found) => Effect.suspend(() => fails ? Effect.fail(outage) : found)
      })
      const acme = yield* token("acme")
      assert.strictEqual(yield* outcome(acme, of("acme")), "admitted")
      yield* TestClock.adjust("5 minutes")
      fails = true
      for (const sent of [acme, "garbage", undefined, acme, undefined]) {
        const seen = yield* outcome(sent, of("acme"))
        assert.strictEqual(seen, sent === undefined ? "401 no-authorization" : "503 network")
      }
      assert.deepStrictEqual(lookedUp, ["acme", "acme"])
      fails = false
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* outcome(acme, of("acme")), "admitted")
      assert.deepStrictEqual(lookedUp, ["acme", "acme", "acme"])
    }))

  it.effect("invalid servers are a misconfiguration of that tenant", () =>
    Effect.gen(function*() {
      const { outcome, servers, token } = yield* setup(header)
      servers["acme"] = ["http://acme.test"]
      assert.strictEqual(yield* outcome(yield* token("acme"), of("acme")), "500 insecure")
      assert.strictEqual(yield* outcome(yield* token("bolt"), of("bolt")), "admitted")
    }))
})

describe("the options", () => {
  it.effect.each<readonly [tenants: ReturnType<typeof by>]>([
    [by("fromHeader", "x tenant")],
    [by("fromClaim", "")],
    [by("fromPath", "/t/mcp")],
    [by("fromPath", "t/:tenant")],
    [by("fromPath", "/:tenant/:tenant")],
    [by("fromPath", "/t/:tenant/mcp/")],
    [by("fromPath", "/t//:tenant/mcp")],
    [by("fromPath", "/t/../:tenant")],
    [by("fromPath", "/t/a%20b/:tenant")],
    [by("fromRoute", "/:tenant")],
    [by("fromRoute", "/t/:te-nant")],
    [by("fromRoute", undefined as unknown as string)]
  ])("a wrong location of the name fails the layer", ([tenants]) =>
    Effect.gen(function*() {
      assert.strictEqual((yield* Effect.flip(setup(tenants))).option, "tenants")
    }))

  it.effect.each<readonly [tenants: unknown]>([["x-tenant"], [{}], [null], [{ id: "x-tenant" }]])(
    "rejects %j as a value of Tenants",
    ([tenants]) =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(setup(() => tenants as Tenants.Mechanism))
        assert.strictEqual(error.option, "tenants")
        assert.include(error.fix, "Tenants.fromRoute")
      })
  )

  it.effect.each<readonly [option: string, options: Partial<Tenants.Options>]>([
    ["withoutTenant", { withoutTenant: "allow" as unknown as "reject" }],
    ["newTenants", { newTenants: 0 }],
    ["capacity", { capacity: 0 }],
    ["tokensPerTenant", { tokensPerTenant: -1 }],
    ["timeToLive", { timeToLive: "-1 seconds" }],
    ["authorizationServers", { authorizationServers: [] as unknown as Tenants.Options["authorizationServers"] }]
  ])("a wrong %s fails the layer", ([option, options]) =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(setup(header, options))
      assert.strictEqual(error.option, `tenants.${option}`)
    }))

  it.effect("an unknown option fails the layer, and so does an opt-out that is not true", () =>
    Effect.gen(function*() {
      const misspelled = { withoutTenants: "reject" } as Partial<Tenants.Options>
      assert.strictEqual((yield* Effect.flip(setup(header, misspelled))).option, "tenants.withoutTenants")
      const unguarded = { [Tenants.allowPrivateAddresses]: "yes" as unknown as true }
      assert.strictEqual(
        (yield* Effect.flip(setup(header, unguarded))).option,
        "tenants[Tenants.allowPrivateAddresses]"
      )
    }))

  it.effect("anonymous requests together with tenants fail the layer", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(setup(header, { layer: { anonymous: "allow-unscoped" } }))
      assert.deepStrictEqual([error.option, error.reason], ["anonymous", "conflict"])
    }))
})
