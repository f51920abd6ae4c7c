import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer } from "effect"
import { Audience, AuthError, AuthLayer, Principal, Profile, TokenVerifier } from "effect-mcp-auth"
import { Dpop } from "effect-mcp-auth/dpop"
import { AddressGuard, type Gate } from "effect-mcp-auth/host"
import { Tenants } from "effect-mcp-auth/tenants"
import { DpopClient, TestIssuer } from "effect-mcp-auth/testing"
import { HttpClient } from "effect/http"
import { TestClock } from "effect/testing"
import { authenticate, authorize } from "../../authorization/steps.ts"
import { gateLayer } from "../../servers/gates.ts"
import { resource, start } from "../introspection/answers.ts"
import * as steppingClock from "../steppingClock.ts"
import { by, header, inMemory, of, type Sent, setup } from "./servers.ts"

const acmeResource = "https://server.test/t/acme/mcp"
const path = "/t/:tenant/mcp"

/** A JWT with an invented signature. */
const unsigned = (claims: Record<string, unknown>, head: Record<string, unknown> = { alg: "ES256", typ: "at+jwt" }) => {
  const segment = (content: object) => Buffer.from(JSON.stringify(content)).toString("base64url")
  const all = { iss: "https://acme.test", aud: resource, sub: "a", client_id: "c", exp: 9_999_999_999, ...claims }
  return `${segment({ kid: "k", ...head })}.${segment(all)}.${"A".repeat(86)}`
}

const challengeOf = (answer: unknown) =>
  (answer as { readonly headers: Readonly<Record<string, string>> }).headers["www-authenticate"]!

describe("a request without a tenant", () => {
  const cases: ReadonlyArray<
    readonly [name: string, id: ReturnType<typeof by>, claims: Record<string, unknown>, sent: Sent, isAbsent: boolean]
  > = [
    ["no header", header, {}, {}, true],
    ["an empty header", header, {}, of(""), false],
    ["a header with a space", header, {}, of(" "), false],
    ["a header with two lines", header, {}, of("acme, acme"), false],
    ["a header with a line break", header, {}, of("acme\n"), false],
    ["no claim", by("fromClaim", "tid"), {}, {}, true],
    ["a claim of null", by("fromClaim", "tid"), { tid: null }, {}, false],
    ["an empty claim", by("fromClaim", "tid"), { tid: "" }, {}, false],
    ["a claim of a number", by("fromClaim", "tid"), { tid: 1 }, {}, false],
    ["a claim of a list", by("fromClaim", "tid"), { tid: ["acme"] }, {}, false],
    ["a claim with a space", by("fromClaim", "tid"), { tid: "acme " }, {}, false],
    ["the path of the resource", by("fromPath", path), {}, { path: "/mcp" }, true],
    ["another spelling of that path", by("fromPath", path), {}, { path: "/mcp/" }, false],
    ["no path", by("fromPath", path), {}, {}, false],
    ["another path", by("fromPath", path), {}, { path: "/T/acme/mcp" }, false],
    ["the path of the resource, but a parameter", by("fromPath", path), {}, {
      path: "/mcp",
      params: { tenant: "acme" }
    }, false],
    ["a path and another parameter", by("fromPath", path), {}, {
      path: "/t/acme/mcp",
      params: { tenant: "bolt" }
    }, false],
    ["a route without the parameter", by("fromRoute", path), {}, { path: "/mcp" }, true],
    ["no route at the path of a tenant", by("fromRoute", path), {}, { path: "/t/acme/mcp" }, false],
    ["an empty parameter", by("fromRoute", path), {}, { path: "/mcp", params: { tenant: "" } }, false]
  ]

  it.effect.each(cases)("[T-AUD-01b] %s is rejected", ([, id, claims, sent]) =>
    Effect.gen(function*() {
      const { lookedUp, outcome, token } = yield* setup(id)
      assert.strictEqual(yield* outcome(yield* token("own", claims), sent), "401 unknown-tenant")
      assert.deepStrictEqual(lookedUp, [])
    }))

  it.effect.each(cases)("[T-AUD-01b] %s: only an absent name falls back to the default servers", (
    [, id, claims, sent, isAbsent]
  ) =>
    Effect.gen(function*() {
      const { outcome, token } = yield* setup(id, { withoutTenant: "default-servers" })
      const expected = isAbsent ? "admitted" : "401 unknown-tenant"
      assert.strictEqual(yield* outcome(yield* token("own", claims), sent), expected)
      // The authorization server of a tenant is not one of the default servers, so a token that it issued is rejected.
      assert.notStrictEqual(yield* outcome(yield* token("acme", claims), sent), "admitted")
    }))

  it.effect("[T-AUD-01b] a claim of an opaque token does not name a tenant", () =>
    Effect.gen(function*() {
      const { lookedUp, outcome } = yield* setup(by("fromClaim", "tid"))
      assert.strictEqual(yield* outcome("opaque"), "401 unknown-tenant")
      assert.deepStrictEqual(lookedUp, [])
    }))
})

