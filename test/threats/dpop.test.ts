import { assert, describe, it } from "@effect/vitest"
import { Effect, Result } from "effect"
import { AuthError } from "effect-mcp-auth"
import { Dpop } from "effect-mcp-auth/dpop"
import { Challenge } from "effect-mcp-auth/protocol"
import { DpopClient } from "effect-mcp-auth/testing"
import { TestClock } from "effect/testing"
import { memoryOf } from "../../src/verification/dpop/ReplayStore.ts"
import * as Running from "./Running.ts"

const { now, resultOf } = Running

type Claims = Readonly<Record<string, unknown>>

/** Starts a server that accepts DPoP proofs, and creates a client with a key and a token bound to that key. */
const start = Effect.fnUntraced(
  function*(dpop: Dpop.Dpop) {
    const server = yield* Running.start({ auth: { dpop, allowedHosts: ["evil.test"] } })
    const client = yield* DpopClient.make()
    const token = yield* server.issuer.mint({ scopes: ["todos:read"], boundTo: client.thumbprint, expiresIn: "1 hour" })
    const proof = (claims: Claims = {}, header: Claims = {}) =>
      client.proof({ method: "POST", url: server.resource, token, claims, header })
    const call = (dpop: string | ReadonlyArray<string>, others: Readonly<Record<string, string>> = {}) =>
      server.call("list_todos", { authorization: `DPoP ${token}`, dpop, ...others })
    const prove = (claims: Claims = {}, header: Claims = {}) => Effect.flatMap(proof(claims, header), (_) => call(_))
    return { server, client, token, proof, call, prove }
  }
)

/** Asserts a 401 with this error in the DPoP challenge, and this reason in the decision. */
const rejected = (server: Running.Running, answer: Running.Answer, reason: string, error = "invalid_dpop_proof") => {
  assert.strictEqual(answer.status, 401, answer.body)
  const challenges = Result.getOrThrow(Challenge.parse(answer.challenges[0]!))
  assert.deepStrictEqual(challenges.map(({ scheme }) => scheme), ["Bearer", "DPoP"])
  assert.strictEqual(challenges[1]!.parameters.get("error"), error)
  assert.strictEqual(JSON.parse(answer.body).error, error)
  assert.strictEqual(server.decisions.at(-1)?.reason, reason)
}

