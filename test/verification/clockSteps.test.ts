import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect } from "effect"
import type { TestIssuer } from "effect-mcp-auth/testing"
import type { JwkSet } from "effect-mcp-auth/verification"
import { TestClock } from "effect/testing"
import * as steppingClock from "./steppingClock.ts"
import * as support from "./support.ts"

/** A configured `jwksUri` makes metadata unnecessary, so every request is a request for keys. */
const keysOnly = { server: { jwksUri: "https://issuer.test/jwks" } }

const down: TestIssuer.Fault = { _tag: "Status", status: 500 }

/** Returns the number of keys in the set that have this id. */
const count = ({ keys, server }: Effect.Success<ReturnType<typeof support.services>>, kid = "key-1") =>
  Effect.map(keys.find(server, { algorithm: "ES256", kid }), (_) => _.length)

/** Lets pending promises settle. */
const settled = Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))

const day = Duration.toMillis(Duration.hours(24))

const holds = (current: ReturnType<JwkSet.JwkSet["Service"]["isCurrent"]>) =>
  Effect.suspend(() => {
    const answer = current()
    return typeof answer === "boolean" ? Effect.succeed(answer) : answer
  })

const steps = [
  { name: "one hour back", by: steppingClock.hourBack },
  { name: "one year back", by: -365 * day },
  { name: "one hour forward", by: -steppingClock.hourBack }
]

describe("[T-AUD-08] when the wall clock steps", () => {
  it.effect.each(steps)(
    "[T-AUD-08] $name, a withdrawn key is not used after the refresh interval",
    ({ by }) =>
      steppingClock.use((step) =>
        Effect.gen(function*() {
          const set = yield* support.services()
          const [key] = yield* set.keys.find(set.server, { algorithm: "ES256", kid: "key-1" })
          const current = set.keys.isCurrent(set.server, key!)
          yield* step(by)
          yield* set.issuer.rotateKeys
          yield* set.issuer.withdrawOldKeys
          // Looking up a key starts the refresh in the background, so the test looks one up each minute.
          for (let minute = 0; minute < 10; minute++) {
            yield* count(set)
            yield* settled
            yield* TestClock.adjust("1 minute")
          }
          assert.isFalse(yield* holds(current))
          assert.strictEqual(yield* count(set), 0)
        })
      )
  )

  it.effect.each(steps)(
    "[T-AUD-08] $name, a cached verification does not outlive its key",
    ({ by }) =>
      steppingClock.use((step) =>
        Effect.gen(function*() {
          const set = yield* support.services(keysOnly)
          const [key] = yield* set.keys.find(set.server, { algorithm: "ES256", kid: "key-1" })
          const current = set.keys.isCurrent(set.server, key!)
          yield* step(by)
          yield* set.issuer.rotateKeys
          yield* set.issuer.withdrawOldKeys
          yield* TestClock.adjust("10 minutes")
          assert.isFalse(yield* holds(current))
        })
      )
  )

  it.effect.each(steps)(
    "[T-AUD-08] $name, a new key is found once the cooldown is over",
    ({ by }) =>
      steppingClock.use((step) =>
        Effect.gen(function*() {
          const set = yield* support.services(keysOnly)
          yield* count(set)
          yield* Effect.ignore(count(set, "unknown"))
          yield* step(by)
          yield* set.issuer.rotateKeys
          const { kid } = yield* set.issuer.currentKey
          yield* TestClock.adjust("30 seconds")
          assert.strictEqual(yield* count(set, kid), 1)
        })
      )
  )

  it.effect.each(steps)(
    "[T-AUD-08] $name, the cooldown holds until it is over",
    ({ by }) =>
      steppingClock.use((step) =>
        Effect.gen(function*() {
          const set = yield* support.services(keysOnly)
          yield* count(set)
          yield* Effect.ignore(count(set, "unknown"))
          yield* step(by)
          yield* set.issuer.takeRequests
          yield* TestClock.adjust("29 seconds")
          yield* Effect.ignore(count(set, "unknown"))
          assert.deepStrictEqual(yield* set.issuer.requests, [])
        })
      )
  )

  it.effect.each(steps)(
    "[T-AUD-08] $name, a failed fetch is retried after its backoff",
    ({ by }) =>
      steppingClock.use((step) =>
        Effect.gen(function*() {
          const set = yield* support.services()
          yield* set.issuer.fail(down)
          assert.strictEqual((yield* Effect.flip(count(set)))._tag, "AuthorizationServerUnavailable")
          yield* step(by)
          yield* set.issuer.recover
          yield* TestClock.adjust("1 second")
          assert.strictEqual(yield* count(set), 1)
        })
      )
  )

  it.effect("[T-AUD-08] a step of two days forward does not end the stale keys in an outage", () =>
    steppingClock.use((step) =>
      Effect.gen(function*() {
        const set = yield* support.services(keysOnly)
        yield* count(set)
        yield* set.issuer.fail(down)
        yield* step(2 * day)
        yield* TestClock.adjust("1 minute")
        assert.strictEqual(yield* count(set), 1)
      })
    ))

  it.effect("[T-AUD-08] a step back does not keep the stale keys longer in an outage", () =>
    steppingClock.use((step) =>
      Effect.gen(function*() {
        const set = yield* support.services(keysOnly)
        yield* count(set)
        yield* set.issuer.fail(down)
        yield* step(-2 * day)
        yield* TestClock.adjust("24 hours")
        assert.strictEqual((yield* Effect.flip(count(set)))._tag, "AuthorizationServerUnavailable")
      })
    ))
})
