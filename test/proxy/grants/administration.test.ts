import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Redacted } from "effect"
import { MemoryStore, RecordStore } from "effect-mcp-auth/store"
import { TestClock } from "effect/testing"
import * as GrantAdministration from "../../../src/proxy/grants/GrantAdministration.ts"
import { notifying } from "../../../src/proxy/grants/GrantEvent.ts"
import type { GrantRejected } from "../../../src/proxy/grants/Grants.ts"
import * as ProxyKeys from "../../../src/proxy/keys/ProxyKeys.ts"
import * as RecordKeys from "../../../src/proxy/keys/RecordKeys.ts"
import { alice, approved, issuer, makeWorld, resource, secretA, secretB, toTokens, type World } from "./world.ts"

const bob = { subject: "github|2", display: "Bob" }

const reasonOf = <A, E>(effect: Effect.Effect<A, E>) =>
  Effect.map(Effect.flip(effect), (error) => (error as unknown as GrantRejected).reason)

const idOf = (refreshToken: string) => refreshToken.split(".")[0]!
const typesOf = ({ events }: World) => events.map(({ type }) => type)

describe("the list of the grants of a person", () => {
  it.effect("a grant that a lost list did not name ends at its next refresh after revokeAll", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld()
      const tokens = yield* world.signIn()
      const keyOf = yield* RecordKeys.make(issuer)
      assert.isTrue(yield* world.store.remove(yield* keyOf("person", alice.subject)))
      assert.strictEqual(yield* world.grants.revokeAll(alice.subject), 0)
      assert.strictEqual(yield* reasonOf(world.refresh(tokens.refresh)), "ended")
      assert.isFalse(yield* world.grants.isAlive(idOf(tokens.refresh)))
      yield* TestClock.adjust("1 second")
      yield* world.refresh((yield* world.signIn()).refresh)
    }))
})

describe("the revocation of a token (RFC 7009)", () => {
  it.effect.each(["refresh", "access"] as const)(
    "ends the grant of the %s token of its client, once",
    (kind) =>
      Effect.gen(function*() {
        const world = yield* makeWorld()
        const tokens = yield* world.signIn()
        const other = yield* world.signIn()
        yield* world.grants.revoke(tokens[kind], approved.clientId)
        yield* world.grants.revoke(tokens[kind], approved.clientId)
        assert.strictEqual(yield* reasonOf(world.refresh(tokens.refresh)), "unknown")
        assert.isFalse(yield* world.grants.isAlive(idOf(tokens.refresh)))
        yield* world.refresh(other.refresh)
        assert.deepStrictEqual(typesOf(world), ["started", "started", "client-revoked"])
      })
  )

  it.effect.each(["refresh", "access"] as const)(
    "attack 55: another client cannot revoke the %s token, and gets the same answer",
    (kind) =>
      Effect.gen(function*() {
        const world = yield* makeWorld()
        const tokens = yield* world.signIn()
        assert.isUndefined(yield* world.grants.revoke(tokens[kind], "https://other.example.com/oauth.json"))
        yield* world.refresh(tokens.refresh)
      })
  )

  it.effect("attack 55: does nothing for tokens that this proxy did not issue", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld()
      const { access, refresh } = yield* world.signIn()
      const [id, generation, kid] = refresh.split(".")
      const sign = (yield* ProxyKeys.make(secretA)).sign
      const foreign = (yield* ProxyKeys.make(secretB)).sign
      const now = Math.floor((yield* Effect.clockWith((clock) => clock.currentTimeMillis)) / 1000)
      const claims = { iss: issuer, sid: id, client_id: approved.clientId, exp: now + 60 }
      const [header, content, signature] = access.split(".")
      const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url")
      for (
        const token of [
          "",
          "unknown",
          `${id}.${generation}.${kid}.${"A".repeat(43)}`,
          yield* foreign(claims),
          yield* sign({ ...claims, iss: "https://other.example.com" }),
          yield* sign({ ...claims, exp: now }),
          yield* sign({ ...claims, exp: "later" }),
          yield* sign({ ...claims, sid: 1 }),
          yield* sign({ ...claims, client_id: "other" }),
          `${
            encode({ ...JSON.parse(Buffer.from(header!, "base64url").toString()), typ: "JWT" })
          }.${content}.${signature}`,
          `${encode({ alg: "none", typ: "at+jwt" })}.${content}.`,
          `${header}.${encode(claims)}.${signature}`,
          "x".repeat(100_000)
        ]
      ) {
        yield* world.grants.revoke(token, approved.clientId)
      }
      yield* world.refresh(refresh)
      // The control: with the right claims and key, the grant ends.
      yield* world.grants.revoke(yield* sign(claims), approved.clientId)
      assert.strictEqual(yield* reasonOf(world.refresh(refresh)), "unknown")
    }))

  it.effect("accepts a refresh token that was replaced, because the client may hold an old copy", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld()
      const first = yield* world.signIn()
      const second = yield* world.refresh(first.refresh)
      yield* world.grants.revoke(first.refresh, approved.clientId)
      assert.strictEqual(yield* reasonOf(world.refresh(second.refresh)), "unknown")
    }))
})

