import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger, Redacted, Result } from "effect"
import { AuthError, AuthLayer, type Principal, TokenVerifier } from "effect-mcp-auth"
import { Dpop } from "effect-mcp-auth/dpop"
import type { Rejection } from "effect-mcp-auth/host"
import { Introspection } from "effect-mcp-auth/introspection"
import { Challenge } from "effect-mcp-auth/protocol"
import { DpopClient, SigningKey, TestIssuer } from "effect-mcp-auth/testing"
import { HttpClient } from "effect/http"
import { TestClock } from "effect/testing"
import { base64url } from "jose"
import * as uri from "../../../src/protocol/UriNormalization.ts"
import { authenticate, authenticateCaller } from "../../authorization/steps.ts"
import { gateLayer } from "../../servers/gates.ts"

const resource = "https://server.test/mcp"
const now = 1_800_000_000

type Claims = Readonly<Record<string, unknown>>

/** A request that a test sends to the gate. */
interface GateRequest {
  readonly method?: string
  readonly path?: string | undefined
  readonly headers?: Readonly<Record<string, string>>
  readonly authorization: string
  readonly dpop?: ReadonlyArray<string>
}

const modes = { off: undefined, optional: Dpop.optional(), required: Dpop.required() }

/** A gate with DPoP, its issuer, a client, and a token that is bound to the client's key. */
const bench = Effect.fnUntraced(function*(
  dpop: Dpop.Dpop | undefined,
  more: Partial<Omit<AuthLayer.Common<readonly ["todos:read"]>, "scopes" | "dpop">> & {
    readonly introspection?: Introspection.Introspection
  } = {}
) {
  yield* TestClock.setTime(now * 1000)
  const { introspection, ...common } = more
  const { client: http, issuer } = yield* TestIssuer.make({ resource })
  const services = yield* Layer.build(
    gateLayer({
      resource,
      authorizationServers: [introspection === undefined ? issuer.issuer : { issuer: issuer.issuer, introspection }],
      scopes: ["todos:read"],
      dpop,
      ...common
    }).pipe(Layer.provide(Layer.succeed(HttpClient.HttpClient, http)))
  )
  const gate = yield* Effect.provide(AuthLayer.AuthLayer, services)
  const client = yield* DpopClient.make()
  const token = yield* issuer.mint({ scopes: ["todos:read"], boundTo: client.thumbprint, expiresIn: "1 hour" })
  const ask = ({ authorization, dpop = [], headers = {}, method = "POST", path = "/mcp" }: GateRequest) =>
    authenticate(gate, { method, path, dpop, authorization: [authorization], header: (name) => headers[name] }).pipe(
      Effect.map((caller) => typeof caller === "string" ? caller : `in: ${caller.subject}`),
      Effect.catch((rejection) => Effect.succeed(rejection)),
      Effect.provide(Logger.layer([]))
    )
  /** Sends the token with a proof that has these claims and header parameters. */
  const prove = (claims: Claims = {}, header: Claims = {}, request: Partial<GateRequest> = {}) =>
    Effect.flatMap(
      client.proof({ method: "POST", url: resource, token, claims, header }),
      (proof) => ask({ authorization: `DPoP ${token}`, dpop: [proof], ...request })
    )
  return { gate, issuer, client, token, ask, prove }
})

type Answer = string | Rejection.Rejection

const reasonOf = (answer: Answer): string => typeof answer === "string" ? answer : answer.reason

const challengesOf = (answer: Answer) => {
  assert(typeof answer !== "string", `came ${String(answer)}`)
  return Object.fromEntries(
    Result.getOrThrow(Challenge.parse(answer.headers["www-authenticate"] ?? "")).map(({ parameters, scheme }) => [
      scheme,
      Object.fromEntries(parameters)
    ])
  )
}

/** Asserts a 401 with `invalid_dpop_proof`, and this reason. */
const assertUnproven = (answer: Answer, reason: AuthError.InvalidDpopProof["reason"]) => {
  assert.strictEqual(reasonOf(answer), reason)
  assert(typeof answer !== "string")
  assert.strictEqual(answer.status, 401)
  const { Bearer, DPoP } = challengesOf(answer)
  assert.isUndefined(Bearer?.["error"])
  assert.strictEqual(DPoP?.["error"], "invalid_dpop_proof")
  assert.strictEqual(JSON.parse(answer.body).error, "invalid_dpop_proof")
}

const assertInvalidToken = (
  answer: Answer,
  reason: AuthError.InvalidTokenReason,
  scheme: "Bearer" | "DPoP" = "DPoP"
) => {
  assert.strictEqual(reasonOf(answer), reason)
  assert(typeof answer !== "string")
  assert.strictEqual(answer.status, 401)
  assert.strictEqual(challengesOf(answer)[scheme]?.["error"], "invalid_token")
}

