import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { Audience, type Principal } from "effect-mcp-auth"
import { Introspection } from "effect-mcp-auth/introspection"
import { resource, secret, start, world } from "../verification/introspection/answers.ts"

/**
 * The answer of an introspection endpoint that finds a token by its `jti` and ignores the other claims. An attacker can keep
 * the `jti` of a valid token and write the other claims.
 */
const byId = (answer: Record<string, unknown>) => () => Response.json({ active: true, ...answer })

const all = { introspection: Introspection.make({ ...secret, tokens: "all" }) } as const

const encode = (json: object) => Buffer.from(JSON.stringify(json)).toString("base64url")

/** A JWT whose claims the attacker chooses and whose signature is invented. */
const forged = (claims: Record<string, unknown>, header: Record<string, unknown> = {}, signature = "AAAA") =>
  `${encode({ alg: "ES256", typ: "at+jwt", kid: "unknown", ...header })}.${
    encode({ iss: "https://issuer.test", jti: "mine", ...claims })
  }.${signature}`

const complete = { sub: "mallory", aud: resource, client_id: "c", scope: "todos:read", exp: start + 300 }

const admin = {
  sub: "admin",
  aud: resource,
  client_id: "trusted",
  scope: "todos:read",
  exp: start + 300,
  roles: ["admin"]
}

describe("an unsigned JWT that the endpoint calls active", () => {
  // For the last two shapes, the keys of the issuer show that the signature is wrong, so the token is rejected. For the other
  // shapes, the signature cannot be checked, so the answer of the endpoint decides.
  const shapes: ReadonlyArray<readonly [string, Record<string, unknown>, string?]> = [
    ["an unknown key", {}],
    ["alg none", { alg: "none" }, ""],
    ["an algorithm of a shared secret", { alg: "HS256" }],
    ["a critical header", { crit: ["x"], x: 1 }],
    ["no key id", { kid: undefined }],
    ["a signature by no key of the issuer", { kid: "key-1" }]
  ]

  it.effect.each(shapes)(
    "[T-AUD-21a] with %s supplies no subject, audience, end or scope",
    ([, header, signature]) =>
      Effect.gen(function*() {
        const { endpoint, gate, issuer } = yield* world
        const { kid } = yield* issuer.currentKey
        const token = forged(admin, header["kid"] === "key-1" ? { kid } : header, signature)
        const caller = yield* gate({ server: all })
        for (
          const answer of [{}, { sub: "mallory" }, { sub: "mallory", exp: start + 300 }, {
            ...complete,
            sub: undefined
          }]
        ) {
          endpoint.answer = byId(answer)
          // During the cooldown of unknown keys, it is unknown whether the issuer has this key, so the status can be 503.
          assert.match(yield* caller.outcome(token), /^401 |^503 keys-cooling-down$/)
        }
      })
  )

  it.effect.each(shapes.slice(0, 4))(
    "[T-AUD-21a] with %s adds nothing to a complete answer",
    ([, header, signature]) =>
      Effect.gen(function*() {
        const { endpoint, gate } = yield* world
        const caller = yield* gate({ server: all })
        endpoint.answer = byId({ ...complete, scope: undefined, client_id: undefined })
        const principal = (yield* caller.present(forged(admin, header, signature))) as Principal
        assert.strictEqual(principal.subject, "mallory")
        assert.strictEqual(principal.clientId, undefined)
        assert.strictEqual(principal.scopes.size, 0)
        assert.notProperty(principal.claims, "roles")
        assert.notProperty(principal.claims, "jti")
      })
  )

  it.effect("[T-AUD-21a] is rejected if a key of the issuer shows that its signature is wrong", () =>
    Effect.gen(function*() {
      const { endpoint, gate, issuer } = yield* world
      const { kid } = yield* issuer.currentKey
      endpoint.answer = byId(complete)
      assert.strictEqual(yield* (yield* gate({ server: all })).outcome(forged(admin, { kid })), "401 signature")
    }))

  it.effect.each<readonly [string, Record<string, unknown>, string]>([
    ["an earlier end", { exp: start - 1 }, "401 expired"],
    ["an end that is not a number", { exp: "soon" }, "401 expiry"],
    ["a later start", { nbf: start + 100 }, "401 not-yet-valid"],
    ["an issue in the future", { iat: start + 100 }, "401 issued-in-the-future"],
    ["another audience", { aud: "https://other.test" }, "401 audience"],
    ["an audience of a wrong type", { aud: [1] }, "401 audience"],
    ["a key", { cnf: { jkt: "A".repeat(43) } }, "401 bound-to-key"],
    ["the type of an ID token", { nonce: "n" }, "401 id-token"]
  ])("[T-AUD-21b] still restricts: %s", ([, claims, outcome]) =>
    Effect.gen(function*() {
      const { endpoint, gate } = yield* world
      // The members of the answer take precedence over the claims, so the answer has no `aud` if the claims have one.
      const { aud: _, exp: __, ...rest } = complete
      endpoint.answer = byId({ ...rest, ...("aud" in claims ? {} : { aud: resource }), exp: start + 300 })
      const header = "nonce" in claims ? { typ: "JWT" } : {}
      const caller = yield* gate({ server: all, audience: Audience.introspector })
      assert.strictEqual(yield* caller.outcome(forged(claims, header)), outcome)
    }))

  it.effect("[T-AUD-21b] an earlier exp than that of the answer counts, and a later one does not", () =>
    Effect.gen(function*() {
      const { endpoint, gate } = yield* world
      const caller = yield* gate({ server: all })
      endpoint.answer = byId({ ...complete, exp: start + 200 })
      const ends = (exp: number) => Effect.map(caller.present(forged({ exp })), (_) => (_ as Principal).expiresAt)
      assert.strictEqual(yield* ends(start + 100), start + 100)
      assert.strictEqual(yield* ends(start + 400), start + 200)
    }))

  it.effect("[T-AUD-21b] its iat does not extend a maxLifetime", () =>
    Effect.gen(function*() {
      const { endpoint, gate } = yield* world
      const { exp: _, ...rest } = complete
      endpoint.answer = byId({ ...rest, iat: start - 90 })
      const introspection = Introspection.make({ ...secret, tokens: "all", maxLifetime: "100 seconds" })
      const caller = yield* gate({ server: { introspection } })
      const principal = (yield* caller.present(forged({ iat: start, exp: start + 400 }))) as Principal
      assert.strictEqual(principal.expiresAt, start + 10)
    }))

  it.effect("[T-AUD-21a] supplies no subject if a look-up of the author calls it active", () =>
    Effect.gen(function*() {
      const { gate } = yield* world
      const lookUp: Introspection.LookUp = () => Effect.succeed({ active: true })
      const caller = yield* gate({ server: { introspection: Introspection.lookUp(lookUp, { tokens: "all" }) } })
      assert.match(yield* caller.outcome(forged(admin)), /^401 /)
    }))
})

