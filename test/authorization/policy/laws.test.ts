/**
 * The laws of policies, checked with random formulas against an oracle that reads a formula as it is written.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Policy } from "effect-mcp-auth/policy"
import * as Answers from "../../../src/authorization/policy/Answers.ts"
import { decideBatch } from "../../../src/authorization/policy/DecideBatch.ts"
import { evaluateForList } from "../../../src/authorization/policy/Evaluate.ts"
import { toEffect } from "../../../src/authorization/policy/internal/andThen.ts"
import { call, factsOfCall, inputs, names, pick, subsets, world } from "./formulas.ts"

const { allOf, anyOf } = Policy

/** From the least to the most that a caller is granted. */
const grades = { Denied: 0, MissingScopes: 1, Granted: 2, SignIn: -1, InvalidArguments: -1, Hidden: -1 }

describe("the verdict of a policy", () => {
  it.effect.prop(
    "is what its formula says, and each check runs at most once",
    inputs,
    Effect.fnUntraced(function*(input) {
      const { callerWith, holds, runs, settle, toPolicy } = world(input)
      const held = pick(input.granted)
      const { _tag } = yield* settle(toPolicy(input.p), callerWith(held, input.truths))
      assert.isTrue(runs().every((count) => count === 1))
      assert.deepStrictEqual(
        { granted: _tag === "Granted", denied: _tag === "Denied" },
        { granted: holds(input.p, held, input.truths), denied: !holds(input.p, names, input.truths) }
      )
    })
  )

  it.effect.prop(
    "runs no check if the scopes, roles and claims of the caller suffice",
    inputs,
    Effect.fnUntraced(function*(input) {
      const { callerWith, holds, runs, settle, toPolicy } = world(input)
      const held = pick(input.granted)
      const withoutChecks = input.truths.map((truth, fact) => fact < 2 && truth)
      const verdict = yield* settle(toPolicy(input.p), callerWith(held, input.truths))
      if (!holds(input.p, held, withoutChecks)) return
      assert.strictEqual(verdict._tag, "Granted")
      assert.deepStrictEqual(runs(), [])
    })
  )

  it.effect.prop(
    "asks for scopes that suffice, and for no cheaper set that would suffice as well",
    inputs,
    Effect.fnUntraced(function*(input) {
      const { callerWith, holds, settle, toPolicy } = world(input)
      const held = pick(input.granted)
      const verdict = yield* settle(toPolicy(input.p), callerWith(held, input.truths))
      if (verdict._tag !== "MissingScopes") return
      const suffices = (scopes: ReadonlyArray<string>) => holds(input.p, [...held, ...scopes], input.truths)
      assert.isTrue(suffices(verdict.missing) && suffices(verdict.required))
      const cost = (scopes: ReadonlyArray<string>) =>
        scopes.length * 10 + scopes.filter((scope) => !pick(input.baseline).includes(scope)).length
      // In a hierarchy, a set can suffice by scopes that imply those of the formula. Then only the parts of the challenge are compared.
      const isCheaper = (scopes: ReadonlyArray<string>) =>
        input.hierarchy === 0
          ? cost(scopes) < cost(verdict.missing)
          : scopes.length < verdict.missing.length && scopes.every((scope) => verdict.missing.includes(scope))
      assert.deepStrictEqual(subsets.filter((scopes) => isCheaper(scopes) && suffices(scopes)), [])
    })
  )

  it.effect.prop(
    "does not depend on how the formula is written",
    inputs,
    Effect.fnUntraced(function*(input) {
      const { callerWith, settle, toPolicy } = world(input)
      const [p, q, r] = [toPolicy(input.p), toPolicy(input.q), toPolicy(input.r)]
      const caller = callerWith(pick(input.granted), input.truths)
      const equal: ReadonlyArray<readonly [law: string, Policy.AnyPolicy, Policy.AnyPolicy]> = [
        ["anyOf is commutative", anyOf(p, q), anyOf(q, p)],
        ["allOf is commutative", allOf(p, q), allOf(q, p)],
        ["anyOf is associative", anyOf(anyOf(p, q), r), anyOf(p, anyOf(q, r))],
        ["allOf is associative", allOf(allOf(p, q), r), allOf(p, allOf(q, r))],
        ["anyOf is idempotent", anyOf(p, p), p],
        ["allOf is idempotent", allOf(p, p), p],
        ["anyOf absorbs", anyOf(p, allOf(p, q)), p],
        ["allOf absorbs", allOf(p, anyOf(p, q)), p],
        ["allOf distributes over anyOf", allOf(p, anyOf(q, r)), anyOf(allOf(p, q), allOf(p, r))],
        ["anyOf distributes over allOf", anyOf(p, allOf(q, r)), allOf(anyOf(p, q), anyOf(p, r))],
        ["authenticated is the unit of allOf", allOf(p, Policy.authenticated), p],
        ["authenticated is the zero of anyOf", anyOf(p, Policy.authenticated), Policy.authenticated]
      ]
      for (const [law, left, right] of equal) {
        assert.deepStrictEqual(yield* settle(left, caller), yield* settle(right, caller), law)
        assert.deepStrictEqual(yield* settle(left, undefined), yield* settle(right, undefined), law)
      }
    })
  )

  it.effect.prop(
    "gets no worse with more scopes, roles, claims and passed checks",
    inputs,
    Effect.fnUntraced(function*(input) {
      const { callerWith, settle, toPolicy } = world(input)
      const policy = toPolicy(input.p)
      const held = pick(input.granted)
      const before = yield* settle(policy, callerWith(held, input.truths))
      const truths = input.truths.map((truth, fact) => truth || input.moreTruths[fact]!)
      const after = yield* settle(policy, callerWith([...held, ...pick(input.more)], truths))
      assert.isAtLeast(grades[after._tag], grades[before._tag])
    })
  )
})

