import * as Redacted from "effect/Redacted"
import type { Gate } from "../../authorization/Gate.ts"
import type { Principal } from "../../verification/Principal.ts"

/**
 * The caller in the form that the official SDKs pass to their handlers.
 *
 * **Gotchas**
 *
 * `token` is the access token in plain text, because the SDKs require it. It is not enumerable, so logs, copies and the JSON of
 * this object do not contain it. For an API key, it is the public identifier of the key. `clientId` is empty if the token names
 * no client. `extra.claims` are frozen if the token was cached.
 *
 * @category models
 * @since 0.1.0
 */
export interface AuthInfo {
  token: string
  clientId: string
  /** The granted scopes: those of the token and those that they imply. */
  scopes: Array<string>
  /** When the token expires, in seconds since 1970. */
  expiresAt?: number
  /** The resource identifier of this server, or of the caller's tenant. */
  resource?: URL
  /** `subject`, `issuer`, `audience`, `tenant` if there is one, and `claims` with every claim of the token. */
  extra?: Record<string, unknown>
}

/** The implementation of `AuthInfo`. Each request has a new object, because handlers can change it. */
// A class, so that `token` is a getter of the prototype, which logs and copies skip. Hiding a property of an object literal
// takes longer than the rest of the constructor.
class Info implements AuthInfo {
  clientId: string
  scopes: Array<string>
  expiresAt: number
  resource: URL
  extra: Record<string, unknown>
  readonly #principal: Principal
  readonly #gate: Gate
  readonly #request: object | undefined

  constructor(principal: Principal, gate: Gate, request: object | undefined) {
    this.#principal = principal
    this.#gate = gate
    this.#request = request
    this.clientId = principal.clientId ?? ""
    this.scopes = [...principal.scopes]
    this.expiresAt = principal.expiresAt
    this.resource = new URL(gate.published.resourceFor(principal).resource)
    const extra: Record<string, unknown> = {
      subject: principal.subject,
      issuer: principal.issuer,
      audience: [...principal.audience],
      // The claims of a cached token are frozen, so handlers cannot change them, and they need no copy. A copy would read every
      // claim from memory that is no longer in the CPU's cache.
      claims: Object.isFrozen(principal.claims) ? principal.claims : { ...principal.claims }
    }
    if (principal.tenant !== undefined) extra["tenant"] = principal.tenant
    this.extra = extra
  }

  get token(): string {
    return Redacted.value(this.#principal.token) as unknown as string
  }

  static principalOf(info: unknown, gate: Gate): Principal | undefined {
    return typeof info === "object" && info !== null && #principal in info && info.#gate === gate
      ? info.#principal
      : undefined
  }

  static requestOf(info: object): object {
    return #request in info ? info.#request ?? info : info
  }
}

/** Creates the `AuthInfo` of a principal. `request` is the request that the gate received, if there is one. */
export const make = (principal: Principal, gate: Gate, request?: object): AuthInfo => new Info(principal, gate, request)

/**
 * Returns the principal of an `AuthInfo` that this gate created, and `undefined` for every other value, even one with the same
 * members.
 */
// The principal is in a private field. A `WeakMap` would need an entry for each request, which takes time in garbage
// collection.
export const principalOf = (info: unknown, gate: Gate): Principal | undefined => Info.principalOf(info, gate)

/**
 * Returns the object that identifies the request of an `AuthInfo`: the results of the checks of policies are kept for it. Without a
 * request, it is the `AuthInfo` itself, which belongs to one message.
 */
export const requestOf = (info: object): object => Info.requestOf(info)
