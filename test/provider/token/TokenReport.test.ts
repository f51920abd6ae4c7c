import { assert, describe, it } from "@effect/vitest"
import { Effect, Metric, Redacted } from "effect"
import { Decision } from "effect-mcp-auth"
import { type Report, TokenReport } from "effect-mcp-auth/provider"
import { Forgery, TestIssuer } from "effect-mcp-auth/testing"
import { TestClock } from "effect/testing"
import { toTable } from "../../../src/cli/format/table.ts"
import { now } from "./variants.ts"

const resource = "https://server.test/mcp"
const issuer = "https://issuer.test"

/** Mints a token of the kit, and reports on it with the keys of its issuer. */
const reportOn = (token: TestIssuer.TokenOptions, options: Partial<TokenReport.Options> = {}) =>
  Effect.gen(function*() {
    yield* TestClock.setTime(now * 1000)
    const { mint } = yield* TestIssuer.TestIssuer
    const minted = yield* mint({ scopes: ["todos:read"], ...token })
    return yield* TokenReport.run(Redacted.make(minted), { resource, issuer, ...options })
  }).pipe(Effect.provide(TestIssuer.layer({ issuer, resource })))

const getFailures = (report: Report.Report) =>
  report.findings.filter((_) => _.verdict === "fail" && _.rule !== "token-accepted").map((_) => _.rule)

const getFinding = (report: Report.Report, rule: string) => report.findings.find((_) => _.rule === rule)!