describe("the state of a caller of one tenant", () => {
  const shared = () => Effect.succeed(["https://acme.test"])

  it.effect("[T-AUD-01e] is separate from that of the same person at another tenant with the same issuer", () =>
    Effect.gen(function*() {
      const { gate, result, token } = yield* setup(header, { authorizationServers: shared })
      const alice = yield* token("acme")
      const principalAt = (tenant: string) => Effect.map(result(alice, of(tenant)), (_) => _ as Principal)
      const [a, b] = [yield* principalAt("a"), yield* principalAt("b")]
      assert.deepStrictEqual([a.tenant, b.tenant], ["a", "b"])
      assert.notStrictEqual(a.owner, b.owner)
      assert.notStrictEqual(a.key, b.key)
      gate.sessions.streams.bind("session-of-a", a)
      assert.strictEqual(gate.sessions.streams.access("session-of-a", a), "own")
      assert.strictEqual(gate.sessions.streams.access("session-of-a", b), "foreign")
    }))

  it.effect("[T-AUD-01c] a token for the URL of one tenant is rejected at another tenant with the same issuer", () =>
    Effect.gen(function*() {
      const { outcome, token } = yield* setup(by("fromPath", path), { authorizationServers: shared })
      const alice = yield* token("acme", {}, acmeResource)
      assert.strictEqual(yield* outcome(alice, { path: "/t/acme/mcp" }), "admitted")
      assert.strictEqual(yield* outcome(alice, { path: "/t/bolt/mcp" }), "401 audience")
      assert.strictEqual(yield* outcome(yield* token("acme"), { path: "/t/acme/mcp" }), "401 audience")
    }))

  it.effect("[T-AUD-01a] a token is rejected at another tenant, even if a verifier caches by the token alone", () =>
    Effect.gen(function*() {
      const { outcome, token } = yield* setup(header, {
        withoutTenant: "default-servers",
        layer: { verifier: (configured, cached) => cached(configured, "1 minute") }
      })
      const [acme, own] = [yield* token("acme"), yield* token("own")]
      assert.strictEqual(yield* outcome(acme, of("acme")), "admitted")
      assert.strictEqual(yield* outcome(acme, of("acme")), "admitted")
      assert.strictEqual(yield* outcome(own), "admitted")
      for (const [token, sent] of [[acme, of("bolt")], [acme, {}], [acme, of("")], [own, of("acme")]] as const) {
        assert.strictEqual(yield* outcome(token, sent), "401 unknown-tenant")
      }
    }))

  it.effect("[T-AUD-01a] a principal from a verifier of the author must name the tenant of the request", () =>
    Effect.gen(function*() {
      const verifierOf = (tenant: string | undefined) => () =>
        TokenVerifier.make(({ token }) =>
          Effect.succeed(Principal.make({
            issuer: "https://keys.test",
            subject: "alice",
            clientId: undefined,
            scopes: new Set(),
            granted: new Set(),
            audience: [],
            expiresAt: 9_999_999_999,
            claims: {},
            token,
            tenant
          }))
        )
      for (const [tenant, expected] of [["acme", "admitted"], ["bolt", "401"], [undefined, "401"]] as const) {
        const { outcome } = yield* setup(header, { layer: { verifier: verifierOf(tenant) } })
        assert.include(yield* outcome("key", of("acme")), expected)
      }
    }))

  it.effect("[T-AUD-01a] the option verifier wraps the verifier of every tenant", () =>
    Effect.gen(function*() {
      const { outcome, token } = yield* setup(header, { layer: { verifier: () => TokenVerifier.reject("revoked") } })
      assert.strictEqual(yield* outcome(yield* token("acme"), of("acme")), "401 revoked")
    }))
})

