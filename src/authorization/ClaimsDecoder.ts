/**
 * The option `claims`: a service that the author of the server defines. Its value is decoded from the claims of each token.
 *
 * This module does not import `effect/Schema`, which would double the number of modules that a server without Effect loads when
 * it starts. A program whose decoder uses a schema imports `effect/Schema` itself.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import type * as Schema from "effect/Schema"
import * as ConfigOption from "../protocol/ConfigOption.ts"
import * as OptionValue from "../protocol/OptionValue.ts"
import type { Principal } from "../verification/Principal.ts"

/**
 * A function that decodes the claims of a token, such as `Schema.decodeUnknownResult(schema)`.
 *
 * @category models
 * @since 0.1.0
 */
export type Decode<A> = (claims: unknown) => Result.Result<A, unknown>

/**
 * A service, and the function that decodes its value.
 *
 * @category models
 * @since 0.1.0
 */
export interface Decoded<C, A> {
  readonly service: Context.Key<C, A>
  readonly decode: Decode<A>
}

/**
 * A service, and the schema of its value. Only `AuthLayer` accepts this form. Adapters for platforms without Effect accept
 * `Decoded`.
 *
 * @category models
 * @since 0.1.0
 */
export interface WithSchema<C, A> {
  readonly service: Context.Key<C, A>
  readonly schema: Schema.ConstraintDecoder<A>
}

/**
 * Returns whether a value is a schema of Effect. A schema can be a function, so a check for a function would take it for a
 * decoder.
 */
export const isSchema = (value: unknown): boolean => Predicate.hasProperty(value, "~effect/Schema/Schema")

/** Checks the option. Throws `AuthConfigError`. */
export const check: ConfigOption.Rule = (claims, option) => {
  if (typeof claims !== "object" || claims === null) {
    throw ConfigOption.invalid(
      option,
      claims,
      "{ service, decode }",
      "Give a Context.Service class and a function such as Schema.decodeUnknownResult(schema)"
    )
  }
  const { decode, service } = claims as { readonly service?: unknown; readonly decode?: unknown }
  if (!Context.isKey(service)) {
    throw ConfigOption.invalid(`${option}.service`, service, "a Context.Service class", "Give { service, decode }")
  }
  if (typeof decode === "function" && !isSchema(decode)) return
  throw ConfigOption.error(
    `${option}.decode`,
    `${
      isSchema(decode) ? "a schema is not a function that decodes" : OptionValue.isNot(decode, "a function")
    }. Give one such as Schema.decodeUnknownResult(schema), or { service, schema } to AuthLayer`
  )
}

/** Returns a function that decodes the service from the claims of a principal. Call `check` on the option first. */
export const reader = (
  claims: Decoded<any, any> | WithSchema<any, any> | undefined
): ((principal: Principal) => Result.Result<Context.Context<never>, unknown>) | undefined => {
  if (claims === undefined) return undefined
  const { decode, service } = claims as Decoded<any, any>
  return (principal) => Result.map(decode(principal.claims), (own) => Context.make(service, own) as never)
}
