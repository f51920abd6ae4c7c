/**
 * Turns the options of `make`, which both SDK adapters share, into a layer.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as ClaimsDecoder from "../../authorization/ClaimsDecoder.ts"
import type * as AuthOptions from "../../composition/AuthOptions.ts"
import * as checkOptions from "../../composition/checkOptions.ts"
import * as GateLayer from "../../composition/GateLayer.ts"
import { AuthConfigError } from "../../protocol/AuthError.ts"
import * as OptionValue from "../../protocol/OptionValue.ts"
import type { Anonymous, FromLayerOptions } from "./SdkTypes.ts"

/**
 * The claims of a caller: a function that decodes them, such as `Schema.decodeUnknownResult(schema)`, or a service, which
 * effects of handlers may use then.
 *
 * @category models
 * @since 0.1.0
 */
export type Claims<A, C> = ClaimsDecoder.Decode<A> | ClaimsDecoder.Decoded<C, A>

/**
 * The options of `make`: those of `AuthLayer.make`, and those for programs that do not use Effect.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options<S extends AuthOptions.Scopes, A, C, N extends Anonymous, R, E>
  extends
    Omit<AuthOptions.Options<S>, "claims" | "anonymous">,
    Pick<FromLayerOptions<A, N>, "bodyTimeout" | "maximumBody" | "maximumOperations">,
    Pick<GateLayer.PromiseHostOptions, "fetch">
{
  /**
   * Decodes the claims of a token to `principal.claims`. Tokens whose claims do not match the Schema are rejected. Default: all
   * claims, undecoded.
   */
  readonly claims?: Claims<A, C> | undefined
  /**
   * Whether requests without credentials are rejected (`"deny"`), or may use operations that require no scopes
   * (`"allow-unscoped"`). Invalid tokens are always rejected. Default: `"deny"`.
   */
  readonly anonymous?: N | undefined
  /**
   * The services for handlers that are effects. The layer is built once, with the gate. It may contain loggers and a
   * `DecisionListener`. Default: no services; rejections are logged to the console.
   */
  readonly layer?: Layer.Layer<R, E> | undefined
}

class DecodedClaims extends Context.Service<DecodedClaims, unknown>()("effect-mcp-auth/McpAuthSdk/DecodedClaims") {}

/** The options that `AuthLayer.make` does not have. */
const names: Readonly<
  Record<
    Exclude<keyof Options<AuthOptions.Scopes, any, any, any, any, any>, keyof AuthOptions.Options<AuthOptions.Scopes>>,
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

/** Returns the layer of these options, and the options of `fromLayer`. */
export const toLayer = <const S extends AuthOptions.Scopes, A, C, N extends Anonymous, R, E>(
  given: Options<S, A, C, N, R, E>
): {
  readonly layer: Layer.Layer<
    Layer.Success<ReturnType<typeof GateLayer.layerFetch<S>>> | R | C,
    AuthConfigError | E
  >
  readonly options: FromLayerOptions<A, N>
} => {
  // In JavaScript, `given` can be any value. The layer of the gate rejects values that are not objects.
  const isObject = typeof given === "object" && given !== null
  const { anonymous, bodyTimeout, claims, layer, maximumBody, maximumOperations, ...options } = isObject
    ? given
    : {} as typeof given
  const problem = problemOf(layer)
  const isClaims = typeof claims === "function" || (typeof claims === "object" && claims !== null)
  const read = !isClaims || "service" in claims
    ? claims as Extract<typeof claims, { readonly service: unknown }> | undefined
    : { service: DecodedClaims as unknown as Context.Key<C, A>, decode: claims }
  const unknown = Object.keys(options).find((name) => name !== "fetch" && !Object.hasOwn(checkOptions.table, name))
  const gate = unknown === undefined && problem === undefined
    ? GateLayer.layerFetch<S, C, A>(
      (isObject ? { ...options, anonymous, claims: read } : given) as unknown as
        & AuthOptions.Options<S, C, A>
        & GateLayer.PromiseHostOptions
    )
    : Layer.effectDiscard(Effect.fail(
      problem ?? new AuthConfigError({
        reason: "malformed",
        option: String(unknown),
        fix: OptionValue.noSuchOption([...Object.keys(checkOptions.table), ...Object.keys(names)])
      })
    ))
  return {
    // Each request provides `C`, from the claims of its token.
    layer: (layer === undefined || problem !== undefined ? gate : gate.pipe(Layer.provideMerge(layer))) as never,
    options: { anonymous, claims: read?.service, bodyTimeout, maximumBody, maximumOperations }
  }
}