describe("the challenge", () => {
  const profile = Profile.make({
    id: "test",
    name: "Test",
    issuer: "https://acme.test",
    audience: Audience.resource,
    scopes: { requested: { prefix: "api://acme/" } }
  })

  it.effect("[T-AUD-01d] names scopes as the tenant's authorization server does", () =>
    Effect.gen(function*() {
      const { gate, lookedUp, result, servers, token } = yield* setup(by("fromPath", path))
      servers["acme"] = [{ profile }]
      const at = { path: "/t/acme/mcp" }
      const expected = "scope=\"api://acme/todos:read\", resource_metadata=\"" +
        "https://server.test/.well-known/oauth-protected-resource/t/acme/mcp\""
      assert.include(challengeOf(yield* result(undefined, at)), expected)
      assert.include(challengeOf(yield* result("Bearer", at)), expected)
      assert.include(challengeOf(yield* result(yield* token("own"), at)), expected)
      assert.deepStrictEqual(lookedUp, ["acme"])
      const principal = yield* result(yield* token("acme", {}, acmeResource), at)
      const missing = authorize(gate, {
        caller: principal as Principal,
        operations: Effect.succeed([{
          method: "tools/call",
          target: "add",
          kind: "tool",
          params: undefined,
          isNotification: false
        }]),
        policy: () => ({ scopes: ["todos:write"], unauthorized: "challenge" })
      })
      const rejected = yield* Effect.flip(missing)
      assert.strictEqual(rejected.status, 403)
      assert.include(challengeOf(rejected), "scope=\"api://acme/todos:write")
      assert.include(challengeOf(rejected), "/oauth-protected-resource/t/acme/mcp\"")
    }))

  it.effect("[T-AUD-01d] is a 401 also while the look-up of the tenant fails", () =>
    Effect.gen(function*() {
      const outage = new AuthError.AuthorizationServerUnavailable({ reason: "network", issuer: "db", retryAfter: 1 })
      const { outcome, result } = yield* setup(by("fromPath", path), { change: () => Effect.fail(outage) })
      assert.strictEqual(yield* outcome(undefined, { path: "/t/acme/mcp" }), "401 no-authorization")
      const challenge = challengeOf(yield* result(undefined, { path: "/t/acme/mcp" }))
      assert.include(challenge, "/oauth-protected-resource/t/acme/mcp\"")
      assert.notInclude(challenge, "scope=")
    }))

  it.effect("[T-AUD-01d] a DPoP proof is for the URL of the tenant", () =>
    Effect.gen(function*() {
      const { gate, issuers } = yield* setup(by("fromPath", path), { layer: { dpop: Dpop.required() } })
      const client = yield* DpopClient.make()
      const token = yield* issuers.acme.issuer.mint({ boundTo: client.thumbprint, audience: acmeResource })
      const ask = (url: string) =>
        Effect.gen(function*() {
          const { authorization, dpop } = yield* client.headers({ method: "POST", url, token })
          return yield* authenticate(gate, {
            method: "POST",
            header: () => undefined,
            authorization: [authorization],
            dpop: [dpop],
            path: "/t/acme/mcp"
          }).pipe(Effect.as("admitted"), Effect.catch(({ reason }) => Effect.succeed(reason)))
        })
      assert.strictEqual(yield* ask(acmeResource), "admitted")
      assert.strictEqual(yield* ask("https://server.test/t/bolt/mcp"), "proof-url")
      assert.strictEqual(yield* ask(resource), "proof-url")
    }))
})

