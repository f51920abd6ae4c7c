/**
 * The interface of the values that verify opaque tokens. An authorization server carries one; `Introspection` makes them.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import type * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import type { Discovery } from "../../outbound/Discovery.ts"
import type { Fetcher } from "../../outbound/Fetcher.ts"
import type { AuthConfigError } from "../../protocol/AuthError.ts"
import type { Rules } from "../claims/Rules.ts"
import type { JwkSet, KeySource } from "../keys/JwkSet.ts"
import type { VerificationError, Verifier } from "../TokenVerifier.ts"
import type { TokenTraits } from "./TokenTraits.ts"

/**
 * Marks the values.
 *
 * @category type ids
 * @since 0.1.0
 */
export const TypeId = "~effect-mcp-auth/OpaqueTokens"

/**
 * The authorization server that issues the tokens.
 *
 * @category models
 * @since 0.1.0
 */
export interface Issuer extends KeySource {
  readonly tokenIssuers: ReadonlyArray<string>
  readonly profile: TokenTraits | undefined
}

/**
 * What the verifier of an authorization server is made of.
 *
 * @category models
 * @since 0.1.0
 */
export interface Parts {
  readonly authorizationServer: Issuer
  readonly rules: Rules
  /** Older answers are not used: `at` in milliseconds since 1970, `since` in monotonic milliseconds. */
  readonly forgotten: { readonly at: number; readonly since: number }
}

/**
 * A checked value.
 *
 * @category models
 * @since 0.1.0
 */
export interface Checked<out R = never> {
  /** The name that errors give to the option. */
  readonly option: string
  /** Which tokens it verifies: `"opaque"`, or `"all"`, JWTs of the server as well. */
  readonly tokens: "opaque" | "all"
  /** How the tokens of this server begin. */
  readonly prefix: string | undefined
  readonly verifier: (
    parts: Parts
  ) => Effect.Effect<
    Verifier<VerificationError>,
    AuthConfigError,
    Discovery | JwkSet | Fetcher | Scope.Scope | R
  >
}

/**
 * Verifies tokens that are not JWTs. `R` is what it needs from the layer.
 *
 * @category models
 * @since 0.1.0
 */
export interface OpaqueTokens<out R = never> {
  readonly [TypeId]: typeof TypeId
  /** Checks the options. `option` is the name that an error gives to them; `insecure` allows plain http. */
  readonly check: (option: string, insecure: boolean) => Result.Result<Checked<R>, AuthConfigError>
}

/**
 * Checks that a value was made by `Introspection`: options may come from JavaScript or a file.
 *
 * @category guards
 * @since 0.1.0
 */
export const isOpaqueTokens = (value: unknown): value is OpaqueTokens<unknown> => Predicate.hasProperty(value, TypeId)
