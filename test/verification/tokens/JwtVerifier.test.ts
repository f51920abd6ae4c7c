import { assert, describe, it, layer } from "@effect/vitest"
import { Arbitrary, Context, Effect, Layer, Redacted, Schema } from "effect"
import { Audience, TokenType } from "effect-mcp-auth"
import { ScopeHierarchy } from "effect-mcp-auth/host"
import { TestIssuer } from "effect-mcp-auth/testing"
import { Algorithm, JwkSet } from "effect-mcp-auth/verification"
import { TestClock } from "effect/testing"
import * as support from "../support.ts"

const { goodClaims, goodHeader, now, resource, segment } = support

interface Row {
  readonly title: string
  readonly claims?: Readonly<Record<string, unknown>>
  readonly header?: Readonly<Record<string, unknown>>
  readonly is: string
}

/** Verifies a correctly signed token whose claims or header differ from those of a good token. Asserts the outcome. */
const expectOutcome = (options: support.VerifierOptions = {}) => ({ claims, header, is }: Row) =>
  Effect.gen(function*() {
    const { issuer, outcomeOf } = yield* support.verifier(options)
    assert.strictEqual(yield* outcomeOf(yield* issuer.mint({ claims, header })), is)
  })

/** Verifies a correctly signed token with exactly these segments. Asserts the outcome. */
const expectOutcomeOfSegments = (
  { claims = goodClaims, header = goodHeader, is }: {
    readonly title: string
    readonly header?: object | string | Uint8Array
    readonly claims?: object | string | Uint8Array
    readonly is: string
  }
) =>
  Effect.gen(function*() {
    const { issuer, outcomeOf } = yield* support.verifier()
    assert.strictEqual(yield* outcomeOf(yield* issuer.signSegments(segment(header), segment(claims))), is)
  })

const json = JSON.stringify(goodClaims)

/** The claims of a good token as JSON. `member` is JSON text that replaces the member `without`. */
const jsonWith = (member: string, without: string): string => {
  const { [without]: _, ...rest } = goodClaims
  return `${JSON.stringify(rest).slice(0, -1)},${member}}`
}

describe("a good token", () => {
  it.effect("JWT-01 valid token: issuer, client, subject, scopes, audience, expiry and the raw claims", () =>
    Effect.gen(function*() {
      const { issuer, verify } = yield* support.verifier()
      const token = yield* issuer.mint({
        subject: "alice",
        scopes: ["todos:read", "todos:write"],
        clientId: "client-1",
        claims: { tenant: { id: 7 } }
      })
      const principal = yield* verify(token)
      assert.strictEqual(principal.issuer, "https://issuer.test")
      assert.strictEqual(principal.clientId, "client-1")
      assert.strictEqual(principal.subject, "alice")
      assert.deepStrictEqual([...principal.scopes], ["todos:read", "todos:write"])
      assert.deepStrictEqual([...principal.granted], ["todos:read", "todos:write"])
      assert.deepStrictEqual(principal.audience, [resource])
      assert.strictEqual(principal.expiresAt, now + 300)
      assert.deepStrictEqual(principal.claims["tenant"], { id: 7 })
      assert.strictEqual<unknown>(Redacted.value(principal.token), token)
    }))

  it.effect("JWT-09 client_id and sub present and different: they are not swapped", () =>
    Effect.gen(function*() {
      const { issuer, verify } = yield* support.verifier()
      const principal = yield* verify(yield* issuer.mint({ clientId: "the-client", subject: "the-subject" }))
      assert.deepStrictEqual([principal.clientId, principal.subject], ["the-client", "the-subject"])
    }))

  it.effect("effective scopes are those of the hierarchy, granted scopes those of the token", () =>
    Effect.gen(function*() {
      const { issuer, verify } = yield* support.verifier({
        effectiveScopes: ScopeHierarchy.compile({ "todos:write": ["todos:read"] })
      })
      const principal = yield* verify(yield* issuer.mint({ scopes: ["todos:write"] }))
      assert.deepStrictEqual([...principal.scopes], ["todos:write", "todos:read"])
      assert.deepStrictEqual([...principal.granted], ["todos:write"])
    }))

  it.effect("no printed form contains the token", () =>
    Effect.gen(function*() {
      const { issuer, verify } = yield* support.verifier()
      const token = yield* issuer.mint()
      const principal = yield* verify(token)
      assert.notInclude(`${JSON.stringify(principal)}${String(principal.token)}`, token)
    }))

  it.effect.each([...Algorithm.all])("accepts a token signed with %s", (algorithm) =>
    Effect.gen(function*() {
      const { issuer, outcomeOf } = yield* support.verifier({ issuer: { algorithm } })
      assert.strictEqual(yield* outcomeOf(yield* issuer.mint()), "accepted")
    }))
})

