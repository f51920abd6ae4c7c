import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import { MemoryStore, RecordStore } from "effect-mcp-auth/store"
import { TestClock } from "effect/testing"
import type { GrantRejected, GrantView, Refresh } from "../../../src/proxy/grants/Grants.ts"
import {
  alice,
  approved,
  claimsOf,
  makeInterleaved,
  makeWorld,
  resource,
  secretA,
  secretB,
  toTokens,
  type World
} from "./world.ts"

const reasonOf = <A, E>(effect: Effect.Effect<A, E>) =>
  Effect.map(Effect.flip(effect), (error) => (error as unknown as GrantRejected).reason)

const idOf = (refreshToken: string) => refreshToken.split(".")[0]!
const typesOf = ({ events }: World) => events.map(({ type }) => type)

const unavailable = { outcome: "unavailable", retryAfter: 7 } as const

/** Copies the records of a store, and can put them back, like a store that loses its last writes. */
const makeRestorable = Effect.gen(function*() {
  const store = yield* MemoryStore.make()
  const values = new Map<string, string>()
  const restorable: RecordStore.Store = {
    ...store,
    put: (key, value, options) =>
      Effect.tap(
        store.put(key, value, options),
        (version) => Effect.sync(() => void (version !== undefined && values.set(key, value)))
      )
  }
  return {
    store: restorable,
    copy: () => new Map(values),
    restore: (copied: ReadonlyMap<string, string>) =>
      Effect.forEach(copied, ([key, value]) =>
        Effect.gen(function*() {
          yield* store.remove(key)
          yield* store.put(key, value, { lifetime: "1 day", expected: "absent" })
        }))
  }
})