describe("the upstream tokens of a grant that ended", () => {
  it.effect("are released with the grants that still live, for every end of a grant", () =>
    Effect.gen(function*() {
      const released: Array<{ readonly key: string; readonly living: number; readonly areCodesBlocked: boolean }> = []
      const world = yield* makeWorld({
        options: { grantsPerPerson: 3 },
        release: (key, { areCodesBlocked, living }) =>
          Effect.map(Effect.orDie(living), (keys) => void released.push({ key, living: keys.length, areCodesBlocked }))
      })
      const key = "upstream-key"
      const tokens = yield* Effect.forEach([alice, alice, alice, alice], (person) => world.signIn(person))
      assert.deepStrictEqual(released.splice(0), [{ key, living: 2, areCodesBlocked: false }])
      yield* world.grants.revoke(tokens[1]!.refresh, approved.clientId)
      assert.deepStrictEqual(released.splice(0), [{ key, living: 2, areCodesBlocked: false }])
      yield* world.grants.revokeGrant(idOf(tokens[0]!.refresh))
      assert.deepStrictEqual(released.splice(0), [{ key, living: 1, areCodesBlocked: false }])
      yield* world.signIn(alice)
      assert.strictEqual(yield* world.grants.revokeAll(alice.subject), 2)
      assert.deepStrictEqual(released, [
        { key, living: 1, areCodesBlocked: true },
        { key, living: 0, areCodesBlocked: true }
      ])
    }))
})

