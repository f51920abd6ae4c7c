import { NodeHttpServer } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Fiber, Layer } from "effect"
import { AuthLayer } from "effect-mcp-auth"
import { SigningKey, TestIssuer } from "effect-mcp-auth/testing"
import { FetchHttpClient, HttpClient, HttpRouter } from "effect/http"
import { TestClock } from "effect/testing"
import { base64url } from "jose"
// oxlint-disable-next-line no-restricted-imports -- for a key on a curve that WebCrypto and the testing kit do not support
import { generateKeyPairSync, sign } from "node:crypto"
import { createServer } from "node:http"
import { gzipSync } from "node:zlib"
import * as Running from "./Running.ts"

const { assertInvalidToken, assertUnavailable, bearer, goodClaims, resultOf, segment } = Running

const good = (server: Running.Running) => server.issuer.mint({ scopes: ["todos:read"], expiresIn: "72 hours" })

const call = (server: Running.Running, token: string) => server.call("list_todos", bearer(token))

/** A public key without `alg` and `use`, which do not belong to the key itself. */
const bare = (key: SigningKey.SigningKey) => ({ ...key.publicJwk, alg: undefined, use: undefined })

/** Starts an issuer on a free port. It runs until the scope closes. */
const served = Effect.gen(function*() {
  const node = createServer()
  const context = yield* Layer.build(
    TestIssuer.serve().pipe(Layer.provide(NodeHttpServer.layerServer(() => node, { host: "127.0.0.1", port: 0 })))
  )
  yield* Effect.addFinalizer(() => Effect.sync(() => node.closeAllConnections()))
  return Context.get(context, TestIssuer.TestIssuer)
})

/** Starts a server that trusts the issuer at this origin. The server fetches the documents of the issuer over a socket. */
const against = Effect.fnUntraced(function*(origin: string) {
  const own = yield* HttpClient.HttpClient.pipe(Effect.provide(FetchHttpClient.layer))
  return yield* Running.start({ issuer: origin, client: () => own })
})

