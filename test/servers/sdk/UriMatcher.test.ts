import { assert, describe, it } from "@effect/vitest"
import * as V1 from "@modelcontextprotocol/sdk/shared/uriTemplate.js"
import { ResourceTemplate } from "@modelcontextprotocol/server"
import { Arbitrary, Effect, Schema } from "effect"
import type { UriTemplate } from "../../../src/servers/sdk/SdkPrivates.ts"
import * as uriMatcher from "../../../src/servers/sdk/UriMatcher.ts"

const versions = {
  "SDK v1": (template: string): UriTemplate => new V1.UriTemplate(template),
  "SDK v2": (template: string): UriTemplate => new ResourceTemplate(template, { list: undefined }).uriTemplate
}

const parts = [
  "a",
  "b",
  "/",
  ",",
  "{x}",
  "{y}",
  "{x*}",
  "{+x}",
  "{+y}",
  "{#x}",
  "{.x}",
  "{/x}",
  "{/x*}",
  "{?x,y}",
  "{&x}",
  "."
]
const pieces = ["a", "b", "/", ",", ",,", ".", "#", "?x=", "&y=", "&x=", "\n", "A", "é", "aaaa"]

const textsOf = (from: ReadonlyArray<string>, maxLength: number) =>
  Arbitrary.map(
    Arbitrary.array(Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: from.length - 1 }))), {
      maxLength
    }),
    (_) => _.map((index) => from[index]!).join("")
  )

describe.each(Object.entries(versions))("Matchers of URI templates, %s", (_, make) => {
  it.effect.prop(
    "[T-AUD-06l] matchers match the URIs that the SDK matches",
    [textsOf(parts, 5), Arbitrary.array(textsOf(pieces, 8), { maxLength: 8 })],
    ([template, uris]) =>
      Effect.sync(() => {
        const stock = make(`s:${template}`)
        const marked = make(`s:${template}`)
        const matches = uriMatcher.make()(marked)
        for (const uri of uris.map((_) => `s:${_}`)) {
          const found = stock.match(uri)
          assert.strictEqual(matches(uri), found !== null, JSON.stringify([template, uri]))
          assert.deepEqual(marked.match(uri), found, JSON.stringify([template, uri]))
        }
      }),
    { arbitrary: { runs: 3000, size: 20 } }
  )

  // The SDK's own regular expression would backtrack for years on these templates.
  it.each(["s:{+a}{+b}{+c}{+d}!", "s:{a}{b}{c}{d}{e}!", "s:{+a}/{+b}/{+c}/{+d}/{+e}!", "s:{x*}{y*}{z*}{v*}!"])(
    "[T-AUD-06l] the time of a matcher grows with the length of the URI: %s",
    (template) => {
      const matches = uriMatcher.make()(make(template))
      for (const unit of ["a", "a/", "a,", "/"]) {
        assert.isFalse(matches(`s:${unit.repeat(8192 / unit.length)}`))
      }
      assert.isTrue(matches(`s:${template.includes("/") ? "a/".repeat(2000) : "a".repeat(4000)}aaaaaa!`))
    }
  )

  // `{+a}` is greedy, so the SDK's own regular expression would try every other split of the URI before the one that matches.
  it("[T-AUD-06l] the time of a matcher grows with the length of a URI that matches", () => {
    const marked = make("s:{+a}a{+b}b{+c}c{+d}d{x*}e{+f}")
    const matches = uriMatcher.make()(marked)
    const rest = "abcd".repeat(2000)
    const uri = `s:xaxbxcxdx,yex${rest}`
    assert.isTrue(matches(uri))
    assert.deepEqual(marked.match(uri), { a: "x", b: "x", c: "x", d: "x", x: ["x", "y"], f: `x${rest}` })
  })

  it("[T-AUD-06l] the SDK runs no expression that backtracks, and returns the same results", () => {
    const uri = `s:${"/a".repeat(4095)}`
    const stock = make("s:{+a}/{+b}/{+c}/{+d}!")
    uriMatcher.make()(stock)
    assert.isNull(stock.match(uri))
    assert.deepStrictEqual(
      { ...stock.match("s:a/b/c/d/e!") as object },
      { ...make("s:{+a}/{+b}/{+c}/{+d}!").match("s:a/b/c/d/e!") as object }
    )
    const plain = make("s:{a}/{b}")
    uriMatcher.make()(plain)
    assert.isFalse(Object.hasOwn(plain, "match"))
  })

  it("a template of another class is matched by its own `match`", () => {
    const stock = make("s:{x}")
    const own = Object.assign(Object.create(stock) as object, { match: (uri: string) => uri === "t:1" ? {} : null })
    const matches = uriMatcher.make()(own as UriTemplate)
    assert.deepStrictEqual(["t:1", "s:1"].map(matches), [true, false])
  })

  it("a matcher is made once for a text, and evicted when there are too many", () => {
    const matcherOf = uriMatcher.make(2)
    assert.strictEqual(matcherOf(make("s:{a}")), matcherOf(make("s:{a}")))
    const first = matcherOf(make("s:{a}"))
    for (const name of ["b", "c"]) matcherOf(make(`s:{${name}}`))
    assert.notStrictEqual(matcherOf(make("s:{a}")), first)
  })
})
