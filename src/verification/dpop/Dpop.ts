/**
 * Verifies tokens that are bound to a key of the client, and the proofs of that key (DPoP, RFC 9449).
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { type Mechanism, TypeId } from "../tokens/Presentation.ts"
import * as DpopOptions from "./DpopOptions.ts"
import * as DpopProof from "./DpopProof.ts"

export type { Options } from "./DpopOptions.ts"
export { memory, redis } from "./ReplayStore.ts"
export type { Store, Use } from "./ReplayStore.ts"

/**
 * The value of the option `dpop`, which enables DPoP. `R` lists the services that the layer then requires.
 *
 * @category models
 * @since 0.1.0
 */
export type Dpop<R = never> = Mechanism<R>

const make = <R>(mode: "optional" | "required", options: DpopOptions.Options<R>): Dpop<Exclude<R, Scope.Scope>> => {
  const settings = DpopOptions.check(mode, options)
  const value: Dpop<R> = {
    [TypeId]: TypeId,
    published: settings,
    make: (resource, countProof) =>
      Effect.flatMap(
        Effect.fromResult(settings),
        (settings) => Effect.flatMap(settings.replay, (store) => DpopProof.make(settings, resource, store, countProof))
      )
  }
  // The type omits `Scope`, because the layer provides it.
  return value as Dpop<Exclude<R, Scope.Scope>>
}

/**
 * Accepts only tokens that are bound to a key of the client, and requires a proof of that key on each request. The protected
 * resource metadata contains `dpop_bound_access_tokens_required`. If an option is invalid, the layer fails with
 * `AuthConfigError`.
 *
 * **Example** (Proofs with a nonce)
 *
 * ```ts
 * import { AuthLayer } from "effect-mcp-auth"
 * import { Dpop } from "effect-mcp-auth/dpop"
 *
 * const Auth = AuthLayer.make({
 *   resource: "https://todos.example.com/mcp",
 *   authorizationServers: ["https://auth.example.com"],
 *   scopes: ["todos:read"],
 *   dpop: Dpop.required({ nonce: "required", window: "30 seconds" })
 * })
 * ```
 *
 * **Example** (Several instances share used proofs in Redis)
 *
 * ```ts
 * import { Dpop } from "effect-mcp-auth/dpop"
 * import { Effect } from "effect"
 * import { Redis } from "effect/persistence"
 *
 * // The layer of the server needs a `Redis`.
 * const dpop = Dpop.required({ replay: Effect.map(Redis.Redis, (redis) => Dpop.redis(redis)) })
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const required = <R = never>(options: DpopOptions.Options<R> = {}): Dpop<Exclude<R, Scope.Scope>> =>
  make("required", options)

/**
 * Requires a proof of the key for tokens that are bound to a key of the client, and accepts all other tokens as Bearer tokens.
 * If an option is invalid, the layer fails with `AuthConfigError`.
 *
 * **Example** (Clients with and without DPoP)
 *
 * ```ts
 * import { AuthLayer } from "effect-mcp-auth"
 * import { Dpop } from "effect-mcp-auth/dpop"
 *
 * const Auth = AuthLayer.make({
 *   resource: "https://todos.example.com/mcp",
 *   authorizationServers: ["https://auth.example.com"],
 *   scopes: ["todos:read"],
 *   dpop: Dpop.optional()
 * })
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const optional = <R = never>(options: DpopOptions.Options<R> = {}): Dpop<Exclude<R, Scope.Scope>> =>
  make("optional", options)