describe("proofs of possession", () => {
  it.effect("T-DPOP-01 accepts a proof once, and a jti once for each key", () =>
    Effect.gen(function*() {
      const { call, client, proof, prove, server } = yield* start(Dpop.optional())
      const one = yield* proof()
      resultOf(yield* call(one))
      rejected(server, yield* call(one), "proof-replayed")
      resultOf(yield* prove({ jti: "j" }))
      rejected(server, yield* prove({ jti: "j", iat: now + 1 }), "proof-replayed")
      const other = yield* DpopClient.make()
      const token = yield* server.issuer.mint({ scopes: ["todos:read"], boundTo: other.thumbprint })
      const options = { method: "POST", url: server.resource, token, claims: { jti: "j" } }
      resultOf(yield* server.call("list_todos", { ...yield* other.headers(options) }))
      // The server records used ids by thumbprint, so this test needs clients with different thumbprints.
      assert.notStrictEqual(other.thumbprint, client.thumbprint)
    }))

  it.effect("T-DPOP-01 evicts ids that are too old to be used, so that a million ids take bounded memory", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(now * 1000)
      const capacity = 20_000
      const store = memoryOf(capacity)
      const useOf = (i: number, at = now): Dpop.Use => ({
        thumbprint: `key-${i % 8}`,
        jti: `${i}`,
        owner: `owner-${i % 8}`,
        until: (at + 90) * 1000,
        lifetime: 90_000
      })
      const { until } = useOf(0)
      const counts = { first: 0, full: 0 }
      for (let i = 0; i < 1_000_000; i++) {
        const answer = yield* Effect.result(store.firstUse(useOf(i)))
        if (Result.isFailure(answer)) counts.full++
        else if (answer.success) counts.first++
      }
      assert.deepStrictEqual(counts, { first: capacity, full: 1_000_000 - capacity })
      assert.strictEqual(store.size(), capacity)
      // A full store does not evict used ids before they are too old.
      assert.isFalse(yield* store.firstUse(useOf(0)))
      yield* TestClock.setTime(until - 1)
      assert.isFalse(yield* store.firstUse(useOf(0)))
      yield* TestClock.setTime(until + 5_000)
      assert.isTrue(yield* store.firstUse(useOf(0, now + 95)))
      assert.strictEqual(store.size(), 1)
    }))

  it.effect("T-DPOP-01 one caller fills a quarter of the store and gets 503 from then on; other callers are admitted", () =>
    Effect.gen(function*() {
      const { call, proof, prove, server } = yield* start(Dpop.optional({ replay: Dpop.memory(100) }))
      const first = yield* proof()
      resultOf(yield* call(first))
      for (let i = 1; i < 25; i++) resultOf(yield* prove())
      Running.assertUnavailable(yield* prove())
      assert.strictEqual(server.decisions.at(-1)?.reason, "replay-store-full")
      rejected(server, yield* call(first), "proof-replayed")
      const other = yield* DpopClient.make()
      const token = yield* server.issuer.mint({
        subject: "bob",
        scopes: ["todos:read"],
        boundTo: other.thumbprint
      })
      resultOf(
        yield* server.call("list_todos", {
          ...yield* other.headers({ method: "POST", url: server.resource, token })
        })
      )
      yield* TestClock.adjust("130 seconds")
      resultOf(yield* prove({ iat: now + 130 }))
    }))

  it.effect("T-DPOP-01 DPOP-30 rejects every proof if the store fails", () =>
    Effect.gen(function*() {
      const down: Dpop.Store = {
        firstUse: () =>
          Effect.fail(new AuthError.ReplayStoreUnavailable({ reason: "replay-store-down", retryAfter: 1 }))
      }
      const { prove, server } = yield* start(Dpop.optional({ replay: down }))
      Running.assertUnavailable(yield* prove())
      assert.strictEqual(server.decisions.at(-1)?.reason, "replay-store-down")
    }))

  it.effect("T-DPOP-02 rejects a proof for another request, except for other spellings of the same URL", () =>
    Effect.gen(function*() {
      const { prove, server } = yield* start(Dpop.optional())
      const { origin, port } = server
      for (const htm of ["GET", "post", "Post", "PUT", "", " POST", "POST\n", null, ["POST"]]) {
        rejected(server, yield* prove({ htm }), "proof-method")
      }
      const others = [
        origin,
        `${origin}/`,
        `${origin}/mcp/`,
        `${origin}//mcp`,
        `${origin}/MCP`,
        `${origin}/mcp/..`,
        `${origin}/mcp%2f`,
        `${origin}%2fmcp`,
        `${origin}/mcp;a=b`,
        `${origin}\\mcp`,
        `${origin}.evil.test/mcp`,
        `https://127.0.0.1:${port}/mcp`,
        `http://127.0.0.1:${port + 1}/mcp`,
        `http://127.0.0.1/mcp`,
        `http://localhost:${port}/mcp`,
        `http://127.1:${port}/mcp`,
        `http://2130706433:${port}/mcp`,
        `http://0x7f.0.0.1:${port}/mcp`,
        `http://user@127.0.0.1:${port}/mcp`,
        `http://evil.test@127.0.0.1:${port}/mcp`,
        `http://127.0.0.1:${port}@evil.test/mcp`,
        `http://127.0.0.1:0${port}/mcp`,
        `http:/127.0.0.1:${port}/mcp`,
        `//127.0.0.1:${port}/mcp`,
        ` ${origin}/mcp`,
        `${origin}/mcp\n`,
        "/mcp"
      ]
      for (const htu of others) rejected(server, yield* prove({ htu }), "proof-url")
      const same = [
        `HTTP://127.0.0.1:${port}/mcp`,
        `${origin}/./mcp`,
        `${origin}/a/../mcp`,
        `${origin}/a/%2e%2e/mcp`,
        `${origin}/%6dcp`,
        `${origin}/mcp?x`,
        `${origin}/mcp#x`
      ]
      for (const htu of same) resultOf(yield* prove({ htu }))
    }))

  it.effect("T-DPOP-02 DPOP-37 DPOP-38 ignores forwarding headers, and answers 403 to a Host with more than a host", () =>
    Effect.gen(function*() {
      const { call, proof, server, token } = yield* start(Dpop.optional())
      const evil = {
        host: "evil.test",
        "x-forwarded-host": "evil.test",
        "x-forwarded-proto": "https",
        "x-forwarded-prefix": "/evil",
        "x-original-url": "/evil",
        "x-rewrite-url": "/evil",
        forwarded: "host=evil.test;proto=https"
      }
      resultOf(yield* call(yield* proof(), evil))
      for (const htu of ["http://evil.test/mcp", "https://evil.test/mcp", `${server.origin}/evil`]) {
        rejected(server, yield* call(yield* proof({ htu }), evil), "proof-url")
      }
      for (const host of ["localhost/intendedPath?", `127.0.0.1:${server.port}/mcp?`, "a@b", "a#", "[::1"]) {
        const proofs = [
          yield* proof(),
          yield* proof({ htu: `http://${host}` }),
          yield* proof({ htu: `http://${host}/mcp` })
        ]
        for (const dpop of proofs) {
          const answer = yield* server.call("list_todos", { authorization: `DPoP ${token}`, dpop, host })
          assert.strictEqual(answer.status, 403)
        }
      }
      // The origin in the target of a request is ignored, so a proof for that origin is rejected.
      const absolute = (htu: string) =>
        Effect.flatMap(proof({ htu }), (dpop) =>
          server.raw(
            `POST http://evil.test/mcp HTTP/1.1\r\nHost: evil.test\r\nAuthorization: DPoP ${token}\r\nDPoP: ${dpop}\r\n` +
              "Content-Type: text/plain\r\nContent-Length: 0\r\n\r\n",
            (_) => _.includes("\r\n\r\n")
          ))
      assert.notMatch(yield* absolute("http://evil.test/mcp"), /^HTTP\/1\.1 (?:200|415)/)
    }))

  it.effect("T-DPOP-04 rejects a proof for another token, or of another key", () =>
    Effect.gen(function*() {
      const { call, client, proof, prove, server, token } = yield* start(Dpop.optional())
      const other = yield* server.issuer.mint({ scopes: ["todos:read"], boundTo: client.thumbprint, subject: "bob" })
      const its = yield* client.proof({ method: "POST", url: server.resource, token: other })
      rejected(server, yield* call(its), "proof-token")
      const good = JSON.parse(Buffer.from((yield* proof()).split(".")[1]!, "base64url").toString())["ath"]
      for (const ath of [undefined, null, 1, "", `${good}==`, `${good}=`, good.toUpperCase(), [good]]) {
        rejected(server, yield* prove({ ath }), "proof-token")
      }
      resultOf(yield* prove({ ath: good }))
      const thief = yield* DpopClient.make()
      const stolen = { method: "POST", url: server.resource, token }
      rejected(server, yield* call(yield* thief.proof(stolen)), "bound-to-another-key", "invalid_token")
      // This proof names the key of the owner, and is signed with the key of the thief.
      const named = yield* thief.proof({ ...stolen, header: { jwk: client.publicJwk } })
      rejected(server, yield* call(named), "proof-signature")
      // These keys have ambiguous members, so two parsers could choose different keys.
      const rsa = yield* DpopClient.make({ algorithm: "RS256" })
      const { n, e } = rsa.publicJwk
      const ambiguous = [
        { ...client.publicJwk, n, e },
        { ...rsa.publicJwk, crv: client.publicJwk.crv, x: client.publicJwk.x, y: client.publicJwk.y },
        [client.publicJwk, thief.publicJwk],
        { keys: [client.publicJwk, thief.publicJwk] },
        { ...client.publicJwk, jwk: thief.publicJwk },
        { ...client.publicJwk, "x-other": "y" },
        { ...client.publicJwk, d: "AAAA" },
        { ...client.publicJwk, k: "AAAA" },
        { ...client.publicJwk, use: "enc" },
        { ...client.publicJwk, key_ops: ["sign"] },
        { ...client.publicJwk, alg: "ES384" },
        { ...client.publicJwk, x: client.publicJwk.y },
        { ...client.publicJwk, y: undefined }
      ]
      for (const jwk of ambiguous) {
        const answer = yield* prove({}, { jwk })
        assert.strictEqual(answer.status, 401, JSON.stringify(jwk))
      }
      const bearer = yield* server.call("list_todos", { authorization: `Bearer ${token}`, dpop: yield* proof() })
      assert.strictEqual(bearer.status, 401)
      assert.strictEqual(server.decisions.at(-1)?.reason, "bound-to-key")
    }))

  it.effect("T-DPOP-06 rejects a proof outside its window, and the window is never longer than five minutes", () =>
    Effect.gen(function*() {
      const { call, client, prove, server, token } = yield* start(
        Dpop.optional({ window: "4 minutes", clockTolerance: "1 minute" })
      )
      const times = [now - 301, now + 301, now + 61, 0, -1, "x", `${now}`, undefined, null, true, [now], now * 1000]
      for (const iat of times) rejected(server, yield* prove({ iat }), "proof-time")
      for (const nbf of [now + 61, now + 301, "x"]) rejected(server, yield* prove({ nbf }), "proof-time")
      for (const exp of [now - 60, 0, "x"]) rejected(server, yield* prove({ exp }), "proof-time")
      for (const iat of [now - 300, now + 60]) resultOf(yield* prove({ iat }))
      // `1e400` is valid JSON, and JavaScript parses it as infinity.
      const good = yield* client.proof({ method: "POST", url: server.resource, token })
      const [header, claims, signature] = good.split(".") as [string, string, string]
      const endless = Buffer.from(claims, "base64url").toString().replace(/"iat":\d+/, "\"iat\":1e400")
      rejected(server, yield* call(`${header}.${Running.segment(endless)}.${signature}`), "proof-time")
    }))

  it.effect("T-DPOP-07 requires a recent nonce of this server, and sends one with use_dpop_nonce", () =>
    Effect.gen(function*() {
      const { prove, server } = yield* start(Dpop.optional({ nonce: "required", nonceLifetime: "1 minute" }))
      const elsewhere = yield* start(Dpop.optional({ nonce: "required" }))
      const challenge = yield* prove()
      rejected(server, challenge, "proof-nonce", "use_dpop_nonce")
      const nonce = String(challenge.headers["dpop-nonce"])
      resultOf(yield* prove({ nonce }))
      const foreign = String((yield* elsewhere.prove()).headers["dpop-nonce"])
      const bytes = Buffer.from(nonce, "base64url")
      const later = Buffer.from(bytes)
      later[7]! ^= 1
      const seal = Buffer.from(bytes)
      seal[seal.length - 1]! ^= 1
      const made = [
        foreign,
        "",
        "\"",
        `"${nonce}"`,
        `${nonce}=`,
        ` ${nonce}`,
        nonce.slice(1),
        later.toString("base64url"),
        seal.toString("base64url"),
        Buffer.alloc(bytes.length).toString("base64url"),
        "x".repeat(2_000),
        1,
        null,
        [nonce]
      ]
      const seen = new Set<string>()
      for (const value of made) {
        const answer = yield* prove({ nonce: value })
        rejected(server, answer, "proof-nonce", "use_dpop_nonce")
        seen.add(String(answer.headers["dpop-nonce"]))
        yield* TestClock.adjust("1 millis")
      }
      assert.strictEqual(seen.size, made.length)
      yield* TestClock.adjust("1 minute")
      const late = yield* prove({ nonce })
      rejected(server, late, "proof-nonce", "use_dpop_nonce")
      resultOf(yield* prove({ nonce: late.headers["dpop-nonce"] }))
    }))

  it.effect("T-DPOP-09 rejects several proofs, and an endless one", () =>
    Effect.gen(function*() {
      const { call, proof, server, token } = yield* start(Dpop.optional())
      const [one, two] = [yield* proof(), yield* proof()]
      for (const dpop of [[one, two], [one, one], [one, ""], Array.from({ length: 50 }, () => one.slice(0, 100))]) {
        rejected(server, yield* call(dpop), "several-proofs")
      }
      for (const dpop of [`${one}, ${two}`, `${one},${one}`, `${one},`, `,${one}`]) {
        rejected(server, yield* call(dpop), "several-proofs")
      }
      for (const length of [8 * 1024 + 1, 20_000, 40_000]) {
        rejected(server, yield* call("x".repeat(length)), "proof-too-large")
        rejected(server, yield* call(yield* proof({ padding: "x".repeat(length * 0.8) })), "proof-too-large")
      }
      // Node itself rejects a header of 100,000 characters.
      const received = yield* server.raw(
        `POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: DPoP ${token}\r\nDPoP: ${"x".repeat(100_000)}\r\n\r\n`,
        (_) => _.includes("\r\n\r\n")
      )
      assert.match(received, /^HTTP\/1\.1 431 /)
      // No rejected request recorded the proof as used.
      resultOf(yield* call(one))
    }))
})
