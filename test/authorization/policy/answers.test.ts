/**
 * The answers of the gate to calls of operations whose policies are more than lists of scopes.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Result, Schema } from "effect"
import { Decision, Principal } from "effect-mcp-auth"
import type { Gate, Rejection } from "effect-mcp-auth/host"
import { Policy } from "effect-mcp-auth/policy"
import { Operation } from "effect-mcp-auth/protocol"
import { authenticateCaller, authorize } from "../steps.ts"
import { gate as makeGate, listening, principal, protectedResource, request } from "../support.ts"

const { allOf, anyOf, check, role, scopes } = Policy
const resource = protectedResource()

type AnyPolicy = Pick<Policy.AnyPolicy, "bind">

const ruleOf = (
  policy: AnyPolicy,
  unauthorized: Gate.OperationPolicy["unauthorized"] = "challenge"
): Gate.OperationPolicy => ({
  scopes: [],
  unauthorized,
  rule: policy.bind(resource, { decode: Schema.decodeUnknownEffect(Schema.Struct({ id: Schema.Trim })) })
})

const isOwner = check(
  "owner",
  ({ subject }, call: Policy.Call<{ readonly id: string }>) => Effect.succeed(call.arguments.id === subject)
)
const canEdit = anyOf(scopes("todos:admin"), allOf(scopes("todos:write"), isOwner))

const calls = (...names: ReadonlyArray<string>) =>
  Result.getOrThrow(Operation.fromBody(names.map((name, id) => {
    const [tool, value] = name.split(" ")
    return { jsonrpc: "2.0", id, method: "tools/call", params: { name: tool, arguments: value ? { id: value } : {} } }
  })))

/** Calls tools, and returns the rejection, or `undefined` if the request is admitted. */
const ask = Effect.fnUntraced(function*(
  policies: Readonly<Record<string, Gate.OperationPolicy>>,
  names: ReadonlyArray<string>,
  caller: Principal | undefined,
  options: Parameters<typeof makeGate>[0] = {}
) {
  const { gate } = yield* makeGate({ anonymous: "allow-unscoped", ...options })
  return yield* authorize(gate, {
    caller: caller ?? (yield* authenticateCaller(gate, request())),
    protocolVersion: "2026-07-28",
    operations: Effect.succeed(calls(...names)),
    policy: ({ target }) => policies[target!]
  }).pipe(Effect.as(undefined), Effect.catch(Effect.succeed))
})

/** The parts of an answer that matter to the client. */
const partsOf = (rejection: Rejection.Rejection | undefined): string => {
  if (rejection === undefined) return "admitted"
  const challenge = rejection.headers["www-authenticate"]
  const scope = /scope="([^"]*)"/.exec(challenge ?? "")?.[1]
  return `${rejection.status} ${rejection.reason}${challenge === undefined ? "" : ` asks for ${scope}`}`
}

const alice = (...scopes: ReadonlyArray<string>) => principal({ scopes })
const admin = principal({ scopes: ["todos:read"], roles: new Set(["admin"]) })