describe("the report on a token", () => {
  it.effect("passes a valid token, verifies its signature, and shows the options that accept it", () =>
    Effect.gen(function*() {
      const report = yield* reportOn({ scopes: ["openid", "todos:read", "offline_access"] })
      assert.deepStrictEqual(getFailures(report), [])
      assert.strictEqual(report.outcome, "pass")
      assert.strictEqual(
        report.options,
        [
          "AuthLayer.make({",
          `  resource: "${resource}",`,
          `  authorizationServers: ["${issuer}"],`,
          `  scopes: ["todos:read"]`,
          "})"
        ].join("\n")
      )
      assert.deepStrictEqual(report.notes, [`Signature: verified with the keys of ${issuer}.`])
    }))

  it.effect("fetches nothing without an issuer, and states that the signature was not verified", () =>
    Effect.gen(function*() {
      const { mint, takeRequests } = yield* TestIssuer.TestIssuer
      const token = Redacted.make(yield* mint({ scopes: ["todos:read"] }))
      const report = yield* TokenReport.run(token, { resource })
      assert.strictEqual(report.outcome, "pass")
      assert.strictEqual(getFinding(report, "token-signature").verdict, "skipped")
      assert.match(report.notes.join(), /signature was not verified/)
      assert.deepStrictEqual(yield* takeRequests, [])
    }).pipe(Effect.provide(TestIssuer.layer({ issuer, resource }))))

  it.effect("[T-AUD-31b] passes a token for a resource without a path, with and without the slash", () =>
    Effect.gen(function*() {
      for (const resource of ["https://server.test", "https://server.test/"]) {
        for (const audience of ["https://server.test", "https://server.test/"]) {
          assert.deepStrictEqual(getFailures(yield* reportOn({ audience }, { resource })), [])
        }
      }
    }))

  it.effect.each<{ title: string; options: TestIssuer.TokenOptions; fails: ReadonlyArray<string> }>([
    { title: "another audience", options: { audience: "api://todos" }, fails: ["token-audience"] },
    { title: "a final slash in the audience", options: { audience: `${resource}/` }, fails: ["token-audience"] },
    { title: "no audience", options: { claims: { aud: undefined } }, fails: ["token-audience"] },
    { title: "an exp in the past", options: { expiresIn: "-1 minute" }, fails: ["token-expiry"] },
    { title: "no exp", options: { claims: { exp: undefined } }, fails: ["token-expiry"] },
    { title: "an nbf in the future", options: { claims: { nbf: now + 60 } }, fails: ["token-expiry"] },
    { title: "an iat in the future", options: { claims: { iat: now + 60 } }, fails: ["token-expiry"] },
    { title: "no issuer", options: { claims: { iss: undefined } }, fails: ["token-issuer"] },
    { title: "no subject", options: { claims: { sub: undefined } }, fails: ["token-subject"] },
    { title: "a client that is a number", options: { claims: { client_id: 1 } }, fails: ["token-subject"] },
    { title: "a scope that is an object", options: { claims: { scope: {} } }, fails: ["token-scope"] },
    { title: "a binding to a key", options: { boundTo: "thumbprint" }, fails: ["token-bearer"] },
    {
      title: "claims of an ID token",
      options: { header: { typ: "JWT" }, claims: { nonce: "n", at_hash: "h" } },
      fails: ["token-type", "token-at-jwt"]
    },
    { title: "an HMAC algorithm", options: { header: { alg: "HS256" } }, fails: ["token-algorithm"] },
    { title: "a critical header", options: { header: { crit: ["exp"] } }, fails: ["token-algorithm"] },
    { title: "a key that is not published", options: { header: { kid: "other" } }, fails: ["token-signature"] },
    {
      title: "several faults",
      options: { audience: "api://todos", expiresIn: "-1 minute", claims: { sub: 1 } },
      fails: ["token-audience", "token-expiry", "token-subject"]
    }
  ])("fails $fails for a token with $title, and shows no options", ({ fails, options }) =>
    Effect.gen(function*() {
      const report = yield* reportOn(options)
      assert.deepStrictEqual(getFailures(report), fails)
      assert.strictEqual(report.outcome, "fail")
      assert.strictEqual(report.options, undefined)
    }))

  it.effect.each<{ title: string; options: TestIssuer.TokenOptions; fails: ReadonlyArray<string> }>([
    { title: "a lifetime of a month", options: { expiresIn: "30 days" }, fails: ["token-lifetime"] },
    { title: "no scope", options: { claims: { scope: undefined } }, fails: ["token-scope"] },
    { title: "the type JWT", options: { header: { typ: "JWT" } }, fails: ["token-at-jwt"] }
  ])(
    "accepts a token with $title, and fails the recommendation $fails",
    ({ fails, options }) =>
      Effect.gen(function*() {
        const report = yield* reportOn(options)
        assert.deepStrictEqual(getFailures(report), fails)
        assert.strictEqual(report.outcome, "pass")
      })
  )

  it.effect.each([{ scopes: [] }, { scopes: ["openid", "profile", "email"] }])(
    "shows no options for a token without a scope for an operation: $scopes",
    ({ scopes }) =>
      Effect.gen(function*() {
        const report = yield* reportOn({ scopes })
        assert.strictEqual(report.outcome, "pass")
        assert.strictEqual(report.options, undefined)
        assert.match(report.notes.join(), /Request the scopes of your server/)
      })
  )

  it.effect("accepts another audience only if the caller names it, and shows it then", () =>
    Effect.gen(function*() {
      const token = { audience: "api://todos" }
      const unnamed = yield* reportOn(token)
      assert.notInclude(getFinding(unnamed, "token-audience").change!, "api://todos")
      const named = yield* reportOn(token, { audiences: ["api://todos"] })
      assert.strictEqual(named.outcome, "pass")
      assert.include(named.options!, `  audience: Audience.oneOf(["api://todos"]),`)
      const other = yield* reportOn(token, { audiences: ["api://others"] })
      assert.deepStrictEqual(getFailures(other), ["token-audience"])
    }))

  it.effect("accepts a token without an audience only if the caller names its client", () =>
    Effect.gen(function*() {
      const token = { claims: { aud: undefined } }
      const named = yield* reportOn(token, { clientIds: ["client-1"] })
      assert.strictEqual(named.outcome, "pass")
      assert.include(named.options!, `  audience: Audience.clientIds(["client-1"]),`)
      const other = yield* reportOn(token, { clientIds: ["client-2"] })
      assert.deepStrictEqual(getFailures(other), ["token-audience"])
      const both = yield* reportOn({}, { audiences: [resource], clientIds: ["client-1"] })
      assert.include(both.options!, "Audience.all([")
    }))

  it.effect("rejects the token of another issuer, and suggests no tokenIssuers", () =>
    Effect.gen(function*() {
      const report = yield* reportOn({ claims: { iss: "https://login.test" } })
      assert.deepStrictEqual(getFailures(report), ["token-issuer"])
      assert.strictEqual(report.options, undefined)
    }))

  it.effect.each(["http://login.test", "joe", "https://login.test/?tenant=1"])(
    "rejects a token whose issuer no server can name: %s",
    (iss) =>
      Effect.gen(function*() {
        const report = yield* reportOn({ claims: { iss } }, { issuer: undefined })
        assert.deepStrictEqual(getFailures(report), ["token-issuer"])
        assert.match(getFinding(report, "token-issuer").why, /no server can name/)
        assert.strictEqual(report.options, undefined)
      })
  )

  it.effect.each<readonly [string, string, TestIssuer.TokenOptions, RegExp]>([
    ["token-readable", "a kid that is a number", { header: { kid: 5 } }, /write kid in the header as a text/],
    [
      "token-scope",
      "a control character in a scope",
      { claims: { scope: "a\u0007" } },
      /write scope as a text, with one/
    ],
    ["token-subject", "an empty client", { claims: { client_id: "" } }, /write client_id as a text/]
  ])("explains in %s how to correct %s", ([rule, , options, change]) =>
    Effect.gen(function*() {
      const finding = getFinding(yield* reportOn(options), rule)
      assert.strictEqual(finding.verdict, "fail")
      assert.match(finding.change!, change)
    }))

  it.effect("checks the token at a given time", () =>
    Effect.gen(function*() {
      const token = { expiresIn: "5 minutes" } as const
      assert.deepStrictEqual(getFailures(yield* reportOn(token, { at: (now + 300) * 1000 })), ["token-expiry"])
      const report = yield* reportOn(token, { at: (now + 299) * 1000 })
      assert.strictEqual(report.outcome, "pass")
      assert.strictEqual(report.at, new Date((now + 299) * 1000).toISOString())
    }))

  it.effect("is inconclusive if the keys cannot be fetched, and still reports the other problems", () =>
    Effect.gen(function*() {
      const { goDown, mint } = yield* TestIssuer.TestIssuer
      const valid = Redacted.make(yield* mint({ scopes: ["todos:read"] }))
      const expired = Redacted.make(yield* mint({ scopes: ["todos:read"], expiresIn: "-1 minute" }))
      yield* goDown()
      const report = yield* TokenReport.run(valid, { resource, issuer })
      assert.strictEqual(report.outcome, "inconclusive")
      assert.strictEqual(getFinding(report, "token-signature").verdict, "inconclusive")
      assert.strictEqual(report.options, undefined)
      assert.deepStrictEqual(getFailures(yield* TokenReport.run(expired, { resource, issuer })), ["token-expiry"])
    }).pipe(Effect.provide(TestIssuer.layer({ issuer, resource }))))

  it.effect("is inconclusive for an opaque token, and shows no options", () =>
    Effect.gen(function*() {
      const report = yield* TokenReport.run(Redacted.make("mark-opaque"), { resource, issuer })
      assert.strictEqual(report.outcome, "inconclusive")
      assert.strictEqual(report.options, undefined)
      assert.notInclude(JSON.stringify(report), "mark-opaque")
      assert.deepStrictEqual(report.notes, ["The token was not verified."])
    }).pipe(Effect.provide(TestIssuer.layer({ issuer, resource }))))

  it.effect.each<Partial<TokenReport.Options>>([
    { resource: "http://server.test/mcp" },
    { audiences: [""] },
    { clientIds: [""] },
    { at: Number.NaN },
    { at: 1e18 }
  ])("fails for options that no server accepts: %j", (options) =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(reportOn({}, options))
      assert.strictEqual(error._tag, "InvalidInput")
    }))

  it.effect("escapes control characters from the token, so that they do not reach the terminal", () =>
    Effect.gen(function*() {
      const report = yield* reportOn({ audience: "\u001b[2Jboo\u202e" })
      const table = toTable(report, { color: false, width: 80 })
      for (const text of [table, JSON.stringify(report)]) assert.notMatch(text, /[\u001b\u202e]/)
      assert.include(table, "\\u001b[2Jboo\\u202e")
    }))

  it.effect("shows no options that would contain invisible characters", () =>
    Effect.gen(function*() {
      const audience = "api://todos\u202e"
      const report = yield* reportOn({ audience }, { audiences: [audience] })
      assert.strictEqual(report.outcome, "pass")
      assert.strictEqual(report.options, undefined)
    }))

  it.effect("breaks the options into lines of at most 60 characters", () =>
    Effect.gen(function*() {
      const scopes = ["todos:read", "todos:write", "todos:share", "todos:delete", "todos:archive"]
      const report = yield* reportOn({ scopes })
      assert.include(report.options!, `\n    "todos:read",\n`)
      for (const line of report.options!.split("\n")) assert.isAtMost(line.length, 60)
    }))

  it.effect("does not count as a decision of a server: no log, no metric", () =>
    Effect.gen(function*() {
      const { mint } = yield* TestIssuer.TestIssuer
      const token = Redacted.make(yield* mint({ audience: "https://other.test" }))
      const decisions: Array<unknown> = []
      const registry = new Map()
      yield* TokenReport.run(token, { resource, issuer }).pipe(
        Effect.provideService(Decision.DecisionListener, (decision) => Effect.sync(() => decisions.push(decision))),
        Effect.provideService(Metric.MetricRegistry, registry)
      )
      assert.deepStrictEqual([decisions.length, registry.size], [0, 0])
    }).pipe(Effect.provide(TestIssuer.layer({ issuer, resource }))))
})

