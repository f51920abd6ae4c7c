/**
 * Who calls.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Redacted from "effect/Redacted"

/**
 * The type of the token that came in. It is no string: what wants one (`HttpClientRequest.bearerToken`, a header) does
 * not take it, so it cannot be sent on by mistake. `TokenExchange` gives a token for another server.
 *
 * @category models
 * @since 0.1.0
 */
export interface InboundToken {
  readonly "~effect-mcp-auth/InboundToken": "meant for this server alone"
}

/**
 * The caller of the current request, as a verified access token names it.
 *
 * **When to use**
 *
 * Read it in handlers. Data belongs to `owner`; sessions and states belong to `key`.
 *
 * **Gotchas**
 *
 * `subject` alone does not identify a caller: two issuers may use the same one, and so may a client without a person
 * behind it, or two claims that a profile reads subjects from.
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
  /** `iss` of the token. */
  readonly issuer: string
  /**
   * The subject: `sub` of the token, or the first of the `subjectClaims` of a profile. It is `undefined` only for a token that
   * a program got for itself, by the `machineMarks` of the profile.
   */
  readonly subject: string | undefined
  /** The claim that the subject comes from. Default: `sub`. */
  readonly subjectClaim?: string | undefined
  /** The client that obtained the token, where the token tells. */
  readonly clientId: string | undefined
  /** The scopes in effect: those of the token and those that they imply. */
  readonly scopes: ReadonlySet<string>
  /** The scopes as the token lists them. */
  readonly granted: ReadonlySet<string>
  /** `aud` of the token. */
  readonly audience: ReadonlyArray<string>
  /** `exp` of the token, in seconds since 1970. */
  readonly expiresAt: number
  /** Every claim of the token, unchecked beyond what is named above. Ask with `Object.hasOwn`. */
  readonly claims: Readonly<Record<string, unknown>>
  /** The token itself. It is meant for this server alone: never send it on (RFC 8707, MCP "Token Passthrough"). */
  readonly token: Redacted.Redacted<InboundToken>
  /**
   * The tenant whose authorization servers verified the token: the exact name that `tenants` found in the request.
   * `undefined` without the option `tenants`, and for a caller that the layer's own authorization servers verified.
   */
  readonly tenant?: string | undefined
  /**
   * (issuer, claim of the subject, subject), or (issuer, client) for a program by itself, and the tenant if there is one:
   * what data belongs to.
   */
  readonly owner: string
  /** (issuer, client, claim of the subject, subject), and the tenant if there is one: what sessions and states belong to. */
  readonly key: string
}

/**
 * Makes a principal; `owner` and `key` follow from the rest.
 *
 * **When to use**
 *
 * In a `TokenVerifier` of your own.
 *
 * **Details**
 *
 * Both are JSON lists, so no choice of issuer or subject can look like another pair. A subject that comes from another
 * claim than `sub` never equals that of `sub`. Without a subject, or if `sub` is the client itself, the owner is the
 * client, marked so that it never equals the owner of a person: a client whose identifier is a person's subject is not
 * that person (RFC 9700 §4.15). A tenant is a last member of its own, so the same person is a different owner at
 * each tenant, even if two tenants share an issuer.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (
  fields: Omit<Principal, "owner" | "key" | "token"> & {
    readonly token: Redacted.Redacted | Redacted.Redacted<InboundToken>
  }
): Principal => {
  // As JSON.stringify writes the lists, each member once.
  const issuer = JSON.stringify(fields.issuer)
  const claim = fields.subjectClaim
  const isSub = claim === undefined || claim === "sub"
  const subject = isSub
    ? JSON.stringify(fields.subject ?? null)
    : `${JSON.stringify(claim)},${JSON.stringify(fields.subject ?? null)}`
  const clientId = JSON.stringify(fields.clientId ?? null)
  // An object, which no issuer, subject or client is.
  const tenant = fields.tenant === undefined ? "" : `,{"tenant":${JSON.stringify(fields.tenant)}}`
  return {
    ...fields,
    token: fields.token as Redacted.Redacted<unknown> as Redacted.Redacted<InboundToken>,
    owner: fields.subject === undefined || (isSub && fields.subject === fields.clientId)
      ? `[${issuer},null,${clientId}${tenant}]`
      : `[${issuer},${subject}${tenant}]`,
    key: `[${issuer},${clientId},${subject}${tenant}]`
  }
}

/**
 * The service of the current request's principal, with its constructor.
 *
 * @category services
 * @since 0.1.0
 */
export const Principal: Context.Service<Principal, Principal> & { readonly make: typeof make } = Object.assign(
  Context.Service<Principal>("effect-mcp-auth/Principal"),
  { make }
)
