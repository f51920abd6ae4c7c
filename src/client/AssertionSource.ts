import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { AssertionUnavailable } from "./ClientError.ts"
import { isToken } from "./TokenResponse.ts"

/* Obtains assertions from functions of the author: the ID token of a person, or the JWT of a workload. */

/** A function that supplies assertions. */
export type AssertionSource<Target> = (
  target: Target
) => Effect.Effect<Redacted.Redacted, unknown> | Promise<Redacted.Redacted>

/** Calls the function for each request, because an assertion can expire. `option` is its path in errors. */
export const read = <Target>(
  source: AssertionSource<Target>,
  target: Target,
  option: string
): Effect.Effect<string, AssertionUnavailable> => {
  // The key `cause` must be present, also for a function that fails with `undefined`.
  const failed = (cause: unknown) => new AssertionUnavailable({ option, cause: cause ?? new Error(`${option} failed`) })
  return Effect.try({ try: () => source(target), catch: failed }).pipe(
    Effect.flatMap((supplied) =>
      Effect.isEffect(supplied)
        ? Effect.mapError(supplied, failed)
        : Effect.tryPromise({ try: () => Promise.resolve(supplied), catch: failed })
    ),
    Effect.flatMap((supplied) => {
      const assertion: unknown = Redacted.isRedacted(supplied) ? Redacted.value(supplied) : undefined
      return isToken(assertion) ? Effect.succeed(assertion) : Effect.fail(new AssertionUnavailable({ option }))
    })
  )
}
