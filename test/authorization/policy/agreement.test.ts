/**
 * The law that everything a client receives agrees: the list, the security schemes, the challenge and the enforcement, because one
 * value determines them. The oracle reads a random formula as it is written.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Result, Schema } from "effect"
import { Policy } from "effect-mcp-auth/policy"
import { Challenge } from "effect-mcp-auth/protocol"
import * as Caller from "../../../src/authorization/Caller.ts"
import {
  type BoundPolicy,
  isHiddenFrom,
  type OperationPolicy
} from "../../../src/authorization/policy/OperationPolicy.ts"
import * as SecuritySchemes from "../../../src/authorization/policy/SecuritySchemes.ts"
import type { Rejection } from "../../../src/authorization/Rejection.ts"
import * as mockGate from "../../../src/composition/mockGate.ts"
import type { Principal } from "../../../src/verification/Principal.ts"
import { toolCall } from "../support.ts"
import { call, factsOfCall, hierarchies, type Input, inputs, names, pick, subsets, world } from "./formulas.ts"

const operations = toolCall("tool")

const gateFor = ({ baseline, hierarchy }: Pick<Input, "baseline" | "hierarchy">) => {
  const listed = pick(baseline)
  const stepUp = names.filter((name) => !listed.includes(name))
  const scopes = listed.length === 0 ? [] : { baseline: listed, stepUp }
  return mockGate.make({ scopes: scopes as never, scopeHierarchy: hierarchies[hierarchy]! }, "test").gate
}

type Gate = ReturnType<typeof gateFor>

/** Sends a call through the authorization of the gate. Returns its rejection, or `undefined` if the call is admitted. */
const enforce = (gate: Gate, policy: OperationPolicy, principal: Principal | undefined) =>
  Effect.withFiber((fiber) => {
    const { request, timing } = Caller.unknown(fiber)
    const caller = Caller.make({ ...request, header: () => "2026-07-28" }, principal, timing)
    return Effect.map(
      Effect.result(gate.authorize(caller, operations, () => policy)),
      (decided): Rejection | undefined => Result.isFailure(decided) ? decided.failure : undefined
    )
  })

const scopesOf = ({ headers }: Rejection): ReadonlyArray<string> | undefined => {
  const header = headers["www-authenticate"]
  return header === undefined ? undefined : Challenge.scopes(Result.getOrThrow(Challenge.parse(header))[0]!)
}

const isListed = (policy: OperationPolicy, principal: Principal | undefined): Effect.Effect<boolean> => {
  const { rule, unauthorized } = policy
  if (unauthorized !== "hide") return Effect.succeed(true)
  if (rule === undefined) return Effect.succeed(!isHiddenFrom(policy, principal))
  const verdict = rule.evaluator.evaluateList(rule, principal, undefined)
  return Effect.map(Effect.isEffect(verdict) ? verdict : Effect.succeed(verdict), (list) => list !== "none")
}

/** The last check, inside the server, which the call of a hidden operation reaches without a rejection. */
const isGrantedInside = (rule: BoundPolicy, principal: Principal | undefined): Effect.Effect<boolean> => {
  const verdict = rule.evaluator.evaluateCall(rule, principal, call, undefined)
  return Effect.map(Effect.isEffect(verdict) ? verdict : Effect.succeed(verdict), ({ _tag }) => _tag === "Granted")
}

const schemesOf = (gate: Gate, policy: OperationPolicy, anonymous: "deny" | "allow-unscoped" = "allow-unscoped") => {
  const { published, resource } = gate
  const schemes = SecuritySchemes.make({ resource, published: { ...published, anonymous } })(policy)!
  const oauth2 = schemes.find((scheme) => scheme.type === "oauth2")
  return { schemes, isPublic: schemes.some(({ type }) => type === "noauth"), scopes: oauth2?.scopes }
}

/** Every result of the checks of calls, for a caller with these facts. */
const possibleCalls = (truths: ReadonlyArray<boolean>) =>
  [[false, false], [false, true], [true, false], [true, true]].map((results) => [
    ...truths.slice(0, factsOfCall[0]),
    ...results
  ])

