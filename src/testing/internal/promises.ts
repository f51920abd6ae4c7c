import * as Effect from "effect/Effect"

/**
 * The members of `T`, for code without Effect. An effect becomes a function that returns a promise. A function that returns an
 * effect also becomes a function that returns a promise.
 */
export type Promised<T> = {
  readonly [K in keyof T]: T[K] extends Effect.Effect<infer A, any> ? () => Promise<A>
    : T[K] extends (...args: infer Args) => Effect.Effect<infer A, any> ? (...args: Args) => Promise<A>
    : T[K]
}

/**
 * Converts the effects of a record to functions that return promises. They use the system clock, so mocks of `Date` affect
 * them.
 */
export const toPromises = <T extends object>(self: T): Promised<T> =>
  Object.fromEntries(
    Object.entries(self).map(([name, member]) => [
      name,
      Effect.isEffect(member)
        ? () => Effect.runPromise(member as Effect.Effect<unknown>)
        : typeof member === "function"
        ? (...args: ReadonlyArray<unknown>) => {
          const result: unknown = member(...args)
          return Effect.isEffect(result) ? Effect.runPromise(result as Effect.Effect<unknown>) : result
        }
        : member
    ])
  ) as Promised<T>
