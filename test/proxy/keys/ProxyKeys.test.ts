import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { createHmac, createPublicKey, hkdfSync, verify } from "node:crypto"
import * as ProxyKeys from "../../../src/proxy/keys/ProxyKeys.ts"
import * as RecordKeys from "../../../src/proxy/keys/RecordKeys.ts"
import { secretA, secretB } from "../grants/world.ts"

const weak: ReadonlyArray<readonly [name: string, text: string]> = [
  ["an empty text", ""],
  ["31 bytes", "q1Xv8sZr3TnYw5uKc7hLm2pGd9fJb4e"],
  ["one character, repeated", "a".repeat(64)],
  ["a repeated text", "q1Xv8sZr3TnYw5uK".repeat(2)],
  ["a sequence", "abcdefghijklmnopqrstuvwxyz0123456789"],
  ["few characters", "a9Z+ka+9Zak9+Z9ka+Za9kZ+a9k+Zk9a+aZ9k"],
  ["a word of an example", "change-me-to-something-q1Xv8sZr3TnYw5uKc7h"],
  ["a default", "my-super-secret-value-1234567890-abcdef"],
  ["zeros", "q1Xv8sZr3TnYw5uKc7hLm2pG00000000000000"]
]

describe("the keys of the proxy", () => {
  it.effect.each(weak)(
    "attack 64: rejects %s as a secret, without its text in the error",
    ([, text]) =>
      Effect.gen(function*() {
        const failure = yield* Effect.flip(ProxyKeys.make(Redacted.make(text)))
        assert.strictEqual(failure._tag, "AuthConfigError")
        assert.strictEqual(failure.option, "secret")
        assert.strictEqual(failure.reason, "insecure")
        if (text !== "") assert.notInclude(JSON.stringify(failure) + failure.message, text)
      })
  )

  it.effect.each([
    ["a plain text", "q1Xv8sZr3TnYw5uKc7hLm2pGd9fJb4eA0iOyRkVtWxE"],
    ["a list with a plain text", ["q1Xv8sZr3TnYw5uKc7hLm2pGd9fJb4eA0iOyRkVtWxE"]],
    ["an empty list", []],
    ["five secrets", [secretA, secretA, secretA, secretA, secretA]],
    ["a secret twice", [secretA, secretA]],
    ["undefined", undefined],
    ["a number in Redacted", Redacted.make(1)],
    ["an object with four of five purposes", {
      signing: secretA,
      refresh: secretA,
      registration: secretA,
      browser: secretA
    }],
    ["an unknown purpose", { signing: secretA, refresh: secretA, registration: secretA, browser: secretA, x: secretA }]
  ])("attack 64: rejects %s as the secret of a proxy", ([, secret]) =>
    Effect.gen(function*() {
      const failure = yield* Effect.flip(ProxyKeys.make(secret as ProxyKeys.ProxySecrets))
      assert.strictEqual(failure._tag, "AuthConfigError")
      assert.match(failure.option, /^secret/)
      assert.notInclude(failure.message, Redacted.value(secretA))
    }))

  it.effect("attack 64: accepts random secrets of 32 bytes in base64, base64url and hexadecimal", () =>
    Effect.gen(function*() {
      for (let time = 0; time < 30; time++) {
        const bytes = Buffer.from(crypto.getRandomValues(new Uint8Array(32)))
        for (const form of ["base64", "base64url", "hex"] as const) {
          yield* ProxyKeys.make(Redacted.make(bytes.toString(form)))
        }
      }
    }))

  it.effect("derives the same signing key again, and signs with the first secret", () =>
    Effect.gen(function*() {
      const one = yield* ProxyKeys.make([secretA, secretB])
      const other = yield* ProxyKeys.make([secretB, secretA])
      assert.deepStrictEqual(one.publicKeys, other.publicKeys.toReversed())
      const token = yield* one.sign({ sub: "alice" })
      const [header, claims, signature] = token.split(".")
      const key = createPublicKey({ key: { ...one.publicKeys[0]! }, format: "jwk" })
      const data = Buffer.from(`${header}.${claims}`)
      const bytes = Buffer.from(signature!, "base64url")
      assert.isTrue(verify("sha256", data, { key, dsaEncoding: "ieee-p1363" }, bytes))
      assert.deepStrictEqual(JSON.parse(Buffer.from(header!, "base64url").toString()), {
        typ: "at+jwt",
        alg: "ES256",
        kid: one.publicKeys[0]!.kid
      })
    }))

  it.effect("derives the key of a tag as node:crypto does, with a separate key for each purpose, kind and secret", () =>
    Effect.gen(function*() {
      const keys = yield* ProxyKeys.make([secretA, secretB])
      const mac = keys.mac("refresh", "token")
      const tag = (yield* mac.sign(mac.kid, "text"))!
      const key = hkdfSync("sha256", Redacted.value(secretA), "", "effect-mcp-auth/proxy/refresh/token", 32)
      assert.strictEqual(tag, createHmac("sha256", Buffer.from(key)).update("text").digest("base64url"))
      assert.isTrue(yield* mac.verify(mac.kid, "text", tag))
      assert.isFalse(yield* mac.verify(mac.kid, "texT", tag))
      assert.isFalse(yield* mac.verify("unknown0", "text", tag))
      assert.isUndefined(yield* mac.sign("unknown0", "text"))
      const others = [
        yield* mac.sign((yield* ProxyKeys.make(secretB)).mac("refresh", "token").kid, "text"),
        yield* keys.mac("refresh", "other").sign(mac.kid, "text"),
        yield* keys.mac("registration", "token").sign(mac.kid, "text")
      ]
      assert.strictEqual(new Set([tag, ...others]).size, 4)
      assert.notInclude(others, undefined)
    }))

  it.effect("opens sealed texts of every listed secret, in their context, kind and salt alone", () =>
    Effect.gen(function*() {
      const before = (yield* ProxyKeys.make(secretA)).seal("records", "record", "record")
      const sealed = yield* before.seal("marker", "alice")
      assert.notInclude(sealed, "marker")
      const during = yield* ProxyKeys.make([secretB, secretA])
      assert.strictEqual(yield* during.seal("records", "record", "record").open(sealed, "alice"), "marker")
      for (
        const [seal, context] of [
          [during.seal("records", "record", "record"), "bob"],
          [during.seal("records", "record", "other"), "alice"],
          [during.seal("records", "other", "record"), "alice"],
          [during.seal("browser", "record", "record"), "alice"],
          [(yield* ProxyKeys.make(secretB)).seal("records", "record", "record"), "alice"]
        ] as const
      ) {
        assert.isUndefined(yield* seal.open(sealed, context))
      }
      for (const text of ["", ".", sealed.slice(9), `x${sealed}`, sealed.replace(".", "")]) {
        assert.isUndefined(yield* before.open(text, "alice"))
      }
    }))

  it.effect("keeps the keys of separate secrets apart", () =>
    Effect.gen(function*() {
      const keys = yield* ProxyKeys.make({
        signing: secretA,
        refresh: secretB,
        registration: secretA,
        browser: [secretA, secretB],
        records: secretA
      })
      const one = yield* ProxyKeys.make(secretA)
      assert.deepStrictEqual(keys.publicKeys, one.publicKeys)
      assert.notStrictEqual(keys.mac("refresh", "token").kid, one.mac("refresh", "token").kid)
      assert.strictEqual(keys.mac("registration", "client").kid, one.mac("registration", "client").kid)
    }))

  it.effect("attack 61 and attack 65: gives the records of two issuers different keys, which contain no name", () =>
    Effect.gen(function*() {
      const one = yield* RecordKeys.make("https://one.example.com")
      const other = yield* RecordKeys.make("https://two.example.com")
      const keys = [yield* one("grant", "id"), yield* other("grant", "id"), yield* one("code", "id")]
      assert.strictEqual(new Set(keys).size, 3)
      assert.strictEqual(new Set(keys.map((key) => key.split(":")[0])).size, 2)
      for (const key of keys) assert.match(key, /^[A-Za-z0-9_-]{16}:(?:grant|code):[A-Za-z0-9_-]{43}$/)
    }))
})
