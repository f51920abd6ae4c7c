import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Layer, ManagedRuntime, Result } from "effect"
import { AuthLayer } from "effect-mcp-auth"
import { Gate, Rejection } from "effect-mcp-auth/host"
import * as Runner from "../../../src/servers/host/Runner.ts"
import { makeRunner, reasonOf } from "./runners.ts"

describe("Runner", () => {
  it("runs each effect once, however it ends", async () => {
    const { runner } = await makeRunner()
    let runs = 0
    const counted = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
      Effect.suspend(() => {
        runs++
        return effect
      })
    const endings: ReadonlyArray<readonly [string, Effect.Effect<unknown, Rejection.Rejection>]> = [
      ["admitted", Effect.void],
      ["admitted", Effect.yieldNow],
      ["origin", Effect.fail(Rejection.foreignOrigin)],
      ["origin", Effect.andThen(Effect.yieldNow, Effect.fail(Rejection.foreignOrigin))],
      ["broken", Effect.die("a defect")],
      ["broken", Effect.andThen(Effect.yieldNow, Effect.die("a defect"))],
      ["closing", Effect.interrupt]
    ]
    for (const [reason, effect] of endings) {
      runs = 0
      assert.strictEqual(reasonOf(await runner.run(() => counted(effect))), reason)
      assert.strictEqual(runs, 1)
    }
    await runner.dispose()
  })

  it("calls the decision once, and returns the result of an Exit at once", async () => {
    const { runner } = await makeRunner()
    let calls = 0
    const started = runner.start(() => {
      calls++
      return Effect.succeed("caller")
    })
    assert.isTrue(Result.isResult(started))
    assert.strictEqual(calls, 1)
    await runner.dispose()
  })

  it("turns what a decision throws into a defect: a 500 that is reported", async () => {
    const { reported, runner } = await makeRunner()
    const started = runner.start(() => {
      throw new Error("broken on purpose")
    })
    assert.isTrue(Result.isResult(started))
    assert.strictEqual(reasonOf(started as Result.Result<never, Rejection.Rejection>), "broken")
    assert.strictEqual(await reported, "broken")
    await runner.dispose()
  })

  it("interrupts a decision when its signal aborts, before and after it began", async () => {
    const { runner } = await makeRunner()
    let ended = 0
    const waiting = Effect.onInterrupt(Effect.never, () => Effect.sync(() => void ended++))
    const controller = new AbortController()
    const running = runner.run(() => waiting, controller.signal)
    controller.abort()
    assert.strictEqual(reasonOf(await running), "closing")
    assert.strictEqual(reasonOf(await runner.run(() => waiting, controller.signal)), "closing")
    assert.strictEqual(ended, 2)
    await runner.dispose()
  })

  it("ends waiting decisions before it releases the services of its layer", async () => {
    const events: Array<string> = []
    const runtime = ManagedRuntime.make(
      Layer.effectDiscard(Effect.addFinalizer(() => Effect.sync(() => void events.push("services")))).pipe(
        Layer.merge(AuthLayer.mock({ scopes: ["a"] }))
      ) as unknown as Layer.Layer<Gate.AuthLayer>
    )
    const runner = Runner.make(await runtime.runPromise(Gate.AuthLayer), runtime)
    const waiting = runner.run(() =>
      Effect.onInterrupt(
        Effect.never,
        () => Effect.andThen(Effect.yieldNow, Effect.sync(() => void events.push("decision")))
      )
    )
    await runner.dispose()
    assert.strictEqual(reasonOf(await waiting), "closing")
    assert.deepStrictEqual(events, ["decision", "services"])
  })

  it("rejects as closing while it shuts down, and calls no decision after that", async () => {
    const { runner } = await makeRunner()
    const latch = Deferred.makeUnsafe<void>()
    const waiting = runner.run(() => Deferred.await(latch))
    await runner.dispose()
    assert.strictEqual(reasonOf(await waiting), "closing")
    let calls = 0
    const later = await runner.run(() => {
      calls++
      return Effect.void
    })
    assert.deepStrictEqual([reasonOf(later), calls], ["closing", 0])
  })
})
