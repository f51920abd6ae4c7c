import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger, ManagedRuntime, Result } from "effect"
import { AuthLayer, Decision } from "effect-mcp-auth"
import { Gate, Rejection } from "effect-mcp-auth/host"
import * as Callback from "../../../src/servers/host/Callback.ts"
import * as Runner from "../../../src/servers/host/Runner.ts"

const heard: Array<string | undefined> = []

/** Creates a runner as the server adapters do, with the gate of `AuthLayer.mock`. */
const makeRunner = async () => {
  heard.length = 0
  const runtime = ManagedRuntime.make(Layer.mergeAll(
    AuthLayer.mock({ scopes: ["a"] }),
    Layer.succeed(Decision.DecisionListener, ({ reason }) => Effect.sync(() => void heard.push(reason))),
    Logger.layer([])
  ) as unknown as Layer.Layer<Gate.AuthLayer>)
  const gate = await runtime.runPromise(Gate.AuthLayer)
  const runner = Runner.make(gate, runtime)
  return { ...Callback.make(runner), runner }
}

const reasonOf = (result: Result.Result<unknown, Rejection.Rejection>): string =>
  Result.isFailure(result) ? result.failure.reason : "admitted"

describe("Callback", () => {
  it("receives a value without a fiber, at once if the callback was called at once, and only the first one", async () => {
    const { receive, runner } = await makeRunner()
    const atOnce = receive<string>((callback) => {
      callback("first")
      callback("second")
      return () => {}
    })
    assert.deepStrictEqual(atOnce, Result.succeed("first"))
    let call: (value: string) => void = () => {}
    let stopped = 0
    const later = receive<string>((callback) => {
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
    const { receive, runner } = await makeRunner()
    let stopped = 0
    const never = () => receive<string>(() => () => void stopped++)
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
    const { receive, runner } = await makeRunner()
    const started = receive<never>(() => {
      throw new Error("broken on purpose")
    })
    assert.strictEqual(reasonOf(started as Result.Result<never, Rejection.Rejection>), "broken")
    await new Promise(setImmediate)
    assert.deepStrictEqual(heard, ["broken"])
    await runner.dispose()
  })

  it("continues a decision with a second one, and abandons the one that is waiting", async () => {
    const { receive, runner } = await makeRunner()
    const now = <A>(value: A) => runner.start(() => Effect.succeed(value))
    const soon = <A>(value: A) => runner.start(() => Effect.as(Effect.yieldNow, value))
    const rejected = runner.start(() => Effect.fail(Rejection.foreignOrigin))
    const resultOf = <A>(started: Runner.Started<A>) => Result.isResult(started) ? started : started.result
    for (const first of [now, soon]) {
      for (const second of [now, soon]) {
        const both = Callback.andThen(first(1), (value) => second(value + 1))
        assert.strictEqual(Result.isResult(both), first === now && second === now)
        assert.deepStrictEqual(await resultOf(both), Result.succeed(2))
      }
      assert.strictEqual(reasonOf(await resultOf(Callback.andThen(first(1), () => rejected))), "origin")
    }
    let calls = 0
    const afterRejection = Callback.andThen(rejected as Runner.Started<number>, () => {
      calls++
      return now(1)
    })
    assert.strictEqual(reasonOf(await resultOf(afterRejection)), "origin")
    assert.strictEqual(calls, 0)

    const stopped: Array<string> = []
    const wait = (name: string) => receive<string>(() => () => void stopped.push(name))
    const inFirst = Callback.andThen(wait("first"), () => wait("never")) as Runner.Waiting<string>
    inFirst.abandon()
    assert.strictEqual(reasonOf(await inFirst.result), "closing")
    const inSecond = Callback.andThen(soon(1), () => wait("second")) as Runner.Waiting<string>
    await new Promise(setImmediate)
    inSecond.abandon()
    assert.strictEqual(reasonOf(await inSecond.result), "closing")
    assert.deepStrictEqual(stopped, ["first", "second"])
    await runner.dispose()
  })
})
