import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as ManagedRuntime from "effect/ManagedRuntime"
import * as Result from "effect/Result"
import * as Caller from "../../authorization/Caller.ts"
import type { Gate } from "../../authorization/Gate.ts"
import * as Rejection from "../../authorization/Rejection.ts"

/* Runs the decisions of a gate outside Effect. */

/** Starts a decision. Returns an effect that completes the decision, or fails with a rejection. */
export type Decide<A> = () => Effect.Effect<A, Rejection.Rejection>

/** A decision that has not completed, because it awaits something. */
export interface Waiting<A> {
  readonly result: Promise<Result.Result<A, Rejection.Rejection>>
  /** Interrupts the decision. Called when the client has disconnected. */
  readonly abandon: () => void
}

/** A decision that has started: its result, if nothing has to be awaited. */
export type Started<A> = Result.Result<A, Rejection.Rejection> | Waiting<A>

/** Runs decisions. */
export interface Runner {
  /** The fiber of all requests. Its context contains the services of the layer. It ends when the runtime is disposed. */
  readonly fiber: Fiber.Fiber<unknown, unknown>
  /**
   * Runs a decision. Returns its result at once if nothing has to be awaited. The effect runs only once, because a second run
   * would reject the DPoP proof of the request as a replay. Defects and unexpected errors become rejections.
   */
  readonly start: <A>(decide: Decide<A>) => Started<A>
  /**
   * Waits for a value without a fiber. `listen` receives a callback for the value, and returns the function that stops the wait.
   * Returns the value at once if `listen` has called the callback before it returns. Ends with a rejection if it is abandoned,
   * or if the runtime is disposed.
   */
  readonly receive: <A>(listen: (callback: (value: A) => void) => () => void) => Started<A>
  /** Runs a decision as a promise that never rejects. `signal` interrupts the decision, which then results in a rejection. */
  readonly run: <A>(
    decide: Decide<A>,
    signal?: AbortSignal | undefined
  ) => Promise<Result.Result<A, Rejection.Rejection>>
  readonly isDisposed: () => boolean
  readonly dispose: () => Promise<void>
}

/** Creates the runner of a gate. `runtime` is the one that built the gate. */
export const make = (gate: Gate, runtime: ManagedRuntime.ManagedRuntime<any, any>): Runner => {
  let disposed = false
  // Every request refers to this fiber, so it must live as long as the runtime.
  const fiber = runtime.runFork(Effect.callback<never>(() => {}))

  const runFork = Effect.runForkWith(fiber.context)
  // The fibers that `dispose` interrupts. `runtime.runFork` would track its fibers as well, but that takes as long as the rest
  // of the fiber's work.
  const waiting = new Set<Fiber.Fiber<unknown, unknown>>()

  // The waits without a fiber, which `dispose` abandons.
  const receiving = new Set<() => void>()

  const settle = <A>(exit: Exit.Exit<A, unknown>): Result.Result<A, Rejection.Rejection> => {
    if (Exit.isSuccess(exit)) return Result.succeed(exit.value)
    const rejection = Exit.findErrorOption(exit)
    if (rejection._tag === "Some") return Result.fail(rejection.value as Rejection.Rejection)
    if (disposed || Cause.hasInterruptsOnly(exit.cause)) return Result.fail(Rejection.closing)
    const reported = Effect.suspend(() => gate.reject(Caller.unknown(fiber), exit.cause))
    // `Effect.ignore` does the same, but would add the code for its log options to every bundle.
    runtime.runFork(Effect.catch(reported, () => Effect.void))
    return Result.fail(Rejection.broken)
  }

  const start: Runner["start"] = <A>(decide: Decide<A>) => {
    if (disposed) return Result.fail(Rejection.closing)
    const decision = eagerly(decide)
    if (Exit.isExit(decision)) return settle(decision as Exit.Exit<A, Rejection.Rejection>)
    const running = runFork(decision)
    const exit = running.pollUnsafe()
    if (exit !== undefined) return settle(exit)
    waiting.add(running)
    return {
      result: new Promise<Result.Result<A, Rejection.Rejection>>((resolve) => {
        running.addObserver((exit) => {
          waiting.delete(running)
          resolve(settle(exit))
        })
      }),
      abandon: () => running.interruptUnsafe()
    }
  }

  // For a small body, a fiber would take about as long as the decision.
  const receive: Runner["receive"] = <A>(listen: (callback: (value: A) => void) => () => void) => {
    if (disposed) return Result.fail(Rejection.closing)
    let settled: Result.Result<A, Rejection.Rejection> | undefined
    let resolve: ((result: Result.Result<A, Rejection.Rejection>) => void) | undefined
    const end = (result: Result.Result<A, Rejection.Rejection>) => {
      if (settled !== undefined) return
      settled = result
      receiving.delete(abandon)
      resolve?.(result)
    }
    let stop = () => {}
    const abandon = () => {
      if (settled === undefined) stop()
      end(Result.fail(Rejection.closing))
    }
    try {
      stop = listen((value) => end(Result.succeed(value)))
    } catch (defect) {
      end(settle(Exit.die(defect)))
    }
    if (settled !== undefined) return settled
    receiving.add(abandon)
    const result = new Promise<Result.Result<A, Rejection.Rejection>>((_) => {
      resolve = _
    })
    return { result, abandon }
  }

  return {
    fiber,
    start,
    receive,
    run: async (decide, signal) => {
      const started = start(decide)
      if (Result.isResult(started)) return started
      if (signal?.aborted === true) started.abandon()
      signal?.addEventListener("abort", started.abandon, { once: true })
      const result = await started.result
      signal?.removeEventListener("abort", started.abandon)
      return result
    },
    isDisposed: () => disposed,
    dispose: async () => {
      disposed = true
      for (const abandon of receiving) abandon()
      await Effect.runPromise(Fiber.interruptAll([...waiting]))
      await runtime.dispose()
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

/** Calls a function that returns an effect. If the function throws, returns an effect that dies with the thrown value. */
export const eagerly = <A, E, R>(effect: () => Effect.Effect<A, E, R>): Effect.Effect<A, E, R> => {
  try {
    return effect()
  } catch (defect) {
    return Effect.die(defect)
  }
}
