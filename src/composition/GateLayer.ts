/**
 * Makes the layer of a gate from options: the layer behind `AuthLayer.make` and behind `make` of the adapters.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as ClaimsDecoder from "../authorization/ClaimsDecoder.ts"
import type * as Gate from "../authorization/Gate.ts"
import { AuthLayer } from "../authorization/Gate.ts"
import type { RequiredScopesOf } from "../authorization/Policy.ts"
import type * as ProtectedResource from "../authorization/ProtectedResource.ts"
import * as Discovery from "../outbound/Discovery.ts"
import * as Fetcher from "../outbound/Fetcher.ts"
import { AuthConfigError } from "../protocol/AuthError.ts"
import * as OptionValue from "../protocol/OptionValue.ts"
import * as JwkSet from "../verification/keys/JwkSet.ts"
import type { Options, Scopes } from "./AuthOptions.ts"
import { makeGate } from "./makeGate.ts"

/** The gate, and one requirement of the types for each scope that it offers (see `requiredScope`). */
export type Services<S extends string> = AuthLayer | RequiredScopesOf<S>

/** Provides a gate under the services that protected servers require. */
export const fromGate = <S extends string>(gate: Gate.Gate): Layer.Layer<Services<S>> =>
  Layer.succeed(AuthLayer, gate) as Layer.Layer<Services<S>>

/** Checks the options and builds the gate with its own discovery and keys. */
export const layer = <const S extends Scopes, C = never, A = unknown, RD = never, RT = never, RR = never>(
  options: Options<S, C, A, RD, RT, RR>
): Layer.Layer<Services<ProtectedResource.OfferedOf<S>>, AuthConfigError, Fetcher.Fetcher | RD | RT | RR> =>
  Layer.unwrap(Effect.map(makeGate(options), (gate) => fromGate<ProtectedResource.OfferedOf<S>>(gate))).pipe(
    Layer.provide(Layer.fresh(JwkSet.layer)),
    Layer.provide(Layer.fresh(Discovery.layer))
  ) as Layer.Layer<
    Services<ProtectedResource.OfferedOf<S>>,
    AuthConfigError,
    // A mechanism never needs what the layer provides.
    Fetcher.Fetcher | RD | RT | RR
  >

/**
 * The options of hosts outside Effect beside those of the gate.
 *
 * @category models
 * @since 0.1.0
 */
export interface PromiseHostOptions {
  /**
   * Sends the requests to authorization servers, for example through a proxy. It must not follow redirects: it is called with
   * `redirect: "manual"`. Default: the `fetch` of the platform.
   */
  readonly fetch?: typeof globalThis.fetch | undefined
  /** Here a schema is written as its decoder: `{ service, decode: Schema.decodeUnknownResult(schema) }`. */
  readonly claims?: { readonly decode: ClaimsDecoder.Decode<unknown> } | undefined
}

/** `layer` for hosts outside Effect, which send with `fetch`. */
export const layerFetch = <const S extends Scopes, C = never, A = unknown>(
  options: Options<S, C, A> & PromiseHostOptions
): Layer.Layer<Services<ProtectedResource.OfferedOf<S>>, AuthConfigError> => {
  // From JavaScript the options may be missing: the check of them reports that.
  if (typeof options !== "object" || options === null) return layer<S, C, A>(options).pipe(Layer.provide(Fetcher.layer))
  const { fetch, ...gate } = options
  const own = gate as unknown as Options<S, C, A>
  if (fetch === undefined) return layer<S, C, A>(own).pipe(Layer.provide(Fetcher.layer))
  return typeof fetch === "function"
    ? layer<S, C, A>(own).pipe(Layer.provide(Fetcher.layerFetch(fetch)))
    : Layer.effectDiscard(
      Effect.fail(
        new AuthConfigError({
          reason: "malformed",
          option: "fetch",
          fix: `${OptionValue.isNot(fetch, "a function")}. Give a function like fetch, or leave it out`
        })
      )
    ) as never
}