describe("the administration of grants", () => {
  it.effect("lists the grants of one person, the most recently used first, without a token", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld()
      const administration = GrantAdministration.make(world.grants, (id) => `github|AAAAAAAA|${id}`)
      const first = yield* world.signIn()
      yield* TestClock.adjust("1 minute")
      const second = yield* world.signIn(alice, { ...approved, clientId: "other" })
      yield* world.signIn(bob)
      assert.deepStrictEqual((yield* administration.list(alice.subject)).map(({ id }) => id), [
        idOf(second.refresh),
        idOf(first.refresh)
      ])
      yield* TestClock.adjust("1 minute")
      const refreshed = yield* world.refresh(first.refresh)
      const listed = yield* administration.list(alice.subject)
      assert.deepStrictEqual(listed.map(({ id }) => id), [idOf(first.refresh), idOf(second.refresh)])
      assert.deepStrictEqual([listed[0]!.createdAt, listed[0]!.usedAt], [0, 120_000])
      assert.notInclude(JSON.stringify(listed), refreshed.refresh.split(".")[3]!)
      assert.deepStrictEqual(yield* administration.list("github|3"), [])
    }))

  it.effect("ends one grant, or all grants of a person", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld()
      const administration = GrantAdministration.make(world.grants, (id) => `github|AAAAAAAA|${id}`)
      const tokens = yield* Effect.forEach([alice, alice, alice, bob], (person) => world.signIn(person))
      assert.isTrue(yield* administration.revoke(idOf(tokens[0]!.refresh)))
      assert.isFalse(yield* administration.revoke(idOf(tokens[0]!.refresh)))
      assert.isFalse(yield* administration.revoke("unknown"))
      assert.strictEqual(yield* administration.revokeAll(alice.subject), 2)
      assert.strictEqual(yield* administration.revokeAll(alice.subject), 0)
      for (const { refresh } of tokens.slice(0, 3)) {
        assert.strictEqual(yield* reasonOf(world.refresh(refresh)), "unknown")
        assert.isFalse(yield* world.grants.isAlive(idOf(refresh)))
      }
      yield* world.refresh(tokens[3]!.refresh)
      assert.strictEqual(typesOf(world).filter((type) => type === "administrator-revoked").length, 3)
      yield* TestClock.adjust("1 second")
      yield* world.signIn()
    }))

  it.effect("ends a grant whose code is redeemed after all grants of the person were revoked", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld()
      const code = yield* world.grants.issueCode(approved, alice, "upstream-key")
      yield* TestClock.adjust("1 second")
      yield* world.grants.revokeAll(alice.subject)
      assert.strictEqual(yield* reasonOf(world.redeem(code)), "ended")
      assert.deepStrictEqual(yield* world.grants.list(alice.subject), [])
    }))

  it.effect("ends a grant whose code is being redeemed while all grants of the person are revoked", () =>
    Effect.gen(function*() {
      // The redemption stops before each of its writes in turn, and the revocation happens there.
      for (let stop = 0; stop < 3; stop++) {
        const store = yield* MemoryStore.make()
        const reached = yield* Deferred.make<void>()
        const goOn = yield* Deferred.make<void>()
        let left = Number.POSITIVE_INFINITY
        const paused: RecordStore.Store = {
          ...store,
          put: (key, value, options) =>
            Effect.suspend(() => {
              const write = store.put(key, value, options)
              if (left-- !== 0) return write
              return Deferred.succeed(reached, undefined).pipe(
                Effect.andThen(Deferred.await(goOn)),
                Effect.andThen(write)
              )
            })
        }
        const world = yield* makeWorld({ store: paused })
        const other = yield* makeWorld({ store })
        const code = yield* world.grants.issueCode(approved, alice, "upstream-key")
        left = stop
        const redeemed = yield* Effect.forkChild(Effect.result(world.redeem(code)))
        yield* Deferred.await(reached)
        yield* TestClock.adjust("1 second")
        yield* other.grants.revokeAll(alice.subject)
        yield* Deferred.succeed(goOn, undefined)
        const result = yield* Fiber.join(redeemed)
        assert.strictEqual(result._tag, "Failure", `stopped before write ${stop}`)
        assert.deepStrictEqual(yield* other.grants.list(alice.subject), [])
      }
    }))

  it.effect("ends the least recently used of more than 32 grants, and first those that no longer exist", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld()
      const tokens: Array<string> = []
      for (let time = 0; time < 32; time++) {
        tokens.push((yield* world.signIn()).refresh)
        yield* TestClock.adjust("1 second")
      }
      // The first grant is used again, so the second one is the least recently used.
      tokens[0] = (yield* world.refresh(tokens[0]!)).refresh
      yield* world.grants.revokeGrant(idOf(tokens[5]!))
      yield* world.signIn()
      assert.notInclude(typesOf(world), "limit-exceeded")
      yield* world.signIn()
      assert.deepStrictEqual(
        world.events.flatMap(({ grantId, type }) => type === "limit-exceeded" ? [grantId] : []),
        [idOf(tokens[1]!)]
      )
      assert.strictEqual(yield* reasonOf(world.refresh(tokens[1]!)), "unknown")
      assert.strictEqual((yield* world.grants.list(alice.subject)).length, 32)
      yield* world.refresh(tokens[0]!)
    }))

  it.effect("keeps to the limit when a person signs in many times at once", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld({ options: { grantsPerPerson: 3 } })
      const results = yield* Effect.all(Array.from({ length: 12 }, () => world.signIn()), { concurrency: "unbounded" })
      const alive = yield* Effect.filter(results, ({ refresh }) => world.grants.isAlive(idOf(refresh)))
      const listed = yield* world.grants.list(alice.subject)
      assert.strictEqual(listed.length, 3)
      // Every grant that lives is in the list, so administration sees it.
      assert.sameMembers(alive.map(({ refresh }) => idOf(refresh)), listed.map(({ id }) => id))
    }))
})

