import { assert, describe, it } from "@effect/vitest"
import { Arbitrary } from "effect"
import { ScopeToken } from "effect-mcp-auth/protocol"
import * as Hostile from "./Hostile.ts"

describe("ScopeToken", () => {
  it.each<[value: string, isToken: boolean]>([
    ["read", true],
    ["todos:read", true],
    ["https://www.googleapis.com/auth/drive.readonly", true],
    ["!#[]^~", true],
    ["", false],
    ["a b", false],
    [" a", false],
    ["a\"b", false],
    ["a\\b", false],
    ["a\n", false],
    ["a\u007f", false],
    ["é", false]
  ])("%j is a scope token (RFC 6749 §3.3): %s", (value, expected) => {
    assert.strictEqual(ScopeToken.isScopeToken(value), expected)
  })

  it.each<[title: string, value: string, scopes: ReadonlyArray<string>]>([
    ["SCOPE-01 two scopes", "read write", ["read", "write"]],
    ["SCOPE-06 spaces everywhere", "  read   write  ", ["read", "write"]],
    ["nothing", "", []],
    ["spaces alone", "   ", []],
    ["the order is kept, and repetitions are dropped", "b a b a", ["b", "a"]],
    ["other whitespace does not separate scopes", "read\twrite read\nwrite x\u00a0y", []],
    ["an invalid scope token is dropped", "ok a\"b c\\d é", ["ok"]],
    ["a comma is an ordinary character", "read,write", ["read,write"]]
  ])("parses %s", (_, value, scopes) => {
    assert.deepStrictEqual(ScopeToken.parse(value), scopes)
  })

  it("format names each scope once", () => {
    assert.strictEqual(ScopeToken.format(["a", "b", "a"]), "a b")
    assert.strictEqual(ScopeToken.format(new Set()), "")
  })

  it.prop(
    "any text gives distinct scope tokens, which format and parse preserve",
    { text: Hostile.text },
    ({ text }) => {
      const scopes = ScopeToken.parse(text)
      assert.isTrue(scopes.every(ScopeToken.isScopeToken))
      assert.strictEqual(new Set(scopes).size, scopes.length)
      assert.deepStrictEqual(ScopeToken.parse(ScopeToken.format(scopes)), scopes)
    },
    { arbitrary: { runs: 500, size: 20 } }
  )

  it.prop(
    "SCOPE-06 any number of spaces between tokens has the same meaning",
    {
      tokens: Arbitrary.array(Hostile.token),
      gap: Arbitrary.map(Arbitrary.array(Arbitrary.Constant(" ")), (_) => _.join(""))
    },
    ({ gap, tokens }) => {
      assert.deepStrictEqual(ScopeToken.parse(`${gap}${tokens.join(` ${gap}`)}${gap}`), [...new Set(tokens)])
    }
  )
})
