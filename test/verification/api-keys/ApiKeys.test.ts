import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Effect, Fiber, Redacted, Schema } from "effect"
import { AuthError, type AuthLayer } from "effect-mcp-auth"
import { ApiKeys } from "effect-mcp-auth/api-keys"
import { Dpop } from "effect-mcp-auth/dpop"
import { Revocations } from "effect-mcp-auth/revocation"
import { Tenants } from "effect-mcp-auth/tenants"
import { TokenHeader } from "effect-mcp-auth/token-header"
import { TestClock } from "effect/testing"
import { createHash } from "node:crypto"
import { Sharing } from "../../../src/outbound/Sharing.ts"
import { authenticate, authenticateCaller, authorize } from "../../authorization/steps.ts"
import {
  bearer,
  gate as gateWith,
  listening,
  rejected,
  request,
  resource,
  toolCall
} from "../../authorization/support.ts"
import { interruptedAt } from "../../interruptedAt.ts"

const now = 1_800_000_000

type Auth = Partial<AuthLayer.Common<any>>

/** A store that counts its look-ups. */
const counting = (store: ApiKeys.Store = ApiKeys.memory()) => {
  const lookedUp: Array<string> = []
  return {
    lookedUp,
    find: (identifier: string) =>
      Effect.suspend(() => {
        lookedUp.push(identifier)
        return store.find(identifier)
      })
  }
}

const generate = (options: Partial<ApiKeys.GenerateOptions> = {}) =>
  Effect.map(
    ApiKeys.generate({ subject: "cron", scopes: ["todos:read"], ...options }),
    ({ key, record }) => ({ key: Redacted.value(key), record })
  )

const gateOf = (store: ApiKeys.Options["store"], options: Partial<ApiKeys.CommonOptions> = {}, auth: Auth = {}) =>
  Effect.map(
    gateWith({ ...auth, apiKeys: ApiKeys.make({ store, header: "X-Api-Key", ...options }) } as never),
    ({ gate, issuer }) => ({
      gate,
      issuer,
      present: (key: string) => authenticate(gate, request({ "x-api-key": key })),
      reason: (key: string) =>
        Effect.map(
          rejected(authenticate(gate, request({ "x-api-key": key }))),
          ({ reason, status }) => [status, reason]
        )
    })
  )

describe("generate", () => {
  it.effect("returns a key with 256 random bits, and a record with its hash and without the key", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(now * 1000 + 500)
      const { key, record } = yield* generate({ expiresIn: "90 seconds", claims: { roles: ["admin"] } })
      assert.match(key, /^mcp_[0-9a-f]{24}_[0-9a-f]{64}$/)
      assert.deepStrictEqual(record, {
        identifier: key.slice(0, 28),
        hash: createHash("sha256").update(key).digest("base64url"),
        subject: "cron",
        scopes: ["todos:read"],
        createdAt: now,
        expiresAt: now + 90,
        claims: { roles: ["admin"] }
      })
      const other = yield* generate({ prefix: "todos" })
      assert.isTrue(other.key.startsWith("todos_"))
      assert.notStrictEqual(other.key.slice(-64), key.slice(-64))
      assert.isFalse("expiresAt" in other.record)
    }))

  it.effect("names a wrong option", () =>
    Effect.gen(function*() {
      for (
        const [options, option] of [
          [{ subject: "" }, "ApiKeys.generate.subject"],
          [{ subject: "a\nb" }, "ApiKeys.generate.subject"],
          [{ subject: undefined }, "ApiKeys.generate.subject"],
          [{ scopes: "todos:read" }, "ApiKeys.generate.scopes"],
          [{ scopes: ["a b"] }, "ApiKeys.generate.scopes"],
          [{ roles: "admin" }, "ApiKeys.generate.roles"],
          [{ roles: [""] }, "ApiKeys.generate.roles"],
          [{ prefix: "Todos" }, "ApiKeys.generate.prefix"],
          [{ prefix: "to_dos" }, "ApiKeys.generate.prefix"],
          [{ tenant: "" }, "ApiKeys.generate.tenant"],
          [{ tenant: "a b" }, "ApiKeys.generate.tenant"],
          [{ tenant: "a".repeat(257) }, "ApiKeys.generate.tenant"],
          [{ expiresIn: "0 seconds" }, "ApiKeys.generate.expiresIn"],
          [{ scope: ["todos:read"] }, "ApiKeys.generate.scope"]
        ] as const
      ) {
        assert.strictEqual((yield* Effect.flip(generate(options as never))).option, option)
      }
    }))
})

