/**
 * Decides about all operations of a request together.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import { sanitizeCause } from "../../protocol/RemoteText.ts"
import type { Principal } from "../../verification/Principal.ts"
import * as Answers from "./Answers.ts"
import { evaluate, evaluateForList, findGranted, scopesOfSignIn } from "./Evaluate.ts"
import { andThen } from "./internal/andThen.ts"
import {
  type Batch,
  type BatchVerdict,
  type BoundPolicy,
  isHiddenFrom,
  type ListVerdict,
  type OperationPolicy,
  type Question
} from "./OperationPolicy.ts"
import type { Verdict } from "./Verdict.ts"

/**
 * Decides about all operations of a request. The request is admitted as a whole, so one challenge must suffice for all of it.
 *
 * **Details**
 *
 * The scopes that one operation asks for count as held for the next ones, and the operations with the least choice come first.
 * So a batch of "`a` or `b`" and "`b`" asks for `b` alone. If an operation is denied, the request is denied.
 */
export const decideBatch = (batch: Batch): BatchVerdict | Effect.Effect<BatchVerdict> => {
  const verdicts = new Verdicts(batch)
  const ordered = [...batch.entries].sort((a, b) => choices(a) - choices(b))
  // The maximum number of operations of a body bounds the recursion.
  const from = (index: number): BatchVerdict | Effect.Effect<BatchVerdict> => {
    const entry = ordered[index]
    return entry === undefined ? verdicts.conclude() : andThen(
      decideEntry(entry, batch, verdicts.held),
      (verdict) => verdicts.add(entry.policy, verdict) ?? from(index + 1)
    )
  }
  // The other operations must make no difference to the answer to a hidden one, as they make none for one that does not exist.
  return batch.rejectsHidden
    ? andThen(findHidden(batch), (found) => found ? hidden : from(0))
    : from(0)
}

/** Returns whether an operation is hidden from a caller. Anonymous callers get one answer for all operations. */
const findHidden = ({ entries, principal, request }: Batch, index = 0): boolean | Effect.Effect<boolean> => {
  const entry = entries[index]
  if (principal === undefined || entry === undefined) return false
  const { rule, unauthorized } = entry.policy
  const next = () => findHidden({ entries, principal, request, rejectsHidden: true }, index + 1)
  if (unauthorized !== "hide" || rule === undefined) return next()
  const answers = Answers.forRequest(request, principal).forCall(rule)
  return andThen(
    evaluateVisibility({ policy: rule, principal, answers }, principal, request),
    (list) => list === "none" || next()
  )
}

type Entry = Batch["entries"][number]

/** The number of alternatives. A list of scopes is one alternative. */
const choices = ({ policy: { rule } }: Entry): number => rule === undefined ? 1 : rule.alternatives.length

/** Decides about one operation. Its verdict is `Hidden` if the caller is not granted any call of it. */
const decideEntry = (
  { call, policy }: Entry,
  { principal, request }: Batch,
  held: ReadonlySet<string>
): BatchVerdict | Effect.Effect<BatchVerdict> => {
  const { rule, unauthorized } = policy
  if (rule === undefined) return isHiddenFrom(policy, principal) ? hidden : decideScopes(policy, principal, held)
  if (principal === undefined) {
    const granted = findGranted(rule, principal)
    if (granted !== undefined) return granted
    return unauthorized === "hide" ? hidden : { _tag: "SignIn", required: scopesOfSignIn(rule, held) }
  }
  const question = { policy: rule, principal, call, answers: Answers.forRequest(request, principal).forCall(rule) }
  if (unauthorized !== "hide") return findGranted(rule, principal) ?? evaluate({ ...question, held })
  // Before a check of the call runs, the list must show the operation. Otherwise the answer would reveal that it exists.
  return andThen(
    evaluateVisibility(question, principal, request),
    (list): BatchVerdict | Effect.Effect<BatchVerdict> => list === "none" ? hidden : evaluate(question)
  )
}

/**
 * Evaluates a hidden operation for a list. If a check fails, the caller is not known to be entitled, so the operation stays hidden.
 * An error would reveal that it exists.
 */
