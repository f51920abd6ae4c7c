import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Scheduler, Scope } from "effect"
import { TestClock } from "effect/testing"
import * as SingleFlight from "../../src/outbound/SingleFlight.ts"

const setup = Effect.gen(function*() {
  const scope = yield* Scope.make()
  const flights = SingleFlight.make<number, string>(scope)
  let runs = 0
  const effect = Effect.suspend(() => Effect.delay(Effect.succeed(++runs), "1 second"))
  const run = (after?: number) =>
    Effect.suspend(() => flights.join("key", after) ?? Effect.flatten(flights.start("key", effect)))
  return { scope, flights, run, runs: () => runs }
})

describe("a single flight", () => {
  it.effect("runs once for all callers that wait for it, and again afterwards", () =>
    Effect.gen(function*() {
      const { run, runs } = yield* setup
      const fiber = yield* Effect.forkChild(Effect.all([run(), run(), run()], { concurrency: "unbounded" }))
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* Fiber.join(fiber), [1, 1, 1])
      const again = yield* Effect.forkChild(run())
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Fiber.join(again), 2)
      assert.strictEqual(runs(), 2)
    }))

  it.effect("goes on for the others if the caller that started it is interrupted", () =>
    Effect.gen(function*() {
      const { run } = yield* setup
      const first = yield* Effect.forkChild(run(), { startImmediately: true })
      const second = yield* Effect.forkChild(run(), { startImmediately: true })
      yield* Fiber.interrupt(first)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Fiber.join(second), 1)
    }))

  it.effect("is not joined by callers that need a later start", () =>
    Effect.gen(function*() {
      const { flights, run } = yield* setup
      const first = yield* Effect.forkChild(run(), { startImmediately: true })
      yield* TestClock.adjust("500 millis")
      const second = yield* Effect.forkChild(run(250), { startImmediately: true })
      yield* TestClock.adjust("500 millis")
      assert.strictEqual(yield* Fiber.join(first), 1)
      // The end of the first flight does not remove the second flight, which has the same key.
      assert.isDefined(flights.join("key"))
      yield* TestClock.adjust("500 millis")
      assert.strictEqual(yield* Fiber.join(second), 2)
      assert.isUndefined(flights.join("key"))
    }))

  it.effect("hands a failure to all callers", () =>
    Effect.gen(function*() {
      const { flights } = yield* setup
      const failing = yield* flights.start("other", Effect.delay(Effect.fail("no"), "1 second"))
      const joined = yield* Effect.forkChild(Effect.flip(flights.join("other")!), { startImmediately: true })
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Effect.flip(failing), "no")
      assert.strictEqual(yield* Fiber.join(joined), "no")
    }))

  it.effect("interrupts its callers when the scope closes, and later ones at once", () =>
    Effect.gen(function*() {
      const { run, scope } = yield* setup
      const waiting = yield* Effect.forkChild(Effect.exit(run()), { startImmediately: true })
      yield* Scope.close(scope, Exit.void)
      for (const exit of [yield* Fiber.join(waiting), yield* Effect.exit(run())]) {
        assert.isTrue(Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause))
      }
    }))
})

describe("a caller that is interrupted while it starts a flight", () => {
  it.live("leaves no flight that never ends, at whichever step the interruption comes", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      for (let steps = 4; steps <= 60; steps++) {
        const flights = SingleFlight.make<string, never>(scope)
        const caller = Effect.runFork(
          Effect.flatten(flights.start("key", Effect.yieldNow.pipe(Effect.as("result")))).pipe(
            Effect.provideService(Scheduler.MaxOpsBeforeYield, steps)
          )
        )
        caller.interruptUnsafe()
        yield* Fiber.await(caller)
        const joined = flights.join("key")
        if (joined !== undefined) {
          assert.strictEqual(
            yield* Effect.timeoutOption(joined, "5 seconds").pipe(Effect.map((_) => _._tag)),
            "Some",
            `interrupted after ${steps} steps`
          )
        }
      }
    }))
})