describe("the description of a token", () => {
  it.effect("states that the token is not verified, describes its times, and omits the signature", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(now * 1000)
      const { mint } = yield* TestIssuer.TestIssuer
      const token = yield* mint({ expiresIn: "5 minutes" })
      const text = yield* TokenReport.describe(Redacted.make(token))
      assert.match(text, /^Not verified/)
      assert.match(text, /exp .*in 5 minutes/)
      assert.match(text, /iat .*, now/)
      assert.match(text, /addressed accepts it, if a key of its issuer signed it\.$/)
      assert.notInclude(text, token.split(".")[2]!)
    }).pipe(Effect.provide(TestIssuer.layer())))

  it.effect("contains the reason for which the gate rejects the token, at the given time", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(now * 1000)
      const { mint } = yield* TestIssuer.TestIssuer
      const token = Redacted.make(yield* mint({ expiresIn: "5 minutes" }))
      const text = yield* TokenReport.describe(token, { at: (now + 300) * 1000 })
      assert.match(text, /addressed rejects it: expired\.$/)
      assert.match(text, /iat .*, 5 minutes ago/)
    }).pipe(Effect.provide(TestIssuer.layer())))

  it.effect.each(
    [
      ["abc", /opaque/],
      ["a.b.c.d.e", /encrypted/],
      ["a.b.c", /not a JWT/],
      ["", /opaque/],
      ["x".repeat(17_000), /16 KiB/]
    ] as const
  )("describes %.20s as it is (%#)", ([token, expected]) =>
    Effect.gen(function*() {
      assert.match(yield* TokenReport.describe(Redacted.make(token)), expected)
    }))

  it("contains times in ISO format and relative to now", () => {
    assert.strictEqual(TokenReport.describeTime(0, 3_600_000), "1970-01-01T00:00:00Z, 60 minutes ago")
    assert.strictEqual(TokenReport.describeTime(1e300, 0), "not a time")
    assert.strictEqual(TokenReport.describeTime(86_400 * 3, 0), "1970-01-04T00:00:00Z, in 3 days")
  })

  it.effect("fits the given width for every forgery", () =>
    Effect.gen(function*() {
      const { mintBroken } = yield* TestIssuer.TestIssuer
      for (const kind of Forgery.kinds) {
        const text = yield* TokenReport.describe(Redacted.make(yield* mintBroken(kind)), { width: 60 })
        for (const line of text.split("\n")) assert.isAtMost(line.length, 60, kind)
      }
    }).pipe(Effect.provide(TestIssuer.layer())))
})
