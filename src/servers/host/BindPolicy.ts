import type * as Context from "effect/Context"
import type { BoundPolicy, PolicyInput, Server } from "../../authorization/policy/OperationPolicy.ts"
import type { AnyPolicy, OpenPolicy, PerRequest, Policy } from "../../authorization/policy/Policy.ts"
import * as ConfigOption from "../../protocol/ConfigOption.ts"

/* Recognizes values of `Policy`, and binds them to the scopes and the services of a server. */

/** Any policy that an operation can have. */
export type AnyValue = AnyPolicy | OpenPolicy<string>

/**
 * A policy that a server can evaluate: the server offers the scopes and provides the services. Its checks read no arguments other
 * than `Args`.
 */
export type Evaluable<Offered extends string, R, Args> =
  | Policy<Offered, R | (R extends unknown ? PerRequest<R> : never), Args>
  | OpenPolicy<Offered>

/** The requirement of an operation of a host: scopes, or a policy. */
export type Requirement<Offered extends string, R> =
  // A policy has the member `scopes` as well, so without `bind` every policy would be an input.
  | PolicyInput<Offered> & { readonly bind?: never }
  | Evaluable<Offered, R, unknown>

/**
 * Returns whether a value is a policy. It recognizes the members, because `instanceof` would load the module of policies for
 * servers that use none, and would reject policies of another copy of this library.
 */
export const isPolicy = (value: unknown): value is AnyValue => {
  const { alternatives, bind, scopes } = (value ?? {}) as { alternatives?: unknown; bind?: unknown; scopes?: unknown }
  return typeof bind === "function" && Array.isArray(alternatives) && Array.isArray(scopes)
}

/**
 * Binds a policy to a server. `what` names its operation or option. Throws `AuthConfigError` if the server does not offer one of
 * the scopes, because clients could not obtain it.
 */
export type BindPolicy = (policy: AnyValue, what: string) => BoundPolicy

/**
 * Creates the function that binds policies to one server. `services` contains the services of the option `layer`. Each policy is
 * bound once.
 */
export const make = (server: Server, services: Context.Context<never>): BindPolicy => {
  const bound = new WeakMap<AnyValue, BoundPolicy>()
  return (policy, what) => {
    const known = bound.get(policy)
    if (known !== undefined) return known
    const missing = policy.scopes.find((scope) => !server.offered.has(scope))
    if (missing !== undefined) {
      throw ConfigOption.error(
        "scopes",
        `${what} requires ${missing}, which the server does not offer. Add it to scopes (baseline or stepUp)`,
        "not-offered"
      )
    }
    const made = policy.bind(server, { services })
    bound.set(policy, made)
    return made
  }
}
