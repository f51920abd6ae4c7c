import * as Redacted from "effect/Redacted"
import type { Gate } from "../../authorization/Gate.ts"
import type { Principal } from "../../verification/Principal.ts"

/**
 * The caller in the shape that the official SDKs hand to their handlers.
 *
 * **Gotchas**
 *
 * `token` is the access token in clear, as the SDKs want it. It is not enumerable, so that logging, spreading or
 * serialising this object leaves it out. `clientId` is empty where the token names no client. `extra.claims` are frozen
 * where the token was seen before.
 *
 * @category models
 * @since 0.1.0
 */
export interface AuthInfo {
  token: string
  clientId: string
  /** The scopes in effect: those of the token and those that they imply. */
  scopes: Array<string>
  /** In seconds since 1970. */
  expiresAt?: number
  /** The resource identifier of this server, or of the caller's tenant. */
  resource?: URL
  /** `subject`, `issuer`, `audience`, the `tenant` if there is one, and every claim of the token under `claims`. */
  extra?: Record<string, unknown>
}

/**
 * A new object for each request: handlers may change it. It is of a class, since to hide the token of a literal takes
 * longer than all the rest.
 */
class Info implements AuthInfo {
  clientId: string
  scopes: Array<string>
  expiresAt: number
  resource: URL
  extra: Record<string, unknown>
  readonly #principal: Principal
  readonly #gate: Gate

  constructor(principal: Principal, gate: Gate) {
    this.#principal = principal
    this.#gate = gate
    this.clientId = principal.clientId ?? ""
    this.scopes = [...principal.scopes]
    this.expiresAt = principal.expiresAt
    this.resource = new URL(gate.published.resourceFor(principal).resource)
    this.extra = {
      subject: principal.subject,
      issuer: principal.issuer,
      ...(principal.tenant === undefined ? {} : { tenant: principal.tenant }),
      audience: [...principal.audience],
      // What cannot be changed needs no copy: of a token that was seen before, the claims lie far away.
      claims: Object.isFrozen(principal.claims) ? principal.claims : { ...principal.claims }
    }
  }

  get token(): string {
    return Redacted.value(this.#principal.token) as unknown as string
  }

  static principalOf(info: unknown, gate: Gate): Principal | undefined {
    return typeof info === "object" && info !== null && #principal in info && info.#gate === gate
      ? info.#principal
      : undefined
  }
}

export const make = (principal: Principal, gate: Gate): AuthInfo => new Info(principal, gate)

/**
 * Returns the principal of an `AuthInfo` that this gate made, and `undefined` for every other value, whatever its members
 * are. Not a weak map: its entry for each request would cost time in garbage collection.
 */
export const principalOf = (info: unknown, gate: Gate): Principal | undefined => Info.principalOf(info, gate)