describe("a refresh token", () => {
  it.effect("is exchanged for the next one, of which the record is the only source", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld()
      const first = yield* world.signIn()
      const second = yield* world.refresh(first.refresh)
      assert.strictEqual(second.refresh.split(".")[1], "1")
      assert.strictEqual(idOf(second.refresh), idOf(first.refresh))
      assert.notStrictEqual(second.refresh.split(".")[3], first.refresh.split(".")[3])
      assert.strictEqual(claimsOf(second.access)["sid"], idOf(first.refresh))
      assert.notStrictEqual(claimsOf(second.access)["jti"], claimsOf(first.access)["jti"])
    }))

  it.effect("ends after 30 days without a refresh, and 90 days after the sign-in in any case", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld()
      const idle = yield* world.signIn()
      yield* TestClock.adjust("30 days")
      assert.strictEqual(yield* reasonOf(world.refresh(idle.refresh)), "unknown")

      let busy = yield* world.signIn()
      for (let time = 0; time < 4; time++) {
        yield* TestClock.adjust("20 days")
        busy = yield* world.refresh(busy.refresh)
      }
      yield* TestClock.adjust(10 * 86_400_000 - 90_000)
      busy = yield* world.refresh(busy.refresh)
      // The access token ends with the grant.
      assert.strictEqual(busy.expiresIn, 90)
      yield* TestClock.adjust("90 seconds")
      assert.strictEqual(yield* reasonOf(world.refresh(busy.refresh)), "unknown")
      assert.isFalse(yield* world.grants.isAlive(idOf(busy.refresh)))
    }))

  it.effect("has the lifetimes and limits of the options, and rejects others", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld({
        options: { accessTokenLifetime: "5 minutes", idleLifetime: "1 hour", retryWindow: "0 seconds" }
      })
      const first = yield* world.signIn()
      assert.strictEqual(first.expiresIn, 300)
      yield* world.refresh(first.refresh)
      assert.strictEqual(yield* reasonOf(world.refresh(first.refresh)), "reused")
      for (
        const options of [
          { accessTokenLifetime: "2 hours" },
          { retryWindow: "61 minutes" },
          { grantsPerPerson: 33 },
          { idleLifetime: 0 },
          { unknown: 1 }
        ]
      ) {
        const failure = yield* Effect.flip(makeWorld({ options: options as never }))
        assert.match(String(failure), new RegExp(`grants\\.${Object.keys(options)[0]}`))
      }
    }))

  const wrong: ReadonlyArray<readonly [attack: string, change: string, changes: Partial<Refresh>, reason: string]> = [
    ["attack 43", "another resource", { resource: `${resource}/other` }, "resource"],
    ["attack 48", "a scope that the grant lacks", { scopes: ["todos:read", "todos:admin"] }, "scope"],
    ["attack 53", "another client", { clientId: "https://other.example.com/oauth.json" }, "client"]
  ]

  it.effect.each(wrong)("%s: %s is rejected, and the grant is kept", ([, , changes, reason]) =>
    Effect.gen(function*() {
      const world = yield* makeWorld()
      const { refresh } = yield* world.signIn()
      let checks = 0
      const request = { refreshToken: refresh, clientId: approved.clientId, ...changes }
      const check = () => Effect.sync(() => ({ outcome: "alive", checks: ++checks } as const))
      assert.strictEqual(yield* reasonOf(world.grants.refresh(request, check)), reason)
      assert.strictEqual(checks, 0)
      yield* world.refresh(refresh)
      assert.deepStrictEqual(typesOf(world), ["started"])
    }))

  it.effect("attack 53: another client cannot end a grant with an old token", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld()
      const first = yield* world.signIn()
      const second = yield* world.refresh(first.refresh)
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(yield* reasonOf(world.refresh(first.refresh, { clientId: "other" })), "client")
      yield* world.refresh(second.refresh)
    }))

  it.effect("attack 48: issues an access token with fewer scopes, and the grant keeps all", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld()
      const first = yield* world.signIn()
      const fewer = yield* world.refresh(first.refresh, { scopes: ["todos:read"] })
      assert.deepStrictEqual(fewer.scopes, ["todos:read"])
      assert.strictEqual(claimsOf(fewer.access)["scope"], "todos:read")
      const all = yield* world.refresh(fewer.refresh, { scopes: ["openid", "offline_access"] })
      assert.deepStrictEqual(all.scopes, approved.scopes)
    }))

  it.effect("attack 49: loses a scope that the upstream no longer grants, and never gains one", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld()
      const first = yield* world.signIn()
      const verdict = { outcome: "alive", scopes: ["todos:read", "todos:admin"] } as const
      const narrowed = yield* world.refresh(first.refresh, { scopes: ["todos:write"] }, verdict)
      // The client requested only the scope that was lost.
      assert.deepStrictEqual(narrowed.scopes, [])
      const next = yield* world.refresh(narrowed.refresh)
      assert.deepStrictEqual(next.scopes, ["todos:read"])
      assert.strictEqual(yield* reasonOf(world.refresh(next.refresh, { scopes: ["todos:write"] })), "scope")
    }))

  it.effect("attack 44: access tokens of two resources have exactly one audience each", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld()
      const one = yield* world.signIn()
      const other = yield* world.signIn(alice, { ...approved, resource: `${resource}/other` })
      assert.strictEqual(claimsOf(one.access)["aud"], resource)
      assert.strictEqual(claimsOf(other.access)["aud"], `${resource}/other`)
      const refreshed = yield* world.refresh(other.refresh, { resource: `${resource}/other` })
      assert.strictEqual(claimsOf(refreshed.access)["aud"], `${resource}/other`)
    }))

  it.effect("attack 45: an access token is not a refresh token, and a refresh token has not the form of an access token", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld()
      const { access, refresh } = yield* world.signIn()
      assert.strictEqual(yield* reasonOf(world.refresh(access)), "unknown")
      assert.strictEqual(refresh.split(".").length, 4)
      assert.strictEqual(JSON.parse(Buffer.from(access.split(".")[0]!, "base64url").toString()).typ, "at+jwt")
    }))

  it.effect("attack 50: reuse after the window ends the grant with one event, and nothing of it lives", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld()
      const stolen = yield* world.signIn()
      const second = yield* world.refresh(stolen.refresh)
      yield* TestClock.adjust("10 minutes")
      assert.strictEqual(yield* reasonOf(world.refresh(stolen.refresh)), "reused")
      assert.strictEqual(yield* reasonOf(world.refresh(second.refresh)), "unknown")
      assert.strictEqual(yield* reasonOf(world.refresh(stolen.refresh)), "unknown")
      assert.isFalse(yield* world.grants.isAlive(idOf(stolen.refresh)))
      assert.deepStrictEqual(typesOf(world), ["started", "token-reused"])
      assert.deepStrictEqual(world.events[1], {
        type: "token-reused",
        grantId: idOf(stolen.refresh),
        clientId: approved.clientId,
        subject: alice.subject
      })
    }))

  it.effect("attack 51: a retry gets the live token, also two generations later within the window", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld()
      const first = yield* world.signIn()
      const second = yield* world.refresh(first.refresh)
      assert.strictEqual((yield* world.refresh(first.refresh)).refresh, second.refresh)
      yield* TestClock.adjust("4 minutes")
      const third = yield* world.refresh(second.refresh)
      yield* TestClock.adjust("5 minutes")
      for (const old of [first, second]) {
        const retried = yield* world.refresh(old.refresh)
        assert.strictEqual(retried.refresh, third.refresh)
        // The access token of a retry lives no longer than the last check permits.
        assert.strictEqual(retried.expiresIn, 3_300)
      }
      yield* world.refresh(third.refresh)
    }))

  it.effect("attack 52: six refreshes at once rotate once, and all get the same token", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld()
      const { refresh } = yield* world.signIn()
      // All checks run before the first write, so five of six writes lose.
      const arrived = yield* Deferred.make<void>()
      let waiting = 0
      const check = () =>
        Effect.suspend(() => {
          if (++waiting === 6) Deferred.doneUnsafe(arrived, Effect.void)
          return Effect.as(Deferred.await(arrived), { outcome: "alive" } as const)
        })
      const request = { refreshToken: refresh, clientId: approved.clientId }
      const answers = yield* Effect.all(
        Array.from({ length: 6 }, () => Effect.map(world.grants.refresh(request, check), toTokens)),
        { concurrency: "unbounded" }
      )
      assert.strictEqual(new Set(answers.map((answer) => answer.refresh)).size, 1)
      assert.strictEqual(answers[0]!.refresh.split(".")[1], "1")
      assert.strictEqual(waiting, 6)
    }))

  it.effect("attack 52: a refresh that loses its write because the grant ended gets no token", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld()
      const { refresh } = yield* world.signIn()
      const request = { refreshToken: refresh, clientId: approved.clientId }
      const check = () =>
        Effect.as(Effect.orDie(world.grants.revokeGrant(idOf(refresh))), { outcome: "alive" } as const)
      assert.strictEqual(yield* reasonOf(world.grants.refresh(request, check)), "unknown")
      assert.isFalse(yield* world.grants.isAlive(idOf(refresh)))
    }))

  it.effect("attack 56: a grant whose person cannot be checked ends at the time of the verdict, and so do its tokens", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(0)
      const { grants, refresh, signIn } = yield* makeWorld()
      const first = yield* signIn()
      const endsAt = 600_000
      const second = yield* refresh(first.refresh, {}, { outcome: "alive", endsAt })
      assert.strictEqual(second.expiresIn, 600)
      const [view] = yield* grants.list(alice.subject)
      assert.strictEqual(view?.expiresAt, endsAt)
      // A later verdict never extends the grant.
      const third = yield* refresh(second.refresh, {}, { outcome: "alive", endsAt: 2 * endsAt })
      assert.strictEqual(third.expiresIn, 600)
      yield* TestClock.adjust(endsAt)
      assert.deepStrictEqual(yield* grants.list(alice.subject), [])
      assert.strictEqual((yield* Effect.flip(refresh(third.refresh)))._tag, "GrantRejected")
    }))

  it.effect("attack 56: each rotation checks the person, and a rejected person loses the grant", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld()
      const { refresh } = yield* world.signIn()
      const views: Array<GrantView> = []
      const request = { refreshToken: refresh, clientId: approved.clientId }
      const next = toTokens(
        yield* world.grants.refresh(request, (grant) => {
          views.push(grant)
          return Effect.succeed({ outcome: "alive" })
        })
      )
      assert.deepStrictEqual(views.map(({ id, person, upstreamKey }) => ({ id, person, upstreamKey })), [
        { id: idOf(refresh), person: alice, upstreamKey: "upstream-key" }
      ])
      assert.strictEqual(yield* reasonOf(world.refresh(next.refresh, {}, { outcome: "rejected" })), "rejected")
      assert.strictEqual(yield* reasonOf(world.refresh(next.refresh)), "unknown")
      assert.isFalse(yield* world.grants.isAlive(idOf(refresh)))
      assert.deepStrictEqual(typesOf(world), ["started", "upstream-rejected"])
    }))

  it.effect("attack 57: an outage of the upstream gives tokens of 10 minutes for 4 hours, then 503, and the grant lives", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld()
      let tokens = yield* world.signIn()
      for (let time = 0; time < 23; time++) {
        yield* TestClock.adjust("10 minutes")
        tokens = yield* world.refresh(tokens.refresh, {}, unavailable)
        assert.strictEqual(tokens.expiresIn, 600)
      }
      yield* TestClock.adjust("10 minutes")
      const failure = yield* Effect.flip(world.refresh(tokens.refresh, {}, unavailable))
      assert.strictEqual(failure._tag, "UpstreamUnavailable")
      assert.strictEqual((failure as { readonly retryAfter?: number }).retryAfter, 7)
      assert.isTrue(yield* world.grants.isAlive(idOf(tokens.refresh)))
      // Days later the same token works, because nothing was rotated.
      yield* TestClock.adjust("20 days")
      assert.strictEqual((yield* world.refresh(tokens.refresh)).expiresIn, 3_600)
      assert.strictEqual(typesOf(world).filter((type) => type === "unchecked").length, 23)
    }))

  it.effect("attack 57: an outage of an hour loses no session", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld()
      let sessions = yield* Effect.forEach(Array.from({ length: 10 }), () => world.signIn())
      for (let time = 0; time < 6; time++) {
        sessions = yield* Effect.forEach(sessions, ({ refresh }) => world.refresh(refresh, {}, unavailable))
        yield* TestClock.adjust("10 minutes")
      }
      for (const { refresh } of sessions) assert.strictEqual((yield* world.refresh(refresh)).expiresIn, 3_600)
    }))

  it.effect("a retry during an outage gets no longer token than a first try", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld()
      const first = yield* world.signIn()
      yield* TestClock.adjust("2 hours")
      yield* world.refresh(first.refresh, {}, unavailable)
      assert.strictEqual((yield* world.refresh(first.refresh, {}, unavailable)).expiresIn, 600)
    }))

  it.effect("attack A5: a client that disconnects during the check loses nothing", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld()
      const { refresh } = yield* world.signIn()
      const started = yield* Deferred.make<void>()
      const upstream = yield* Deferred.make<void>()
      let isWritten = false
      const request = { refreshToken: refresh, clientId: approved.clientId }
      const fiber = yield* Effect.forkChild(world.grants.refresh(request, () =>
        Effect.gen(function*() {
          yield* Deferred.succeed(started, undefined)
          yield* Deferred.await(upstream)
          isWritten = true
          return { outcome: "alive" } as const
        })))
      yield* Deferred.await(started)
      const interruption = yield* Effect.forkChild(Fiber.interrupt(fiber))
      yield* Effect.yieldNow
      yield* Deferred.succeed(upstream, undefined)
      yield* Fiber.join(interruption)
      assert.isTrue(isWritten)
      // The rotation is complete, so the client that comes back with its old token gets the next one.
      const retried = yield* world.refresh(refresh, {}, { outcome: "rejected" })
      assert.strictEqual(retried.refresh.split(".")[1], "1")
      yield* world.refresh(retried.refresh)
    }))

  it.effect("attack A6: a store that loses its last writes keeps the session, also of the other processes of the client", () =>
    Effect.gen(function*() {
      const { copy, restore, store } = yield* makeRestorable
      const world = yield* makeWorld({ store })
      const first = yield* world.signIn()
      const copied = copy()
      const second = yield* world.refresh(first.refresh)
      const third = yield* world.refresh(second.refresh)
      yield* restore(copied)
      const healed = yield* world.refresh(third.refresh)
      assert.strictEqual(healed.refresh.split(".")[1], "3")
      for (const { refresh } of [first, second, third]) {
        assert.strictEqual((yield* world.refresh(refresh)).refresh, healed.refresh)
      }
      yield* world.refresh(healed.refresh)
      assert.deepStrictEqual(typesOf(world), ["started", "recovered"])
    }))

  it.effect("attack A7: garbage with the id of a grant has no effect", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld()
      const other = yield* makeWorld({ secret: secretB, store: world.store })
      const first = yield* world.signIn()
      const second = yield* world.refresh(first.refresh)
      yield* TestClock.adjust("1 hour")
      const [id, , kid, tag] = second.refresh.split(".")
      const foreign = (yield* other.signIn()).refresh.split(".")
      const guesses = [
        `${id}.0.${kid}.${"A".repeat(43)}`,
        `${id}.0.${kid}.${tag}`,
        `${id}.2.${kid}.${tag}`,
        `${id}.999999999999999.${kid}.${tag}`,
        `${id}.1.${foreign[2]}.${tag}`,
        `${id}.1.${foreign[2]}.${foreign[3]}`,
        `${id}.01.${kid}.${tag}`,
        `${id}.1e0.${kid}.${tag}`,
        `${id}.-1.${kid}.${tag}`,
        `${id}.1.${kid}.${tag}.`,
        `${id}.1.${kid}.${tag}=`,
        ` ${second.refresh}`,
        `${second.refresh}\n`,
        id!,
        "",
        "x".repeat(100_000)
      ]
      for (const guess of guesses) {
        assert.strictEqual(yield* reasonOf(world.refresh(guess)), "unknown", guess.slice(0, 90))
      }
      yield* world.refresh(second.refresh)
      assert.deepStrictEqual(typesOf(world), ["started"])
    }))

  it.effect("attack A7: the tag of a token covers every part of it, and attack 87: each wrong tag is rejected alike", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld()
      const { refresh } = yield* world.signIn()
      for (let index = 0; index < refresh.length; index++) {
        for (const bit of [1, 2, 32]) {
          const changed = refresh.slice(0, index) + String.fromCharCode(refresh.charCodeAt(index) ^ bit) +
            refresh.slice(index + 1)
          assert.strictEqual(yield* reasonOf(world.refresh(changed)), "unknown")
        }
      }
      yield* world.refresh(refresh)
    }))

  it.effect("attack A14: instances with secrets in different order give the same tokens", () =>
    Effect.gen(function*() {
      const one = yield* makeWorld({ secret: [secretA, secretB], store: yield* makeInterleaved })
      const other = yield* makeWorld({ secret: [secretB, secretA], store: one.store })
      let tokens = yield* one.signIn()
      for (let time = 0; time < 10; time++) {
        const answers = yield* Effect.all(
          [one.refresh(tokens.refresh), other.refresh(tokens.refresh), one.refresh(tokens.refresh)],
          { concurrency: "unbounded" }
        )
        assert.strictEqual(new Set(answers.map(({ refresh }) => refresh)).size, 1)
        tokens = answers[0]!
      }
      assert.deepStrictEqual([...typesOf(one), ...typesOf(other)], ["started"])
    }))

  it.effect("attack 63: a rotation of the secret in two steps keeps sessions, and a removed secret ends what it signed", () =>
    Effect.gen(function*() {
      const before = yield* makeWorld({ secret: secretA })
      const { store } = before
      let tokens = yield* before.signIn()
      const untouched = yield* before.signIn()
      const added = yield* makeWorld({ secret: [secretA, secretB], store })
      tokens = yield* added.refresh(tokens.refresh)
      // During the second step some instances still have the old order.
      const moved = yield* makeWorld({ secret: [secretB, secretA], store })
      tokens = yield* moved.refresh(tokens.refresh)
      tokens = yield* added.refresh(tokens.refresh)
      tokens = yield* moved.refresh(tokens.refresh)
      const removed = yield* makeWorld({ secret: secretB, store })
      yield* removed.refresh(tokens.refresh)
      assert.strictEqual(yield* reasonOf(removed.refresh(untouched.refresh)), "unknown")
      // A retry whose current token was signed with a secret that this instance lacks has no effect either.
      const next = yield* before.refresh(untouched.refresh)
      assert.strictEqual(yield* reasonOf(removed.refresh(next.refresh)), "unknown")
      yield* before.refresh(next.refresh)
    }))

  it.effect("attack A15: a store that evicts the record of a grant ends it, and one that is down answers nothing", () =>
    Effect.gen(function*() {
      const { copy, restore, store } = yield* makeRestorable
      let isDown = false
      const down = Effect.fail(new RecordStore.RecordStoreUnavailable({ reason: "down", retryAfter: 5 }))
      const failing: RecordStore.Store = {
        get: (key) => isDown ? down : store.get(key),
        put: (key, value, options) => isDown ? down : store.put(key, value, options),
        remove: (key, expected) => isDown ? down : store.remove(key, expected)
      }
      const world = yield* makeWorld({ store: failing, options: { livenessCache: "0 seconds" } })
      const { refresh } = yield* world.signIn()
      isDown = true
      for (
        const effect of [
          world.refresh(refresh),
          world.grants.isAlive(idOf(refresh)),
          world.grants.revoke(refresh, approved.clientId),
          world.grants.revokeAll(alice.subject),
          world.grants.issueCode(approved, alice, "upstream-key")
        ]
      ) {
        assert.strictEqual(
          (yield* Effect.flip(effect as Effect.Effect<unknown, { _tag: string }>))._tag,
          "RecordStoreUnavailable"
        )
      }
      isDown = false
      const copied = copy()
      for (const key of copied.keys()) yield* store.remove(key)
      assert.isFalse(yield* world.grants.isAlive(idOf(refresh)))
      assert.strictEqual(yield* reasonOf(world.refresh(refresh)), "unknown")
      yield* restore(copied)
      yield* world.refresh(refresh)
    }))
})