describe("the answer to a caller", () => {
  const policies = {
    edit: ruleOf(canEdit),
    editDenied: ruleOf(canEdit, "deny"),
    editHidden: ruleOf(canEdit, "hide"),
    purge: ruleOf(role("admin")),
    purgeHidden: ruleOf(role("admin"), "hide"),
    hello: ruleOf(Policy.optional(scopes("todos:read"))),
    list: { scopes: ["todos:read"], unauthorized: "challenge" },
    listDenied: { scopes: ["todos:write"], unauthorized: "deny" }
  } as const satisfies Record<string, Gate.OperationPolicy>

  const cases: ReadonlyArray<readonly [names: string, caller: Principal | undefined, answer: string]> = [
    ["edit alice", alice("todos:write"), "admitted"],
    ["edit alice", alice("todos:read"), "403 missing-scope asks for todos:write"],
    ["edit bob", alice("todos:write"), "403 missing-scope asks for todos:admin"],
    ["edit bob", alice("todos:admin"), "admitted"],
    ["edit", alice("todos:write"), "admitted"],
    ["edit", undefined, "401 no-authorization asks for todos:read todos:write"],
    ["editDenied bob", alice("todos:write"), "403 denied"],
    ["editDenied alice", alice("todos:write"), "admitted"],
    ["editDenied", undefined, "401 no-authorization asks for todos:read"],
    ["editHidden bob", alice("todos:write"), "403 denied"],
    ["editHidden bob", alice("todos:read"), "admitted"],
    ["editHidden", undefined, "401 no-authorization asks for todos:read"],
    ["purge", alice("todos:admin"), "403 denied"],
    ["purge", admin, "admitted"],
    ["purge", undefined, "401 no-authorization asks for todos:read"],
    ["purgeHidden", alice("todos:admin"), "admitted"],
    ["hello", undefined, "admitted"],
    ["hello", alice(), "admitted"],
    ["listDenied", alice("todos:read"), "403 denied"],
    ["listDenied", undefined, "401 no-authorization asks for todos:read"],
    ["edit alice, list", alice(), "403 missing-scope asks for todos:read todos:write"],
    ["edit alice, purge", alice(), "403 denied"],
    ["list, listDenied", alice(), "403 denied"],
    ["hello, list", undefined, "401 no-authorization asks for todos:read"]
  ]

  it.effect.each(cases)(
    "follows from the policy for the calls %s (%#)",
    ([names, caller, answer]) =>
      Effect.gen(function*() {
        assert.strictEqual(partsOf(yield* ask(policies, names.split(", "), caller)), answer)
      })
  )

  it.effect("names no condition, and has no challenge, if no scope would help", () =>
    Effect.gen(function*() {
      const rejection = yield* ask(policies, ["purge"], alice())
      assert.deepStrictEqual(rejection?.headers, { "cache-control": "no-store", "content-type": "application/json" })
      assert.deepStrictEqual(JSON.parse(rejection?.body ?? ""), {
        error: "access_denied",
        error_description: "The caller is not allowed to run this operation"
      })
    }))

  it.effect("is the one for an operation without a policy, if the operation is hidden and unlisted ones are rejected", () =>
    Effect.gen(function*() {
      const unlisted = yield* ask({ any: { scopes: [], unauthorized: "challenge" } }, ["any"], alice(), {
        unlisted: "deny"
      })
      const hidden = yield* ask(policies, ["purgeHidden"], alice(), { unlisted: "deny" })
      assert.strictEqual(partsOf(hidden), "403 unlisted")
      assert.deepStrictEqual(hidden, unlisted)
      // An operation with a policy is listed, even if the policy requires no scope.
      assert.strictEqual(partsOf(yield* ask(policies, ["purge"], admin, { unlisted: "deny" })), "admitted")
      assert.strictEqual(partsOf(yield* ask(policies, ["hello"], alice(), { unlisted: "deny" })), "admitted")
    }))

  it.effect.each<[title: string, policy: AnyPolicy]>([
    ["a check that dies", check("broken", () => Effect.die(new Error("down")))],
    [
      "a check that throws",
      check("broken", () => {
        throw new Error("down")
      })
    ],
    [
      "a predicate of a claim that throws",
      Policy.claim("sub", () => {
        throw new Error("down")
      })
    ]
  ])("is 500 after %s, alone and in a batch", ([_, policy]) =>
    Effect.gen(function*() {
      const broken = { broken: ruleOf(policy), list: policies.list }
      const caller = principal({ scopes: ["todos:read"], claims: { sub: "alice" } })
      for (const names of [["broken alice"], ["broken alice", "list"], ["list", "broken alice"]]) {
        assert.strictEqual(partsOf(yield* ask(broken, names, caller)), "500 broken")
      }
    }))

  it.effect.each<[title: string, policy: AnyPolicy]>([
    ["a check of the caller dies", Policy.checkCaller("broken", () => Effect.die(new Error("down")))],
    ["a check of the caller rejects", Policy.checkCaller("broken", () => Promise.reject(new Error("down")))],
    [
      "a predicate throws",
      Policy.claim("sub", () => {
        throw new Error("down")
      })
    ]
  ])(
    "T-POL-04 does not reveal a hidden operation if %s, alone and in a batch",
    ([_, policy]) =>
      Effect.gen(function*() {
        const broken = { hidden: ruleOf(policy, "hide"), list: policies.list }
        const caller = principal({ scopes: ["todos:read"], claims: { sub: "alice" } })
        for (const names of [["hidden"], ["hidden", "list"], ["list", "hidden"]]) {
          const unknown = names.map((name) => name === "hidden" ? "unknown" : name)
          assert.strictEqual(partsOf(yield* ask(broken, names, caller)), partsOf(yield* ask(broken, unknown, caller)))
          assert.strictEqual(partsOf(yield* ask(broken, names, caller, { unlisted: "deny" })), "403 unlisted")
        }
      })
  )
})

describe("a batch, if the server rejects operations that are not listed", () => {
  const unlisted: Gate.OperationPolicy = { scopes: [], unauthorized: "challenge", authenticated: true }
  const dies = check("dies", () => Effect.die("down"))
  const others: Readonly<Record<string, Gate.OperationPolicy>> = {
    list: { scopes: ["todos:read"], unauthorized: "challenge" },
    denied: ruleOf(role("admin"), "deny"),
    dies: ruleOf(dies),
    visible: ruleOf(anyOf(role("owner"), dies), "hide"),
    unlisted
  }
  const hidden: ReadonlyArray<Policy.AnyPolicy> = [
    role("admin"),
    Policy.checkCaller("no", () => false),
    Policy.checkCaller("down", () => Effect.die("down")),
    anyOf(allOf(role("admin"), scopes("todos:read")), role("root"))
  ]
  const batches = [
    ["it", "denied"],
    ["denied", "it"],
    ["it", "dies 1"],
    ["dies 1", "it"],
    ["dies 1", "visible 1", "it"],
    ["list", "it", "x".repeat(9000)],
    ["list", "broken", "it"],
    ["it", "broken", "list"]
  ]

  it.effect.each(batches.map((names) => [names.map((_) => _.slice(0, 10)).join(", "), names] as const))(
    "T-POL-04 is answered as with an operation that does not exist: %s",
    ([_, names]) =>
      Effect.gen(function*() {
        const caller = principal({ scopes: ["todos:read"] })
        const answerTo = (it: Gate.OperationPolicy) => {
          const broken = {
            get broken(): never {
              throw new Error("down")
            }
          }
          const all = Object.defineProperties({ ...others, it }, Object.getOwnPropertyDescriptors(broken))
          return Effect.map(ask(all, names, caller, { unlisted: "deny" }), partsOf)
        }
        const expected = yield* answerTo(unlisted)
        for (const policy of hidden) assert.strictEqual(yield* answerTo(ruleOf(policy, "hide")), expected)
        assert.strictEqual(yield* answerTo({ scopes: ["todos:admin"], unauthorized: "hide" }), expected)
      })
  )
})

