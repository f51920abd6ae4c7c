/**
 * Compares the results of this library and of `oauth4webapi` for the same random tokens. ORACLE_SEED selects other tokens, and
 * ORACLE_CASES sets their number.
 */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { AuthLayer, TokenType } from "effect-mcp-auth"
import { SigningKey, TestIssuer } from "effect-mcp-auth/testing"
import { HttpClient } from "effect/http"
import { TestClock } from "effect/testing"
import * as oauth from "oauth4webapi"
import { vi } from "vitest"
import { authenticate } from "../authorization/steps.ts"
import { gateLayer } from "../servers/gates.ts"
import { segment } from "../threats/Running.ts"

const seed = Number(process.env["ORACLE_SEED"] ?? 20260728)
const cases = Number(process.env["ORACLE_CASES"] ?? 3_000)

const now = 1_800_000_000
const resource = "https://server.test/mcp"
const issuer = "https://issuer.test"

type Json = Readonly<Record<string, unknown>>

/** A token before it is signed. If `claimsText` is set, it is the payload instead of the JSON of `claims`. */
interface Case {
  readonly header: Json
  readonly claims: Json
  readonly claimsText?: string | Uint8Array
  readonly key: "known" | "unknown"
  /** The name of the change to the compact form after signing. See `spell`. */
  readonly spelling: string
  readonly applied: ReadonlyArray<string>
}

type Change = (of: Case, random: Random) => Case

/* The random numbers (mulberry32). The same seed gives the same tokens. */
type Random = () => number
const randomOf = (from: number): Random => {
  let state = from >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}
const pick = <A>(random: Random, from: ReadonlyArray<A>): A => from[Math.floor(random() * from.length)]!

const values = [null, 0, -1, 1.5, 42, "", "x", "a\u0000b", "a\nb", true, false, [], {}, ["x"], { jkt: "x" }] as const

const times = [-3_600, -31, -30, -29, -1, 0, 1, 29, 30, 31, 3_600].map((_) => now + _)

const without = (record: Json, name: string): Json =>
  Object.fromEntries(Object.entries(record).filter(([_]) => _ !== name))

