import { assert, describe, it } from "@effect/vitest"
import { Clock, Duration, Effect } from "effect"
import { TestClock } from "effect/testing"
import { BodyDeadlines } from "../../../src/servers/host/BodyDeadlines.ts"

/** Creates deadlines on the test clock. `forked` counts the watching fibers that started, and `watching` those that run. */
const make = (timeout: Duration.Input) =>
  Effect.gen(function*() {
    const fork = Effect.runForkWith(yield* Effect.context<never>())
    const watching = new Set<object>()
    let forked = 0
    const deadlines = new BodyDeadlines(
      yield* Clock.Clock,
      (watch) => {
        forked++
        const fiber = fork(watch)
        watching.add(fiber)
        fiber.addObserver(() => void watching.delete(fiber))
      },
      Duration.fromInputUnsafe(timeout)
    )
    return { deadlines, forked: () => forked, watching: () => watching.size }
  })

describe("[T-AUD-07b] the deadlines of bodies", () => {
  it.effect("each body expires once, when its time is over", () =>
    Effect.gen(function*() {
      const { deadlines, forked } = yield* make("30 seconds")
      const expired: Array<string> = []
      deadlines.add(() => expired.push("a"))
      yield* TestClock.adjust("10 seconds")
      deadlines.add(() => expired.push("b"))
      yield* TestClock.adjust("19999 millis")
      assert.deepStrictEqual(expired, [])
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(expired, ["a"])
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(expired, ["a", "b"])
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(expired, ["a", "b"])
      assert.strictEqual(forked(), 1)
    }))

  it.effect("a body that ends in time does not expire", () =>
    Effect.gen(function*() {
      const { deadlines } = yield* make("30 seconds")
      const expired: Array<string> = []
      const ended = deadlines.add(() => expired.push("ended"))
      deadlines.add(() => expired.push("open"))
      deadlines.delete(ended)
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(expired, ["open"])
    }))

  it.effect("one fiber watches all bodies, and ends a second after the last", () =>
    Effect.gen(function*() {
      const { deadlines, forked, watching } = yield* make("30 seconds")
      for (let count = 0; count < 100; count++) deadlines.delete(deadlines.add(() => assert.fail("expired")))
      assert.deepStrictEqual([forked(), watching()], [1, 1])
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual([forked(), watching()], [1, 0])
      let expired = false
      deadlines.add(() => {
        expired = true
      })
      yield* TestClock.adjust("30 seconds")
      assert.isTrue(expired)
      assert.deepStrictEqual([forked(), watching()], [2, 0])
    }))
})
