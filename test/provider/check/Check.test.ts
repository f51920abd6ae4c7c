import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { Check, Facts, type Report, type Rule } from "effect-mcp-auth/provider"
import { TestIssuer } from "effect-mcp-auth/testing"
import { TestClock } from "effect/testing"

const issuer = "https://issuer.test"
const inserted = "/.well-known/oauth-authorization-server"
const openid = "/.well-known/openid-configuration"

/** Everything that a revision wishes for. */
const whole = {
  token_endpoint_auth_methods_supported: ["none", "private_key_jwt"],
  client_id_metadata_document_supported: true,
  authorization_response_iss_parameter_supported: true,
  registration_endpoint: `${issuer}/register`,
  scopes_supported: ["todos:read", "offline_access"],
  grant_types_supported: ["authorization_code", "refresh_token"],
  dpop_signing_alg_values_supported: ["ES256"]
}

const open = { "access-control-allow-origin": "*" }

const finding = (report: Report.Report, rule: string): Report.Finding => {
  const found = report.findings.find((_) => _.rule === rule)
  assert.isDefined(found, `no finding of ${rule}`)
  return found!
}

const failures = (report: Report.Report, level?: Rule.Level) =>
  report.findings.filter((_) => _.verdict === "fail" && (level === undefined || _.level === level)).map((_) => _.rule)

/** Checks an issuer after something was done to it. */
const checked = (
  prepare: (issuer: TestIssuer.TestIssuer["Service"]) => Effect.Effect<void>,
  { asked, options = {}, revision }: {
    readonly asked?: string
    readonly options?: TestIssuer.Options
    readonly revision?: Rule.Revision
  } = {}
) =>
  Effect.gen(function*() {
    yield* prepare(yield* TestIssuer.TestIssuer)
    return yield* Check.run(asked ?? options.issuer ?? issuer, { revision })
  }).pipe(
    Effect.provide(TestIssuer.layer({ issuer, metadata: whole, jwk: { use: "sig" }, ...options }))
  )

const json = (content: unknown) => () => Response.json(content, { headers: open })

describe("a server that has everything", () => {
  it.effect.each(["2026-07-28", "2025-11-25", "2025-06-18"] as const)("fits %s", (revision) =>
    Effect.gen(function*() {
      const report = yield* checked((_) => Effect.void, { revision })
      assert.strictEqual(report.outcome, "pass", report.summary)
      assert.deepStrictEqual(failures(report, "MUST"), [])
      assert.strictEqual(report.revision, revision)
    }))

  it.effect("is asked as clients ask, and nobody signs in or registers", () =>
    Effect.gen(function*() {
      const service = yield* TestIssuer.TestIssuer
      yield* Check.run(issuer)
      const asked = (yield* service.requests).map(({ method, url }) => `${method} ${url.slice(issuer.length)}`)
      assert.sameMembers(asked, [
        `GET ${inserted}`,
        `GET ${openid}`,
        "GET /jwks",
        `GET ${inserted}`,
        "POST /token",
        "OPTIONS /register"
      ])
    }).pipe(Effect.provide(TestIssuer.layer({ issuer, metadata: whole }))))

  it.effect("at a path is looked for at all three places", () =>
    Effect.gen(function*() {
      const report = yield* checked((_) => Effect.void, {
        options: { issuer: `${issuer}/tenant`, metadata: { ...whole, issuer: `${issuer}/tenant` } }
      })
      assert.strictEqual(finding(report, "metadata").verdict, "pass")
      assert.include(finding(report, "rfc8414-document").why, `${issuer}${inserted}/tenant`)
    }))
})