describe("the issuer", () => {
  it.effect.each<Row>([
    { title: "JWT-02 iss missing: 401", claims: { iss: undefined }, is: "unknown-issuer" },
    { title: "JWT-02 iss a number: 401", claims: { iss: 1 }, is: "unknown-issuer" },
    { title: "JWT-02 iss an empty string: 401", claims: { iss: "" }, is: "unknown-issuer" },
    { title: "iss null", claims: { iss: null }, is: "unknown-issuer" },
    { title: "iss a list with the issuer in it", claims: { iss: ["https://issuer.test"] }, is: "unknown-issuer" },
    { title: "iss with a final slash", claims: { iss: "https://issuer.test/" }, is: "unknown-issuer" },
    { title: "iss in capitals", claims: { iss: "HTTPS://ISSUER.TEST" }, is: "unknown-issuer" },
    { title: "iss with the default port", claims: { iss: "https://issuer.test:443" }, is: "unknown-issuer" },
    { title: "iss as a prefix", claims: { iss: "https://issuer.test.evil.test" }, is: "unknown-issuer" },
    { title: "iss with a space", claims: { iss: " https://issuer.test" }, is: "unknown-issuer" },
    { title: "iss constructor, which every object has", claims: { iss: "constructor" }, is: "unknown-issuer" }
  ])("$title", expectOutcome())

  it.effect.each([
    { title: "iss in __proto__ only", claims: `{"__proto__":${json}}`, is: "unknown-issuer" },
    { title: "sub in __proto__ only", claims: jsonWith(`"__proto__":{"sub":"admin"}`, "sub"), is: "subject" },
    { title: "exp in __proto__ only", claims: jsonWith(`"__proto__":{"exp":9999999999}`, "exp"), is: "expiry" },
    { title: "aud in __proto__ only", claims: jsonWith(`"__proto__":{"aud":"${resource}"}`, "aud"), is: "audience" },
    { title: "__proto__ together with good claims", claims: jsonWith(`"__proto__":{"cnf":{}}`, "x"), is: "accepted" }
  ])("$title: $is", expectOutcomeOfSegments)

  it.effect("ignores scopes in __proto__", () =>
    Effect.gen(function*() {
      const { issuer, verify } = yield* support.verifier()
      const claims = jsonWith(`"__proto__":{"scope":"todos:admin"}`, "scope")
      const principal = yield* verify(yield* issuer.signSegments(segment(goodHeader), segment(claims)))
      assert.strictEqual(principal.scopes.size, 0)
      assert.notProperty(principal.claims, "scope")
    }))

  it.effect.each([
    { title: "the value that the configuration names", iss: "https://sts.test/tenant/", is: "accepted" },
    { title: "the issuer itself, which is not configured", iss: "https://issuer.test", is: "unknown-issuer" },
    { title: "similar to the configured value", iss: "https://sts.test/tenant", is: "unknown-issuer" }
  ])(
    "tokenIssuers, iss is $title: $is",
    ({ is, iss }) =>
      expectOutcome({ server: { tokenIssuers: ["https://sts.test/tenant/"] } })({ title: "", claims: { iss }, is })
  )

  it.effect("JWT-41 two issuers configured, token from each, token from a third: accepted, accepted, 401", () =>
    Effect.gen(function*() {
      const { outcomeOf, one, three, two } = yield* severalIssuers
      assert.strictEqual(yield* outcomeOf(yield* one.mint()), "accepted")
      assert.strictEqual(yield* outcomeOf(yield* two.mint()), "accepted")
      assert.strictEqual(yield* outcomeOf(yield* three.mint()), "unknown-issuer")
      assert.deepStrictEqual(yield* three.requests, [])
    }))

  it.effect("a key of one issuer does not verify tokens of another", () =>
    Effect.gen(function*() {
      const { outcomeOf, one, two } = yield* severalIssuers
      assert.strictEqual(yield* outcomeOf(yield* one.mint({ claims: { iss: two.issuer } })), "signature")
      assert.deepStrictEqual(yield* one.requests, [])
      // The result is the same after the keys of `one` are cached.
      assert.strictEqual(yield* outcomeOf(yield* one.mint()), "accepted")
      assert.strictEqual(yield* outcomeOf(yield* one.mint({ claims: { iss: two.issuer } })), "signature")
      assert.strictEqual(
        yield* outcomeOf(yield* one.mint({ claims: { iss: two.issuer }, header: { kid: undefined } })),
        "signature"
      )
    }))

  it.effect("the issuer selects the server before any key is fetched", () =>
    Effect.gen(function*() {
      const { outcomeOf, one, two } = yield* severalIssuers
      assert.strictEqual(yield* outcomeOf(yield* two.mint()), "accepted")
      assert.deepStrictEqual(yield* one.requests, [])
    }))

  it.effect("an outage of one issuer does not affect the others", () =>
    Effect.gen(function*() {
      const { outcomeOf, one, two } = yield* severalIssuers
      yield* one.fail({ _tag: "Status", status: 500 })
      assert.strictEqual(yield* outcomeOf(yield* one.mint()), "AuthorizationServerUnavailable")
      assert.strictEqual(yield* outcomeOf(yield* two.mint()), "accepted")
    }))

  it.effect("CFG-13 no trusted issuer at run time: every token is rejected", () =>
    Effect.gen(function*() {
      const { issuer, keys } = yield* support.services()
      const { outcomeOf } = yield* Effect.provideService(support.verifierOf([]), JwkSet.JwkSet, keys)
      assert.strictEqual(yield* outcomeOf(yield* issuer.mint()), "unknown-issuer")
      assert.strictEqual(yield* outcomeOf(yield* issuer.mint({ claims: { iss: undefined } })), "unknown-issuer")
      assert.deepStrictEqual(yield* issuer.requests, [])
    }))
})

/** Three issuers with the same key ids. The verifier trusts the first two. */
const severalIssuers = Effect.gen(function*() {
  const { issuers, keys } = yield* support.severalIssuers("https://one.test", "https://two.test", "https://three.test")
  type Issuer = typeof issuers[number]
  const [one, two, three] = issuers as [Issuer, Issuer, Issuer]
  const { outcomeOf } = yield* Effect.provideService(
    support.verifierOf([one.server, two.server]),
    JwkSet.JwkSet,
    keys
  )
  return { outcomeOf, one, two, three }
})

