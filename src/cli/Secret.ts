/**
 * Reads tokens from an argument, from standard input or from a hidden prompt. Unlike an argument, the other two do not appear
 * in process lists and in the history of the shell.
 *
 * @since 0.1.0
 */
import * as Prompt from "effect/cli/Prompt"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"
import { InvalidInput } from "../provider/check/Check.ts"

/**
 * Returns the given token. If the argument is missing or is `-`, reads the token from standard input, or from a hidden prompt
 * if standard input is a terminal. A prefix `Bearer ` is removed from the token.
 *
 * @category getters
 * @since 0.1.0
 */
export const read = (given: Option.Option<Redacted.Redacted>) =>
  Option.isSome(given) && Redacted.value(given.value) !== "-"
    ? Effect.succeed(toToken(Redacted.value(given.value)))
    : readInput

/**
 * Reads two optional tokens. Fails with `InvalidInput` if both are `-`, because standard input contains one token.
 *
 * @category getters
 * @since 0.1.0
 */
export const readBoth = Effect.fnUntraced(function*(
  token: Option.Option<Redacted.Redacted>,
  foreignToken: Option.Option<Redacted.Redacted>
) {
  const isInput = (given: Option.Option<Redacted.Redacted>) =>
    Option.isSome(given) && Redacted.value(given.value) === "-"
  if (isInput(token) && isInput(foreignToken)) {
    return yield* new InvalidInput({
      detail:
        "--token and --foreign-token are both -, but standard input contains one token. Write one of them as an argument"
    })
  }
  const readOne = (given: Option.Option<Redacted.Redacted>) =>
    Option.isNone(given) ? Effect.succeed(undefined) : read(given)
  return [yield* readOne(token), yield* readOne(foreignToken)] as const
})

const readInput = Effect.gen(function*() {
  const stdio = yield* Stdio.Stdio
  if (yield* stdio.stdinIsTerminal) {
    return yield* Effect.map(
      Prompt.run(Prompt.Hidden({ message: "Access token (hidden)" })),
      (token) => toToken(Redacted.value(token))
    )
  }
  const text = yield* stdio.stdin.pipe(
    Stream.mapError(() => "unreadable" as const),
    Stream.limitBytes(64 * 1024, (): Stream.Stream<Uint8Array, "unreadable"> => Stream.fail("unreadable" as const)),
    Stream.decodeText,
    Stream.mkString,
    Effect.mapError(() => new InvalidInput({ detail: "standard input cannot be read, or is larger than 64 KiB" }))
  )
  if (text.trim() === "") return yield* new InvalidInput({ detail: "standard input contains no token" })
  return toToken(text)
})

const toToken = (text: string): Redacted.Redacted => Redacted.make(text.trim().replace(/^Bearer +/i, ""))
