import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted, Schema } from "effect"
import { AuthError, Principal, TokenVerifier } from "effect-mcp-auth"
import { Introspection } from "effect-mcp-auth/introspection"
import { TestIssuer } from "effect-mcp-auth/testing"
import { secret, start, world } from "./introspection/answers.ts"

const credentials = (token: string) => ({ scheme: "Bearer", token: Redacted.make(token) }) as const
const segment = TestIssuer.encodeSegment
const jwt = (claims: unknown) => `${segment({ alg: "ES256" })}.${segment(claims)}.AAAA`

/** A verifier that returns principals with `name` as their issuer, so that a test sees which verifier was chosen. */
const named = (name: string) =>
  TokenVerifier.make(({ token }) =>
    Effect.succeed(Principal.of({
      issuer: name,
      subject: "alice",
      clientId: undefined,
      scopes: new Set(),
      granted: new Set(),
      roles: new Set(),
      audience: [],
      expiresAt: start + 300,
      claims: {},
      token: token as Redacted.Redacted<any>,
      owner: "alice",
      key: `${name} alice`
    }))
  )

const chosen = <E>(verifier: TokenVerifier.Verifier<E>, token: string) =>
  verifier.verify(credentials(token)).pipe(
    Effect.map((_) => _.principal.issuer),
    Effect.catch((error) => Effect.succeed(error instanceof AuthError.InvalidToken ? error.reason : error))
  )

describe("the shape of a token selects its verifier", () => {
  const both = TokenVerifier.byShape({ jwt: named("jwt"), opaque: named("opaque") })
  it.effect.each<readonly [token: string, verifier: string]>([
    [jwt({}), "jwt"],
    [`${btoa("{ \"alg\": 1}")}.x.y`, "jwt"],
    ["eyJhbGciOiJub25lIn0..", "jwt"],
    ["ey.not.base64", "jwt"],
    ["eyJ", "opaque"],
    ["eyJ.a", "opaque"],
    ["eyJhbGciOiJSU0EtT0FFUCJ9.a.b.c.d", "opaque"],
    ["a.b.c", "opaque"],
    ["eaJ.b.c", "opaque"],
    ["ory_at_x.y", "opaque"],
    ["", "opaque"]
  ])("T-INTR-06 %s: %s", ([token, verifier]) =>
    Effect.gen(function*() {
      assert.strictEqual(yield* chosen(both, token), verifier)
    }))

  it.effect.prop(
    "selects the verifier by the documented rule, the same one each time",
    { parts: Schema.Array(Schema.String), brace: Schema.Boolean },
    ({ brace, parts }) =>
      Effect.gen(function*() {
        const token = [...(brace ? [segment({ alg: "x" })] : []), ...parts].join(".")
        const expected = /^e[w-z]/.test(token) && token.split(".").length === 3 ? "jwt" : "opaque"
        assert.strictEqual(yield* chosen(both, token), expected)
        assert.strictEqual(TokenVerifier.isJwt(token), expected === "jwt")
      })
  )
})

describe("byIssuer", () => {
  const verifier = TokenVerifier.byIssuer({ "https://a.test": named("a"), "https://b.test": named("b") })
  it.effect.each<readonly [string, string, string]>([
    ["names its issuer", jwt({ iss: "https://a.test" }), "a"],
    ["names another issuer", jwt({ iss: "https://b.test" }), "b"],
    ["names an unknown issuer", jwt({ iss: "https://c.test" }), "unknown-issuer"],
    ["names a member of every object", jwt({ iss: "constructor" }), "unknown-issuer"],
    ["names no issuer", jwt({}), "malformed"],
    ["names a list", jwt({ iss: ["https://a.test"] }), "malformed"],
    [
      "inherits an issuer",
      `${segment({})}.${btoa("{\"__proto__\":{\"iss\":\"https://a.test\"}}").replace(/=+$/, "")}.A`,
      "malformed"
    ],
    ["is opaque", "opaque", "malformed"],
    ["is too long", `${jwt({ iss: "https://a.test" })}${"A".repeat(16 * 1024)}`, "malformed"]
  ])("a token that %s", ([, token, expected]) =>
    Effect.gen(function*() {
      assert.strictEqual(yield* chosen(verifier, token), expected)
    }))
})

