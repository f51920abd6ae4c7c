/**
 * What `make` of both SDK adapters takes, and the layer that comes of it.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Schema from "effect/Schema"
import * as AuthOptions from "../../composition/AuthOptions.ts"
import * as GateLayer from "../../composition/GateLayer.ts"
import { AuthConfigError } from "../../protocol/AuthError.ts"
import * as OptionValue from "../../protocol/OptionValue.ts"
import type * as AuthLayer from "../effect/AuthLayer.ts"
import type { Anonymous, FromLayerOptions } from "./SdkTypes.ts"

/**
 * The claims of a caller: a Schema of them, or a service as for `AuthLayer`, which effects of handlers may use then.
 *
 * @category models
 * @since 0.1.0
 */
export type Claims<A, C> = Schema.ConstraintDecoder<A> | {
  readonly service: Context.Key<C, A>
  readonly schema: Schema.ConstraintDecoder<A>
}

/**
 * The options of `AuthLayer.make`, and those of a program that is no Effect.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options<S extends AuthLayer.Scopes, A, C, N extends Anonymous, R, E>
  extends Omit<AuthLayer.Options<S>, "claims" | "anonymous">, GateLayer.FetchOption
{
  /** What `principal.claims` of handlers holds, decoded; a token that does not fit is rejected. Default: all claims. */
  readonly claims?: Claims<A, C> | undefined
  /**
   * What a request without credentials is: nobody's (`"deny"`, the default), or free to use what needs no scope
   * (`"allow-unscoped"`). An invalid token is rejected either way.
   */
  readonly anonymous?: N | undefined
  /**
   * Services for handlers that are effects, built once with the gate. Loggers and `DecisionListener` go here, too: without
   * one, rejections are logged to the console.
   */
  readonly layer?: Layer.Layer<R, E> | undefined
  /** Bodies beyond this many bytes are rejected with 413. Default: 4 MiB. */
  readonly maximumBody?: number | undefined
  /**
   * Bodies that ask for more operations are rejected with 400: each message of a batch and each URI of a
   * `subscriptions/listen` counts. Default: 100.
   */
  readonly maximumOperations?: number | undefined
  /** Bodies that take longer, from the time when the gate begins to read them, are rejected with 408. Default: 30 seconds. */
  readonly bodyTimeout?: Duration.Input | undefined
}

class DecodedClaims extends Context.Service<DecodedClaims, unknown>()("effect-mcp-auth/McpAuthSdk/DecodedClaims") {}

/** The options beside those of `AuthLayer.make`. */
const names: Readonly<
  Record<
    Exclude<keyof Options<AuthLayer.Scopes, any, any, any, any, any>, keyof AuthLayer.Options<AuthLayer.Scopes>>,
    true
  >
> = {
  layer: true,
  fetch: true,
  maximumBody: true,
  maximumOperations: true,
  bodyTimeout: true
}

const problemOf = (layer: unknown): AuthConfigError | undefined =>
  layer === undefined || Layer.isLayer(layer) ? undefined : new AuthConfigError({
    reason: "malformed",
    option: "layer",
    fix: `${OptionValue.isNot(layer, "a layer")}. Give one, or leave it out`
  })

/** The layer of these options, and what `fromLayer` has to know beside it. */
export const toLayer = <const S extends AuthLayer.Scopes, A, C, N extends Anonymous, R, E>(
  given: Options<S, A, C, N, R, E>
): {
  readonly layer: Layer.Layer<
    Layer.Success<ReturnType<typeof GateLayer.layerFetch<S>>> | R | C,
    AuthConfigError | E
  >
  readonly options: FromLayerOptions<A, N>
} => {
  // From JavaScript it may be anything: the gate rejects what is not an object.
  const isObject = typeof given === "object" && given !== null
  const { anonymous, bodyTimeout, claims, layer, maximumBody, maximumOperations, ...options } = isObject
    ? given
    : {} as typeof given
  const problem = problemOf(layer)
  const isClaims = typeof claims === "function" || (typeof claims === "object" && claims !== null)
  const read = !isClaims || "service" in claims
    ? claims as Extract<typeof claims, { readonly service: unknown }> | undefined
    : { service: DecodedClaims as unknown as Context.Key<C, A>, schema: claims }
  const unknown = Object.keys(options).find((name) => name !== "fetch" && !AuthOptions.names.includes(name))
  const gate = unknown === undefined && problem === undefined
    ? GateLayer.layerFetch<S, C, A>(
      (isObject ? { ...options, anonymous, claims: read } : given) as unknown as
        & AuthLayer.Options<S, C, A>
        & GateLayer.FetchOption
    )
    : Layer.effectDiscard(Effect.fail(
      problem ?? new AuthConfigError({
        reason: "malformed",
        option: String(unknown),
        fix: OptionValue.noSuchOption([...AuthOptions.names, ...Object.keys(names)])
      })
    ))
  return {
    // `C` comes with each request, from the claims of its token.
    layer: (layer === undefined || problem !== undefined ? gate : gate.pipe(Layer.provideMerge(layer))) as never,
    options: { anonymous, claims: read?.service, bodyTimeout, maximumBody, maximumOperations }
  }
}