describe("a proof", () => {
  it.effect("admits a bound token, once for each proof", () =>
    Effect.gen(function*() {
      const { prove } = yield* bench(Dpop.optional())
      assert.strictEqual(yield* prove(), "in: alice")
      assert.strictEqual(yield* prove(), "in: alice")
    }))

  it.effect.each(["RS256", "PS384", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"] as const)(
    "accepts a signature with %s",
    (
      algorithm
    ) =>
      Effect.gen(function*() {
        const { ask, issuer } = yield* bench(Dpop.required())
        const client = yield* DpopClient.make({ algorithm })
        const token = yield* issuer.mint({ boundTo: client.thumbprint })
        const { authorization, dpop } = yield* client.headers({ method: "POST", url: resource, token })
        assert.strictEqual(yield* ask({ authorization, dpop: [dpop] }), "in: alice")
      })
  )

  it.effect("DPOP-02 accepts unknown claims and header parameters", () =>
    Effect.gen(function*() {
      const { prove } = yield* bench(Dpop.optional())
      assert.strictEqual(
        yield* prove({ color: "blue", exp: now + 5, nbf: now }, { kid: "k", jku: "https://evil.test", x5c: [] }),
        "in: alice"
      )
    }))

  const htus = ["https://server.test", "https://server.test/", "https://server.test/mcp2", "https://other.test/mcp"]
  const bad: ReadonlyArray<{
    readonly title: string
    readonly claims?: ReadonlyArray<Claims>
    readonly headers?: ReadonlyArray<Claims>
    readonly reason: AuthError.InvalidDpopProof["reason"]
  }> = [
    {
      title: "DPOP-11 typ wrong or missing",
      headers: [{ typ: "JWT" }, { typ: undefined }, { typ: "at+jwt" }, { typ: 1 }, { typ: "DPOP+JWT" }],
      reason: "proof-type"
    },
    {
      title: "none, HMAC and unknown algorithms",
      headers: [{ alg: "none" }, { alg: "HS256" }, { alg: "ES256K" }, { alg: undefined }, { alg: ["ES256"] }],
      reason: "proof-algorithm"
    },
    {
      title: "an algorithm that is not that of the key",
      headers: [{ alg: "ES384" }, { alg: "RS256" }],
      reason: "proof-key"
    },
    {
      title: "critical headers",
      headers: [{ crit: ["exp"] }, { crit: [] }, { b64: true }, { zip: "DEF" }, { enc: "A128GCM" }],
      reason: "proof-critical-header"
    },
    {
      title: "DPOP-14 jwk missing or not an object",
      headers: [{ jwk: undefined }, { jwk: null }, { jwk: "x" }, { jwk: 1 }, { jwk: [] }, { jwk: {} }],
      reason: "proof-key"
    },
    {
      title: "DPOP-18 htm missing, a number, or another method",
      claims: [
        { htm: undefined },
        { htm: 1 },
        { htm: "GET" },
        { htm: "post" },
        { htm: "POST " }
      ],
      reason: "proof-method"
    },
    {
      title: "DPOP-20 htu missing, a number, of another path or host",
      claims: [{ htu: undefined }, { htu: 1 }, { htu: "" }, { htu: "/mcp" }, ...htus.map((htu) => ({ htu }))],
      reason: "proof-url"
    },
    {
      title: "DPOP-23 htu with http instead of https",
      claims: [{ htu: "http://server.test/mcp" }],
      reason: "proof-url"
    },
    {
      title: "DPOP-25 htu with one slash more (a slash is part of the path)",
      claims: [{ htu: "https://server.test/mcp/" }],
      reason: "proof-url"
    },
    {
      title: "DPOP-27 iat missing, a string, or not a moment",
      claims: [{ iat: undefined }, { iat: `${now}` }, { iat: null }, { iat: [now] }],
      reason: "proof-time"
    },
    {
      title: "DPOP-28 iat outside the window",
      claims: [{ iat: now - 301 }, { iat: now - 91 }, { iat: now + 31 }, { iat: 0 }, { iat: -now }],
      reason: "proof-time"
    },
    {
      title: "nbf in the future, exp in the past, or either not a moment",
      claims: [{ nbf: now + 31 }, { exp: now - 30 }, { nbf: "x" }, { exp: "x" }],
      reason: "proof-time"
    },
    {
      title: "no jti, or one that is too long to keep",
      claims: [{ jti: undefined }, { jti: "" }, { jti: 1 }, { jti: "x".repeat(257) }],
      reason: "proof-id"
    },
    {
      title: "DPOP-31 ath missing, a number, or of another token",
      claims: [{ ath: undefined }, { ath: 1 }, { ath: "" }, { ath: base64url.encode(new Uint8Array(32)) }],
      reason: "proof-token"
    }
  ]

  it.effect.each(bad)(
    "$title: 401 invalid_dpop_proof",
    ({ claims = [{}], headers = [{}], reason }) =>
      Effect.gen(function*() {
        const { prove } = yield* bench(Dpop.optional())
        for (const claim of claims) {
          for (const header of headers) assertUnproven(yield* prove(claim, header), reason)
        }
        assert.strictEqual(yield* prove(), "in: alice")
      })
  )

  it.effect("DPOP-28 accepts an iat inside the window, including its edges", () =>
    Effect.gen(function*() {
      const { prove } = yield* bench(Dpop.optional())
      for (const iat of [now - 90, now - 60, now + 30, now + 0.5]) {
        assert.strictEqual(yield* prove({ iat }), "in: alice")
      }
      const wide = yield* bench(Dpop.optional({ window: "4 minutes", clockTolerance: "1 minute" }))
      assert.strictEqual(yield* wide.prove({ iat: now - 300 }), "in: alice")
      assertUnproven(yield* wide.prove({ iat: now - 301 }), "proof-time")
    }))

  it.effect("DPOP-15 jwk with private members, symmetric, or weak: 401 invalid_dpop_proof", () =>
    Effect.gen(function*() {
      const { client, prove } = yield* bench(Dpop.optional())
      const { publicJwk: weak } = yield* SigningKey.make({ algorithm: "RS256", modulusLength: 1024 })
      for (
        const jwk of [{ ...client.publicJwk, d: "AAAA" }, { kty: "oct", k: "AAAA" }, { ...client.publicJwk, k: "AAAA" }]
      ) {
        assertUnproven(yield* prove({}, { jwk }), "proof-key")
      }
      assertUnproven(yield* prove({}, { jwk: weak, alg: "RS256" }), "proof-key")
      // A public key can have optional members.
      const described = { ...client.publicJwk, use: "sig", key_ops: ["verify"], kid: "k", alg: "ES256", ext: true }
      assert.strictEqual(yield* prove({}, { jwk: described }), "in: alice")
    }))

  it.effect("DPOP-17 a signature that was changed: 401 invalid_dpop_proof", () =>
    Effect.gen(function*() {
      const { ask, client, token } = yield* bench(Dpop.optional())
      const proof = yield* client.proof({ method: "POST", url: resource, token })
      const [header, claims, signature] = proof.split(".") as [string, string, string]
      const bytes = base64url.decode(signature)
      bytes[5]! ^= 1
      const changed = [
        [`${header}.${claims}.${base64url.encode(bytes)}`, "proof-signature"],
        [`${header}.${claims}.`, "proof-signature"],
        [`${header}.${claims}`, "proof-malformed"],
        [`${header}.${claims}.${signature}.x`, "proof-malformed"],
        [`${header}.${claims}.${signature}=`, "proof-malformed"],
        [`${header}.AAAA.${signature}`, "proof-malformed"],
        ["no proof", "proof-malformed"]
      ] as const
      for (const [dpop, reason] of changed) {
        assertUnproven(yield* ask({ authorization: `DPoP ${token}`, dpop: [dpop] }), reason)
      }
    }))

  it.effect("DPOP-12 an algorithm that is not configured: 401, and the challenge lists the configured ones", () =>
    Effect.gen(function*() {
      const { ask, issuer } = yield* bench(Dpop.optional({ algorithms: ["ES256"] }))
      const client = yield* DpopClient.make({ algorithm: "RS256" })
      const token = yield* issuer.mint({ boundTo: client.thumbprint })
      const { authorization, dpop } = yield* client.headers({ method: "POST", url: resource, token })
      const answer = yield* ask({ authorization, dpop: [dpop] })
      assertUnproven(answer, "proof-algorithm")
      assert.strictEqual(challengesOf(answer)["DPoP"]?.["algs"], "ES256")
    }))

  it.effect("DPOP-03 no DPoP header, or an empty one: 401 with a DPoP challenge", () =>
    Effect.gen(function*() {
      const { ask, token } = yield* bench(Dpop.optional())
      for (const dpop of [[], [""], ["  "]]) {
        assertUnproven(yield* ask({ authorization: `DPoP ${token}`, dpop }), "proof-missing")
      }
    }))

  it.effect("DPOP-09 two proofs, on two lines or with a comma: 401 invalid_dpop_proof", () =>
    Effect.gen(function*() {
      const { ask, client, token } = yield* bench(Dpop.optional())
      const one = yield* client.proof({ method: "POST", url: resource, token })
      const two = yield* client.proof({ method: "POST", url: resource, token })
      for (const dpop of [[one, two], [one, one], [`${one}, ${two}`], [`${one},`], [one, ""]]) {
        assertUnproven(yield* ask({ authorization: `DPoP ${token}`, dpop }), "several-proofs")
      }
      assertUnproven(yield* ask({ authorization: `DPoP ${token}`, dpop: ["x".repeat(100_000)] }), "proof-too-large")
    }))

  it.effect("DPOP-30 the same proof twice, and the same jti in another proof: the second is 401", () =>
    Effect.gen(function*() {
      const { ask, client, issuer, prove, token } = yield* bench(Dpop.optional())
      const proof = yield* client.proof({ method: "POST", url: resource, token })
      const send = ask({ authorization: `DPoP ${token}`, dpop: [proof] })
      assert.strictEqual(yield* send, "in: alice")
      assertUnproven(yield* send, "proof-replayed")
      assert.strictEqual(yield* prove({ jti: "j" }), "in: alice")
      assertUnproven(yield* prove({ jti: "j", iat: now - 1 }), "proof-replayed")
      // Another client can use the same id, since used ids are recorded for each key.
      const other = yield* DpopClient.make()
      const its = yield* issuer.mint({ boundTo: other.thumbprint })
      const headers = yield* other.headers({ method: "POST", url: resource, token: its, claims: { jti: "j" } })
      assert.strictEqual(yield* ask({ authorization: headers.authorization, dpop: [headers.dpop] }), "in: alice")
      // If the same proof arrives ten times at once, it is accepted once.
      const racing = yield* client.proof({ method: "POST", url: resource, token })
      const answers = yield* Effect.all(
        Array.from({ length: 10 }, () => ask({ authorization: `DPoP ${token}`, dpop: [racing] })),
        { concurrency: "unbounded" }
      )
      assert.strictEqual(answers.filter((_) => _ === "in: alice").length, 1)
      // The proof counts as replayed until it is too old.
      yield* TestClock.adjust("89 seconds")
      assertUnproven(yield* send, "proof-replayed")
      yield* TestClock.adjust("2 seconds")
      assertUnproven(yield* send, "proof-time")
    }))

  it.effect("does not record the use of a proof that is rejected", () =>
    Effect.gen(function*() {
      const { ask, client, prove, token } = yield* bench(Dpop.optional())
      const [header, claims] = (yield* client.proof({ method: "POST", url: resource, token, claims: { jti: "j" } }))
        .split(".")
      assertUnproven(
        yield* ask({ authorization: `DPoP ${token}`, dpop: [`${header}.${claims}.AAAA`] }),
        "proof-signature"
      )
      assert.strictEqual(yield* prove({ jti: "j" }), "in: alice")
    }))
})

describe("htu", () => {
  it.effect("DPOP-21 DPOP-24 is compared in its normal form, without query and fragment", () =>
    Effect.gen(function*() {
      const { prove } = yield* bench(Dpop.optional())
      const same = [
        "HTTPS://SERVER.test/mcp",
        "https://server.test:443/mcp",
        "https://server.test:/mcp",
        "https://server.test/%6dcp",
        "https://server.test/a/../mcp",
        "https://server.test/./mcp",
        "https://%73erver.test/mcp",
        "https://server.test/mcp?a=b",
        "https://server.test/mcp#x"
      ]
      for (const htu of same) assert.strictEqual(yield* prove({ htu }), "in: alice", htu)
    }))

  it.effect("DPOP-21 an htu is accepted with and without the slash if the resource has no path", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(now * 1000)
      for (const place of ["https://server.test", "https://server.test/"]) {
        const { check } = yield* Dpop.required().make({ resource: place, origin: "https://server.test" })
        const client = yield* DpopClient.make()
        const token = "t"
        for (const htu of ["https://server.test", "https://server.test/", "https://server.test//"]) {
          const proof = yield* client.proof({ method: "GET", url: place, token, claims: { htu } })
          const checked = check(
            { method: "GET", path: "/", dpop: [proof], header: () => "server.test" },
            { scheme: "DPoP", token: Redacted.make(token) },
            principalOf({ cnf: { jkt: client.thumbprint } }),
            now * 1000,
            BigInt(now) * 1_000_000_000n
          )
          const outcome = yield* Effect.match(checked, {
            onFailure: ({ reason }) => reason,
            onSuccess: () => "accepted"
          })
          assert.strictEqual(outcome, htu.endsWith("//") ? "proof-url" : "accepted", `${place} ${htu}`)
        }
      }
    }))

  const hosts = [
    ["https://[2001:db8::1]:8443/mcp", "https://[2001:DB8::1]:8443/mcp"],
    ["https://xn--bcher-kva.example/mcp", "https://XN--BCHER-KVA.example/mcp"],
    ["https://under_score.example/mcp", "https://under_score.example/mcp"]
  ] as const
  it.effect.each(hosts)(
    "DPOP-40 accepts a resource with a host such as that of %s",
    ([place, htu]) =>
      Effect.gen(function*() {
        yield* TestClock.setTime(now * 1000)
        const { check } = yield* Dpop.required().make({ resource: place, origin: new URL(place).origin })
        const client = yield* DpopClient.make()
        const token = "t"
        const principal = principalOf({ cnf: { jkt: client.thumbprint } })
        const dpop = [yield* client.proof({ method: "GET", url: place, token, claims: { htu } })]
        yield* check(
          { method: "GET", path: "/mcp", dpop, header: () => new URL(place).host },
          { scheme: "DPoP", token: Redacted.make(token) },
          principal,
          now * 1000,
          BigInt(now) * 1_000_000_000n
        )
      })
  )

  it.each([
    ["https://h", "https://h/"],
    ["https://h?x", "https://h/"],
    ["http://h:80/", "http://h/"],
    ["http://h:443/", "http://h:443/"],
    ["https://h/a%2fb", "https://h/a%2Fb"],
    ["https://h/%7Ea", "https://h/~a"],
    ["https://h/a/..", "https://h/"],
    ["https://h/a/.", "https://h/a/"],
    ["https://h/../../a", "https://h/a"],
    ["https://h/%2e%2e/a", "https://h/a"],
    ["https://h//a", "https://h//a"],
    ["https://h//a/..//b", "https://h///b"]
  ])("RFC 3986: %s is %s", (given, normal) => assert.strictEqual(uri.normalise(given), normal))

  it.each([
    "",
    "mcp",
    "//h/mcp",
    "https:/h/mcp",
    "https:h/mcp",
    "https:///mcp",
    "https://user@h/mcp",
    "https://user:pass@h/mcp",
    "https://h\\mcp",
    "https://h\\@h/mcp",
    " https://h/mcp",
    "https://h/mcp\n",
    "https://h/m\tcp",
    "https://h/%zz",
    "https://h/%4",
    "https://h:x/",
    "https://[::1/",
    "https://h\u3002test/mcp",
    "ftp://h/mcp",
    "javascript:alert(1)"
  ])("RFC 3986: rejects %j", (given) => assert.isUndefined(uri.normalise(given)))

  it.each([
    "https://h:65536/",
    "https://h:99999/",
    "https://h:100000/",
    "https://h:4294967739/",
    "https://h:18446744073709552059/",
    "https://h:0/",
    "https://h:00/",
    "https://h:0443/",
    "https://h:443:443/",
    "https://h:+443/",
    "https://h:-1/",
    "https://h:4 43/",
    "https://h:443a/",
    "https://h:%34%34%33/",
    "https://[::1]:65536/",
    "https://[::1]:0443/",
    "https://[:::1]/",
    "https://[1::2::3]/",
    "https://[12345::]/",
    "https://[1.2.3.4]/",
    "https://[]/",
    "https://[::1%25eth0]/",
    "https://[v1.a]/",
    "https://1.2.3.4.5/",
    "https://1.2.3.256/",
    "https://h%2Fx/",
    "https://h%00/",
    "https://h%20/",
    "https://h%40evil.test/",
    "https://h%3A443/",
    "https://:443/",
    "https://@h/",
    "https://:@h/",
    "https://h@/",
    "https:\\\\h\\mcp",
    "https:/\\h/mcp",
    "https://h\\.evil.test/mcp",
    "https://h/\\mcp",
    "https://h\t/mcp",
    "https://h/mcp\r",
    "\thttps://h/mcp",
    "https://h/m\u00adcp"
  ])("[T-AUD-52] rejects %j as the URL of a server", (given) => assert.isUndefined(uri.normalise(given)))

  it.each([
    ["https://h:/", "https://h/"],
    ["https://h:1/", "https://h:1/"],
    ["https://h:65535/", "https://h:65535/"],
    ["HTTPS://H:443", "https://h/"],
    ["hTTp://h:80?x#y", "http://h/"],
    ["https://h/#", "https://h/"],
    ["https://h./", "https://h./"],
    ["https://[2001:DB8::1]:443/", "https://[2001:db8::1]/"],
    ["https://h/%2e%2E/%7ea%2F%2f", "https://h/~a%2F%2F"]
  ])("[T-AUD-52] %s is %s", (given, normal) => assert.strictEqual(uri.normalise(given), normal))

  it.effect("[T-AUD-52] the gate rejects an htu of another server, or of none", () =>
    Effect.gen(function*() {
      const { prove } = yield* bench(Dpop.required())
      for (
        const htu of [
          "https://server.test:65536/mcp",
          "https://server.test:65979/mcp",
          "https://server.test:4294967739/mcp",
          "https://server.test:0/mcp",
          "https://server.test:0443/mcp",
          "https://server.test./mcp",
          "https://user@server.test/mcp",
          "https://@server.test/mcp",
          "https:\\\\server.test/mcp",
          "https://server.test\\mcp",
          "https://server.test/\tmcp",
          "https://server.test/mcp%2F",
          "https://server.test/%2Fmcp",
          "https://server.test%2Fmcp",
          "http://server.test:443/mcp"
        ]
      ) {
        assertUnproven(yield* prove({ htu }), "proof-url")
      }
      for (const htu of ["https://server.test:/mcp", "https://SERVER.test:443/mcp#x", "HTTPS://server.test/%6dcp?"]) {
        assert.strictEqual(yield* prove({ htu }), "in: alice", htu)
      }
      // An origin that is passed to `make` directly gets the same check.
      for (const origin of ["https://server.test:65536", "https://server.test:0443", "https://[1::2::3]"]) {
        const { check } = yield* Dpop.required().make({ resource: `${origin}/mcp`, origin })
        const client = yield* DpopClient.make()
        const dpop = [
          yield* client.proof({ method: "GET", url: resource, token: "t", claims: { htu: `${origin}/mcp` } })
        ]
        const failure = yield* Effect.flip(check(
          { method: "GET", path: "/mcp", dpop, header: () => undefined },
          { scheme: "DPoP", token: Redacted.make("t") },
          principalOf({ cnf: { jkt: client.thumbprint } }),
          now * 1000,
          BigInt(now) * 1_000_000_000n
        ))
        assert.strictEqual(failure.reason, "proof-url", origin)
      }
    }))

  it.effect("[T-AUD-52] a Host header with an impossible port is 400", () =>
    Effect.gen(function*() {
      const { prove } = yield* bench(Dpop.required())
      for (const host of ["server.test:65536", "server.test:0443", "server.test:0", "[::1]:65536"]) {
        const answer = yield* prove({}, {}, { headers: { host } })
        assert(typeof answer !== "string", host)
        assert.deepStrictEqual([answer.status, answer.reason], [400, "host"], host)
      }
      for (const host of ["server.test", "server.test:", "server.test:443", "server.test:65535", "[::1]:8443"]) {
        assert.strictEqual(yield* prove({}, {}, { headers: { host } }), "in: alice", host)
      }
    }))

  it.each([
    ["/mcp", "/mcp"],
    ["/a/../mcp", "/mcp"],
    ["/%6Dcp?x=/..", "/mcp"],
    ["//evil.test/mcp", "//evil.test/mcp"],
    ["/a b{c}|\u00e4%", "/a%20b%7Bc%7D%7C%E4%25"],
    ["/m\\cp", "/m%5Ccp"],
    ["*", undefined],
    ["", undefined],
    ["@evil.test/mcp", undefined],
    [".evil.test/mcp", undefined],
    [":8080/mcp", undefined]
  ])("the path %j of a request is %j", (given, normal) => assert.strictEqual(uri.ofRequest(given), normal))

  it.effect("is the origin of the resource and the path of the request", () =>
    Effect.gen(function*() {
      const without = yield* bench(Dpop.optional())
      assertUnproven(yield* without.prove({}, {}, { path: "mcp" }), "proof-url")
      assertUnproven(yield* without.prove({}, {}, { path: "" }), "proof-url")
      assertUnproven(yield* without.prove({}, {}, { path: ":443/mcp" }), "proof-url")
    }))

  it.effect("DPOP-37 DPOP-38 Host and X-Forwarded-Host do not count, and an invalid Host is 400", () =>
    Effect.gen(function*() {
      const { client, prove, token, ask } = yield* bench(Dpop.optional())
      const elsewhere = { host: "evil.test", "x-forwarded-host": "evil.test", forwarded: "host=evil.test;proto=http" }
      assert.strictEqual(yield* prove({}, {}, { headers: elsewhere }), "in: alice")
      assertUnproven(yield* prove({ htu: "https://evil.test/mcp" }, {}, { headers: elsewhere }), "proof-url")
      const proof = yield* client.proof({ method: "POST", url: resource, token })
      for (const host of ["localhost/intendedPath?", "a b", "x@server.test", "server.test#", "a\\b", "[::1", "h:8a"]) {
        const answer = yield* ask({ authorization: `DPoP ${token}`, dpop: [proof], headers: { host } })
        assert(typeof answer !== "string")
        assert.deepStrictEqual([answer.status, answer.reason], [400, "host"])
      }
    }))
})

