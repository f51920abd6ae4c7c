/**
 * Binds policies to the scopes of a server and to the services of a registration.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { decideBatch } from "./DecideBatch.ts"
import { evaluateCall, evaluateList, findGranted, scopesOfSignIn } from "./Evaluate.ts"
import { type Alternative, both, minimize, nameOf, sorted } from "./internal/alternatives.ts"
import type { BoundAlternative, BoundPolicy, Evaluator, Registration, Server } from "./OperationPolicy.ts"

/** The policies without checks of calls. They are made once, because an operation asks for them on each request. */
const reduced = new WeakMap<BoundPolicy, BoundPolicy>()

const withoutCallChecks: Evaluator["withoutCallChecks"] = (policy) => {
  const known = reduced.get(policy)
  if (known !== undefined) return known
  const alternatives = policy.alternatives.map(({ conditions, scopes }) => ({
    scopes: sorted(scopes),
    conditions: conditions.filter(({ dependsOn }) => dependsOn !== "call")
  }))
  const made = bind({ alternatives, isOpen: policy.isOpen }, policy.server, policy)
  reduced.set(policy, made)
  return made
}

/** An open policy requires nothing, so it adds nothing. */
const allOf: Evaluator["allOf"] = (policies) => {
  const [first, ...others] = policies.filter(({ isOpen }) => !isOpen)
  if (first === undefined) return policies[0]
  return others.reduce((left, right) =>
    bind(
      {
        isOpen: false,
        alternatives: left.alternatives.flatMap((a) => right.alternatives.map((b) => both(a, b)))
      },
      left.server,
      { services: Context.merge(left.services, right.services), decode: left.decode }
    ), first)
}

const evaluator: Evaluator = {
  findGranted,
  decideBatch,
  evaluateCall,
  evaluateList,
  withoutCallChecks,
  allOf,
  scopesOfSignIn: (policy) => scopesOfSignIn(policy)
}

/** Binds the alternatives of a policy to a server and a registration. */
export const bind = (
  { alternatives, isOpen }: { readonly alternatives: ReadonlyArray<Alternative>; readonly isOpen: boolean },
  server: Server,
  { decode = Effect.succeed, services = Context.empty() }: Registration = {}
): BoundPolicy => {
  const { baseline, effectiveScopes, offered } = server
  const places = new Map([...offered].map((scope, place) => [scope, place]))
  const placeOf = (scope: string) => places.get(scope) ?? places.size
  return {
    isOpen,
    // A caller who can have a scope that implies another one needs no alternative with both.
    alternatives: minimize(alternatives, "Policy", effectiveScopes)
      .map((alternative) => bindAlternative(alternative, placeOf, effectiveScopes))
      .sort((a, b) => a.power - b.power || a.place - b.place || (nameOf(a) < nameOf(b) ? -1 : 1)),
    baseline: effectiveScopes(new Set(baseline)),
    server,
    services,
    decode,
    evaluator
  }
}

const bindAlternative = (
  { conditions, scopes }: Alternative,
  placeOf: (scope: string) => number,
  effectiveScopes: Server["effectiveScopes"]
): BoundAlternative => {
  const ordered = [...scopes].sort((a, b) => placeOf(a) - placeOf(b))
  const core = coreOf(ordered, effectiveScopes)
  return {
    scopes: ordered,
    core,
    conditions,
    power: effectiveScopes(new Set(core)).size,
    place: Math.max(-1, ...core.map(placeOf)),
    granted: { _tag: "Granted", required: ordered }
  }
}

/** Returns the scopes that no other one implies. Of scopes that imply each other, the first one remains. */
const coreOf = (
  scopes: ReadonlyArray<string>,
  effectiveScopes: Server["effectiveScopes"]
): ReadonlyArray<string> => {
  const implies = (scope: string, other: string) => effectiveScopes(new Set([scope])).has(other)
  return scopes.filter((scope, place) =>
    !scopes.some((other, otherPlace) =>
      other !== scope && implies(other, scope) && (otherPlace < place || !implies(scope, other))
    )
  )
}
