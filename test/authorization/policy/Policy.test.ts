import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Effect, Fiber, Schema } from "effect"
import { AuthError, type Principal } from "effect-mcp-auth"
import { Policy } from "effect-mcp-auth/policy"
import { TestClock } from "effect/testing"
import * as Answers from "../../../src/authorization/policy/Answers.ts"
import { decideBatch } from "../../../src/authorization/policy/DecideBatch.ts"
import { evaluate, evaluateForList } from "../../../src/authorization/policy/Evaluate.ts"
import { toEffect } from "../../../src/authorization/policy/internal/andThen.ts"
import type {
  BoundPolicy,
  OperationPolicy,
  Registration,
  Unauthorized
} from "../../../src/authorization/policy/OperationPolicy.ts"
import { toScopes } from "../../../src/authorization/policy/PolicyValue.ts"
import * as SecuritySchemes from "../../../src/authorization/policy/SecuritySchemes.ts"
import { compile, type ScopeHierarchy } from "../../../src/authorization/ScopeHierarchy.ts"
import { principal } from "../support.ts"

const { allOf, anyOf, check, checkCaller, claim, role, scopes } = Policy

/** A server that offers these scopes, the mildest first. */
const serverWith = (hierarchy: ScopeHierarchy = {}) => ({
  baseline: ["read", "list"],
  offered: new Set(["read", "list", "write", "admin", "x", "y", "z"]),
  effectiveScopes: compile(hierarchy)
})
const server = serverWith()

const callerWith = (held: string, fields: Partial<Pick<Principal, "claims" | "roles">> = {}): Principal =>
  principal({ scopes: held.split(" ").filter(Boolean), ...fields })

const call: Policy.Call = { method: "tools/call", target: "edit", arguments: {} }

type AnyPolicy = Pick<Policy.AnyPolicy, "bind">

interface Evaluated extends Registration {
  readonly call?: Policy.Call
  readonly server?: typeof server
}

const evaluated = (policy: AnyPolicy, caller: Principal | undefined, options: Evaluated = {}) => {
  const bound = policy.bind(options.server ?? server, options)
  const answers = Answers.make().forCall(bound)
  return evaluate({ policy: bound, principal: caller, call: options.call ?? call, answers })
}

const verdictOf = (policy: AnyPolicy, caller: Principal | undefined, options?: Evaluated) =>
  toEffect(evaluated(policy, caller, options))

