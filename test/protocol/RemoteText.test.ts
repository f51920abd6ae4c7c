import { assert, describe, it } from "@effect/vitest"
import { Cause, Schema } from "effect"
import { RemoteText } from "effect-mcp-auth/protocol"

describe("sanitize", () => {
  it.each([
    ["https://issuer.example/a?b=c", "https://issuer.example/a?b=c"],
    ["Zoë – 東京 👩‍💻".replace("\u200d", ""), "Zoë – 東京 👩💻"],
    ["\u001b[2J\u001b]0;title\u0007", "\\u001b[2J\\u001b]0;title\\u0007"],
    ["\u009b31m", "\\u009b31m"],
    ["a\r\nb\tc\u0000", "a\\u000d\\u000ab\\u0009c\\u0000"],
    ["\u007f\u0085", "\\u007f\\u0085"],
    ["a\u2028b\u2029c", "a\\u2028b\\u2029c"],
    ["\u202aa\u202eb\u2066c\u2069\u200f\u061c", "\\u202aa\\u202eb\\u2066c\\u2069\\u200f\\u061c"],
    ["a\u200bb\ufeffc\u2060", "a\\u200bb\\ufeffc\\u2060"],
    ["\ud800a\udc00", "\\ud800a\\udc00"],
    ["tag \u{e0041}", "tag \\u{e0041}"],
    ["", ""]
  ])("[T-AUD-14a] writes %j as %j", (text, safe) => {
    assert.strictEqual(RemoteText.sanitize(text), safe)
  })

  it("[T-AUD-14a] cuts at 256 characters, never inside an escape or a pair of surrogates", () => {
    assert.strictEqual(RemoteText.sanitize("x".repeat(256)), "x".repeat(256))
    assert.strictEqual(RemoteText.sanitize("x".repeat(257)), `${"x".repeat(255)}…`)
    assert.strictEqual(RemoteText.sanitize(`${"x".repeat(252)}\u001b`), `${"x".repeat(252)}…`)
    assert.strictEqual(RemoteText.sanitize(`${"x".repeat(250)}\u001b`), `${"x".repeat(250)}\\u001b`)
    assert.strictEqual(RemoteText.sanitize(`${"x".repeat(254)}👍y`), `${"x".repeat(254)}…`)
    assert.strictEqual(RemoteText.sanitize("abc", 2), "a…")
    assert.strictEqual(RemoteText.sanitize("\u001b".repeat(1_000_000)).length, 253)
  })

  it.prop(
    "[T-AUD-14a] leaves no unsafe character in any text, and does not change a sanitized text",
    { text: Schema.String },
    ({ text }) => {
      const safe = RemoteText.sanitize(text)
      assert.notMatch(safe, /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/)
      assert.notMatch(safe, /\p{Cs}/u)
      assert.isAtMost(safe.length, 256)
      assert.strictEqual(RemoteText.sanitize(safe), safe)
    }
  )
})

describe("sanitizeCause", () => {
  it("[T-AUD-14f] leaves no line of a message that could pass for a line of the log", () => {
    const inner = new Error("inner\n[12:00:00] INFO: request admitted")
    const cause = Cause.die(new Error("outer\r\n[12:00:00] INFO: request admitted\u2028x", { cause: inner }))
    const lines = Cause.pretty(RemoteText.sanitizeCause(cause)).split(/[\r\n\u2028]/)
    assert.strictEqual(lines[0], "Error: outer\\u000d\\u000a[12:00:00] INFO: request admitted\\u2028x")
    for (const line of lines.slice(1)) assert.match(line, /^( |\[cause\]: Error: inner\\u000a|\}|$)/)
    assert.include(lines.join("\n"), "inner\\u000a[12:00:00]")
    assert.include(lines.join("\n"), "RemoteText.test.ts")
  })

  it("cuts long messages", () => {
    const [error] = Cause.prettyErrors(RemoteText.sanitizeCause(Cause.die(new Error("x".repeat(5_000)))))
    assert.lengthOf(error!.message, 1_024)
  })
})

describe("sanitizeUrl", () => {
  it.each([
    ["https://host.test/a", "https://host.test/a"],
    ["https://user:secret@host.test/a?key=secret#secret", "https://…@host.test/a?…"],
    ["/a?key=secret", "/a?…"],
    ["https://host.test/a#secret", "https://host.test/a#…"],
    ["https://host.test/\u001b?secret", "https://host.test/\\u001b?…"]
  ])("writes %j without the parts that can be secrets: %s", (url, expected) => {
    assert.strictEqual(RemoteText.sanitizeUrl(url), expected)
  })
})

describe("sanitizeLines", () => {
  it("[T-AUD-14a] keeps line breaks and no other unsafe character", () => {
    assert.strictEqual(RemoteText.sanitizeLines("a\u001b\n  b\r"), "a\\u001b\n  b\\u000d")
    assert.strictEqual(RemoteText.sanitizeLines("x".repeat(20_000)).length, 16_384)
  })
})