describe("the traps", () => {
  it.effect("an RFC 8414 URL that answers 200 with a web page stops both official clients", () =>
    Effect.gen(function*() {
      const report = yield* checked((_) => _.answerHtml(inserted))
      assert.strictEqual(report.outcome, "fail")
      assert.deepStrictEqual(failures(report, "MUST"), ["well-known-answers"])
      assert.match(finding(report, "well-known-answers").why, /200 with a web page.*both official clients stop here/)
      // The document behind it is found and judged all the same.
      assert.strictEqual(finding(report, "pkce-s256").verdict, "pass")
    }))

  it.effect("a web page where the OpenID document would be misleads, and stops nobody", () =>
    Effect.gen(function*() {
      const report = yield* checked((_) => _.answerHtml(openid))
      assert.strictEqual(report.outcome, "pass")
      assert.deepStrictEqual(failures(report, "SHOULD").filter((_) => _.startsWith("well-known")), ["well-known-tidy"])
    }))

  it.effect("500 before the document stops both official clients", () =>
    Effect.gen(function*() {
      const report = yield* checked((_) => _.answerStatus(500, inserted))
      assert.match(finding(report, "well-known-answers").why, /returns 500/)
      assert.strictEqual(report.outcome, "fail")
    }))

  it.effect("a redirect is told with its target", () =>
    Effect.gen(function*() {
      const report = yield* checked((_) => _.redirect("https://elsewhere.test/metadata", inserted))
      assert.match(finding(report, "rfc8414-document").why, /redirects to https:\/\/elsewhere\.test\/metadata/)
    }))

  it.effect("no document at all", () =>
    Effect.gen(function*() {
      const report = yield* checked((_) => _.answerStatus(404))
      assert.strictEqual(finding(report, "metadata").verdict, "fail")
      assert.strictEqual(report.outcome, "fail")
    }))

  it.effect("twin documents that differ, of which one lacks the PKCE field", () =>
    Effect.gen(function*() {
      const lacking = {
        ...whole,
        issuer,
        authorization_endpoint: `${issuer}/authorize`,
        token_endpoint: `${issuer}/elsewhere`
      }
      const report = yield* checked((_) => _.respondWith(openid, json(lacking)))
      const { verdict, why } = finding(report, "documents-agree")
      assert.strictEqual(verdict, "fail")
      assert.include(why, `${issuer}${openid} lacks jwks_uri`)
      assert.include(why, "code_challenge_methods_supported")
      assert.include(why, `token_endpoint (${issuer}/token and ${issuer}/elsewhere)`)
      assert.strictEqual(finding(report, "pkce-s256").verdict, "pass")
    }))

  it.effect("the same lists in another order are the same", () =>
    Effect.gen(function*() {
      const report = yield* checked((_) =>
        _.respondWith(
          openid,
          json({
            ...whole,
            issuer,
            authorization_endpoint: `${issuer}/authorize`,
            token_endpoint: `${issuer}/token`,
            jwks_uri: `${issuer}/jwks`,
            introspection_endpoint: `${issuer}/introspect`,
            revocation_endpoint: `${issuer}/revoke`,
            response_types_supported: ["code"],
            code_challenge_methods_supported: ["S256"],
            token_endpoint_auth_methods_supported: ["private_key_jwt", "none"]
          })
        )
      )
      assert.strictEqual(finding(report, "documents-agree").verdict, "pass", finding(report, "documents-agree").why)
    }))

  it.effect.each([
    { named: `${issuer}/`, asked: issuer, says: "it has an additional final slash" },
    { named: issuer, asked: `${issuer}/`, says: "it lacks the final slash" },
    { named: `${issuer}:443`, asked: issuer, says: "they differ in port 443" },
    { named: "https://ISSUER.test", asked: issuer, says: "upper and lower case" },
    { named: "http://issuer.test", asked: issuer, says: "http and https" },
    { named: "https://issuer.test/{tenantid}", asked: issuer, says: "a template" },
    { named: "https://other.test", asked: issuer, says: "a different name" }
  ])("issuer $named for $asked: $says", ({ asked, named, says }) =>
    Effect.gen(function*() {
      const report = yield* checked((_) => _.publishMetadata({ issuer: named }), { asked })
      const { verdict, why } = finding(report, "issuer-identical")
      assert.strictEqual(verdict, "fail")
      assert.include(why, says)
      assert.include(
        finding(report, "issuer-identical").change,
        says === "a template"
          ? "Use the issuer of one tenant, with its id in place of {tenantid}"
          : says === "a different name"
          ? `configure ${asked} as the issuer`
          : `Use ${named} everywhere`
      )
      assert.strictEqual(report.outcome, "fail")
    }))

  it.effect("an issuer that is asked for with port 443", () =>
    Effect.gen(function*() {
      const report = yield* checked((_) => Effect.void, { asked: `${issuer}:443` })
      assert.match(finding(report, "issuer-spelling").why, /port 443, which URL libraries remove/)
      assert.strictEqual(finding(report, "issuer-spelling").change, `Write ${issuer}`)
      assert.strictEqual(finding(report, "issuer-identical").verdict, "fail")
    }))

  it.effect("no jwks_uri: by introspection alone, and without that by nobody", () =>
    Effect.gen(function*() {
      const asked = yield* checked((_) => _.publishMetadata({ jwks_uri: undefined }))
      assert.match(finding(asked, "tokens-verifiable").why, /through introspection only/)
      assert.strictEqual(finding(asked, "key-set").verdict, "skipped")
      const nobody = yield* checked((_) =>
        _.publishMetadata({ jwks_uri: undefined, introspection_endpoint: undefined })
      )
      assert.strictEqual(finding(nobody, "tokens-verifiable").verdict, "fail")
      assert.strictEqual(nobody.outcome, "fail")
    }))

  it.effect("no PKCE field is a MUST today, and was none in 2025-06-18", () =>
    Effect.gen(function*() {
      const without = { code_challenge_methods_supported: undefined }
      const today = yield* checked((_) => _.publishMetadata(without))
      assert.deepStrictEqual(failures(today, "MUST"), ["pkce-s256"])
      const before = yield* checked((_) => _.publishMetadata(without), { revision: "2025-06-18" })
      assert.strictEqual(before.outcome, "pass")
      assert.include(failures(before, "SHOULD"), "pkce-s256")
    }))

  it.effect.each([
    { member: "code_challenge_methods_supported", value: ["plain"], fails: ["pkce-s256", "pkce-plain"] },
    { member: "response_types_supported", value: ["token"], fails: ["code-flow"] },
    { member: "response_types_supported", value: undefined, fails: ["code-flow"] },
    { member: "grant_types_supported", value: ["client_credentials"], fails: ["code-flow"] },
    { member: "token_endpoint", value: undefined, fails: ["code-flow"] },
    { member: "token_endpoint", value: "http://issuer.test/token", fails: ["endpoints-https"] },
    { member: "revocation_endpoint", value: "/revoke", fails: ["endpoints-https"] },
    { member: "token_endpoint_auth_methods_supported", value: undefined, fails: ["public-clients"] },
    { member: "token_endpoint_auth_methods_supported", value: ["client_secret_post"], fails: ["public-clients"] },
    { member: "client_id_metadata_document_supported", value: "true", fails: ["client-id-metadata-documents"] },
    { member: "authorization_response_iss_parameter_supported", value: undefined, fails: ["iss-parameter"] },
    { member: "dpop_signing_alg_values_supported", value: undefined, fails: ["dpop"] }
  ])("$member = $value fails $fails", ({ fails, member, value }) =>
    Effect.gen(function*() {
      const sound = failures(yield* checked(() => Effect.void))
      const report = yield* checked((_) => _.publishMetadata({ [member]: value }))
      assert.deepStrictEqual(failures(report).filter((_) => !sound.includes(_)), fails)
    }))
})

