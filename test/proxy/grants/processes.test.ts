/** Two instances of a proxy share a store. `test/proxy/slow/grants.test.ts` repeats this many times, also with crashes. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { generationOf, raceCode, raceRefreshes, startTwo, stores } from "./instances.ts"

describe.each(["sqlite", "redis"])("two instances of a proxy (%s)", (kind) => {
  const { exists, place } = stores[kind]!

  it.live.skipIf(!exists)(
    "attacks 32, 52 and A14: race for codes and refreshes, and give the same tokens",
    () =>
      Effect.gen(function*() {
        const both = yield* startTwo(kind, yield* place)
        yield* Effect.promise(async () => {
          const results = await raceCode(both)
          const [winner, ...others] = results.filter((value) => !value.startsWith("rejected"))
          assert.deepStrictEqual(others, [])
          assert.include(results, "rejected: replayed")
          const next = await both[0].send({ do: "refresh", token: winner!, times: 1 })
          assert.strictEqual(generationOf(next!.values[0]!), 1)
          assert.deepStrictEqual(await raceRefreshes(both, 3), { rotations: 3, answers: 18, violations: [] })
        })
      })
  )
})