describe("the principal of an API key", () => {
  it.effect("[T-APIKEY-06] is not that of a person with the same subject, and contains no secret", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(now * 1000)
      const { key, record } = yield* generate({
        subject: "alice",
        scopes: ["todos:write"],
        roles: ["admin"],
        claims: { team: "a" }
      })
      const { gate, issuer, present } = yield* gateOf(ApiKeys.memory([record]), {}, {
        scopeHierarchy: { "todos:write": ["todos:read"] }
      })
      const principal = yield* present(key)
      const person = yield* authenticate(gate, bearer(yield* issuer.mint({ subject: "alice", scopes: ["todos:read"] })))
      if (principal === "anonymous" || person === "anonymous") return assert.fail("anonymous")
      assert.deepStrictEqual({
        issuer: principal.issuer,
        subject: principal.subject,
        clientId: principal.clientId,
        granted: [...principal.granted],
        scopes: [...principal.scopes].sort(),
        roles: [...principal.roles],
        audience: principal.audience,
        claims: principal.claims,
        token: Redacted.value(principal.token) as unknown
      }, {
        issuer: ApiKeys.issuer,
        subject: "alice",
        clientId: record.identifier,
        granted: ["todos:write"],
        scopes: ["todos:read", "todos:write"],
        roles: ["admin"],
        audience: [resource],
        claims: {
          team: "a",
          iss: ApiKeys.issuer,
          sub: "alice",
          aud: resource,
          client_id: record.identifier,
          scope: "todos:write",
          iat: now
        },
        token: record.identifier
      })
      assert.notStrictEqual(principal.owner, person.owner)
      assert.notStrictEqual(principal.key, person.key)
      assert.notInclude(JSON.stringify([principal, Redacted.value(principal.token)]), key.slice(-64))
    }))

  it.effect("[T-APIKEY-06] has the owner of the other keys of its subject, and a separate key", () =>
    Effect.gen(function*() {
      const [one, two] = [yield* generate(), yield* generate()]
      const { present } = yield* gateOf(ApiKeys.memory([one.record, two.record]))
      const [first, second] = [yield* present(one.key), yield* present(two.key)]
      if (first === "anonymous" || second === "anonymous") return assert.fail("anonymous")
      assert.strictEqual(first.owner, second.owner)
      assert.notStrictEqual(first.key, second.key)
    }))

  it.effect("[T-APIKEY-06] cannot be contradicted by the claims of the record, and is bound to no key of a client", () =>
    Effect.gen(function*() {
      const claims = {
        iss: "https://issuer.test",
        sub: "bob",
        client_id: "x",
        scope: "admin",
        aud: "x",
        cnf: { jkt: "x" }
      }
      const { key, record } = yield* generate({ claims })
      const { present } = yield* gateOf(ApiKeys.memory([{ ...record, createdAt: undefined }]))
      const principal = yield* present(key)
      if (principal === "anonymous") return assert.fail("anonymous")
      assert.deepStrictEqual(principal.claims, {
        iss: ApiKeys.issuer,
        sub: "cron",
        aud: resource,
        client_id: record.identifier,
        scope: "todos:read"
      })
      assert.throws(() => (principal.claims as { sub: string }).sub = "bob", TypeError)
    }))

  it.effect("is decoded and rejected by the option claims like any other", () =>
    Effect.gen(function*() {
      const one = yield* generate({ claims: { team: "a" } })
      const two = yield* generate()
      class Team extends Context.Service<Team, { readonly team: string }>()("test/Team") {}
      const claims = { service: Team, decode: Schema.decodeUnknownResult(Schema.Struct({ team: Schema.String })) }
      const { present, reason } = yield* gateOf(ApiKeys.memory([one.record, two.record]), {}, { claims } as never)
      assert.notStrictEqual(yield* present(one.key), "anonymous")
      assert.deepStrictEqual(yield* reason(two.key), [401, "claims"])
    }))

  it.effect("is accepted beside tokens that need a DPoP proof", () =>
    Effect.gen(function*() {
      const { key, record } = yield* generate()
      const { gate, issuer, present } = yield* gateOf(ApiKeys.memory([record]), {}, { dpop: Dpop.required() })
      assert.notStrictEqual(yield* present(key), "anonymous")
      const rejection = yield* rejected(authenticate(gate, bearer(yield* issuer.mint({ scopes: [] }))))
      assert.strictEqual(rejection.status, 401)
    }))
})

