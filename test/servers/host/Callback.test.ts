import { assert, describe, it } from "@effect/vitest"
import { Effect, Result } from "effect"
import { Rejection } from "effect-mcp-auth/host"
import * as Callback from "../../../src/servers/host/Callback.ts"
import type * as Runner from "../../../src/servers/host/Runner.ts"
import { makeRunner, reasonOf } from "./runners.ts"

/** Creates a receiver, and the runner whose disposal ends its waits. */
const makeReceiver = async () => {
  const made = await makeRunner()
  return { ...made, ...Callback.make(made.runner) }
}

describe("Callback", () => {
  it("receives a value without a fiber, at once if the callback was called at once, and only the first one", async () => {
    const { receive, runner } = await makeReceiver()
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
    const { receive, runner } = await makeReceiver()
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
    const { receive, reported, runner } = await makeReceiver()
    const started = receive<never>(() => {
      throw new Error("broken on purpose")
    })
    assert.strictEqual(reasonOf(started as Result.Result<never, Rejection.Rejection>), "broken")
    assert.strictEqual(await reported, "broken")
    await runner.dispose()
  })

  it("continues a decision with a second one, and abandons the one that is waiting", async () => {
    const { receive, runner } = await makeReceiver()
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
    let isWaiting: () => void = () => {}
    const secondWaits = new Promise<void>((resolve) => {
      isWaiting = resolve
    })
    const inSecond = Callback.andThen(soon(1), () => {
      // `andThen` receives the second wait after this function has returned.
      queueMicrotask(isWaiting)
      return wait("second")
    }) as Runner.Waiting<string>
    await secondWaits
    inSecond.abandon()
    assert.strictEqual(reasonOf(await inSecond.result), "closing")
    assert.deepStrictEqual(stopped, ["first", "second"])
    await runner.dispose()
  })
})
