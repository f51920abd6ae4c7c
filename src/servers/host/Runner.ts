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

/** A decision that has started: its result, or a `Waiting` if something has to be awaited. */
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

  return {
    fiber,
    start,
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
      await Effect.runPromise(Fiber.interruptAll([...waiting]))
      await runtime.dispose()
    }
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