describe("the scopes that a challenge asks for", () => {
  const cases = [
    {
      title: "what the caller almost has",
      policy: anyOf(scopes("x", "y", "z"), scopes("write", "admin")),
      held: "x y",
      missing: ["z"]
    },
    {
      title: "one scope, although two others are in the baseline",
      policy: anyOf(scopes("read", "list"), scopes("x")),
      held: "",
      missing: ["x"]
    },
    {
      title: "scopes of the baseline, if the numbers are equal",
      policy: anyOf(scopes("read", "z"), scopes("write", "admin")),
      held: "",
      missing: ["read", "z"]
    },
    {
      title: "the first scope in the list of the server, if nothing else differs",
      policy: anyOf(scopes("admin"), scopes("write")),
      held: "read",
      missing: ["write"]
    },
    {
      title: "a scope without a role, if the caller does not have the role",
      policy: anyOf(allOf(scopes("write"), role("editor")), scopes("admin")),
      held: "read",
      missing: ["admin"]
    }
  ]

  it.effect.each(cases)("are $title", ({ held, missing, policy }) =>
    Effect.gen(function*() {
      const verdict = yield* verdictOf(policy, callerWith(held))
      assert(verdict._tag === "MissingScopes")
      assert.deepStrictEqual(verdict.missing, missing)
    }))

  it.effect("omit what a scope of the hierarchy implies, and never ask for the stronger of two", () =>
    Effect.gen(function*() {
      const hierarchical = { server: serverWith({ admin: ["write"], write: ["read"] }) }
      const eitherWay = yield* verdictOf(anyOf(scopes("admin"), scopes("read")), callerWith(""), hierarchical)
      assert.deepStrictEqual(eitherWay, { _tag: "MissingScopes", required: ["read"], missing: ["read"] })
      const both = yield* verdictOf(scopes("admin", "read"), callerWith("x"), hierarchical)
      assert.deepStrictEqual(both, { _tag: "MissingScopes", required: ["read", "admin"], missing: ["admin"] })
    }))

  it.effect("are never empty for scopes that imply each other", () =>
    Effect.gen(function*() {
      const cyclic = { server: serverWith({ x: ["y"], y: ["x"] }) }
      const verdict = yield* verdictOf(scopes("x", "y"), callerWith("read"), cyclic)
      assert.deepStrictEqual(verdict, { _tag: "MissingScopes", required: ["x", "y"], missing: ["x"] })
      // One of two equal alternatives remains, in every order of writing.
      for (const either of [anyOf(scopes("x"), scopes("y")), anyOf(scopes("y"), scopes("x"))]) {
        const requested = yield* verdictOf(either, callerWith("read"), cyclic)
        assert.deepStrictEqual(requested, { _tag: "MissingScopes", required: ["x"], missing: ["x"] })
      }
    }))

  it.effect("prefer those that the baseline implies, and name one of two alternatives with the same meaning", () =>
    Effect.gen(function*() {
      const hierarchical = { server: serverWith({ list: ["x"], admin: ["read"] }) }
      const verdict = yield* verdictOf(anyOf(scopes("write"), scopes("x")), callerWith(""), hierarchical)
      assert.deepStrictEqual(verdict, { _tag: "MissingScopes", required: ["x"], missing: ["x"] })
      const mild = yield* verdictOf(anyOf(scopes("x"), scopes("y")), callerWith(""), {
        server: serverWith({ x: ["z", "admin"] })
      })
      assert.deepStrictEqual(mild, { _tag: "MissingScopes", required: ["y"], missing: ["y"] })
      const { alternatives } = anyOf(scopes("admin"), scopes("read")).bind(hierarchical.server)
      assert.deepStrictEqual(alternatives.map(({ scopes }) => scopes), [["read"]])
    }))

  it.effect("are in the order of the list of the server", () =>
    Effect.gen(function*() {
      const verdict = yield* verdictOf(scopes("z", "admin", "write"), callerWith(""))
      assert.deepStrictEqual(verdict._tag === "MissingScopes" && verdict.required, ["write", "admin", "z"])
    }))
})

