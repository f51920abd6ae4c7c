/**
 * Decides whether registrations with a policy are hidden from a caller.
 *
 * The SDKs look up registrations synchronously, and checks can wait for I/O. So the checks run before a lookup, and their results
 * are kept for the request.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type { BoundPolicy, ListVerdict } from "../../authorization/policy/OperationPolicy.ts"
import { sanitizeCause } from "../../protocol/RemoteText.ts"
import type { Principal } from "../../verification/Principal.ts"

/** The caller for which registrations are looked up. */
export interface Viewer {
  readonly principal: Principal | undefined
  /** Identifies the request of the caller. The results of checks are kept for it. An anonymous caller needs none. */
  readonly request: object | undefined
}

/** A caller without credentials. */
export const anonymousViewer: Viewer = { principal: undefined, request: undefined }

/** Provides the services of the request of a caller to an Effect. */
export type WithServices = <A>(effect: Effect.Effect<A>, principal: Principal) => Effect.Effect<A>

/** The functions that decide about registrations with a policy and `unauthorized: "hide"`. */
export interface Visibility {
  readonly isHidden: (rule: BoundPolicy, viewer: Viewer) => boolean
  readonly evaluate: (rule: BoundPolicy, viewer: Viewer) => Effect.Effect<void> | undefined
}

export const makeVisibility = (withServices: WithServices): Visibility => {
  /** The policies with a check that died, for each request. Their checks must not run again. */
  const failed = new WeakMap<object, Set<BoundPolicy>>()

  const evaluateList = (
    rule: BoundPolicy,
    { principal, request }: Viewer
  ): ListVerdict | Effect.Effect<ListVerdict> => {
    if (request !== undefined && failed.get(request)?.has(rule) === true) return "none"
    try {
      return rule.evaluator.evaluateList(rule, principal, request)
    } catch (defect) {
      return Effect.die(defect)
    }
  }

  const fail = (rule: BoundPolicy, request: object | undefined): void => {
    if (request === undefined) return
    const known = failed.get(request)
    if (known === undefined) failed.set(request, new Set([rule]))
    else known.add(rule)
  }

  return {
    isHidden: (rule, viewer) => {
      const verdict = evaluateList(rule, viewer)
      return Effect.isEffect(verdict) || verdict === "none"
    },
    evaluate: (rule, viewer) => {
      const { principal, request } = viewer
      if (principal === undefined || !Effect.isEffect(evaluateList(rule, viewer))) return undefined
      // Another registration can have the same check, so the list is evaluated again when its turn comes.
      const evaluated = Effect.suspend(() => {
        const verdict = evaluateList(rule, viewer)
        return Effect.isEffect(verdict) ? verdict : Effect.succeed(verdict)
      })
      return Effect.catchCause(Effect.asVoid(withServices(evaluated, principal)), (cause) => {
        if (Cause.hasInterruptsOnly(cause)) return Effect.failCause(cause as Cause.Cause<never>)
        fail(rule, request)
        return Effect.logError("The check of a policy failed, so its operation is hidden", sanitizeCause(cause))
      })
    }
  }
}
