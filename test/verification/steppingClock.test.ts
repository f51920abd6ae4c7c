import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import * as monotonic from "../../src/store/MonotonicTime.ts"
import * as steppingClock from "./steppingClock.ts"

describe("monotonic time", () => {
  it.effect("continues while the wall clock steps back, and sleeping fibers wake in time", () =>
    steppingClock.use((step) =>
      Effect.gen(function*() {
        yield* TestClock.setTime(1_800_000_000_000)
        const before = yield* monotonic.millis
        const sleeper = yield* Effect.forkChild(Effect.sleep("2 minutes"))
        yield* TestClock.adjust("1 minute")
        yield* step(steppingClock.hourBack)
        assert.strictEqual(yield* Clock.currentTimeMillis, 1_800_000_000_000 + 60_000 - 3_600_000)
        assert.strictEqual((yield* monotonic.millis) - before, 60_000)
        yield* TestClock.adjust("1 minute")
        yield* Fiber.join(sleeper)
        assert.strictEqual((yield* monotonic.millis) - before, 120_000)
      })
    ))

  it.effect("does not jump when the wall clock steps forward", () =>
    steppingClock.use((step) =>
      Effect.gen(function*() {
        const before = yield* monotonic.millis
        yield* step(-steppingClock.hourBack)
        assert.strictEqual(yield* monotonic.millis, before)
      })
    ))
})