describe("a condition", () => {
  const admin = callerWith("read", { roles: new Set(["admin"]) })

  it.effect("denies if it is not met, and no scope is asked for", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* verdictOf(role("admin"), callerWith("read")), {
        _tag: "Denied",
        failed: ["role admin"]
      })
      assert.strictEqual((yield* verdictOf(role("admin"), admin))._tag, "Granted")
      const both = allOf(scopes("write"), role("auditor"))
      assert.deepStrictEqual(yield* verdictOf(both, admin), { _tag: "Denied", failed: ["role auditor"] })
    }))

  it.effect("needs an own member of the claims, if it is about a claim", () =>
    Effect.gen(function*() {
      const policy = claim("department", (value) => value !== "sales")
      const withClaims = (claims: Record<string, unknown>) => verdictOf(policy, callerWith("", { claims }))
      assert.strictEqual((yield* withClaims({ department: "support" }))._tag, "Granted")
      assert.strictEqual((yield* withClaims({ department: "sales" }))._tag, "Denied")
      assert.strictEqual((yield* withClaims({}))._tag, "Denied")
      assert.strictEqual((yield* withClaims(Object.create({ department: "support" })))._tag, "Denied")
    }))

  it.effect("is the same as another one only if both are roles with one name", () =>
    Effect.gen(function*() {
      const isYes = (value: unknown) => value === "yes"
      const both = allOf(claim("a", isYes), claim("b", isYes))
      const caller = callerWith("", { claims: { a: "yes", b: "no" } })
      assert.deepStrictEqual(yield* verdictOf(both, caller), { _tag: "Denied", failed: ["claim b"] })
      const [first, second] = [check("owner", () => true), check("owner", () => false)]
      assert.strictEqual((yield* verdictOf(allOf(first, second), caller))._tag, "Denied")
      assert.strictEqual(anyOf(role("a"), role("a")).bind(server).alternatives.length, 1)
      assert.strictEqual(anyOf(first, second).bind(server).alternatives.length, 2)
    }))

  const truthy: ReadonlyArray<readonly [title: string, answer: unknown]> = [
    ["the text \"true\"", "true"],
    ["the number 1", 1],
    ["an object", {}],
    ["a promise of the number 1", Promise.resolve(1)],
    ["an Effect of an object", Effect.succeed({})],
    ["undefined", undefined]
  ]

  it.effect.each(truthy)("does not hold if it answers with %s", ([, answer]) =>
    Effect.gen(function*() {
      for (const policy of [check("c", () => answer as boolean), checkCaller("c", () => answer as boolean)]) {
        assert.deepStrictEqual(yield* verdictOf(policy, admin), { _tag: "Denied", failed: ["check c"] })
      }
      const ofToken = claim("sub", () => answer as boolean)
      assert.strictEqual((yield* verdictOf(ofToken, callerWith("", { claims: { sub: "a" } })))._tag, "Denied")
    }))

  const broken: ReadonlyArray<readonly [title: string, test: () => Policy.Answer]> = [
    ["throws", () => {
      throw new Error("down")
    }],
    ["rejects", () => Promise.reject(new Error("down"))],
    ["dies", () => Effect.die(new Error("down"))],
    ["fails", () => Effect.fail(new Error("down")) as never]
  ]

  it.effect.each(broken)(
    "causes a defect if its test %s, and counts as no answer",
    ([, test]) =>
      Effect.gen(function*() {
        for (const policy of [check("c", test), checkCaller("c", test)]) {
          const exit = yield* Effect.exit(verdictOf(anyOf(policy, allOf(policy, scopes("write"))), admin))
          assert(exit._tag === "Failure")
          assert.strictEqual((Cause.squash(exit.cause) as Error).message, "down")
          assert.isTrue(Cause.hasDies(exit.cause))
        }
      })
  )

  const unfinished: ReadonlyArray<readonly [title: string, test: () => Policy.Answer, message: RegExp]> = [
    ["interrupts itself", () => Effect.interrupt, /was interrupted/],
    [
      "waits for a fiber that is interrupted",
      () => Effect.flatMap(Effect.forkDetach(Effect.never), (_) => Effect.andThen(Fiber.interrupt(_), Fiber.join(_))),
      /was interrupted/
    ],
    ["is an Effect that never ends", () => Effect.never, /within 30 seconds/],
    ["is a promise that never settles", () => new Promise(() => {}), /within 30 seconds/]
  ]

  it.effect.each(unfinished)("T-POL-03 causes a defect if its test %s", ([, test, message]) =>
    Effect.gen(function*() {
      for (const policy of [check("c", test), checkCaller("c", test)]) {
        const fiber = yield* Effect.forkChild(Effect.exit(verdictOf(policy, admin)))
        yield* TestClock.adjust("31 seconds")
        const exit = yield* Fiber.join(fiber)
        assert(exit._tag === "Failure")
        assert.isTrue(Cause.hasDies(exit.cause))
        assert.match((Cause.squash(exit.cause) as Error).message, message)
      }
    }))

  it.effect("is interrupted with the request", () =>
    Effect.gen(function*() {
      const fiber = yield* Effect.forkChild(verdictOf(check("c", () => Effect.never), admin))
      yield* TestClock.adjust("1 second")
      yield* Fiber.interrupt(fiber)
      const exit = yield* Fiber.await(fiber)
      assert.isTrue(exit._tag === "Failure" && Cause.hasInterruptsOnly(exit.cause))
    }))

  it.effect("runs once for each request if it is about the caller, also if it fails", () =>
    Effect.gen(function*() {
      let runs = 0
      const policy = checkCaller("c", () => Effect.suspend(() => Effect.die(++runs)))
      const rules = [policy.bind(server), anyOf(policy, scopes("admin")).bind(server)]
      const [request, caller] = [{}, callerWith("")]
      for (const rule of rules) {
        const { evaluateList } = rule.evaluator
        const exit = yield* Effect.exit(toEffect(evaluateList(rule, caller, request)))
        assert(exit._tag === "Failure")
        assert.strictEqual(Cause.squash(exit.cause), 1)
      }
      assert.strictEqual(runs, 1)
    }))
})

