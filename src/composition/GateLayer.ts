/**
 * Provides a gate from options, for `AuthLayer.make` and for `make` of the adapters.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import { type Decision, DecisionListener } from "../authorization/Decision.ts"
import type * as Gate from "../authorization/Gate.ts"
import { AuthLayer } from "../authorization/Gate.ts"
import type { RequiredScopesOf } from "../authorization/Policy.ts"
import type * as ProtectedResource from "../authorization/ProtectedResource.ts"
import * as Discovery from "../outbound/Discovery.ts"
import * as Fetcher from "../outbound/Fetcher.ts"
import type { AuthConfigError } from "../protocol/AuthError.ts"
import * as ConfigOption from "../protocol/ConfigOption.ts"
import * as JwkSet from "../verification/keys/JwkSet.ts"
import type { Inputs, Options, Scopes, Servers, ServicesOf } from "./AuthOptions.ts"
import { checkNames } from "./checkOptions.ts"
import { makeGate } from "./makeGate.ts"

/**
 * The services that the layer provides: the gate, and one `RequiredScope` for each scope that the gate offers. The latter exist
 * only in the types.
 *
 * @category utility types
 * @since 0.1.0
 */
export type Services<S extends string> = AuthLayer | RequiredScopesOf<S>

/** Provides a gate as the services that protected servers require. */
export const fromGate = <S extends string>(gate: Gate.Gate): Layer.Layer<Services<S>> =>
  Layer.succeed(AuthLayer, gate) as Layer.Layer<Services<S>>

/**
 * Checks the options and provides the gate. Metadata and keys are cached separately for each gate. A wrong option fails the
 * layer with `AuthConfigError`.
 *
 * **When to use**
 *
 * Use it to write a server adapter. `AuthLayer.make` and the adapters of this library use it as well.
 *
 * **Example** (The gate of a custom adapter)
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
  RK = never,
  const I extends Servers = Servers,
  RS = never,
  RQ = never
>(
  options: Options<S, C, A, RD, RT, RR, RK, I, RS, RQ>
): Layer.Layer<
  Services<ProtectedResource.OfferedOf<S>>,
  AuthConfigError,
  Fetcher.Fetcher | ServicesOf<I> | RD | RT | RR | RK | RS | RQ
> =>
  Layer.unwrap(
    Effect.map(
      makeGate(options as unknown as Options<S, C, A, RD, RT, RR, RK, Inputs, RS, RQ>),
      (gate) => fromGate<ProtectedResource.OfferedOf<S>>(gate)
    )
  ).pipe(
    Layer.provide(Layer.fresh(JwkSet.layer)),
    Layer.provide(Layer.fresh(Discovery.layer))
  ) as Layer.Layer<
    Services<ProtectedResource.OfferedOf<S>>,
    AuthConfigError,
    // `JwkSet` and `Discovery` are provided above, and no option requires them, so this type lists all other requirements.
    Fetcher.Fetcher | ServicesOf<I> | RD | RT | RR | RK | RS | RQ
  >

/**
 * The options of adapters for platforms outside Effect, in addition to the options of the gate.
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
   * Sends the requests to authorization servers with an `HttpClient` of Effect: write `HttpClientFetcher.make(client)` of
   * `effect-mcp-auth/http-client`, so that only programs with such a client load the modules of `effect/http`. The client must not
   * follow redirects. Set either `httpClient` or `fetch`, not both. Default: none, so that `fetch` sends the requests.
   */
  readonly httpClient?: Fetcher.Fetcher["Service"] | undefined
  /**
   * Provides the services that other options require, such as the store of `Dpop.required`. It may also provide loggers, a
   * `DecisionListener` and a `Fetcher`. It is built once, together with the gate. Default: no services; rejections are logged
   * to the console.
   */
  readonly layer?: Layer.Layer<R, E> | undefined
  /**
   * Receives every decision, in addition to a `DecisionListener` of `layer`. The request waits for the function and for the promise
   * that it returns, at most 5 seconds. If the function throws or the promise rejects, the gate answers 500 instead of admitting the
   * request, and a rejection stays as it is. Default: no function.
   */
  readonly onDecision?: OnDecision | undefined
}

