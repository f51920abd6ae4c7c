import { Console, Data, Effect, Runtime } from "effect"

/** The error of a step whose check failed. */
export class StepFailed extends Data.TaggedError("StepFailed")<{
  readonly step: number
  readonly title: string
  readonly cause: unknown
}> {
  // `false` means that `runMain` does not log the error with its stack trace, because the message is sufficient.
  override readonly [Runtime.errorReported] = false

  override get message() {
    return `Step ${this.step} (${this.title}) differs: ${this.cause instanceof Error ? this.cause.message : this.cause}`
  }
}

export type Step = <A>(
  title: string,
  /** Performs the step, throws if a check fails, and passes the lines to print to `tell`. */
  body: (tell: (...lines: ReadonlyArray<string>) => void) => Promise<A>
) => Effect.Effect<A, StepFailed>

/** Returns a function that runs and numbers steps. If a step fails, the lines that it passed to `tell` before are printed. */
export const make = (): Step => {
  let count = 0
  return (title, body) =>
    Effect.suspend(() => {
      const step = ++count
      const lines: Array<string> = []
      return Effect.tryPromise({
        try: () => body((...more) => void lines.push(...more)),
        catch: (cause) => new StepFailed({ step, title, cause })
      }).pipe(
        Effect.ensuring(
          Effect.suspend(() => Console.log([`${step}. ${title}`, ...lines.map((line) => `   ${line}`), ""].join("\n")))
        )
      )
    })
}