describe("the subject and the client", () => {
  it.effect.each<Row>([
    { title: "JWT-05 sub missing: 401", claims: { sub: undefined }, is: "subject" },
    { title: "JWT-05 sub a number: 401", claims: { sub: 1 }, is: "subject" },
    { title: "JWT-05 sub an empty string: 401", claims: { sub: "" }, is: "subject" },
    { title: "sub null", claims: { sub: null }, is: "subject" },
    { title: "sub a list", claims: { sub: ["alice"] }, is: "subject" },
    { title: "sub with NUL", claims: { sub: "alice\0" }, is: "subject" },
    { title: "sub with a line break", claims: { sub: "alice\nadmin" }, is: "subject" },
    { title: "sub with DEL", claims: { sub: "alice\u007f" }, is: "subject" },
    { title: "sub beyond ASCII", claims: { sub: "Zoë 🦊" }, is: "accepted" },
    {
      title: "JWT-06 client_id missing: accepted, RFC 9068 §2.2 is not enforced here",
      claims: { client_id: undefined, scope: "a" },
      is: "accepted"
    },
    { title: "JWT-08 client_id a number: 401", claims: { client_id: 1 }, is: "client-id" },
    { title: "JWT-08 client_id a list: 401", claims: { client_id: ["client-1"] }, is: "client-id" },
    { title: "client_id null", claims: { client_id: null }, is: "client-id" },
    { title: "client_id empty", claims: { client_id: "" }, is: "client-id" },
    {
      title: "client_id a number together with a good azp",
      claims: { client_id: 1, azp: "client-1" },
      is: "client-id"
    },
    { title: "azp a number", claims: { client_id: undefined, azp: 1 }, is: "client-id" },
    { title: "JWT-10 jti missing: accepted, no check uses it", claims: { jti: undefined }, is: "accepted" },
    { title: "JWT-10 jti a boolean: accepted, no check uses it", claims: { jti: true }, is: "accepted" },
    {
      title: "cnf with a thumbprint",
      claims: { cnf: { jkt: "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" } },
      is: "bound-to-key"
    },
    {
      title: "cnf with a certificate",
      claims: { cnf: { "x5t#S256": "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2" } },
      is: "bound-to-key"
    },
    { title: "cnf empty", claims: { cnf: {} }, is: "bound-to-key" },
    { title: "cnf null", claims: { cnf: null }, is: "bound-to-key" }
  ])("$title", expectOutcome())

  it.effect.each([
    { claims: { client_id: "1", azp: "2", cid: "3", appid: "4" }, is: "1" },
    { claims: { client_id: undefined, azp: "2", cid: "3", appid: "4" }, is: "2" },
    { claims: { client_id: undefined, azp: undefined, cid: "3", appid: "4" }, is: "3" },
    { claims: { client_id: undefined, azp: undefined, cid: undefined, appid: "4" }, is: "4" },
    { claims: { client_id: undefined }, is: undefined }
  ])("reads the client of %j", ({ claims, is }) =>
    Effect.gen(function*() {
      const { issuer, verify } = yield* support.verifier()
      assert.strictEqual((yield* verify(yield* issuer.mint({ claims }))).clientId, is)
    }))
})

describe("the scopes", () => {
  it.effect.each([
    { title: "scope", claims: { scope: "a b" }, is: ["a", "b"] },
    { title: "scope with runs of spaces and repetitions", claims: { scope: " a  b a " }, is: ["a", "b"] },
    { title: "scope empty, together with scp", claims: { scope: "", scp: ["a"] }, is: [] },
    { title: "scope together with scp", claims: { scope: "a", scp: ["b"] }, is: ["a"] },
    { title: "scope with parts that are not scope tokens", claims: { scope: "ä \"c\" d\\e f" }, is: ["f"] },
    { title: "SCOPE-02 scope as a list of strings", claims: { scope: ["a", "b"] }, is: ["a", "b"] },
    { title: "scope as an empty list, together with scp", claims: { scope: [], scp: ["a"] }, is: [] },
    { title: "scope as a list, repeated entries", claims: { scope: ["b", "a", "b"] }, is: ["b", "a"] },
    {
      title: "scope as a list, entries that are not scope tokens",
      claims: { scope: ["a b", "", "\"c\"", "d"] },
      is: ["d"]
    },
    { title: "scp as a string", claims: { scp: "a b" }, is: ["a", "b"] },
    { title: "scp as a list", claims: { scp: ["a", "b"] }, is: ["a", "b"] },
    { title: "scp as a list, an entry with a space", claims: { scp: ["a b", "c"] }, is: ["c"] },
    { title: "neither", claims: {}, is: [] },
    { title: "roles and permissions", claims: { roles: ["a"], permissions: ["b"], scopes: ["c"] }, is: [] }
  ])("reads the scopes from $title", ({ claims, is }) =>
    Effect.gen(function*() {
      const { issuer, verify } = yield* support.verifier()
      assert.deepStrictEqual([...(yield* verify(yield* issuer.mint({ claims }))).granted], is)
    }))

  it.effect.each<Row>([
    { title: "scope a list with a number", claims: { scope: ["a", 1] }, is: "scope" },
    { title: "scope a list with null", claims: { scope: ["a", null] }, is: "scope" },
    { title: "scope a list with a list", claims: { scope: ["a", ["b"]] }, is: "scope" },
    { title: "scope a list with an object", claims: { scope: [{ a: true }] }, is: "scope" },
    { title: "scope a list with a control character", claims: { scope: ["a", "b\u0000"] }, is: "scope" },
    { title: "scope a string with a tab", claims: { scope: "a\tb" }, is: "scope" },
    { title: "scope a string with a line break", claims: { scope: "a b\n" }, is: "scope" },
    { title: "scope an object", claims: { scope: { a: true } }, is: "scope" },
    { title: "scope true", claims: { scope: true }, is: "scope" },
    { title: "scope a number", claims: { scope: 1 }, is: "scope" },
    { title: "scope null together with scp", claims: { scope: null, scp: ["a"] }, is: "scope" },
    { title: "scp a number", claims: { scp: 1 }, is: "scope" },
    { title: "scp null", claims: { scp: null }, is: "scope" },
    { title: "scp a list with a number", claims: { scp: ["a", 1] }, is: "scope" },
    { title: "scp a list with a control character", claims: { scp: ["a", "b\u007f"] }, is: "scope" },
    { title: "scp an object", claims: { scp: { a: true } }, is: "scope" }
  ])("$title: 401", expectOutcome())
})