describe("the cache of records", () => {
  it.effect("[T-APIKEY-10] lets a removed key pass for 30 seconds at most, and an unknown one fail for 5", () =>
    Effect.gen(function*() {
      const { key, record } = yield* generate()
      const memory = ApiKeys.memory()
      const store = counting(memory)
      const { present, reason } = yield* gateOf(store)
      assert.deepStrictEqual(yield* reason(key), [401, "api-key-unknown"])
      yield* memory.put(record)
      assert.deepStrictEqual(yield* reason(key), [401, "api-key-unknown"])
      assert.strictEqual(store.lookedUp.length, 1)
      yield* TestClock.adjust("5 seconds")
      yield* present(key)
      yield* memory.remove(record.identifier)
      yield* TestClock.adjust("29999 millis")
      yield* present(key)
      assert.strictEqual(store.lookedUp.length, 2)
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(yield* reason(key), [401, "api-key-unknown"])
      assert.strictEqual(store.lookedUp.length, 3)
    }))

  it.effect("looks up each request with the option cache at 0, and never extends the life of a key", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(now * 1000)
      const { key, record } = yield* generate({ expiresIn: "2 seconds" })
      const store = counting(ApiKeys.memory([record]))
      const { present } = yield* gateOf(store, { cache: 0 })
      yield* present(key)
      yield* present(key)
      assert.strictEqual(store.lookedUp.length, 2)
      const cached = yield* gateOf(store, { cache: "5 minutes" })
      yield* TestClock.adjust("1999 millis")
      yield* cached.present(key)
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(yield* cached.reason(key), [401, "api-key-expired"])
      assert.strictEqual(store.lookedUp.length, 3)
    }))

  it.effect("[T-APIKEY-05] asks the store nothing about malformed keys and wrong secrets of cached identifiers", () =>
    Effect.gen(function*() {
      const { key, record } = yield* generate()
      const store = counting(ApiKeys.memory([record]))
      const { present, reason } = yield* gateOf(store)
      yield* present(key)
      for (let digit = 0; digit < 10; digit++) {
        const forged = key.slice(0, -1) + digit
        if (forged !== key) assert.deepStrictEqual(yield* reason(forged), [401, "api-key-unknown"])
      }
      for (const text of ["a", `${key}0`, key.slice(4), `1${key}`, "a".repeat(10_000), key.replace("_", "-")]) {
        assert.deepStrictEqual(yield* reason(text), [401, "api-key-malformed"])
      }
      assert.strictEqual(store.lookedUp.length, 1)
    }))

  it.effect("coalesces look-ups of one identifier, and an interrupted request does not cancel them", () =>
    Effect.gen(function*() {
      const { key, record } = yield* generate()
      const open = yield* Deferred.make<void>()
      const store = counting({ find: () => Effect.as(Deferred.await(open), record) })
      const { present } = yield* gateOf(store)
      const [first, ...others] = yield* Effect.forEach(
        Array.from({ length: 5 }),
        () => Effect.forkChild(present(key), { startImmediately: true })
      )
      yield* Fiber.interrupt(first!)
      yield* Deferred.succeed(open, undefined)
      for (const fiber of others) assert.notStrictEqual(yield* Fiber.join(fiber), "anonymous")
      assert.strictEqual(store.lookedUp.length, 1)
    }))

  it.effect("[T-APIKEY-10] evicts a record when the gate invalidates its client, also one that is being looked up", () =>
    Effect.gen(function*() {
      const { key, record } = yield* generate()
      const open = yield* Deferred.make<void>()
      const memory = ApiKeys.memory([record])
      let isSlow = false
      const { gate, present, reason } = yield* gateOf({
        find: (identifier) =>
          Effect.flatMap(
            memory.find(identifier),
            (found) => isSlow ? Effect.as(Deferred.await(open), found) : Effect.succeed(found)
          )
      }, { cache: "5 minutes" })
      yield* present(key)
      yield* gate.invalidate({ client: record.identifier })
      isSlow = true
      const waiting = yield* Effect.forkChild(present(key), { startImmediately: true })
      yield* memory.remove(record.identifier)
      yield* gate.invalidate({ client: record.identifier })
      yield* Deferred.succeed(open, undefined)
      yield* Fiber.await(waiting)
      isSlow = false
      assert.deepStrictEqual(yield* reason(key), [401, "api-key-unknown"])
    }))
})