describe("a check", () => {
  it.effect("counts as passed for operations that are not calls, unless it is a check of the caller", () =>
    Effect.gen(function*() {
      const tags = [true, false].map((isBeta) => {
        const rule = allOf(checkCaller("beta", () => isBeta), check("owner", () => false)).bind(server)
        return toEffect(evaluate({
          policy: rule.evaluator.withoutCallChecks(rule),
          principal: callerWith(""),
          call,
          answers: Answers.make().forCall(rule)
        }))
      })
      assert.deepStrictEqual((yield* Effect.all(tags)).map(({ _tag }) => _tag), ["Granted", "Denied"])
    }))

  class Db extends Context.Service<Db, string>()("test/Db") {}
  const caller = callerWith("write")

  it.effect("reads the decoded arguments of the call, and does not run if they do not decode", () =>
    Effect.gen(function*() {
      const seen: Array<unknown> = []
      const isOwner = (name: string) =>
        check(name, (_, call: Policy.Call<{ readonly id: string }>) => {
          seen.push(call)
          return true
        })
      const policy = allOf(isOwner("a"), isOwner("b"))
      let decoded = 0
      const decode = (raw: unknown) =>
        Effect.suspend(() => {
          decoded++
          return Schema.decodeUnknownEffect(Schema.Struct({ id: Schema.Trim }))(raw)
        })
      const ask = (args: unknown) => verdictOf(policy, caller, { decode, call: { ...call, arguments: args } })
      assert.strictEqual((yield* ask({ id: " 1 " }))._tag, "Granted")
      assert.deepStrictEqual(seen, [1, 2].map(() => ({ ...call, arguments: { id: "1" } })))
      assert.strictEqual(decoded, 1)
      assert.deepStrictEqual(yield* ask({ id: 1 }), { _tag: "InvalidArguments" })
      assert.strictEqual(seen.length, 2)
    }))

  it.effect("uses the services of the registration, and those of the request first", () =>
    Effect.gen(function*() {
      const policy = check("db", () => Effect.map(Db, (db) => db === "registration"))
      const services = Context.make(Db, "registration") as Context.Context<never>
      assert.strictEqual((yield* verdictOf(policy, caller, { services }))._tag, "Granted")
      const ofRequest = Effect.provideService(verdictOf(policy, caller, { services }), Db, "request")
      assert.strictEqual((yield* ofRequest)._tag, "Denied")
    }))

  it.effect("does not run if the scopes of the caller suffice", () =>
    Effect.gen(function*() {
      const policy = anyOf(scopes("admin"), allOf(scopes("write"), check("owner", () => Effect.die("must not run"))))
      const verdict = evaluated(policy, callerWith("admin"))
      assert.deepStrictEqual(verdict, { _tag: "Granted", required: ["admin"] })
    }))
})

describe("the fast path", () => {
  it("returns the same verdict again, and creates no Effect", () => {
    const policy = allOf(scopes("write"), role("editor")).bind(server)
    const caller = callerWith("write", { roles: new Set(["editor"]) })
    const ask = () => evaluate({ policy, principal: caller, call, answers: Answers.make().forCall(policy) })
    assert.strictEqual(ask(), ask())
    assert.deepStrictEqual(ask(), { _tag: "Granted", required: ["write"] })
  })
})

describe("the answers of a request", () => {
  it.effect("are shared by its operations for checks of the caller, and not by the next request", () =>
    Effect.gen(function*() {
      const runs = { caller: 0, call: 0 }
      const policy = allOf(
        checkCaller("beta", () => Effect.sync(() => ++runs.caller > 0)),
        check("open", () => Effect.sync(() => ++runs.call > 0))
      ).bind(server)
      const caller = callerWith("")
      const entry = { policy: { scopes: [], unauthorized: "challenge" as const, rule: policy }, call }
      const request = Effect.suspend(() =>
        toEffect(
          decideBatch({ entries: [entry, entry], principal: caller, request: {}, rejectsHidden: false })
        )
      )
      yield* request
      assert.deepStrictEqual(runs, { caller: 1, call: 2 })
      yield* request
      assert.deepStrictEqual(runs, { caller: 2, call: 4 })
    }))

  it("belong to one caller of one request", () => {
    const request = {}
    const [caller, other] = [callerWith(""), callerWith("")]
    assert.strictEqual(Answers.forRequest(request, caller), Answers.forRequest(request, caller))
    assert.notStrictEqual(Answers.forRequest(request, caller), Answers.forRequest(request, other))
    assert.notStrictEqual(Answers.forRequest(undefined, caller), Answers.forRequest(undefined, caller))
  })

  it.effect("are those of the gate inside the server, where no check of a granted call runs again", () =>
    Effect.gen(function*() {
      let runs = 0
      const rule = check("open", () => ++runs > 0).bind(server)
      const caller = callerWith("")
      const request = {}
      const entry = { policy: { scopes: [], unauthorized: "challenge" as const, rule }, call }
      yield* toEffect(decideBatch({ entries: [entry], principal: caller, request, rejectsHidden: false }))
      const verdict = yield* toEffect(rule.evaluator.evaluateCall(rule, caller, call, request))
      assert.deepStrictEqual([verdict._tag, runs], ["Granted", 1])
    }))

  it.effect("contain no grant of a policy if the arguments of one of its calls do not decode", () =>
    Effect.gen(function*() {
      const rule = check("open", () => true).bind(server, {
        decode: (raw) => raw === "valid" ? Effect.succeed(raw) : Effect.fail("invalid")
      })
      const caller = callerWith("")
      const request = {}
      const [valid, invalid] = ["valid", "invalid"].map((given) => ({ ...call, arguments: given })) as [
        Policy.Call,
        Policy.Call
      ]
      const entries = [valid, invalid].map((call) => ({
        policy: { scopes: [], unauthorized: "challenge" as const, rule },
        call
      }))
      const verdict = yield* toEffect(decideBatch({ entries, principal: caller, request, rejectsHidden: false }))
      assert.strictEqual(verdict._tag, "InvalidArguments")
      const inside = (call: Policy.Call) => toEffect(rule.evaluator.evaluateCall(rule, caller, call, request))
      assert.strictEqual((yield* inside(valid))._tag, "Granted")
      assert.strictEqual((yield* inside(invalid))._tag, "InvalidArguments")
    }))
})

