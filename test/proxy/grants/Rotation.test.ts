import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import type { GrantRecord, Retired } from "../../../src/proxy/grants/GrantRecord.ts"
import { decide, rotate, type RotationDecision } from "../../../src/proxy/grants/Rotation.ts"

const minute = 60_000
const window = 10 * minute

const record = (generation: number, retired: ReadonlyArray<Retired> = []): GrantRecord => ({
  clientId: "client",
  subject: "github|1",
  display: undefined,
  resource: "https://todos.example.com/mcp",
  scopes: [],
  upstreamKey: "upstream",
  createdAt: 0,
  usedAt: 0,
  checkedAt: 0,
  endsAt: Number.MAX_SAFE_INTEGER,
  generation,
  kid: "a",
  sealedBy: "a",
  seed: "seed",
  retired
})

interface Row {
  readonly it: string
  readonly current: number
  readonly retired: ReadonlyArray<Retired>
  readonly presented: number
  readonly now: number
  readonly window?: number
  readonly decision: RotationDecision
}

const rows: ReadonlyArray<Row> = [
  { it: "rotates the first token", current: 0, retired: [], presented: 0, now: 0, decision: "rotate" },
  { it: "rotates the current token", current: 7, retired: [[6, 5]], presented: 7, now: 9, decision: "rotate" },
  {
    it: "heals after the store lost one write",
    current: 7,
    retired: [[6, 5]],
    presented: 8,
    now: 9,
    decision: "rotate"
  },
  { it: "heals after the store lost many writes", current: 7, retired: [], presented: 90, now: 9, decision: "rotate" },
  { it: "answers a retry at once", current: 1, retired: [[0, 9]], presented: 0, now: 9, decision: "retry" },
  {
    it: "answers a retry just within the window",
    current: 1,
    retired: [[0, 0]],
    presented: 0,
    now: window - 1,
    decision: "retry"
  },
  { it: "ends at the end of the window", current: 1, retired: [[0, 0]], presented: 0, now: window, decision: "end" },
  {
    it: "answers a retry two generations later",
    current: 2,
    retired: [[0, 0], [1, minute]],
    presented: 0,
    now: 2 * minute,
    decision: "retry"
  },
  { it: "ends for a token that left the list", current: 9, retired: [[8, 0]], presented: 0, now: 0, decision: "end" },
  {
    it: "answers no retry without a window",
    current: 1,
    retired: [[0, 5]],
    presented: 0,
    now: 5,
    window: 0,
    decision: "end"
  },
  {
    it: "answers a retry that another instance retired with a clock ahead",
    current: 1,
    retired: [[0, 2_000]],
    presented: 0,
    now: 1_000,
    decision: "retry"
  }
]

describe("the decision about a refresh token", () => {
  it.each(rows)("$it", ({ current, decision, now, presented, retired, window: given = window }) => {
    assert.strictEqual(decide(record(current, retired), presented, now, given), decision)
  })

  it("lists at most eight replaced tokens, and none that is older than the window", () => {
    let grant = record(0)
    for (let generation = 0; generation < 20; generation++) {
      grant = rotate(grant, generation, "a", generation * minute, window)
      assert.isAtMost(grant.retired.length, 8)
      assert.isTrue(grant.retired.every(([, at]) => generation * minute - at < window))
    }
    assert.deepStrictEqual(grant.retired.map(([generation]) => generation), [12, 13, 14, 15, 16, 17, 18, 19])
    const later = rotate(grant, 20, "b", 100 * minute, window)
    assert.deepStrictEqual(later.retired, [[20, 100 * minute]])
    assert.strictEqual(later.kid, "b")
    assert.strictEqual(later.seed, grant.seed)
  })

  it("retires the generations that the store lost, so that the other processes of a client can retry them", () => {
    const healed = rotate(record(5, [[4, 0]]), 7, "a", 1, window)
    assert.strictEqual(healed.generation, 8)
    assert.deepStrictEqual(healed.retired, [[4, 0], [5, 1], [6, 1], [7, 1]])
    const far = rotate(record(5), 1_000_000, "a", 1, window)
    assert.strictEqual(far.retired.length, 8)
    assert.strictEqual(decide(far, 999_999, 2, window), "retry")
  })

  const Step = Schema.Struct({
    /** Which of the tokens that were issued so far is presented, counted from the last one. */
    back: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 5 })),
    /** The time since the step before, in seconds. */
    wait: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 400 })),
    /** Whether the store loses the write of this step. */
    isLost: Schema.Boolean
  })

  // The model keeps for each issued token when it was replaced, without the list of the record.
  it.effect.prop(
    "agrees with a model in every sequence of refreshes, retries and lost writes",
    { steps: Schema.Array(Step) },
    ({ steps }) =>
      Effect.sync(() => {
        let grant = record(0)
        let now = 0
        let newest = 0
        const replacedAt = new Map<number, number>()
        for (const { back, isLost, wait } of steps) {
          now += wait * 1_000
          const presented = Math.max(0, newest - back)
          const decision = decide(grant, presented, now, window)
          if (presented >= grant.generation) {
            assert.strictEqual(decision, "rotate")
            const next = rotate(grant, presented, "a", now, window)
            // The successor is newer than the presented token and than the current one: no two tokens have one number.
            assert.strictEqual(next.generation, presented + 1)
            assert.isAbove(next.generation, grant.generation)
            for (let each = grant.generation; each <= presented; each++) replacedAt.set(each, now)
            newest = Math.max(newest, next.generation)
            if (!isLost) grant = next
          } else {
            const at = replacedAt.get(presented)!
            const isListed = presented >= grant.generation - 8
            if (now - at >= window) assert.strictEqual(decision, "end")
            else if (isListed) assert.strictEqual(decision, "retry")
            if (decision === "end") return
          }
        }
      }),
    { arbitrary: { runs: 500, size: 40 } }
  )
})
