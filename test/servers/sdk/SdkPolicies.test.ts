import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Result } from "effect"
import { Operation } from "effect-mcp-auth/protocol"
import { TestClock } from "effect/testing"
import * as sdkPolicies from "../../../src/servers/sdk/SdkPolicies.ts"
import type { Registry } from "../../../src/servers/sdk/SdkRegistry.ts"

const operationsOf = (body: unknown) => Result.getOrThrow(Operation.fromBody(body))

const unused = (): never => assert.fail("not for this test")

describe("SdkPolicies", () => {
  it.effect("a function that returns a promise which never settles fails the request after 30 seconds", () =>
    Effect.gen(function*() {
      const waiting = sdkPolicies.make({} as Registry, () => Effect.fail("no arguments"), () => new Promise(() => {}))
      const fiber = yield* Effect.forkChild(Effect.flip(waiting({
        session: undefined,
        principal: undefined,
        authInfo: undefined,
        operations: [],
        body: undefined
      })))
      yield* TestClock.adjust("29 seconds")
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust("1 second")
      const error = yield* Fiber.join(fiber)
      assert.strictEqual(error._tag, "AuthConfigError")
      assert.include(error.message, "did not return one within 30 seconds")
    }))

  it.effect("[T-AUD-06l] each registration is looked up once, also if several operations name it", () =>
    Effect.gen(function*() {
      const looked: Array<string> = []
      const registry: Registry = {
        offered: new Set(),
        checkPolicy: unused,
        setPolicy: unused,
        instrument: () => true,
        prepare: () => undefined,
        isUpdateAdmitted: unused,
        removeHidden: unused,
        isInvisible: unused,
        findTask: unused,
        hasTasks: () => false,
        readsRegisteredOnly: () => true,
        find: (_, { method, target }) => {
          looked.push(`${method} ${target}`)
          return target === "s://hidden"
            ? undefined
            : { registration: {}, policy: { scopes: () => ["read"], unauthorized: "challenge" } }
        }
      }
      const policies = sdkPolicies.make(registry, () => Effect.fail("no arguments"), () => ({ connect: unused }))
      const resourceSubscriptions = ["s://1", "s://2", "s://1", "s://hidden", "s://hidden"]
      const body = [
        { jsonrpc: "2.0", id: 1, method: "subscriptions/listen", params: { notifications: { resourceSubscriptions } } },
        { jsonrpc: "2.0", id: 2, method: "resources/read", params: { uri: "s://1" } },
        { jsonrpc: "2.0", id: 3, method: "resources/read", params: { uri: "s://1" } }
      ]
      const operations = operationsOf(body)
      const policyFor = yield* policies({
        session: undefined,
        principal: undefined,
        authInfo: undefined,
        operations,
        body
      })
      for (const operation of operations) policyFor(operation)
      assert.deepStrictEqual(looked.toSorted(), [
        "resources/read s://1",
        "subscriptions/listen s://1",
        "subscriptions/listen s://2",
        "subscriptions/listen s://hidden",
        "subscriptions/listen undefined"
      ])
      assert.deepStrictEqual(operationsOf(body[0]).map(({ target }) => target), [
        undefined,
        "s://1",
        "s://2",
        "s://1"
      ])
    }))
})
