import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Forgery, TestIssuer } from "effect-mcp-auth/testing"
import { jwtVerify } from "jose"
import { createPublicKey, verify } from "node:crypto"
import { makeVerifier } from "./support.ts"

describe.each(["ES256", "ES384", "RS256", "PS256", "EdDSA"] as const)("forgeries of %s tokens", (algorithm) => {
  it.effect("are rejected for the reason in the table, and the valid token is accepted", () =>
    Effect.gen(function*() {
      const { issuer, verifyToken } = yield* makeVerifier({ algorithm })
      const outcomes = yield* Effect.forEach(Forgery.kinds, (kind) =>
        Effect.gen(function*() {
          const outcome = yield* verifyToken(yield* issuer.mintBroken(kind, { scopes: ["todos:read"] }))
          return [kind, outcome] as const
        }))
      assert.deepStrictEqual(
        Object.fromEntries(outcomes),
        Object.fromEntries(Forgery.kinds.map((kind) => [kind, Forgery.forgeries[kind].reason as string]))
      )
      assert.strictEqual(yield* verifyToken(yield* issuer.mint({ scopes: ["todos:read"] })), "accepted")
      const otherHosts = (yield* issuer.requests).filter(({ url }) => !url.startsWith(issuer.issuer))
      assert.deepStrictEqual(otherHosts, [])
    }))
})

it.effect("forgeries are rejected for the reason in the table if the host of the issuer is an IP address", () =>
  Effect.gen(function*() {
    const { issuer, verifyToken } = yield* makeVerifier({ issuer: "http://127.0.0.1:9000" })
    const outcomes = yield* Effect.forEach(Forgery.kinds, (kind) =>
      Effect.gen(function*() {
        return [kind, yield* verifyToken(yield* issuer.mintBroken(kind, { scopes: ["todos:read"] }))] as const
      }))
    assert.deepStrictEqual(
      Object.fromEntries(outcomes),
      Object.fromEntries(Forgery.kinds.map((kind) => [kind, Forgery.forgeries[kind].reason as string]))
    )
  }))

it.effect.each(["https://server.test", "https://server.test/"])(
  "[T-AUD-31b] forgeries are rejected for the reason in the table if the resource is %s",
  (resource) =>
    Effect.gen(function*() {
      const { issuer, verifyToken } = yield* makeVerifier({ resource })
      for (const kind of Forgery.kinds) {
        const outcome = yield* verifyToken(yield* issuer.mintBroken(kind, { scopes: ["todos:read"] }))
        assert.strictEqual(outcome, Forgery.forgeries[kind].reason, kind)
      }
    })
)

describe("a forgery has only one fault", () => {
  it.effect("the signature in DER is valid in another protocol", () =>
    Effect.gen(function*() {
      const { issuer } = yield* TestIssuer.make()
      const { publicJwk } = yield* issuer.currentKey
      const key = createPublicKey({ key: publicJwk as never, format: "jwk" })
      // If the first bit of `r` or of `s` is set, DER adds a zero byte before that number. With fifty tokens, both cases occur.
      for (let i = 0; i < 50; i++) {
        const [header, claims, signature] = (yield* issuer.mintBroken("signature-der")).split(".")
        const bytes = Buffer.from(signature!, "base64url")
        assert.isTrue(verify("sha256", Buffer.from(`${header}.${claims}`), { key, dsaEncoding: "der" }, bytes))
      }
    }))

  it.effect("an HMAC is valid with each hash length", () =>
    Effect.gen(function*() {
      const { issuer } = yield* TestIssuer.make()
      const { publicJwk } = yield* issuer.currentKey
      const secret = new TextEncoder().encode(publicJwk.x)
      for (const alg of ["HS256", "HS384", "HS512"]) {
        const token = yield* issuer.mintBroken("hmac-with-number-as-text", { header: { alg } })
        const options = { algorithms: [alg], currentDate: new Date(0) }
        const { payload } = yield* Effect.promise(() => jwtVerify(token, secret, options))
        assert.strictEqual(payload.sub, "admin")
      }
    }))
})

it("each forgery has a unique title of one line", () => {
  const titles = Forgery.kinds.map((kind) => Forgery.forgeries[kind].title)
  assert.isAtLeast(titles.length, 50)
  assert.strictEqual(new Set(titles).size, titles.length)
  assert.deepStrictEqual(titles.filter((title) => title.includes("\n") || title === ""), [])
})
