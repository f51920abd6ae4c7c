/**
 * Accepts a schema in the option `claims`. Only the adapters of Effect do: the others do not load `effect/Schema`, so they accept only a
 * decoder.
 */
import * as Schema from "effect/Schema"
import type * as ClaimsDecoder from "../../authorization/ClaimsDecoder.ts"

/** A service, with the schema or the decoder of its value, or a Standard Schema alone. */
export type Claims<C, A> = ClaimsDecoder.Claims<C, A> | ClaimsDecoder.WithSchema<C, A>

/** Replaces a schema by its decoder. Returns any other value unchanged, because the check of the options reports it. */
export const toDecoded = (claims: Claims<any, any> | undefined): ClaimsDecoder.Claims<any, any> | undefined =>
  typeof claims === "object" && claims !== null && "schema" in claims && Schema.isSchema(claims.schema)
    ? {
      service: claims.service,
      decode: Schema.decodeUnknownResult(claims.schema as Schema.ConstraintDecoder<unknown>)
    }
    : claims as ClaimsDecoder.Claims<any, any> | undefined

/** Replaces a schema in options by its decoder. */
export const withDecoder = <O extends { readonly claims?: Claims<any, any> | undefined }>(options: O): O =>
  typeof options === "object" && options !== null && "claims" in options
    ? { ...options, claims: toDecoded(options.claims) }
    : options
