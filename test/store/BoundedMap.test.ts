import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { BoundedMap } from "../../src/store/BoundedMap.ts"

const filled = (capacity: number, ...keys: ReadonlyArray<string>) => {
  const map = new BoundedMap<string, number>(capacity)
  keys.forEach((key, index) => map.set(key, index))
  return map
}

describe("BoundedMap", () => {
  it("evicts the entry that was set first, and returns its key", () => {
    const map = filled(2, "a", "b")
    assert.strictEqual(map.set("c", 2), "a")
    assert.deepStrictEqual([...map.keys()], ["b", "c"])
    assert.deepStrictEqual([...map.values()], [1, 2])
    assert.strictEqual(map.size, 2)
  })

  it("evicts no entry while there is room, or when a key is set again", () => {
    const map = filled(2, "a")
    assert.isUndefined(map.set("b", 1))
    assert.isUndefined(map.set("a", 2))
    assert.deepStrictEqual([...map.keys()], ["b", "a"])
  })

  it("keeps an entry that is used, and not one that is only read", () => {
    const used = filled(2, "a", "b")
    assert.strictEqual(used.use("a"), 0)
    assert.strictEqual(used.set("c", 2), "b")
    const read = filled(2, "a", "b")
    assert.strictEqual(read.get("a"), 0)
    assert.isTrue(read.has("a"))
    assert.strictEqual(read.set("c", 2), "a")
  })

  it("keeps the place of an entry whose value is replaced, and adds none by replacing", () => {
    const map = filled(2, "a", "b")
    map.replace("a", 9)
    map.replace("x", 9)
    assert.strictEqual(map.get("a"), 9)
    assert.isFalse(map.has("x"))
    assert.strictEqual(map.set("c", 2), "a")
  })

  it("makes room when an entry is deleted", () => {
    const map = filled(2, "a", "b")
    assert.isTrue(map.delete("a"))
    assert.isFalse(map.delete("a"))
    assert.isUndefined(map.set("c", 2))
    assert.isUndefined(map.use("a"))
    assert.deepStrictEqual([...map.keys()], ["b", "c"])
  })

  it("stays empty with a capacity of 0", () => {
    const map = filled(0)
    assert.strictEqual(map.set("a", 1), "a")
    assert.strictEqual(map.size, 0)
  })

  it("keeps and uses values that are undefined", () => {
    const map = new BoundedMap<string, undefined>(2)
    map.set("a", undefined)
    map.set("b", undefined)
    map.use("a")
    assert.strictEqual(map.set("c", undefined), "b")
  })

  const Step = Schema.Struct({
    action: Schema.Literals(["set", "use", "get", "replace", "delete"]),
    key: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 9 }))
  })

  it.effect.prop(
    "holds the same entries as a list of keys in the order of their use, after any steps",
    { steps: Schema.Array(Step), capacity: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 5 })) },
    ({ capacity, steps }) =>
      Effect.sync(() => {
        const map = new BoundedMap<number, number>(capacity)
        let model: ReadonlyArray<readonly [key: number, value: number]> = []
        for (const [value, { action, key }] of steps.entries()) {
          const before = model.find(([other]) => other === key)
          const others = model.filter(([other]) => other !== key)
          if (action === "set") {
            const full = [...others, [key, value] as const]
            model = full.slice(Math.max(0, full.length - capacity))
            assert.strictEqual(map.set(key, value), full.length > capacity ? full[0]![0] : undefined)
          } else if (action === "use") {
            assert.strictEqual(map.use(key), before?.[1])
            if (before !== undefined) model = [...others, before]
          } else if (action === "get") {
            assert.strictEqual(map.get(key), before?.[1])
          } else if (action === "replace") {
            map.replace(key, value)
            model = model.map((entry) => entry[0] === key ? [key, value] as const : entry)
          } else {
            assert.strictEqual(map.delete(key), before !== undefined)
            model = others
          }
          assert.deepStrictEqual([...map.keys()], model.map(([key]) => key))
          assert.deepStrictEqual([...map.values()], model.map(([, value]) => value))
          assert.isAtMost(map.size, capacity)
        }
      })
  )
})
