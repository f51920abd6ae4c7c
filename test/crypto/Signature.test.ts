import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import { Gate } from "effect-mcp-auth/host"
import { SigningKey, TestIssuer } from "effect-mcp-auth/testing"
import { Algorithm, Signature } from "effect-mcp-auth/verification"
import { HttpClient } from "effect/http"
import * as nodeSignature from "../../src/crypto/internal/nodeSignature.ts"
import { authenticate } from "../authorization/steps.ts"
import { gateLayer } from "../servers/gates.ts"

const setUp = Effect.gen(function*() {
  const { issuer } = yield* TestIssuer.make()
  const { publicJwk } = yield* issuer.currentKey
  return { jwk: { ...publicJwk }, token: yield* issuer.mint() }
})

const ways = [["jose", Signature.viaJose], ["the platform", Signature.viaPlatform]] as const

describe.each(ways)("importing keys for %s", (_, importKey) => {
  it.effect("imports a public key for its algorithm and rejects it for every other one", () =>
    Effect.gen(function*() {
      const { jwk } = yield* setUp
      assert.strictEqual((yield* importKey(jwk, "ES256"))?.algorithm, "ES256")
      for (const algorithm of ["ES384", "RS256", "EdDSA", "HS256", "none", ""]) {
        assert.isUndefined(yield* importKey(jwk, algorithm), algorithm)
      }
    }))

  it.effect("rejects symmetric and private keys", () =>
    Effect.gen(function*() {
      const { privateJwk } = yield* SigningKey.make()
      assert.isUndefined(yield* importKey({ kty: "oct", k: "c2VjcmV0" }, "HS256"))
      assert.isUndefined(yield* importKey({ kty: "oct", k: "c2VjcmV0" }, "ES256"))
      assert.isUndefined(yield* importKey({ ...privateJwk }, "ES256"))
    }))

  it.effect("rejects RSA keys that are too short, have a small exponent, or are for encryption", () =>
    Effect.gen(function*() {
      const short = yield* SigningKey.make({ algorithm: "RS256", modulusLength: 1024 })
      const small = yield* SigningKey.make({ algorithm: "RS256", publicExponent: 3 })
      const good = yield* SigningKey.make({ algorithm: "RS256" })
      assert.isUndefined(yield* importKey({ ...short.publicJwk }, "RS256"))
      assert.isUndefined(yield* importKey({ ...small.publicJwk }, "RS256"))
      assert.isUndefined(yield* importKey({ ...good.publicJwk, use: "enc" }, "RS256"))
      assert.isUndefined(yield* importKey({ ...good.publicJwk, key_ops: ["sign"] }, "RS256"))
      assert.isDefined(yield* importKey({ ...good.publicJwk }, "RS256"))
    }))

  it.effect.prop(
    "returns a key or nothing for every JSON object",
    {
      jwk: Schema.Record(
        Schema.Literals(["kty", "crv", "x", "y", "n", "e", "alg", "use", "key_ops", "ext"]),
        Schema.Json
      )
    },
    ({ jwk }) =>
      Effect.gen(function*() {
        for (const kty of ["EC", "RSA", "OKP", "oct", jwk["kty"]]) {
          for (const algorithm of ["ES256", "RS256", "EdDSA"]) {
            const key = yield* importKey({ ...jwk, kty }, algorithm)
            assert.isTrue(key === undefined || key.algorithm === algorithm)
          }
        }
      })
  )
})

describe.each(ways)("verifying with %s", (_, importKey) => {
  it.effect("accepts what the key signed, for every algorithm", () =>
    Effect.gen(function*() {
      for (const algorithm of Algorithm.all) {
        const signer = yield* SigningKey.make({ algorithm })
        const token = yield* signer.sign({}, { sub: "alice" })
        const key = yield* importKey({ ...signer.publicJwk }, algorithm)
        assert.isTrue(yield* key!.verify(token), algorithm)
        const [header, claims, signature] = token.split(".") as [string, string, string]
        const other = yield* signer.sign({}, { sub: "bob" })
        assert.isFalse(yield* key!.verify(`${header}.${other.split(".")[1]}.${signature}`), algorithm)
        assert.isFalse(yield* key!.verify(`${header}.${claims}.${signature.slice(0, -4)}`), algorithm)
      }
    }))

  it.effect("rejects the token of another key, and every text that is not a token", () =>
    Effect.gen(function*() {
      const { jwk, token } = yield* setUp
      const other = yield* setUp
      const key = yield* importKey(jwk, "ES256")
      assert.isTrue(yield* key!.verify(token))
      for (const text of [other.token, "", "...", "a.b.c", `${token}x`, `${token}.`, token.slice(0, -1), "\0"]) {
        assert.isFalse(yield* key!.verify(text), text)
      }
    }))
})