describe("a request with several operations", () => {
  const rule = (policy: AnyPolicy, unauthorized: Unauthorized = "challenge"): OperationPolicy => ({
    scopes: [],
    unauthorized,
    rule: policy.bind(server)
  })
  const list = (...scopes: ReadonlyArray<string>): OperationPolicy => ({ scopes, unauthorized: "challenge" })

  const decide = (
    policies: ReadonlyArray<OperationPolicy>,
    caller: Principal | undefined = callerWith("read"),
    rejectsHidden = false
  ) => {
    const entries = policies.map((policy) => ({ policy, call }))
    return toEffect(decideBatch({ entries, principal: caller, request: {}, rejectsHidden }))
  }

  it.effect("is asked for one scope that suffices for all of them, in every order", () =>
    Effect.gen(function*() {
      const either = rule(anyOf(scopes("x"), scopes("y")))
      for (const other of [rule(scopes("y")), list("y")]) {
        for (const policies of [[either, other], [other, either]]) {
          assert.deepStrictEqual(yield* decide(policies), { _tag: "MissingScopes", required: ["y"], missing: ["y"] })
        }
      }
    }))

  it.effect("is asked for the union of what its operations require, also of what the caller has", () =>
    Effect.gen(function*() {
      const verdict = yield* decide([list("read"), rule(allOf(scopes("write"), Policy.authenticated))])
      assert.deepStrictEqual(verdict, { _tag: "MissingScopes", required: ["read", "write"], missing: ["write"] })
    }))

  it.effect("is denied if one of them is, regardless of what the others ask for", () =>
    Effect.gen(function*() {
      for (const denied of [rule(role("admin")), rule(scopes("x"), "deny")]) {
        for (const policies of [[denied, rule(scopes("y"))], [rule(scopes("y")), denied]]) {
          assert.strictEqual((yield* decide(policies))._tag, "Denied")
        }
      }
      assert.deepStrictEqual(yield* decide([rule(scopes("x"), "deny")]), { _tag: "Denied", failed: ["scope x"] })
    }))

  it.effect("counts the requested scopes, and those that they imply, as held by the operations that follow", () =>
    Effect.gen(function*() {
      const hierarchy = serverWith({ admin: ["y"] })
      const either = { ...rule(Policy.authenticated), rule: anyOf(scopes("x"), scopes("y")).bind(hierarchy) }
      assert.deepStrictEqual(yield* decide([list("admin"), either]), {
        _tag: "MissingScopes",
        required: ["admin", "y"],
        missing: ["admin", "y"]
      })
      const denied = { ...list("x"), unauthorized: "deny" as const }
      assert.deepStrictEqual(yield* decide([list("x"), denied, rule(Policy.authenticated)]), {
        _tag: "MissingScopes",
        required: ["x"],
        missing: ["x"]
      })
    }))

  it.effect("is not admitted because the arguments of one of them do not decode, in every order", () =>
    Effect.gen(function*() {
      const invalid = {
        ...rule(Policy.authenticated),
        rule: check("open", () => true).bind(server, { decode: () => Effect.fail("invalid") })
      }
      for (const policies of [[invalid, list("x")], [list("x"), invalid]]) {
        assert.strictEqual((yield* decide(policies))._tag, "MissingScopes")
      }
    }))

  it.effect("ignores a hidden list of scopes, or is rejected as if the operation did not exist", () =>
    Effect.gen(function*() {
      const policies = [rule(Policy.authenticated), { ...list("write"), unauthorized: "hide" as const }]
      assert.strictEqual((yield* decide(policies))._tag, "Granted")
      assert.strictEqual((yield* decide(policies, callerWith("read"), true))._tag, "Hidden")
      assert.strictEqual((yield* decide(policies, callerWith("write"), true))._tag, "Granted")
    }))

  it.effect("asks an anonymous caller for scopes, but not for those of operations that deny or hide", () =>
    Effect.gen(function*() {
      const ofCallers = (policies: ReadonlyArray<OperationPolicy>) =>
        toEffect(decideBatch({
          entries: policies.map((policy) => ({ policy, call })),
          principal: undefined,
          request: {},
          rejectsHidden: false
        }))
      const either = rule(anyOf(scopes("x"), scopes("y")))
      assert.deepStrictEqual(yield* ofCallers([either, list("y")]), { _tag: "SignIn", required: ["y"] })
      assert.deepStrictEqual(yield* ofCallers([rule(scopes("x"), "deny"), rule(scopes("y"), "hide")]), {
        _tag: "SignIn",
        required: []
      })
      assert.deepStrictEqual(yield* ofCallers([rule(role("admin"))]), { _tag: "SignIn", required: [] })
      assert.deepStrictEqual(yield* ofCallers([rule(anyOf(scopes("y", "z"), scopes("read", "list", "x")))]), {
        _tag: "SignIn",
        required: ["read", "list", "x"]
      })
      assert.strictEqual((yield* ofCallers([rule(Policy.anyone)]))._tag, "Granted")
      assert.strictEqual((yield* ofCallers([rule(Policy.anyone), { ...list(), authenticated: true }]))._tag, "SignIn")
      assert.strictEqual((yield* ofCallers([rule(Policy.optional(scopes("x"))), list()]))._tag, "Granted")
    }))
})