describe("a store of API keys that fails", () => {
  it.effect("[T-APIKEY-05] makes the server answer 503, also if it hangs or returns a value that is not a record", () =>
    Effect.gen(function*() {
      const { key, record } = yield* generate()
      const failing = yield* gateOf({ find: () => Effect.fail(new Error(key)) })
      const rejection = yield* rejected(failing.present(key))
      assert.deepStrictEqual([rejection.status, rejection.reason], [503, "api-key-store-down"])
      assert.strictEqual(rejection.headers["retry-after"], "1")
      assert.isUndefined(rejection.headers["www-authenticate"])
      const hanging = yield* gateOf({ find: () => Effect.never })
      const waiting = yield* Effect.forkChild(hanging.reason(key), { startImmediately: true })
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual(yield* Fiber.join(waiting), [503, "api-key-store-slow"])
      const other = (yield* generate()).record
      for (
        const [member, value] of [
          ["value", "text"],
          ["value", []],
          ["identifier", {}],
          ["identifier", { ...record, identifier: "mcp_other" }],
          ["identifier", other],
          ["hash", { ...record, hash: "" }],
          ["hash", { ...record, hash: createHash("sha256").update(key).digest("hex") }],
          ["subject", { ...record, subject: "" }],
          ["subject", { ...record, subject: undefined }],
          ["scopes", { ...record, scopes: "todos:read" }],
          ["scopes", { ...record, scopes: ["a b"] }],
          ["scopes", { ...record, scopes: undefined }],
          ["roles", { ...record, roles: "admin" }],
          ["roles", { ...record, roles: [1] }],
          ["expiresAt", { ...record, expiresAt: "never" }],
          ["expiresAt", { ...record, expiresAt: null }],
          ["expiresAt", { ...record, expiresAt: new Date() }],
          ["expiresAt", { ...record, expiresAt: Number.NaN }],
          ["claims", { ...record, claims: [] }]
        ] as const
      ) {
        const { present } = yield* gateOf({ find: () => Effect.succeed(value as never) })
        const { error, reason, status } = yield* rejected(present(key))
        assert.deepStrictEqual([status, reason], [503, "api-key-record"], JSON.stringify(value))
        assert.include(error!.message, `(${member === "value" ? "the value" : member} is not `)
      }
    }))

  it.effect("[T-APIKEY-14] is not accepted with times in milliseconds, which would make an expired key valid", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(now * 1000)
      const { key, record } = yield* generate()
      for (const times of [{ expiresAt: (now - 1) * 1000 }, { expiresAt: 1e12 }, { createdAt: now * 1000 }]) {
        const { reason } = yield* gateOf({ find: () => Effect.succeed({ ...record, ...times }) })
        assert.deepStrictEqual(yield* reason(key), [503, "api-key-record"])
      }
      const { present } = yield* gateOf({ find: () => Effect.succeed({ ...record, expiresAt: 1e12 - 1 }) })
      yield* present(key)
    }))

  it.effect("[T-APIKEY-14] has the members of its record that were checked, also if a getter returns others later", () =>
    Effect.gen(function*() {
      const { key, record } = yield* generate()
      let reads = 0
      const changing = {
        ...record,
        get scopes() {
          return reads++ === 0 ? record.scopes : ["todos:read", "todos:write"]
        }
      }
      const { present } = yield* gateOf({ find: () => Effect.succeed(changing) })
      const principal = yield* present(key)
      if (principal === "anonymous") return assert.fail("anonymous")
      assert.deepStrictEqual([...principal.granted], ["todos:read"])
    }))

  it.effect("[T-APIKEY-12] is sent to no authorization server when a client presents it as an access token", () =>
    Effect.gen(function*() {
      const { key, record } = yield* generate()
      const verified: Array<string> = []
      const { gate } = yield* gateOf(ApiKeys.memory([record]), {}, {
        verifier: () => ({
          verify: (credentials) => {
            verified.push(Redacted.value(credentials.token))
            return Effect.fail(new AuthError.InvalidToken({ reason: "inactive" }))
          }
        })
      })
      const { headers, reason, status } = yield* rejected(authenticate(gate, bearer(key)))
      assert.deepStrictEqual([status, reason], [401, "api-key-as-token"])
      assert.include(headers["www-authenticate"], "error=\"invalid_token\"")
      assert.deepStrictEqual(verified, [])
      assert.strictEqual((yield* rejected(authenticate(gate, bearer("opaque")))).reason, "inactive")
      assert.deepStrictEqual(verified, ["opaque"])
    }))

  it.effect("[T-APIKEY-05] makes the server answer 500 if it throws, and recovers", () =>
    Effect.gen(function*() {
      const { key, record } = yield* generate()
      let isBroken = true
      const { present, reason } = yield* gateOf({
        find: () => {
          if (isBroken) throw new Error("defect")
          return Effect.succeed(record)
        }
      })
      assert.deepStrictEqual(yield* reason(key), [500, "broken"])
      isBroken = false
      assert.notStrictEqual(yield* present(key), "anonymous")
    }))

  it.effect("[T-APIKEY-05] receives at most 100 look-ups at a time", () =>
    Effect.gen(function*() {
      const open = yield* Deferred.make<void>()
      const store = counting({ find: () => Effect.as(Deferred.await(open), undefined) })
      const { reason } = yield* gateOf(store)
      const keys = yield* Effect.forEach(Array.from({ length: 101 }), () => generate())
      const fibers = yield* Effect.forEach(keys.slice(0, 100), ({ key }) =>
        Effect.forkChild(reason(key), { startImmediately: true }))
      assert.deepStrictEqual(yield* reason(keys[100]!.key), [503, "api-key-store-busy"])
      yield* Deferred.succeed(open, undefined)
      for (const fiber of fibers) {
        assert.deepStrictEqual(yield* Fiber.join(fiber), [401, "api-key-unknown"])
      }
      assert.deepStrictEqual(yield* reason(keys[100]!.key), [401, "api-key-unknown"])
      assert.strictEqual(store.lookedUp.length, 101)
    }))

  it.live("[T-APIKEY-05] has room for look-ups after callers were interrupted at any step", () =>
    Effect.gen(function*() {
      const { present, reason } = yield* Effect.provideService(
        gateOf({ find: () => Effect.undefined }, { cache: 0 }),
        Sharing,
        false
      )
      const { key } = yield* generate()
      for (let at = 1; at <= 60; at++) {
        for (let time = 0; time <= 100; time++) yield* interruptedAt(at, present(key))
      }
      assert.deepStrictEqual(yield* reason(key), [401, "api-key-unknown"])
    }))
})