describe("a token", () => {
  it.effect("DPOP-06 without a bound key, with the DPoP scheme and a valid proof: 401 invalid_token", () =>
    Effect.gen(function*() {
      const { ask, client, issuer } = yield* bench(Dpop.optional())
      const token = yield* issuer.mint({ scopes: ["todos:read"] })
      const { authorization, dpop } = yield* client.headers({ method: "POST", url: resource, token })
      assertInvalidToken(yield* ask({ authorization, dpop: [dpop] }), "not-bound-to-key")
      // DPOP-04: a Bearer token stays a Bearer token if the request also has a proof.
      assert.strictEqual(yield* ask({ authorization: `Bearer ${token}`, dpop: [dpop] }), "in: alice")
    }))

  it.effect.each([
    { cnf: "text" },
    { cnf: [] },
    { cnf: {} },
    { cnf: null },
    { cnf: 1 },
    { cnf: { jkt: 1 } },
    { cnf: { jkt: "" } },
    { cnf: { jkt: ["x"] } },
    { cnf: { jkt: "x".repeat(42) } },
    { cnf: { "x5t#S256": "x".repeat(43) } }
  ])(
    "DPOP-07 with %j: 401 invalid_token under either scheme, and never treated as unbound",
    ({ cnf }) =>
      Effect.gen(function*() {
        const { ask, client, issuer } = yield* bench(Dpop.optional())
        const token = yield* issuer.mint({ claims: { cnf } })
        const { authorization, dpop } = yield* client.headers({ method: "POST", url: resource, token })
        assertInvalidToken(yield* ask({ authorization, dpop: [dpop] }), "bound-to-key")
        assertInvalidToken(yield* ask({ authorization: `Bearer ${token}` }), "bound-to-key", "Bearer")
        assertInvalidToken(yield* ask({ authorization: `Bearer ${token}`, dpop: [dpop] }), "bound-to-key", "Bearer")
      })
  )

  it.effect.each(["off", "optional"] as const)(
    "DPOP-34 bound to a key is rejected as a Bearer token, DPoP being %s, also after it was accepted with a proof",
    (mode) =>
      Effect.gen(function*() {
        const { ask, prove, token } = yield* bench(modes[mode])
        const first = yield* prove()
        assert.strictEqual(reasonOf(first), mode === "off" ? "other-scheme" : "in: alice")
        assertInvalidToken(yield* ask({ authorization: `Bearer ${token}` }), "bound-to-key", "Bearer")
        assert.strictEqual(reasonOf(yield* prove()), mode === "off" ? "other-scheme" : "in: alice")
      })
  )

  it.effect("a cached token needs a proof all the same", () =>
    Effect.gen(function*() {
      const { ask, issuer, prove, token } = yield* bench(Dpop.optional())
      assert.strictEqual(yield* prove(), "in: alice")
      const request = (yield* issuer.takeRequests).length
      assert.isAbove(request, 0)
      assertUnproven(yield* ask({ authorization: `DPoP ${token}` }), "proof-missing")
      assertUnproven(yield* prove({ htm: "GET" }), "proof-method")
      assert.strictEqual(yield* prove(), "in: alice")
      assert.strictEqual((yield* issuer.takeRequests).length, 0)
    }))

  it.effect("bound to another key: 401 invalid_token, with a proof of either key", () =>
    Effect.gen(function*() {
      const { ask, prove, token } = yield* bench(Dpop.optional())
      const thief = yield* DpopClient.make()
      const { authorization, dpop } = yield* thief.headers({ method: "POST", url: resource, token })
      assertInvalidToken(yield* ask({ authorization, dpop: [dpop] }), "bound-to-another-key")
      // The owner signs this proof, but its header names the key of the thief. The check of the binding rejects it.
      const own = yield* prove({}, { jwk: thief.publicJwk })
      assertInvalidToken(own, "bound-to-another-key")
    }))

  it.effect("admitted by a verifier of the author is checked by its cnf as well", () =>
    Effect.gen(function*() {
      const client = yield* DpopClient.make()
      const verifier = () => TokenVerifier.make(() => Effect.succeed(principalOf({ cnf: { jkt: client.thumbprint } })))
      for (const mode of ["off", "optional"] as const) {
        const { ask } = yield* bench(modes[mode], { verifier })
        assertInvalidToken(yield* ask({ authorization: "Bearer opaque" }), "bound-to-key", "Bearer")
        const { authorization, dpop } = yield* client.headers({ method: "POST", url: resource, token: "opaque" })
        assert.strictEqual(
          reasonOf(yield* ask({ authorization, dpop: [dpop] })),
          mode === "off" ? "other-scheme" : "in: bob"
        )
      }
    }))

  it.effect("an opaque token is bound by the cnf of its introspection response", () =>
    Effect.gen(function*() {
      const client = yield* DpopClient.make()
      const answers: Record<string, Claims> = {
        bound: { cnf: { jkt: client.thumbprint }, token_type: "DPoP" },
        unbound: {},
        nameless: { token_type: "dpop" }
      }
      const { ask } = yield* bench(Dpop.optional(), {
        introspection: Introspection.lookUp((token) =>
          Effect.succeed({
            active: true,
            sub: "alice",
            aud: resource,
            exp: now + 60,
            scope: "todos:read",
            ...answers[Redacted.value(token)]
          })
        )
      })
      const withProof = (token: string) =>
        Effect.flatMap(
          client.headers({ method: "POST", url: resource, token }),
          ({ authorization, dpop }) => ask({ authorization, dpop: [dpop] })
        )
      assert.strictEqual(yield* withProof("bound"), "in: alice")
      assertInvalidToken(yield* ask({ authorization: "Bearer bound" }), "bound-to-key", "Bearer")
      assert.strictEqual(yield* ask({ authorization: "Bearer unbound" }), "in: alice")
      assertInvalidToken(yield* withProof("unbound"), "not-bound-to-key")
      assertInvalidToken(yield* ask({ authorization: "Bearer nameless" }), "bound-to-key", "Bearer")
    }))
})

