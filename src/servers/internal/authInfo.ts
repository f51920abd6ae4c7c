import * as Redacted from "effect/Redacted"
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
  /** The resource identifier of this server. */
  resource?: URL
  /** `subject`, `issuer`, `audience` and every claim of the token under `claims`. */
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
  readonly #principal: Principal["Service"]

  constructor(principal: Principal["Service"], resource: string) {
    this.#principal = principal
    this.clientId = principal.clientId ?? ""
    this.scopes = [...principal.scopes]
    this.expiresAt = principal.expiresAt
    this.resource = new URL(resource)
    this.extra = {
      subject: principal.subject,
      issuer: principal.issuer,
      audience: [...principal.audience],
      // What cannot be changed needs no copy: of a token that was seen before, the claims lie far away.
      claims: Object.isFrozen(principal.claims) ? principal.claims : { ...principal.claims }
    }
  }

  get token(): string {
    return Redacted.value(this.#principal.token) as unknown as string
  }
}

export const make = (principal: Principal["Service"], resource: string): AuthInfo => new Info(principal, resource)
