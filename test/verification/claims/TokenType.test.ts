import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { TokenType } from "effect-mcp-auth"

const standard = TokenType.standard()

/** Claims, each of which alone marks an access token. */
const positive = [
  { scope: "todos:read" },
  { scope: "" },
  { scp: ["todos:read"] },
  { client_id: "client-1" },
  { cid: "client-1" },
  { token_use: "access" },
  { token_use: "Access" },
  { tokenUse: "access_token" },
  { token_type: "access" },
  { tokenType: "access-token" },
  { typ: "Bearer" },
  { typ: "bearer" },
  { typ: "DPoP" }
]

/** Claims, each of which alone marks an ID token, or another token that does not grant access. */
const negative = [
  { nonce: "n" },
  { nonce: null },
  { at_hash: "h" },
  { c_hash: "h" },
  { s_hash: "h" },
  { events: { "http://schemas.openid.net/event/backchannel-logout": {} } }
]

/** Claims whose value names the kind of the token: an ID token, or another token that does not grant access. */
const idKinds = [
  { token_use: "id" },
  { token_use: "ID" },
  { tokenUse: "id_token" },
  { token_type: "id-token" },
  { tokenType: "id-token" },
  { typ: "ID" },
  { typ: "id" },
  { typ: "Serialized-ID" },
  { use: "id" },
  { type: "id_token" },
  { token_type: "urn:ietf:params:oauth:token-type:id_token" }
]
const otherKinds = [
  { token_use: "refresh" },
  { token_use: "Refresh_Token" },
  { token_use: "refresh_token" },
  { token_use: ["access"] },
  { token_use: null },
  { token_use: "" },
  { token_use: 1 },
  { tokenUse: "refresh" },
  { token_type: "refresh" },
  { token_type: "urn:ietf:params:oauth:token-type:refresh_token" },
  { token_type: "N_A" },
  { tokenType: "refresh-token" },
  { typ: "Refresh" },
  { typ: "REFRESH" },
  { typ: "Offline" },
  { typ: "Logout" },
  { typ: "RegistrationAccessToken" },
  { typ: "InitialAccessToken" },
  { typ: "verify-email" },
  { typ: "logout+jwt" },
  { use: "refresh" },
  { use: ["sig", "refresh"] },
  { type: "refresh" },
  { type: "refresh_token" },
  { token_use: "access", typ: "Refresh" },
  { token_type: "Bearer", use: "Refresh" }
]

const plain = ["JWT", "jwt", "application/jwt", "Application/JWT", undefined]

describe("at+jwt", () => {
  it.each(["at+jwt", "AT+JWT", "At+Jwt", "application/at+jwt", "APPLICATION/AT+JWT"])(
    "accepts %s as an access token",
    (typ) => {
      for (const rule of [standard, TokenType.strict]) {
        assert.isUndefined(TokenType.checkKind(rule, typ, {}))
        for (const claims of negative) assert.isUndefined(TokenType.checkKind(rule, typ, claims))
      }
    }
  )
})

describe("[T-AUD-51] claims that name another kind of token", () => {
  it.each(idKinds)("[T-AUD-51] %j marks an ID token, with any typ and any other claims", (mark) => {
    for (const typ of [...plain, "at+jwt"]) {
      for (const claims of positive) {
        assert.strictEqual(TokenType.checkKind(standard, typ, { ...claims, ...mark }), "id-token")
      }
    }
    assert.strictEqual(TokenType.checkKind(TokenType.strict, "at+jwt", mark), "id-token")
  })

  it.each(otherKinds)(
    "[T-AUD-51] %j marks a token that is not an access token, with any typ and any other claims",
    (mark) => {
      for (const typ of [...plain, "at+jwt"]) {
        for (const claims of positive) {
          assert.strictEqual(TokenType.checkKind(standard, typ, { ...claims, ...mark }), "token-type")
        }
      }
      assert.strictEqual(TokenType.checkKind(TokenType.strict, "at+jwt", mark), "token-type")
    }
  )

  it.each([
    { typ: "JWT" },
    { use: "sig" },
    { type: "user" },
    { type: 7 },
    { type: { refresh: true } },
    { token_use: "access", typ: "JWT" }
  ])("[T-AUD-51] accepts %j together with a claim that marks an access token", (claims) => {
    for (const typ of [...plain, "at+jwt"]) {
      assert.isUndefined(TokenType.checkKind(standard, typ, { scope: "todos:read", ...claims }))
    }
  })

  it("[T-AUD-51] a profile adds values, and no other value counts", () => {
    const also = [{ claim: "token_type", values: ["api"] }, { claim: "typ" }]
    assert.isUndefined(TokenType.checkKind(standard, "JWT", { token_type: "api", scope: "" }, also))
    assert.strictEqual(TokenType.kindOf({ token_type: "api" }, also), "access")
    for (const claims of [{ token_type: "API" }, { token_type: ["api"] }, { token_use: "api" }, { typ: "api" }]) {
      assert.strictEqual(TokenType.checkKind(standard, "JWT", { scope: "", ...claims }, also), "token-type")
    }
    assert.strictEqual(TokenType.checkKind(standard, "JWT", { token_type: "api", typ: "Refresh" }, also), "token-type")
  })

  it("[T-AUD-51] ignores a kind that is inherited from a prototype", () => {
    const claims: Record<string, unknown> = Object.create({ token_use: "refresh" })
    claims["scope"] = "todos:read"
    assert.isUndefined(TokenType.checkKind(standard, "JWT", claims))
  })
})