const principalOf = (claims: Claims): Principal => ({
  issuer: "https://issuer.test",
  subject: "bob",
  clientId: undefined,
  scopes: new Set(["todos:read"]),
  granted: new Set(["todos:read"]),
  roles: new Set(),
  audience: [resource],
  expiresAt: now + 300,
  claims,
  token: Redacted.make("opaque") as never,
  owner: "bob",
  key: "bob"
})

describe("the nonce", () => {
  it.effect("DPOP-33 is required with use_dpop_nonce and a fresh value, and admits the request", () =>
    Effect.gen(function*() {
      const { prove } = yield* bench(Dpop.optional({ nonce: "required" }))
      const request = yield* prove()
      assert(typeof request !== "string")
      assert.deepStrictEqual([request.status, request.reason], [401, "proof-nonce"])
      const { Bearer, DPoP } = challengesOf(request)
      assert.strictEqual(DPoP?.["error"], "use_dpop_nonce")
      assert.isUndefined(Bearer?.["error"])
      assert.match(request.headers["access-control-expose-headers"]!, /DPoP-Nonce/)
      const nonce = request.headers["dpop-nonce"]
      assert.match(nonce!, /^[A-Za-z0-9_-]{40,}$/)
      assert.strictEqual(yield* prove({ nonce }), "in: alice")
      // A nonce is valid for any number of proofs until it expires.
      yield* TestClock.adjust("299 seconds")
      assert.strictEqual(yield* prove({ nonce, iat: now + 299 }), "in: alice")
      yield* TestClock.adjust("1 second")
      const late = yield* prove({ nonce, iat: now + 300 })
      assert.strictEqual(reasonOf(late), "proof-nonce")
      assert(typeof late !== "string")
      assert.notStrictEqual(late.headers["dpop-nonce"], nonce)
      assert.strictEqual(yield* prove({ nonce: late.headers["dpop-nonce"], iat: now + 300 }), "in: alice")
    }))

  it.effect("instances with a common secret accept each other's nonces, and no others", () =>
    Effect.gen(function*() {
      const secret = Redacted.make("0123456789abcdef0123456789abcdef")
      const common = Dpop.required({ nonce: "required", nonceSecret: secret })
      const one = yield* bench(common)
      const two = yield* bench(common)
      const own = yield* bench(Dpop.required({ nonce: "required" }))
      const request = yield* one.prove()
      assert(typeof request !== "string")
      const nonce = request.headers["dpop-nonce"]
      assert.strictEqual(yield* two.prove({ nonce }), "in: alice")
      assert.strictEqual(reasonOf(yield* own.prove({ nonce })), "proof-nonce")

      const elsewhere = yield* common.make({
        resource: "https://server.test/other",
        origin: "https://server.test"
      })
      const client = yield* DpopClient.make()
      const proof = yield* client.proof({ method: "GET", url: "https://server.test/other", token: "t", nonce })
      const failure = yield* Effect.flip(elsewhere.check(
        { method: "GET", path: "/other", dpop: [proof], header: () => undefined },
        { scheme: "DPoP", token: Redacted.make("t") },
        principalOf({ cnf: { jkt: client.thumbprint } }),
        now * 1000,
        BigInt(now) * 1_000_000_000n
      ))
      assert.strictEqual(failure.reason, "proof-nonce")
    }))

  it.effect("is required only if everything else in the proof is valid", () =>
    Effect.gen(function*() {
      const { prove } = yield* bench(Dpop.optional({ nonce: "required" }))
      assertUnproven(yield* prove({ htm: "GET" }), "proof-method")
    }))
})

