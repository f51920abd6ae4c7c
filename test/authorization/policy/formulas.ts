/**
 * Random formulas for the laws of policies. A formula becomes a policy with the constructors of the library. The oracle reads the
 * formula as it is written, without alternatives, costs and absorption.
 */
import { Effect, Schema } from "effect"
import type { Principal } from "effect-mcp-auth"
import { ScopeHierarchy } from "effect-mcp-auth/host"
import { Policy } from "effect-mcp-auth/policy"
import * as Answers from "../../../src/authorization/policy/Answers.ts"
import { evaluate } from "../../../src/authorization/policy/Evaluate.ts"
import { toEffect } from "../../../src/authorization/policy/internal/andThen.ts"
import type { BoundPolicy } from "../../../src/authorization/policy/OperationPolicy.ts"
import type { Verdict } from "../../../src/authorization/policy/Verdict.ts"
import { principal } from "../support.ts"

/** A formula over five scopes and six facts. */
export type Formula =
  | { readonly scopes: ReadonlyArray<number> }
  | { readonly fact: number }
  | { readonly any: ReadonlyArray<Formula> }
  | { readonly all: ReadonlyArray<Formula> }

export const names = ["s0", "s1", "s2", "s3", "s4"] as const

/** The number of facts: one role, one claim, two checks of the caller and two of the call. */
export const facts = 6

/** The facts that only a call determines. */
export const factsOfCall = [4, 5] as const

const few = <A>(item: Schema.Schema<A>) => Schema.Array(item).check(Schema.isMinLength(1), Schema.isMaxLength(3))
const Nested: Schema.Schema<Formula> = Schema.suspend(() => Formula)

/** Generates formulas. */
export const Formula: Schema.Schema<Formula> = Schema.Union([
  Schema.Struct({ scopes: few(Schema.Literals([0, 1, 2, 3, 4])) }),
  Schema.Struct({ fact: Schema.Literals([0, 1, 2, 3, 4, 5]) }),
  Schema.Struct({ any: few(Nested) }),
  Schema.Struct({ all: few(Nested) })
])

const bits = (length: number) =>
  Schema.Array(Schema.Boolean).check(Schema.isMinLength(length), Schema.isMaxLength(length))

const Scopes = bits(names.length)
const Facts = bits(facts)

/** Generates the inputs of the laws: formulas, the scopes and facts of a caller, and the configuration of a server. */
export const inputs = {
  p: Formula,
  q: Formula,
  r: Formula,
  granted: Scopes,
  more: Scopes,
  baseline: Scopes,
  truths: Facts,
  moreTruths: Facts,
  hierarchy: Schema.Literals([0, 1, 2]),
  unauthorized: Schema.Literals(["challenge", "deny", "hide"])
}

/** One input of the laws. */
export type Input = { readonly [K in keyof typeof inputs]: (typeof inputs)[K]["Type"] }

/** No hierarchy, a chain, and a cycle. */
export const hierarchies: ReadonlyArray<ScopeHierarchy.ScopeHierarchy> = [
  {},
  { s4: ["s0"], s0: ["s1"] },
  { s2: ["s3"], s3: ["s2", "s1"] }
]

export const pick = (chosen: ReadonlyArray<boolean>): ReadonlyArray<string> => names.filter((_, index) => chosen[index])

/** Every set of scopes. */
export const subsets: ReadonlyArray<ReadonlyArray<string>> = Array.from(
  { length: 2 ** names.length },
  (_, chosen) => names.filter((_, index) => (chosen & (1 << index)) !== 0)
)

/** Returns whether a formula is true. It is the oracle: it shares no code with the library. */
export const isTrue = (
  formula: Formula,
  has: (scope: string) => boolean,
  truths: ReadonlyArray<boolean>
): boolean =>
  "scopes" in formula
    ? formula.scopes.every((index) => has(names[index]!))
    : "fact" in formula
    ? truths[formula.fact]!
    : "any" in formula
    ? formula.any.some((member) => isTrue(member, has, truths))
    : formula.all.every((member) => isTrue(member, has, truths))

/** A server and callers, for one input. */
export const world = ({ baseline, hierarchy }: Pick<Input, "baseline" | "hierarchy">) => {
  /** The number of runs of each check since the last `settle`. */
  let runs = new Map<number, number>()
  const check = (fact: number, truths: ReadonlyArray<boolean>) => {
    runs.set(fact, (runs.get(fact) ?? 0) + 1)
    return truths[fact]!
  }
  const truthsOf = ({ claims }: Principal) => claims["truths"] as ReadonlyArray<boolean>
  const policies: ReadonlyArray<Policy.AnyPolicy> = [
    Policy.role("r0"),
    Policy.claim("truths", (truths) => (truths as ReadonlyArray<boolean>)[1] === true),
    Policy.checkCaller("2", (caller) => check(2, truthsOf(caller))),
    Policy.checkCaller("3", (caller) => Effect.sync(() => check(3, truthsOf(caller)))),
    Policy.check("4", async (caller) => check(4, truthsOf(caller))),
    Policy.check("5", (caller) => Effect.sync(() => check(5, truthsOf(caller))))
  ]
  const list = <A>(items: ReadonlyArray<A>) => items as readonly [A, ...ReadonlyArray<A>]
  const toPolicy = (formula: Formula): Policy.AnyPolicy =>
    "scopes" in formula
      ? Policy.scopes(...list(formula.scopes.map((index) => names[index]!)))
      : "fact" in formula
      ? policies[formula.fact]!
      : "any" in formula
      ? Policy.anyOf(...list(formula.any.map(toPolicy)))
      : Policy.allOf(...list(formula.all.map(toPolicy)))

  const expand = ScopeHierarchy.compile(hierarchies[hierarchy]!)
  const server = { baseline: pick(baseline), offered: new Set(names), effectiveScopes: expand }
  const implied = (scopes: ReadonlyArray<string>) => expand(new Set(scopes))
  const callerWith = (scopes: ReadonlyArray<string>, truths: ReadonlyArray<boolean>): Principal =>
    principal({
      scopes: [...implied(scopes)],
      roles: new Set(truths[0] === true ? ["r0"] : []),
      claims: { truths }
    })
  const bind = (policy: Policy.AnyPolicy): BoundPolicy => policy.bind(server)

  return {
    server,
    implied,
    toPolicy,
    bind,
    callerWith,
    /** Returns whether a formula is true for a caller with these scopes. */
    holds: (formula: Formula, scopes: ReadonlyArray<string>, truths: ReadonlyArray<boolean>) =>
      isTrue(formula, (scope) => implied(scopes).has(scope), truths),
    /** The numbers of runs of the checks in the last `settle`. */
    runs: () => [...runs.values()],
    /** Evaluates a policy for a call. */
    settle: (policy: Policy.AnyPolicy, caller: Principal | undefined): Effect.Effect<Verdict> =>
      Effect.suspend(() => {
        runs = new Map()
        const bound = bind(policy)
        return toEffect(
          evaluate({ policy: bound, principal: caller, call, answers: Answers.make().forCall(bound) })
        )
      })
  }
}

export const call: Policy.Call = { method: "tools/call", target: "tool", arguments: {} }