describe("the combination of bound policies", () => {
  it.effect("requires all of them, and an open policy adds nothing", () =>
    Effect.gen(function*() {
      const [open, x, y] = [Policy.anyone.bind(server), scopes("x").bind(server), scopes("y").bind(server)]
      const { allOf } = x.evaluator
      const missingFor = Effect.fnUntraced(function*(policies: readonly [BoundPolicy, ...ReadonlyArray<BoundPolicy>]) {
        const policy = allOf(policies)
        const answers = Answers.make().forCall(policy)
        const verdict = yield* toEffect(evaluate({ policy, principal: callerWith("read"), call, answers }))
        return verdict._tag === "MissingScopes" ? verdict.missing : verdict._tag
      })
      assert.deepStrictEqual(yield* missingFor([x, y]), ["x", "y"])
      assert.deepStrictEqual(yield* missingFor([open, x]), ["x"])
      assert.deepStrictEqual(yield* missingFor([x, open]), ["x"])
      assert.deepStrictEqual(yield* missingFor([open, open]), "Granted")
    }))
})

class Limit extends Context.Service<Limit, number>()("test/Limit") {}
class Floor extends Context.Service<Floor, number>()("test/Floor") {}

describe("the list of scopes of a policy", () => {
  it("exists only if the policy requires these scopes and mentions nothing else", () => {
    assert.deepStrictEqual(toScopes(allOf(scopes("x"), scopes("y", "x"))), ["x", "y"])
    const others = [
      allOf(scopes("x"), role("admin")),
      anyOf(scopes("x"), scopes("y")),
      // The server must offer `y`, although no caller needs it.
      anyOf(scopes("x"), scopes("x", "y")),
      Policy.optional(scopes("x")),
      Policy.anyone,
      Policy.authenticated
    ]
    for (const policy of others) assert.isUndefined(toScopes(policy))
  })
})