const evaluateVisibility = (
  question: Omit<Question, "assumed" | "call">,
  principal: Principal,
  request: object
): ListVerdict | Effect.Effect<ListVerdict> => {
  const hide = (cause: Cause.Cause<never>): Effect.Effect<ListVerdict> => {
    Answers.forRequest(request, principal).hidden.add(question.policy)
    return Effect.as(
      Effect.logError("The check of a policy failed, so its operation is hidden", sanitizeCause(cause)),
      "none" as const
    )
  }
  try {
    const list = evaluateForList(question)
    if (!Effect.isEffect(list)) return list
    return Effect.catchCause(list, (cause) => Cause.hasInterruptsOnly(cause) ? Effect.failCause(cause) : hide(cause))
  } catch (defect) {
    return hide(Cause.die(defect))
  }
}

/** Decides about an operation that requires a list of scopes. */
const decideScopes = (
  { authenticated, scopes }: OperationPolicy,
  principal: Principal | undefined,
  held: ReadonlySet<string>
): Verdict => {
  if (principal === undefined && (scopes.length > 0 || authenticated === true)) {
    return { _tag: "SignIn", required: scopes }
  }
  const missing = scopes.filter((scope) => !held.has(scope))
  return missing.length === 0
    ? { _tag: "Granted", required: scopes }
    : { _tag: "MissingScopes", required: scopes, missing }
}

/** Collects the verdicts about the operations of a request. */
class Verdicts {
  /** The scopes that count as held by the operations that follow. Before sign-in, these are the baseline. */
  held: ReadonlySet<string>
  private readonly batch: Batch
  private readonly rule: BoundPolicy | undefined
  private readonly required = new Set<string>()
  private readonly granted = new Set<BoundPolicy>()
  private readonly invalid = new Set<BoundPolicy>()
  private pending: "Granted" | "InvalidArguments" | "MissingScopes" | "SignIn" = "Granted"

  constructor(batch: Batch) {
    this.batch = batch
    this.rule = batch.entries.find(({ policy }) => policy.rule !== undefined)?.policy.rule
    this.held = batch.principal?.scopes ?? this.rule?.baseline ?? none
  }

  /** Adds the verdict about an operation. Returns the verdict about the request if the other operations do not matter. */
  add({ rule, unauthorized }: OperationPolicy, verdict: BatchVerdict): BatchVerdict | undefined {
    switch (verdict._tag) {
      case "Denied":
        return verdict
      case "Hidden":
        // An anonymous caller gets the same answer as for an operation that does not exist.
        if (this.batch.principal === undefined) this.pending = "SignIn"
        return this.batch.rejectsHidden ? verdict : undefined
      case "Granted":
        if (rule !== undefined) this.granted.add(rule)
        this.require(verdict.required)
        return undefined
      case "InvalidArguments":
        this.invalid.add(rule!)
        if (this.pending === "Granted") this.pending = "InvalidArguments"
        return undefined
      case "SignIn":
        this.pending = "SignIn"
        if (unauthorized === "challenge") this.require(verdict.required)
        return undefined
      case "MissingScopes":
        if (unauthorized !== "challenge") {
          return { _tag: "Denied", failed: verdict.missing.map((scope) => `scope ${scope}`) }
        }
        this.pending = "MissingScopes"
        this.require(verdict.required)
        return undefined
    }
  }

  private require(scopes: ReadonlyArray<string>): void {
    for (const scope of scopes) this.required.add(scope)
    if (scopes.every((scope) => this.held.has(scope))) return
    const held = new Set([...this.held, ...scopes])
    this.held = this.rule?.server.effectiveScopes(held) ?? held
  }

  /** Returns the verdict about the request. */
  conclude(): Verdict {
    const { principal, request } = this.batch
    const required = [...this.required]
    switch (this.pending) {
      case "SignIn":
        return { _tag: "SignIn", required }
      case "MissingScopes":
        return {
          _tag: "MissingScopes",
          required,
          missing: required.filter((scope) => principal?.scopes.has(scope) !== true)
        }
      case "Granted":
      case "InvalidArguments": {
        // The guard inside the server then runs no check again. It must still reject calls whose arguments do not decode.
        if (principal !== undefined) {
          const { granted } = Answers.forRequest(request, principal)
          for (const rule of this.granted) if (!this.invalid.has(rule)) granted.add(rule)
        }
        return this.pending === "Granted" ? { _tag: "Granted", required } : { _tag: "InvalidArguments" }
      }
    }
  }
}

const hidden: BatchVerdict = { _tag: "Hidden" }

const none: ReadonlySet<string> = new Set()
