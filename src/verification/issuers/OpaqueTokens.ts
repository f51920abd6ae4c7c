/**
 * Defines the interface of values that verify opaque tokens. `Introspection` creates such values, and the option
 * `introspection` of an authorization server accepts them.
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
 * Identifies the values of `OpaqueTokens`.
 *
 * @category type ids
 * @since 0.1.0
 */
export const TypeId = "~effect-mcp-auth/OpaqueTokens"

/**
 * Describes the authorization server that issues the tokens.
 *
 * @category models
 * @since 0.1.0
 */
export interface Issuer extends KeySource {
  readonly tokenIssuers: ReadonlyArray<string>
  readonly profile: TokenTraits | undefined
}

/**
 * Contains the values that the verifier of an authorization server needs.
 *
 * @category models
 * @since 0.1.0
 */
export interface Parts {
  readonly authorizationServer: Issuer
  readonly rules: Rules
  /**
   * The time at which cached results were last invalidated. Older answers are not used. `at` is in milliseconds since 1970,
   * `since` in monotonic milliseconds.
   */
  readonly lastInvalidation: { readonly at: number; readonly since: number }
}

/**
 * Describes the verifier of one authorization server, and the tokens that it verifies.
 *
 * @category models
 * @since 0.1.0
 */
export interface Introspected extends Pick<Checked, "option" | "tokens" | "prefix"> {
  readonly server: Issuer
  readonly verifier: Verifier<VerificationError>
}

/**
 * Describes an `OpaqueTokens` whose options have been checked.
 *
 * @category models
 * @since 0.1.0
 */
export interface Checked<out R = never> {
  /** The path of the option in errors. */
  readonly option: string
  /** Which tokens it verifies: only opaque tokens (`"opaque"`), or also the JWTs of the authorization server (`"all"`). */
  readonly tokens: "opaque" | "all"
  /** The prefix of the opaque tokens of this authorization server. */
  readonly prefix: string | undefined
  /**
   * Combines the verifiers of all introspected authorization servers with the verifier of JWTs. Fails with `AuthConfigError` if
   * the prefixes do not show which authorization server issued an opaque token.
   */
  readonly combine: (
    introspected: ReadonlyArray<Introspected>,
    jwt: Verifier<VerificationError>
  ) => Result.Result<Verifier<VerificationError>, AuthConfigError>
  readonly verifier: (
    parts: Parts
  ) => Effect.Effect<
    Verifier<VerificationError>,
    AuthConfigError,
    Discovery | JwkSet | Fetcher | Scope.Scope | R
  >
}

/**
 * Verifies tokens that are not JWTs. `R` lists the services that it requires.
 *
 * @category models
 * @since 0.1.0
 */
export interface OpaqueTokens<out R = never> {
  readonly [TypeId]: typeof TypeId
  /** Checks the options. `option` is their path in errors. `insecure` allows plain http. */
  readonly check: (option: string, insecure: boolean) => Result.Result<Checked<R>, AuthConfigError>
}

/**
 * Tells whether a value was created by `Introspection`. Needed at runtime, because options may come from JavaScript or a file.
 *
 * @category guards
 * @since 0.1.0
 */
export const isOpaqueTokens = (value: unknown): value is OpaqueTokens<unknown> => Predicate.hasProperty(value, TypeId)