describe("the times", () => {
  it.effect.each<Row>([
    { title: "JWT-15 exp in the past: 401", claims: { exp: now - 1 }, is: "expired" },
    { title: "exp now", claims: { exp: now }, is: "expired" },
    { title: "exp in half a second", claims: { exp: now + 0.5 }, is: "accepted" },
    { title: "exp in a second", claims: { exp: now + 1 }, is: "accepted" },
    { title: "exp missing", claims: { exp: undefined }, is: "expiry" },
    { title: "exp null", claims: { exp: null }, is: "expiry" },
    { title: "exp a string", claims: { exp: String(now + 300) }, is: "expiry" },
    { title: "exp a list", claims: { exp: [now + 300] }, is: "expiry" },
    { title: "exp true", claims: { exp: true }, is: "expiry" },
    { title: "exp zero", claims: { exp: 0 }, is: "expired" },
    { title: "exp negative", claims: { exp: -1 }, is: "expired" },
    { title: "exp beyond every date", claims: { exp: 1e300 }, is: "expiry" },
    { title: "exp in milliseconds, in the past", claims: { exp: (now - 60) * 1000 }, is: "expiry" },
    { title: "exp in the year 9999", claims: { exp: 253_402_300_799 }, is: "accepted" },
    { title: "exp in milliseconds", claims: { exp: (now + 300) * 1000 }, is: "expiry" },
    {
      title: "JWT-11 iat missing: accepted, RFC 9068 §2.2 is not enforced here",
      claims: { iat: undefined },
      is: "accepted"
    },
    { title: "JWT-13 iat in the future within the tolerance: accepted", claims: { iat: now + 30 }, is: "accepted" },
    {
      title: "JWT-13 iat in the future beyond the tolerance: 401",
      claims: { iat: now + 31 },
      is: "issued-in-the-future"
    },
    { title: "iat a string", claims: { iat: "now" }, is: "issued-in-the-future" },
    { title: "iat null", claims: { iat: null }, is: "issued-in-the-future" },
    { title: "iat long ago", claims: { iat: 1 }, is: "accepted" },
    { title: "JWT-18 nbf in the future: 401", claims: { nbf: now + 31 }, is: "not-yet-valid" },
    { title: "JWT-18 nbf inside the tolerance: accepted", claims: { nbf: now + 30 }, is: "accepted" },
    { title: "JWT-19 nbf a boolean: 401", claims: { nbf: false }, is: "not-yet-valid" },
    { title: "nbf a string", claims: { nbf: "0" }, is: "not-yet-valid" },
    { title: "nbf null", claims: { nbf: null }, is: "not-yet-valid" },
    { title: "nbf in the past", claims: { nbf: now - 1 }, is: "accepted" }
  ])("$title", expectOutcome())

  it.effect.each([
    { title: "exp 1e400, which JSON reads as infinite", claims: jsonWith(`"exp":1e400`, "exp"), is: "expiry" },
    { title: "exp -1e400", claims: jsonWith(`"exp":-1e400`, "exp"), is: "expiry" },
    { title: "nbf -1e400", claims: jsonWith(`"nbf":-1e400`, "nbf"), is: "not-yet-valid" },
    { title: "iat -1e400", claims: jsonWith(`"iat":-1e400`, "iat"), is: "issued-in-the-future" },
    { title: "exp twice, the last one past", claims: jsonWith(`"exp":1`, ""), is: "expired" }
  ])("$title: $is", expectOutcomeOfSegments)

  it.effect.each<Row>([
    { title: "JWT-16 exp in the past by less than the tolerance: accepted", claims: { exp: now - 59 }, is: "accepted" },
    { title: "JWT-16 exp in the past by the tolerance: 401", claims: { exp: now - 60 }, is: "expired" },
    {
      title: "JWT-16 exp in the past by one second more than the tolerance: 401",
      claims: { exp: now - 61 },
      is: "expired"
    },
    { title: "nbf at the tolerance", claims: { nbf: now + 60 }, is: "accepted" },
    { title: "nbf beyond the tolerance", claims: { nbf: now + 61 }, is: "not-yet-valid" },
    { title: "iat at the tolerance", claims: { iat: now + 60 }, is: "accepted" },
    { title: "iat beyond the tolerance", claims: { iat: now + 61 }, is: "issued-in-the-future" }
  ])("$title (tolerance 60 s)", expectOutcome({ clockTolerance: 60 }))

  it.effect.each<Row>([
    { title: "exp now", claims: { exp: now }, is: "expired" },
    { title: "nbf in a second", claims: { nbf: now + 1 }, is: "not-yet-valid" },
    { title: "iat in a second", claims: { iat: now + 1 }, is: "issued-in-the-future" }
  ])("$title (tolerance 0): $is", expectOutcome({ clockTolerance: 0 }))

  it.effect("rejects a token from the second of its expiry", () =>
    Effect.gen(function*() {
      const { issuer, outcomeOf } = yield* support.verifier()
      const token = yield* issuer.mint({ expiresIn: "1 minute" })
      assert.strictEqual(yield* outcomeOf(token), "accepted")
      yield* TestClock.adjust("59 seconds")
      assert.strictEqual(yield* outcomeOf(token), "accepted")
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* outcomeOf(token), "expired")
    }))
})