describe("invalidate", () => {
  const again = (gate: Gate.Gate, token: string, tenant: string) =>
    authenticate(gate, {
      method: "POST",
      header: (name) => name === "x-tenant" ? tenant : undefined,
      authorization: [`Bearer ${token}`]
    })

  it.effect("[T-AUD-12a] evicts the entries of a tenant that was looked up first and is used most", () =>
    Effect.gen(function*() {
      const { gate, outcome, servers, token } = yield* setup(header, { capacity: 2 })
      servers["crew"] = ["https://bolt.test"]
      const [acme, bolt] = [yield* token("acme"), yield* token("bolt")]
      yield* outcome(acme, of("acme"))
      yield* outcome(bolt, of("bolt"))
      const before = yield* again(gate, acme, "acme")
      // The request to the tenant `crew` evicts the tenant `bolt`, the least recently used one. The entries of `acme` stay.
      yield* outcome(bolt, of("crew"))
      assert.strictEqual(yield* again(gate, acme, "acme"), before)
      yield* gate.invalidate({ subject: "alice" })
      assert.notStrictEqual(yield* again(gate, acme, "acme"), before)
    }))

  it.effect("[T-AUD-12a] evicts the entries of a tenant that is looked up again meanwhile", () =>
    Effect.gen(function*() {
      const gates: Array<Deferred.Deferred<void>> = []
      const { gate, outcome, token } = yield* setup(header, {
        timeToLive: "1 minute",
        change: (_, found) =>
          Effect.gen(function*() {
            const wait = yield* Deferred.make<void>()
            gates.push(wait)
            if (gates.length > 1) yield* Deferred.await(wait)
            return yield* found
          })
      })
      const acme = yield* token("acme")
      yield* outcome(acme, of("acme"))
      const before = yield* again(gate, acme, "acme")
      yield* TestClock.adjust("1 minute")
      const waiting = yield* Effect.forkChild(again(gate, acme, "acme"), { startImmediately: true })
      yield* gate.invalidate({ subject: "alice" })
      yield* Deferred.succeed(gates[1]!, undefined)
      assert.notStrictEqual(yield* Fiber.join(waiting), before)
    }))

  it.effect("[T-AUD-12a] evicts the entries of a tenant whose first look-up happened during an earlier invalidate", () =>
    Effect.gen(function*() {
      const wait = yield* Deferred.make<void>()
      const { gate, token } = yield* setup(header, {
        change: (_, found) => Effect.andThen(Deferred.await(wait), found)
      })
      const acme = yield* token("acme")
      const first = yield* Effect.forkChild(again(gate, acme, "acme"), { startImmediately: true })
      yield* gate.invalidate({ subject: "alice" })
      yield* Deferred.succeed(wait, undefined)
      const before = yield* Fiber.join(first)
      assert.strictEqual(yield* again(gate, acme, "acme"), before)
      yield* gate.invalidate({ subject: "alice" })
      assert.notStrictEqual(yield* again(gate, acme, "acme"), before)
    }))
})

