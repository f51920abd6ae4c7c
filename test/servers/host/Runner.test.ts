import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Layer, Logger, ManagedRuntime, Result } from "effect"
import { AuthLayer, Decision } from "effect-mcp-auth"
import { Gate, Rejection } from "effect-mcp-auth/host"
import * as Runner from "../../../src/servers/host/Runner.ts"

const heard: Array<string | undefined> = []

/** Creates a runner as the server adapters do, with the gate of a mock. */
const makeRunner = async () => {
  heard.length = 0
  const runtime = ManagedRuntime.make(Layer.mergeAll(
    AuthLayer.mock({ scopes: ["a"] }),
    Layer.succeed(Decision.DecisionListener, ({ reason }) => Effect.sync(() => void heard.push(reason))),
    Logger.layer([])
  ) as unknown as Layer.Layer<Gate.AuthLayer>)
  const gate = await runtime.runPromise(Gate.AuthLayer)
  return { gate, runner: Runner.make(gate, runtime) }
}

const reasonOf = (result: Result.Result<unknown, Rejection.Rejection>): string =>
  Result.isFailure(result) ? result.failure.reason : "admitted"

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
    const { runner } = await makeRunner()
    const started = runner.start(() => {
      throw new Error("broken on purpose")
    })
    assert.isTrue(Result.isResult(started))
    assert.strictEqual(reasonOf(started as Result.Result<never, Rejection.Rejection>), "broken")
    await new Promise(setImmediate)
    assert.deepStrictEqual(heard, ["broken"])
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

  it("receives a value without a fiber, at once if the callback was called at once, and only the first one", async () => {
    const { runner } = await makeRunner()
    const atOnce = runner.receive<string>((callback) => {
      callback("first")
      callback("second")
      return () => {}
    })
    assert.deepStrictEqual(atOnce, Result.succeed("first"))
    let call: (value: string) => void = () => {}
    let stopped = 0
    const later = runner.receive<string>((callback) => {
      call = callback
      return () => void stopped++
    }) as Runner.Waiting<string>
    call("first")
    call("second")
    later.abandon()
    assert.deepStrictEqual(await later.result, Result.succeed("first"))
    assert.strictEqual(stopped, 0)
    await runner.dispose()
  })

  it("rejects as closing if the wait for a value is abandoned, or if the runner is disposed, and stops the wait", async () => {
    const { runner } = await makeRunner()
    let stopped = 0
    const never = () => runner.receive<string>(() => () => void stopped++)
    const abandoned = never() as Runner.Waiting<string>
    abandoned.abandon()
    abandoned.abandon()
    assert.strictEqual(reasonOf(await abandoned.result), "closing")
    assert.strictEqual(stopped, 1)
    const disposed = never() as Runner.Waiting<string>
    await runner.dispose()
    assert.strictEqual(reasonOf(await disposed.result), "closing")
    assert.strictEqual(stopped, 2)
    assert.strictEqual(reasonOf(never() as Result.Result<never, Rejection.Rejection>), "closing")
    assert.strictEqual(stopped, 2)
  })

  it("turns what a wait throws at its start into a defect: a 500 that is reported", async () => {
    const { runner } = await makeRunner()
    const started = runner.receive<never>(() => {
      throw new Error("broken on purpose")
    })
    assert.strictEqual(reasonOf(started as Result.Result<never, Rejection.Rejection>), "broken")
    await new Promise(setImmediate)
    assert.deepStrictEqual(heard, ["broken"])
    await runner.dispose()
  })

  it("continues a decision with a second one, and abandons the one that is waiting", async () => {
    const { runner } = await makeRunner()
    const now = <A>(value: A) => runner.start(() => Effect.succeed(value))
    const soon = <A>(value: A) => runner.start(() => Effect.as(Effect.yieldNow, value))
    const rejected = runner.start(() => Effect.fail(Rejection.foreignOrigin))
    const resultOf = <A>(started: Runner.Started<A>) => Result.isResult(started) ? started : started.result
    for (const first of [now, soon]) {
      for (const second of [now, soon]) {
        const both = Runner.andThen(first(1), (value) => second(value + 1))
        assert.strictEqual(Result.isResult(both), first === now && second === now)
        assert.deepStrictEqual(await resultOf(both), Result.succeed(2))
      }
      assert.strictEqual(reasonOf(await resultOf(Runner.andThen(first(1), () => rejected))), "origin")
    }
    let calls = 0
    const afterRejection = Runner.andThen(rejected as Runner.Started<number>, () => {
      calls++
      return now(1)
    })
    assert.strictEqual(reasonOf(await resultOf(afterRejection)), "origin")
    assert.strictEqual(calls, 0)

    const stopped: Array<string> = []
    const wait = (name: string) => runner.receive<string>(() => () => void stopped.push(name))
    const inFirst = Runner.andThen(wait("first"), () => wait("never")) as Runner.Waiting<string>
    inFirst.abandon()
    assert.strictEqual(reasonOf(await inFirst.result), "closing")
    const inSecond = Runner.andThen(soon(1), () => wait("second")) as Runner.Waiting<string>
    await new Promise(setImmediate)
    inSecond.abandon()
    assert.strictEqual(reasonOf(await inSecond.result), "closing")
    assert.deepStrictEqual(stopped, ["first", "second"])
    await runner.dispose()
  })
})