describe("a revoked API key", () => {
  it.effect("[T-APIKEY-10] is rejected after a body that took longer than the cache", () =>
    Effect.gen(function*() {
      const { key, record } = yield* generate()
      const memory = ApiKeys.memory([record])
      const { gate } = yield* gateOf(memory, { cache: "1 second" })
      const outcome = (meanwhile: Effect.Effect<unknown>) =>
        Effect.flatMap(authenticateCaller(gate, request({ "x-api-key": key })), (caller) =>
          authorize(gate, {
            caller,
            operations: Effect.as(meanwhile, toolCall("list")),
            policy: () => ({ scopes: ["todos:read"], unauthorized: "challenge" })
          }))
      assert.strictEqual((yield* outcome(TestClock.adjust("2 seconds"))).length, 1)
      const rejection = yield* rejected(
        outcome(Effect.andThen(memory.remove(record.identifier), TestClock.adjust("2 seconds")))
      )
      assert.deepStrictEqual([rejection.status, rejection.reason], [401, "revoked"])
      assert.include(rejection.body, "API key")
      assert.notInclude(rejection.headers["www-authenticate"]!, "error=")
    }))

  it.effect("[T-APIKEY-10] is rejected if its identifier has another secret by then", () =>
    Effect.gen(function*() {
      const { key, record } = yield* generate()
      const other = yield* generate()
      const memory = ApiKeys.memory([record])
      const { gate } = yield* gateOf(memory, { cache: 0 })
      const caller = yield* authenticateCaller(gate, request({ "x-api-key": key }))
      yield* memory.put({ ...record, hash: other.record.hash })
      assert.strictEqual((yield* rejected(gate.recheck(caller, true))).reason, "revoked")
    }))

  it.effect("[T-APIKEY-10] ends its open streams within the cache time and the revocation interval", () =>
    Effect.gen(function*() {
      const { key, record } = yield* generate()
      const memory = ApiKeys.memory([record])
      const { gate } = yield* gateOf(memory, {}, { revocationInterval: "10 seconds" })
      const caller = yield* authenticateCaller(gate, request({ "x-api-key": key }))
      const stream = yield* Effect.forkChild(gate.untilStreamEnds(caller, 8.64e15), { startImmediately: true })
      yield* TestClock.adjust("10 minutes")
      assert.isUndefined(stream.pollUnsafe())
      yield* memory.remove(record.identifier)
      yield* TestClock.adjust("40 seconds")
      yield* Fiber.join(stream)
    }))

  it.effect.each(
    [
      ["scope", { scopes: [] }],
      ["role", { roles: [] }],
      ["subject", { subject: "another" }],
      ["claim", { claims: { team: "b" } }]
    ] as const
  )(
    "[T-APIKEY-10] loses its streams and its waiting requests with a %s of its record",
    ([, change]) =>
      Effect.gen(function*() {
        const { key, record } = yield* generate({ roles: ["exporter"], claims: { team: "a" } })
        const memory = ApiKeys.memory([record])
        const { gate, present } = yield* gateOf(memory, {}, { revocationInterval: "10 seconds" })
        const caller = yield* authenticateCaller(gate, request({ "x-api-key": key }))
        const stream = yield* Effect.forkChild(gate.untilStreamEnds(caller, 8.64e15), { startImmediately: true })
        yield* TestClock.adjust("10 minutes")
        assert.isUndefined(stream.pollUnsafe())
        yield* memory.put({ ...record, ...change })
        yield* TestClock.adjust("40 seconds")
        yield* Fiber.join(stream)
        assert.strictEqual((yield* rejected(gate.recheck(caller, true))).reason, "revoked")
        yield* present(key)
      })
  )

  it.effect("[T-APIKEY-10] keeps its streams while the store fails, and loses them at once when the gate invalidates it", () =>
    Effect.gen(function*() {
      const { key, record } = yield* generate()
      let isDown = false
      const { gate } = yield* gateOf(
        {
          find: () => isDown ? Effect.fail("down") : Effect.succeed(record)
        },
        { cache: 0 },
        { revocationInterval: "10 seconds" }
      )
      const caller = yield* authenticateCaller(gate, request({ "x-api-key": key }))
      isDown = true
      const stream = yield* Effect.forkChild(gate.untilStreamEnds(caller, 8.64e15), { startImmediately: true })
      yield* TestClock.adjust("10 minutes")
      assert.isUndefined(stream.pollUnsafe())
      assert.strictEqual((yield* rejected(gate.recheck(caller, true))).status, 503)
      yield* gate.invalidate({ client: record.identifier })
      yield* Fiber.join(stream)
    }))

  it.effect("[T-APIKEY-10] can also be revoked by its subject with the option revocation", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(now * 1000)
      const old = yield* generate()
      const revocations = yield* Effect.provide(Revocations.Revocations, Revocations.layerMemory)
      const memory = ApiKeys.memory([old.record])
      const { gate, issuer, present, reason } = yield* gateOf(memory, {}, { revocation: Revocations.from(revocations) })
      yield* present(old.key)
      yield* revocations.revoke({ issuer: ApiKeys.issuer, subject: "cron" })
      assert.deepStrictEqual(yield* reason(old.key), [401, "revoked"])
      yield* TestClock.adjust("2 seconds")
      const next = yield* generate()
      yield* memory.put(next.record)
      assert.notStrictEqual(yield* present(next.key), "anonymous")
      const token = yield* issuer.mint({ subject: "cron", scopes: [] })
      assert.notStrictEqual(yield* authenticate(gate, bearer(token)), "anonymous")
      const caller = yield* authenticateCaller(gate, bearer(token))
      assert.strictEqual(yield* gate.recheck(caller, true), caller)
    }))
})

