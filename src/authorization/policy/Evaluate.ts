/**
 * Evaluates bound policies: which verdict a policy has about a caller and a call.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { Principal } from "../../verification/Principal.ts"
import * as Answers from "./Answers.ts"
import type { Call, Condition } from "./Condition.ts"
import { andThen } from "./internal/andThen.ts"
import type { BoundAlternative, BoundPolicy, Evaluator, ListVerdict, Question } from "./OperationPolicy.ts"
import type { Granted, Verdict } from "./Verdict.ts"

/**
 * Returns the verdict about callers who satisfy a policy with their scopes, roles and claims, or `undefined` if that is not known
 * without further evaluation.
 *
 * This is the fast path. It allocates nothing: it has no closures, and returns a verdict that was made before.
 */
export const findGranted = (
  { alternatives, isOpen }: BoundPolicy,
  principal: Principal | undefined,
  held: ReadonlySet<string> | undefined = principal?.scopes
): Granted | undefined => {
  if (isOpen) return openGranted
  if (principal === undefined || held === undefined) return undefined
  next:
  for (const { conditions, core, granted } of alternatives) {
    for (const scope of core) if (!held.has(scope)) continue next
    for (const { dependsOn, test } of conditions) {
      if (dependsOn !== "token" || test(principal, noCall) !== true) continue next
    }
    return granted
  }
  return undefined
}

/**
 * Returns the verdict, or the one condition to evaluate next. It is pure.
 *
 * The alternatives are ordered by their cost. The first one whose conditions hold decides, so a check runs only if its result can
 * change the answer.
 */
export const decide = (question: Question): Verdict | Condition => {
  const { policy, principal, held = principal?.scopes } = question
  if (policy.isOpen) return openGranted
  if (principal === undefined || held === undefined) return { _tag: "SignIn", required: scopesOfSignIn(policy, held) }
  const failed = new Set<string>()
  for (const { conditions, core, granted, scopes } of byCost(policy.alternatives, policy.baseline, held)) {
    const results = conditions.map((condition) => resultOf(condition, question, principal))
    if (results.includes(false)) {
      conditions.forEach(({ label }, index) => results[index] === false && failed.add(label))
      continue
    }
    const unknown = results.indexOf(undefined)
    if (unknown !== -1) return conditions[unknown]!
    const missing = core.filter((scope) => !held.has(scope))
    return missing.length === 0 ? granted : { _tag: "MissingScopes", required: scopes, missing }
  }
  return { _tag: "Denied", failed: [...failed].sort() }
}

/** Returns the result of a condition, or `undefined` if it is not known yet. */
const resultOf = (
  { dependsOn, key, test }: Condition,
  { answers, assumed }: Question,
  principal: Principal
): boolean | undefined => {
  if (dependsOn === "call") return assumed ?? answers.call.get(key)
  const known = answers.caller.get(key)
  if (known !== undefined || dependsOn === "caller") return known
  const result = test(principal, noCall) === true
  answers.caller.set(key, result)
  return result
}

/**
 * Evaluates a policy. Runs the checks whose results are needed, one after the other, each at most once. If no check has to run,
 * the verdict is returned without an Effect.
 *
 * A check that throws, dies, fails or rejects becomes a defect, never a grant.
 */
export const evaluate = (question: Question): Verdict | Effect.Effect<Verdict> => {
  const { policy, principal, held } = question
  const granted = findGranted(policy, principal, held)
  if (granted !== undefined) return granted
  const next = decide(question)
  return "_tag" in next ? next : andThen(run(next, question), (result) => result ?? evaluate(question))
}

/** Runs a check, and stores its result. Returns a verdict only if the arguments of the call do not decode. */
const run = (
  condition: Condition,
  { answers, call, policy, principal }: Question
): Effect.Effect<Verdict | undefined> => {
  const { dependsOn, key, test } = condition
  const ask = (call: Call, results: Map<unknown, boolean>): Effect.Effect<undefined> =>
    Effect.suspend(() => {
      const result = test(principal!, call)
      return Effect.isEffect(result)
        ? provide(policy, result as Effect.Effect<boolean>)
        : Effect.promise(async () => result)
    }).pipe(
      Effect.orDie,
      // This runs only if the check interrupts itself, not if the client aborts the request.
      Effect.catchCause((cause) => Cause.hasInterruptsOnly(cause) ? Effect.die(interrupted) : Effect.failCause(cause)),
      Effect.timeoutOrElse({ duration: longestCheck, orElse: () => Effect.die(tooSlow) }),
      Effect.flatMap((result: unknown) => {
        // A program in JavaScript can return any value. Only `true` is a grant.
        results.set(key, result === true)
        return typeof result === "boolean" ? Effect.undefined : warnOfResult(condition, result)
      })
    )
  if (dependsOn === "caller") {
    // A list asks the same check for each of its tools. A check that failed must not run again for each of them.
    return answers.failed.get(key) ?? Effect.tapCause(
      ask(noCall, answers.caller),
      (cause) => Effect.sync(() => answers.failed.set(key, Effect.failCause(cause)))
    )
  }
  return Effect.matchEffect(answers.decoded ?? provide(policy, policy.decode(call.arguments)), {
    onFailure: () => Effect.succeed<Verdict>(invalidArguments),
    onSuccess: (decoded) => {
      answers.decoded = Effect.succeed(decoded)
      return ask({ ...call, arguments: decoded }, answers.call)
    }
  })
}

