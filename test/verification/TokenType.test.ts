import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { TokenType } from "effect-mcp-auth"

const standard = TokenType.standard()

/** Marks of an access token, one each. */
const positive = [
  { scope: "todos:read" },
  { scope: "" },
  { scp: ["todos:read"] },
  { client_id: "client-1" },
  { cid: "client-1" },
  { token_use: "access" },
  { typ: "Bearer" }
]

/** Marks of an ID token, or of another token that is none for access. */
const negative = [
  { nonce: "n" },
  { nonce: null },
  { at_hash: "h" },
  { c_hash: "h" },
  { s_hash: "h" },
  { token_use: "id" },
  { typ: "ID" },
  { events: { "http://schemas.openid.net/event/backchannel-logout": {} } }
]

const plain = ["JWT", "jwt", "application/jwt", "Application/JWT", undefined]

describe("at+jwt", () => {
  it.each(["at+jwt", "AT+JWT", "At+Jwt", "application/at+jwt", "APPLICATION/AT+JWT"])(
    "%s is an access token",
    (typ) => {
      for (const rule of [standard, TokenType.strict]) {
        assert.isUndefined(TokenType.judge(rule, typ, {}))
        for (const claims of negative) assert.isUndefined(TokenType.judge(rule, typ, claims))
      }
    }
  )
})

describe("JWT or no typ", () => {
  it.each(positive)("%j marks an access token", (claims) => {
    for (const typ of plain) assert.isUndefined(TokenType.judge(standard, typ, claims))
  })

  it.each(negative)("%j outweighs every mark of an access token", (mark) => {
    for (const typ of plain) {
      assert.strictEqual(TokenType.judge(standard, typ, mark), "id-token")
      // `token_use` and `typ` hold one value each: what is said last stands.
      for (const claims of positive) {
        assert.strictEqual(TokenType.judge(standard, typ, { ...claims, ...mark }), "id-token")
      }
    }
  })

  it.each([
    {},
    { azp: "client-1" },
    { sub: "alice", aud: "x", iat: 1, exp: 2, email: "a@b.test" },
    { token_use: "refresh" },
    { token_use: ["access"] },
    { token_use: "Access" },
    { typ: "bearer" },
    { typ: "Refresh" }
  ])("%j has no mark of an access token", (claims) => {
    for (const typ of plain) assert.strictEqual(TokenType.judge(standard, typ, claims), "token-type")
  })

  it.each(["__proto__", "constructor", "scope"])("a mark inherited from a prototype is none: %s", (name) => {
    const claims = Object.create({ [name]: "x", scope: "todos:read" }) as Record<string, unknown>
    assert.strictEqual(TokenType.judge(TokenType.standard(["constructor"]), "JWT", claims), "token-type")
  })

  it("further marks can be named, and do not outweigh those of an ID token", () => {
    const rule = TokenType.standard(["gty", "permissions"])
    assert.isUndefined(TokenType.judge(rule, "JWT", { gty: "client-credentials" }))
    assert.isUndefined(TokenType.judge(rule, undefined, { permissions: [] }))
    assert.strictEqual(TokenType.judge(rule, "JWT", { gty: "x", nonce: "n" }), "id-token")
    assert.strictEqual(TokenType.judge(standard, "JWT", { gty: "x" }), "token-type")
  })

  it("strict takes neither", () => {
    for (const typ of plain) {
      for (const claims of positive) assert.strictEqual(TokenType.judge(TokenType.strict, typ, claims), "token-type")
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
  ])("%j is none", (typ) => {
    for (const claims of positive) {
      assert.strictEqual(TokenType.judge(standard, typ, claims), "token-type")
      assert.strictEqual(TokenType.judge(TokenType.strict, typ, claims), "token-type")
    }
  })

  it.effect.prop("no typ but the two is accepted", { typ: Schema.Json }, ({ typ }) =>
    Effect.sync(() => {
      const accepted = TokenType.judge(standard, typ, { scope: "a" }) === undefined
      const known = typeof typ === "string" && /^(application\/)?(at\+)?jwt$/i.test(typ)
      assert.strictEqual(accepted, known)
    }))
})
