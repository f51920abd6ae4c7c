import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Rejection from "../../authorization/Rejection.ts"
import type { Runner, Started, Waiting } from "./Runner.ts"

/* Awaits callbacks within a decision, without a fiber: for a small body, a fiber would take about as long as the decision. */

/** Waits for values. */
export interface Receiver {
  /**
   * Waits for a value. `listen` receives a callback for the value, and returns the function that stops the wait. If `listen`
   * calls the callback before `listen` returns, `receive` returns the value at once. The result is a rejection if the wait is
   * abandoned, or if the runner is disposed.
   */
  readonly receive: <A>(listen: (callback: (value: A) => void) => () => void) => Started<A>
}

/** Creates a receiver, whose waits end when the runner is disposed. */
export const make = (runner: Pick<Runner, "fiber" | "isDisposed" | "start">): Receiver => {
  const waits = new Set<() => void>()
  runner.fiber.addObserver(() => waits.forEach((abandon) => abandon()))
  return {
    receive: <A>(listen: (callback: (value: A) => void) => () => void) => {
      if (runner.isDisposed()) return Result.fail(Rejection.closing)
      let settled: Result.Result<A, Rejection.Rejection> | undefined
      let resolve: ((result: Result.Result<A, Rejection.Rejection>) => void) | undefined
      let stop = () => {}
      const abandon = () => {
        if (settled === undefined) stop()
        end(Result.fail(Rejection.closing))
      }
      const end = (result: Result.Result<A, Rejection.Rejection>) => {
        if (settled !== undefined) return
        settled = result
        waits.delete(abandon)
        resolve?.(result)
      }
      try {
        stop = listen((value) => end(Result.succeed(value)))
      } catch (defect) {
        return runner.start(() => Effect.die(defect))
      }
      if (settled !== undefined) return settled
      waits.add(abandon)
      const result = new Promise<Result.Result<A, Rejection.Rejection>>((_) => {
        resolve = _
      })
      return { result, abandon }
    }
  }
}

/** Continues a decision with a second one, which receives the result of the first. A rejection of the first is the result. */
export const andThen = <A, B>(started: Started<A>, next: (value: A) => Started<B>): Started<B> => {
  if (Result.isResult(started)) return Result.isFailure(started) ? Result.fail(started.failure) : next(started.success)
  let current: Waiting<unknown> = started
  return {
    result: started.result.then((result) => {
      const continued = andThen(result, next)
      if (Result.isResult(continued)) return continued
      current = continued
      return continued.result
    }),
    abandon: () => current.abandon()
  }
}
