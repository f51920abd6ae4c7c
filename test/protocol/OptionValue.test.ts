import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Redacted } from "effect"
import * as OptionValue from "../../src/protocol/OptionValue.ts"

describe("the description of a wrong value", () => {
  it.each<[title: string, value: unknown, expected: string]>([
    ["text", "a\"b", "\"a\\\"b\""],
    ["text with terminal commands", "\u001b[2J\u202e", "\"\\u001b[2J\\u202e\""],
    ["a long text", "x".repeat(1_000), `"${"x".repeat(98)}…`],
    ["a URL with a password", "https://user:secret@host.test/a", "\"https://…@host.test/a\""],
    ["a URL with an @ in its password", "https://user:sec@ret@host.test", "\"https://…@host.test\""],
    ["a URL without slashes, with a password", "https:user:secret@host.test", "\"…@host.test\""],
    ["a host with a password", "user:secret@host.test", "\"…@host.test\""],
    ["a URL with a query", "https://host.test/a?key=secret#b", "\"https://host.test/a?…\""],
    ["a URL with a fragment", "https://host.test/a#secret", "\"https://host.test/a#…\""],
    ["text with a question mark", "/a?b", "\"/a?b\""],
    ["NaN", Number.NaN, "NaN"],
    ["a bigint", 1n, "1"],
    ["null", null, "null"],
    ["a symbol", Symbol("s"), "Symbol(s)"],
    ["a function", () => 1, "a function"],
    ["a list", ["secret"], "a list"],
    ["an empty list", [], "an empty list"],
    ["an object", { clientSecret: "secret" }, "an object"],
    ["a secret", Redacted.make("secret"), "a Redacted value"],
    ["a duration", Duration.minutes(90), "1h 30m"],
    ["an effect", Effect.void, "an Effect"],
    ["a promise", Promise.resolve("secret"), "a promise"]
  ])("describes %s in a few words of one line", (_, value, expected) => {
    assert.strictEqual(OptionValue.describe(value), expected)
  })

  it("does not call a missing value undefined", () => {
    assert.strictEqual(OptionValue.isNot(undefined, "a list"), "the value is missing; expected a list")
    assert.strictEqual(OptionValue.isNot(5, "a list"), "5 is not a list")
  })
})

describe("the name of an option that does not exist", () => {
  it.each<[name: string, closest: string | undefined]>([
    ["metadataUrl", "authorizationServers[].metadataUrl"],
    ["jwks_uri", "authorizationServers[].jwksUri"],
    ["httpClient", "fetch"],
    ["resourceUrl", "resource"],
    ["clientId", undefined],
    ["clientSecret", undefined]
  ])("is %s, and the closest one is %s", (name, closest) => {
    const message = OptionValue.noSuchOption(name, ["authorizationServers", "fetch", "resource", "scopes"])
    assert.strictEqual(/The closest one is (.*?)\. /.exec(message)?.[1], closest)
  })
})

describe("the duration of an option", () => {
  it.each<[input: unknown, millis: number | undefined]>([
    ["5 seconds", 5_000],
    [5, 5],
    [{ seconds: 5 }, 5_000],
    [{ seconds: 5, minutes: undefined }, 5_000],
    [[1, 0], 1_000],
    [Duration.seconds(1), 1_000],
    [0, 0],
    [Number.NaN, undefined],
    [{}, undefined],
    [{ secs: 5 }, undefined],
    [{ seconds: Number.NaN }, undefined],
    [{ seconds: "5" }, undefined],
    ["soon", undefined],
    [null, undefined],
    [undefined, undefined],
    [true, undefined]
  ])("reads or rejects %j", (input, millis) => {
    const duration = OptionValue.toDuration(input)
    assert.strictEqual(duration && Duration.toMillis(duration), millis)
  })
})