describe("the challenges", () => {
  const place = "https://server.test/.well-known/oauth-protected-resource/mcp"
  const algs = "RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA Ed25519"

  it.effect("CHAL-13 both schemes enabled, no credentials: both challenges, neither with an error, Bearer first", () =>
    Effect.gen(function*() {
      const { gate } = yield* bench(Dpop.optional())
      const { body, headers, status } = yield* Effect.flip(
        authenticate(gate, { method: "POST", header: () => undefined, authorization: [] })
      )
      assert.deepStrictEqual([status, body], [401, ""])
      assert.strictEqual(
        headers["www-authenticate"],
        `Bearer scope="todos:read", resource_metadata="${place}", DPoP algs="${algs}"`
      )
    }))

  it.effect("CHAL-11 both schemes enabled, a bad Bearer token: the error is in the Bearer challenge, DPoP has algs only", () =>
    Effect.gen(function*() {
      const { ask, issuer } = yield* bench(Dpop.optional())
      const expired = yield* issuer.mint({ expiresIn: "-1 minute" })
      const { Bearer, DPoP } = challengesOf(yield* ask({ authorization: `Bearer ${expired}` }))
      assert.strictEqual(Bearer?.["error"], "invalid_token")
      assert.deepStrictEqual(DPoP, { algs })
      const malformed = challengesOf(yield* ask({ authorization: "Bearer a b" }))
      assert.strictEqual(malformed["Bearer"]?.["error"], "invalid_request")
      assert.deepStrictEqual(malformed["DPoP"], { algs })
    }))

  it.effect("a bad token of the DPoP scheme: the error is in the DPoP challenge", () =>
    Effect.gen(function*() {
      const { ask, client, issuer } = yield* bench(Dpop.optional())
      const expired = yield* issuer.mint({ expiresIn: "-1 minute", boundTo: client.thumbprint })
      const { Bearer, DPoP } = challengesOf(yield* ask({ authorization: `dpop ${expired}` }))
      assert.deepStrictEqual(Bearer, { scope: "todos:read", resource_metadata: place })
      assert.strictEqual(DPoP?.["error"], "invalid_token")
    }))

  it.effect("CHAL-14 DPOP-35 DPoP required: only a DPoP challenge, without credentials and for a Bearer token", () =>
    Effect.gen(function*() {
      const { ask, client, gate, issuer, prove } = yield* bench(Dpop.required())
      const expected = { DPoP: { scope: "todos:read", resource_metadata: place, algs } }
      const nothing = yield* Effect.flip(
        authenticate(gate, { method: "POST", header: () => undefined, authorization: [] })
      )
      assert.deepStrictEqual(challengesOf(nothing), expected)
      const bearer = yield* ask({ authorization: `Bearer ${yield* issuer.mint()}` })
      assert(typeof bearer !== "string")
      assert.deepStrictEqual([bearer.status, challengesOf(bearer)], [401, expected])
      const unproven = challengesOf(yield* prove({ htm: "GET" }))
      assert.deepStrictEqual(Object.keys(unproven), ["DPoP"])
      assert.strictEqual(unproven["DPoP"]?.["error"], "invalid_dpop_proof")
      const malformed = challengesOf(yield* ask({ authorization: "DPoP a b" }))
      assert.strictEqual(malformed["DPoP"]?.["error"], "invalid_request")
      const expired = yield* issuer.mint({ expiresIn: "-1 minute", boundTo: client.thumbprint })
      assert.strictEqual(
        challengesOf(yield* ask({ authorization: `DPoP ${expired}` }))["DPoP"]?.["error"],
        "invalid_token"
      )
    }))

  it.effect.each(["off", "optional", "required"] as const)(
    "the metadata match the setting: %s",
    (mode) =>
      Effect.gen(function*() {
        const { gate } = yield* bench(modes[mode])
        const { metadata } = gate.resource
        assert.deepStrictEqual(
          [metadata.dpop_signing_alg_values_supported, metadata.dpop_bound_access_tokens_required],
          [mode === "off" ? undefined : algs.split(" "), mode === "required" ? true : undefined]
        )
      })
  )

  it.effect("a missing scope is named in the challenge of the caller's scheme", () =>
    Effect.gen(function*() {
      const { client, gate, issuer } = yield* bench(Dpop.optional())
      const token = yield* issuer.mint({ scopes: ["x"], boundTo: client.thumbprint })
      const dpop = [yield* client.proof({ method: "POST", url: resource, token })]
      const caller = yield* authenticateCaller(gate, {
        method: "POST",
        path: "/mcp",
        dpop,
        authorization: [`DPoP ${token}`],
        header: () => undefined
      })
      const rejection = yield* Effect.flip(gate.reject(
        { ...caller, request: { ...caller.request, header: () => "2026-07-28" } },
        new AuthError.InsufficientScope({ reason: "missing-scope", required: ["todos:read"] })
      ))
      const { Bearer, DPoP } = challengesOf(rejection)
      assert.deepStrictEqual(Bearer, { scope: "todos:read", resource_metadata: place })
      assert.deepStrictEqual([DPoP?.["error"], DPoP?.["scope"]], ["insufficient_scope", "todos:read"])
    }))
})