/** A gate with tenants. `lookedUp` contains the names that were looked up, and `servers` decides about them. */
const withTenants = Effect.fnUntraced(function*(records: ReadonlyArray<ApiKeys.ApiKeyRecord>) {
  const lookedUp: Array<string> = []
  const servers = new Map<string, ReadonlyArray<string>>([["acme", ["https://acme.test"]], ["bolt", [
    "https://bolt.test"
  ]]])
  const memory = ApiKeys.memory()
  // A table of the author of a server does not check its records.
  for (const record of records) yield* memory.put(record)
  const { gate, reason } = yield* gateOf(memory, { cache: 0 }, {
    tenants: Tenants.fromHeader("x-tenant", {
      authorizationServers: (tenant) =>
        Effect.suspend(() => {
          lookedUp.push(tenant)
          const found = servers.get(tenant)
          return found === undefined ? Effect.succeed([]) : Effect.succeed(found)
        })
    })
  })
  const present = (key: string, tenant: string) =>
    authenticateCaller(gate, request({ "x-api-key": key, "x-tenant": tenant }))
  return { gate, lookedUp, memory, present, reason, servers }
})

/** Returns another key of the same form. A key is random, so it can end with any character. */
const changeEnd = (key: string): string => `${key.slice(0, -1)}${key.endsWith("0") ? "1" : "0"}`

