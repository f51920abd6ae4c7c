/**
 * Verifies opaque tokens by introspection (RFC 7662, and RFC 9701 for signed answers).
 *
 * @since 0.1.0
 */
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import type { Fetcher } from "../../outbound/Fetcher.ts"
import * as ConfigOption from "../../protocol/ConfigOption.ts"
import { type OpaqueTokens, TypeId } from "../issuers/OpaqueTokens.ts"
import { combineVerifiers } from "./internal/combineVerifiers.ts"
import type { CommonOptions, LookUp, Options, Settings } from "./IntrospectionOptions.ts"
import * as IntrospectionOptions from "./IntrospectionOptions.ts"
import * as IntrospectionVerifier from "./IntrospectionVerifier.ts"

export type {
  Answer,
  CommonOptions,
  EndpointOptions,
  InactiveLimit,
  LookUp,
  Options,
  SharedStore
} from "./IntrospectionOptions.ts"

/**
 * The value of the option `introspection` of an authorization server, which enables introspection. `R` lists the services
 * that the layer then requires.
 *
 * @category models
 * @since 0.1.0
 */
export type Introspection<R = never> = OpaqueTokens<R>

/**
 * Verifies opaque tokens at the introspection endpoint of an authorization server. If an option is invalid, the layer fails with
 * `AuthConfigError`.
 *
 * **Example** (The endpoint of the metadata, with a client id and a secret)
 *
 * ```ts
 * import { AuthLayer } from "effect-mcp-auth"
 * import { Introspection } from "effect-mcp-auth/introspection"
 * import { Redacted } from "effect"
 *
 * const Auth = AuthLayer.make({
 *   resource: "https://todos.example.com/mcp",
 *   authorizationServers: [{
 *     issuer: "https://auth.example.com",
 *     introspection: Introspection.make({
 *       clientId: "todos",
 *       clientSecret: Redacted.make(process.env["CLIENT_SECRET"] ?? "")
 *     })
 *   }],
 *   scopes: ["todos:read"]
 * })
 * ```
 *
 * **Example** (Several instances share answers in Redis)
 *
 * ```ts
 * import { Introspection } from "effect-mcp-auth/introspection"
 * import { Effect, Redacted } from "effect"
 * import { Persistence } from "effect/persistence"
 *
 * const introspection = Introspection.make({
 *   clientId: "todos",
 *   clientSecret: Redacted.make(process.env["CLIENT_SECRET"] ?? ""),
 *   // The layer of the server needs `Persistence.layerBackingRedis`, or any other store.
 *   shared: Effect.flatMap(Persistence.BackingPersistence, (stores) => stores.make("introspection"))
 * })
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <R = never>(options: Options<R>): OpaqueTokens<Exclude<R, Scope.Scope>> => {
  const value: OpaqueTokens<R> = {
    [TypeId]: TypeId,
    check: (option, insecure) =>
      typeof options !== "object" || options === null
        ? Result.fail(ConfigOption.invalid(
          option,
          options,
          "an object of options for Introspection.make",
          "Give { clientId, clientSecret }, { clientId, privateKey } or { bearerToken }"
        ))
        : Result.map(IntrospectionOptions.check(options, options, option, insecure), toChecked)
  }
  // The type omits `Scope`, because the layer provides it.
  return value as OpaqueTokens<Exclude<R, Scope.Scope>>
}

/**
 * The value that `lookUp` returns. Its member `lookUp` is the function that was passed, so that a test can call it.
 *
 * @category models
 * @since 0.1.0
 */
export interface ByLookUp<R = never, RS = never> extends OpaqueTokens<Exclude<R, Fetcher> | Exclude<RS, Scope.Scope>> {
  readonly lookUp: LookUp<R>
}

/**
 * Verifies opaque tokens with a function, for an authorization server without an introspection endpoint of RFC 7662.
 *
 * **Details**
 *
 * The returned claims are checked by the same rules as the claims of every token, so they must contain `aud`, `sub` and the
 * other required claims. They must also contain `exp`, unless the option `maxLifetime` is set. If the function fails or takes
 * more than 5 seconds, the server answers 503.
 *
 * **Example** (A server without the endpoint)
 *
 * ```ts
 * import { AuthLayer } from "effect-mcp-auth"
 * import { Introspection } from "effect-mcp-auth/introspection"
 * import { Clock, Effect, Redacted } from "effect"
 *
 * const Auth = AuthLayer.make({
 *   resource: "https://todos.example.com/mcp",
 *   authorizationServers: [{
 *     issuer: "https://auth.example.com",
 *     introspection: Introspection.lookUp((token) =>
 *       Effect.map(Clock.currentTimeMillis, (now) =>
 *         // A real function looks the token up, for example in a table.
 *         Redacted.value(token) === "opaque"
 *           ? { active: true, sub: "alice", aud: "https://todos.example.com/mcp", exp: Math.floor(now / 1000) + 300 }
 *           : { active: false })
 *     )
 *   }],
 *   scopes: ["todos:read"]
 * })
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const lookUp = <R = never, RS = never>(
  lookUp: LookUp<R>,
  options: CommonOptions<RS> = {}
): ByLookUp<R, RS> => {
  const value: OpaqueTokens<R | RS> = {
    [TypeId]: TypeId,
    check: (option, insecure) =>
      Result.map(IntrospectionOptions.check<R | RS>({ lookUp }, options, option, insecure), toChecked)
  }
  // The type omits `Fetcher`, because the layer provides it to the function.
  return { ...(value as ByLookUp<R, RS>), lookUp }
}

const toChecked = <R>(settings: Settings<R>) => ({
  option: settings.option,
  tokens: settings.tokens,
  prefix: settings.prefix,
  combine: combineVerifiers,
  verifier: (parts: Parameters<typeof IntrospectionVerifier.make>[0]) => IntrospectionVerifier.make(parts, settings)
})
