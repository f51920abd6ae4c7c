/**
 * The option `claims`: a service that the author of the server defines. Its value is decoded from the claims of each token.
 *
 * This module does not import `effect/Schema`, which would double the number of modules that a server without Effect loads when
 * it starts. A program whose decoder uses a schema imports `effect/Schema` itself.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import type * as Schema from "effect/Schema"
import * as ConfigOption from "../protocol/ConfigOption.ts"
import * as OptionValue from "../protocol/OptionValue.ts"
import { sanitize } from "../protocol/RemoteText.ts"
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
  /** The service that handlers require. */
  readonly service: Context.Key<C, A>
  /** Decodes the value of the service from the claims of a token. */
  readonly decode: Decode<A>
}

/**
 * A service, and the Effect schema of its value. Only `AuthLayer` accepts this form. Adapters for platforms without Effect
 * accept `Claims`.
 *
 * @category models
 * @since 0.1.0
 */
export interface WithSchema<C, A> {
  readonly service: Context.Key<C, A>
  readonly schema: Schema.ConstraintDecoder<A>
}

/**
 * A schema that follows Standard Schema (https://standardschema.dev), such as those of zod, valibot and arktype. Its validation
 * can be asynchronous.
 *
 * @category models
 * @since 0.1.0
 */
export interface StandardSchema<A> {
  readonly "~standard": {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => StandardResult<A> | Promise<StandardResult<A>>
    readonly types?: { readonly input: unknown; readonly output: A } | undefined
  }
}

/**
 * The result of a Standard Schema: the output, or the issues of the value.
 *
 * @category models
 * @since 0.1.0
 */
export type StandardResult<A> =
  | { readonly value: A; readonly issues?: undefined }
  | { readonly issues: ReadonlyArray<unknown> }

/**
 * A service, and the Standard Schema of its value.
 *
 * @category models
 * @since 0.1.0
 */
export interface WithStandardSchema<C, A> {
  /** The service that handlers require. */
  readonly service: Context.Key<C, A>
  /** The schema of the value, in place of `decode`. */
  readonly schema: StandardSchema<A>
}

/**
 * The option `claims`: a Standard Schema, or a service with such a schema or with a function that decodes its value.
 *
 * @category models
 * @since 0.1.0
 */
export type Claims<C, A> = Decoded<C, A> | WithStandardSchema<C, A> | StandardSchema<A>

/** The service of claims for which the option `claims` names none. */
export class DecodedClaims
  extends Context.Service<DecodedClaims, unknown>()("effect-mcp-auth/ClaimsDecoder/DecodedClaims")
{}

/**
 * Returns whether a value is a schema of Effect. A schema can be a function, so a check for a function would take it for a
 * decoder.
 */
export const isSchema = (value: unknown): boolean => Predicate.hasProperty(value, "~effect/Schema/Schema")

/** Returns whether a value is a Standard Schema. It can be a function, as those of arktype are. */
export const isStandardSchema = (value: unknown): value is StandardSchema<any> =>
  Predicate.hasProperty(value, "~standard") && Predicate.hasProperty(value["~standard"], "validate") &&
  typeof value["~standard"].validate === "function"

/** Checks the option. Throws `AuthConfigError`. */
export const check: ConfigOption.Rule = (claims, option) => {
  if (isStandardSchema(claims)) return
  if (typeof claims !== "object" || claims === null) {
    throw ConfigOption.invalid(
      option,
      claims,
      "{ service, decode }",
      "Give a Context.Service class and a function such as Schema.decodeUnknownResult(schema), or a Standard Schema such as " +
        "z.object({ … })"
    )
  }
  const { decode, schema, service } = claims as { readonly [name: string]: unknown }
  const hasSchema = isStandardSchema(schema)
  ConfigOption.checkNames(claims, option, hasSchema ? ["service", "schema"] : ["service", "decode", "schema"])
  if (!Context.isKey(service)) {
    throw ConfigOption.invalid(`${option}.service`, service, "a Context.Service class", "Give { service, decode }")
  }
  if (hasSchema || (typeof decode === "function" && !isSchema(decode))) return
  throw ConfigOption.error(
    `${option}.decode`,
    `${
      isSchema(decode) ? "a schema is not a function that decodes" : OptionValue.isNot(decode, "a function")
    }. Give one such as Schema.decodeUnknownResult(schema), a Standard Schema as schema, or { service, schema } to AuthLayer`
  )
}

/** The context with the decoded service, or the error of the decoder. It is an effect if the decoder is asynchronous. */
export type Reading =
  | Result.Result<Context.Context<never>, unknown>
  | Effect.Effect<Context.Context<never>, unknown>

/** Returns a function that decodes the service from the claims of a principal. Call `check` on the option first. */
export const reader = (
  claims: Claims<any, any> | WithSchema<any, any> | undefined
): ((principal: Principal) => Reading) | undefined => {
  if (claims === undefined) return undefined
  const { decode, schema, service = DecodedClaims } = (isStandardSchema(claims) ? { schema: claims } : claims) as
    & Partial<Decoded<any, any>>
    & { readonly schema?: StandardSchema<unknown> }
  const toContext = (own: unknown) => Context.make(service, own) as Context.Context<never>
  return (principal) => {
    if (decode !== undefined) return Result.map(decode(principal.claims), toContext)
    const validated = schema!["~standard"].validate(principal.claims)
    return Predicate.isPromiseLike(validated)
      ? Effect.map(settle(validated), toContext)
      : Result.map(toResult(validated), toContext)
  }
}

/** Returns the output of a Standard Schema, or its issues. Throws if the value is not a result of a schema. */
const toResult = (validated: StandardResult<unknown>): Result.Result<unknown, unknown> => {
  if (validated.issues) return Result.fail({ issues: validated.issues })
  if ("value" in validated) return Result.succeed(validated.value)
  throw new TypeError("the schema of the option claims returned neither value nor issues")
}

/** The maximum time of an asynchronous schema. */
const limit = "5 seconds"

/** Waits for an asynchronous schema. A rejected promise and a promise that does not settle in time are defects. */
const settle = (validated: PromiseLike<StandardResult<unknown>>): Effect.Effect<unknown, unknown> =>
  Effect.promise(() => Promise.resolve(validated)).pipe(
    Effect.timeoutOrElse({
      duration: limit,
      orElse: () => Effect.die(new Error(`the schema of the option claims did not finish within ${limit}`))
    }),
    Effect.flatMap((result) => Effect.fromResult(toResult(result)))
  )

/** Describes why a decoder rejected claims, without values of claims. For the errors of mocks and local callers. */
export const describeFailure = (failure: unknown): string => {
  if (failure instanceof Error) return failure.message
  const { issues } = Object(failure) as { readonly issues?: unknown }
  if (!Array.isArray(issues)) return String(failure)
  const paths = issues.slice(0, 8).map(({ path = [] }) =>
    path.map((step: unknown) => String(Predicate.hasProperty(step, "key") ? step.key : step)).join(".")
  )
  return sanitize(`wrong value at ${paths.map((path) => path || "the claims").join(", ")}`)
}