describe("the audience", () => {
  it.effect.each<Row>([
    {
      title: "JWT-21 aud a list without the resource: 401",
      claims: { aud: ["https://other.test", "x"] },
      is: "audience"
    },
    {
      title: "JWT-22 aud a list with the resource among others: accepted",
      claims: { aud: ["x", resource] },
      is: "accepted"
    },
    { title: "aud missing", claims: { aud: undefined }, is: "audience" },
    { title: "aud empty", claims: { aud: "" }, is: "audience" },
    { title: "aud an empty list", claims: { aud: [] }, is: "audience" },
    { title: "aud null", claims: { aud: null }, is: "audience" },
    { title: "aud a number", claims: { aud: 1 }, is: "audience" },
    { title: "aud with a final slash", claims: { aud: `${resource}/` }, is: "audience" },
    { title: "aud a part of the resource", claims: { aud: "https://server.test" }, is: "audience" },
    { title: "aud longer than the resource", claims: { aud: `${resource}x` }, is: "audience" },
    { title: "aud in capitals", claims: { aud: resource.toUpperCase() }, is: "audience" },
    { title: "aud a list in a list", claims: { aud: [[resource]] }, is: "audience" },
    { title: "aud a list with the resource and a number", claims: { aud: [resource, 1] }, is: "audience" },
    { title: "aud an object", claims: { aud: { 0: resource, length: 1 } }, is: "audience" },
    { title: "aud a list written as a string", claims: { aud: `${resource} https://other.test` }, is: "audience" },
    { title: "aud the client", claims: { aud: "client-1" }, is: "audience" },
    { title: "resource instead of aud", claims: { aud: undefined, resource }, is: "audience" }
  ])("$title", expectOutcome())

  it.effect.each<Row>([
    {
      title: "JWT-24 several audiences configured, token has one of them: accepted",
      claims: { aud: "api://b" },
      is: "accepted"
    },
    {
      title: "JWT-24 several audiences configured, token has none of them: 401",
      claims: { aud: "api://c" },
      is: "audience"
    },
    {
      title: "JWT-24 several audiences configured, without the resource: 401",
      claims: { aud: resource },
      is: "audience"
    }
  ])("$title", expectOutcome({ audience: Audience.oneOf(["api://a", "api://b"]) }))

  it.effect.each<Row>([
    { title: "the client, no aud", claims: { aud: undefined }, is: "accepted" },
    {
      title: "the client by azp, no aud",
      claims: { aud: undefined, client_id: undefined, azp: "client-1", scope: "a" },
      is: "accepted"
    },
    { title: "the client, aud of another resource", claims: { aud: "https://other.test" }, is: "audience" },
    { title: "another client, no aud", claims: { aud: undefined, client_id: "client-2" }, is: "audience" },
    { title: "no client, no aud", claims: { aud: undefined, client_id: undefined, scope: "a" }, is: "audience" }
  ])("clientIds, $title: $is", expectOutcome({ audience: Audience.clientIds(["client-1"]) }))
})

describe("the type of the token", () => {
  it.effect.each<Row>([
    { title: "JWT-27 typ at+jwt: accepted", header: { typ: "at+jwt" }, is: "accepted" },
    { title: "JWT-27 typ AT+JWT: accepted", header: { typ: "AT+JWT" }, is: "accepted" },
    { title: "JWT-27 typ application/at+jwt: accepted", header: { typ: "application/at+jwt" }, is: "accepted" },
    { title: "typ JWT with a mark of an access token", header: { typ: "JWT" }, is: "accepted" },
    { title: "no typ with a mark of an access token", header: { typ: undefined }, is: "accepted" },
    { title: "typ of an ID token", header: { typ: "JWT" }, claims: { nonce: "n" }, is: "id-token" },
    { title: "typ of a logout token", header: { typ: "logout+jwt" }, is: "token-type" },
    { title: "typ of a DPoP proof", header: { typ: "dpop+jwt" }, is: "token-type" },
    { title: "typ a list", header: { typ: ["at+jwt"] }, is: "token-type" },
    { title: "typ null", header: { typ: null }, is: "token-type" }
  ])("$title", expectOutcome())

  it.effect.each<Row>([
    { title: "typ at+jwt", is: "accepted" },
    { title: "typ JWT", header: { typ: "JWT" }, is: "token-type" },
    { title: "no typ", header: { typ: undefined }, is: "token-type" }
  ])("strict, $title: $is", expectOutcome({ tokenType: TokenType.strict }))
})

