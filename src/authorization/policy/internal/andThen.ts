import * as Effect from "effect/Effect"

/** Applies a function to a value, or to the result of an Effect. If both are plain values, no Effect is created. */
export const andThen = <A, B>(
  value: A | Effect.Effect<A>,
  next: (value: A) => B | Effect.Effect<B>
): B | Effect.Effect<B> =>
  Effect.isEffect(value) ? Effect.flatMap(value as Effect.Effect<A>, (value) => toEffect(next(value))) : next(value)

/** Turns a plain value into an Effect. */
export const toEffect = <A>(value: A | Effect.Effect<A>): Effect.Effect<A> =>
  Effect.isEffect(value) ? value as Effect.Effect<A> : Effect.succeed(value)
