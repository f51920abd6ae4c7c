import * as Redacted from "effect/Redacted"
import type { Principal } from "../../verification/Principal.ts"

/**
 * The caller in the shape that the official SDKs hand to their handlers.
 *
 * **Gotchas**
 *
 * `token` is the access token in clear, as the SDKs want it. It is not enumerable, so that logging, spreading or
 * serialising this object leaves it out. `clientId` is empty where the token names no client.
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

/** A new object for each request: handlers may change it. */
export const make = (principal: Principal["Service"], resource: string): AuthInfo =>
  Object.defineProperty(
    {
      token: "",
      clientId: principal.clientId ?? "",
      scopes: [...principal.scopes],
      expiresAt: principal.expiresAt,
      resource: new URL(resource),
      extra: {
        subject: principal.subject,
        issuer: principal.issuer,
        audience: [...principal.audience],
        claims: { ...principal.claims }
      }
    },
    "token",
    { value: Redacted.value(principal.token), enumerable: false }
  )
