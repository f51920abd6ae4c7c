/**
 * The known results of the conditions of policies, during one request.
 *
 * @since 0.1.0
 */
import type { Principal } from "../../verification/Principal.ts"
import type { Answers, BoundPolicy } from "./OperationPolicy.ts"

/**
 * The results of one request. Results about the caller are shared by the operations whose checks use the same services. They are
 * never shared between requests, because a result can change while the token stays the same.
 *
 * @category models
 * @since 0.1.0
 */
export interface RequestAnswers {
  /** Returns the results for a call of an operation with this policy. */
  readonly forCall: (policy: BoundPolicy) => Answers
  /** The policies of which the gate has granted every call of the request. */
  readonly granted: Set<BoundPolicy>
  /** The policies with a check that failed, so that their operations are hidden. Their checks must not run again. */
  readonly hidden: Set<BoundPolicy>
}

/**
 * Creates the results of a request. None is known yet.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (): RequestAnswers => {
  const byServices = new Map<BoundPolicy["services"], Pick<Answers, "caller" | "failed">>()
  return {
    granted: new Set(),
    hidden: new Set(),
    forCall: ({ services }) => {
      let known = byServices.get(services)
      if (known === undefined) byServices.set(services, known = { caller: new Map(), failed: new Map() })
      return { ...known, call: new Map() }
    }
  }
}

const requests = new WeakMap<object, { readonly principal: Principal; readonly answers: RequestAnswers }>()

/**
 * Returns the results of a request for a caller. The same request with another principal has other results. Without a request, no
 * result is kept.
 *
 * @category getters
 * @since 0.1.0
 */
export const forRequest = (request: object | undefined, principal: Principal): RequestAnswers => {
  if (request === undefined) return make()
  const known = requests.get(request)
  if (known?.principal === principal) return known.answers
  const answers = make()
  requests.set(request, { principal, answers })
  return answers
}