describe("byPrefix", () => {
  it.effect("selects by the prefix of the token, then the verifier of the rest, and rejects otherwise", () =>
    Effect.gen(function*() {
      const verifiers = { gho_: named("github"), "ya29.": named("google") }
      assert.strictEqual(yield* chosen(TokenVerifier.byPrefix(verifiers), "gho_1"), "github")
      assert.strictEqual(yield* chosen(TokenVerifier.byPrefix(verifiers), "ya29.1"), "google")
      assert.strictEqual(yield* chosen(TokenVerifier.byPrefix(verifiers), "xgho_1"), "unknown-issuer")
      assert.strictEqual(yield* chosen(TokenVerifier.byPrefix(verifiers, named("rest")), "xgho_1"), "rest")
    }))

  it("rejects prefixes that overlap", () => {
    assert.throws(() => TokenVerifier.byPrefix({ a: named("a"), ab: named("ab") }), /"ab" and "a" overlap/)
    assert.throws(() => TokenVerifier.byPrefix({ "": named("a") }), /matches every token/)
  })
})

describe("verification of one token by one verifier", () => {
  it.effect("T-INTR-06 does not introspect a JWT that was rejected, and does not decode an opaque token", () =>
    Effect.gen(function*() {
      const { endpoint, gate, issuer } = yield* world
      const caller = yield* gate()
      const good = yield* issuer.mint({ scopes: ["todos:read"] })
      const forged = `${good.slice(0, good.lastIndexOf("."))}.${"A".repeat(86)}`
      assert.strictEqual(yield* caller.outcome(good), "admitted")
      assert.strictEqual(yield* caller.outcome(forged), "401 signature")
      assert.strictEqual(yield* caller.outcome("eyJhbGciOiJub25lIn0.e30."), "401 unknown-issuer")
      assert.strictEqual(yield* caller.outcome(`${segment({ alg: "none" })}.garbage.x`), "401 malformed")
      assert.strictEqual(endpoint.requests.length, 0)
      assert.strictEqual(yield* caller.outcome("opaque"), "admitted")
      assert.strictEqual(endpoint.requests.length, 1)
    }))

  it.effect("without introspection, rejects an opaque token without a request", () =>
    Effect.gen(function*() {
      const { endpoint, gate, issuer } = yield* world
      const caller = yield* gate({ server: { introspection: undefined } })
      assert.strictEqual(yield* caller.outcome("opaque"), "401 malformed")
      assert.deepStrictEqual(yield* issuer.requests, [])
      assert.strictEqual(endpoint.requests.length, 0)
    }))

  const lookUp = (name: string): Introspection.LookUp => () =>
    Effect.succeed({ active: true, sub: name, aud: "https://server.test/mcp", exp: 2_000_000_000 })

  const servers = (first: Introspection.CommonOptions, second: Introspection.CommonOptions) =>
    ({
      authorizationServers: [
        { issuer: "https://a.test", introspection: Introspection.lookUp(lookUp("a"), first) },
        { issuer: "https://b.test", introspection: Introspection.lookUp(lookUp("b"), second) }
      ]
    }) as const

  it.effect("two authorization servers with opaque tokens need a prefix that distinguishes them", () =>
    Effect.gen(function*() {
      const { gate } = yield* world
      const error = yield* Effect.flip(gate(servers({}, {})))
      assert.strictEqual(error.reason, "conflict")
      assert.strictEqual(error.option, "authorizationServers[1].introspection.prefix")
      assert.include(error.message, "https://a.test and https://b.test")
      for (const [one, other] of [["x_", "x_"], ["x_", "x_y_"], ["x_y_", "x_"]] as const) {
        const ambiguous = yield* Effect.flip(gate(servers({ prefix: one }, { prefix: other })))
        assert.match(ambiguous.option, /introspection\.prefix$/)
      }
    }))

  it.effect("with prefixes, each token is sent to its authorization server only", () =>
    Effect.gen(function*() {
      const { gate } = yield* world
      const subject = (caller: Effect.Success<ReturnType<typeof gate>>, token: string) =>
        Effect.map(caller.present(token), (_) => "_tag" in _ ? _.reason : _.subject)
      const rest = yield* gate(servers({ prefix: "gho_" }, {}))
      assert.strictEqual(yield* subject(rest, "gho_1"), "a")
      assert.strictEqual(yield* subject(rest, "other"), "b")
      const none = yield* gate(servers({ prefix: "gho_" }, { prefix: "ya29." }))
      assert.strictEqual(yield* subject(none, "ya29.1"), "b")
      assert.strictEqual(yield* subject(none, "other"), "unknown-issuer")
    }))

  it.effect("the option verifier decides last", () =>
    Effect.gen(function*() {
      const { endpoint, gate } = yield* world
      const caller = yield* gate({
        server: { introspection: Introspection.make(secret) },
        verifier: (configured) =>
          TokenVerifier.choose((token) => Redacted.value(token) === "magic" ? named("magician") : configured)
      })
      assert.strictEqual(((yield* caller.present("magic")) as Principal).issuer, "magician")
      assert.strictEqual(endpoint.requests.length, 0)
      assert.strictEqual(yield* caller.outcome("opaque"), "admitted")
      assert.strictEqual(endpoint.requests.length, 1)
    }))
})
