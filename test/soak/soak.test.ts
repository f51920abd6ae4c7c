import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Soak from "../../bench/soak/Soak.ts"

describe("seventeen seconds of mixed traffic", () => {
  it.live.each(["effect", "sdk-v1"] as const)(
    "reject no good token and admit no bad one, while keys rotate, the provider fails and the configuration is reloaded: %s",
    (host) =>
      Effect.gen(function*() {
        const outcome = yield* Soak.run({
          host,
          duration: 17,
          calibration: 1,
          rotation: 5,
          refresh: 5,
          reload: 4,
          people: 100,
          share: 0.5,
          most: 60
        })
        assert.deepStrictEqual(outcome.goodRejected, [])
        assert.deepStrictEqual(outcome.badAdmitted, [])
        assert.deepStrictEqual(outcome.unexpected, [])
        assert.isAbove(outcome.maximum, outcome.rate)
        assert.isAbove(outcome.good, 300)
        assert.isAbove(outcome.sent - outcome.good, 50)
        assert.isAtLeast(outcome.keys, 3)
        // Requests of all kinds were sent, also those with tokens of a withdrawn key.
        assert.lengthOf(Object.keys(outcome.counts), 21)
        assert.deepStrictEqual(outcome.streams.failed, [])
        assert.isAtLeast(Math.min(outcome.streams.dropped, outcome.streams.read, outcome.streams.revoked), 1)
        assert.deepStrictEqual(outcome.reloads.failed, [])
        assert.isAtLeast(outcome.reloads.done, 1)
        assert.isAtLeast(outcome.providerFailures, 4)
        // Metadata and keys are fetched at most once per refresh interval. An unknown `kid` also causes a fetch of the keys, at
        // most once per cooldown. So there are far fewer requests to the provider than tokens.
        assert.isBelow(outcome.providerRequests, 150)
        assert.isBelow(outcome.heap.growth, 16)
        assert.isTrue(outcome.endsByItself, "no timer, listener or socket is left after dispose")
      }),
    120_000
  )
})

describe("three seconds of mixed traffic", () => {
  it.live.each(["sdk-v2", "fetch"] as const)(
    "leave no timer, listener or socket of a disposed gate that keeps the process: %s",
    (host) =>
      Effect.gen(function*() {
        const outcome = yield* Soak.run({
          host,
          duration: 3,
          calibration: 1,
          rotation: 6,
          refresh: 6,
          reload: 1,
          people: 20,
          share: 0.5,
          most: 60
        })
        assert.deepStrictEqual(outcome.goodRejected, [])
        assert.deepStrictEqual(outcome.badAdmitted, [])
        assert.isAbove(outcome.good, 20)
        assert.deepStrictEqual(outcome.streams.failed, [])
        assert.deepStrictEqual(outcome.reloads.failed, [])
        assert.isTrue(outcome.endsByItself)
      }),
    120_000
  )
})
