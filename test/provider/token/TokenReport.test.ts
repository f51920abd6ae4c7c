import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { type Report, TokenReport } from "effect-mcp-auth/provider"
import { Forgery, TestIssuer } from "effect-mcp-auth/testing"
import { TestClock } from "effect/testing"
import { toTable } from "../../../src/cli/format/table.ts"

const resource = "https://server.test/mcp"
const now = 1_790_000_000_000

const judged = (options: TestIssuer.TokenOptions, asked: Partial<TokenReport.Options> = {}) =>
  Effect.gen(function*() {
    yield* TestClock.setTime(now)
    const issuer = yield* TestIssuer.TestIssuer
    const token = yield* issuer.mint({ scopes: ["todos:read"], ...options })
    return TokenReport.make(Redacted.make(token), { resource, now, ...asked })
  }).pipe(Effect.provide(TestIssuer.layer()))

const failed = (report: Report.Report) => report.findings.filter((_) => _.verdict === "fail").map((_) => _.rule)

describe("make", () => {
  it.effect("a good token fits, and the options that accept it are told", () =>
    Effect.gen(function*() {
      const report = yield* judged({})
      assert.deepStrictEqual(failed(report), [])
      assert.strictEqual(report.outcome, "pass")
      assert.include(report.options!, `authorizationServers: ["https://issuer.test"]`)
      assert.include(report.options!, `scopes: ["todos:read"]`)
      assert.notInclude(report.options!, "audience")
      assert.match(report.notes.join(), /signature was not verified/)
    }))

  it.effect.each<{ title: string; options: TestIssuer.TokenOptions; fails: ReadonlyArray<string> }>([
    { title: "another audience", options: { audience: "api://todos" }, fails: ["token-audience"] },
    { title: "a final slash in the audience", options: { audience: `${resource}/` }, fails: ["token-audience"] },
    { title: "no audience", options: { claims: { aud: undefined } }, fails: ["token-audience"] },
    { title: "expired", options: { expiresIn: "-1 minute" }, fails: ["token-expiry"] },
    { title: "no exp", options: { claims: { exp: undefined } }, fails: ["token-expiry"] },
    { title: "a month long", options: { expiresIn: "30 days" }, fails: ["token-lifetime"] },
    { title: "not yet valid", options: { claims: { nbf: now / 1000 + 60 } }, fails: ["token-expiry"] },
    { title: "no issuer", options: { claims: { iss: undefined } }, fails: ["token-issuer"] },
    { title: "no subject", options: { claims: { sub: undefined } }, fails: ["token-subject"] },
    { title: "no scope", options: { scopes: undefined, claims: { scope: undefined } }, fails: ["token-scope"] },
    { title: "bound to a key", options: { boundTo: "thumbprint" }, fails: ["token-bearer"] },
    { title: "typ JWT", options: { header: { typ: "JWT" } }, fails: ["token-at-jwt"] },
    {
      title: "an ID token",
      options: { header: { typ: "JWT" }, claims: { nonce: "n", at_hash: "h" } },
      fails: ["token-type", "token-at-jwt"]
    },
    { title: "HMAC", options: { header: { alg: "HS256" } }, fails: ["token-algorithm"] }
  ])("$title", ({ fails, options }) =>
    Effect.gen(function*() {
      assert.deepStrictEqual(failed(yield* judged(options)), fails)
    }))

  it.effect("another issuer, and another audience, become options", () =>
    Effect.gen(function*() {
      const report = yield* judged({ audience: "api://todos" }, { issuer: "https://login.test" })
      assert.deepStrictEqual(failed(report), ["token-issuer", "token-audience"])
      assert.include(report.options!, `{ issuer: "https://login.test", tokenIssuers: ["https://issuer.test"] }`)
      assert.include(report.options!, `audience: Audience.oneOf(["api://todos"])`)
    }))

  it("an opaque token cannot be told, and leads to introspection", () => {
    const report = TokenReport.make(Redacted.make("mark-opaque"), { resource, now, issuer: "https://issuer.test" })
    assert.strictEqual(report.outcome, "inconclusive")
    assert.include(report.options!, "introspection")
    assert.notInclude(JSON.stringify(report), "mark-opaque")
  })

  it.effect("nothing of the signature is shown, and nothing of a stranger commands the terminal", () =>
    Effect.gen(function*() {
      const report = yield* judged({ audience: "\u001b[2Jboo\u202e" })
      const texts = [
        toTable(report, { color: false, width: 80 }),
        JSON.parse(JSON.stringify(report)).options
      ]
      for (const text of texts) assert.notMatch(text, /[\u001b\u202e]/)
      assert.include(texts[0], "\\u001b[2Jboo\\u202e")
    }))
})

describe("describe", () => {
  it.effect("says that nothing is verified, and moments in words", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(now)
      const issuer = yield* TestIssuer.TestIssuer
      const token = yield* issuer.mint({ expiresIn: "5 minutes" })
      const text = TokenReport.describe(Redacted.make(`Bearer ${token}`), now)
      assert.match(text, /^Not verified/)
      assert.match(text, /exp .*in 5 minutes/)
      assert.match(text, /iat .*, now/)
      assert.notInclude(text, token.split(".")[2]!)
    }).pipe(Effect.provide(TestIssuer.layer())))

  it.each([
    ["abc", /opaque/],
    ["a.b.c.d.e", /encrypted/],
    ["a.b.c", /not a JWT/],
    ["", /opaque/],
    ["x".repeat(17_000), /16 KiB/]
  ])("%.20s", (token, says) => assert.match(TokenReport.describe(Redacted.make(token), now), says))

  it("moments", () => {
    assert.strictEqual(TokenReport.describeTime(0, 3_600_000), "1970-01-01T00:00:00Z, 60 minutes ago")
    assert.strictEqual(TokenReport.describeTime(1e300, 0), "not a time")
    assert.strictEqual(TokenReport.describeTime(86_400 * 3, 0), "1970-01-04T00:00:00Z, in 3 days")
  })

  it.effect("takes every forgery, and never throws", () =>
    Effect.gen(function*() {
      const issuer = yield* TestIssuer.TestIssuer
      for (const kind of Object.keys(Forgery.forgeries) as ReadonlyArray<Forgery.Kind>) {
        const token = Redacted.make(yield* issuer.mintBroken(kind))
        assert.isString(TokenReport.describe(token, now))
        assert.oneOf(TokenReport.make(token, { resource, now }).outcome, ["pass", "fail", "inconclusive"])
      }
    }).pipe(Effect.provide(TestIssuer.layer())))
})