describe("the options", () => {
  const wrong: ReadonlyArray<{
    readonly title: string
    readonly dpop: unknown
    readonly option: string
    readonly reason: AuthError.AuthConfigError["reason"]
  }> = [
    { title: "no mode", dpop: "on", option: "dpop", reason: "malformed" },
    { title: "a boolean", dpop: true, option: "dpop", reason: "malformed" },
    { title: "null", dpop: null, option: "dpop", reason: "malformed" },
    { title: "an object", dpop: { nonce: "required" }, option: "dpop", reason: "malformed" },
    {
      title: "options that are not an object",
      dpop: Dpop.required("always" as never),
      option: "dpop",
      reason: "malformed"
    },
    {
      title: "CFG-12 a nonce required while DPoP is not enabled",
      dpop: { mode: "off", nonce: "required" },
      option: "dpop",
      reason: "malformed"
    },
    {
      title: "CFG-12 a window while DPoP is not enabled",
      dpop: { mode: "off", window: "1 minute" },
      option: "dpop",
      reason: "malformed"
    },
    { title: "CFG-12 required without enabled", dpop: { required: true }, option: "dpop", reason: "malformed" },
    {
      title: "CFG-12 a negative window",
      dpop: Dpop.optional({ window: -1 } as object),
      option: "dpop.window",
      reason: "malformed"
    },
    {
      title: "CFG-12 a window that is not a number",
      dpop: Dpop.optional({ window: "soon" } as object),
      option: "dpop.window",
      reason: "malformed"
    },
    {
      title: "CFG-12 a window that is NaN",
      dpop: Dpop.optional({ window: Number.NaN } as object),
      option: "dpop.window",
      reason: "malformed"
    },
    {
      title: "CFG-12 a negative tolerance",
      dpop: Dpop.optional({ clockTolerance: "-1 second" } as object),
      option: "dpop.clockTolerance",
      reason: "malformed"
    },
    {
      title: "a window of zero",
      dpop: Dpop.optional({ window: 0 } as object),
      option: "dpop.window",
      reason: "malformed"
    },
    {
      title: "a window longer than five minutes",
      dpop: Dpop.optional({ window: "6 minutes" } as object),
      option: "dpop.window",
      reason: "malformed"
    },
    {
      title: "a window and a tolerance longer than five minutes",
      dpop: Dpop.optional({ window: "5 minutes" } as object),
      option: "dpop.window",
      reason: "insecure"
    },
    {
      title: "HMAC among the algorithms",
      dpop: Dpop.optional({ algorithms: ["ES256", "HS256"] } as object),
      option: "dpop.algorithms",
      reason: "insecure"
    },
    {
      title: "no algorithms",
      dpop: Dpop.optional({ algorithms: [] } as object),
      option: "dpop.algorithms",
      reason: "insecure"
    },
    {
      title: "an empty nonce",
      dpop: Dpop.optional({ nonce: true } as object),
      option: "dpop.nonce",
      reason: "malformed"
    },
    {
      title: "a short secret",
      dpop: Dpop.optional({ nonce: "required", nonceSecret: Redacted.make("short") } as object),
      option: "dpop.nonceSecret",
      reason: "insecure"
    },
    {
      title: "a secret in plain text",
      dpop: Dpop.optional({ nonce: "required", nonceSecret: "0123456789abcdef0123456789abcdef" } as object),
      option: "dpop.nonceSecret",
      reason: "malformed"
    },
    {
      title: "a nonce's lifetime without a nonce",
      dpop: Dpop.optional({ nonceLifetime: "1 minute" } as object),
      option: "dpop.nonceLifetime",
      reason: "conflict"
    },
    {
      title: "a small capacity",
      dpop: Dpop.optional({ replay: Dpop.memory(0) } as object),
      option: "dpop.replay",
      reason: "malformed"
    },
    {
      title: "a misspelled option",
      dpop: Dpop.optional({ windows: 5 } as object),
      option: "dpop.windows",
      reason: "malformed"
    }
  ]

  it.effect.each(wrong)(
    "$title: the layer fails, and names the option",
    ({ dpop, option, reason }) =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(bench(dpop as Dpop.Dpop))
        assert.strictEqual(error._tag, "AuthConfigError")
        assert.deepStrictEqual([error.option, error.reason], [option, reason])
        assert.isAbove(error.fix.length, 20)
      })
  )
})