describe("the header", () => {
  it.effect.each([
    { title: "ALG-01 alg none: 401", alg: "none" },
    { title: "ALG-01 alg None: 401", alg: "None" },
    { title: "ALG-01 alg NONE: 401", alg: "NONE" },
    { title: "JWT-30 header without alg: 401", alg: undefined },
    { title: "alg a list", alg: ["ES256"] },
    { title: "alg in small letters", alg: "es256" },
    { title: "alg of the secp256k1 curve", alg: "ES256K" },
    { title: "alg toString, which every object has", alg: "toString" },
    { title: "alg of an encryption", alg: "RSA-OAEP" }
  ])("$title", ({ alg }) =>
    Effect.gen(function*() {
      const { issuer, outcomeOf } = yield* support.verifier()
      const header = segment({ ...goodHeader, alg })
      const claims = segment(goodClaims)
      assert.strictEqual(yield* outcomeOf(`${header}.${claims}.`), "algorithm")
      assert.strictEqual(yield* outcomeOf(yield* issuer.signSegments(header, claims)), "algorithm")
      assert.deepStrictEqual(yield* issuer.requests, [])
    }))

  it.effect.each(["HS256", "HS384", "HS512"])(
    "ALG-03 token signed %s with the public key as the secret: 401",
    (alg) =>
      Effect.gen(function*() {
        const { issuer, outcomeOf } = yield* support.verifier()
        for (const kind of ["hmac-with-public-key", "hmac-with-number"] as const) {
          assert.strictEqual(yield* outcomeOf(yield* issuer.mintBroken(kind, { header: { alg } })), "algorithm")
        }
        assert.deepStrictEqual(yield* issuer.requests, [])
      })
  )

  it.effect.each(["EdDSA", "Ed25519"] as const)(
    "ALG-04 Ed25519 key, token alg %s: accepted, both names",
    (algorithm) =>
      Effect.gen(function*() {
        const { issuer, outcomeOf } = yield* support.verifier({
          issuer: { algorithm },
          server: { algorithms: ["EdDSA"] }
        })
        assert.strictEqual(yield* outcomeOf(yield* issuer.mint()), "accepted")
        // The key names one identifier of the algorithm, and the token names the other.
        const alg = algorithm === "EdDSA" ? "Ed25519" : "EdDSA"
        assert.strictEqual(yield* outcomeOf(yield* issuer.mint({ header: { alg } })), "accepted")
      })
  )

  it.effect("ALG-04 Ed25519 key, algorithm not enabled: 401", () =>
    Effect.gen(function*() {
      const { issuer, outcomeOf } = yield* support.verifier({
        issuer: { algorithm: "Ed25519" },
        server: { algorithms: ["ES256", "RS256"] }
      })
      assert.strictEqual(yield* outcomeOf(yield* issuer.mint()), "algorithm")
      assert.deepStrictEqual(yield* issuer.requests, [])
    }))

  it.effect("ALG-05 ES256 signature in DER form: 401", () =>
    Effect.gen(function*() {
      const { issuer, outcomeOf } = yield* support.verifier()
      assert.strictEqual(yield* outcomeOf(yield* issuer.mint()), "accepted")
      assert.strictEqual(yield* outcomeOf(yield* issuer.mintBroken("signature-der")), "signature")
    }))

  it.effect("rejects a signature of zeros", () =>
    Effect.gen(function*() {
      const { outcomeOf } = yield* support.verifier()
      assert.strictEqual(
        yield* outcomeOf(`${segment(goodHeader)}.${segment(goodClaims)}.${segment(new Uint8Array(64))}`),
        "signature"
      )
    }))

  it.effect.each([
    { title: "JWT-35 crit lists an unknown parameter: 401", header: { crit: ["cat"], cat: 1 } },
    { title: "JWT-35 crit lists toString, which every object has: 401", header: { crit: ["toString"] } },
    { title: "JWT-35 crit is []: 401", header: { crit: [] } },
    { title: "JWT-35 crit is a string: 401", header: { crit: "exp", exp: 1 } },
    { title: "crit is null", header: { crit: null } },
    { title: "crit lists a standard parameter", header: { crit: ["alg"] } },
    { title: "JWT-36 b64 false with crit [b64]: 401", header: { crit: ["b64"], b64: false } },
    { title: "b64 true with crit [b64]", header: { crit: ["b64"], b64: true } },
    { title: "b64 false without crit", header: { b64: false } },
    { title: "zip", header: { zip: "DEF" } },
    { title: "enc", header: { enc: "A128GCM" } }
  ])(
    "$title",
    ({ header }) => expectOutcomeOfSegments({ title: "", header: { ...goodHeader, ...header }, is: "critical-header" })
  )

  it.effect.each([
    { title: "alg twice, the last one none", header: `{"alg":"ES256","typ":"at+jwt","alg":"none"}`, is: "algorithm" },
    { title: "alg twice, the last one good", header: `{"alg":"none","typ":"at+jwt","alg":"ES256"}`, is: "accepted" },
    {
      title: "crit in __proto__ only",
      header: `{"alg":"ES256","typ":"at+jwt","__proto__":{"crit":["x"]}}`,
      is: "accepted"
    },
    { title: "alg in __proto__ only", header: `{"typ":"at+jwt","__proto__":{"alg":"ES256"}}`, is: "algorithm" },
    { title: "typ in __proto__ only", header: `{"alg":"ES256","__proto__":{"typ":"x"}}`, is: "accepted" },
    { title: "a header that is a list", header: `["ES256"]`, is: "malformed" },
    { title: "a header that is null", header: "null", is: "malformed" },
    { title: "an empty header", header: "", is: "malformed" },
    { title: "a header with a byte order mark", header: `\ufeff${JSON.stringify(goodHeader)}`, is: "malformed" }
  ])("$title: $is", expectOutcomeOfSegments)

  it.effect.each<Row>([
    { title: "kid a number", header: { kid: 1 }, is: "malformed" },
    { title: "kid null", header: { kid: null }, is: "malformed" },
    { title: "kid a list", header: { kid: ["key-1"] }, is: "malformed" },
    { title: "kid empty", header: { kid: "" }, is: "unknown-key" },
    { title: "kid as a path", header: { kid: "../../dev/null" }, is: "unknown-key" },
    { title: "kid __proto__", header: { kid: "__proto__" }, is: "unknown-key" }
  ])("$title: $is", expectOutcome())

  it.effect("does not use a key in the header, or a place to fetch one", () =>
    Effect.gen(function*() {
      const { issuer, outcomeOf } = yield* support.verifier()
      const { issuer: forger } = yield* TestIssuer.make()
      const { publicJwk } = yield* forger.currentKey
      for (
        const header of [
          { jwk: publicJwk },
          { jwk: publicJwk, kid: undefined },
          { jku: "https://forger.test/jwks" },
          { x5u: "https://forger.test/chain" },
          { x5c: ["MIIB"] }
        ]
      ) {
        assert.strictEqual(yield* outcomeOf(yield* forger.mint({ header })), "signature")
      }
      // A token without a `kid` may have been signed with a key that is not cached yet, so it causes a second fetch of keys.
      const expected = ["/.well-known/oauth-authorization-server", "/jwks", "/jwks"]
      assert.deepStrictEqual(yield* support.requestedUrls(issuer), expected)
    }))
})

describe("the signature", () => {
  it.effect("JWT-32 signed with another key of the same type: 401", () =>
    Effect.gen(function*() {
      const { outcomeOf } = yield* support.verifier()
      const { issuer: forger } = yield* TestIssuer.make()
      assert.strictEqual(yield* outcomeOf(yield* forger.mint()), "signature")
    }))

  it.effect.each<Row>([
    {
      title: "JWT-33 expired token with a wrong signature: rejected for the signature",
      claims: { exp: 1 },
      is: "signature"
    },
    { title: "another audience and a wrong signature", claims: { aud: "x" }, is: "signature" },
    { title: "no subject and a wrong signature", claims: { sub: undefined }, is: "signature" },
    {
      title: "typ of an ID token and a wrong signature",
      header: { typ: "JWT" },
      claims: { nonce: "n" },
      is: "signature"
    }
  ])("$title", ({ claims, header, is }) =>
    Effect.gen(function*() {
      const { outcomeOf } = yield* support.verifier()
      const { issuer: forger } = yield* TestIssuer.make()
      assert.strictEqual(yield* outcomeOf(yield* forger.mint({ claims, header })), is)
    }))

  it.effect("rejects a good signature over other claims", () =>
    Effect.gen(function*() {
      const { issuer, outcomeOf } = yield* support.verifier()
      const [header, , signature] = (yield* issuer.mint()).split(".")
      assert.strictEqual(
        yield* outcomeOf(`${header}.${segment({ ...goodClaims, sub: "admin" })}.${signature}`),
        "signature"
      )
    }))

  it.effect("rejects a token without a signature", () =>
    Effect.gen(function*() {
      const { issuer, outcomeOf } = yield* support.verifier()
      const [header, claims] = (yield* issuer.mint()).split(".")
      assert.strictEqual(yield* outcomeOf(`${header}.${claims}.`), "signature")
      assert.strictEqual(yield* outcomeOf(`${header}.${claims}`), "malformed")
    }))
})

