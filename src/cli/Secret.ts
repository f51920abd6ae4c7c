/**
 * Tokens from where they do not stay: standard input, or a question that is answered unseen.
 *
 * @since 0.1.0
 */
import * as Prompt from "effect/cli/Prompt"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"
import { NotUsable } from "../provider/check/Check.ts"

/**
 * Reads a token: `-` and nothing stand for standard input, which at a terminal is a question.
 *
 * @category getters
 * @since 0.1.0
 */
export const read = (given: Option.Option<Redacted.Redacted>) =>
  Option.isSome(given) && Redacted.value(given.value) !== "-" ? Effect.succeed(clean(Redacted.value(given.value))) : ask

const ask = Effect.gen(function*() {
  const stdio = yield* Stdio.Stdio
  if (yield* stdio.stdinIsTerminal) {
    return yield* Effect.map(
      Prompt.run(Prompt.Hidden({ message: "Access token (it is not shown)" })),
      (token) => clean(Redacted.value(token))
    )
  }
  const text = yield* stdio.stdin.pipe(
    Stream.mapError(() => "unreadable" as const),
    Stream.limitBytes(64 * 1024, (): Stream.Stream<Uint8Array, "unreadable"> => Stream.fail("unreadable" as const)),
    Stream.decodeText,
    Stream.mkString,
    Effect.mapError(() => new NotUsable({ detail: "standard input holds no token" }))
  )
  if (text.trim() === "") return yield* new NotUsable({ detail: "there is no token on standard input" })
  return clean(text)
})

const clean = (text: string): Redacted.Redacted => Redacted.make(text.trim().replace(/^Bearer +/i, ""))
