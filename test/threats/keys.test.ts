import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer } from "effect"
import { AuthLayer } from "effect-mcp-auth"
import { SigningKey } from "effect-mcp-auth/testing"
import { FetchHttpClient, HttpClient, HttpRouter } from "effect/http"
import { TestClock } from "effect/testing"
import { base64url } from "jose"
import { generateKeyPairSync, type KeyObject, sign } from "node:crypto"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { gzipSync } from "node:zlib"
import * as Running from "./Running.ts"

const { assertInvalidToken, assertUnavailable, bearer, goodClaims, resultOf, segment } = Running

const good = (server: Running.Running) => server.issuer.mint({ scopes: ["todos:read"], expiresIn: "72 hours" })

const call = (server: Running.Running, token: string) => server.call("list_todos", bearer(token))

/** Signs with a key of node:crypto. */
const signed = (server: Running.Running, key: KeyObject, header: object, hash: string) => {
  const input = `${segment({ typ: "at+jwt", ...header })}.${segment(goodClaims(server))}`
  const signature = sign(
    hash,
    Buffer.from(input),
    key.asymmetricKeyType === "ec" ? { key, dsaEncoding: "ieee-p1363" } : key
  )
  return `${input}.${base64url.encode(signature)}`
}

/** An authorization server made of node:http, until the scope closes. */
const hostile = Effect.fnUntraced(function*(
  answer: (path: string, response: ServerResponse, request: IncomingMessage, origin: string) => void
) {
  const asked: Array<string> = []
  let origin = ""
  const node = createServer((request, response) => {
    asked.push(request.url!)
    answer(request.url!, response, request, origin)
  })
  yield* Effect.acquireRelease(
    Effect.promise(() => new Promise<void>((resolve) => node.listen(0, "127.0.0.1", resolve))),
    () =>
      Effect.promise(() => {
        node.closeAllConnections()
        return new Promise((resolve) => node.close(resolve))
      })
  )
  origin = `http://127.0.0.1:${(node.address() as AddressInfo).port}`
  return { origin, asked }
})

const metadataOf = (origin: string) => JSON.stringify({ issuer: origin, jwks_uri: `${origin}/jwks` })

const json = (response: ServerResponse, body: string | Buffer, headers: Record<string, string> = {}) => {
  response.writeHead(200, { "content-type": "application/json", ...headers })
  response.end(body)
}

/** A server whose issuer is a real socket and whose tokens name it. */
const against = Effect.fnUntraced(function*(origin: string) {
  const own = yield* HttpClient.HttpClient.pipe(Effect.provide(FetchHttpClient.layer))
  return yield* Running.start({ issuer: origin, client: () => own })
})

