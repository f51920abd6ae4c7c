import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Redacted, Result } from "effect"
import { runInNewContext } from "node:vm"
import * as ConfigOption from "../../src/protocol/ConfigOption.ts"

const allowAll: unique symbol = Symbol.for("effect-mcp-auth/Test.allowAll")

const table: ConfigOption.Table<"mode" | "nested" | "other" | typeof allowAll> = {
  mode: ConfigOption.oneOf("on", "off"),
  nested: ConfigOption.object({ size: ConfigOption.wholeNumber(1, 5, 10) }),
  other: true,
  [allowAll]: true
}

const problem = (checks: () => void): readonly [option: string, fix: string] | undefined => {
  const checked = ConfigOption.attempt(checks)
  return Result.isFailure(checked) ? [checked.failure.option, checked.failure.fix] : undefined
}

describe("a table of options", () => {
  it.each<object>([{}, { mode: "off", nested: { size: 10 }, [allowAll]: true }, { mode: undefined, other: null }])(
    "accepts %j",
    (options) => assert.isUndefined(problem(() => ConfigOption.check(options, "make", table)))
  )

  it.each<[title: string, options: unknown, option: string, fix: RegExp]>([
    ["nothing", undefined, "make", /^the value is missing; expected an object\. Give one; its options are mode, /],
    ["a list", [], "make", /^an empty list is not an object/],
    ["a promise", Promise.resolve({}), "make", /^a promise is not an object/],
    ["an effect", Effect.succeed({}), "make", /^an Effect is not an object/],
    ["inherited options", Object.create({ mode: "bogus" }), "make", /^the value is an object that inherits options\./],
    [
      "options that are inherited from an object without a prototype",
      Object.create(Object.assign(Object.create(null), { mode: "bogus" })),
      "make",
      /^the value is an object that inherits options\./
    ],
    [
      "an instance of a class",
      new (class Settings {
        get mode() {
          return "bogus"
        }
      })(),
      "make",
      /^the value is an instance of Settings\. Write the values in a plain object$/
    ],
    ["a map", { nested: new Map([["size", 1]]) }, "make.nested", /^the value is an instance of Map\./],
    [
      "a getter",
      {
        get mode() {
          return "on"
        }
      },
      "make.mode",
      /^the value is a getter\./
    ],
    ["a secret", Redacted.make("s"), "make", /^a Redacted value is not an object/],
    [
      "a misspelled name",
      { mod: "on" },
      "make.mod",
      /^there is no such option\..* mode, nested, other, \[Test\.allowAll\]$/
    ],
    ["a member of prototypes", { ["toString"]: 1 }, "make.toString", /no such option/],
    ["an unknown symbol", { [Symbol("x")]: 1 }, "make[x]", /no such option/],
    ["a value that is not listed", { mode: "ON" }, "make.mode", /^"ON" is not "on" or "off"\. Leave it out for "on"$/],
    ["null", { mode: null }, "make.mode", /^null is not "on" or "off"/],
    [
      "a wrong value of a nested option",
      { nested: { size: 0 } },
      "make.nested.size",
      /^0 is not a whole number from 1 to 10/
    ],
    ["a nested list", { nested: [] }, "make.nested", /^an empty list is not an object/]
  ])("rejects %s", (_, options, option, fix) => {
    const [name, text] = problem(() => ConfigOption.check(options, "make", table)) ?? []
    assert.strictEqual(name, option)
    assert.match(text ?? "", fix)
  })

  it("accepts plain objects of other realms and objects without a prototype", () => {
    for (const options of [runInNewContext("({ mode: 'off' })"), Object.assign(Object.create(null), { mode: "off" })]) {
      assert.isUndefined(problem(() => ConfigOption.check(options, "make", table)))
    }
  })

  it("names options without a path by their name alone", () => {
    assert.strictEqual(problem(() => ConfigOption.check({ mod: 1 }, "", table))?.[0], "mod")
    assert.strictEqual(problem(() => ConfigOption.check(1, "", table, "Give one with mode"))?.[0], "options")
  })

  it("does not hide a defect of a rule", () => {
    assert.throws(() =>
      ConfigOption.attempt(() => {
        throw new RangeError("defect")
      }), RangeError)
  })
})

describe("a rule", () => {
  const second = ConfigOption.duration("1 second", "1 minute", "5 seconds")
  const names = ConfigOption.listOf((text) => text !== "", {
    entry: "a name",
    entries: "names",
    advice: "Write one per entry",
    example: "a"
  })

  it.each<[title: string, rule: ConfigOption.Rule, values: ReadonlyArray<unknown>]>([
    ["a duration within its bounds", second, ["1 second", 60_000, { seconds: 5 }, Duration.seconds(5)]],
    ["a whole number within its bounds", ConfigOption.wholeNumber(0, 1), [0, 1, Number.MAX_SAFE_INTEGER]],
    ["a list of text", names, [[], ["a", "b"]]],
    ["a function", ConfigOption.functionThat("returns"), [() => 1]],
    ["a secret of 32 bytes", ConfigOption.checkSecret, [Redacted.make("x".repeat(32)), Redacted.make("é".repeat(16))]]
  ])("accepts %s", (_, rule, values) => {
    for (const value of values) assert.isUndefined(problem(() => rule(value, "option")))
  })

  it.each<[title: string, rule: ConfigOption.Rule, values: ReadonlyArray<unknown>]>([
    ["a duration", second, ["999 millis", "61 seconds", "soon", Number.NaN, Infinity, -1, {}, { secs: 5 }, null, true]],
    ["a whole number", ConfigOption.wholeNumber(0, 1), [-1, 0.5, Number.NaN, Infinity, "1", 2 ** 53, null, 1n]],
    ["a list of text", names, ["a", ["a", ""], [1], [undefined], new Set(["a"]), null]],
    ["a function", ConfigOption.functionThat("returns"), ["f", {}, null]],
    ["a secret", ConfigOption.checkSecret, ["x".repeat(32), Redacted.make("short"), Redacted.make(1), null]]
  ])("rejects values that are not %s", (_, rule, values) => {
    for (const value of values) assert.strictEqual(problem(() => rule(value, "option"))?.[0], "option")
  })

  it("does not quote secrets", () => {
    for (const secret of ["very-private", Redacted.make("very-private")]) {
      assert.notInclude(problem(() => ConfigOption.checkSecret(secret, "option"))?.[1], "very-private")
    }
  })
})