describe("a JWT that its issuer signed", () => {
  it.effect("[T-AUD-21c] completes an answer that contains only active: true", () =>
    Effect.gen(function*() {
      const { endpoint, gate, issuer } = yield* world
      endpoint.answer = byId({})
      const token = yield* issuer.mint({ scopes: ["todos:read"] })
      const principal = (yield* (yield* gate({ server: all })).present(token)) as Principal
      assert.strictEqual(principal.subject, "alice")
      assert.deepStrictEqual([...principal.scopes], ["todos:read"])
    }))

  it.effect("[T-AUD-21c] adds nothing if its issuer has no keys, and only the answer counts", () =>
    Effect.gen(function*() {
      const { endpoint, gate, issuer } = yield* world
      yield* issuer.publishMetadata({ jwks_uri: undefined })
      const token = yield* issuer.mint({ scopes: ["todos:read"] })
      const caller = yield* gate({ server: all })
      endpoint.answer = byId({})
      assert.match(yield* caller.outcome(token), /^401 /)
      endpoint.answer = byId({ ...complete, scope: undefined })
      const principal = (yield* caller.present(`${token.slice(0, -4)}AAAA`)) as Principal
      assert.strictEqual(principal.scopes.size, 0)
    }))

  it.effect("[T-AUD-21c] is an outage, not a rejection, while the keys cannot be fetched", () =>
    Effect.gen(function*() {
      const { endpoint, gate, issuer } = yield* world
      endpoint.answer = byId(complete)
      const token = yield* issuer.mint()
      yield* issuer.respondWith("/jwks", () => new Response("", { status: 500 }))
      assert.strictEqual(yield* (yield* gate({ server: all })).outcome(token), "503 server-error")
    }))

  it.effect("[T-AUD-21c] needs no key if the answer contains all its claims", () =>
    Effect.gen(function*() {
      const { endpoint, gate, issuer } = yield* world
      const token = forged({ exp: start + 300 }, { kid: undefined })
      endpoint.answer = byId({ ...complete, iss: "https://issuer.test", jti: "mine" })
      assert.strictEqual(yield* (yield* gate({ server: all })).outcome(token), "admitted")
      assert.isFalse((yield* issuer.requests).some(({ url }) => url.includes("jwks")))
    }))

  it.effect("[T-AUD-21c] stays redacted if it is redacted", () =>
    Effect.gen(function*() {
      const { endpoint, gate, issuer } = yield* world
      endpoint.answer = byId({})
      const token = yield* issuer.mint({ scopes: ["todos:read"] })
      const principal = (yield* (yield* gate({ server: all })).present(token)) as Principal
      assert.isTrue(Redacted.isRedacted(principal.token))
    }))
})
