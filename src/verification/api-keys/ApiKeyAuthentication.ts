/**
 * Describes the functions with which the gate verifies API keys.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Result from "effect/Result"
import type {
  ApiKeyStoreUnavailable,
  AuthConfigError,
  AuthorizationServerUnavailable,
  InvalidApiKey,
  MalformedRequest,
  RevocationStoreUnavailable
} from "../../protocol/AuthError.ts"
import type { Credentials } from "../../protocol/Credentials.ts"
import type { Principal } from "../Principal.ts"
import type { Target } from "../tokens/TokenCache.ts"
import type { PresentedRequest, RequestTiming } from "../TokenVerifier.ts"

/**
 * The settings of the gate that the verification of keys needs.
 *
 * @category models
 * @since 0.1.0
 */
export interface Parts {
  /** The resource identifier, which is the audience of every key. */
  readonly resource: string
  /** Adds the scopes that other scopes imply. */
  readonly effectiveScopes: (granted: ReadonlySet<string>) => ReadonlySet<string>
  /** The tenants, if the option `tenants` is set. */
  readonly tenants?: KeyTenants | undefined
}

/**
 * The tenants of a gate that accepts API keys. `Tenants` (`effect-mcp-auth/tenants`) has these members.
 *
 * @category models
 * @since 0.1.0
 */
export interface KeyTenants {
  /** Returns the resource identifier of a tenant, which is the audience of its keys. */
  readonly resourceOf: (tenant: string) => string
  /** Tells whether a request may use a key of a tenant: the tenant exists, and the request names no other one. */
  readonly admitsKeyOf: (
    tenant: string,
    request: PresentedRequest
  ) => Effect.Effect<boolean, AuthorizationServerUnavailable | AuthConfigError>
}

/**
 * Checks whether the credentials of a caller were revoked, and waits until they are.
 *
 * @category models
 * @since 0.1.0
 */
export interface RevocationChecks<out E> {
  readonly isRevoked: (
    principal: Principal
  ) => Effect.Effect<boolean, RevocationStoreUnavailable | AuthorizationServerUnavailable | E>
  readonly untilRevoked: (principal: Principal, interval: Duration.Duration) => Effect.Effect<void>
}

/**
 * The functions with which the gate verifies keys.
 *
 * @category models
 * @since 0.1.0
 */
export interface Authentication {
  /** The lower-case name of the header that contains the key. `undefined`: the scheme `ApiKey` of `Authorization`. */
  readonly header: string | undefined
  /**
   * Reads the key of a request from the header. Returns `undefined` if the request has no such header, or an empty one. Fails if the
   * header contains more than one key, or if the request also has a token.
   */
  readonly read: (
    request: { readonly header: (name: string) => string | undefined },
    hasToken: boolean
  ) => Result.Result<Credentials, MalformedRequest> | undefined
  /** Tells whether a text has the form of a key. The gate does not send such a text to an authorization server. */
  readonly isKey: (text: string) => boolean
  readonly verify: (
    credentials: Credentials,
    request: PresentedRequest,
    timing: RequestTiming
  ) => Effect.Effect<
    Principal,
    InvalidApiKey | ApiKeyStoreUnavailable | AuthorizationServerUnavailable | AuthConfigError
  >
  /** Adds the check of the store to the checks of the option `revocation`. */
  readonly withRevocation: (
    revocation: RevocationChecks<never> | undefined
  ) => RevocationChecks<ApiKeyStoreUnavailable>
  /** Evicts cached records. */
  readonly invalidate: (target: Target) => Effect.Effect<void>
}