const changes: Readonly<Record<string, Change>> = {
  "no claim": (of, random) => {
    const name = pick(random, ["iss", "exp", "aud", "sub", "iat", "jti", "client_id", "scope"])
    return { ...of, claims: without(of.claims, name) }
  },
  "a claim of another kind": (of, random) => {
    const name = pick(random, [
      "iss",
      "exp",
      "nbf",
      "aud",
      "sub",
      "iat",
      "jti",
      "client_id",
      "scope",
      "scp",
      "azp",
      "cnf"
    ])
    return { ...of, claims: { ...of.claims, [name]: pick(random, values) } }
  },
  "a time": (of, random) => ({
    ...of,
    claims: { ...of.claims, [pick(random, ["exp", "nbf", "iat"])]: pick(random, [...times, 1e300, -1e300, now + 0.5]) }
  }),
  "an audience": (of, random) => ({
    ...of,
    claims: {
      ...of.claims,
      aud: pick(random, [
        [resource],
        ["x", resource],
        [42, resource],
        [[resource]],
        `${resource}/`,
        ` ${resource}`,
        resource.toUpperCase(),
        `${resource} x`,
        "https://server.test"
      ])
    }
  }),
  "an issuer": (of, random) => ({
    ...of,
    claims: { ...of.claims, iss: pick(random, [`${issuer}/`, "https://Issuer.test", "https://evil.test", [issuer]]) }
  }),
  "an ID token's claim": (of, random) => ({
    ...of,
    claims: { ...of.claims, [pick(random, ["nonce", "at_hash", "events", "token_use"])]: pick(random, ["x", "id", {}]) }
  }),
  "a type": (of, random) => {
    const typ = pick(random, [
      undefined,
      "JWT",
      "jwt",
      "AT+JWT",
      "at+JWT",
      "application/at+jwt",
      "application/AT+jwt",
      "dpop+jwt",
      "",
      42,
      null,
      "at+jwt "
    ])
    return { ...of, header: typ === undefined ? without(of.header, "typ") : { ...of.header, typ } }
  },
  "an algorithm": (of, random) => ({
    ...of,
    header: {
      ...of.header,
      alg: pick(random, ["none", "HS256", "RS256", "PS256", "ES384", "EdDSA", "es256", "", null, 1, "ML-DSA-44"])
    }
  }),
  "a key id": (of, random) => {
    const kid = pick(random, [undefined, "second", "nobody", "", null, 42, "__proto__"])
    return { ...of, header: kid === undefined ? without(of.header, "kid") : { ...of.header, kid } }
  },
  "a header": (of, random) => ({
    ...of,
    header: {
      ...of.header,
      ...pick(random, [
        { crit: ["x"], x: 1 },
        { crit: [] },
        { b64: true },
        { b64: false },
        { zip: "DEF" },
        { enc: "A256GCM" },
        {
          jku: "https://evil.test"
        },
        { jwk: {} },
        { x5c: ["x"] },
        { cty: "JWT" },
        { unknown: 1 }
      ])
    }
  }),
  "another key": (of) => ({ ...of, key: "unknown" }),
  "a spelling": (of, random) => ({
    ...of,
    spelling: pick(random, [
      "padding",
      "trailing bits",
      "a dot more",
      "four parts",
      "no signature",
      "two parts",
      "a bit of the signature"
    ])
  }),
  "a text": (of, random) => {
    const json = JSON.stringify(of.claims)
    const bytes = new TextEncoder().encode(json)
    return {
      ...of,
      claimsText: pick<string | Uint8Array>(random, [
        ` ${json}`,
        `${json} `,
        `\ufeff${json}`,
        `[${json}]`,
        "null",
        "",
        json.slice(0, -1),
        `${json.slice(0, -1)},"exp":1}`,
        `${json.slice(0, -1)},"__proto__":{"aud":"x"}}`,
        `${json.slice(0, -1)},"deep":${"[".repeat(100)}${"]".repeat(100)}}`,
        `${json.slice(0, -1)},"exp":1e400}`,
        Uint8Array.from([...bytes.slice(0, -1), 0x2c, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])
      ])
    }
  },
  "a size": (of) => ({ ...of, claims: { ...of.claims, padding: "x".repeat(20_000) } })
}

const generate = (random: Random): Case => {
  let made: Case = {
    header: { alg: "ES256", typ: "at+jwt", kid: "first" },
    claims: {
      iss: issuer,
      sub: "alice",
      aud: resource,
      client_id: "client-1",
      iat: now - 120,
      exp: now + 300,
      jti: "1",
      scope: "a b"
    },
    key: "known",
    spelling: "",
    applied: []
  }
  const count = pick(random, [0, 1, 1, 1, 1, 2, 2, 3])
  for (let i = 0; i < count; i++) {
    const name = pick(random, Object.keys(changes))
    made = { ...changes[name]!(made, random), applied: [...made.applied, name] }
  }
  return made
}

const spell = (token: string, spelling: string): string => {
  const [header, claims, signature] = token.split(".") as [string, string, string]
  switch (spelling) {
    case "padding":
      return `${token}==`
    case "trailing bits": {
      // The signature has 64 bytes, so the last base64url character has four unused bits.
      const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
      return token.slice(0, -1) + alphabet[alphabet.indexOf(token.at(-1)!) + 1]
    }
    case "a dot more":
      return `${token}.`
    case "four parts":
      return `${token}.${signature}`
    case "no signature":
      return `${header}.${claims}.`
    case "two parts":
      return `${header}.${claims}`
    case "a bit of the signature":
      return `${header}.${claims}.${signature[0] === "A" ? "B" : "A"}${signature.slice(1)}`
    default:
      return token
  }
}