/** The checks whose result was reported, so that the log contains one line about each. */
const reported = new WeakSet<Condition>()

/** Logs that a check returned a value of another type. Without the line, its author would see only that the call is denied. */
const warnOfResult = (condition: Condition, result: unknown): Effect.Effect<undefined> => {
  if (reported.has(condition)) return Effect.undefined
  reported.add(condition)
  // The type alone, because the value can be data of a user.
  const returned = Effect.isEffect(result) ? "Effect in a promise" : typeof result
  return Effect.as(
    Effect.logWarning(
      `${condition.label} of a policy returned: ${returned}. Return a boolean, a promise or an Effect of one`
    ),
    undefined
  )
}

/** Provides the services of the registration. Those of the request take precedence, as they do for handlers. */
const provide = <A, E>({ services }: BoundPolicy, effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.updateContext(effect, (request: Context.Context<never>) => Context.merge(services, request))

/**
 * Evaluates a policy for a list. Checks of calls do not run. No part of a policy is negated, so the verdicts for the worst and for
 * the best results of these checks are exact.
 */
export const evaluateForList = (
  question: Omit<Question, "assumed" | "call">
): ListVerdict | Effect.Effect<ListVerdict> =>
  andThen(
    evaluate({ ...question, call: noCall, assumed: false }),
    (worst): ListVerdict | Effect.Effect<ListVerdict> =>
      worst._tag === "Granted"
        ? "all"
        : andThen(
          evaluate({ ...question, call: noCall, assumed: true }),
          (best) => best._tag === "Granted" ? "some" : "none"
        )
  )

/** Evaluates a policy for one call, with the results of the gate. */
export const evaluateCall: Evaluator["evaluateCall"] = (policy, principal, call, request) => {
  const granted = findGranted(policy, principal)
  if (granted !== undefined) return granted
  if (principal === undefined) return { _tag: "SignIn", required: scopesOfSignIn(policy) }
  const known = Answers.forRequest(request, principal)
  const assumed = known.granted.has(policy) ? true : undefined
  return evaluate({ policy, principal, call, answers: known.forCall(policy), assumed })
}

/** Evaluates a policy for a list. */
export const evaluateList: Evaluator["evaluateList"] = (policy, principal, request) => {
  if (principal === undefined) return policy.isOpen ? "all" : "none"
  const { forCall, hidden } = Answers.forRequest(request, principal)
  return hidden.has(policy) ? "none" : evaluateForList({ policy, principal, answers: forCall(policy) })
}

/** Orders alternatives by their cost: the fewest missing scopes, then the fewest outside the baseline, then as `bind` did. */
const byCost = (
  alternatives: ReadonlyArray<BoundAlternative>,
  baseline: ReadonlySet<string>,
  held: ReadonlySet<string>
): ReadonlyArray<BoundAlternative> => {
  if (alternatives.length === 1) return alternatives
  return alternatives.map((alternative) => {
    const missing = alternative.core.filter((scope) => !held.has(scope))
    return { alternative, missing: missing.length, foreign: missing.filter((scope) => !baseline.has(scope)).length }
  }).sort((a, b) => a.missing - b.missing || a.foreign - b.foreign).map(({ alternative }) => alternative)
}

/**
 * Returns the scopes that an anonymous caller is asked for, in addition to the baseline and to `held`. Checks count as passed.
 * Roles and claims count as absent, because most callers have none, unless every alternative needs one.
 */
export const scopesOfSignIn = (
  { alternatives, baseline }: BoundPolicy,
  held: ReadonlySet<string> = baseline
): ReadonlyArray<string> => {
  const ordinary = alternatives.filter(({ conditions }) => conditions.every(({ dependsOn }) => dependsOn !== "token"))
  return byCost(ordinary.length > 0 ? ordinary : alternatives, baseline, held)[0]?.scopes ?? []
}

const noCall: Call = { method: "", target: "", arguments: undefined }

const openGranted: Granted = { _tag: "Granted", required: [] }

/** The longest time that a check can take. A check that never ends would keep the request and its client waiting. */
const longestCheck = "30 seconds"

const tooSlow = new Error(`A check of a policy did not finish within ${longestCheck}`)

const interrupted = new Error("A check of a policy was interrupted, without an interruption of the request")

const invalidArguments: Verdict = { _tag: "InvalidArguments" }
