import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Scheduler } from "effect"
import * as EndpointGuard from "../../src/outbound/EndpointGuard.ts"

describe("a caller that is interrupted while it enters the queue", () => {
  it.live("keeps no place in it, at whichever step the interruption comes", () =>
    Effect.gen(function*() {
      const guard = yield* EndpointGuard.make({
        issuer: "https://auth.test",
        endpoint: "The introspection endpoint",
        option: "introspection"
      })
      for (let steps = 4; steps <= 40; steps++) {
        // More callers than the queue has places.
        for (let count = 0; count < 300; count++) {
          const caller = Effect.runFork(
            guard.protect("unverified", Effect.yieldNow).pipe(
              Effect.provideService(Scheduler.MaxOpsBeforeYield, steps)
            )
          )
          caller.interruptUnsafe()
          yield* Fiber.await(caller)
        }
        assert.strictEqual(yield* guard.protect("unverified", Effect.succeed("sent")), "sent", `after ${steps} steps`)
      }
    }))
})