/**
 * A case in which the results are allowed to differ, and why. Each entry must occur in every run with at least 3,000 tokens.
 */
interface Difference {
  readonly accepts: "ours" | "theirs"
  readonly reason: string
  readonly when: (of: Case) => boolean
}

const has = (name: string) => ({ claims }: Case) => Object.hasOwn(claims, name)
const text = ({ claims, claimsText }: Case) => claimsText ?? JSON.stringify(claims)
const isNumber = (value: unknown) => typeof value === "number"

const differences: ReadonlyArray<Difference> = [
  {
    accepts: "ours",
    reason:
      "RFC 9068 §2.2 requires jti, iat and client_id of the issuer; half of the providers omit one, and no check " +
      "depends on their presence",
    when: ({ claims }) =>
      typeof claims["jti"] !== "string" || claims["iat"] === undefined || !Object.hasOwn(claims, "client_id")
  },
  {
    accepts: "ours",
    reason: "without a kid every fitting key is tried (four at most): RFC 7515 §4.1.4 makes kid optional",
    when: ({ header }) => !Object.hasOwn(header, "kid")
  },
  {
    accepts: "theirs",
    reason: "a token issued in the future is rejected: the clock of its issuer, or its issuer, is wrong",
    when: ({ claims }) => isNumber(claims["iat"]) && (claims["iat"] as number) > now
  },
  {
    accepts: "theirs",
    reason: "a token that names a key of its holder needs a proof, even if the name is empty",
    when: has("cnf")
  },
  {
    accepts: "theirs",
    reason: "a subject is a string of printable characters: it becomes a key of an owner's data and part of a log line",
    when: ({ claims }) => typeof claims["sub"] === "string" && /^$|[\u0000-\u001f]/.test(claims["sub"])
  },
  {
    accepts: "theirs",
    reason: "a client id is a non-empty string, in any claim",
    when: ({ claims }) =>
      claims["client_id"] === "" || (Object.hasOwn(claims, "azp") && typeof claims["azp"] !== "string")
  },
  {
    accepts: "theirs",
    reason: "a claim that names another kind of token than an access token outweighs the typ at+jwt",
    when: has("token_use")
  },
  {
    accepts: "theirs",
    reason: "scopes of a wrong type are an error, not no scopes (they do not read scopes at all)",
    when: ({ claims }) =>
      (Object.hasOwn(claims, "scope") && typeof claims["scope"] !== "string") || Object.hasOwn(claims, "scp")
  },
  {
    accepts: "theirs",
    reason: "b64 changes what is signed (RFC 7797 §7), and zip and enc announce unexpected content",
    when: ({ header }) => ["b64", "zip", "enc"].some((_) => Object.hasOwn(header, _))
  },
  {
    accepts: "theirs",
    reason: "a token has one spelling: base64url without padding and without unused bits (RFC 7515 §2)",
    when: ({ spelling }) => spelling === "padding" || spelling === "trailing bits"
  },
  {
    accepts: "theirs",
    reason: "aud is a string or a list of strings (RFC 7519 §4.1.3), so a list with another value is not an audience",
    when: ({ claims }) => Array.isArray(claims["aud"]) && claims["aud"].some((_) => typeof _ !== "string")
  },
  {
    accepts: "theirs",
    reason: "a token is at most 16 KiB",
    when: (of) => text(of).length > 12_000
  },
  {
    accepts: "theirs",
    reason: "JSON nests at most 32 levels",
    when: (of) => String(text(of)).includes("[[[[")
  },
  {
    accepts: "theirs",
    reason: "a moment is in seconds: not 1e400, and not in milliseconds",
    when: (of) =>
      String(text(of)).includes("1e400") || ["exp", "nbf", "iat"].some((_) => Math.abs(Number(of.claims[_])) >= 1e12)
  },
  {
    accepts: "theirs",
    reason: "claims are UTF-8 without a byte order mark and begin with {: nothing is repaired",
    when: ({ claimsText }) =>
      claimsText !== undefined && (typeof claimsText !== "string" || /^[\ufeff ]/.test(claimsText))
  }
]

