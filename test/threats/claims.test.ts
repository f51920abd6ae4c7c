import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestIssuer } from "effect-mcp-auth/testing"
import { HttpClient } from "effect/http"
import { TestClock } from "effect/testing"
import * as Running from "./Running.ts"

const { assertInvalidToken, bearer, challengeOf, goodClaims, goodHeader, now, resultOf, segment } = Running

/** A correctly signed token whose claims differ from those of a good token. `undefined` removes a claim. */
const token = (server: Running.Running, claims: Readonly<Record<string, unknown>>, header: object = {}) =>
  server.issuer.signSegments(segment({ ...goodHeader, ...header }), segment({ ...goodClaims(server), ...claims }))

const rejected = Effect.fnUntraced(function*(
  server: Running.Running,
  claims: Readonly<Record<string, unknown>>,
  reason: string,
  header: object = {}
) {
  const { length } = server.decisions
  assertInvalidToken(server, yield* server.call("list_todos", bearer(yield* token(server, claims, header))))
  assert.deepStrictEqual(server.decisions.slice(length).map((_) => _.reason), [reason])
})

const accepted = Effect.fnUntraced(function*(server: Running.Running, claims: Readonly<Record<string, unknown>>) {
  return resultOf(yield* server.call("list_todos", bearer(yield* token(server, claims)))).structuredContent
})