describe("importing odd keys", () => {
  it.effect("gives the same results with jose and with the platform", () =>
    Effect.gen(function*() {
      const ec = (yield* SigningKey.make({ algorithm: "ES256" })).publicJwk
      const rsa = (yield* SigningKey.make({ algorithm: "RS256" })).publicJwk
      const ed = (yield* SigningKey.make({ algorithm: "EdDSA" })).publicJwk
      const wide = (yield* SigningKey.make({ algorithm: "ES384" })).publicJwk
      const zeros = Buffer.alloc(32).toString("base64url")
      const ones = Buffer.alloc(32, 255).toString("base64url")
      const odd: ReadonlyArray<readonly [string, Record<string, unknown>]> = [
        ...[zeros, ones, "", "AA", "A", "%", `${ec.x!}A`, ec.x!.slice(0, -3), ec.y, wide.x, 1, null, {}].flatMap((
          value
        ) => [
          ["ES256", { ...ec, x: value }] as const,
          ["ES256", { ...ec, y: value }] as const,
          ["EdDSA", { ...ed, x: value }] as const,
          ["RS256", { ...rsa, n: value }] as const,
          ["RS256", { ...rsa, e: value }] as const
        ]),
        ["ES256", { ...ec, y: undefined }],
        ["ES256", { ...ec, crv: "P-384" }],
        ["ES256", { ...ec, crv: "secp256k1" }],
        ["EdDSA", { ...ed, crv: "X25519" }],
        ["EdDSA", { ...ed, crv: "Ed448" }],
        ["EdDSA", { ...ed, y: ec.y }],
        ["ES256", { ...ec, kty: "OKP" }],
        ["EdDSA", { ...ed, kty: "EC" }],
        ["RS256", { ...rsa, crv: "P-256" }],
        ["RS256", { ...rsa, key_ops: ["sign"] }],
        ["RS256", { ...rsa, key_ops: ["verify"] }],
        ["RS256", { ...rsa, alg: "RS512" }],
        ["RS256", { ...rsa, ext: "no", oth: [], x5c: 1 }]
      ]
      let accepted = 0
      for (const [algorithm, jwk] of odd) {
        const jose = yield* Signature.viaJose(jwk, algorithm)
        const platform = yield* Signature.viaPlatform(jwk, algorithm)
        assert.strictEqual(platform === undefined, jose === undefined, `${algorithm} ${JSON.stringify(jwk)}`)
        if (jose !== undefined) accepted++
      }
      assert.isTrue(accepted > 0 && accepted < odd.length / 2)
    }))
})

describe("the way that the platform chooses", () => {
  it.effect("is node:crypto on Node, except for ES384 and ES512", () =>
    Effect.gen(function*() {
      for (const algorithm of Algorithm.all) {
        const { publicJwk } = yield* SigningKey.make({ algorithm })
        const prepared = nodeSignature.prepare({ ...publicJwk }, algorithm)
        assert.strictEqual(prepared === undefined, algorithm === "ES384" || algorithm === "ES512", algorithm)
      }
    }))

  const countingBy = (calls: Array<string>): Signature.ImportKey => (jwk, algorithm) => {
    calls.push(algorithm)
    return Signature.viaJose(jwk, algorithm)
  }

  it.effect("is replaced for a gate by the reference, which is read once for each key", () =>
    Effect.gen(function*() {
      const calls: Array<string> = []
      const { client, issuer } = yield* TestIssuer.make()
      const services = yield* Layer.build(
        gateLayer({
          resource: "https://server.test/mcp",
          authorizationServers: [issuer.issuer],
          scopes: ["a"]
        }).pipe(
          Layer.provide(Layer.succeed(Signature.Signature, countingBy(calls))),
          Layer.provide(Layer.succeed(HttpClient.HttpClient, client))
        )
      )
      const gate = yield* Effect.provide(Gate.AuthLayer, services)
      for (const subject of ["alice", "bob", "carol"]) {
        const token = yield* issuer.mint({ subject, scopes: ["a"] })
        yield* authenticate(gate, { method: "GET", header: () => undefined, authorization: [`Bearer ${token}`] })
      }
      assert.deepStrictEqual(calls, ["ES256"])
    }))

  it.effect("is replaced for importKey by layerJose", () =>
    Effect.gen(function*() {
      const importKey = yield* Signature.Signature
      assert.strictEqual(importKey, Signature.viaJose)
      const { jwk, token } = yield* setUp
      assert.isTrue(yield* (yield* Signature.importKey(jwk, "ES256"))!.verify(token))
    }).pipe(Effect.provide(Signature.layerJose)))
})