describe("an API key of a tenant", () => {
  it.effect("[T-APIKEY-13] has the tenant in its principal, its owner and its key", () =>
    Effect.gen(function*() {
      const { key, record } = yield* generate({ tenant: "acme" })
      const other = yield* generate({ tenant: "bolt" })
      const { present } = yield* withTenants([record, other.record])
      const [{ principal: one }, { principal: two }] = [
        yield* present(key, "acme"),
        yield* present(other.key, "bolt")
      ]
      assert.deepStrictEqual([one!.tenant, two!.tenant], ["acme", "bolt"])
      assert.include(one!.key, "{\"tenant\":\"acme\"}")
      assert.notStrictEqual(one!.owner, two!.owner)
    }))

  it.effect("[T-APIKEY-13] is rejected at another tenant with the reason of a token, and reveals nothing", () =>
    Effect.gen(function*() {
      const { key, record } = yield* generate({ tenant: "acme" })
      const { key: without, record: withoutTenant } = yield* generate()
      const { lookedUp, present, reason } = yield* withTenants([record, withoutTenant])
      const rejections = yield* Effect.forEach(
        [[key, "bolt"], [key, "nobody"], [without, "acme"], [changeEnd(key), "acme"]] as const,
        ([key, tenant]) => rejected(present(key, tenant))
      )
      assert.deepStrictEqual(rejections.map(({ reason, status }) => [status, reason]), [
        [401, "unknown-tenant"],
        [401, "unknown-tenant"],
        [401, "unknown-tenant"],
        [401, "api-key-unknown"]
      ])
      assert.strictEqual(new Set(rejections.map(({ body }) => body)).size, 1)
      assert.deepStrictEqual(yield* reason(key), [401, "unknown-tenant"])
      // The challenge names the tenant of the request. No key causes a look-up of the tenant in its record.
      assert.notInclude(lookedUp.slice(0, 2), "acme")
    }))

  it.effect("[T-APIKEY-13] is rejected if the tenant is gone, or if the key has moved to another tenant", () =>
    Effect.gen(function*() {
      const { key, record } = yield* generate({ tenant: "acme" })
      const { gate, memory, present, servers } = yield* withTenants([record])
      const caller = yield* present(key, "acme")
      yield* memory.put({ ...record, tenant: "bolt" })
      assert.strictEqual((yield* rejected(gate.recheck(caller, true))).reason, "revoked")
      assert.strictEqual((yield* rejected(present(key, "acme"))).reason, "unknown-tenant")
      assert.strictEqual((yield* present(key, "bolt")).principal?.tenant, "bolt")
      servers.delete("bolt")
      yield* TestClock.adjust("1 hour")
      assert.strictEqual((yield* rejected(present(key, "bolt"))).reason, "unknown-tenant")
    }))

  it.effect("[T-APIKEY-13] is rejected where there are no tenants", () =>
    Effect.gen(function*() {
      const { key, record } = yield* generate({ tenant: "acme" })
      const { reason } = yield* gateOf(ApiKeys.memory([record]))
      assert.deepStrictEqual(yield* reason(key), [401, "unknown-tenant"])
    }))

  it.effect.each(["", "a b", 1, null, ["acme"]])(
    "[T-APIKEY-13] is not accepted with a record whose tenant is %j",
    (tenant) =>
      Effect.gen(function*() {
        const { key, record } = yield* generate({ tenant: "acme" })
        const { present } = yield* withTenants([{ ...record, tenant: tenant as string }])
        assert.strictEqual((yield* rejected(present(key, "acme"))).reason, "api-key-record")
      })
  )
})

