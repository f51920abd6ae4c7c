/**
 * Describes the quotas of callers, as the gate uses them. The option `quotas` creates them.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import type { QuotaExceeded, QuotaStoreUnavailable } from "../protocol/AuthError.ts"
import type { Operation } from "../protocol/Operation.ts"
import type { Caller } from "./Caller.ts"

/**
 * Counts what callers do. Each function fails if the caller has used up a quota.
 *
 * @category models
 * @since 0.1.0
 */
export interface CallerQuotas {
  /** Counts an authenticated request, before its session is checked and its body is read. */
  readonly countRequest: (caller: Caller) => Counted
  /** Counts the sessions and streams that the operations of a request open. */
  readonly countOperations: (caller: Caller, operations: ReadonlyArray<Operation>) => Counted
  /** Counts a verified DPoP proof of an owner, before it is stored. `undefined` if proofs have no quota. */
  readonly countProof: ((owner: string) => Counted) | undefined
}

/**
 * Completes if the caller is within its quotas.
 *
 * @category models
 * @since 0.1.0
 */
export type Counted = Effect.Effect<void, QuotaExceeded | QuotaStoreUnavailable>
