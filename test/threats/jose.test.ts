import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Forgery, SigningKey } from "effect-mcp-auth/testing"
import * as Running from "./Running.ts"

const { assertInvalidToken, bearer, goodClaims, goodHeader, resultOf, segment } = Running

/** Starts a server, and sends it a request, so that it caches the keys of the issuer. Clears the issuer's list of requests. */
const warm = Effect.fnUntraced(function*(options: Running.Options = {}) {
  const server = yield* Running.start(options)
  resultOf(yield* server.call("list_todos", bearer(yield* server.issuer.mint({ scopes: ["todos:read"] }))))
  yield* server.issuer.takeRequests
  return server
})

const rejected = Effect.fnUntraced(function*(server: Running.Running, token: string, reason: string) {
  assertInvalidToken(server, yield* server.call("list_todos", bearer(token)))
  assert.strictEqual(server.decisions.at(-1)?.reason, reason)
})

describe("the token", () => {
  it.effect("T-JOSE-01 rejects an unsecured token without a look-up of keys", () =>
    Effect.gen(function*() {
      const server = yield* warm()
      const good = yield* server.issuer.signSegments(segment(goodHeader), segment(goodClaims(server)))
      for (const alg of ["none", "None", "NONE", "nOnE"]) {
        for (const signature of ["", good.split(".")[2]!]) {
          const token = `${segment({ alg, typ: "at+jwt" })}.${segment(goodClaims(server))}.${signature}`
          yield* rejected(server, token, "algorithm")
        }
      }
      assert.deepStrictEqual(yield* server.issuer.requests, [])
    }))

  it.effect("T-JOSE-02 does not accept a public key as a secret for HMAC, in any form", () =>
    Effect.gen(function*() {
      for (const algorithm of ["RS256", "ES256"] as const) {
        const server = yield* warm({ algorithm })
        const kinds = Forgery.kinds.filter((kind) => kind.startsWith("hmac-"))
        assert.lengthOf(kinds, 5)
        for (const kind of kinds) {
          for (const alg of ["HS256", "HS384", "HS512"]) {
            yield* rejected(server, yield* server.issuer.mintBroken(kind, { header: { alg } }), "algorithm")
          }
        }
        assert.deepStrictEqual(yield* server.issuer.requests, [])
      }
    }))

  it.effect("T-JOSE-04 ignores a key inside the header", () =>
    Effect.gen(function*() {
      const server = yield* warm()
      const own = yield* SigningKey.make()
      const jwk = own.publicJwk
      for (const header of [{ jwk }, { jwk: { ...jwk, kid: "key-1" } }]) {
        const token = yield* own.signSegments(segment({ ...goodHeader, ...header }), segment(goodClaims(server)))
        yield* rejected(server, token, "signature")
      }
      const { kid: _, ...nameless } = goodHeader
      const token = yield* own.signSegments(segment({ ...nameless, jwk }), segment(goodClaims(server)))
      yield* rejected(server, token, "signature")
    }))

  it.effect("T-JOSE-05 sends no request for a header that says where the key is", () =>
    Effect.gen(function*() {
      const requested: Array<string> = []
      const server = yield* warm({
        elsewhere: (url) => {
          requested.push(url.href)
          return undefined
        }
      })
      const own = yield* SigningKey.make()
      for (
        const header of [
          { jku: "https://evil.test/jwks" },
          { x5u: "https://evil.test/chain.pem" },
          { x5c: ["MIIBszCCAVmgAwIBAgIUQ=="] },
          { jku: "https://evil.test/jwks", x5u: "https://evil.test/chain.pem", kid: "evil" }
        ]
      ) {
        const token = yield* own.signSegments(segment({ ...goodHeader, ...header }), segment(goodClaims(server)))
        assertInvalidToken(server, yield* server.call("list_todos", bearer(token)))
      }
      assert.deepStrictEqual(requested, [])
      assert.isTrue((yield* server.issuer.requests).every(({ url }) => url === server.issuer.jwksUri))
    }))

  it.effect("T-JOSE-06 compares a key id without interpreting it, and shows it only in the log, escaped and cut", () =>
    Effect.gen(function*() {
      const server = yield* warm()
      const ids = [
        "../../../dev/null",
        "https://evil.test/key",
        "' OR 1=1 --",
        "k".repeat(8_000),
        "a\r\nSet-Cookie: b=c",
        "__proto__",
        "constructor",
        "toString"
      ]
      for (const kid of ids) {
        const token = yield* server.issuer.signSegments(segment({ ...goodHeader, kid }), segment(goodClaims(server)))
        const answer = yield* server.call("list_todos", bearer(token))
        assertInvalidToken(server, answer)
        assert.isUndefined(answer.headers["set-cookie"])
        assert.notInclude(JSON.stringify(answer), JSON.stringify(kid).slice(1, 12))
        const line = JSON.parse(server.logs().trim().split("\n").at(-1)!)
        assert.isString(line.message)
        assert.isAtMost(line.annotations.receivedUnverified.length, 256)
        assert.notMatch(line.annotations.receivedUnverified, /\p{Cc}/u)
      }
      // All unknown key ids together cause one fetch.
      assert.deepStrictEqual((yield* server.issuer.requests).map(({ url }) => url), [server.issuer.jwksUri])
    }))

  it.effect("T-JOSE-08 rejects critical header parameters that are unknown", () =>
    Effect.gen(function*() {
      const server = yield* warm()
      for (const more of [{ crit: ["x"], x: 1 }, { crit: ["alg"] }, { crit: [] }, { crit: "x" }, { b64: true }]) {
        const token = yield* server.issuer.signSegments(
          segment({ ...goodHeader, ...more }),
          segment(goodClaims(server))
        )
        yield* rejected(server, token, "critical-header")
      }
    }))

  it.effect("T-JOSE-10 reads no other serialization", () =>
    Effect.gen(function*() {
      const server = yield* warm()
      const good = yield* server.issuer.signSegments(segment(goodHeader), segment(goodClaims(server)))
      const [header, payload, signature] = good.split(".") as [string, string, string]
      const nested = yield* server.issuer.signSegments(segment({ ...goodHeader, cty: "JWT" }), segment(good))
      for (
        const token of [
          segment({ payload, protected: header, signature }),
          segment({ payload, signatures: [{ protected: header, signature }] }),
          `${segment({ alg: "dir", enc: "A256GCM" })}..${segment("iv")}.${segment("cipher")}.${segment("tag")}`,
          nested,
          `${good}.${signature}`,
          `${good}.`,
          `.${good}`,
          `${header}.${payload}`
        ]
      ) {
        assertInvalidToken(server, yield* server.call("list_todos", bearer(token)))
      }
      // JSON contains characters that no Bearer token can have (RFC 6750 §2.1), so the header is malformed.
      const json = yield* server.call("list_todos", bearer(JSON.stringify({ payload, protected: header, signature })))
      assert.strictEqual(json.status, 400)
    }))

  it.effect("T-JOSE-12 checks the size before anything is decoded", () =>
    Effect.gen(function*() {
      const server = yield* warm()
      const claims = goodClaims(server)
      const many = Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`claim-${i}`, i]))
      // The headers of these requests fit into the 64 KiB that this server of Node accepts, so they reach the gate.
      const tokens = [
        "a".repeat(8_000),
        "a".repeat(17_000),
        ".".repeat(50_000),
        `${"a".repeat(10)}.${"b".repeat(48_000)}.c`
      ]
      for (const token of tokens) {
        assertInvalidToken(server, yield* server.call("list_todos", bearer(token)))
      }
      const large = yield* server.issuer.signSegments(segment(goodHeader), segment({ ...claims, ...many }))
      assert.isAbove(large.length, 64 * 1024)
      for (const token of [large, "a".repeat(64 * 1024), "a".repeat(1_000_000), ".".repeat(1_000_000)]) {
        const received = yield* server.raw(
          `POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${token}\r\nContent-Length: 0\r\n\r\n`
        )
        assert.match(received, /^HTTP\/1\.1 431 /)
      }
      const tooMany = Object.fromEntries(Array.from({ length: 1_000 }, (_, i) => [`claim-${i}`, i]))
      const token = yield* server.issuer.signSegments(segment(goodHeader), segment({ ...claims, ...tooMany }))
      yield* rejected(server, token, "too-large")
    }))

  it.effect("T-JOSE-13 rejects deeply nested JSON, signed or not", () =>
    Effect.gen(function*() {
      const server = yield* warm()
      // A token of 16 KiB has room for about 5,900 levels.
      const deep = (levels: number) => `${"[".repeat(levels)}${"]".repeat(levels)}`
      const claims = JSON.stringify(goodClaims(server)).slice(0, -1)
      for (const levels of [100, 1_000, 5_500]) {
        const payload = segment(`${claims},"x":${deep(levels)}}`)
        yield* rejected(server, yield* server.issuer.signSegments(segment(goodHeader), payload), "malformed")
        yield* rejected(server, `${segment(goodHeader)}.${payload}.AAAA`, "malformed")
        const header = segment(`{"alg":"ES256","kid":"key-1","typ":"at+jwt","x":${deep(levels)}}`)
        yield* rejected(
          server,
          yield* server.issuer.signSegments(header, segment(goodClaims(server))),
          "malformed"
        )
      }
      for (const levels of [20_000, 100_000]) {
        const payload = segment(`${claims},"x":${deep(levels)}}`)
        const received = yield* server.raw(
          `POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${
            segment(goodHeader)
          }.${payload}.AAAA\r\nContent-Length: 0\r\n\r\n`,
          (_) => _.includes("\r\n\r\n")
        )
        assert.match(received, /^HTTP\/1\.1 4(?:01|31) /)
      }
      // A moderate depth is accepted.
      const token = yield* server.issuer.signSegments(segment(goodHeader), segment(`${claims},"x":${deep(20)}}`))
      resultOf(yield* server.call("list_todos", bearer(token)))
    }))

  it.effect("T-JOSE-15 ignores members of the prototype", () =>
    Effect.gen(function*() {
      const server = yield* warm()
      const { scope: _, sub: __, ...rest } = goodClaims(server)
      const claims = JSON.stringify(rest).slice(0, -1)
      const withScope =
        `${claims},"sub":"alice","__proto__":{"scope":"todos:read admin"},"constructor":{"scope":"admin"},"toString":1}`
      const token = yield* server.issuer.signSegments(segment(goodHeader), segment(withScope))
      const listed = yield* server.call("list_todos", bearer(token))
      assert.strictEqual(listed.status, 403)
      const who = resultOf(yield* server.call("whoami", bearer(token)))
      assert.deepStrictEqual(who.structuredContent.scopes, [])
      const inherited = `${claims},"__proto__":{"sub":"admin"}}`
      yield* rejected(server, yield* server.issuer.signSegments(segment(goodHeader), segment(inherited)), "subject")
      assert.isUndefined(({} as { readonly sub?: unknown }).sub)
    }))
})
