import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Forgery, TestIssuer } from "effect-mcp-auth/testing"
import { jwtVerify } from "jose"
import { createPublicKey, verify } from "node:crypto"
import { verifying } from "./support.ts"

describe.each(["ES256", "ES384", "RS256", "PS256", "EdDSA"] as const)("forgeries of %s tokens", (algorithm) => {
  it.effect("each is rejected for the reason in the table, and the token that they forge is accepted", () =>
    Effect.gen(function*() {
      const { issuer, judge } = yield* verifying({ algorithm })
      const answers = yield* Effect.forEach(Forgery.kinds, (kind) =>
        Effect.gen(function*() {
          const answer = yield* judge(yield* issuer.mintBroken(kind, { scopes: ["todos:read"] }))
          return [kind, answer] as const
        }))
      assert.deepStrictEqual(
        Object.fromEntries(answers),
        Object.fromEntries(Forgery.kinds.map((kind) => [kind, Forgery.forgeries[kind].reason as string]))
      )
      assert.strictEqual(yield* judge(yield* issuer.mint({ scopes: ["todos:read"] })), "accepted")
      const strangers = (yield* issuer.requests).filter(({ url }) => !url.startsWith(issuer.issuer))
      assert.deepStrictEqual(strangers, [])
    }))
})

it.effect("each is rejected for the reason in the table where the issuer is an address without a name", () =>
  Effect.gen(function*() {
    const { issuer, judge } = yield* verifying({ issuer: "http://127.0.0.1:9000" })
    const answers = yield* Effect.forEach(Forgery.kinds, (kind) =>
      Effect.gen(function*() {
        return [kind, yield* judge(yield* issuer.mintBroken(kind, { scopes: ["todos:read"] }))] as const
      }))
    assert.deepStrictEqual(
      Object.fromEntries(answers),
      Object.fromEntries(Forgery.kinds.map((kind) => [kind, Forgery.forgeries[kind].reason as string]))
    )
  }))

describe("some forgeries are right but for one thing", () => {
  it.effect("the signature in DER is one, in another protocol", () =>
    Effect.gen(function*() {
      const { issuer } = yield* TestIssuer.make()
      const { publicJwk } = yield* issuer.currentKey
      const key = createPublicKey({ key: publicJwk as never, format: "jwk" })
      // Halves come with and without a leading zero.
      for (let i = 0; i < 50; i++) {
        const [header, claims, signature] = (yield* issuer.mintBroken("signature-der")).split(".")
        const bytes = Buffer.from(signature!, "base64url")
        assert.isTrue(verify("sha256", Buffer.from(`${header}.${claims}`), { key, dsaEncoding: "der" }, bytes))
      }
    }))

  it.effect("an HMAC may be of any length", () =>
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

it("the table names every forgery once, in one line", () => {
  const titles = Forgery.kinds.map((kind) => Forgery.forgeries[kind].title)
  assert.isAtLeast(titles.length, 50)
  assert.strictEqual(new Set(titles).size, titles.length)
  assert.deepStrictEqual(titles.filter((title) => title.includes("\n") || title === ""), [])
})
