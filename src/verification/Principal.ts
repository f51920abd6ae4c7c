/**
 * Describes the verified identity of a caller.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Equal from "effect/Equal"
import type * as Redacted from "effect/Redacted"

/**
 * The issuer of the principals of API keys. An authorization server cannot have it: `AuthorizationServer.make` rejects it.
 *
 * @category constants
 * @since 0.1.0
 */
export const apiKeyIssuer = "urn:effect-mcp-auth:api-keys" as const

/**
 * Represents the token that the server received. It is not a string, so functions that accept strings (such as
 * `HttpClientRequest.bearerToken`) do not accept it, and it cannot be forwarded by mistake. `TokenExchange` obtains a token
 * for another server.
 *
 * @category models
 * @since 0.1.0
 */
export interface InboundToken {
  readonly "~effect-mcp-auth/InboundToken": "meant for this server alone"
}

/**
 * Describes the caller of the current request, from its verified access token.
 *
 * **When to use**
 *
 * Use it in handlers. Store data by `owner`, and sessions and states by `key`.
 *
 * **Gotchas**
 *
 * `subject` alone does not identify a caller. The same value can occur at two issuers, for a user and for a client without a
 * user, or in two different subject claims of a profile.
 *
 * **Example** (Whose data it is)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { AuthLayer, Principal } from "effect-mcp-auth"
 * import assert from "node:assert/strict"
 *
 * const mine = Effect.map(Principal, ({ owner, scopes }) => ({ owner, mayWrite: scopes.has("todos:write") }))
 *
 * const Caller = AuthLayer.mock({ subject: "alice", scopes: ["todos:read"] })
 * const { mayWrite } = await Effect.runPromise(Effect.provide(mine, Caller))
 * assert.strictEqual(mayWrite, false)
 * ```
 *
 * @category services
 * @since 0.1.0
 */
export interface Principal {
  /** `iss` of the token, or `ApiKeys.issuer` (`effect-mcp-auth/api-keys`) for an API key. */
  readonly issuer: string
  /**
   * The subject: `sub` of the token, or with a profile, the first of its `subjectClaims` that the token contains. The subject
   * is `undefined` only for a token that was issued to a program for itself, according to the `machineMarks` of the profile.
   */
  readonly subject: string | undefined
  /** The claim that the subject comes from. Default: `sub`. */
  readonly subjectClaim?: string | undefined
  /** The client that obtained the token, if the token contains it. */
  readonly clientId: string | undefined
  /** The effective scopes: those of the token and the scopes that they imply. */
  readonly scopes: ReadonlySet<string>
  /** The scopes of the token, without those that they imply. */
  readonly granted: ReadonlySet<string>
  /**
   * The roles of the caller: the values of the claims that the profile of the authorization server, or the option `roles`, names.
   * Empty if neither names a claim.
   */
  readonly roles: ReadonlySet<string>
  /** `aud` of the token. */
  readonly audience: ReadonlyArray<string>
  /** `exp` of the token, in seconds since 1970. */
  readonly expiresAt: number
  /**
   * All claims of the token. The verification has checked only the claims that the members above contain. Test for a claim
   * with `Object.hasOwn`.
   */
  readonly claims: Readonly<Record<string, unknown>>
  /**
   * The token. It is meant for this server only: never forward it (RFC 8707, MCP "Token Passthrough"). For an API key, it is the
   * public identifier of the key.
   */
  readonly token: Redacted.Redacted<InboundToken>
  /**
   * The tenant whose authorization servers verified the token, exactly as the option `tenants` found it in the request. It is
   * `undefined` if that option is absent, or if an authorization server in the option `authorizationServers` issued the token.
   */
  readonly tenant?: string | undefined
  /**
   * Identifies the owner of data. It consists of the issuer and the subject. If the subject comes from another claim than
   * `sub`, it also contains the name of that claim. For a program without a user, it consists of the issuer and the client. It
   * also contains the tenant, if there is one.
   */
  readonly owner: string
  /** Identifies the owner of sessions and states. It contains the same values as `owner`, and always the client. */
  readonly key: string
}

/**
 * Creates a principal. Computes `owner` and `key` from the other members. Without `roles`, the caller has none.
 *
 * **When to use**
 *
 * Use it in a custom `TokenVerifier`.
 *
 * **Details**
 *
 * `owner` and `key` are JSON lists, so that different members never result in the same text. A subject from another claim than
 * `sub` never equals one from `sub`. If there is no subject, or if `sub` is the client id, the owner is the client. Such an
 * owner is marked, so that it never equals the owner of a person: a client whose identifier equals the subject of a person is
 * not that person (RFC 9700 §4.15). The tenant is a separate last member, so that one person is a different owner at each
 * tenant, even if two tenants share an issuer.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (
  fields: Omit<Principal, "owner" | "key" | "roles" | "token"> & {
    readonly roles?: ReadonlySet<string> | undefined
    readonly token: Redacted.Redacted | Redacted.Redacted<InboundToken>
  }
): Principal => {
  // Builds the same text as `JSON.stringify` of both lists, but encodes each member only once.
  const issuer = JSON.stringify(fields.issuer)
  const claim = fields.subjectClaim
  const isSub = claim === undefined || claim === "sub"
  const subject = isSub
    ? JSON.stringify(fields.subject ?? null)
    : `${JSON.stringify(claim)},${JSON.stringify(fields.subject ?? null)}`
  const clientId = JSON.stringify(fields.clientId ?? null)
  // The tenant is an object, so that it differs from issuers, subjects and clients, which are strings.
  const tenant = fields.tenant === undefined ? "" : `,{"tenant":${JSON.stringify(fields.tenant)}}`
  return {
    ...fields,
    roles: fields.roles ?? new Set(),
    token: fields.token as Redacted.Redacted<unknown> as Redacted.Redacted<InboundToken>,
    owner: fields.subject === undefined || (isSub && fields.subject === fields.clientId)
      ? `[${issuer},null,${clientId}${tenant}]`
      : `[${issuer},${subject}${tenant}]`,
    key: `[${issuer},${clientId},${subject}${tenant}]`
  }
}

/**
 * Provides the principal of the current request as a service.
 *
 * @category services
 * @since 0.1.0
 */
export const Principal: Context.Service<Principal, Principal> & { readonly make: typeof make } = Object.assign(
  Context.Service<Principal>("effect-mcp-auth/Principal"),
  { make }
)

/**
 * Returns whether a second verification gave the same principal, with the same or more scopes and roles. The expiry may differ.
 *
 * @category guards
 * @since 0.1.0
 */
export const isUnchanged = (before: Principal, again: Principal): boolean =>
  before === again || (
    again.key === before.key && [...before.scopes].every((_) => again.scopes.has(_)) &&
    [...before.roles].every((_) => again.roles.has(_)) &&
    Equal.equals({ ...before.claims, exp: undefined }, { ...again.claims, exp: undefined })
  )