describe("invented tenants", () => {
  it.effect("[T-AUD-01f] cause few look-ups, and evict no tenant that verified a token", () =>
    Effect.gen(function*() {
      const { lookedUp, outcome, token } = yield* setup(by("fromClaim", "tid"), { capacity: 10 })
      const acme = yield* token("acme", { tid: "acme" })
      assert.strictEqual(yield* outcome(acme), "admitted")
      const answers = new Map<string, number>()
      for (let n = 0; n < 1_500; n++) {
        const answer = yield* outcome(unsigned({ tid: `invented-${n}` }))
        answers.set(answer, (answers.get(answer) ?? 0) + 1)
      }
      assert.isAtMost(lookedUp.length, 101)
      assert.deepStrictEqual([...answers.keys()].sort(), ["401 unknown-tenant", "503 overloaded"])
      lookedUp.length = 0
      assert.strictEqual(yield* outcome(acme), "admitted")
      yield* TestClock.adjust("5 minutes")
      assert.strictEqual(yield* outcome(acme), "admitted")
      assert.deepStrictEqual(lookedUp, ["acme"])
    }))

  it.effect("[T-AUD-01f] tenants that exist and verify no token evict none that did", () =>
    Effect.gen(function*() {
      const lookedUp: Array<string> = []
      const { outcome, token } = yield* setup(header, {
        capacity: 2,
        newTenants: 1_000,
        authorizationServers: (tenant) => {
          lookedUp.push(tenant)
          return Effect.succeed([tenant === "bolt" ? "https://bolt.test" : "https://acme.test"])
        }
      })
      const [acme, bolt] = [yield* token("acme"), yield* token("bolt")]
      yield* outcome(acme, of("acme"))
      yield* outcome(bolt, of("bolt"))
      for (let n = 0; n < 300; n++) yield* outcome("bad", of(`other-${n}`))
      lookedUp.length = 0
      assert.strictEqual(yield* outcome(acme, of("acme")), "admitted")
      assert.strictEqual(yield* outcome(bolt, of("bolt")), "admitted")
      assert.deepStrictEqual(lookedUp, [])
    }))

  it.effect("[T-AUD-01f] a tenth of the look-ups becomes available each second, and one with each real tenant", () =>
    Effect.gen(function*() {
      const { lookedUp, outcome, token } = yield* setup(header, { newTenants: 10 })
      const [acme, bolt] = [yield* token("acme"), yield* token("bolt")]
      const flood = Effect.forEach(
        Array.from({ length: 50 }, (_, n) => n),
        (n) => outcome("bad", of(`invented-${lookedUp.length}-${n}`))
      )
      for (let n = 0; n < 20; n++) yield* outcome(acme, of("acme"))
      yield* flood
      assert.strictEqual(lookedUp.length, 11)
      assert.strictEqual(yield* outcome(bolt, of("bolt")), "503 overloaded")
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* outcome(bolt, of("bolt")), "admitted")
      yield* flood
      assert.strictEqual(lookedUp.length, 13)
    }))

  it.effect("[T-AUD-01f] requests without a token leave look-ups to those with one", () =>
    Effect.gen(function*() {
      const { lookedUp, outcome, token } = yield* setup(by("fromPath", path), { newTenants: 10 })
      for (let n = 0; n < 50; n++) {
        assert.strictEqual(yield* outcome(undefined, { path: `/t/invented-${n}/mcp` }), "401 no-authorization")
      }
      assert.strictEqual(lookedUp.length, 5)
      const acme = yield* token("acme", {}, acmeResource)
      assert.strictEqual(yield* outcome(acme, { path: "/t/acme/mcp" }), "admitted")
    }))

  it.effect.each<readonly [string, string]>([
    ["401 algorithm", unsigned({ tid: "invented" }, { alg: "none" })],
    ["401 algorithm", unsigned({ tid: "invented" }, { alg: "NoNe" })],
    ["401 algorithm", unsigned({ tid: "invented" }, { alg: 1 })],
    ["401 expired", unsigned({ tid: "invented", exp: 1 })],
    ["401 expiry", unsigned({ tid: "invented", exp: "never" })],
    ["401 not-yet-valid", unsigned({ tid: "invented", nbf: 9_999_999_998 })],
    ["401 unknown-issuer", unsigned({ tid: "invented", iss: 1 })],
    ["401 malformed", `${unsigned({ tid: "invented" }).split(".").slice(0, 2).join(".")}.`],
    ["401 unknown-tenant", "eyJhbGciOiJFUzI1NiJ9.e.AAAA"]
  ])(
    "[T-AUD-01f] an invalid token causes no look-up of the tenant in its claim: %s",
    ([expected, token]) =>
      Effect.gen(function*() {
        const { lookedUp, outcome } = yield* setup(by("fromClaim", "tid"))
        assert.strictEqual(yield* outcome(token), expected)
        assert.deepStrictEqual(lookedUp, [])
      })
  )

  it.effect("[T-AUD-01f] a client that disconnects does not end the look-up of the others", () =>
    Effect.gen(function*() {
      const wait = yield* Deferred.make<void>()
      const { lookedUp, outcome, token } = yield* setup(header, {
        change: (_, found) => Effect.andThen(Deferred.await(wait), found)
      })
      const acme = yield* token("acme")
      const first = yield* Effect.forkChild(outcome(acme, of("acme")), { startImmediately: true })
      const second = yield* Effect.forkChild(outcome(acme, of("acme")), { startImmediately: true })
      yield* Fiber.interrupt(first)
      yield* Deferred.succeed(wait, undefined)
      assert.strictEqual(yield* Fiber.join(second), "admitted")
      assert.deepStrictEqual(lookedUp, ["acme"])
    }))
})