describe("JWT or no typ", () => {
  it.each(positive)("%j marks an access token", (claims) => {
    for (const typ of plain) assert.isUndefined(TokenType.checkKind(standard, typ, claims))
  })

  it.each(negative)("%j outweighs every claim that marks an access token", (mark) => {
    for (const typ of plain) {
      assert.strictEqual(TokenType.checkKind(standard, typ, mark), "id-token")
      for (const claims of positive) {
        assert.strictEqual(TokenType.checkKind(standard, typ, { ...claims, ...mark }), "id-token")
      }
    }
  })

  it.each([
    {},
    { azp: "client-1" },
    { sub: "alice", aud: "x", iat: 1, exp: 2, email: "a@b.test" },
    { typ: "JWT" },
    { use: "access" },
    { type: "access" }
  ])("%j contains no claim that marks an access token", (claims) => {
    for (const typ of plain) assert.strictEqual(TokenType.checkKind(standard, typ, claims), "token-type")
  })

  it.each(["__proto__", "constructor", "scope"])("ignores a claim that is inherited from a prototype: %s", (name) => {
    const claims = Object.create({ [name]: "x", scope: "todos:read" }) as Record<string, unknown>
    assert.strictEqual(TokenType.checkKind(TokenType.standard(["constructor"]), "JWT", claims), "token-type")
  })

  it("accepts configured claims, which do not outweigh those of an ID token", () => {
    const rule = TokenType.standard(["gty", "permissions"])
    assert.isUndefined(TokenType.checkKind(rule, "JWT", { gty: "client-credentials" }))
    assert.isUndefined(TokenType.checkKind(rule, undefined, { permissions: [] }))
    assert.strictEqual(TokenType.checkKind(rule, "JWT", { gty: "x", nonce: "n" }), "id-token")
    assert.strictEqual(TokenType.checkKind(standard, "JWT", { gty: "x" }), "token-type")
  })

  it.each([["a text", "gty"], ["an object", { also: ["gty"] }], ["a number in the list", [1]], ["an empty name", [
    ""
  ]]])(
    "standard fails for %s in place of the names of claims",
    (_, also) => {
      assert.throws(() => TokenType.standard(also as never), /at TokenType\.standard: .+/)
    }
  )

  it("strict accepts neither", () => {
    for (const typ of plain) {
      for (const claims of positive) {
        assert.strictEqual(TokenType.checkKind(TokenType.strict, typ, claims), "token-type")
      }
    }
  })
})

describe("any other typ", () => {
  it.each([
    "",
    " at+jwt",
    "at+jwt ",
    "at+jwt;charset=utf-8",
    "at+jwt\0",
    "x-at+jwt",
    "application/",
    "application/application/at+jwt",
    "text/at+jwt",
    "id+jwt",
    "dpop+jwt",
    "logout+jwt",
    "secevent+jwt",
    "token-introspection+jwt",
    "entity-statement+jwt",
    "JWS",
    "JOSE",
    null,
    1,
    true,
    ["at+jwt"],
    { typ: "at+jwt" }
  ])("rejects %j", (typ) => {
    for (const claims of positive) {
      assert.strictEqual(TokenType.checkKind(standard, typ, claims), "token-type")
      assert.strictEqual(TokenType.checkKind(TokenType.strict, typ, claims), "token-type")
    }
  })

  it.effect.prop("accepts no typ but the two", { typ: Schema.Json }, ({ typ }) =>
    Effect.sync(() => {
      const accepted = TokenType.checkKind(standard, typ, { scope: "a" }) === undefined
      const known = typeof typ === "string" && /^(application\/)?(at\+)?jwt$/i.test(typ)
      assert.strictEqual(accepted, known)
    }))
})

describe("allowIdTokens", () => {
  const rule = TokenType.allowIdTokens
  const idToken = { iss: "https://dex.test", sub: "alice", aud: "todos", at_hash: "h", nonce: "n" }

  it("accepts tokens without a mark, and ID tokens that only nonce and hashes mark", () => {
    for (const typ of [...plain, "at+jwt"]) {
      assert.isUndefined(TokenType.checkKind(rule, typ, idToken))
      assert.isUndefined(TokenType.checkKind(rule, typ, { iss: "https://dex.test", c_hash: "h", s_hash: "h" }))
    }
  })

  it.each([...idKinds, ...otherKinds])("T-CLAIM-05 rejects a token whose claims name another kind: %j", (mark) => {
    for (const typ of [...plain, "at+jwt"]) {
      assert.isDefined(TokenType.checkKind(rule, typ, { ...idToken, ...mark }))
    }
  })

  it.each([
    { title: "a logout token", typ: "JWT", claims: { ...idToken, events: {} }, reason: "id-token" },
    { title: "another typ", typ: "logout+jwt", claims: idToken, reason: "token-type" },
    { title: "a typ that is not text", typ: 1, claims: idToken, reason: "token-type" },
    { title: "a token without an issuer", typ: "JWT", claims: { sub: "alice" }, reason: "token-type" }
  ])("T-CLAIM-05 rejects $title", ({ claims, reason, typ }) => {
    assert.strictEqual(TokenType.checkKind(rule, typ, claims), reason)
  })

  it("is stricter by default: both other rules reject the same token", () => {
    assert.strictEqual(TokenType.checkKind(TokenType.standard(), "JWT", idToken), "id-token")
    assert.strictEqual(TokenType.checkKind(TokenType.strict, "JWT", idToken), "token-type")
  })
})
