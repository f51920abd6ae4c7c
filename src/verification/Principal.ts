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
 * `subject` alone identifies nobody: two issuers may use the same one, and so may a client without a person behind it.
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
export class Principal extends Context.Service<Principal, {
  /** `iss` of the token. */
  readonly issuer: string
  /** `sub` of the token; `undefined` only where a provider's profile allows a token without one. */
  readonly subject: string | undefined
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
  /** (issuer, subject): what data belongs to. */
  readonly owner: string
  /** (issuer, client, subject): what sessions and states belong to. */
  readonly key: string
}>()("effect-mcp-auth/Principal") {
  /**
   * Makes a principal; `owner` and `key` follow from the rest.
   *
   * **When to use**
   *
   * In a `TokenVerifier` of your own.
   *
   * **Details**
   *
   * Both are JSON lists, so no choice of issuer or subject can look like another pair. Without a subject the owner is the
   * client, marked so that it never equals a subject's.
   *
   * @category constructors
   * @since 0.1.0
   */
  static readonly make = (
    fields: Omit<Principal["Service"], "owner" | "key" | "token"> & {
      readonly token: Redacted.Redacted | Redacted.Redacted<InboundToken>
    }
  ): Principal["Service"] => {
    // As JSON.stringify writes the lists, each member once.
    const issuer = JSON.stringify(fields.issuer)
    const subject = JSON.stringify(fields.subject ?? null)
    const clientId = JSON.stringify(fields.clientId ?? null)
    return {
      ...fields,
      token: fields.token as Redacted.Redacted<unknown> as Redacted.Redacted<InboundToken>,
      owner: fields.subject === undefined ? `[${issuer},null,${clientId}]` : `[${issuer},${subject}]`,
      key: `[${issuer},${clientId},${subject}]`
    }
  }
}

/**
 * `Principal.make`, as a function of this module.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make: typeof Principal.make = Principal.make
