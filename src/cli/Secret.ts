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
 * if standard input is a terminal.
 *
 * **Details**
 *
 * Removes what a file or a copied header adds to a token: white space, line ends of Windows, a byte order mark, the prefixes
 * `Authorization:` and `Bearer`, and quotation marks. Standard input can be UTF-8 or UTF-16. Fails with `InvalidInput` if the
 * rest is not one token. The error contains no part of the token.
 *
 * @category getters
 * @since 0.1.0
 */
export const read = (given: Option.Option<Redacted.Redacted>) =>
  Option.isSome(given) && Redacted.value(given.value) !== "-"
    ? toToken(Redacted.value(given.value), "the token")
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
    return yield* Effect.flatMap(
      Prompt.run(Prompt.Hidden({ message: "Access token (hidden)" })),
      (token) => toToken(Redacted.value(token), "the token")
    )
  }
  const bytes = yield* stdio.stdin.pipe(
    Stream.mapError(() => "unreadable" as const),
    Stream.limitBytes(64 * 1024, (): Stream.Stream<Uint8Array, "unreadable"> => Stream.fail("unreadable" as const)),
    Stream.mkUint8Array,
    Effect.mapError(() => new InvalidInput({ detail: "standard input cannot be read, or is larger than 64 KiB" }))
  )
  return yield* toToken(decode(bytes), "standard input")
})

/** Decodes text. PowerShell writes files as UTF-16 with a byte order mark. */
const decode = (bytes: Uint8Array): string => {
  const mark = bytes.length < 2 ? 0 : bytes[0]! * 256 + bytes[1]!
  return new TextDecoder(mark === 0xfffe ? "utf-16le" : mark === 0xfeff ? "utf-16be" : "utf-8").decode(bytes)
}

const toToken = (text: string, source: string): Effect.Effect<Redacted.Redacted, InvalidInput> => {
  const token = text.trim().replace(/^authorization: */i, "").replace(/^bearer +/i, "").replace(/^(["'])(.*)\1$/, "$2")
  const detail = token === ""
    ? `${source} contains no token`
    : token.startsWith("{")
    ? `${source} is JSON, not a token. Pass the value of its access_token`
    : /\s/.test(token)
    ? `${source} contains white space between other characters. Pass one token, on one line`
    : /[^\x21-\x7e]/.test(token)
    ? `${source} contains characters that are not ASCII, which no token contains. Pass one token`
    : undefined
  return detail === undefined ? Effect.succeed(Redacted.make(token)) : Effect.fail(new InvalidInput({ detail }))
}