/** Checks everything that a caller receives for one operation. `isTrue` is the oracle. */
const check = Effect.fnUntraced(function*(
  input: Input,
  policy: OperationPolicy,
  isTrue: (scopes: ReadonlyArray<string>, truths: ReadonlyArray<boolean>) => boolean
) {
  const { callerWith } = world(input)
  const { truths, unauthorized } = input
  const gate = gateFor(input)
  const baseline = gate.resource.baseline
  const held = pick(input.granted)
  const caller = callerWith(held, truths)
  const isAllowed = isTrue(held, truths)

  // The list
  const listed = yield* isListed(policy, caller)
  assert.strictEqual(
    listed,
    unauthorized !== "hide" || possibleCalls(truths).some((truths) => isTrue(held, truths)),
    "listed"
  )

  // The enforcement and the challenge
  const rejection = yield* enforce(gate, policy, caller)
  if (!listed) {
    // The server behind the gate answers as for an unknown operation.
    assert.isUndefined(rejection)
    if (policy.rule !== undefined) assert.isFalse(yield* isGrantedInside(policy.rule, caller))
  } else {
    assert.strictEqual(rejection === undefined, isAllowed, "enforced")
    if (policy.rule !== undefined) assert.strictEqual(yield* isGrantedInside(policy.rule, caller), isAllowed)
  }
  if (rejection !== undefined) {
    assert.strictEqual(rejection.status, 403)
    const requested = scopesOf(rejection)
    assert.strictEqual(requested !== undefined, unauthorized === "challenge" && isTrue(names, truths), "challenged")
    if (requested !== undefined) {
      assert.isUndefined(yield* enforce(gate, policy, callerWith([...held, ...requested], truths)), "sufficient")
      assert.isUndefined(yield* enforce(gate, policy, callerWith(requested, truths)), "sufficient alone")
      const missing = requested.filter((scope) => !caller.scopes.has(scope))
      const isSmaller = (scopes: ReadonlyArray<string>) =>
        scopes.length < missing.length && scopes.every((scope) => missing.includes(scope))
      const smaller = input.hierarchy === 0 ? subsets.filter((scopes) => isSmaller(scopes)) : []
      assert.deepStrictEqual(smaller.filter((scopes) => isTrue([...held, ...scopes], truths)), [], "minimal")
    }
  }

  // The security schemes
  const { isPublic, schemes, scopes } = schemesOf(gate, policy)
  assert.isFalse(isPublic)
  const signIn = yield* enforce(gate, policy, undefined)
  assert(signIn !== undefined)
  assert.strictEqual(signIn.status, 401)
  assert.deepStrictEqual(scopesOf(signIn), scopes)
  assert.isTrue(baseline.every((scope) => scopes!.includes(scope)))
  if (unauthorized === "challenge") {
    const signedIn = callerWith(scopes!, truths.map(() => true))
    assert.isUndefined(yield* enforce(gate, policy, signedIn), "sufficient")
    // Before sign-in, checks count as passed, and roles and claims as absent unless every alternative needs one.
    const ordinary = truths.map((_, fact) => fact > 1)
    const assumed = isTrue(names, ordinary) ? ordinary : truths.map(() => true)
    const others = scopes!.filter((scope) => !baseline.includes(scope))
    const smaller = input.hierarchy === 0 ? subsets.filter(({ length }) => length < others.length) : []
    assert.deepStrictEqual(smaller.filter((scopes) => isTrue([...baseline, ...scopes], assumed)), [], "minimal")
  } else assert.deepStrictEqual(scopes, baseline)
  assert.deepStrictEqual(schemesOf(gate, policy, "deny").schemes, schemes)
})

describe("the list, the schemes, the challenge and the enforcement", () => {
  it.effect.prop(
    "[T-LAZY-04] agree about each policy",
    inputs,
    Effect.fnUntraced(function*(input) {
      const { bind, holds, toPolicy } = world(input)
      const policy = { scopes: [], unauthorized: input.unauthorized, rule: bind(toPolicy(input.p)) }
      yield* check(input, policy, (scopes, truths) => holds(input.p, scopes, truths))
    })
  )

  it.effect.prop(
    "[T-LAZY-04] agree about each list of scopes, in the same way as about the policy with these scopes",
    inputs,
    Effect.fnUntraced(function*(input) {
      const { bind, holds } = world(input)
      const required = pick(input.more)
      if (required.length === 0) return
      const { unauthorized } = input
      const policy = { scopes: required, unauthorized }
      const formula = { scopes: required.map((scope) => names.indexOf(scope as (typeof names)[number])) }
      yield* check(input, policy, (scopes, truths) => holds(formula, scopes, truths))
      const rule = bind(Policy.scopes(...(required as ["scope"])))
      const gate = gateFor(input)
      const sorted = (schemes: ReturnType<typeof schemesOf>) => [...schemes.scopes!].sort()
      assert.deepStrictEqual(
        sorted(schemesOf(gate, policy)),
        sorted(schemesOf(gate, { scopes: [], unauthorized, rule }))
      )
    })
  )

  it.effect.prop(
    "[T-LAZY-04] agree about each policy that admits anonymous callers",
    { ...inputs, kind: Schema.Literals(["anyone", "optional", "no scopes", "authenticated"]) },
    Effect.fnUntraced(function*({ kind, ...input }) {
      const { bind, callerWith } = world(input)
      const { granted, truths, unauthorized } = input
      const chosen = pick(input.more)
      const optional = Policy.scopes(...((chosen.length === 0 ? ["s0"] : chosen) as ["scope"]))
      const open = { anyone: Policy.anyone, optional: Policy.optional(optional) }
      const policy: OperationPolicy = kind === "anyone" || kind === "optional"
        ? { scopes: [], unauthorized, rule: bind(open[kind] as never) }
        : { scopes: [], unauthorized, authenticated: kind === "authenticated" }
      const gate = gateFor(input)
      const { isPublic, scopes } = schemesOf(gate, policy)
      for (const principal of [undefined, callerWith(pick(granted), truths)]) {
        const isAdmitted = (yield* enforce(gate, policy, principal)) === undefined
        assert.strictEqual(isAdmitted, isPublic || principal !== undefined)
        assert.isTrue(yield* isListed(policy, principal))
      }
      assert.strictEqual(isPublic, kind !== "authenticated")
      assert.strictEqual(scopes === undefined, kind === "anyone" || kind === "no scopes")
      // A server that rejects anonymous callers names no operation that they can run.
      const closed = schemesOf(gate, policy, "deny")
      assert.isFalse(closed.isPublic)
      assert.isUndefined(yield* enforce(gate, policy, callerWith(closed.scopes!, truths.map(() => false))))
    })
  )
})