describe("the form", () => {
  const utf8 = (text: string) => new TextEncoder().encode(text)

  it.effect.each([
    { title: "JWT-38 claims set that is a list: 401", claims: "[]", is: "malformed" },
    { title: "JWT-38 claims set that is a list of claims: 401", claims: `[${json}]`, is: "malformed" },
    { title: "JWT-38 claims set that is a string: 401", claims: `"claims"`, is: "malformed" },
    { title: "JWT-38 claims set that is null: 401", claims: "null", is: "malformed" },
    { title: "claims set that is a number", claims: "1", is: "malformed" },
    { title: "claims set that is empty", claims: "", is: "malformed" },
    { title: "claims set that is cut off", claims: json.slice(0, -1), is: "malformed" },
    { title: "claims set with something after it", claims: `${json}x`, is: "malformed" },
    { title: "claims set with a byte order mark", claims: `\ufeff${json}`, is: "malformed" },
    {
      title: "JWT-39 claims set with invalid UTF-8: 401",
      claims: new Uint8Array([...utf8(`{"x":"`), 0xff, ...utf8(`",${json.slice(1)}`)]),
      is: "malformed"
    },
    {
      title: "JWT-39 claims set with overlong UTF-8: 401",
      claims: new Uint8Array([...utf8(`{"x":"`), 0xc0, 0x80, ...utf8(`",${json.slice(1)}`)]),
      is: "malformed"
    },
    {
      title: "claims set nested to the limit",
      claims: jsonWith(`"x":${"[".repeat(31)}${"]".repeat(31)}`, ""),
      is: "accepted"
    },
    {
      title: "claims set nested beyond the limit",
      claims: jsonWith(`"x":${"[".repeat(32)}${"]".repeat(32)}`, ""),
      is: "malformed"
    },
    {
      title: "claims set nested deeply",
      claims: jsonWith(`"x":${"[".repeat(4000)}${"]".repeat(4000)}`, ""),
      is: "malformed"
    }
  ])("$title", expectOutcomeOfSegments)

  it.effect.each([
    { title: "an empty string", token: "" },
    { title: "one part", token: "a" },
    { title: "two parts", token: "a.b" },
    { title: "dots only", token: ".." },
    { title: "five empty parts", token: "...." },
    { title: "a header of !!!notbase64!!!", token: `!!!notbase64!!!.${segment(goodClaims)}.AAAA` },
    { title: "a header of ~~~", token: `~~~.${segment(goodClaims)}.AAAA` },
    { title: "claims of ~~~", token: `${segment(goodHeader)}.~~~.AAAA` },
    { title: "a signature of ~~~", token: `${segment(goodHeader)}.${segment(goodClaims)}.~~~` },
    { title: "a header that is not JSON", token: `${segment("not json")}.${segment(goodClaims)}.AAAA` },
    { title: "an opaque token", token: "mF_9.B5f-4.1JqM" },
    { title: "NUL", token: "\0.\0.\0" },
    { title: "beyond ASCII", token: "é.ü.ñ" },
    { title: "a lone surrogate", token: "\ud800.\udc00.\ud800" }
  ])("$title: malformed", ({ token }) =>
    Effect.gen(function*() {
      const { issuer, outcomeOf } = yield* support.verifier()
      assert.strictEqual(yield* outcomeOf(token), "malformed")
      assert.deepStrictEqual(yield* issuer.requests, [])
    }))

  it.effect("rejects an encrypted token of five parts without reading it", () =>
    Effect.gen(function*() {
      const { issuer, outcomeOf } = yield* support.verifier()
      const token = yield* issuer.mint()
      assert.strictEqual(yield* outcomeOf(`${token}.AAAA.AAAA`), "malformed")
      assert.strictEqual(yield* outcomeOf(`${token}.AAAA`), "malformed")
      assert.strictEqual(yield* outcomeOf(`${token}.`), "malformed")
      assert.strictEqual(yield* outcomeOf(`.${token}`), "malformed")
    }))

  it.effect("reads 16 KiB, and rejects one character more", () =>
    Effect.gen(function*() {
      const { issuer, outcomeOf } = yield* support.verifier()
      const bare = (yield* issuer.mint({ claims: { pad: "" } })).length
      // In base64url, four characters contain three bytes.
      const room = Math.floor((16_384 - bare) / 4) * 3
      const largest = yield* issuer.mint({ claims: { pad: "x".repeat(room) } })
      assert.isAtMost(largest.length, 16_384)
      assert.strictEqual(yield* outcomeOf(largest), "accepted")
      const tooLarge = yield* issuer.mint({ claims: { pad: "x".repeat(room + 4) } })
      assert.isAbove(tooLarge.length, 16_384)
      assert.strictEqual(yield* outcomeOf(tooLarge), "too-large")
      assert.strictEqual(yield* outcomeOf("a".repeat(16_385)), "too-large")
      assert.strictEqual(yield* outcomeOf("a".repeat(16_384)), "malformed")
    }))

  describe("the only accepted spelling", () => {
    const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

    /** Returns another base64url text of the same bytes, in which an unused bit of the last character differs. */
    const respelled = (text: string): string => {
      const other = `${text.slice(0, -1)}${alphabet[alphabet.indexOf(text.at(-1)!) ^ 1]!}`
      assert.deepStrictEqual(Buffer.from(other, "base64url"), Buffer.from(text, "base64url"))
      return other
    }

    /** Returns a segment whose last character has unused bits. */
    const withUnusedBits = (content: Readonly<Record<string, unknown>>, pad = ""): string => {
      const text = segment({ ...content, pad })
      return text.length % 4 === 0 ? withUnusedBits(content, `${pad}x`) : text
    }

    it.effect("has no unused bits set in the signature", () =>
      Effect.gen(function*() {
        const { issuer, outcomeOf } = yield* support.verifier()
        const token = yield* issuer.mint()
        const [header, claims, signature] = token.split(".") as [string, string, string]
        assert.strictEqual(yield* outcomeOf(token), "accepted")
        assert.strictEqual(yield* outcomeOf(`${header}.${claims}.${respelled(signature)}`), "malformed")
      }))

    it.effect("has no unused bits set in signed header and claims", () =>
      Effect.gen(function*() {
        const { issuer, outcomeOf } = yield* support.verifier()
        const header = withUnusedBits(goodHeader)
        const claims = withUnusedBits(goodClaims)
        assert.strictEqual(yield* outcomeOf(yield* issuer.signSegments(header, claims)), "accepted")
        assert.strictEqual(yield* outcomeOf(yield* issuer.signSegments(respelled(header), claims)), "malformed")
        assert.strictEqual(yield* outcomeOf(yield* issuer.signSegments(header, respelled(claims))), "malformed")
      }))

    it.effect("has no padding, other alphabet or white space", () =>
      Effect.gen(function*() {
        const { issuer, outcomeOf } = yield* support.verifier()
        const token = yield* issuer.mint()
        const header = withUnusedBits(goodHeader)
        const claims = withUnusedBits({ ...goodClaims, x: "\u00bf\u00be?~" })
        for (
          const other of [
            `${token}=`,
            `${token}==`,
            ` ${token}`,
            `${token}\n`,
            token.replace(".", ".\n"),
            token.replace(".", ". "),
            yield* issuer.signSegments(`${header}==`.slice(0, header.length + 4 - header.length % 4), claims),
            yield* issuer.signSegments(header, Buffer.from(claims, "base64url").toString("base64")),
            yield* issuer.signSegments(header, `${claims}\n`)
          ]
        ) {
          assert.strictEqual(yield* outcomeOf(other), "malformed", other)
        }
      }))
  })
})

