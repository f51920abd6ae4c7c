import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { createDecipheriv, createECDH, createHash, createHmac, createPublicKey, hkdfSync, verify } from "node:crypto"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import * as dynamicClient from "../../src/proxy/front/DynamicClient.ts"
import * as authorizationCode from "../../src/proxy/grants/Code.ts"
import { grantIdOf } from "../../src/proxy/grants/GrantRecords.ts"
import * as refreshToken from "../../src/proxy/grants/RefreshToken.ts"
import * as ProxyKeys from "../../src/proxy/keys/ProxyKeys.ts"
import * as RecordKeys from "../../src/proxy/keys/RecordKeys.ts"
import * as RecordSeal from "../../src/proxy/keys/RecordSeal.ts"

const vectors = JSON.parse(readFileSync(join(import.meta.dirname, "../../docs/proxy-formats.json"), "utf8"))

/** The second implementation, on `node:crypto` alone, as the document describes it. */
const derive = (info: string, length: number, salt = "") =>
  Buffer.from(hkdfSync("sha256", vectors.secret, salt, `effect-mcp-auth/proxy/${info}`, length))
const hash = (text: string) => createHash("sha256").update(text).digest("base64url")
const tagOf = (info: string, text: string) => createHmac("sha256", derive(info, 32)).update(text).digest("base64url")

const keys = ProxyKeys.make(Redacted.make(vectors.secret))

const order = BigInt("0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551")

describe("the test vectors of the formats", () => {
  it.effect("agree about the keys", () =>
    Effect.gen(function*() {
      const { kid, publicJwk } = vectors.keys
      assert.strictEqual(derive("kid", 6).toString("base64url"), kid)
      assert.strictEqual((yield* keys).mac("refresh", "token").kid, kid)
      const number = BigInt(`0x${derive("signing", 48).toString("hex")}`) % (order - 1n) + 1n
      const pair = createECDH("prime256v1")
      pair.setPrivateKey(number.toString(16).padStart(64, "0"), "hex")
      const point = pair.getPublicKey()
      const [x, y] = [point.subarray(1, 33).toString("base64url"), point.subarray(33).toString("base64url")]
      const thumbprint = hash(JSON.stringify({ crv: "P-256", kty: "EC", x, y }))
      assert.deepStrictEqual({ kty: "EC", crv: "P-256", x, y, kid: thumbprint, alg: "ES256", use: "sig" }, publicJwk)
      assert.deepStrictEqual((yield* keys).publicKeys, [publicJwk])
    }))

  it("contain an access token that the key verifies", () => {
    const { claims, header, token } = vectors.accessToken
    const [first, second, signature] = token.split(".")
    assert.deepStrictEqual(JSON.parse(Buffer.from(first, "base64url").toString()), header)
    assert.deepStrictEqual(JSON.parse(Buffer.from(second, "base64url").toString()), claims)
    const key = createPublicKey({ key: vectors.keys.publicJwk, format: "jwk" })
    const bytes = Buffer.from(signature, "base64url")
    assert.isTrue(verify("sha256", Buffer.from(`${first}.${second}`), { key, dsaEncoding: "ieee-p1363" }, bytes))
  })

  it("agree about subjects", () => {
    const { authority, id, name, subject } = vectors.subject
    assert.strictEqual(`${name}|${hash(authority).slice(0, 8)}|${id}`, subject)
    assert.strictEqual(vectors.accessToken.claims.sub, subject)
  })

  it.effect("agree about codes, grants and refresh tokens", () =>
    Effect.gen(function*() {
      const { code, generations, grant, name, seed } = vectors.grant
      const { kid } = vectors.keys
      assert.strictEqual(`${name}.${kid}.${tagOf("refresh/code", name)}`, code)
      assert.strictEqual(yield* authorizationCode.read((yield* keys).mac("refresh", "code"), code), name)
      assert.strictEqual(hash(`effect-mcp-auth/proxy/grant/${name}`).slice(0, 22), grant)
      assert.strictEqual(yield* grantIdOf(name), grant)
      const mac = (yield* keys).mac("refresh", "token")
      assert.strictEqual(generations.length, 3)
      for (const { n, token } of generations) {
        assert.strictEqual(`${grant}.${n}.${kid}.${tagOf("refresh/token", `rt.${grant}.${n}.${seed}`)}`, token)
        const made = yield* refreshToken.make(mac, grant, { generation: n, kid, seed })
        assert.strictEqual(Redacted.value(made!), token)
        assert.isTrue(yield* refreshToken.verify(mac, refreshToken.parse(token)!, seed))
      }
    }))

  it.effect("agree about the ids of registered clients", () =>
    Effect.gen(function*() {
      const { clientId, content, registration } = vectors.client
      const text = `c1.${vectors.keys.kid}.${Buffer.from(JSON.stringify(content)).toString("base64url")}`
      assert.strictEqual(`${text}.${tagOf("registration/client", text)}`, clientId)
      const clients = dynamicClient.make((yield* keys).mac("registration", "client"), [])
      assert.strictEqual((yield* clients.register(registration)).client_id, clientId)
    }))

  it.effect("agree about the keys of records", () =>
    Effect.gen(function*() {
      const { issuer, records } = vectors
      const keyFor = yield* RecordKeys.make(issuer)
      assert.strictEqual(records.length, 3)
      for (const { key, kind, name } of records) {
        assert.strictEqual(`${hash(issuer).slice(0, 16)}:${kind}:${hash(`${issuer}\n${kind}\n${name}`)}`, key)
        assert.strictEqual(yield* keyFor(kind, name), key)
      }
    }))

  it.effect("contain a sealed record that both open", () =>
    Effect.gen(function*() {
      const { record, sealed, text } = vectors.sealed
      const [kid, encoded] = sealed.split(".")
      assert.strictEqual(kid, vectors.keys.kid)
      const bytes = Buffer.from(encoded, "base64url")
      assert.strictEqual(bytes[0], 1)
      const decipher = createDecipheriv("aes-256-gcm", derive("records/record", 32, record), bytes.subarray(1, 13))
      decipher.setAAD(Buffer.from(`\u0001record\n${record}\n${vectors.issuer}`))
      decipher.setAuthTag(bytes.subarray(-16))
      assert.strictEqual(decipher.update(bytes.subarray(13, -16)).toString() + decipher.final().toString(), text)
      assert.strictEqual(yield* RecordSeal.make(yield* keys, vectors.issuer).open(sealed, record), text)
    }))
})