describe("time", () => {
  it.effect("[T-AUD-08t] a clock that steps back keeps no removed tenant alive", () =>
    steppingClock.use((step) =>
      Effect.gen(function*() {
        const { outcome, servers, token } = yield* setup(header)
        const acme = yield* token("acme", { iat: start - 7200 })
        assert.strictEqual(yield* outcome(acme, of("acme")), "admitted")
        yield* step(steppingClock.hourBack)
        delete servers["acme"]
        yield* TestClock.adjust("5 minutes")
        assert.strictEqual(yield* outcome(acme, of("acme")), "401 unknown-tenant")
      })
    ))
})

describe("the authorization servers of tenants", () => {
  const inside = "https://keycloak.internal"

  const ask = Effect.fnUntraced(function*(
    issuer: string,
    { address, unguarded = false, resource: own = resource }: {
      /** The address that the resolver returns for the host name of the issuer. */
      readonly address?: string
      readonly unguarded?: boolean
      readonly resource?: string
    } = {}
  ) {
    yield* TestClock.setTime(1_800_000_000_000)
    const { client, issuer: test } = yield* TestIssuer.make({ issuer, resource: own })
    const services = yield* Layer.build(
      gateLayer({
        resource: own,
        authorizationServers: ["https://own.test"],
        scopes: ["todos:read"],
        tenants: header({
          authorizationServers: () => Effect.succeed([issuer]),
          ...(unguarded ? { [Tenants.allowPrivateAddresses]: true } : {})
        })
      }).pipe(
        Layer.provide(
          address === undefined ? inMemory(client) : Layer.merge(
            Layer.succeed(HttpClient.HttpClient, client),
            Layer.succeed(AddressGuard.Resolver, () => Effect.succeed([address]))
          )
        )
      )
    )
    const gate = yield* Effect.provide(AuthLayer.AuthLayer, services)
    const answer = yield* authenticate(gate, {
      method: "POST",
      header: (name) => name === "x-tenant" ? "acme" : undefined,
      host: [new URL(own).host],
      authorization: [`Bearer ${yield* test.mint()}`]
    }).pipe(Effect.as("admitted"), Effect.catch(({ reason, status }) => Effect.succeed(`${status} ${reason}`)))
    return { answer, requests: (yield* test.requests).length }
  })

  it.effect.each([inside, "https://10.0.0.1", "https://169.254.169.254", "https://localhost", "http://127.0.0.1:9000"])(
    "[T-AUD-01g] %s gets requests only if the author allows private addresses",
    (issuer) =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* ask(issuer), { answer: "503 network", requests: 0 })
        assert.strictEqual((yield* ask(issuer, { unguarded: true })).answer, "admitted")
      })
  )

  it.effect("[T-AUD-01g] a public name gets requests only if its address is public", () =>
    Effect.gen(function*() {
      assert.strictEqual((yield* ask("https://acme.test", { address: "8.8.8.8" })).answer, "admitted")
      assert.deepStrictEqual(yield* ask("https://acme.test", { address: "10.0.0.1" }), {
        answer: "503 network",
        requests: 0
      })
    }))

  it.effect("[T-AUD-01g] a server on loopback may have tenants on loopback, and no others in private networks", () =>
    Effect.gen(function*() {
      const own = "http://localhost:3000/mcp"
      assert.strictEqual((yield* ask("http://localhost:9000", { resource: own })).answer, "admitted")
      assert.strictEqual((yield* ask("https://127.0.0.1:9000", { resource: own })).answer, "admitted")
      assert.deepStrictEqual(yield* ask(inside, { resource: own }), { answer: "503 network", requests: 0 })
      assert.deepStrictEqual(yield* ask("https://10.0.0.1", { resource: own }), { answer: "503 network", requests: 0 })
    }))
})