describe("the keys", () => {
  it.effect("T-KEYS-01 an unfit key verifies nothing, and spoils nothing", () =>
    Effect.gen(function*() {
      const server = yield* Running.start()
      const { publicJwk } = yield* server.issuer.currentKey
      const weak = generateKeyPairSync("rsa", { modulusLength: 1024 })
      const small = generateKeyPairSync("rsa", { modulusLength: 2048, publicExponent: 3 })
      const encryption = generateKeyPairSync("ec", { namedCurve: "P-256" })
      const operations = generateKeyPairSync("ec", { namedCurve: "P-256" })
      const leaked = generateKeyPairSync("ec", { namedCurve: "P-256" })
      const bitcoin = generateKeyPairSync("ec", { namedCurve: "secp256k1" })
      const family = generateKeyPairSync("ec", { namedCurve: "P-256" })
      const strong = generateKeyPairSync("rsa", { modulusLength: 2048 })
      const secret = "x".repeat(64)
      yield* server.issuer.publishKeys([
        { ...weak.publicKey.export({ format: "jwk" }), kid: "weak" },
        { ...small.publicKey.export({ format: "jwk" }), kid: "small" },
        { ...strong.publicKey.export({ format: "jwk" }), kid: "one", e: "AQ" },
        { kty: "oct", kid: "oct", k: base64url.encode(secret) },
        { ...encryption.publicKey.export({ format: "jwk" }), kid: "encryption", use: "enc" },
        { ...operations.publicKey.export({ format: "jwk" }), kid: "operations", key_ops: ["encrypt"] },
        { ...leaked.privateKey.export({ format: "jwk" }), kid: "leaked" },
        { ...bitcoin.publicKey.export({ format: "jwk" }), kid: "bitcoin" },
        { ...family.publicKey.export({ format: "jwk" }), kid: "family", alg: "RS256" },
        { kty: "EC", kid: "chain", x5c: ["MIIB"] },
        { kty: "EC", crv: "P-256", kid: "broken", x: "AA", y: 42 },
        null,
        42,
        publicJwk
      ])
      resultOf(yield* call(server, yield* good(server)))
      for (
        const token of [
          signed(server, weak.privateKey, { alg: "RS256", kid: "weak" }, "sha256"),
          signed(server, small.privateKey, { alg: "RS256", kid: "small" }, "sha256"),
          signed(server, strong.privateKey, { alg: "RS256", kid: "one" }, "sha256"),
          signed(server, encryption.privateKey, { alg: "ES256", kid: "encryption" }, "sha256"),
          signed(server, operations.privateKey, { alg: "ES256", kid: "operations" }, "sha256"),
          signed(server, leaked.privateKey, { alg: "ES256", kid: "leaked" }, "sha256"),
          signed(server, bitcoin.privateKey, { alg: "ES256K", kid: "bitcoin" }, "sha256"),
          signed(server, bitcoin.privateKey, { alg: "ES256", kid: "bitcoin" }, "sha256"),
          signed(server, family.privateKey, { alg: "ES256", kid: "family" }, "sha256")
        ]
      ) {
        assertInvalidToken(server, yield* call(server, token))
      }
      const fit = generateKeyPairSync("rsa", { modulusLength: 2048 })
      yield* server.issuer.publishKeys([{ ...fit.publicKey.export({ format: "jwk" }), kid: "fit" }])
      yield* TestClock.adjust("11 minutes")
      const late = { ...goodClaims(server), exp: Running.now + 3_600 }
      const input = `${segment({ alg: "RS256", typ: "at+jwt", kid: "fit" })}.${segment(late)}`
      const token = `${input}.${base64url.encode(sign("sha256", Buffer.from(input), fit.privateKey))}`
      resultOf(yield* call(server, token))
    }))

  it.effect(
    "T-KEYS-03 SSRF-06 SSRF-07 a huge document is given up at its limit, packed or not",
    () =>
      Effect.gen(function*() {
        const zeros = gzipSync(Buffer.alloc(64 * 1024 * 1024))
        const bomb = gzipSync(Buffer.from(`{"keys":[${" ".repeat(64 * 1024 * 1024)}]}`))
        const many = JSON.stringify({ keys: Array.from({ length: 20_000 }, (_, i) => ({ kty: "EC", kid: `${i}` })) })
        const deep = `{"keys":${"[".repeat(400_000)}${"]".repeat(400_000)}}`
        let sent = 0
        const flood = (response: ServerResponse, headers: Record<string, string>) => {
          response.writeHead(200, { "content-type": "application/json", ...headers })
          const chunk = Buffer.alloc(64 * 1024, 0x20)
          const more = () => {
            while (!response.destroyed && sent < 64 * 1024 * 1024) {
              sent += chunk.length
              if (!response.write(chunk)) return
            }
            response.end()
          }
          response.on("drain", more).on("error", () => {})
          more()
        }
        const answers: Record<string, (response: ServerResponse) => void> = {
          "64 MB, announced": (response) => flood(response, { "content-length": String(64 * 1024 * 1024) }),
          "64 MB, in chunks": (response) => flood(response, {}),
          "a gzip of zeros": (response) => json(response, zeros, { "content-encoding": "gzip" }),
          "a gzip of spaces": (response) => json(response, bomb, { "content-encoding": "gzip" }),
          "20,000 keys": (response) => json(response, many),
          "nested lists": (response) => json(response, deep)
        }
        for (const [title, answer] of Object.entries(answers)) {
          for (const document of ["/jwks", "metadata"]) {
            sent = 0
            const as = yield* hostile((path, response, _, origin) =>
              document === "metadata" || path === document ? answer(response) : json(response, metadataOf(origin))
            )
            const server = yield* against(as.origin)
            const before = process.memoryUsage().heapUsed + process.memoryUsage().external
            const answered = yield* call(server, yield* good(server))
            assertUnavailable(answered)
            assert.isBelow(sent, 16 * 1024 * 1024, title)
            const grown = process.memoryUsage().heapUsed + process.memoryUsage().external - before
            assert.isBelow(grown, 48 * 1024 * 1024, `${title} as ${document}`)
          }
        }
      }),
    30_000
  )

  it.effect("T-KEYS-04 a server that hangs, drips or breaks off costs its limit, once for all who wait", () =>
    Effect.gen(function*() {
      let mode: "hang" | "drip" | "break" | "good" = "hang"
      const pair = yield* SigningKey.make()
      const jwk = pair.publicJwk
      const keys = JSON.stringify({ keys: [{ ...jwk, kid: "real", alg: "ES256" }] })
      const as = yield* hostile((path, response, _, origin) => {
        if (path !== "/jwks") return json(response, metadataOf(origin))
        if (mode === "hang") return
        if (mode === "good") return json(response, keys)
        response.writeHead(200, { "content-type": "application/json", "content-length": String(keys.length) })
        response.on("error", () => {})
        if (mode === "break") {
          response.write(keys.slice(0, 20))
          setTimeout(() => response.destroy(), 20)
        } else {
          let at = 0
          const timer = setInterval(() => at < 20 ? response.write(keys[at++]) : undefined, 20)
          response.on("close", () => clearInterval(timer))
        }
      })
      const server = yield* against(as.origin)
      const token = yield* Running.signWith(
        pair.privateKey,
        segment({ alg: "ES256", typ: "at+jwt", kid: "real" }),
        segment({ ...goodClaims(server), exp: Running.now + 3_600 })
      )
      const asked = () => as.asked.filter((_) => _ === "/jwks").length
      for (const trouble of ["hang", "drip"] as const) {
        mode = trouble
        const before = asked()
        const waiting = yield* Effect.forEach(
          Array.from({ length: 20 }),
          () => Effect.forkChild(call(server, token), { startImmediately: true })
        )
        yield* Running.until("the fetch", () => asked() === before + 1)
        yield* Running.breathe(50)
        yield* TestClock.adjust("5 seconds")
        for (const fiber of waiting) assertUnavailable(yield* Fiber.join(fiber))
        assert.strictEqual(asked(), before + 1)
        yield* TestClock.adjust("1 minute")
      }
      mode = "break"
      assertUnavailable(yield* call(server, token))
      mode = "good"
      yield* TestClock.adjust("1 minute")
      resultOf(yield* call(server, token))
    }))

  it.effect("T-KEYS-06 a wrong document is an outage, and does not touch the good keys", () =>
    Effect.gen(function*() {
      const bom = new Uint8Array([0xef, 0xbb, 0xbf, ...new TextEncoder().encode("{\"keys\":[]}")])
      const utf16 = new Uint8Array(new Uint16Array([..."{\"keys\":[]}"].map((_) => _.charCodeAt(0))).buffer)
      const json = "application/json"
      const wrong = [
        { _tag: "Body", body: "<html>", contentType: "text/html" },
        { _tag: "Body", body: "<html>", contentType: json },
        { _tag: "Body", body: "{\"keys\":[]}", contentType: "text/html" },
        { _tag: "Body", body: utf16, contentType: json },
        { _tag: "Body", body: bom, contentType: json },
        { _tag: "Body", body: "[]", contentType: json },
        { _tag: "Body", body: "null", contentType: json },
        { _tag: "Body", body: "{\"keys\":{}}", contentType: json },
        { _tag: "Body", body: "", contentType: json },
        { _tag: "Body", body: "{\"__proto__\":{\"keys\":[]}}", contentType: json },
        { _tag: "Status", status: 204 },
        { _tag: "Status", status: 206 },
        { _tag: "Status", status: 304 },
        { _tag: "Status", status: 302, headers: { location: "https://evil.test/jwks" } },
        { _tag: "Status", status: 404 }
      ] as const
      for (const fault of wrong) {
        const cold = yield* Running.start()
        yield* cold.issuer.fail(fault, "/jwks")
        assertUnavailable(yield* call(cold, yield* good(cold)))
        yield* cold.issuer.fail(fault)
        yield* TestClock.adjust("2 minutes")
        assertUnavailable(yield* call(cold, yield* good(cold)))
      }
      const server = yield* Running.start()
      const token = yield* good(server)
      resultOf(yield* call(server, token))
      for (const fault of wrong) {
        yield* server.issuer.fail(fault)
        yield* TestClock.adjust("11 minutes")
        resultOf(yield* call(server, token))
      }
      assert.isTrue((yield* server.issuer.requests).every(({ url }) => !url.includes("evil")))
    }))

  it.effect("T-KEYS-07 metadata of another issuer, and plain http", () =>
    Effect.gen(function*() {
      for (
        const members of [
          { issuer: "https://other.test" },
          { issuer: "https://issuer.test/" },
          { jwks_uri: "http://issuer.test/jwks" },
          { jwks_uri: "file:///etc/passwd" },
          { jwks_uri: "javascript:alert(1)" },
          { jwks_uri: "/jwks" },
          { jwks_uri: undefined }
        ]
      ) {
        const server = yield* Running.start()
        yield* server.issuer.publishMetadata(members)
        assertUnavailable(yield* call(server, yield* good(server)))
        assert.isTrue((yield* server.issuer.requests).every(({ url }) => url.includes("/.well-known/")))
        // Nothing of it is kept.
        yield* server.issuer.publishMetadata({ issuer: "https://issuer.test", jwks_uri: server.issuer.jwksUri })
        yield* TestClock.adjust("2 minutes")
        resultOf(yield* call(server, yield* good(server)))
      }
      const built = yield* Layer.build(
        AuthLayer.make({
          resource: "https://server.test/mcp",
          authorizationServers: ["http://issuer.test"],
          scopes: ["todos:read"]
        }).pipe(Layer.provide(HttpRouter.layer))
      ).pipe(Effect.flip)
      assert.strictEqual(built.option, "authorizationServers[0].issuer")
      assert.strictEqual(built.reason, "insecure")
    }))

  it.effect(
    "T-KEYS-08 a flood of unknown key ids is one fetch in a cooldown, and nobody else's trouble",
    () =>
      Effect.gen(function*() {
        const server = yield* Running.start()
        const token = yield* good(server)
        resultOf(yield* call(server, token))
        yield* server.issuer.takeRequests
        const strange = (i: number) => server.issuer.mint({ header: { kid: `unknown-${i}` } })
        const flood = (from: number, concurrency: number) =>
          Effect.forEach(
            Array.from({ length: 500 }, (_, i) => from + i),
            (i) =>
              Effect.flatMap(
                strange(i),
                (_) => Effect.map(call(server, _), (answer) => assertInvalidToken(server, answer))
              ),
            { concurrency, discard: true }
          )
        yield* flood(0, 50)
        yield* flood(500, 1)
        assert.strictEqual((yield* server.issuer.takeRequests).length, 1)
        resultOf(yield* call(server, token))
        yield* TestClock.adjust("31 seconds")
        assertInvalidToken(server, yield* call(server, yield* strange(1000)))
        assertInvalidToken(server, yield* call(server, yield* strange(1001)))
        assert.strictEqual((yield* server.issuer.takeRequests).length, 1)
        resultOf(yield* call(server, token))
      }),
    30_000
  )

  it.effect("T-KEYS-10 a new key serves after one look, a withdrawn one until the next refresh", () =>
    Effect.gen(function*() {
      const server = yield* Running.start()
      const old = yield* good(server)
      resultOf(yield* call(server, old))
      yield* server.issuer.takeRequests
      yield* server.issuer.rotateKeys
      resultOf(yield* call(server, yield* good(server)))
      assert.strictEqual((yield* server.issuer.takeRequests).length, 1)
      resultOf(yield* call(server, old))
      yield* server.issuer.withdrawOldKeys
      yield* TestClock.adjust("10 minutes")
      assertInvalidToken(server, yield* call(server, old))
      // The same id with new material counts after the refresh.
      const pair = yield* SigningKey.make()
      const { kid } = yield* server.issuer.currentKey
      const jwk = pair.publicJwk
      yield* server.issuer.publishKeys([{ ...jwk, kid }])
      const before = yield* good(server)
      yield* TestClock.adjust("10 minutes")
      const renewed = yield* Running.signWith(
        pair.privateKey,
        segment({ alg: "ES256", typ: "at+jwt", kid }),
        segment({ ...goodClaims(server), iat: Running.now + 1200, exp: Running.now + 3600 })
      )
      resultOf(yield* call(server, renewed))
      assertInvalidToken(server, yield* call(server, before))
    }))

  it.effect("T-KEYS-11 the last good keys serve through an outage of a day, and not of two", () =>
    Effect.gen(function*() {
      const server = yield* Running.start()
      const token = yield* good(server)
      resultOf(yield* call(server, token))
      yield* server.issuer.takeRequests
      yield* server.issuer.fail({ _tag: "Status", status: 503 })
      for (let hour = 1; hour <= 23; hour++) {
        yield* TestClock.adjust("1 hour")
        resultOf(yield* call(server, token))
      }
      assert.isAtMost((yield* server.issuer.takeRequests).length, 23 * 4)
      yield* TestClock.adjust("62 minutes")
      assertUnavailable(yield* call(server, token))
      yield* server.issuer.recover
      yield* TestClock.adjust("1 minute")
      resultOf(yield* call(server, token))
    }))
})
