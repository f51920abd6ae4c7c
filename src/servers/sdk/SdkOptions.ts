/**
 * Turns the options of `make`, which both SDK adapters share, into a layer.
 *
 * @since 0.1.0
 */
import type * as Context from "effect/Context"
import type * as Layer from "effect/Layer"
import * as ClaimsDecoder from "../../authorization/ClaimsDecoder.ts"
import type { AuthLayer } from "../../authorization/Gate.ts"
import type * as AuthOptions from "../../composition/AuthOptions.ts"
import * as checkOptions from "../../composition/checkOptions.ts"
import * as GateLayer from "../../composition/GateLayer.ts"
import * as mockGate from "../../composition/mockGate.ts"
import type { Fetcher } from "../../outbound/Fetcher.ts"
import type { AuthConfigError } from "../../protocol/AuthError.ts"
import * as ConfigOption from "../../protocol/ConfigOption.ts"
import type { Anonymous, BodyLimits } from "./SdkTypes.ts"

/**
 * Decodes the claims of a caller: a Standard Schema, such as `z.object({ … })`, a function, such as
 * `Schema.decodeUnknownResult(schema)`, or a service with one of them. The effects of handlers can use that service.
 *
 * @category models
 * @since 0.1.0
 */
export type Claims<A, C> = ClaimsDecoder.Decode<A> | ClaimsDecoder.Claims<C, A>

/**
 * The options of `make`: those of `AuthLayer.make`, and those for programs that do not use Effect.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options<
  S extends AuthOptions.Scopes,
  A,
  C,
  N extends Anonymous,
  R,
  E,
  RD = never,
  RT = never,
  RR = never,
  RK = never,
  I extends AuthOptions.Servers = AuthOptions.Inputs,
  RS = never,
  RQ = never
> extends
  Omit<AuthOptions.Options<S, never, unknown, RD, RT, RR, RK, I, RS, RQ>, "claims" | "anonymous">,
  BodyLimits,
  ListOptions,
  Pick<GateLayer.HostOptions, "fetch" | "httpClient" | "onDecision">
{
  /**
   * Decodes the claims of a token to `principal.claims`. Tokens whose claims cannot be decoded are rejected. Default: all
   * claims, undecoded.
   */
  readonly claims?: Claims<A, C> | undefined
  /**
   * Whether requests without credentials are rejected (`"deny"`), or may use operations that require no scopes
   * (`"allow-unscoped"`). Invalid tokens are always rejected. Default: `"deny"`.
   */
  readonly anonymous?: N | undefined
  /**
   * Provides the services that other options require, such as the store of `Dpop.required`, and those that the effects of
   * handlers use. The layer is built once, with the gate. It may contain loggers, a `DecisionListener` and a `Fetcher`.
   * Default: no services; rejections are logged to the console.
   */
  readonly layer?: Layer.Layer<R, E> | undefined
}

/**
 * The option for the lists of tools.
 *
 * @category models
 * @since 0.1.0
 */
export interface ListOptions {
  /**
   * Whether `tools/list` contains the security schemes of each tool, from its policy (`"list"`), or not (`"omit"`). ChatGPT reads
   * them, and shows before a call which tools need a sign-in. Default: `"list"`.
   */
  readonly securitySchemes?: "list" | "omit" | undefined
}

/**
 * The options of `mock`.
 *
 * @category models
 * @since 0.1.0
 */
export interface MockOptions<S extends AuthOptions.Scopes, A, C, R, E>
  extends mockGate.MockOptions<S, Claims<A, C>>, BodyLimits, ListOptions, Pick<GateLayer.HostOptions<R, E>, "layer">
{}

/** The options that `AuthLayer.make` does not have. */
const names: Readonly<
  Record<
    Exclude<keyof Options<AuthOptions.Scopes, any, any, any, any, any>, keyof AuthOptions.Options<AuthOptions.Scopes>>,
    true
  >
> = {
  layer: true,
  fetch: true,
  httpClient: true,
  onDecision: true,
  maximumBody: true,
  maximumOperations: true,
  bodyTimeout: true,
  securitySchemes: true
}

/** Separates the options of this adapter from those of the gate. Throws `AuthConfigError` if one is wrong. */
const separate = <O extends BodyLimits & ListOptions>(
  { bodyTimeout, maximumBody, maximumOperations, securitySchemes = "list", ...others }: O
) => {
  checkListing(securitySchemes, "securitySchemes")
  return {
    limits: { bodyTimeout, maximumBody, maximumOperations },
    listsSchemes: securitySchemes === "list",
    others
  }
}

const checkListing = ConfigOption.oneOf("list", "omit")

/** Adds a service to a function that decodes. Returns other values as they are. */
const withService = <A, C>(claims: Claims<A, C> | undefined): ClaimsDecoder.Claims<C, A> | undefined =>
  typeof claims === "function" && !ClaimsDecoder.isStandardSchema(claims)
    ? {
      service: ClaimsDecoder.DecodedClaims as unknown as Context.Key<C, A>,
      decode: claims as ClaimsDecoder.Decode<A>
    }
    : claims as ClaimsDecoder.Claims<C, A> | undefined

/**
 * Returns the limits on bodies, and the layer that provides the gate and the services of the option `layer`. Throws
 * `AuthConfigError` for an unknown option.
 */
export const toLayer = <const S extends AuthOptions.Scopes, A, C, N extends Anonymous, R, E>(
  given: Options<S, A, C, N, R, E, any, any, any, any, any, any, any>
): SdkLayer<AuthConfigError | E> => {
  checkOptions.checkNames(given, ...Object.keys(names))
  const { limits, listsSchemes, others } = separate(given)
  const claims = withService(others.claims)
  return {
    limits,
    listsSchemes,
    layer: GateLayer.layerHost({ ...others, claims } as never) as never,
    decodeClaims: ClaimsDecoder.reader(claims)
  }
}

/** Returns the same as `toLayer`, with a gate for tests. Throws `AuthConfigError` if an option is wrong. */
export const toMockLayer = <const S extends AuthOptions.Scopes, A, C, R, E>(
  given: MockOptions<S, A, C, R, E>
): SdkLayer<E> => {
  mockGate.checkNames(
    given,
    "McpAuthSdk.mock",
    "layer",
    "maximumBody",
    "maximumOperations",
    "bodyTimeout",
    "securitySchemes"
  )
  const { limits, listsSchemes, others } = separate(given)
  const options = { ...others, claimsService: withService(others.claimsService) }
  return {
    limits,
    listsSchemes,
    layer: mockGate.layer(options as never, "McpAuthSdk.mock"),
    decodeClaims: ClaimsDecoder.reader(options.claimsService)
  }
}

/** The layer of a gate, the limits on the bodies of its requests, and the option `claims`. */
export interface SdkLayer<E> {
  readonly layer: Layer.Layer<AuthLayer, E, Fetcher>
  readonly limits: BodyLimits
  /** Whether lists of tools contain security schemes. */
  readonly listsSchemes: boolean
  readonly decodeClaims: ReturnType<typeof ClaimsDecoder.reader>
}