describe("the gate", () => {
  it.effect("decides without waiting if scopes, roles and claims suffice", () =>
    Effect.withFiber((fiber) =>
      Effect.gen(function*() {
        const { gate } = yield* makeGate()
        const authorizeNow = (policy: AnyPolicy, caller: Principal) =>
          gate.authorize(
            {
              principal: caller,
              request: {
                fiber,
                method: "POST",
                header: () => undefined,
                authorization: []
              },
              timing: Decision.startTiming(fiber)
            },
            calls("tool alice").slice(0, 1),
            () => ruleOf(policy)
          )
        assert.isTrue(Exit.isExit(authorizeNow(canEdit, alice("todos:admin"))))
        assert.isTrue(Exit.isExit(authorizeNow(role("admin"), admin)))
        assert.isFalse(Exit.isExit(authorizeNow(isOwner, alice())))
      })
    ))

  it.effect("provides the caller to the checks of a policy", () =>
    Effect.gen(function*() {
      const isCaller = check("same", (caller) =>
        Effect.map(Effect.serviceOption(Principal), (it) => it._tag === "Some" && it.value === caller))
      assert.strictEqual(partsOf(yield* ask({ tool: ruleOf(isCaller) }, ["tool alice"], alice())), "admitted")
    }))

  it.effect("reports the conditions that failed, and the scopes that a policy required", () =>
    Effect.gen(function*() {
      const { decisions, explained, layer, lines } = listening()
      const policies = {
        purge: ruleOf(allOf(scopes("todos:admin"), role("admin"))),
        edit: ruleOf(canEdit),
        hidden: { scopes: ["todos:write"], unauthorized: "hide" }
      } as const
      yield* ask(policies, ["purge"], alice("todos:admin")).pipe(Effect.provide(layer))
      yield* ask(policies, ["edit alice"], alice("todos:write")).pipe(Effect.provide(layer))
      yield* ask(policies, ["edit alice"], alice("todos:admin")).pipe(Effect.provide(layer))
      yield* ask(policies, ["hidden"], alice("todos:write")).pipe(Effect.provide(layer))
      assert.deepStrictEqual(
        decisions.map(({ failedConditions, reason, required }) => ({ failedConditions, reason, required })),
        [
          { failedConditions: ["role admin"], reason: "denied", required: [] },
          { failedConditions: [], reason: undefined, required: ["todos:write"] },
          { failedConditions: [], reason: undefined, required: ["todos:admin"] },
          { failedConditions: [], reason: undefined, required: ["todos:write"] }
        ]
      )
      assert.deepInclude(lines[0]!.annotations, { failedConditions: ["role admin"], reason: "denied" })
      assert.deepInclude(explained[0], { checked: "policy", expected: "\"role admin\"" })
    }))

  it.effect("advises to configure the claim of the roles if a caller without any role lacks one", () =>
    Effect.gen(function*() {
      const { explained, layer } = listening()
      const editor = principal({ scopes: [], roles: new Set(["editor"]) })
      for (const caller of [alice(), editor]) {
        yield* ask({ purge: ruleOf(role("admin")) }, ["purge"], caller).pipe(Effect.provide(layer))
      }
      yield* ask({ edit: ruleOf(isOwner) }, ["edit bob"], alice()).pipe(Effect.provide(layer))
      assert.deepStrictEqual(explained.map((_) => _?.advice.includes("option roles")), [true, false, false])
    }))

  it.effect.each<[returned: string, answer: () => unknown]>([
    ["undefined", () => undefined],
    ["string", () => "a secret"],
    ["Effect in a promise", async () => Effect.succeed(true)],
    ["function", () => () => true]
  ])("warns once of a check that returns %s, without the value", ([returned, answer]) =>
    Effect.gen(function*() {
      const { layer, lines } = listening()
      const policies = { edit: ruleOf(check("owner", answer as () => boolean)) }
      for (const _ of [1, 2]) yield* ask(policies, ["edit alice"], alice()).pipe(Effect.provide(layer))
      assert.deepStrictEqual(lines.filter(({ level }) => level === "Warn").map(({ message }) => message), [[
        `check owner of a policy returned: ${returned}. Return a boolean, a promise or an Effect of one`
      ]])
    }))
})
