import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { Sharing } from "../../../src/outbound/Sharing.ts"
import * as steppingClock from "../steppingClock.ts"
import * as support from "../support.ts"

const keysOnly = { server: { jwksUri: "https://issuer.test/jwks" } }

/** Verifies a token. Returns `"accepted"`, the reason of the rejection, or the reason of an outage with the seconds to wait. */
const verdict = (
  { verify }: Pick<Effect.Success<ReturnType<typeof support.verifier>>, "verify">,
  token: string
): Effect.Effect<string> =>
  verify(token).pipe(
    Effect.as("accepted"),
    Effect.catch((error) =>
      Effect.succeed(
        error._tag === "AuthorizationServerUnavailable"
          ? `${error.reason}, retry after ${error.retryAfter}`
          : String(error.reason)
      )
    )
  )

/** A verifier that fetched its keys a minute ago. Just now it fetched them again for a forged token, so the cooldown begins. */
const coolingDown = Effect.gen(function*() {
  const set = yield* support.verifier(keysOnly)
  assert.strictEqual(yield* verdict(set, yield* set.issuer.mint()), "accepted")
  yield* TestClock.adjust("1 minute")
  const forged = yield* set.issuer.mint({ header: { kid: "forged" }, claims: { iat: support.now - 60 } })
  assert.strictEqual(yield* verdict(set, forged), "unknown-key")
  yield* set.issuer.takeRequests
  return set
})

describe("[T-AUD-16] during the cooldown after an unknown kid", () => {
  it.effect("[T-AUD-16] a token of a newly rotated key is unavailable until the cooldown is over, then accepted", () =>
    Effect.gen(function*() {
      const set = yield* coolingDown
      yield* TestClock.adjust("4 seconds")
      yield* set.issuer.rotateKeys
      yield* TestClock.adjust("1 second")
      const token = yield* set.issuer.mint()
      assert.strictEqual(yield* verdict(set, token), "keys-cooling-down, retry after 25")
      yield* TestClock.adjust("24500 millis")
      assert.strictEqual(yield* verdict(set, token), "keys-cooling-down, retry after 1")
      assert.deepStrictEqual(yield* set.issuer.requests, [])
      yield* TestClock.adjust("500 millis")
      assert.strictEqual(yield* verdict(set, token), "accepted")
    }))

  it.effect("[T-AUD-16] a token without kid that no known key signed is unavailable until the cooldown is over", () =>
    Effect.gen(function*() {
      const set = yield* coolingDown
      yield* set.issuer.rotateKeys
      const token = yield* set.issuer.mint({ header: { kid: undefined } })
      assert.strictEqual(yield* verdict(set, token), "keys-cooling-down, retry after 30")
      yield* TestClock.adjust("30 seconds")
      assert.strictEqual(yield* verdict(set, token), "accepted")
    }))

  it.effect("[T-AUD-16] a token of a server whose clock is 20 seconds slow is unavailable until the cooldown is over", () =>
    Effect.gen(function*() {
      const set = yield* coolingDown
      yield* set.issuer.rotateKeys
      yield* set.issuer.skewClock("-20 seconds")
      const token = yield* set.issuer.mint()
      assert.strictEqual(yield* verdict(set, token), "keys-cooling-down, retry after 30")
      yield* TestClock.adjust("30 seconds")
      assert.strictEqual(yield* verdict(set, token), "accepted")
    }))

  it.effect("[T-AUD-16] a token without iat is unavailable until the cooldown is over", () =>
    Effect.gen(function*() {
      const set = yield* coolingDown
      yield* set.issuer.rotateKeys
      const token = yield* set.issuer.mint({ claims: { iat: undefined } })
      assert.strictEqual(yield* verdict(set, token), "keys-cooling-down, retry after 30")
      yield* TestClock.adjust("30 seconds")
      assert.strictEqual(yield* verdict(set, token), "accepted")
    }))

  it.effect("[T-AUD-16] a token that is older than the last fetch is rejected", () =>
    Effect.gen(function*() {
      const set = yield* coolingDown
      const token = yield* set.issuer.mint({ header: { kid: "unknown" }, claims: { iat: support.now - 60 } })
      assert.strictEqual(yield* verdict(set, token), "unknown-key")
      const bare = yield* set.issuer.mint({ header: { kid: undefined }, claims: { iat: support.now - 60 } })
      assert.strictEqual(yield* verdict(set, `${bare.slice(0, -8)}AAAAAAAA`), "signature")
    }))

  it.effect.each([
    { title: "issued in the future", claims: { iat: support.now + 600, exp: support.now + 900 } },
    { title: "with an iat that is not a moment", claims: { iat: "now" } },
    { title: "with an infinite iat", claims: { iat: 1e300 } },
    { title: "expired", claims: { iat: support.now + 30, exp: support.now + 45 } },
    { title: "not valid yet", claims: { nbf: support.now + 600 } },
    { title: "without exp", claims: { exp: undefined } }
  ])("[T-AUD-16] a token that is $title is rejected, with any key", ({ claims }) =>
    Effect.gen(function*() {
      const set = yield* coolingDown
      const token = yield* set.issuer.mint({ header: { kid: "unknown" }, claims })
      assert.strictEqual(yield* verdict(set, token), "unknown-key")
    }))

  it.effect("[T-AUD-16] forged tokens cause one fetch in 30 seconds and do not affect tokens of known keys", () =>
    Effect.gen(function*() {
      const set = yield* coolingDown
      const began: Array<number> = []
      for (let second = 0; second < 61; second++) {
        for (let n = 0; n < 3; n++) {
          const forged = yield* set.issuer.mint({ header: { kid: n === 2 ? undefined : `forged-${second}-${n}` } })
          const broken = `${forged.slice(0, -8)}AAAAAAAA`
          assert.match(yield* verdict(set, broken), /^(?:keys-cooling-down, retry after \d+|unknown-key|signature)$/)
        }
        assert.strictEqual(yield* verdict(set, yield* set.issuer.mint()), "accepted")
        if ((yield* set.issuer.takeRequests).length > 0) began.push(second)
        yield* TestClock.adjust("1 second")
      }
      assert.deepStrictEqual(began, [30, 60])
    }))

  it.effect("[T-AUD-16] a wall clock that steps back does not reject a new key", () =>
    steppingClock.use((step) =>
      Effect.gen(function*() {
        const set = yield* coolingDown
        yield* step(steppingClock.hourBack)
        yield* set.issuer.rotateKeys
        const token = yield* set.issuer.mint()
        assert.strictEqual(yield* verdict(set, token), "keys-cooling-down, retry after 30")
        yield* TestClock.adjust("30 seconds")
        assert.strictEqual(yield* verdict(set, token), "accepted")
      })
    ))

  it.effect("[T-AUD-16] a key that is withdrawn and a kid that never was are rejected after a fetch", () =>
    Effect.gen(function*() {
      const set = yield* coolingDown
      yield* TestClock.adjust("30 seconds")
      const token = yield* set.issuer.mint({ header: { kid: "never" } })
      assert.strictEqual(yield* verdict(set, token), "unknown-key")
      assert.strictEqual(yield* verdict(set, token), "keys-cooling-down, retry after 30")
      yield* TestClock.adjust("30 seconds")
      assert.strictEqual(yield* verdict(set, token), "unknown-key")
    }))
})

