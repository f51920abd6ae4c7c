/**
 * Provides a gate from options, for `AuthLayer.make` and for `make` of the adapters.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Gate from "../authorization/Gate.ts"
import { AuthLayer } from "../authorization/Gate.ts"
import type { RequiredScopesOf } from "../authorization/Policy.ts"
import type * as ProtectedResource from "../authorization/ProtectedResource.ts"
import * as Discovery from "../outbound/Discovery.ts"
import * as Fetcher from "../outbound/Fetcher.ts"
import type { AuthConfigError } from "../protocol/AuthError.ts"
import * as ConfigOption from "../protocol/ConfigOption.ts"
import * as JwkSet from "../verification/keys/JwkSet.ts"
import type { Options, Scopes, Servers, ServicesOf } from "./AuthOptions.ts"
import { makeGate } from "./makeGate.ts"

/**
 * The services of the layer: the gate, and one requirement of the types for each scope that it offers.
 *
 * @category utility types
 * @since 0.1.0
 */
export type Services<S extends string> = AuthLayer | RequiredScopesOf<S>

/** Provides a gate under the services that protected servers require. */
export const fromGate = <S extends string>(gate: Gate.Gate): Layer.Layer<Services<S>> =>
  Layer.succeed(AuthLayer, gate) as Layer.Layer<Services<S>>

/**
 * Checks the options and provides the gate, with its own discovery and keys. A wrong option fails the layer with
 * `AuthConfigError`.
 *
 * **When to use**
 *
 * Use it to write a host. `AuthLayer.make` and the adapters use it as well.
 *
 * **Example** (The gate of a test or of another host)
 *
 * ```ts
 * import { Effect, Layer } from "effect"
 * import { Gate } from "effect-mcp-auth/host"
 * import { Fetcher } from "effect-mcp-auth/verification"
 * import assert from "node:assert/strict"
 *
 * const GateLive = Gate.layer({
 *   resource: "https://todos.example.com/mcp",
 *   authorizationServers: ["https://auth.example.com"],
 *   scopes: ["todos:read"]
 * }).pipe(Layer.provide(Fetcher.layer))
 *
 * const resource = await Effect.runPromise(
 *   Effect.map(Gate.AuthLayer, (gate) => gate.resource.resource).pipe(Effect.provide(GateLive))
 * )
 * assert.strictEqual(resource, "https://todos.example.com/mcp")
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = <
  const S extends Scopes,
  C = never,
  A = unknown,
  RD = never,
  RT = never,
  RR = never,
  const I extends Servers = Servers
>(
  options: Options<S, C, A, RD, RT, RR, I>
): Layer.Layer<
  Services<ProtectedResource.OfferedOf<S>>,
  AuthConfigError,
  Fetcher.Fetcher | ServicesOf<I> | RD | RT | RR
> =>
  Layer.unwrap(
    Effect.map(
      makeGate(options as unknown as Options<S, C, A, RD, RT, RR>),
      (gate) => fromGate<ProtectedResource.OfferedOf<S>>(gate)
    )
  ).pipe(
    Layer.provide(Layer.fresh(JwkSet.layer)),
    Layer.provide(Layer.fresh(Discovery.layer))
  ) as Layer.Layer<
    Services<ProtectedResource.OfferedOf<S>>,
    AuthConfigError,
    // A mechanism never needs what the layer provides.
    Fetcher.Fetcher | ServicesOf<I> | RD | RT | RR
  >

/**
 * The options of hosts outside Effect, in addition to those of the gate.
 *
 * @category models
 * @since 0.1.0
 */
export interface HostOptions<R = never, E = never> {
  /**
   * Sends the requests to authorization servers, for example through a proxy. It must not follow redirects: it is called with
   * `redirect: "manual"`. Default: the `Fetcher` of `layer`, or else the `fetch` of the platform.
   */
  readonly fetch?: typeof globalThis.fetch | undefined
  /**
   * The services that mechanisms require, such as the store of `Dpop.required`. It may contain loggers, a `DecisionListener`
   * and a `Fetcher`. It is built once, with the gate. Default: no services; rejections are logged to the console.
   */
  readonly layer?: Layer.Layer<R, E> | undefined
}

/**
 * Requires the option `layer` if a mechanism needs a service that it does not provide.
 *
 * @category utility types
 * @since 0.1.0
 */
export type CoveredBy<R, Needed> = [Exclude<Needed, R>] extends [never] ? unknown
  : { readonly layer: Layer.Layer<Exclude<Needed, R>> }

/** Provides the gate and the services of the option `layer`. It requires a `Fetcher` unless `fetch` is set. */
export const layerHost = <const S extends Scopes, C, A, RD, RT, RR, const I extends Servers, R = never, E = never>(
  options: Options<S, C, A, RD, RT, RR, I> & HostOptions<R, E>
): Layer.Layer<Services<ProtectedResource.OfferedOf<S>> | R, AuthConfigError | E, Fetcher.Fetcher> => {
  // In JavaScript the options can be any value. The check of the options reports that.
  if (typeof options !== "object" || options === null) return layer(options) as never
  const { fetch, layer: services, ...others } = options
  const problem = fetch !== undefined && typeof fetch !== "function"
    ? ConfigOption.invalid("fetch", fetch, "a function", "Give a function like fetch, or leave it out")
    : services !== undefined && !Layer.isLayer(services)
    ? ConfigOption.invalid("layer", services, "a layer", "Give one, or leave it out")
    : undefined
  if (problem !== undefined) return Layer.effectDiscard(Effect.fail(problem)) as never
  const gate = layer(others as unknown as Options<S, C, A, RD, RT, RR, I>)
  const sending = fetch === undefined ? gate : gate.pipe(Layer.provide(Fetcher.layerFetch(fetch)))
  return (services === undefined ? sending : sending.pipe(Layer.provideMerge(services))) as never
}