describe("the keys", () => {
  it.effect("T-KEYS-01 an unfit key verifies nothing, and does not affect other keys", () =>
    Effect.gen(function*() {
      const server = yield* Running.start()
      const { publicJwk } = yield* server.issuer.currentKey
      const weak = yield* SigningKey.make({ algorithm: "RS256", kid: "weak", modulusLength: 1024 })
      const small = yield* SigningKey.make({ algorithm: "RS256", kid: "small", publicExponent: 3 })
      const strong = yield* SigningKey.make({ algorithm: "RS256", kid: "one" })
      const encryption = yield* SigningKey.make({ kid: "encryption" })
      const operations = yield* SigningKey.make({ kid: "operations" })
      const leaked = yield* SigningKey.make({ kid: "leaked" })
      const family = yield* SigningKey.make({ kid: "family" })
      // WebCrypto and the testing kit do not support this curve.
      const bitcoin = generateKeyPairSync("ec", { namedCurve: "secp256k1" })
      const secret = "x".repeat(64)
      yield* server.issuer.publishKeys([
        bare(weak),
        bare(small),
        { ...bare(strong), e: "AQ" },
        { kty: "oct", kid: "oct", k: base64url.encode(secret) },
        { ...bare(encryption), use: "enc" },
        { ...bare(operations), key_ops: ["encrypt"] },
        { ...leaked.privateJwk, alg: undefined },
        { ...bitcoin.publicKey.export({ format: "jwk" }), kid: "bitcoin" },
        { ...bare(family), alg: "RS256" },
        { kty: "EC", kid: "chain", x5c: ["MIIB"] },
        { kty: "EC", crv: "P-256", kid: "broken", x: "AA", y: 42 },
        null,
        42,
        publicJwk
      ])
      resultOf(yield* call(server, yield* good(server)))
      const claims = goodClaims(server)
      const signers = [weak, small, strong, encryption, operations, leaked, family]
      for (const { sign } of signers) {
        assertInvalidToken(server, yield* call(server, yield* sign({ typ: "at+jwt" }, claims)))
      }
      for (const alg of ["ES256K", "ES256"]) {
        const input = `${segment({ typ: "at+jwt", alg, kid: "bitcoin" })}.${segment(claims)}`
        const signature = sign("sha256", Buffer.from(input), { key: bitcoin.privateKey, dsaEncoding: "ieee-p1363" })
        assertInvalidToken(server, yield* call(server, `${input}.${base64url.encode(signature)}`))
      }
      const fit = yield* SigningKey.make({ algorithm: "RS256", kid: "fit" })
      yield* server.issuer.publishKeys([bare(fit)])
      yield* TestClock.adjust("11 minutes")
      const late = { ...goodClaims(server), exp: Running.now + 3_600 }
      resultOf(yield* call(server, yield* fit.sign({ typ: "at+jwt" }, late)))
    }))

  it.effect(
    "T-KEYS-03 SSRF-06 SSRF-07 gives up a huge document at its limit, compressed or not",
    () =>
      Effect.gen(function*() {
        const zeros = gzipSync(Buffer.alloc(64 * 1024 * 1024))
        const bomb = gzipSync(Buffer.from(`{"keys":[${" ".repeat(64 * 1024 * 1024)}]}`))
        const many = JSON.stringify({ keys: Array.from({ length: 20_000 }, (_, i) => ({ kty: "EC", kid: `${i}` })) })
        const deep = `{"keys":${"[".repeat(400_000)}${"]".repeat(400_000)}}`
        let sent = 0
        const flood = () => {
          sent = 0
          return new ReadableStream<Uint8Array>({
            pull: (controller) => {
              if (sent === 64 * 1024 * 1024) return controller.close()
              sent += 64 * 1024
              controller.enqueue(new Uint8Array(64 * 1024).fill(0x20))
            }
          })
        }
        const json = (body: BodyInit, headers: Record<string, string> = {}) => () =>
          new Response(body, { headers: { "content-type": "application/json", ...headers } })
        const answers: Record<string, () => Response> = {
          "64 MB, announced": () => json(flood(), { "content-length": String(64 * 1024 * 1024) })(),
          "64 MB, in chunks": () => json(flood())(),
          "a gzip of zeros": json(zeros, { "content-encoding": "gzip" }),
          "a gzip of spaces": json(bomb, { "content-encoding": "gzip" }),
          "20,000 keys": json(many),
          "nested lists": json(deep)
        }
        for (const [title, answer] of Object.entries(answers)) {
          for (const document of ["/jwks", "/.well-known/"]) {
            sent = 0
            const provider = yield* served
            yield* provider.respondWith(document, answer)
            const server = yield* against(provider.issuer)
            const token = yield* provider.mint({ scopes: ["todos:read"], audience: server.resource })
            // The test measures external memory, because Node keeps the bytes of documents there. The size of the heap would
            // depend on the garbage collector.
            const before = process.memoryUsage().external
            const answered = yield* call(server, token)
            assertUnavailable(answered)
            assert.isTrue((yield* provider.requests).some(({ url }) => url.includes(document)), title)
            assert.isBelow(sent, 16 * 1024 * 1024, title)
            assert.isBelow(process.memoryUsage().external - before, 48 * 1024 * 1024, `${title} as ${document}`)
            yield* provider.respondWith(document, undefined)
            yield* TestClock.adjust("2 minutes")
            resultOf(yield* call(server, token))
          }
        }
      }),
    120_000
  )

  it.effect("T-KEYS-04 a server that hangs, stalls or breaks off costs one time limit for all concurrent requests", () =>
    Effect.gen(function*() {
      const provider = yield* served
      const server = yield* against(provider.issuer)
      const token = yield* provider.mint({ scopes: ["todos:read"], audience: server.resource, expiresIn: "1 hour" })
      const { publicJwk } = yield* provider.currentKey
      const keys = new TextEncoder().encode(JSON.stringify({ keys: [publicJwk] }))
      const json = { "content-type": "application/json", "content-length": String(keys.length) }
      const pause = () => new Promise((resolve) => setTimeout(resolve, 20))
      /** A response that announces the length of the whole key set, sends the first `length` bytes, and then calls `end`. */
      const partly = (length: number, end: (controller: ReadableStreamDefaultController<Uint8Array>) => void) => {
        let at = 0
        const body = new ReadableStream<Uint8Array>({
          pull: async (controller) => {
            if (at === length) return end(controller)
            controller.enqueue(keys.subarray(at, ++at))
            await pause()
          }
        })
        return new Response(body, { headers: json })
      }
      const troubles = {
        hang: () => new Promise<never>(() => {}),
        drip: () => partly(20, () => new Promise(() => {})),
        break: () => partly(20, (controller) => controller.error(new Error("broken off")))
      }
      const fetches = Effect.map(provider.requests, (_) => _.filter(({ url }) => url === provider.jwksUri).length)
      for (const trouble of ["hang", "drip"] as const) {
        yield* provider.respondWith("/jwks", troubles[trouble])
        const before = yield* fetches
        const waiting = yield* Effect.forEach(
          Array.from({ length: 20 }),
          () => Effect.forkChild(call(server, token), { startImmediately: true })
        )
        yield* Running.until("the fetch", () => Effect.runSync(fetches) === before + 1)
        yield* Running.breathe(50)
        yield* TestClock.adjust("5 seconds")
        for (const fiber of waiting) assertUnavailable(yield* Fiber.join(fiber))
        assert.strictEqual(yield* fetches, before + 1)
        yield* TestClock.adjust("1 minute")
      }
      yield* provider.respondWith("/jwks", troubles.break)
      assertUnavailable(yield* call(server, token))
      yield* provider.respondWith("/jwks", undefined)
      yield* TestClock.adjust("1 minute")
      resultOf(yield* call(server, token))
    }))

  it.effect("T-KEYS-06 treats a wrong document as an outage, and keeps the good keys", () =>
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
        { _tag: "Body", body: "{\"keys\":[]}", contentType: json },
        { _tag: "Body", body: "{\"keys\":[null]}", contentType: json },
        { _tag: "Body", body: "{\"keys\":[{\"kty\":\"oct\",\"kid\":\"key-1\",\"k\":\"AAAA\"}]}", contentType: json },
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
      yield* server.issuer.recover
      for (const fault of wrong) {
        yield* server.issuer.fail(fault, "/jwks")
        yield* TestClock.adjust("11 minutes")
        yield* server.issuer.takeRequests
        resultOf(yield* call(server, token))
        resultOf(yield* call(server, token))
        assert.isTrue((yield* server.issuer.requests).some(({ url }) => url.endsWith("/jwks")))
      }
      assert.isTrue((yield* server.issuer.requests).every(({ url }) => !url.includes("evil")))
    }))

  it.effect("T-KEYS-07 rejects metadata of another issuer, and plain http", () =>
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
        // After correct metadata is published, the server works: it has cached no part of the rejected metadata.
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
    "T-KEYS-08 fetches once in a cooldown for a flood of unknown key ids, without an effect on other tokens",
    () =>
      Effect.gen(function*() {
        const server = yield* Running.start()
        const token = yield* good(server)
        resultOf(yield* call(server, token))
        yield* server.issuer.takeRequests
        // Half of these tokens are older than every fetch of keys, and get 401. The others could be signed by a newer key, and
        // get 503 during the cooldown.
        const strange = (i: number) =>
          server.issuer.mint({
            header: { kid: `unknown-${i}` },
            claims: { iat: Running.now - (i % 2) * 120 }
          })
        const rejected = (i: number, answer: Running.Answer) =>
          i % 2 === 1 || answer.status === 401 ? assertInvalidToken(server, answer) : assertUnavailable(answer)
        const flood = (from: number, concurrency: number) =>
          Effect.forEach(
            Array.from({ length: 500 }, (_, i) => from + i),
            (i) =>
              Effect.flatMap(
                strange(i),
                (_) => Effect.map(call(server, _), (answer) => rejected(i, answer))
              ),
            { concurrency, discard: true }
          )
        yield* flood(0, 50)
        yield* flood(500, 1)
        assert.strictEqual((yield* server.issuer.takeRequests).length, 1)
        resultOf(yield* call(server, token))
        yield* TestClock.adjust("31 seconds")
        assertInvalidToken(server, yield* call(server, yield* strange(1001)))
        assertInvalidToken(server, yield* call(server, yield* strange(1003)))
        assert.strictEqual((yield* server.issuer.takeRequests).length, 1)
        resultOf(yield* call(server, token))
      }),
    120_000
  )

  it.effect("T-KEYS-10 accepts a new key after one fetch, and a withdrawn one until the next refresh", () =>
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
      // If the issuer publishes a new key under the same id, only the new key is valid after the refresh.
      const { kid } = yield* server.issuer.currentKey
      const pair = yield* SigningKey.make({ kid })
      yield* server.issuer.publishKeys([pair.publicJwk])
      const before = yield* good(server)
      yield* TestClock.adjust("10 minutes")
      const renewed = yield* pair.sign(
        { typ: "at+jwt" },
        { ...goodClaims(server), iat: Running.now + 1200, exp: Running.now + 3600 }
      )
      resultOf(yield* call(server, renewed))
      assertInvalidToken(server, yield* call(server, before))
    }))

  it.effect("T-KEYS-11 stale keys serve through an outage of one day, and not of two", () =>
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
