import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Redacted, Result, Schema } from "effect"
import { Credentials } from "effect-mcp-auth/protocol"
import * as Hostile from "./Hostile.ts"

/** Parses the `Authorization` header lines. Returns the token, or the reason why they contain no token. */
const outcome = (lines: ReadonlyArray<string>): { readonly token: string } | { readonly reason: string } =>
  Result.match(Credentials.parse(lines), {
    onSuccess: ({ token }) => ({ token: Redacted.value(token) }),
    onFailure: ({ reason }) => ({ reason })
  })

describe("Credentials", () => {
  it.each<[title: string, lines: ReadonlyArray<string>, expected: ReturnType<typeof outcome>]>([
    ["HDR-01 no header", [], { reason: "no-authorization" }],
    ["an empty value counts as no header", [""], { reason: "no-authorization" }],
    ["only whitespace counts as no header", [" \t "], { reason: "no-authorization" }],
    ["HDR-03 the scheme alone", ["Bearer"], { reason: "no-token" }],
    ["HDR-03 the scheme and a space", ["Bearer "], { reason: "no-token" }],
    ["HDR-03 the scheme and a tab at the end", ["Bearer\t"], { reason: "no-token" }],
    ["HDR-04 three words after the scheme", ["Bearer a b c"], { reason: "not-token68" }],
    ["HDR-06 a token without a scheme", ["abc.def.ghi"], { reason: "other-scheme" }],
    ["HDR-06 a word that no scheme can be", ["ab/cd"], { reason: "other-scheme" }],
    ["HDR-06 a value that does not start with a scheme", ["/abc"], { reason: "not-token68" }],
    ["HDR-06 a quoted token", ["\"abc\""], { reason: "not-token68" }],
    ["HDR-07 lower case", ["bearer abc"], { token: "abc" }],
    ["HDR-07 upper case", ["BEARER abc"], { token: "abc" }],
    ["HDR-07 mixed case", ["BeArEr abc"], { token: "abc" }],
    ["HDR-09 another scheme", ["mac abc"], { reason: "other-scheme" }],
    ["HDR-09 Basic, with any value", ["Basic \"\\ ="], { reason: "other-scheme" }],
    ["HDR-09 a scheme that starts like Bearer", ["Bearerx abc"], { reason: "other-scheme" }],
    ["DPoP is another scheme", ["DPoP abc"], { reason: "other-scheme" }],
    ["HDR-11 a tab instead of the space", ["Bearer\tabc"], { reason: "not-token68" }],
    ["HDR-11 a tab behind the space", ["Bearer \tabc"], { reason: "not-token68" }],
    ["HDR-11 a no-break space", ["Bearer\u00a0abc"], { reason: "not-token68" }],
    ["HDR-12 two lines", ["Bearer abc", "Bearer abc"], { reason: "several-authorization-headers" }],
    ["HDR-12 two lines, the first of another scheme", ["Basic abc", "Bearer abc"], {
      reason: "several-authorization-headers"
    }],
    ["HDR-12 two lines, the second empty", ["Bearer abc", ""], { reason: "several-authorization-headers" }],
    ["HDR-12 two lines as fetch joins them", ["Bearer abc, Bearer def"], { reason: "several-authorization-headers" }],
    ["HDR-12 two lines joined without a space", ["Bearer abc,Bearer def"], { reason: "several-authorization-headers" }],
    ["[T-AUD-24] another scheme, then Bearer, in one line", ["Basic abc, Bearer def"], {
      reason: "several-authorization-headers"
    }],
    ["[T-AUD-24] Bearer, then another scheme, in one line", ["Bearer abc, Basic def"], {
      reason: "several-authorization-headers"
    }],
    ["[T-AUD-24] a scheme with nothing after the comma", ["Basic abc, Negotiate"], {
      reason: "several-authorization-headers"
    }],
    ["[T-AUD-24] nothing between two commas", ["Digest a=b, , c=d"], { reason: "several-authorization-headers" }],
    ["[T-AUD-24] a value without a closing quote", ["Digest a=\"b, c=d"], { reason: "other-scheme" }],
    ["[T-AUD-24] one credential with commas between its parameters", ["Digest a=\"b, c\",d=e ,\tf = \"g\\\", h\""], {
      reason: "other-scheme"
    }],
    ["[T-AUD-24] parameters, then Bearer", ["Digest a=\"b\", c=d, Bearer def"], {
      reason: "several-authorization-headers"
    }],
    ["[T-AUD-24] Bearer, then a parameter", ["Bearer abc, d=e"], { reason: "not-token68" }],
    ["[T-AUD-24] Bearer inside of quotes", ["Digest a=\"b, Bearer def\""], { reason: "other-scheme" }],
    ["one space", ["Bearer abc"], { token: "abc" }],
    ["several spaces (RFC 9110 §11.4: 1*SP)", ["Bearer    abc"], { token: "abc" }],
    ["whitespace around the value", [" \tBearer abc \t"], { token: "abc" }],
    ["every character of token68", ["Bearer AZaz09-._~+/=="], { token: "AZaz09-._~+/==" }],
    ["padding alone", ["Bearer =="], { reason: "not-token68" }],
    ["padding in the middle", ["Bearer a=b"], { reason: "not-token68" }],
    ["a comma at the end", ["Bearer abc,"], { reason: "several-authorization-headers" }],
    ["a quoted token", ["Bearer \"abc\""], { reason: "not-token68" }],
    ["a parameter instead of a token", ["Bearer token=\"abc\""], { reason: "not-token68" }],
    ["the scheme with an equals sign", ["Bearer=abc"], { reason: "not-token68" }],
    ["a line break", ["Bearer abc\r\nX-Evil: 1"], { reason: "not-token68" }],
    ["a line break at the end", ["Bearer abc\n"], { reason: "not-token68" }],
    ["U+FEFF does not count as whitespace", ["\ufeffBearer abc"], { reason: "not-token68" }],
    ["U+00A0 at the end does not count as whitespace", ["Bearer abc\u00a0"], { reason: "not-token68" }],
    ["a letter outside ASCII", ["Bearer abé"], { reason: "not-token68" }],
    ["a fullwidth letter that lower case might unify", ["Bearer ａbc"], { reason: "not-token68" }],
    ["the Kelvin sign does not count as K", ["Bearer \u212a"], { reason: "not-token68" }]
  ])("reads %s", (_, lines, expected) => {
    assert.deepStrictEqual(outcome(lines), expected)
  })

  it("redacts the token", () => {
    const read = Result.getOrThrow(Credentials.parse(["Bearer s3cret"]))
    assert.notInclude(String(read.token), "s3cret")
    assert.notInclude(JSON.stringify(read), "s3cret")
  })

  it("reads a header in time that grows linearly with its length", () => {
    // A regular expression that backtracks at every space would need minutes for this text.
    const spaces = " ".repeat(1_000_000)
    assert.deepStrictEqual(outcome([`Bearer a${spaces}b`]), { reason: "not-token68" })
    assert.deepStrictEqual(outcome([`${spaces}Bearer a${spaces}`]), { token: "a" })
    assert.deepStrictEqual(outcome([`Bearer${spaces}`]), { reason: "no-token" })
    assert.deepStrictEqual(outcome([`Bearer ${"=".repeat(1_000_000)}x`]), { reason: "not-token68" })
    assert.deepStrictEqual(outcome([`Digest a="${"\\".repeat(1_000_000)}, b=c`]), { reason: "other-scheme" })
    assert.deepStrictEqual(outcome([`Digest a=b${`,c="${spaces.slice(0, 100)}"`.repeat(10_000)}`]), {
      reason: "other-scheme"
    })
    assert.deepStrictEqual(outcome([`Digest a=b, c =${spaces}d${spaces}`]), { reason: "other-scheme" })
    assert.deepStrictEqual(outcome([`Digest a=b, c${spaces}d${spaces}=`]), { reason: "several-authorization-headers" })
  })

  const reasons = new Set([
    "no-authorization",
    "other-scheme",
    "no-token",
    "not-token68",
    "several-authorization-headers"
  ])

  it.prop(
    "any line is one token or one of five reasons",
    { line: Hostile.text },
    ({ line }) => {
      const read = outcome([line])
      if ("reason" in read) return reasons.has(read.reason)
      return /^[A-Za-z0-9\-._~+/]+=*$/.test(read.token) && line.includes(read.token) && /^[ \t]*bearer /i.test(line)
    },
    { arbitrary: { runs: 1000, size: 20 } }
  )

  it.prop(
    "the value after the scheme is the token, complete or rejected",
    { scheme: Schema.Literals(["Bearer", "bearer", "BEARER"]), rest: Hostile.text },
    ({ rest, scheme }) => {
      const read = outcome([`${scheme} ${rest}`])
      // The expected grammar, independent of the parser: any number of spaces, a token, optional whitespace.
      const expected = /^ *([A-Za-z0-9\-._~+/]+=*)[ \t]*$/.exec(rest)?.[1]
      return expected === undefined ? "reason" in read : "token" in read && read.token === expected
    },
    { arbitrary: { runs: 1000, size: 6 } }
  )

  it.prop(
    "[T-AUD-24] lines keep their meaning when a host joins them",
    { lines: Arbitrary.array(Hostile.fieldValue, { minLength: 1 }) },
    ({ lines }) => JSON.stringify(outcome(lines)) === JSON.stringify(outcome([lines.join(", ")])),
    { arbitrary: { runs: 500 } }
  )

  it.prop(
    "two or more lines are never a token",
    { lines: Arbitrary.array(Hostile.fieldValue, { minLength: 2 }) },
    ({ lines }) => "reason" in outcome(lines),
    { arbitrary: { runs: 200 } }
  )

  it.each([
    ["Bearer abc", "Bearer abc"],
    ["bearer   abc", "Bearer abc"],
    [" Bearer abc\t", "Bearer abc"],
    ["dpop abc", "DPoP abc"]
  ])("the credentials %j present %j", (line, usual) => {
    const credentials = Result.getOrThrow(Credentials.parse([line], "token68", ["Bearer", "DPoP"]))
    assert.strictEqual(Credentials.lineOf(credentials), usual)
    assert.strictEqual(Credentials.lineOf({ scheme: credentials.scheme, token: Redacted.make("abc") }), usual)
  })

  describe("with the grammar of opaque tokens", () => {
    const wide = (line: string) =>
      Result.match(Credentials.parse([line], "visible-ascii"), {
        onSuccess: ({ token }) => ({ token: Redacted.value(token) }),
        onFailure: ({ reason }) => ({ reason })
      })

    it.each<[title: string, line: string, expected: ReturnType<typeof outcome>]>([
      ["colons and exclamation marks", "Bearer oauth:00D!abc", { token: "oauth:00D!abc" }],
      ["every visible character that is allowed", "Bearer !#$%&'()*+-./:;<=>?@[]^_`{|}~", {
        token: "!#$%&'()*+-./:;<=>?@[]^_`{|}~"
      }],
      ["a comma", "Bearer a,b", { reason: "several-authorization-headers" }],
      ["a quote", "Bearer a\"b", { reason: "not-token68" }],
      ["a backslash", "Bearer a\\b", { reason: "not-token68" }],
      ["a space", "Bearer a b", { reason: "not-token68" }],
      ["a control character", "Bearer a\u007f", { reason: "not-token68" }],
      ["a letter outside ASCII", "Bearer é", { reason: "not-token68" }]
    ])("reads %s", (_, line, expected) => {
      assert.deepStrictEqual(wide(line), expected)
    })

    it.prop(
      "no token contains a character that could end it or start another",
      { rest: Hostile.text },
      ({ rest }) => {
        const read = wide(`Bearer ${rest}`)
        return "reason" in read || /^[^\s",\\\x00-\x20\x7f-\uffff]+$/.test(read.token)
      },
      { arbitrary: { runs: 500, size: 6 } }
    )
  })
})
