import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { Check, Facts, type Report, type Rule } from "effect-mcp-auth/provider"
import { TestIssuer } from "effect-mcp-auth/testing"
import { TestClock } from "effect/testing"

const issuer = "https://issuer.test"
const inserted = "/.well-known/oauth-authorization-server"
const openid = "/.well-known/openid-configuration"

/** Metadata that pass every rule. */
const complete = {
  token_endpoint_auth_methods_supported: ["none", "private_key_jwt"],
  client_id_metadata_document_supported: true,
  authorization_response_iss_parameter_supported: true,
  registration_endpoint: `${issuer}/register`,
  scopes_supported: ["todos:read", "offline_access"],
  grant_types_supported: ["authorization_code", "refresh_token"],
  dpop_signing_alg_values_supported: ["ES256"]
}

const open = { "access-control-allow-origin": "*" }

const findRule = (report: Report.Report, rule: string): Report.Finding => {
  const found = report.findings.find((_) => _.rule === rule)
  assert.isDefined(found, `the report has no finding of ${rule}`)
  return found!
}

const getFailures = (report: Report.Report, level?: Rule.Level) =>
  report.findings.filter((_) => _.verdict === "fail" && (level === undefined || _.level === level)).map((_) => _.rule)

/** Prepares an issuer, and checks it. */
const checkIssuer = (
  prepare: (issuer: TestIssuer.TestIssuer["Service"]) => Effect.Effect<void>,
  { options = {}, revision, target }: {
    readonly options?: TestIssuer.Options
    readonly revision?: Rule.Revision
    /** Default: the issuer. */
    readonly target?: string
  } = {}
) =>
  Effect.gen(function*() {
    yield* prepare(yield* TestIssuer.TestIssuer)
    return yield* Check.run(target ?? options.issuer ?? issuer, { revision })
  }).pipe(
    Effect.provide(TestIssuer.layer({ issuer, metadata: complete, jwk: { use: "sig" }, ...options }))
  )

const json = (content: unknown) => () => Response.json(content, { headers: open })

describe("a server that supports everything", () => {
  it.effect.each(["2026-07-28", "2025-11-25", "2025-06-18"] as const)(
    "passes MCP %s",
    (revision) =>
      Effect.gen(function*() {
        const report = yield* checkIssuer((_) => Effect.void, { revision })
        assert.strictEqual(report.outcome, "pass", report.summary)
        assert.deepStrictEqual(getFailures(report, "MUST"), [])
        assert.strictEqual(report.revision, revision)
      })
  )

  it.effect("receives the requests of clients, without a sign-in or a registration", () =>
    Effect.gen(function*() {
      const service = yield* TestIssuer.TestIssuer
      yield* Check.run(issuer)
      const received = (yield* service.requests).map(({ method, url }) => `${method} ${url.slice(issuer.length)}`)
      assert.sameMembers(received, [
        `GET ${inserted}`,
        `GET ${openid}`,
        "GET /jwks",
        `GET ${inserted}`,
        "POST /token",
        "OPTIONS /register"
      ])
    }).pipe(Effect.provide(TestIssuer.layer({ issuer, metadata: complete }))))

  it.effect("is found at the three well-known URLs of an issuer with a path", () =>
    Effect.gen(function*() {
      const report = yield* checkIssuer((_) => Effect.void, {
        options: { issuer: `${issuer}/tenant`, metadata: { ...complete, issuer: `${issuer}/tenant` } }
      })
      assert.strictEqual(findRule(report, "metadata").verdict, "pass")
      assert.include(findRule(report, "rfc8414-document").why, `${issuer}${inserted}/tenant`)
    }))
})

