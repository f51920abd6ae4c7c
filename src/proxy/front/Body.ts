import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { ProxyRequest } from "./ProxyRequest.ts"

/* Reads the bodies of requests, within limits of size and time. A client can send a body byte by byte, or stop in the middle. */

/** The largest body, in bytes. */
export const maximumBody = 16 * 1024

/** The time in which a body must arrive. */
const timeLimit = Duration.seconds(10)

/** Reads a body as text. Returns why there is none: the body is too long, it is not UTF-8, or it did not arrive in time. */
export const read = (
  request: ProxyRequest
): Effect.Effect<{ readonly text: string } | { readonly problem: "unreadable" | "too-slow" }> =>
  Effect.promise((signal) => request.body(maximumBody, signal)).pipe(
    // A parser of the application can return a value that cannot be written as text, such as a deeply nested list.
    Effect.catchDefect(() => Effect.undefined),
    Effect.map((text) => text === undefined ? { problem: "unreadable" as const } : { text }),
    Effect.timeoutOrElse({ duration: timeLimit, orElse: () => Effect.succeed({ problem: "too-slow" as const }) })
  )
