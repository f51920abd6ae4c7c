/** Runs the comparison of `npm run signatures` with 4,000 tokens instead of a million. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Differential from "../../bench/signatures/Differential.ts"

it.live(
  "jose and the platform give the same results for mutated tokens of every algorithm",
  () =>
    Effect.gen(function*() {
      const outcome = yield* Differential.run({ count: 4_000, seed: 20260728 })
      assert.deepStrictEqual(outcome.differences, [])
      assert.isAbove(outcome.admitted, 100)
      assert.isAbove(outcome.bySignature, 1_000)
    }),
  120_000
)