describe("[T-AUD-16] where requests do not share their fetches", () => {
  it.effect("[T-AUD-16] a token of a new key is unavailable while no fetch is allowed", () =>
    Effect.gen(function*() {
      const set = yield* coolingDown
      yield* set.issuer.rotateKeys
      const token = yield* set.issuer.mint()
      assert.strictEqual(yield* verdict(set, token), "keys-cooling-down, retry after 30")
      yield* TestClock.adjust("30 seconds")
      assert.strictEqual(yield* verdict(set, token), "accepted")
    }).pipe(Effect.provideService(Sharing, false)))

  it.effect("[T-AUD-16] at most 8 fetches are under way, and the ninth token is unavailable", () =>
    Effect.gen(function*() {
      const set = yield* support.verifier(keysOnly)
      assert.strictEqual(yield* verdict(set, yield* set.issuer.mint()), "accepted")
      yield* set.issuer.takeRequests
      yield* set.issuer.fail({ _tag: "Hang" })
      const token = yield* set.issuer.mint({ header: { kid: "new" } })
      const waiting = yield* Effect.forkChild(
        Effect.all(Array.from({ length: 8 }, () => verdict(set, token)), { concurrency: "unbounded" }),
        { startImmediately: true }
      )
      assert.strictEqual(yield* verdict(set, token), "keys-cooling-down, retry after 30")
      assert.lengthOf(yield* set.issuer.requests, 8)
      yield* Fiber.interrupt(waiting)
    }).pipe(Effect.provideService(Sharing, false)))
})

describe("[T-AUD-16] a fetch that was already running", () => {
  it.effect("[T-AUD-16] does not reject a token whose key was published after the fetch began", () =>
    Effect.gen(function*() {
      const set = yield* support.verifier(keysOnly)
      yield* set.issuer.fail({ _tag: "Slow", by: "3 seconds" })
      const first = yield* Effect.forkChild(verdict(set, yield* set.issuer.mint({ header: { kid: "old" } })), {
        startImmediately: true
      })
      yield* TestClock.adjust("2 seconds")
      yield* set.issuer.recover
      const token = yield* set.issuer.mint({ header: { kid: "new" } })
      const second = yield* Effect.forkChild(verdict(set, token), { startImmediately: true })
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(first)
      yield* Fiber.join(second)
      // The second token can be newer than the fetch for the first token, so it causes a second fetch.
      assert.lengthOf(yield* set.issuer.requests, 2)
    }))
})
