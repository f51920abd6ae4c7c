/** Two instances of a proxy share a store: 300 races, crashes at each write, reuse, and 100,000 grants. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Crash } from "../grants/Instance.ts"
import { generationOf, raceCode, raceRefreshes, signIn, startInstance, startTwo, stores } from "../grants/instances.ts"

const isToken = (value: string): boolean => !value.startsWith("rejected") && value !== "lost"

/** The writes of a redemption are the list of grants, the grant and the code. A refresh has one write. */
const crashes: ReadonlyArray<Crash & { readonly at: "redeem" | "refresh" }> = [
  { at: "refresh", write: 0, when: "before" },
  { at: "refresh", write: 0, when: "after" },
  { at: "redeem", write: 0, when: "before" },
  { at: "redeem", write: 0, when: "after" },
  { at: "redeem", write: 1, when: "before" },
  { at: "redeem", write: 1, when: "after" },
  { at: "redeem", write: 2, when: "before" }
]

const times = 5

describe.each(Object.entries(stores).map(([kind, store]) => ({ kind, ...store })))(
  "two instances of a proxy ($kind)",
  ({ exists, kind, place }) => {
    it.live.skipIf(!exists)(
      "attack 52: 300 times six refreshes at once rotate once, and all get the same token",
      () =>
        Effect.gen(function*() {
          const both = yield* startTwo(kind, yield* place)
          const series = yield* Effect.promise(() => raceRefreshes(both, 300))
          assert.deepStrictEqual(series, { rotations: 300, answers: 1_800, violations: [] })
        })
    )

    it.live.skipIf(!exists)(
      "attack 32: of 60 codes that two instances redeem at once, each gives one living grant",
      () =>
        Effect.gen(function*() {
          const both = yield* startTwo(kind, yield* place)
          yield* Effect.promise(async () => {
            for (let time = 0; time < 60; time++) {
              const values = await raceCode(both)
              const won = values.filter(isToken)
              assert.strictEqual(won.length, 1, values.join(" "))
              const next = await both[time % 2]!.send({ do: "refresh", token: won[0]!, times: 1 })
              assert.strictEqual(generationOf(next!.values[0]!), 1)
            }
          })
        })
    )

    it.live.skipIf(!exists)(
      "attack 50: reuse beside a good refresh leaves nothing that lives",
      () =>
        Effect.gen(function*() {
          const where = yield* place
          const [one, other] = yield* Effect.all([
            startInstance(kind, where, "ab", "0 seconds"),
            startInstance(kind, where, "ab", "0 seconds")
          ])
          yield* Effect.promise(async () => {
            for (let time = 0; time < 50; time++) {
              const stolen = await signIn(one)
              const good = (await one.send({ do: "refresh", token: stolen, times: 1 }))!.values[0]!
              const results = await Promise.all([
                one.send({ do: "refresh", token: stolen, times: 1 }),
                other.send({ do: "refresh", token: good, times: 1 })
              ])
              const events = results.flatMap((result) => result!.events)
              assert.deepStrictEqual(events.filter((type) => type === "token-reused"), ["token-reused"])
              for (const token of [stolen, good, ...results.map((result) => result!.values[0]!).filter(isToken)]) {
                const after = await other.send({ do: "refresh", token, times: 1 })
                assert.deepStrictEqual(after!.values, ["rejected: unknown"])
              }
            }
          })
        })
    )

    it.live.skipIf(!exists)(
      "attack A6: keeps the session when the store loses its last writes",
      () =>
        Effect.gen(function*() {
          const [one, other] = yield* startTwo(kind, yield* place)
          yield* Effect.promise(async () => {
            for (let time = 0; time < 20; time++) {
              const tokens = [await signIn(one)]
              const grant = tokens[0]!.split(".")[0]!
              const [value] = (await one.send({ do: "copy", grant }))!.values
              for (const each of [one, other]) {
                tokens.push((await each.send({ do: "refresh", token: tokens.at(-1)!, times: 1 }))!.values[0]!)
              }
              await one.send({ do: "restore", grant, value: value! })
              const healed = (await other.send({ do: "refresh", token: tokens[2]!, times: 1 }))!
              assert.deepStrictEqual(healed.events, ["recovered"])
              assert.strictEqual(generationOf(healed.values[0]!), 3)
              for (const token of tokens) {
                assert.deepStrictEqual((await one.send({ do: "refresh", token, times: 1 }))!.values, healed.values)
              }
            }
          })
        })
    )

    it.live.each(exists ? crashes : [])(
      "keeps the session after a crash $when write $write of a $at",
      (crash) =>
        Effect.gen(function*() {
          const where = yield* place
          const survivor = yield* startInstance(kind, where)
          for (let time = 0; time < times; time++) {
            const crashing = yield* startInstance(kind, where)
            yield* Effect.promise(async () => {
              const [code] = (await survivor.send({ do: "issue" }))!.values
              const redeem = { do: "redeem", code: code! } as const
              if (crash.at === "redeem") {
                assert.isUndefined(await crashing.send({ ...redeem, crash }))
                const token = (await survivor.send(redeem))!.values[0]!
                assert.isTrue(isToken(token), token)
              } else {
                const token = (await survivor.send(redeem))!.values[0]!
                const refresh = { do: "refresh", token, times: 1 } as const
                assert.isUndefined(await crashing.send({ ...refresh, crash }))
                const next = (await survivor.send(refresh))!.values[0]!
                assert.strictEqual(generationOf(next), 1)
                // Before and after the crash, the client gets the same token.
                assert.deepStrictEqual((await survivor.send(refresh))!.values, [next])
              }
            })
          }
        })
    )
  }
)
