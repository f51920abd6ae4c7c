import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { MemoryStore, RecordStore } from "effect-mcp-auth/store"
import { TestClock } from "effect/testing"
import type { GrantRejected, Redemption } from "../../../src/proxy/grants/Grants.ts"
import {
  alice,
  approved,
  claimsOf,
  issuer,
  makeInterleaved,
  makeWorld,
  resource,
  toTokens,
  verifier,
  type World
} from "./world.ts"

const reasonOf = <A, E>(effect: Effect.Effect<A, E>) =>
  Effect.map(Effect.flip(effect), (error) => (error as unknown as GrantRejected).reason)

const issue = (world: World) => world.grants.issueCode(approved, alice, "upstream-key")

/** Redeems a code, which must succeed, and refreshes once. */
const useFully = (world: World, code: string) =>
  Effect.flatMap(world.redeem(code), (answer) => world.refresh(toTokens(answer).refresh))

describe("a code", () => {
  it.effect("is exchanged for the tokens of a grant", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(1_800_000_000_000)
      const world = yield* makeWorld()
      const code = yield* issue(world)
      assert.match(code, /^[A-Za-z0-9_-]{43}\.[A-Za-z0-9_-]{8}\.[A-Za-z0-9_-]{43}$/)
      const { access, expiresIn, refresh, scopes } = toTokens(yield* world.redeem(code))
      const [grant] = yield* world.grants.list(alice.subject)
      const { jti, ...claims } = claimsOf(access)
      assert.match(String(jti), /^[A-Za-z0-9_-]{22}$/)
      assert.deepStrictEqual(claims, {
        iss: issuer,
        sub: "github|1",
        aud: resource,
        client_id: approved.clientId,
        scope: "todos:read todos:write",
        sid: grant!.id,
        iat: 1_800_000_000,
        exp: 1_800_003_600
      })
      assert.strictEqual(expiresIn, 3_600)
      assert.deepStrictEqual(scopes, approved.scopes)
      assert.match(refresh, /^[A-Za-z0-9_-]{22}\.0\.[A-Za-z0-9_-]{8}\.[A-Za-z0-9_-]{43}$/)
      assert.isTrue(yield* world.grants.isAlive(grant!.id))
      assert.deepStrictEqual(grant, {
        id: refresh.split(".")[0],
        clientId: approved.clientId,
        person: alice,
        resource,
        scopes: approved.scopes,
        upstreamKey: "upstream-key",
        createdAt: 1_800_000_000_000,
        usedAt: 1_800_000_000_000,
        checkedAt: 1_800_000_000_000,
        expiresAt: 1_800_000_000_000 + 30 * 86_400_000
      } as never)
      assert.deepStrictEqual(yield* world.grants.get(grant!.id), grant)
      assert.deepStrictEqual(world.events.map(({ type }) => type), ["started"])
    }))

  it.effect("lives for 60 seconds", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld()
      const early = yield* issue(world)
      yield* TestClock.adjust("59 seconds")
      yield* world.redeem(early)
      const late = yield* issue(world)
      yield* TestClock.adjust("60 seconds")
      assert.strictEqual(yield* reasonOf(world.redeem(late)), "unknown")
    }))

  it.effect("expires by the clock of the proxy, even if the store keeps it for longer", () =>
    Effect.gen(function*() {
      const store = yield* MemoryStore.make()
      // A store whose expired records stay visible for an hour.
      const slow: RecordStore.Store = {
        ...store,
        put: (key, value, { expected }) => store.put(key, value, { lifetime: "1 hour", expected })
      }
      const world = yield* makeWorld({ store: slow })
      const code = yield* issue(world)
      yield* TestClock.adjust("61 seconds")
      assert.strictEqual(yield* reasonOf(world.redeem(code)), "unknown")
    }))

  const wrong: ReadonlyArray<readonly [attack: string, change: string, changes: Partial<Redemption>, reason: string]> =
    [
      ["attack 26", "a redirect URI that differs", { redirectUri: "http://localhost/callback/" }, "redirect"],
      ["attack 26", "a redirect URI with another port", { redirectUri: "http://localhost:1/callback" }, "redirect"],
      ["attack 26", "no redirect URI", { redirectUri: undefined }, "redirect"],
      ["attack 29", "no verifier", { verifier: undefined }, "verifier"],
      ["attack 29", "an empty verifier", { verifier: "" }, "verifier"],
      ["attack 29", "another verifier", { verifier: `${verifier.slice(0, -1)}l` }, "verifier"],
      ["attack 29", "the challenge as verifier", { verifier: approved.challenge }, "verifier"],
      ["attack 33", "another client", { clientId: "https://other.example.com/oauth.json" }, "client"],
      ["attack 33", "a client whose id differs in case", { clientId: approved.clientId.toUpperCase() }, "client"],
      ["attack 43", "another resource", { resource: "https://todos.example.com/other" }, "resource"]
    ]

  it.effect.each(wrong)(
    "%s: %s is rejected, and the code stays usable",
    ([, , changes, reason]) =>
      Effect.gen(function*() {
        const world = yield* makeWorld()
        const code = yield* issue(world)
        assert.strictEqual(yield* reasonOf(world.redeem(code, changes)), reason)
        yield* useFully(world, code)
      })
  )

  it.effect.each([42, 43, 128, 129])(
    "attack 29: checks the length of a verifier of %i characters",
    (length) =>
      Effect.gen(function*() {
        const world = yield* makeWorld()
        const long = "a".repeat(length)
        const challenge = Buffer.from(
          yield* Effect.promise(() => crypto.subtle.digest("SHA-256", new TextEncoder().encode(long)))
        ).toString("base64url")
        const code = yield* world.grants.issueCode({ ...approved, challenge }, alice, "upstream-key")
        const redeemed = world.redeem(code, { verifier: long })
        if (length >= 43 && length <= 128) yield* redeemed
        else assert.strictEqual(yield* reasonOf(redeemed), "verifier")
      })
  )

  it.effect.each(["+", "é", " ", "\n", "/", "="])(
    "attack 29: rejects a verifier with the character %j, although its challenge fits",
    (character) =>
      Effect.gen(function*() {
        const world = yield* makeWorld()
        const odd = "a".repeat(50) + character
        const challenge = Buffer.from(
          yield* Effect.promise(() => crypto.subtle.digest("SHA-256", new TextEncoder().encode(odd)))
        ).toString("base64url")
        const code = yield* world.grants.issueCode({ ...approved, challenge }, alice, "upstream-key")
        assert.strictEqual(yield* reasonOf(world.redeem(code, { verifier: odd })), "verifier")
      })
  )

  it.effect("attack 31: a replay after 10 seconds ends the grant and its tokens, and is reported once", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld()
      const code = yield* issue(world)
      const { refresh } = toTokens(yield* world.redeem(code))
      const id = refresh.split(".")[0]!
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(yield* reasonOf(world.redeem(code)), "replayed")
      assert.strictEqual(yield* reasonOf(world.refresh(refresh)), "unknown")
      assert.isFalse(yield* world.grants.isAlive(id))
      assert.strictEqual(yield* reasonOf(world.redeem(code)), "replayed")
      assert.deepStrictEqual(world.events.map(({ type }) => type), ["started", "code-replayed"])
    }))

  it.effect("attack 31: a replay within 10 seconds is a lost race, and the grant lives", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld()
      const code = yield* issue(world)
      const { refresh } = toTokens(yield* world.redeem(code))
      yield* TestClock.adjust(9_999)
      assert.strictEqual(yield* reasonOf(world.redeem(code)), "replayed")
      yield* world.refresh(refresh)
    }))

  it.effect.each(
    wrong.flatMap(([, change, changes, reason]) => reason === "resource" ? [] : [[change, changes, reason] as const])
  )(
    "attack 31: a replay with %s changes nothing, because anyone can send it",
    ([, changes, reason]) =>
      Effect.gen(function*() {
        const world = yield* makeWorld()
        const code = yield* issue(world)
        const { refresh } = toTokens(yield* world.redeem(code))
        yield* TestClock.adjust("5 minutes")
        assert.strictEqual(yield* reasonOf(world.redeem(code, changes)), reason)
        yield* world.refresh(refresh)
      })
  )

  it.effect("attack 31: a replay is noticed for 10 minutes", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld()
      const code = yield* issue(world)
      const { refresh } = toTokens(yield* world.redeem(code))
      yield* TestClock.adjust("599 seconds")
      assert.strictEqual(yield* reasonOf(world.redeem(code)), "replayed")
      assert.strictEqual(yield* reasonOf(world.refresh(refresh)), "unknown")
    }))

  it.effect("attack 32: of several redemptions at once, one succeeds and its grant lives", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld({ store: yield* makeInterleaved })
      const code = yield* issue(world)
      const results = yield* Effect.all(Array.from({ length: 5 }, () => Effect.result(world.redeem(code))), {
        concurrency: "unbounded"
      })
      const won = results.flatMap((result) => result._tag === "Success" ? [toTokens(result.success)] : [])
      assert.strictEqual(won.length, 1)
      for (const result of results) {
        if (result._tag === "Failure") assert.strictEqual((result.failure as GrantRejected).reason, "replayed")
      }
      yield* world.refresh(won[0]!.refresh)
      assert.strictEqual((yield* world.grants.list(alice.subject)).length, 1)
    }))

  it.effect("attack 60: answers the same for unknown, malformed, foreign and expired codes", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld()
      const foreign = yield* issue(world)
      const expired = yield* issue(world)
      const targeted = { clientId: "other", resource: "https://elsewhere.example.com" }
      const failures = [
        yield* Effect.flip(world.redeem("A".repeat(43))),
        yield* Effect.flip(world.redeem("")),
        yield* Effect.flip(world.redeem("x".repeat(10_000))),
        yield* Effect.flip(world.redeem("A".repeat(42) + "\n")),
        // Only the owner of the code learns that the resource is wrong: `invalid_target` would tell that the code exists.
        yield* Effect.flip(world.redeem(foreign, targeted)),
        yield* Effect.flip(world.redeem(foreign, { ...targeted, clientId: approved.clientId, verifier: "wrong" }))
      ]
      yield* TestClock.adjust("2 minutes")
      failures.push(yield* Effect.flip(world.redeem(expired)))
      for (const failure of failures) {
        assert.strictEqual(failure._tag, "GrantRejected")
        assert.notInclude(["resource", "scope"], (failure as GrantRejected).reason)
      }
    }))

  it.effect("attack 61: the store contains no code, no verifier and no token", () =>
    Effect.gen(function*() {
      const store = yield* MemoryStore.make()
      const written: Array<string> = []
      const recorded: RecordStore.Store = {
        ...store,
        put: (key, value, options) => {
          written.push(key, value)
          return store.put(key, value, options)
        }
      }
      const world = yield* makeWorld({ store: recorded })
      const code = yield* issue(world)
      const first = toTokens(yield* world.redeem(code))
      const second = yield* world.refresh(first.refresh)
      const dump = written.join("\n")
      const tags = [first, second].map(({ refresh }) => refresh.split(".")[3]!)
      for (const secret of [code, verifier, first.access, first.refresh, second.access, second.refresh, ...tags]) {
        assert.notInclude(dump, secret)
      }
      assert.isAbove(written.length, 8)
      assert.include(dump, alice.subject)
    }))

  it.effect("attack 65: belongs to one of two proxies that share a store and a secret", () =>
    Effect.gen(function*() {
      const one = yield* makeWorld()
      const other = yield* makeWorld({ store: one.store, issuer: "https://other.example.com" })
      const code = yield* issue(one)
      assert.strictEqual(yield* reasonOf(other.redeem(code)), "unknown")
      const { refresh } = toTokens(yield* one.redeem(code))
      assert.strictEqual(yield* reasonOf(other.refresh(refresh)), "unknown")
      assert.isFalse(yield* other.grants.isAlive(refresh.split(".")[0]!))
      assert.deepStrictEqual(yield* other.grants.list(alice.subject), [])
      yield* one.refresh(refresh)
    }))

  it.effect("attack A10: an invented code causes no request to the store", () =>
    Effect.gen(function*() {
      const store = yield* MemoryStore.make()
      let reads = 0
      const counting: RecordStore.Store = { ...store, get: (key) => Effect.suspend(() => (reads++, store.get(key))) }
      const world = yield* makeWorld({ store: counting })
      const code = yield* issue(world)
      const [name, kid, tag] = code.split(".")
      const random = Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("base64url")
      const invented = [
        random,
        `${random}.${kid}.${tag}`,
        `${name}.${kid}.${random}`,
        `${name}.AAAAAAAA.${tag}`,
        `${code}x`
      ]
      for (const each of invented) {
        assert.strictEqual(
          (yield* Effect.flip(world.redeem(each))).message,
          "The token endpoint rejects the request: unknown"
        )
      }
      assert.strictEqual(reads, 0)
      yield* world.redeem(code)
      assert.isAbove(reads, 0)
    }))

  it.effect("attack 66: requests without a sign-in write nothing: codes, refresh tokens and revocations of anyone", () =>
    Effect.gen(function*() {
      const store = yield* MemoryStore.make()
      let writes = 0
      const counting: RecordStore.Store = {
        ...store,
        put: (key, value, options) => {
          writes++
          return store.put(key, value, options)
        },
        remove: (key, expected) => {
          writes++
          return store.remove(key, expected)
        }
      }
      const world = yield* makeWorld({ store: counting })
      const code = yield* issue(world)
      const { access, refresh } = toTokens(yield* world.redeem(yield* issue(world)))
      writes = 0
      const other = { clientId: "https://other.example.com/oauth.json" }
      for (let time = 0; time < 200; time++) {
        const random = Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("base64url")
        yield* Effect.flip(world.redeem(random))
        yield* Effect.flip(world.redeem(code, other))
        yield* Effect.flip(world.refresh(`${random.slice(0, 22)}.0.AAAAAAAA.${random}`))
        yield* Effect.flip(world.refresh(`${refresh.slice(0, -43)}${random}`))
        yield* Effect.flip(world.refresh(refresh, other))
        yield* world.grants.revoke(random, approved.clientId)
        yield* world.grants.revoke(access, other.clientId)
        yield* world.grants.isAlive(random)
      }
      assert.strictEqual(writes, 0)
    }))

  it.effect("survives a crash after each write: the client gets tokens, or can use the code again", () =>
    Effect.gen(function*() {
      // The writes of a redemption are the list of grants, the grant and the code. A crash is a store that fails from then on.
      for (let writes = 0; writes <= 3; writes++) {
        const store = yield* MemoryStore.make()
        const down = Effect.fail(new RecordStore.RecordStoreUnavailable({ reason: "down", retryAfter: 1 }))
        let left = Number.POSITIVE_INFINITY
        const crashing: RecordStore.Store = {
          ...store,
          put: (key, value, options) => left-- > 0 ? store.put(key, value, options) : down
        }
        const world = yield* makeWorld({ store: crashing })
        const code = yield* issue(world)
        left = writes
        const crashed = yield* Effect.result(world.redeem(code))
        left = Number.POSITIVE_INFINITY
        assert.strictEqual(crashed._tag, writes < 3 ? "Failure" : "Success")
        if (crashed._tag === "Failure") yield* useFully(world, code)
        else yield* world.refresh(toTokens(crashed.success).refresh)
        assert.strictEqual((yield* world.grants.list(alice.subject)).length, 1)
      }
    }))
})