describe("the log line about another scheme", () => {
  it.effect("names the scheme of API keys if it is accepted", () =>
    Effect.gen(function*() {
      const { explained, layer } = listening()
      yield* Effect.gen(function*() {
        const { gate } = yield* gateWith({ apiKeys: ApiKeys.make({ store: ApiKeys.memory(), scheme: "ApiKey" }) })
        const { gate: other } = yield* gateWith()
        for (const each of [gate, other]) yield* rejected(authenticate(each, request({}, ["Basic YTpi"])))
      }).pipe(Effect.provide(layer))
      assert.deepStrictEqual(explained.map((_) => _?.expected), ["Bearer, or ApiKey", "Bearer"])
    }))
})

describe("the log line about a missing scope", () => {
  it.effect("advises to change the record of the key, because a sign-in cannot help", () =>
    Effect.gen(function*() {
      const { explained, layer } = listening()
      yield* Effect.gen(function*() {
        const { key, record } = yield* generate({ scopes: [] })
        const { gate, issuer } = yield* gateOf(ApiKeys.memory([record]))
        const token = yield* issuer.mint({ subject: "alice", scopes: [] })
        for (const each of [request({ "x-api-key": key }), bearer(token)]) {
          yield* rejected(authorize(gate, {
            caller: yield* authenticateCaller(gate, each),
            operations: Effect.succeed(toolCall("list")),
            policy: () => ({ scopes: ["todos:read"], unauthorized: "challenge" })
          }))
        }
      }).pipe(Effect.provide(layer))
      assert.match(explained[0]!.advice, /^Add the missing scopes to the record of this API key/)
      assert.match(explained[1]!.advice, /^Normal before step-up/)
    }))
})

describe("the options of API keys", () => {
  const store = ApiKeys.memory()
  const rows: ReadonlyArray<readonly [what: string, apiKeys: unknown, option: string, others?: Auth]> = [
    ["neither header nor scheme", { store }, "apiKeys"],
    ["both header and scheme", { store, header: "x-api-key", scheme: "ApiKey" }, "apiKeys"],
    ["another scheme", { store, scheme: "Token" }, "apiKeys.scheme"],
    ["no store", { header: "x-api-key" }, "apiKeys.store"],
    ["a store without find", { store: {}, header: "x-api-key" }, "apiKeys.store"],
    ["a list of records", { store: [], header: "x-api-key" }, "apiKeys.store"],
    ["an effect of another value", { store: Effect.succeed({}), header: "x-api-key" }, "apiKeys.store"],
    ["a long cache time", { store, header: "x-api-key", cache: "6 minutes" }, "apiKeys.cache"],
    ["an unknown option", { store, header: "x-api-key", name: "x" }, "apiKeys.name"],
    ...[
      "authorization",
      "Cookie",
      "proxy-authorization",
      "host",
      "mcp-session-id",
      "dpop",
      "x-forwarded-for",
      "a b",
      ""
    ].map(
      (header) => [`the header ${JSON.stringify(header)}`, { store, header }, "apiKeys.header"] as const
    ),
    ["tokens in another header", { store, scheme: "ApiKey" }, "apiKeys.scheme", {
      tokenHeader: TokenHeader.oauth2Proxy
    }],
    [
      "tokens in the same header",
      { store, header: "X-Forwarded-Access-Token" },
      "apiKeys.header",
      { tokenHeader: TokenHeader.oauth2Proxy }
    ]
  ]

  it.effect.each(rows)("reject %s", ([, options, option, others = {}]) =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(gateWith({ ...others, apiKeys: ApiKeys.make(options as never) } as never))
      assert.instanceOf(error, AuthError.AuthConfigError)
      assert.strictEqual((error as AuthError.AuthConfigError).option, option)
    }))

  it.effect("reject a value that ApiKeys did not make", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(gateWith({ apiKeys: { store, header: "x-api-key" } } as never))
      assert.strictEqual((error as AuthError.AuthConfigError).option, "apiKeys")
    }))

  it.effect("[T-APIKEY-06] are not needed to reserve the issuer of API keys", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(gateWith({
        authorizationServers: [{ issuer: "https://issuer.test", tokenIssuers: [ApiKeys.issuer] }]
      }))
      assert.strictEqual((error as AuthError.AuthConfigError).option, "authorizationServers[0].tokenIssuers")
    }))
})