describe("the liveness of a grant", () => {
  it.effect("is read once in five seconds, fails closed, and ends at once where the grant was ended", () =>
    Effect.gen(function*() {
      const store = yield* MemoryStore.make()
      let reads = 0
      let isDown = false
      const counting: RecordStore.Store = {
        ...store,
        get: (key) =>
          Effect.suspend(() => {
            reads++
            return isDown
              ? Effect.fail(new RecordStore.RecordStoreUnavailable({ reason: "down", retryAfter: 1 }))
              : store.get(key)
          })
      }
      const world = yield* makeWorld({ store: counting })
      const elsewhere = yield* makeWorld({ store })
      const id = idOf((yield* world.signIn()).refresh)
      reads = 0
      assert.isTrue(yield* world.grants.isAlive(id))
      assert.isTrue(yield* world.grants.isAlive(id))
      assert.strictEqual(reads, 1)
      yield* TestClock.adjust("5 seconds")
      isDown = true
      assert.strictEqual((yield* Effect.flip(world.grants.isAlive(id)))._tag, "RecordStoreUnavailable")
      isDown = false
      assert.isTrue(yield* world.grants.isAlive(id))
      // Another instance ends the grant: this one notices within five seconds.
      yield* elsewhere.grants.revokeGrant(id)
      assert.isFalse(yield* elsewhere.grants.isAlive(id))
      yield* TestClock.adjust("5 seconds")
      assert.isFalse(yield* world.grants.isAlive(id))
      // The absence is not cached, and the instance that ends a grant rejects it at once.
      const next = idOf((yield* world.signIn()).refresh)
      assert.isTrue(yield* world.grants.isAlive(next))
      yield* world.grants.revokeGrant(next)
      assert.isFalse(yield* world.grants.isAlive(next))
    }))
})

describe("the cache of living grants", () => {
  it.effect("attack 55: does not keep a grant that was revoked while the store answered", () =>
    Effect.gen(function*() {
      const store = yield* MemoryStore.make()
      const read = yield* Deferred.make<void>()
      const goOn = yield* Deferred.make<void>()
      let isSlow = false
      const slow: RecordStore.Store = {
        ...store,
        get: (key) =>
          Effect.tap(store.get(key), () => {
            if (!isSlow) return Effect.void
            isSlow = false
            return Effect.andThen(Deferred.succeed(read, undefined), Deferred.await(goOn))
          })
      }
      const world = yield* makeWorld({ store: slow })
      const { refresh } = yield* world.signIn()
      isSlow = true
      const early = yield* Effect.forkChild(world.grants.isAlive(idOf(refresh)))
      yield* Deferred.await(read)
      yield* world.grants.revoke(refresh, approved.clientId)
      yield* Deferred.succeed(goOn, undefined)
      assert.isTrue(yield* Fiber.join(early))
      assert.isFalse(yield* world.grants.isAlive(idOf(refresh)))
    }))
})

describe("the events of grants", () => {
  it.effect("contain no token, no code and no name, and a listener that fails changes no result", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld()
      const code = yield* world.grants.issueCode(approved, alice, "upstream-key")
      const { refresh } = toTokens(yield* world.redeem(code))
      yield* world.grants.revoke(refresh, approved.clientId)
      const text = JSON.stringify(world.events)
      for (const secret of [code, refresh, refresh.split(".")[3]!, "Alice"]) assert.notInclude(text, secret)
      yield* notifying(() => Effect.die(new Error("broken")))(world.events[0]!)
      yield* notifying(() => {
        throw new Error("broken")
      })(world.events[0]!)
    }))

  it.effect("attack 59: tokens of answers are not part of their text", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld()
      const code = yield* world.grants.issueCode({ ...approved, resource }, alice, "upstream-key")
      const answer = yield* world.redeem(code)
      const shown = JSON.stringify(answer) + String(answer.accessToken) + String(answer.refreshToken)
      assert.notInclude(shown, Redacted.value(answer.accessToken))
      assert.notInclude(shown, Redacted.value(answer.refreshToken))
    }))
})