describe("metadata that mislead clients", () => {
  it.effect("a web page with status 200 at the RFC 8414 URL fails, because both official clients stop there", () =>
    Effect.gen(function*() {
      const report = yield* checkIssuer((_) => _.answerHtml(inserted))
      assert.strictEqual(report.outcome, "fail")
      assert.deepStrictEqual(getFailures(report, "MUST"), ["well-known-answers"])
      assert.match(findRule(report, "well-known-answers").why, /200 with a web page.*both official clients stop here/)
      // The metadata document at the next URL is still found and checked.
      assert.strictEqual(findRule(report, "pkce-s256").verdict, "pass")
    }))

  it.effect("a web page after the document fails a SHOULD rule only", () =>
    Effect.gen(function*() {
      const report = yield* checkIssuer((_) => _.answerHtml(openid))
      assert.strictEqual(report.outcome, "pass")
      assert.deepStrictEqual(getFailures(report, "SHOULD").filter((_) => _.startsWith("well-known")), [
        "well-known-tidy"
      ])
    }))

  it.effect("a status 500 before the document fails, because both official clients stop there", () =>
    Effect.gen(function*() {
      const report = yield* checkIssuer((_) => _.answerStatus(500, inserted))
      assert.match(findRule(report, "well-known-answers").why, /returns 500/)
      assert.strictEqual(report.outcome, "fail")
    }))

  it.effect("metadata are found through a redirect within the origin, as both official clients find them", () =>
    Effect.gen(function*() {
      const report = yield* checkIssuer((_) =>
        Effect.andThen(
          _.respondWith(inserted, () => new Response(null, { status: 302, headers: { location: "/o/metadata" } })),
          _.respondWith("/o/metadata", json({ issuer, ...complete }))
        )
      )
      assert.strictEqual(findRule(report, "rfc8414-document").verdict, "pass")
      const { level, verdict, why } = findRule(report, "metadata-direct")
      assert.deepStrictEqual([level, verdict], ["SHOULD", "fail"])
      assert.include(why, `${issuer}${inserted} redirects to ${issuer}/o/metadata. Both official clients follow it`)
    }))

  it.effect("a redirect is reported with its target", () =>
    Effect.gen(function*() {
      const report = yield* checkIssuer((_) => _.redirect("https://elsewhere.test/metadata", inserted))
      assert.match(findRule(report, "rfc8414-document").why, /redirects to https:\/\/elsewhere\.test\/metadata/)
    }))

  it.effect("a server without a document fails", () =>
    Effect.gen(function*() {
      const report = yield* checkIssuer((_) => _.answerStatus(404))
      assert.strictEqual(findRule(report, "metadata").verdict, "fail")
      assert.strictEqual(report.outcome, "fail")
    }))

  it.effect("documents that differ fail, with the missing and the differing members", () =>
    Effect.gen(function*() {
      const lacking = {
        ...complete,
        issuer,
        authorization_endpoint: `${issuer}/authorize`,
        token_endpoint: `${issuer}/elsewhere`
      }
      const report = yield* checkIssuer((_) => _.respondWith(openid, json(lacking)))
      const { verdict, why } = findRule(report, "documents-agree")
      assert.strictEqual(verdict, "fail")
      assert.include(why, `${issuer}${openid} lacks jwks_uri`)
      assert.include(why, "code_challenge_methods_supported")
      assert.include(why, `token_endpoint (${issuer}/token and ${issuer}/elsewhere)`)
      assert.strictEqual(findRule(report, "pkce-s256").verdict, "pass")
    }))

  it.effect("documents agree if lists differ only in their order", () =>
    Effect.gen(function*() {
      const report = yield* checkIssuer((_) =>
        _.respondWith(
          openid,
          json({
            ...complete,
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
      assert.strictEqual(findRule(report, "documents-agree").verdict, "pass", findRule(report, "documents-agree").why)
    }))

  it.effect.each([
    { named: `${issuer}/`, target: issuer, difference: "it has an additional final slash" },
    { named: issuer, target: `${issuer}/`, difference: "it lacks the final slash" },
    { named: `${issuer}:443`, target: issuer, difference: "they differ in port 443" },
    { named: "https://ISSUER.test", target: issuer, difference: "upper and lower case" },
    { named: "http://issuer.test", target: issuer, difference: "http and https" },
    { named: "https://issuer.test/{tenantid}", target: issuer, difference: "a template" },
    { named: "https://other.test", target: issuer, difference: "a different name" }
  ])(
    "a document of $target that names $named fails: $difference",
    ({ difference, named, target }) =>
      Effect.gen(function*() {
        const report = yield* checkIssuer((_) => _.publishMetadata({ issuer: named }), { target })
        const { verdict, why } = findRule(report, "issuer-identical")
        assert.strictEqual(verdict, "fail")
        assert.include(why, difference)
        assert.include(
          findRule(report, "issuer-identical").change,
          difference === "a template"
            ? "Use the issuer of one tenant, with its id in place of {tenantid}"
            : difference === "a different name"
            ? `configure ${target} as the issuer`
            : `Use ${named} everywhere`
        )
        assert.strictEqual(report.outcome, "fail")
      })
  )

  it.effect("an issuer with port 443 fails", () =>
    Effect.gen(function*() {
      const report = yield* checkIssuer((_) => Effect.void, { target: `${issuer}:443` })
      assert.match(findRule(report, "issuer-spelling").why, /port 443, which URL libraries remove/)
      assert.strictEqual(findRule(report, "issuer-spelling").change, `Write ${issuer}`)
      assert.strictEqual(findRule(report, "issuer-identical").verdict, "fail")
    }))

  it.effect("without jwks_uri, tokens are verifiable only if there is introspection", () =>
    Effect.gen(function*() {
      const introspected = yield* checkIssuer((_) => _.publishMetadata({ jwks_uri: undefined }))
      assert.match(findRule(introspected, "tokens-verifiable").why, /through introspection only/)
      assert.strictEqual(findRule(introspected, "key-set").verdict, "skipped")
      const unverifiable = yield* checkIssuer((_) =>
        _.publishMetadata({ jwks_uri: undefined, introspection_endpoint: undefined })
      )
      assert.strictEqual(findRule(unverifiable, "tokens-verifiable").verdict, "fail")
      assert.strictEqual(unverifiable.outcome, "fail")
    }))

  it.effect.each([
    {
      title: "an OpenID Provider without introspection, whose keys may sign only ID tokens",
      members: { introspection_endpoint: undefined, id_token_signing_alg_values_supported: ["RS256"] },
      verdict: "inconclusive",
      why: /verify ID tokens\. Metadata do not show whether access tokens are JWTs/
    },
    {
      title: "an OpenID Provider with introspection",
      members: { id_token_signing_alg_values_supported: ["RS256"] },
      verdict: "pass",
      why: /through introspection, .*, or with the keys at .* if access tokens are JWTs/
    },
    {
      title: "an authorization server that issues no ID tokens",
      members: { introspection_endpoint: undefined },
      verdict: "pass",
      why: /^with the keys at/
    }
  ])("tokens-verifiable says what is known about $title", ({ members, verdict, why }) =>
    Effect.gen(function*() {
      const report = yield* checkIssuer((_) => _.publishMetadata(members))
      const found = findRule(report, "tokens-verifiable")
      assert.strictEqual(found.verdict, verdict)
      assert.match(found.why, why)
    }))

  it("tokens-verifiable names the format of the tokens of a known provider", () => {
    const document = (introspectionEndpoint: boolean) => ({
      kind: "openid-configuration" as const,
      url: "https://auth.example.com/.well-known/openid-configuration",
      issuer: "same" as const,
      observed: "2026-11",
      source: "a test",
      complete: true,
      jwksUri: true,
      registrationEndpoint: false,
      introspectionEndpoint,
      offlineAccess: false
    })
    const verifiable = (id: string, introspection: boolean) =>
      findRule(Check.checkFact(Facts.get(id)!, [document(introspection)], { now: 0 }), "tokens-verifiable")
    assert.match(verifiable("okta", false).why, /^with the keys at/)
    assert.match(verifiable("hydra", false).why, /^JWTs with the keys at .* Ory Hydra: opaque \(ory_at_…\) by default/)
    assert.match(verifiable("gitlab", true).why, /^through introspection, .*: tokens of GitLab are opaque$/)
    assert.strictEqual(verifiable("gitlab", false).verdict, "fail")
    // GitLab offers introspection, so the report speaks of the document alone.
    assert.match(verifiable("gitlab", false).why, /GitLab issues opaque tokens, and .* no introspection_endpoint$/)
    assert.match(verifiable("google", false).why, /Profiles\.google verifies each of them/)
  })

  it.effect("a missing PKCE field fails a MUST since 2025-11-25, and a SHOULD in 2025-06-18", () =>
    Effect.gen(function*() {
      const without = { code_challenge_methods_supported: undefined }
      const current = yield* checkIssuer((_) => _.publishMetadata(without))
      assert.deepStrictEqual(getFailures(current, "MUST"), ["pkce-s256"])
      const earlier = yield* checkIssuer((_) => _.publishMetadata(without), { revision: "2025-06-18" })
      assert.strictEqual(earlier.outcome, "pass")
      assert.include(getFailures(earlier, "SHOULD"), "pkce-s256")
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
      const sound = getFailures(yield* checkIssuer(() => Effect.void))
      const report = yield* checkIssuer((_) => _.publishMetadata({ [member]: value }))
      assert.deepStrictEqual(getFailures(report).filter((_) => !sound.includes(_)), fails)
    }))
})

describe("a key set", () => {
  const rsa = (bits: number, e = "AQAB") => ({
    kty: "RSA",
    kid: `rsa-${bits}`,
    alg: "RS256",
    use: "sig",
    n: `v${"A".repeat(bits / 6 - 2)}Q`.padEnd(Math.ceil(bits / 6), "A"),
    e
  })

  it.effect.each<{ title: string; keys: ReadonlyArray<unknown>; fails: ReadonlyArray<string>; why: RegExp }>([
    { title: "without keys", keys: [], fails: ["key-set"], why: /has no key/ },
    {
      title: "with a symmetric key",
      keys: [{ kty: "oct", k: "AAAA" }],
      fails: ["key-set", "key-set-public", "key-set-tidy"],
      why: /is symmetric/
    },
    {
      title: "with an RSA key of 1024 bits",
      keys: [rsa(1024)],
      fails: ["key-set", "key-set-tidy"],
      why: /shorter than 2048 bits/
    },
    {
      title: "with an RSA key with exponent 3",
      keys: [rsa(2048, "Aw")],
      fails: ["key-set", "key-set-tidy"],
      why: /unusual exponent/
    },
    {
      title: "with only an encryption key",
      keys: [{ ...rsa(2048), use: "enc" }],
      fails: ["key-set"],
      why: /no key is for signatures/
    }
  ])("$title fails", ({ fails, keys, why }) =>
    Effect.gen(function*() {
      const report = yield* checkIssuer((_) => _.publishKeys(keys))
      assert.deepStrictEqual(getFailures(report).filter((_) => _.startsWith("key-set")), fails)
      assert.match(findRule(report, "key-set").why, why)
    }))

  it.effect("with a private key fails, and the report does not contain the private key", () =>
    Effect.gen(function*() {
      const report = yield* checkIssuer((_) =>
        Effect.flatMap(
          _.currentKey,
          ({ publicJwk }) => _.publishKeys([publicJwk, { ...publicJwk, kid: "leaked", d: "VERY-SECRET" }])
        )
      )
      assert.strictEqual(findRule(report, "key-set").verdict, "pass")
      assert.include(findRule(report, "key-set-public").why, "leaked")
      assert.notInclude(JSON.stringify(report), "VERY-SECRET")
      assert.strictEqual(report.outcome, "fail")
    }))

  it.effect("makes the report inconclusive if it cannot be fetched", () =>
    Effect.gen(function*() {
      const report = yield* checkIssuer((_) => _.goDown("/jwks"))
      assert.strictEqual(findRule(report, "key-set").verdict, "inconclusive")
      assert.strictEqual(report.outcome, "inconclusive")
    }))
})

describe("a server that cannot be checked", () => {
  it.effect("is reported as unreachable, with the cause", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(checkIssuer((_) => _.goDown()))
      assert.strictEqual(error._tag, "Unreachable")
      assert.match(error.message, /^https:\/\/issuer\.test cannot be reached$/)
    }))

  it.effect("is reported after five seconds without a response", () =>
    Effect.gen(function*() {
      yield* (yield* TestIssuer.TestIssuer).hang()
      const fiber = yield* Effect.forkChild(Effect.flip(Check.run(issuer)), { startImmediately: true })
      yield* TestClock.adjust("5 seconds")
      const error = yield* Fiber.join(fiber)
      assert.match(error.message, /does not respond within 5 seconds/)
    }).pipe(Effect.provide(TestIssuer.layer({ issuer }))))

  it.effect.each(["", "auth.example.com", "ftp://auth.example.com", "https://u:p@auth.example.com"])(
    "%j is rejected as an issuer",
    (target) =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(checkIssuer(() => Effect.void, { target }))
        assert.strictEqual(error._tag, "InvalidInput")
        assert.notInclude(error.message, "u:p")
      })
  )

  it.effect("the URL of a document is rejected, and the error suggests its issuer", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(checkIssuer(() => Effect.void, { target: `${issuer}${inserted}/tenant` }))
      assert.include(error.message, `its issuer, which may be ${issuer}/tenant`)
    }))
})