/**
 * A function that receives decisions.
 *
 * @category models
 * @since 0.1.0
 */
export type OnDecision = (decision: Decision) => void | PromiseLike<void>

/**
 * Rejects options whose `layer` lacks a service that the other options need. `R` contains the services that `layer` provides,
 * and `Needed` contains those that the other options need.
 *
 * @category utility types
 * @since 0.1.0
 */
export type CoveredBy<R, Needed> = [Exclude<Needed, R>] extends [never] ? unknown
  : { readonly layer: Layer.Layer<Exclude<Needed, R>> }

/** The rule for the option `layer`. */
export const layerRule: ConfigOption.Rule = ConfigOption.rule(Layer.isLayer, "a layer", "Give one, or leave it out")

const hostTable: ConfigOption.Table<keyof HostOptions> = {
  fetch: ConfigOption.rule(Predicate.isFunction, "a function", "Give a function like fetch, or leave it out"),
  httpClient: ConfigOption.rule(
    (value) => Predicate.hasProperty(value, "send") && Predicate.isFunction(value.send),
    "a value of HttpClientFetcher.make",
    "Write HttpClientFetcher.make(client) of effect-mcp-auth/http-client, or provide HttpClientFetcher.layer with the option layer"
  ),
  layer: layerRule,
  onDecision: ConfigOption.functionThat("takes a decision")
}

/** Calls `onDecision` after the listener that the context provides. */
const layerListener = (onDecision: OnDecision): Layer.Layer<never> =>
  Layer.effect(
    DecisionListener,
    Effect.map(DecisionListener, (listener) => (decision: Decision) =>
      Effect.andThen(
        listener(decision),
        Effect.promise(async () => onDecision(decision))
      ))
  )

/**
 * Provides the gate and the services of the option `layer`. The gate uses the required `Fetcher` unless `fetch` or `httpClient`
 * is set, or `layer` provides one.
 */
export const layerHost = <
  const S extends Scopes,
  C,
  A,
  RD,
  RT,
  RR,
  RK,
  const I extends Servers,
  R = never,
  E = never,
  RS = never,
  RQ = never
>(
  options: Options<S, C, A, RD, RT, RR, RK, I, RS, RQ> & HostOptions<R, E>
): Layer.Layer<Services<ProtectedResource.OfferedOf<S>> | R, AuthConfigError | E, Fetcher.Fetcher> => {
  const checked = ConfigOption.attempt(() => {
    checkNames(options, "fetch", "httpClient", "layer", "onDecision")
    const { fetch, httpClient, layer: services, onDecision, ...others } = options
    ConfigOption.check({ fetch, httpClient, layer: services, onDecision }, "", hostTable)
    if (fetch !== undefined && httpClient !== undefined) {
      throw ConfigOption.error("httpClient", "set either httpClient or fetch, not both. Remove one of them", "conflict")
    }
    const sender = fetch === undefined ? httpClient : Fetcher.make(fetch)
    return { sender, services, onDecision, others }
  })
  if (Result.isFailure(checked)) return Layer.effectDiscard(Effect.fail(checked.failure)) as never
  const { onDecision, others, sender, services } = checked.success
  const silent = layer(others as unknown as Options<S, C, A, RD, RT, RR, RK, I, RS, RQ>)
  const gate = onDecision === undefined ? silent : silent.pipe(Layer.provide(layerListener(onDecision)))
  const sending = sender === undefined ? gate : gate.pipe(Layer.provide(Layer.succeed(Fetcher.Fetcher, sender)))
  return (services === undefined ? sending : sending.pipe(Layer.provideMerge(services))) as never
}
