/**
 * Decides from the caller and the operations of a request whether the request is admitted.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { AccessDenied, InsufficientScope, MalformedRequest } from "../protocol/AuthError.ts"
import { own } from "../protocol/Json.ts"
import { maximumTarget, type Operation } from "../protocol/Operation.ts"
import type { Principal } from "../verification/Principal.ts"
import type { Caller } from "./Caller.ts"
import { attempt, type Reject } from "./internal/reject.ts"
import { type Batch, type BatchVerdict, isHiddenFrom, type OperationPolicy } from "./policy/OperationPolicy.ts"
import type { Granted } from "./policy/Verdict.ts"
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
  /** Adds the services of the request to a context, for the checks of policies. */
  readonly provideCaller: (context: Context.Context<never>, principal: Principal) => Context.Context<never>
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
export const make = ({ provideCaller, record, reject: rejecting, unlisted }: Parts): Authorize => {
  const { reject, rejectCause, signIn } = rejecting

  /** Decides about operations if the policy of at least one of them is more than a list of scopes. */
  const authorizeRules = (
    caller: Caller,
    operations: ReadonlyArray<Operation>,
    entries: Batch["entries"],
    decideBatch: (batch: Batch) => BatchVerdict | Effect.Effect<BatchVerdict>
  ): Effect.Effect<void, Rejection.Rejection> => {
    const { principal, request, timing } = caller
    const details = { operations }
    const answer = (verdict: BatchVerdict): Effect.Effect<void, Rejection.Rejection> => {
      switch (verdict._tag) {
        case "Granted":
          return record(
            { rejection: undefined, principal, operations, required: verdict.required, timing },
            request.fiber
          )
        // The guard inside the server rejects these calls with the error that models understand.
        case "InvalidArguments":
          return record({ rejection: undefined, principal, operations, required: none, timing }, request.fiber)
        case "MissingScopes":
          return reject(caller, new InsufficientScope({ reason: "missing-scope", required: verdict.required }), details)
        case "Denied":
          return reject(caller, new AccessDenied({ reason: "denied", failed: verdict.failed }), details)
        case "SignIn":
          return signIn(caller, verdict.required, operations)
        case "Hidden":
          return reject(caller, unlistedRejected, details)
      }
    }
    // A check is code of the author, so it can throw or die. Then the server answers 500, and never admits the request.
    return Effect.flatMapEager(
      attempt(
        () => {
          const verdict = decideBatch({ entries, principal, request, rejectsHidden: unlisted === "deny" })
          if (!Effect.isEffect(verdict)) return Effect.succeed(verdict)
          return principal === undefined
            ? verdict
            : Effect.updateContext(verdict, (context: Context.Context<never>) => provideCaller(context, principal))
        },
        (cause) => rejectCause(caller, cause, details)
      ),
      answer
    )
  }

  return (caller, operations, policyFor) => {
    const { principal, request, timing } = caller
    let required: ReadonlyArray<string> = none
    let failed: ReadonlyArray<string> = none
    let needsPrincipal = false
    let entries: Array<Batch["entries"][number]> | undefined
    let rule: OperationPolicy["rule"]
    let defect: { readonly cause: unknown } | undefined
    let isUnlisted = false
    for (const { target } of operations) {
      if (target !== undefined && target.length > maximumTarget) return reject(caller, nameTooLong)
    }
    for (const operation of operations) {
      let policy: OperationPolicy | undefined
      let granted: Granted | undefined
      try {
        policy = policyFor(operation)
        if (operations.length === 1) granted = policy?.rule?.evaluator.findGranted(policy.rule, principal)
      } catch (cause) {
        // A hidden operation is decided below: an error would reveal that it exists.
        if (policy?.unauthorized !== "hide") {
          defect ??= { cause }
          continue
        }
      }
      if (granted !== undefined) {
        return record(
          { rejection: undefined, principal, operations, required: granted.required, timing },
          request.fiber
        )
      }
      // No policy: the operation does not exist. The MCP server behind the gate answers with its usual error.
      if (policy === undefined) continue
      // A batch may have a rule later, so its policies are kept. They must not be looked up twice.
      if (policy.rule !== undefined || operations.length > 1) {
        rule ??= policy.rule
        entries ??= []
        entries.push({ policy, call: toCall(operation) })
        if (policy.rule !== undefined) continue
      }
      // A hidden operation must look as if it did not exist, so the MCP server answers it with the same error.
      const isHidden = isHiddenFrom(policy, principal)
      if ((isHidden || policy.scopes.length === 0) && unlisted === "deny" && needsScopes(operation)) {
        isUnlisted = true
        continue
      }
      if (isHidden || policy.authenticated === true) needsPrincipal = true
      if (isHidden) continue
      if (policy.unauthorized === "deny") {
        if (policy.scopes.length > 0) needsPrincipal = true
        const missing = policy.scopes.filter((scope) => principal?.scopes.has(scope) !== true)
        if (missing.length > 0) failed = [...failed, ...missing.map((scope) => `scope ${scope}`)]
        continue
      }
      for (const scope of policy.scopes) if (!required.includes(scope)) required = [...required, scope]
    }
    // The other operations of a batch make no difference to these answers. Otherwise a hidden operation that a check decides about below
    // would get another answer than one that does not exist.
    if (defect !== undefined) return rejectCause(caller, Cause.die(defect.cause), { operations })
    if (isUnlisted) return reject(caller, unlistedRejected, { operations })
    if (rule !== undefined && entries !== undefined) {
      return authorizeRules(caller, operations, entries, rule.evaluator.decideBatch)
    }
    if (principal === undefined && (needsPrincipal || required.length > 0)) return signIn(caller, required, operations)
    if (principal !== undefined && failed.length > 0) {
      return reject(caller, new AccessDenied({ reason: "denied", failed }), { operations })
    }
    if (principal !== undefined && required.some((scope) => !principal.scopes.has(scope))) {
      return reject(caller, new InsufficientScope({ reason: "missing-scope", required }), { operations })
    }
    return record({ rejection: undefined, principal, operations, required, timing }, request.fiber)
  }
}

/** Returns whether `unlisted` applies to an operation. Lists contain only what the caller may use, so they need no scopes. */
const needsScopes = ({ kind, method }: Operation): boolean => kind !== undefined && method !== "tasks/list"

/** Returns the call of an operation, as checks receive it. A policy decodes its arguments. */
const toCall = ({ method, params, target = "" }: Operation) => ({ method, target, arguments: own(params, "arguments") })

const none: ReadonlyArray<never> = []

const nameTooLong = new MalformedRequest({ reason: "name-too-long" })

const unlistedRejected = new InsufficientScope({ reason: "unlisted", required: [] })