describe("the claims", () => {
  it.effect("T-CLAIM-02 checks the times of a token", () =>
    Effect.gen(function*() {
      const server = yield* Running.start()
      yield* rejected(server, { exp: now - 1 }, "expired")
      yield* rejected(server, { exp: now }, "expired")
      yield* rejected(server, { exp: undefined }, "expiry")
      yield* rejected(server, { exp: String(now + 300) }, "expiry")
      yield* rejected(server, { nbf: now + 120 }, "not-yet-valid")
      yield* rejected(server, { iat: now + 3600 }, "issued-in-the-future")
      yield* accepted(server, { exp: now + 1, nbf: now + 30, iat: now + 30 })
      yield* rejected(server, { nbf: now + 31 }, "not-yet-valid")
      // A token that the server has already accepted still expires.
      const one = yield* token(server, { exp: now + 10 })
      resultOf(yield* server.call("list_todos", bearer(one)))
      yield* TestClock.adjust("10 seconds")
      assertInvalidToken(server, yield* server.call("list_todos", bearer(one)))

      const tolerant = yield* Running.start({ auth: { clockTolerance: "10 seconds" } })
      yield* accepted(tolerant, { exp: now - 9, nbf: now + 10, iat: now + 10 })
      yield* rejected(tolerant, { exp: now - 10 }, "expired")
      yield* rejected(tolerant, { nbf: now + 11 }, "not-yet-valid")
    }))

  it.effect("T-CLAIM-03 requires exactly this resource as the audience", () =>
    Effect.gen(function*() {
      const server = yield* Running.start()
      const { origin, resource } = server
      for (
        const aud of [
          undefined,
          [],
          [[resource]],
          { includes: 1 },
          { 0: resource, length: 1 },
          42,
          null,
          "",
          `${resource}/`,
          `${resource}2`,
          resource.slice(0, -1),
          resource.toUpperCase(),
          resource.replace("127.0.0.1", "localhost"),
          resource.replace("http:", "https:"),
          origin,
          resource.replace("mcp", "%6dcp"),
          `${resource};x`,
          `${resource} `,
          ` ${resource}`,
          `${resource}\u200b`,
          `${resource} https://other.test/mcp`,
          Array.from({ length: 1000 }, (_, i) => `urn:${i}`)
        ]
      ) {
        yield* rejected(server, { aud }, "audience")
      }
      yield* accepted(server, { aud: ["https://other.test/mcp", resource] })
    }))

  it.effect("T-CLAIM-04 requires exactly the configured issuer, and contacts no host that a token names", () =>
    Effect.gen(function*() {
      const server = yield* Running.start()
      yield* accepted(server, {})
      yield* server.issuer.takeRequests
      for (
        const iss of [
          undefined,
          ["https://issuer.test"],
          "https://issuer.test/",
          "https://Issuer.test",
          "HTTPS://issuer.test",
          "https://issuer.test:443",
          "https://xn--ssuer-2of.test",
          "https://\u0456ssuer.test",
          "https://issuer.test@evil.test",
          "https://evil.test",
          "",
          null
        ]
      ) {
        yield* rejected(server, { iss }, "unknown-issuer")
      }
      assert.deepStrictEqual(yield* server.issuer.requests, [])
    }))

  it.effect("T-CLAIM-05 rejects an ID token", () =>
    Effect.gen(function*() {
      const server = yield* Running.start()
      const id = { nonce: "n", scope: undefined, client_id: undefined, azp: "client-1" }
      yield* rejected(server, { ...id, aud: "client-1" }, "id-token", { typ: "JWT" })
      yield* rejected(server, id, "id-token", { typ: "JWT" })
      yield* rejected(server, { ...id, nonce: undefined, at_hash: "x" }, "id-token", { typ: undefined })
      yield* rejected(server, { ...id, nonce: undefined }, "token-type", { typ: "JWT" })
      yield* rejected(server, { nonce: "n" }, "id-token", { typ: "JWT" })
      yield* rejected(server, {}, "token-type", { typ: "oauth-id-jag+jwt" })
      yield* rejected(server, {}, "token-type", { typ: "dpop+jwt" })
      yield* rejected(server, {}, "token-type", { typ: "logout+jwt" })
    }))

  it.effect("T-CLAIM-07 rejects a token for another resource, and forwards none to the authorization server", () =>
    Effect.gen(function*() {
      const seen: Array<string> = []
      const server = yield* Running.start({
        client: (own) =>
          HttpClient.mapRequest(own, (request) => {
            seen.push(JSON.stringify([request.url, request.headers, request.urlParams]))
            return request
          })
      })
      yield* rejected(server, { aud: `${server.origin}/other` }, "audience")
      const good = yield* token(server, {})
      resultOf(yield* server.call("list_todos", bearer(good)))
      assert.isNotEmpty(seen)
      for (const part of good.split(".")) assert.notInclude(seen.join(), part)
      assert.notInclude(seen.join().toLowerCase(), "authorization\"")
    }))

  it.effect("T-CLAIM-09 accepts only a string as a subject", () =>
    Effect.gen(function*() {
      const server = yield* Running.start()
      for (const sub of [undefined, "", 42, null, {}, ["alice"], "a\u0000b", "a\nb"]) {
        yield* rejected(server, { sub }, "subject")
      }
      yield* rejected(server, { sub: "s".repeat(20_000) }, "too-large")
      assert.isTrue(server.decisions.every(({ subject }) => subject === undefined))
    }))

  it.effect("T-CLAIM-10 treats the same subject of another issuer or client as another caller", () =>
    Effect.gen(function*() {
      const other = yield* TestIssuer.make({ issuer: "https://other.test" })
      const server = yield* Running.start({
        authorizationServers: ["https://issuer.test", "https://other.test"],
        others: [other.issuer]
      })
      const first = yield* accepted(server, {})
      const program = yield* accepted(server, { client_id: "alice", sub: "alice" })
      const foreign = yield* other.issuer.mint({ audience: server.resource, subject: "alice", scopes: ["todos:read"] })
      const second = resultOf(yield* server.call("list_todos", bearer(foreign))).structuredContent
      assert.strictEqual(new Set([first.key, program.key, second.key]).size, 3)
      assert.notStrictEqual(first.owner, second.owner)
      // A token that names one trusted issuer, but is signed with the key of another one, is rejected.
      const forged = yield* other.issuer.sign({ ...goodHeader }, goodClaims(server))
      assertInvalidToken(server, yield* server.call("list_todos", bearer(forged)))
      assert.strictEqual(server.decisions.at(-1)?.reason, "signature")
    }))

  it.effect("T-CLAIM-12 compares whole scopes", () =>
    Effect.gen(function*() {
      const server = yield* Running.start()
      for (
        const scope of ["todos:readonly", "Todos:Read", "todos:*", "*", "todos", "xtodos:read", ""]
      ) {
        const answer = yield* server.call("list_todos", bearer(yield* token(server, { scope })))
        assert.strictEqual(answer.status, 403, scope)
        assert.strictEqual(challengeOf(answer)["error"], "insufficient_scope")
      }
      const withControl = yield* server.call("list_todos", bearer(yield* token(server, { scope: "todos:read\u0000" })))
      assert.strictEqual(withControl.status, 401)
      yield* accepted(server, { scope: "other todos:read" })
      const wider = yield* Running.start({ auth: { scopeHierarchy: { "todos:write": ["todos:read"] } } })
      yield* accepted(wider, { scope: "todos:write" })
    }))
})