describe("oauth4webapi", () => {
  beforeAll(() => {
    vi.useFakeTimers({ toFake: ["Date"], now: now * 1000 })
  })
  afterAll(() => {
    vi.useRealTimers()
  })

  it.effect(
    `agrees on ${cases} tokens (seed ${seed}), except for the listed differences`,
    () =>
      Effect.gen(function*() {
        yield* TestClock.setTime(now * 1000)
        const first = yield* SigningKey.make({ kid: "first" })
        const second = yield* SigningKey.make({ kid: "second" })
        const unknownKey = yield* SigningKey.make()
        const { client, issuer: own } = yield* TestIssuer.make({ issuer, resource })
        yield* own.publishKeys([first.publicJwk, second.publicJwk])
        const context = yield* Layer.build(
          gateLayer({
            resource,
            authorizationServers: [issuer],
            scopes: ["a"],
            tokenType: TokenType.strict,
            clockTolerance: "30 seconds"
          }).pipe(Layer.provide(Layer.succeed(HttpClient.HttpClient, client)))
        )
        const gate = yield* Effect.provide(AuthLayer.AuthLayer, context)
        const ours = (token: string) =>
          authenticate(gate, { method: "POST", header: () => undefined, authorization: [`Bearer ${token}`] }).pipe(
            Effect.as("accepted"),
            Effect.catch(({ reason, status }) => Effect.succeed(`${status} ${reason}`))
          )

        const fetch = yield* own.fetch
        const as: oauth.AuthorizationServer = { issuer, jwks_uri: own.jwksUri }
        const theirs = (token: string) =>
          Effect.promise(() =>
            oauth.validateJwtAccessToken(
              as,
              new Request(resource, { headers: { authorization: `Bearer ${token}` } }),
              resource,
              { [oauth.customFetch]: (url) => fetch(url), [oauth.clockTolerance]: 30 }
            ).then(() => "accepted", (error: Error) => error.message)
          )

        const random = randomOf(seed)
        const met = new Set<Difference>()
        const tally = { "both accept": 0, "both reject": 0, "a listed difference": 0 }
        const unexplained: Array<unknown> = []
        for (let i = 0; i < cases; i++) {
          const of = generate(random)
          const { claims, claimsText, header, key, spelling } = of
          const token = spell(
            yield* (key === "known" ? first : unknownKey).signSegments(segment(header), segment(claimsText ?? claims)),
            spelling
          )
          const mine = yield* ours(token)
          const other = yield* theirs(token)
          // This is the only 5xx that is allowed. It is the response to an unknown key while a cooldown prevents a fetch. The
          // key may be new, so the token is not rejected as invalid.
          if (mine !== "503 keys-cooling-down") assert.notMatch(mine, /^5/)
          const accepts = mine === "accepted" ? "ours" : "theirs"
          if ((mine === "accepted") === (other === "accepted")) {
            tally[mine === "accepted" ? "both accept" : "both reject"]++
            continue
          }
          const explained = differences.filter((_) => _.accepts === accepts && _.when(of))
          if (explained.length === 0) unexplained.push({ mine, other, ...of })
          for (const one of explained) met.add(one)
          tally["a listed difference"]++
        }
        assert.deepStrictEqual(unexplained, [])
        assert.isAbove(tally["both accept"], cases / 20)
        assert.isAbove(tally["both reject"], cases / 3)
        if (cases >= 3_000) {
          const unmet = differences.filter((_) => !met.has(_)).map((_) => _.reason)
          assert.deepStrictEqual(unmet, [], "differences that are none")
        }
      }),
    Math.max(120_000, cases * 20)
  )
})