/** A verifier and a token that all runs of a property share. */
class Signed extends Context.Service<Signed, {
  readonly issuer: TestIssuer.TestIssuer["Service"]
  readonly outcomeOf: support.OutcomeOf
  readonly token: string
}>()("test/Signed") {
  static readonly layer = Layer.effect(
    Signed,
    Effect.gen(function*() {
      const { issuer, outcomeOf } = yield* support.verifier()
      return { issuer, outcomeOf, token: yield* issuer.mint({ scopes: ["todos:read"] }) }
    })
  )
}

layer(Signed.layer)("properties", (it) => {
  const characters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~+/= \0é"
  const upTo = (maximum: number) => Schema.Int.check(Schema.isBetween({ minimum: 0, maximum }))

  it.effect.prop(
    "rejects a signed token with any one character changed",
    {
      at: upTo(100_000),
      character: upTo(characters.length - 1),
      kind: Schema.Literals(["replace", "insert", "remove"])
    },
    ({ at, character, kind }) =>
      Effect.gen(function*() {
        const { outcomeOf, token } = yield* Signed
        const place = at % token.length
        const inserted = kind === "remove" ? "" : characters[character]!
        const changed = token.slice(0, place) + inserted + token.slice(kind === "insert" ? place : place + 1)
        const answer = yield* outcomeOf(changed)
        assert.strictEqual(answer === "accepted", changed === token, changed)
      }),
    { arbitrary: { runs: 1500, size: 100_000 } }
  )

  const Text = Arbitrary.schema(Schema.String)
  // These texts consist of base64url segments and dots, so that they reach more than the first check.
  const Compact = Arbitrary.map(
    Arbitrary.array(Arbitrary.schema(Schema.Json), { maxLength: 4 }),
    (parts) => parts.map((part) => segment(JSON.stringify(part))).join(".")
  )
  const Dressed = Arbitrary.map(
    Arbitrary.all({ header: Arbitrary.schema(Schema.Json), claims: Arbitrary.schema(Schema.Json), signature: Text }),
    ({ claims, header, signature }) =>
      [
        segment({ ...goodHeader, ...(header as object) }),
        segment({ ...goodClaims, ...(claims as object) }),
        segment(signature)
      ].join(".")
  )

  it.effect.prop(
    "any text as a token has a result",
    { text: Text, compact: Compact, dressed: Dressed },
    ({ compact, dressed, text }) =>
      Effect.gen(function*() {
        const { outcomeOf } = yield* Signed
        for (const token of [text, compact, dressed]) assert.notStrictEqual(yield* outcomeOf(token), "accepted")
      }),
    { arbitrary: { runs: 300, size: 100 } }
  )

  const Claims = Schema.Record(
    Schema.Literals([
      "iss",
      "sub",
      "aud",
      "exp",
      "nbf",
      "iat",
      "client_id",
      "azp",
      "scope",
      "scp",
      "cnf",
      "typ",
      "nonce"
    ]),
    Schema.Json
  )

  it.effect.prop(
    "any correctly signed claims have a result",
    { claims: Claims },
    ({ claims }) =>
      Effect.gen(function*() {
        const { issuer, outcomeOf } = yield* Signed
        const token = yield* issuer.signSegments(segment(goodHeader), segment({ ...goodClaims, ...claims }))
        assert.isString(yield* outcomeOf(token))
      }),
    { arbitrary: { runs: 200 } }
  )
})
