/**
 * Decides about all operations of a request together.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import type { Principal } from "../../verification/Principal.ts"
import { evaluate, evaluateForList, findGranted, scopesOfSignIn } from "./Evaluate.ts"
import { andThen } from "./internal/andThen.ts"
import {
  type BatchVerdict,
  type BoundPolicy,
  type Entry,
  isHiddenFrom,
  type OperationPolicy
} from "./OperationPolicy.ts"
import type { Verdict } from "./Verdict.ts"

/**
 * Decides about all operations of a request. The request is admitted as a whole, so one challenge must suffice for all of it.
 *
 * **Details**
 *
 * The scopes that one operation asks for count as held for the next ones, and the operations with the least choice come first.
 * So a batch of "`a` or `b`" and "`b`" asks for `b` alone. If an operation is denied, the request is denied.
 *
 * With `rejectsHidden`, the verdict is `Hidden` if an operation is hidden from the caller. Without it, the server answers such an
 * operation as if it did not exist.
 *
 * If no check has to run, the verdict is returned without an Effect.
 */
export const decideBatch = (
  entries: ReadonlyArray<Entry>,
  principal: Principal | undefined,
  rejectsHidden: boolean
): BatchVerdict | Effect.Effect<BatchVerdict> => {
  const rule = entries.find(({ policy }) => policy.rule !== undefined)?.policy.rule
  const batch = new Batch(principal, rule, rejectsHidden)
  const ordered = [...entries].sort((a, b) => choices(a) - choices(b))
  // The maximum number of operations of a body bounds the recursion.
  const from = (index: number): BatchVerdict | Effect.Effect<BatchVerdict> => {
    const entry = ordered[index]
    return entry === undefined ? batch.verdict() : andThen(
      decideEntry(entry, principal, batch.held),
      (verdict) => batch.add(entry.policy, verdict) ?? from(index + 1)
    )
  }
  return from(0)
}

/** The number of alternatives. A list of scopes is one alternative. */
const choices = ({ policy: { rule } }: Entry): number => rule === undefined ? 1 : rule.alternatives.length

/** Decides about one operation. Its verdict is `Hidden` if the caller is not granted any call of it. */
const decideEntry = (
  { answers, call, policy }: Entry,
  principal: Principal | undefined,
  held: ReadonlySet<string>
): BatchVerdict | Effect.Effect<BatchVerdict> => {
  const { rule, unauthorized } = policy
  if (rule === undefined) return isHiddenFrom(policy, principal) ? hidden : decideScopes(policy, principal, held)
  const granted = findGranted(rule, principal)
  if (granted !== undefined) return granted
  if (unauthorized !== "hide") {
    return principal === undefined
      ? { _tag: "SignIn", required: scopesOfSignIn(rule, held) }
      : evaluate({ policy: rule, principal, held, call, answers })
  }
  // Before a check of the call runs, the list must show the operation. Otherwise the answer would reveal that it exists.
  const question = { policy: rule, principal, call, answers }
  return andThen(
    evaluateForList(question),
    (list): BatchVerdict | Effect.Effect<BatchVerdict> => list === "none" ? hidden : evaluate(question)
  )
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
class Batch {
  /** The scopes that count as held by the operations that follow. Before sign-in, these are the baseline. */
  held: ReadonlySet<string>
  private readonly principal: Principal | undefined
  private readonly rule: BoundPolicy | undefined
  private readonly rejectsHidden: boolean
  private readonly required = new Set<string>()
  private pending: "Granted" | "InvalidArguments" | "MissingScopes" | "SignIn" = "Granted"

  constructor(principal: Principal | undefined, rule: BoundPolicy | undefined, rejectsHidden: boolean) {
    this.principal = principal
    this.rule = rule
    this.rejectsHidden = rejectsHidden
    this.held = principal?.scopes ?? rule?.baseline ?? none
  }

  /** Adds the verdict about an operation. Returns the verdict about the request if the other operations do not matter. */
  add({ unauthorized }: OperationPolicy, verdict: BatchVerdict): BatchVerdict | undefined {
    switch (verdict._tag) {
      case "Denied":
        return verdict
      case "Hidden":
        // An anonymous caller gets the same answer as for an operation that does not exist.
        if (this.principal === undefined) this.pending = "SignIn"
        return this.rejectsHidden ? verdict : undefined
      case "Granted":
        this.require(verdict.required)
        return undefined
      case "InvalidArguments":
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
    this.held = this.rule?.effectiveScopes(held) ?? held
  }

  verdict(): Verdict {
    const required = [...this.required]
    switch (this.pending) {
      case "InvalidArguments":
        return { _tag: "InvalidArguments" }
      case "MissingScopes":
        return {
          _tag: "MissingScopes",
          required,
          missing: required.filter((scope) => this.principal?.scopes.has(scope) !== true)
        }
      case "Granted":
      case "SignIn":
        return { _tag: this.pending, required }
    }
  }
}

const hidden: BatchVerdict = { _tag: "Hidden" }

const none: ReadonlySet<string> = new Set()
