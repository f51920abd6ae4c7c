import { Console, Data, Effect, Runtime } from "effect"

/** A step that did not go as it should. */
export class StepFailed extends Data.TaggedError("StepFailed")<{
  readonly step: number
  readonly title: string
  readonly cause: unknown
}> {
  // The message is sufficient: no stack is printed.
  override readonly [Runtime.errorReported] = false

  override get message() {
    return `Step ${this.step} (${this.title}) differs: ${this.cause instanceof Error ? this.cause.message : this.cause}`
  }
}

export type Step = <A>(
  title: string,
  /** Does the step, checks it by throwing, and tells it line by line. */
  body: (tell: (...lines: ReadonlyArray<string>) => void) => Promise<A>
) => Effect.Effect<A, StepFailed>

/** Numbers the steps of a story. The lines of a step before its failure are printed, too. */
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