describe("browser clients", () => {
  it.effect("pass if the responses allow other origins, and a token endpoint that does not is inconclusive", () =>
    Effect.gen(function*() {
      const closed = yield* checkIssuer(() => Effect.void)
      assert.strictEqual(findRule(closed, "cors-metadata").verdict, "fail")
      assert.strictEqual(findRule(closed, "cors-token").verdict, "inconclusive")
      assert.strictEqual(findRule(closed, "cors-registration").verdict, "fail")
      const allowed = yield* checkIssuer((_) =>
        Effect.all([
          _.respondWith("/token", () => new Response("{}", { status: 400, headers: open })),
          _.respondWith("/register", () => new Response(null, { status: 204, headers: open }))
        ])
      )
      assert.strictEqual(findRule(allowed, "cors-token").verdict, "pass")
      assert.strictEqual(findRule(allowed, "cors-registration").verdict, "pass")
    }))
})

describe("a check without a network", () => {
  it("shows the settings of a known provider", () => {
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
    "rejects %j as a document",
    (text) => {
      assert.instanceOf(Check.checkDocuments([{ name: "saved", text }], { now: 0 }), Check.InvalidInput)
    }
  )

  it.each(Facts.all.filter((fact) => fact.documents.length > 0))(
    "applies the same rules to the documents in the facts: $id",
    (fact) => {
      for (const document of fact.documents) {
        const { findings } = Check.checkFact(fact, [document], { now: 0 })
        const pkce = findings.find((_) => _.rule === "pkce-s256")!
        assert.strictEqual(
          pkce.verdict,
          document.codeChallengeMethods?.includes("S256") === true
            ? "pass"
            : document.complete
            ? "fail"
            : "inconclusive"
        )
        const registration = findings.find((_) => _.rule === "dynamic-registration")!
        assert.strictEqual(registration.verdict === "pass", document.registrationEndpoint)
      }
    }
  )
})
