import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import { createInterface } from "node:readline"
import { Unavailable } from "../ClientError.ts"

/* Reads the URL of a callback that a person pastes into the terminal. */

/** A request to the redirect URI, and the place for its result. */
export interface Callback {
  readonly url: string
  readonly answer: Deferred.Deferred<boolean>
}

/**
 * Prints the URL of a sign-in, and passes the lines of standard input on until it is interrupted. Fails if standard input ends. Output goes
 * to standard error, because standard output can be the input of another program.
 */
export const read = (url: string, callbacks: Queue.Queue<Callback>): Effect.Effect<never, Unavailable> =>
  Effect.gen(function*() {
    /** The lines, and `undefined` for the end, so that the lines before the end are read first. */
    const lines = yield* Queue.unbounded<string | undefined>()
    yield* Effect.acquireRelease(
      Effect.sync(() => {
        const input = createInterface({ input: process.stdin })
        input.on("line", (line) => void Queue.offerUnsafe(lines, line.trim()))
        input.on("close", () => void Queue.offerUnsafe(lines, undefined))
        return input
      }),
      (input) => Effect.sync(() => input.close())
    )
    process.stderr.write(
      `Open this URL in a browser and sign in:\n\n${url}\n\nThe browser then shows a page that it cannot load. Paste the URL of that page:\n`
    )
    for (;;) {
      const line = yield* Queue.take(lines)
      if (line === undefined) return yield* ended
      if (line === "") continue
      const answer = yield* Deferred.make<boolean>()
      yield* Queue.offer(callbacks, { url: line, answer })
      if (!(yield* Deferred.await(answer))) {
        process.stderr.write("This is not the URL of the page after the sign-in. Paste the URL from the address bar:\n")
      }
    }
  }).pipe(Effect.scoped)

const ended = new Unavailable({ detail: "Standard input has ended, so no URL can be pasted", retryAfter: 1 })
