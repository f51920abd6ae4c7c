/**
 * Shows the current step on standard error, if that is a terminal.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Ref from "effect/Ref"
import * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"
import * as Terminal from "effect/Terminal"
import { sanitize } from "../protocol/RemoteText.ts"

/**
 * Runs an effect that reports its steps. Every second, rewrites one line with the current step and its duration in seconds.
 * Removes the line at the end. Shows nothing if standard error is not a terminal.
 *
 * @category combinators
 * @since 0.1.0
 */
export const during = <A, E, R>(
  run: (onStep: (step: string) => Effect.Effect<void>) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R | Stdio.Stdio | Terminal.Terminal> =>
  Effect.gen(function*() {
    const stdio = yield* Stdio.Stdio
    if (!(yield* stdio.stderrIsTerminal)) return yield* run(() => Effect.void)
    // A longer line would continue on the next row, which the next step does not erase.
    const longest = Math.max(20, (yield* (yield* Terminal.Terminal).columns) - 12)
    const step = yield* Ref.make({ text: "starting", seconds: 0 })
    const write = (text: string) => Effect.ignore(Stream.run(Stream.succeed(text), stdio.stderr({ endOnDone: false })))
    const shown = yield* Ref.make(false)
    const tick = Effect.gen(function*() {
      yield* Effect.sleep(Duration.seconds(1))
      const { seconds, text } = yield* Ref.updateAndGet(step, (_) => ({ ..._, seconds: _.seconds + 1 }))
      yield* Ref.set(shown, true)
      yield* write(`\r\u001b[K… ${sanitize(text, longest)} (${seconds} s)`)
    })
    const ticking = yield* Effect.forkChild(Effect.forever(tick))
    return yield* run((text) => Ref.set(step, { text, seconds: 0 })).pipe(
      Effect.ensuring(Effect.gen(function*() {
        ticking.interruptUnsafe()
        if (yield* Ref.get(shown)) yield* write("\r\u001b[K")
      }))
    )
  })
