import * as Effect from "effect/Effect"
import type { Principal } from "../../../verification/Principal.ts"
import type { Verifier } from "../../../verification/TokenVerifier.ts"
import * as AllowedHosts from "../../AllowedHosts.ts"
import type { Caller, Request } from "../../Caller.ts"
import type { Gate } from "../../Gate.ts"

/* Combines the gates of several resources into one. The host of a request selects the gate, which then decides alone: it knows
 * the audience, the metadata and the DPoP URL of one resource only, so a token for another resource is foreign to it. */

const allowsHostOf = (resource: string) => AllowedHosts.make(resource, [new URL(resource).hostname])!

/** Tells whether a host can belong to both resources. */
export const isAmbiguous = (one: string, other: string): boolean =>
  allowsHostOf(one)(new URL(other).hostname) || allowsHostOf(other)(new URL(one).hostname)

/** Copies the principals of a verifier, so that two gates never get the same object. */
export const withSeparatePrincipals = (verifier: Verifier): Verifier => ({
  verify: (...request) =>
    Effect.mapEager(verifier.verify(...request), (verified) => ({ ...verified, principal: { ...verified.principal } }))
})

/** Combines gates that share their sessions. Each gate allows only its own host. */
export const combine = (gates: readonly [Gate, ...ReadonlyArray<Gate>]): Gate => {
  const [first] = gates
  const places = gates.map((gate) => ({ gate, allowsHost: allowsHostOf(gate.resource.resource) }))
  const gateAt = (hosts: ReadonlyArray<string>): Gate | undefined =>
    hosts.length === 0 ? undefined : places.find(({ allowsHost }) => hosts.every(allowsHost))?.gate

  // A request and its principal stay with the gate that authenticated them, even if other code changes the `Host` header later.
  const ofRequests = new WeakMap<Request, Gate>()
  const ofPrincipals = new WeakMap<Principal, Gate>()
  const gateOf = ({ request }: Caller): Gate => ofRequests.get(request) ?? first
  const gateFor = (principal: Principal | undefined): Gate =>
    (principal === undefined ? undefined : ofPrincipals.get(principal)) ?? first
  const keep = (gate: Gate, caller: Caller): Caller => {
    ofRequests.set(caller.request, gate)
    if (caller.principal !== undefined) ofPrincipals.set(caller.principal, gate)
    return caller
  }

  return {
    resource: first.resource,
    published: {
      ...first.published,
      resources: gates.map((_) => _.resource),
      resourceAt: (hosts) => gateAt(hosts)?.resource,
      resourceFor: (principal) => gateFor(principal).resource,
      // A page at the origin of a resource needs no CORS for that resource, and gets none for the others.
      allowsOrigin: (origin) => gates.every((_) => _.published.allowsOrigin(origin))
    },
    ready: first.ready,
    authenticate: (request) => {
      // The first gate rejects a host that belongs to no resource.
      const gate = gateAt(request.host ?? []) ?? first
      return Effect.mapEager(gate.authenticate(request), (caller) => keep(gate, caller))
    },
    // The gates share their sessions. The gate of the caller's URL makes the rejections.
    sessions: {
      ...first.sessions,
      check: (caller, session) => gateOf(caller).sessions.check(caller, session),
      checkStream: (caller, session) => gateOf(caller).sessions.checkStream(caller, session),
      open: (caller, session) => gateOf(caller).sessions.open(caller, session),
      end: (caller, session) => gateOf(caller).sessions.end(caller, session)
    },
    recheck: (caller, awaited) => {
      const gate = gateOf(caller)
      return Effect.mapEager(gate.recheck(caller, awaited), (again) => keep(gate, again))
    },
    authorize: (caller, ...rest) => gateOf(caller).authorize(caller, ...rest),
    recordAdmission: (caller, facts) => gateOf(caller).recordAdmission(caller, facts),
    reject: (caller, ...rest) => gateOf(caller).reject(caller, ...rest),
    provideCaller: (context, principal) => gateFor(principal).provideCaller(context, principal),
    claimsFor: first.claimsFor === undefined ? undefined : (principal) => gateFor(principal).claimsFor?.(principal),
    // The failure of one gate must not keep the target from the others.
    invalidate: (target) =>
      Effect.flatMap(
        Effect.forEach(gates, (gate) => Effect.exit(gate.invalidate(target))),
        (exits) => Effect.forEach(exits, (exit) => exit, { discard: true })
      ),
    untilStreamEnds: (caller, end) => gateOf(caller).untilStreamEnds(caller, end)
  }
}