describe("lists", () => {
  it.effect.prop(
    "show exactly the operations of which the caller is granted a call, and run no check of calls",
    inputs,
    Effect.fnUntraced(function*(input) {
      const { bind, callerWith, holds, toPolicy } = world(input)
      const policy = bind(toPolicy(input.p))
      const held = pick(input.granted)
      const answers = Answers.make().forCall(policy)
      const verdict = yield* toEffect(
        evaluateForList({ policy, principal: callerWith(held, input.truths), answers })
      )
      const possible = [[false, false], [false, true], [true, false], [true, true]].map((results) =>
        holds(input.p, held, [...input.truths.slice(0, factsOfCall[0]), ...results])
      )
      assert.strictEqual(verdict, possible.every(Boolean) ? "all" : possible.some(Boolean) ? "some" : "none")
      assert.strictEqual(answers.call.size, 0)
    })
  )
})

describe("a batch", () => {
  it.effect.prop(
    "is denied if one of its operations is, and otherwise asks for scopes that suffice for all of them",
    inputs,
    Effect.fnUntraced(function*(input) {
      const { bind, callerWith, holds, toPolicy } = world(input)
      const held = pick(input.granted)
      const rules = [bind(toPolicy(input.p)), bind(toPolicy(input.q))]
      const decide = (scopes: ReadonlyArray<string> | undefined, unauthorized: "challenge" | "hide" = "challenge") => {
        const entries = rules.map((rule) => ({ policy: { scopes: [], unauthorized, rule }, call }))
        const principal = scopes === undefined ? undefined : callerWith(scopes, input.truths)
        return toEffect(decideBatch({ entries, principal, request: {}, rejectsHidden: true }))
      }
      const verdict = yield* decide(held)
      const holdsWith = (scopes: ReadonlyArray<string>) =>
        holds(input.p, scopes, input.truths) && holds(input.q, scopes, input.truths)
      assert.strictEqual(verdict._tag === "Denied", !holdsWith(names))
      assert.strictEqual(verdict._tag === "Granted", holdsWith(held))
      if (verdict._tag === "MissingScopes") {
        assert.strictEqual((yield* decide([...held, ...verdict.missing]))._tag, "Granted")
        assert.strictEqual((yield* decide([...held, ...verdict.required]))._tag, "Granted")
      }
      // `hide` never shows more than `challenge`, and names no scopes.
      const hidden = yield* decide(held, "hide")
      assert.strictEqual(hidden._tag === "Granted", verdict._tag === "Granted")
      assert.notInclude(["MissingScopes", "SignIn"], hidden._tag)
      assert.strictEqual((yield* decide(undefined, "hide"))._tag, "Hidden")
    })
  )
})

describe("sign-in", () => {
  it.effect.prop(
    "asks for scopes that suffice if the caller has the roles and passes the checks",
    inputs,
    Effect.fnUntraced(function*(input) {
      const { callerWith, settle, toPolicy } = world(input)
      const policy = toPolicy(input.p)
      const verdict = yield* settle(policy, undefined)
      assert(verdict._tag === "SignIn")
      const signedIn = callerWith(verdict.required, input.truths.map(() => true))
      assert.strictEqual((yield* settle(policy, signedIn))._tag, "Granted")
    })
  )
})