describe("the key set", () => {
  const rsa = (bits: number, e = "AQAB") => ({
    kty: "RSA",
    kid: `rsa-${bits}`,
    alg: "RS256",
    use: "sig",
    n: `v${"A".repeat(bits / 6 - 2)}Q`.padEnd(Math.ceil(bits / 6), "A"),
    e
  })

  it.effect.each<{ title: string; keys: ReadonlyArray<unknown>; fails: ReadonlyArray<string>; why: RegExp }>([
    { title: "empty", keys: [], fails: ["key-set"], why: /has no key/ },
    {
      title: "symmetric",
      keys: [{ kty: "oct", k: "AAAA" }],
      fails: ["key-set", "key-set-public", "key-set-tidy"],
      why: /is symmetric/
    },
    { title: "short", keys: [rsa(1024)], fails: ["key-set", "key-set-tidy"], why: /shorter than 2048 bits/ },
    { title: "exponent 3", keys: [rsa(2048, "Aw")], fails: ["key-set", "key-set-tidy"], why: /unusual exponent/ },
    {
      title: "for encryption alone",
      keys: [{ ...rsa(2048), use: "enc" }],
      fails: ["key-set"],
      why: /no key is for signatures/
    }
  ])("$title", ({ fails, keys, why }) =>
    Effect.gen(function*() {
      const report = yield* checked((_) => _.publishKeys(keys))
      assert.deepStrictEqual(failures(report).filter((_) => _.startsWith("key-set")), fails)
      assert.match(finding(report, "key-set").why, why)
    }))

  it.effect("with a private key among good ones is an alarm, and its secret is not shown", () =>
    Effect.gen(function*() {
      const report = yield* checked((_) =>
        Effect.flatMap(
          _.currentKey,
          ({ publicJwk }) => _.publishKeys([publicJwk, { ...publicJwk, kid: "leaked", d: "VERY-SECRET" }])
        )
      )
      assert.strictEqual(finding(report, "key-set").verdict, "pass")
      assert.include(finding(report, "key-set-public").why, "leaked")
      assert.notInclude(JSON.stringify(report), "VERY-SECRET")
      assert.strictEqual(report.outcome, "fail")
    }))

  it.effect("that cannot be fetched leaves open what it is worth", () =>
    Effect.gen(function*() {
      const report = yield* checked((_) => _.goDown("/jwks"))
      assert.strictEqual(finding(report, "key-set").verdict, "inconclusive")
      assert.strictEqual(report.outcome, "inconclusive")
    }))
})