describe("RFC 9449", () => {
  // The proof of figures 12 and 13. Key, token and time of the test are also those of the RFC.
  const proof =
    "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJ" +
    "oRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqd" +
    "GkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZ" +
    "SIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L" +
    "-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA"
  const token = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"
  const jkt = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"

  it.effect("accepts the proof of its figures at its time, and at no other", () =>
    Effect.gen(function*() {
      const { check } = yield* Dpop.required().make({
        resource: "https://resource.example.org/protectedresource",
        origin: "https://resource.example.org"
      })
      const request = { method: "GET", path: "/protectedresource", dpop: [proof], header: () => undefined }
      const credentials = { scheme: "DPoP", token: Redacted.make(token) } as const
      const principal = principalOf({ cnf: { jkt } })
      const made = 1_562_262_618_000
      const late = yield* Effect.flip(check(request, credentials, principal, made + 3_600_000, 0n))
      assert.strictEqual(late.reason, "proof-time")
      const earlier = yield* Dpop.required().make({
        resource: "https://resource.example.org/protectedresource",
        origin: "https://resource.example.org"
      })
      yield* earlier.check(request, credentials, principal, made, 0n)
      const again = yield* Effect.flip(earlier.check(request, credentials, principal, made, 0n))
      assert.strictEqual(again.reason, "proof-replayed")
      const other = { scheme: "DPoP", token: Redacted.make(`${token}x`) } as const
      assert.strictEqual((yield* Effect.flip(earlier.check(request, other, principal, made, 0n))).reason, "proof-token")
      const posted = { ...request, method: "POST" }
      assert.strictEqual(
        (yield* Effect.flip(earlier.check(posted, credentials, principal, made, 0n))).reason,
        "proof-method"
      )
    }))
})
