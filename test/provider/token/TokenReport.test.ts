import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { type Report, TokenReport } from "effect-mcp-auth/provider"
import { Forgery, TestIssuer } from "effect-mcp-auth/testing"
import { TestClock } from "effect/testing"
import { toTable } from "../../../src/cli/format/table.ts"

const resource = "https://server.test/mcp"
const now = 1_790_000_000_000

const reportOn = (token: TestIssuer.TokenOptions, options: Partial<TokenReport.Options> = {}) =>
  Effect.gen(function*() {
    yield* TestClock.setTime(now)
    const issuer = yield* TestIssuer.TestIssuer
    const minted = yield* issuer.mint({ scopes: ["todos:read"], ...token })
    return TokenReport.make(Redacted.make(minted), { resource, now, ...options })
  }).pipe(Effect.provide(TestIssuer.layer()))

const getFailures = (report: Report.Report) => report.findings.filter((_) => _.verdict === "fail").map((_) => _.rule)

describe("the report on a token", () => {
  it.effect("passes a valid token, and shows the options that accept it", () =>
    Effect.gen(function*() {
      const report = yield* reportOn({})
      assert.deepStrictEqual(getFailures(report), [])
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
    { title: "an exp in the past", options: { expiresIn: "-1 minute" }, fails: ["token-expiry"] },
    { title: "no exp", options: { claims: { exp: undefined } }, fails: ["token-expiry"] },
    { title: "a lifetime of a month", options: { expiresIn: "30 days" }, fails: ["token-lifetime"] },
    { title: "an nbf in the future", options: { claims: { nbf: now / 1000 + 60 } }, fails: ["token-expiry"] },
    { title: "no issuer", options: { claims: { iss: undefined } }, fails: ["token-issuer"] },
    { title: "no subject", options: { claims: { sub: undefined } }, fails: ["token-subject"] },
    { title: "no scope", options: { scopes: undefined, claims: { scope: undefined } }, fails: ["token-scope"] },
    { title: "a binding to a key", options: { boundTo: "thumbprint" }, fails: ["token-bearer"] },
    { title: "the type JWT", options: { header: { typ: "JWT" } }, fails: ["token-at-jwt"] },
    {
      title: "claims of an ID token",
      options: { header: { typ: "JWT" }, claims: { nonce: "n", at_hash: "h" } },
      fails: ["token-type", "token-at-jwt"]
    },
    { title: "an HMAC algorithm", options: { header: { alg: "HS256" } }, fails: ["token-algorithm"] }
  ])("fails $fails for a token with $title", ({ fails, options }) =>
    Effect.gen(function*() {
      assert.deepStrictEqual(getFailures(yield* reportOn(options)), fails)
    }))

  it.effect("shows options for another issuer and another audience", () =>
    Effect.gen(function*() {
      const report = yield* reportOn({ audience: "api://todos" }, { issuer: "https://login.test" })
      assert.deepStrictEqual(getFailures(report), ["token-issuer", "token-audience"])
      assert.include(report.options!, `{ issuer: "https://login.test", tokenIssuers: ["https://issuer.test"] }`)
      assert.include(report.options!, `audience: Audience.oneOf(["api://todos"])`)
    }))

  it("is inconclusive for an opaque token, and suggests introspection", () => {
    const report = TokenReport.make(Redacted.make("mark-opaque"), { resource, now, issuer: "https://issuer.test" })
    assert.strictEqual(report.outcome, "inconclusive")
    assert.include(report.options!, "introspection")
    assert.notInclude(JSON.stringify(report), "mark-opaque")
  })

  it.effect("escapes control characters from the token, so that they do not reach the terminal", () =>
    Effect.gen(function*() {
      const report = yield* reportOn({ audience: "\u001b[2Jboo\u202e" })
      const texts = [
        toTable(report, { color: false, width: 80 }),
        JSON.parse(JSON.stringify(report)).options
      ]
      for (const text of texts) assert.notMatch(text, /[\u001b\u202e]/)
      assert.include(texts[0], "\\u001b[2Jboo\\u202e")
    }))
})

describe("the description of a token", () => {
  it.effect("states that the token is not verified, describes its times, and omits the signature", () =>
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
  ])(
    "describes %.20s as it is (%#)",
    (token, expected) => assert.match(TokenReport.describe(Redacted.make(token), now), expected)
  )

  it("contains times in ISO format and relative to now", () => {
    assert.strictEqual(TokenReport.describeTime(0, 3_600_000), "1970-01-01T00:00:00Z, 60 minutes ago")
    assert.strictEqual(TokenReport.describeTime(1e300, 0), "not a time")
    assert.strictEqual(TokenReport.describeTime(86_400 * 3, 0), "1970-01-04T00:00:00Z, in 3 days")
  })

  it.effect("exists for every forgery: no forgery makes it throw", () =>
    Effect.gen(function*() {
      const issuer = yield* TestIssuer.TestIssuer
      for (const kind of Object.keys(Forgery.forgeries) as ReadonlyArray<Forgery.Kind>) {
        const token = Redacted.make(yield* issuer.mintBroken(kind))
        assert.isString(TokenReport.describe(token, now))
        assert.oneOf(TokenReport.make(token, { resource, now }).outcome, ["pass", "fail", "inconclusive"])
      }
    }).pipe(Effect.provide(TestIssuer.layer())))
})
