/**
 * Decides from the caller and the operations of a request whether the request is admitted.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import type * as Effect from "effect/Effect"
import { InsufficientScope, MalformedRequest } from "../protocol/AuthError.ts"
import { maximumTarget, type Operation } from "../protocol/Operation.ts"
import type { Caller } from "./Caller.ts"
import type { Reject } from "./internal/reject.ts"
import { isHiddenFrom, type OperationPolicy } from "./policy/OperationPolicy.ts"
import type { RecordDecision } from "./RecordDecision.ts"
import type * as Rejection from "./Rejection.ts"

/**
 * The functions and settings that authorization needs.
 *
 * @category models
 * @since 0.1.0
 */
export interface Parts {
  readonly unlisted: "allow" | "deny"
  readonly reject: Reject
  readonly record: RecordDecision
}

/**
 * Decides whether a caller may run all of these operations, and reports the decision. Fails with the rejection if the caller
 * may not run one of them.
 *
 * @category models
 * @since 0.1.0
 */
export type Authorize = (
  caller: Caller,
  operations: ReadonlyArray<Operation>,
  policyFor: (operation: Operation) => OperationPolicy | undefined
) => Effect.Effect<void, Rejection.Rejection>

/**
 * Makes the function that decides.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make =
  ({ reject: { reject, rejectCause, signIn }, record, unlisted }: Parts): Authorize =>
  (caller, operations, policyFor) => {
    const { principal, request, timing } = caller
    const rejectFor = (error: InsufficientScope) => reject(caller, error, { operations })
    let required: ReadonlyArray<string> = none
    let needsPrincipal = false
    for (const operation of operations) {
      if (operation.target !== undefined && operation.target.length > maximumTarget) return reject(caller, nameTooLong)
      let policy: OperationPolicy | undefined
      try {
        policy = policyFor(operation)
      } catch (defect) {
        return rejectCause(caller, Cause.die(defect), { operations })
      }
      // No policy: the operation does not exist. The MCP server behind the gate answers with its usual error.
      if (policy === undefined) continue
      // A hidden operation must look as if it did not exist, so the MCP server answers it with the same error.
      const isHidden = isHiddenFrom(policy, principal)
      if ((isHidden || policy.scopes.length === 0) && unlisted === "deny" && operation.kind !== undefined) {
        return rejectFor(new InsufficientScope({ reason: "unlisted", required: [] }))
      }
      if (isHidden || policy.authenticated === true) needsPrincipal = true
      if (isHidden) continue
      for (const scope of policy.scopes) if (!required.includes(scope)) required = [...required, scope]
    }
    if (principal === undefined && (needsPrincipal || required.length > 0)) return signIn(caller, required, operations)
    if (principal !== undefined && required.some((scope) => !principal.scopes.has(scope))) {
      return rejectFor(new InsufficientScope({ reason: "missing-scope", required }))
    }
    return record({ rejection: undefined, principal, operations, required, timing }, request.fiber)
  }

const none: ReadonlyArray<never> = []

const nameTooLong = new MalformedRequest({ reason: "name-too-long" })