describe("the services of combined policies", () => {
  it.effect("are those of each policy", () =>
    Effect.gen(function*() {
      const first = checkCaller("limit", () => Effect.map(Limit, (limit) => limit === 2)).bind(server, {
        services: Context.make(Limit, 2)
      })
      const second = checkCaller("floor", () => Effect.map(Floor, (floor) => floor === 1)).bind(server, {
        services: Context.make(Floor, 1)
      })
      const policy = first.evaluator.allOf([first, second])
      const answers = Answers.make().forCall(policy)
      const verdict = yield* toEffect(evaluate({ policy, principal: callerWith(""), call, answers }))
      assert.strictEqual(verdict._tag, "Granted")
    }))
})

describe("a hidden operation", () => {
  const decide = (policy: AnyPolicy, caller: Principal, rejectsHidden: boolean, options: Registration = {}) => {
    const rule = policy.bind(server, options)
    const entry = { policy: { scopes: [], unauthorized: "hide" as const, rule }, call }
    return toEffect(decideBatch({ entries: [entry], principal: caller, request: {}, rejectsHidden }))
  }

  it.effect("does not exist for callers who are granted no call of it, even with arguments that do not decode", () =>
    Effect.gen(function*() {
      let runs = 0
      const isOwner = check("owner", () => ++runs > 0)
      const options: Registration = { decode: () => Effect.fail("invalid") }
      const policy = allOf(scopes("write"), isOwner)
      assert.strictEqual((yield* decide(policy, callerWith("read"), true, options))._tag, "Hidden")
      assert.strictEqual((yield* decide(policy, callerWith("read"), false, options))._tag, "Granted")
      assert.strictEqual(runs, 0)
      assert.strictEqual((yield* decide(policy, callerWith("write"), true, options))._tag, "InvalidArguments")
    }))

  it.effect("exists for callers who are granted some calls, and other calls are denied without naming scopes", () =>
    Effect.gen(function*() {
      const policy = anyOf(scopes("admin"), allOf(scopes("write"), check("owner", () => false)))
      assert.deepStrictEqual(yield* decide(policy, callerWith("write"), true), {
        _tag: "Denied",
        failed: ["scope admin"]
      })
    }))
})

describe("lists", () => {
  it.effect("show an open operation to anonymous callers, and no other one", () =>
    Effect.gen(function*() {
      const shown = (policy: BoundPolicy) =>
        toEffect(evaluateForList({ policy, principal: undefined, answers: Answers.make().forCall(policy) }))
      assert.strictEqual(yield* shown(Policy.anyone.bind(server)), "all")
      assert.strictEqual(yield* shown(Policy.optional(scopes("x")).bind(server)), "all")
      assert.strictEqual(yield* shown(Policy.authenticated.bind(server)), "none")
    }))
})

