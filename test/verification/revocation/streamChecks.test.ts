import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber } from "effect"
import * as streamChecks from "../../../src/verification/revocation/StreamChecks.ts"
import { principal } from "../../authorization/support.ts"
import { interruptedAt } from "../../interruptedAt.ts"

describe("the checks of open streams", () => {
  it.live("stay within their limit if streams end while a check starts", () =>
    Effect.gen(function*() {
      let running = 0
      let isCounted = false
      const untilRevoked = streamChecks.make(() =>
        Effect.suspend(() => {
          if (isCounted) running++
          return Effect.never
        })
      )
      const stream = untilRevoked(principal({ scopes: [] }), Duration.zero)
      for (let at = 1; at <= 60; at++) {
        yield* Effect.forEach(Array.from({ length: 20 }), () => interruptedAt(at, stream), { concurrency: "unbounded" })
      }
      isCounted = true
      const streams = yield* Effect.forEach(Array.from({ length: 60 }), () => Effect.forkChild(stream))
      yield* Effect.repeat(Effect.sleep("10 millis"), { until: () => running >= 16 })
      // This delay gives the waiting streams time to try again.
      yield* Effect.sleep("200 millis")
      assert.strictEqual(running, 16)
      yield* Fiber.interruptAll(streams)
    }))
})
