import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Result } from "effect"
import { AuthError } from "effect-mcp-auth"
import { type Gate, Rejection } from "effect-mcp-auth/host"
import * as Admit from "../../../src/servers/host/Admit.ts"
import type * as body from "../../../src/servers/host/Body.ts"
import { gate as makeGate, principal, toolCall } from "../../authorization/support.ts"

/** Creates a gate that records its steps, and rejects at the step `rejectAt` if one is given. */
const recording = (real: Gate.Gate, rejectAt?: string) => {
  const steps: Array<string> = []
  const step = <A>(name: string, result: A): Effect.Effect<A, Rejection.Rejection> => {
    steps.push(name)
    return name === rejectAt ? Effect.fail(Rejection.unknownSession) : Effect.succeed(result)
  }
  const gate: Gate.Gate = {
    ...real,
    authenticate: (request) =>
      step("token", { request, principal: principal({ scopes: ["todos:read"] }), timing: {} as never }),
    sessions: { ...real.sessions, check: () => step("session", undefined) },
    recheck: (caller, awaited) => step(awaited ? "second check, after waiting" : "second check", caller),
    authorize: (_, operations, policyFor) => {
      for (const operation of operations) policyFor(operation)
      return step("policies", undefined)
    },
    reject: (_, failure) => {
      steps.push(`rejected: ${Cause.isCause(failure) ? "cause" : failure._tag}`)
      return Effect.fail(Rejection.broken)
    }
  }
  return { steps, admit: Admit.make(gate, () => undefined) }
}

const request = (fiber: Gate.Request["fiber"]): Gate.Request => ({
  fiber,
  method: "POST",
  header: (name) => name === "mcp-session-id" ? "s" : undefined,
  authorization: []
})

const message: body.Message = { value: {}, operations: toolCall("list") }

describe("Admit", () => {
  it.effect("takes a request through token, session, body, second check and policies, in this order", () =>
    Effect.gen(function*() {
      const { gate } = yield* makeGate()
      for (const isAwaited of [false, true]) {
        const { admit: { admit }, steps } = recording(gate)
        const read = () => {
          steps.push("body")
          return isAwaited ? Effect.as(Effect.yieldNow, message) : Effect.succeed(message)
        }
        const admitted = yield* Effect.withFiber((fiber) =>
          admit(request(fiber), read, () => {
            steps.push("find policies")
            return Effect.succeed(() => undefined)
          })
        )
        assert.deepStrictEqual(steps, [
          "token",
          "session",
          "body",
          isAwaited ? "second check, after waiting" : "second check",
          "find policies",
          "policies"
        ])
        assert.strictEqual(admitted.body, message.value)
      }
    }))

  it.effect("runs no step after the one that rejects", () =>
    Effect.gen(function*() {
      const { gate } = yield* makeGate()
      for (const [index, last] of ["token", "session", "second check", "policies"].entries()) {
        const { admit: { admit }, steps } = recording(gate, last)
        const result = yield* Effect.result(Effect.withFiber((fiber) =>
          admit(request(fiber), () => Effect.succeed(message), () => Effect.succeed(() => undefined))
        ))
        assert.isTrue(Result.isFailure(result))
        assert.strictEqual(steps.at(-1), last)
        assert.lengthOf(steps, index + 1)
      }
    }))

  it.effect("returns an Exit if nothing has to be awaited, so that no fiber is needed", () =>
    Effect.gen(function*() {
      const { gate } = yield* makeGate()
      const { admit: { admit, admitRoute } } = recording(gate)
      const exits = yield* Effect.withFiber((fiber) =>
        Effect.succeed([
          admit(request(fiber), () => Effect.succeed(message), () => Effect.succeed(() => undefined)),
          admit({ ...request(fiber), method: "GET" }, undefined, () => Effect.die("the policies were read")),
          admitRoute(request(fiber), { scopes: [], unauthorized: "challenge", authenticated: true })
        ])
      )
      assert.deepStrictEqual(exits.map((_) => Exit.isExit(_) && Exit.isSuccess(_)), [true, true, true])
    }))

  it.effect("rejects a POST whose body is not read, and a route without a policy", () =>
    Effect.gen(function*() {
      const { gate } = yield* makeGate()
      const { admit: { admit, admitRoute }, steps } = recording(gate)
      const unread = yield* Effect.result(
        Effect.withFiber((fiber) => admit(request(fiber), undefined, () => Effect.die("the policies were read")))
      )
      assert.isTrue(Result.isFailure(unread))
      assert.deepStrictEqual(steps, ["token", "session", "rejected: MalformedRequest"])
      steps.length = 0
      const undecided = yield* Effect.result(
        Effect.withFiber((fiber) => admitRoute(request(fiber), undefined as never))
      )
      assert.isTrue(Result.isFailure(undecided))
      assert.deepStrictEqual(steps, ["token", "rejected: AuthConfigError"])
    }))

  it.effect("rejects for a body or policies that fail, throw or die", () =>
    Effect.gen(function*() {
      const { gate } = yield* makeGate()
      const boom = (): never => {
        throw new Error("broken on purpose")
      }
      const found = () => Effect.succeed(() => undefined)
      const broken: ReadonlyArray<Parameters<Admit.Admit<unknown>["admit"]>> = [
        [undefined as never, boom, found],
        [undefined as never, () => Effect.die("a defect"), found],
        [undefined as never, () => Effect.fail(new AuthError.MalformedRequest({ reason: "not-json" })), found],
        [undefined as never, () => Effect.succeed(message), boom],
        [undefined as never, () => Effect.succeed(message), () => Effect.die("a defect")]
      ]
      for (const [, read, policies] of broken) {
        const { admit: { admit }, steps } = recording(gate)
        const result = yield* Effect.result(Effect.withFiber((fiber) => admit(request(fiber), read, policies)))
        assert.isTrue(Result.isFailure(result))
        assert.strictEqual(steps.at(-1), "rejected: cause")
        assert.notInclude(steps, "policies")
      }
    }))
})