describe("security schemes", () => {
  type Given = Partial<Omit<OperationPolicy, "rule">> & Partial<SecuritySchemes.Settings["published"]>

  const schemesOf = (policy: AnyPolicy | undefined, given: Given = {}) => {
    const { anonymous = "allow-unscoped", unlisted = "allow", ...others } = given
    const requestedScopes = (scopes: ReadonlyArray<string>) => scopes.map((scope) => `api:${scope}`)
    const toSchemes = SecuritySchemes.make({
      resource: { ...server, requestedScopes },
      published: { anonymous, unlisted }
    })
    return toSchemes({ scopes: [], unauthorized: "challenge", rule: policy?.bind(server), ...others })
  }

  const noauth = { type: "noauth" }
  const oauth2 = (...scopes: ReadonlyArray<string>) => ({ type: "oauth2", scopes: scopes.map((_) => `api:${_}`) })
  const baseline = oauth2("read", "list")

  const cases: ReadonlyArray<
    readonly [title: string, policy: AnyPolicy | undefined, schemes: ReadonlyArray<unknown> | undefined, given?: Given]
  > = [
    ["scopes", scopes("write"), [oauth2("read", "list", "write")]],
    ["a list of scopes", undefined, [oauth2("read", "list", "write")], { scopes: ["read", "write"] }],
    ["no scopes", undefined, [noauth]],
    ["no scopes, and a principal", undefined, [baseline], { authenticated: true }],
    ["no scopes, if anonymous callers are rejected", undefined, [baseline], { anonymous: "deny" }],
    ["no scopes, if unlisted operations are rejected", undefined, undefined, { unlisted: "deny" }],
    ["a choice", anyOf(scopes("admin"), scopes("write")), [oauth2("read", "list", "write")]],
    [
      "a choice of which the baseline has the most",
      anyOf(scopes("y", "z"), scopes("read", "list", "x")),
      [oauth2("read", "list", "x")]
    ],
    ["a role", role("admin"), [baseline]],
    ["a role or a scope", anyOf(role("admin"), scopes("x")), [oauth2("read", "list", "x")]],
    [
      "a role or a scope with a check",
      anyOf(role("admin"), allOf(scopes("write"), check("owner", () => true))),
      [oauth2("read", "list", "write")]
    ],
    ["scopes without a challenge", undefined, [baseline], { scopes: ["write"], unauthorized: "deny" }],
    ["hidden scopes", undefined, [baseline], { scopes: ["write"], unauthorized: "hide" }],
    ["a policy without a challenge", scopes("write"), [baseline], { unauthorized: "deny" }],
    ["a hidden policy", anyOf(role("admin"), scopes("write")), [baseline], { unauthorized: "hide" }],
    ["any caller", Policy.anyone, [noauth]],
    ["any caller, if unlisted operations are rejected", Policy.anyone, [noauth], { unlisted: "deny" }],
    ["any caller, if anonymous callers are rejected", Policy.anyone, [baseline], { anonymous: "deny" }],
    ["an optional scope", Policy.optional(scopes("x")), [noauth, oauth2("read", "list", "x")]],
    ["an optional scope of a hidden tool", Policy.optional(scopes("x")), [noauth, oauth2("read", "list", "x")], {
      unauthorized: "hide"
    }],
    ["an optional scope, if anonymous callers are rejected", Policy.optional(scopes("x")), [
      oauth2("read", "list", "x")
    ], { anonymous: "deny" }]
  ]

  for (const [title, policy, schemes, given] of cases) {
    it(`name for ${title} what an anonymous caller must do`, () => {
      assert.deepStrictEqual(schemesOf(policy, given), schemes)
    })
  }
})

describe("a constructor", () => {
  const fix = (make: () => unknown): string => {
    try {
      make()
    } catch (error) {
      assert.instanceOf(error, AuthError.AuthConfigError)
      return error.message
    }
    return assert.fail("nothing was thrown")
  }
  const four = (n: number) => anyOf(scopes(`a${n}`), scopes(`b${n}`), scopes(`c${n}`), scopes(`d${n}`))

  it("rejects a policy with more than 64 alternatives, and accepts one with 64", () => {
    const largest = allOf(four(1), four(2), four(3))
    assert.strictEqual(largest.bind(server).alternatives.length, 64)
    assert.strictEqual(allOf(largest, largest).bind(server).alternatives.length, 64)
    assert.match(fix(() => allOf(largest, four(4))), /Policy\.allOf.*more than 64 alternatives/)
    assert.match(fix(() => anyOf(largest, scopes("x"))), /Policy\.anyOf.*more than 64 alternatives/)
  })

  const mistakes: ReadonlyArray<readonly [title: string, make: () => unknown, message: RegExp]> = [
    ["anyOf without a policy", () => anyOf(...([] as never)), /Policy\.anyOf.*empty/],
    ["allOf without a policy", () => allOf(...([] as never)), /Policy\.allOf.*empty/],
    ["allOf of a list of scopes", () => allOf(["write"] as never), /Policy\.allOf.*a policy/],
    ["anyOf of an open policy", () => anyOf(Policy.anyone as never, scopes("x")), /Policy\.anyOf.*cannot be combined/],
    [
      "optional of an open policy",
      () => Policy.optional(Policy.anyone as never),
      /Policy\.optional.*cannot be combined/
    ],
    ["scopes without a scope", () => scopes(...([] as never)), /Policy\.scopes.*no scope/],
    ["a scope with a space", () => scopes("todos write"), /Policy\.scopes.*a scope/],
    ["a role without a name", () => role(""), /Policy\.role.*a name/],
    ["a claim without a predicate", () => claim("sub", undefined as never), /Policy\.claim.*a function/],
    ["a check without a name", () => check((() => true) as never, undefined as never), /Policy\.check.*a function/],
    ["a check with an empty name", () => check(" ", () => true), /Policy\.check.*a name/],
    [
      "a check of the caller without a function",
      () => checkCaller("c", true as never),
      /Policy\.checkCaller.*a function/
    ]
  ]

  it.each(mistakes)("rejects %s", (_, make, message) => {
    assert.match(fix(make), message)
  })
})