describe("a server that does not answer", () => {
  it.effect("is no verdict but a failure that says why", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(checked((_) => _.goDown()))
      assert.strictEqual(error._tag, "Unreachable")
      assert.match(error.message, /^https:\/\/issuer\.test cannot be reached$/)
    }))

  it.effect("is given up after five seconds", () =>
    Effect.gen(function*() {
      yield* (yield* TestIssuer.TestIssuer).hang()
      const fiber = yield* Effect.forkChild(Effect.flip(Check.run(issuer)), { startImmediately: true })
      yield* TestClock.adjust("5 seconds")
      const error = yield* Fiber.join(fiber)
      assert.match(error.message, /does not respond within 5 seconds/)
    }).pipe(Effect.provide(TestIssuer.layer({ issuer }))))

  it.effect.each(["", "auth.example.com", "ftp://auth.example.com", "https://u:p@auth.example.com"])(
    "%j is no issuer",
    (asked) =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(checked(() => Effect.void, { asked }))
        assert.strictEqual(error._tag, "InvalidInput")
        assert.notInclude(error.message, "u:p")
      })
  )

  it.effect("the URL of a document leads to its issuer", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(checked(() => Effect.void, { asked: `${issuer}${inserted}/tenant` }))
      assert.include(error.message, `its issuer, which may be ${issuer}/tenant`)
    }))
})

describe("browsers", () => {
  it.effect("are told of by what the answers allow", () =>
    Effect.gen(function*() {
      const closed = yield* checked(() => Effect.void)
      assert.strictEqual(finding(closed, "cors-metadata").verdict, "fail")
      assert.strictEqual(finding(closed, "cors-token").verdict, "inconclusive")
      assert.strictEqual(finding(closed, "cors-registration").verdict, "fail")
      const allowed = yield* checked((_) =>
        Effect.all([
          _.respondWith("/token", () => new Response("{}", { status: 400, headers: open })),
          _.respondWith("/register", () => new Response(null, { status: 204, headers: open }))
        ])
      )
      assert.strictEqual(finding(allowed, "cors-token").verdict, "pass")
      assert.strictEqual(finding(allowed, "cors-registration").verdict, "pass")
    }))
})

describe("what is known of a provider", () => {
  it("tells its own settings", () => {
    const report = Check.checkDocuments(
      [{ name: "saved.json", text: JSON.stringify({ issuer: "https://login.microsoftonline.com/{tenantid}/v2.0" }) }],
      { now: 0 }
    )
    assert.isFalse(report instanceof Check.InvalidInput)
    const { findings, provider } = report as Report.Report
    assert.strictEqual(provider, "Microsoft Entra ID")
    assert.match(
      findings.find((_) => _.rule === "pkce-s256")!.change!,
      /Entra ID supports PKCE and does not publish it/
    )
    assert.match(findings.find((_) => _.rule === "issuer-url")!.why, /a template, not an issuer/)
  })

  it.each(["<html>", "[]", "{}", "{\"resource\":\"https://a.test\"}", "null", "\u0000"])(
    "%j is no document",
    (text) => {
      assert.instanceOf(Check.checkDocuments([{ name: "saved", text }], { now: 0 }), Check.InvalidInput)
    }
  )

  it.each(Facts.all.filter((fact) => fact.documents.length > 0))("of $id is judged by the same rules", (fact) => {
    for (const document of fact.documents) {
      const { findings } = Check.checkFact(fact, [document], { now: 0 })
      const pkce = findings.find((_) => _.rule === "pkce-s256")!
      assert.strictEqual(
        pkce.verdict,
        document.codeChallengeMethods?.includes("S256") === true ? "pass" : document.complete ? "fail" : "inconclusive"
      )
      const registration = findings.find((_) => _.rule === "dynamic-registration")!
      assert.strictEqual(registration.verdict === "pass", document.registrationEndpoint)
    }
  })
})
