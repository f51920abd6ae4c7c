/**
 * Tests the verification with published vectors. The tests are skipped unless the variable `VECTORS_DIR` names a folder with
 * these folders:
 *
 * - `wycheproof/`: `json_web_signature_test.json`, `json_web_key_test.json`, `json_web_crypto_test.json` and
 *   `json_web_encryption_test.json` of Wycheproof;
 * - `rfc7520-cookbook/`: the cookbook of RFC 7520;
 * - `rfc/`: the examples of RFC 7515 and RFC 9068.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { AuthLayer } from "effect-mcp-auth"
import { HttpClientFetcher } from "effect-mcp-auth/http-client"
import { TestIssuer } from "effect-mcp-auth/testing"
import { Discovery, Fetcher, JwkSet, Signature } from "effect-mcp-auth/verification"
import { HttpClient } from "effect/http"
import { TestClock } from "effect/testing"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { authenticate } from "../authorization/steps.ts"
import { gateLayer } from "../servers/gates.ts"
import { serverOf } from "./server.ts"

const folder = process.env["VECTORS_DIR"]
const read = (name: string) => JSON.parse(readFileSync(join(folder!, name), "utf8"))

type Jwk = Readonly<Record<string, unknown>>

interface Vector {
  readonly id: number
  readonly token: unknown
  readonly valid: boolean
  readonly keys: ReadonlyArray<Jwk>
  readonly comment: string
}

const privateMembers = new Set(["d", "p", "q", "dp", "dq", "qi"])

/** Removes the private members of a key. A symmetric key stays unchanged, as if an issuer published it by mistake. */
const publicOf = (key: Jwk): Jwk => Object.fromEntries(Object.entries(key).filter(([_]) => !privateMembers.has(_)))

const wycheproof = (name: string): ReadonlyArray<Vector> =>
  read(`wycheproof/${name}`).testGroups.flatMap((group: any) => {
    const key = group.public ?? group.private
    const keys = (Array.isArray(key?.keys) ? key.keys : [key]).map(publicOf)
    return group.tests.map((test: any) => ({
      id: test.tcId,
      token: test.jws ?? test.jwe,
      valid: test.result !== "invalid",
      keys,
      comment: `${group.comment}: ${test.comment}`
    }))
  })

const compact = (token: unknown): string => typeof token === "string" ? token : JSON.stringify(token)

/**
 * Returns a function that checks only the signature of a token, and not its claims. It finds the keys as `JwtVerifier` does,
 * and asserts that `viaJose` and `viaPlatform` give the same result.
 */
const layerOf = (keys: ReadonlyArray<Jwk>) =>
  Effect.gen(function*() {
    const { client, issuer } = yield* TestIssuer.make()
    yield* issuer.publishKeys(keys)
    const discovery = yield* Effect.provideService(Discovery.make, Fetcher.Fetcher, HttpClientFetcher.make(client))
    const makeSet = (importKey: Signature.ImportKey) =>
      JwkSet.make.pipe(
        Effect.provideService(Fetcher.Fetcher, HttpClientFetcher.make(client)),
        Effect.provideService(Discovery.Discovery, discovery),
        Effect.provideService(Signature.Signature, importKey)
      )
    const byJose = yield* makeSet(Signature.viaJose)
    const byPlatform = yield* makeSet(Signature.viaPlatform)
    const server = serverOf(issuer.issuer)
    return (token: string) =>
      Effect.gen(function*() {
        const parts = token.split(".")
        if (parts.length !== 3) return false
        let header: Record<string, unknown>
        try {
          header = JSON.parse(Buffer.from(parts[0]!, "base64url").toString("utf8"))
        } catch {
          return false
        }
        const { alg, kid } = header
        if (typeof alg !== "string" || !server.algorithms.has(alg) || (kid !== undefined && typeof kid !== "string")) {
          return false
        }
        const keysOf = (set: JwkSet.JwkSet["Service"]) =>
          Effect.catchTag(
            set.find(server, { algorithm: alg, kid }),
            "InvalidMetadata",
            // The key set fails if it has no usable key. For these vectors, that means that no key verifies the token.
            (error) => error.reason === "no-usable-key" ? Effect.succeed([]) : Effect.fail(error)
          )
        const others = yield* keysOf(byPlatform)
        for (const [index, key] of (yield* keysOf(byJose)).entries()) {
          const verified = yield* key.verify(token)
          // The results differ for tokens with critical header parameters: jose rejects them, and the platform does not check
          // these parameters. `JwtVerifier` rejects such tokens earlier, so the results are not compared.
          if (!Object.hasOwn(header, "crit") && !Object.hasOwn(header, "b64")) {
            assert.strictEqual(yield* others[index]!.verify(token), verified)
          }
          if (verified) return true
        }
        return false
      })
  })

/** Returns a function that sends a token to a whole gate, and returns the status. The issuer of the gate has these keys. */
const gateOf = (keys: ReadonlyArray<Jwk>) =>
  Effect.gen(function*() {
    const { client, issuer } = yield* TestIssuer.make()
    yield* issuer.publishKeys(keys)
    const context = yield* Layer.build(
      gateLayer({
        resource: "https://server.test/mcp",
        authorizationServers: [issuer.issuer],
        scopes: ["a"]
      }).pipe(Layer.provide(Layer.succeed(HttpClient.HttpClient, client)))
    )
    const gate = yield* Effect.provide(AuthLayer.AuthLayer, context)
    return (token: string) =>
      authenticate(gate, { method: "POST", header: () => undefined, authorization: [`Bearer ${token}`] }).pipe(
        Effect.as(200),
        Effect.catch(({ status }) => Effect.succeed(status))
      )
  })

const groups = (vectors: ReadonlyArray<Vector>): ReadonlyArray<ReadonlyArray<Vector>> => {
  const byKeys = new Map<string, Array<Vector>>()
  for (const vector of vectors) {
    const key = JSON.stringify(vector.keys)
    byKeys.set(key, [...(byKeys.get(key) ?? []), vector])
  }
  return [...byKeys.values()]
}

/** By file: the vectors whose result differs on purpose, and the reason. `INDEX.md` in `VECTORS_DIR` lists faulty vectors. */
const exceptions: Readonly<Record<string, { readonly reason: string; readonly ids: ReadonlyArray<number> }[]>> = {
  "json_web_signature_test.json": [
    { reason: "the key names PS256 for a PS384 token, or ES521", ids: [346, 347, 350, 351] },
    { reason: "a ? inside a segment is not base64url", ids: [372, 373] }
  ],
  "json_web_key_test.json": [],
  "json_web_crypto_test.json": []
}

const symmetric = ({ keys }: Vector) => keys.every((key) => key["kty"] === "oct")
const headerOf = ({ token }: Vector): any => {
  try {
    return JSON.parse(Buffer.from(compact(token).split(".")[0]!, "base64url").toString("utf8"))
  } catch {
    return undefined
  }
}

describe.skipIf(folder === undefined || !existsSync(join(folder, "wycheproof")))("published vectors", () => {
  it.effect.each(Object.keys(exceptions))(
    "%s: invalid vectors never verify, and valid asymmetric ones do",
    (name) =>
      Effect.gen(function*() {
        const vectors = wycheproof(name).filter(({ token }) => token !== undefined)
        assert.isAbove(vectors.length, 20)
        const known = new Set(exceptions[name]!.flatMap(({ ids }) => ids))
        const wrong: Array<string> = []
        let verifications = 0
        for (const group of groups(vectors)) {
          const verify = yield* layerOf(group[0]!.keys)
          for (const vector of group) {
            const verified = yield* verify(compact(vector.token))
            if (verified) verifications++
            const algorithm = headerOf(vector)?.alg
            const expected = vector.valid && !symmetric(vector) && !String(algorithm).startsWith("HS") &&
              compact(vector.token).split(".").length === 3
            if (verified === expected) continue
            if (known.has(vector.id) && !verified) continue
            wrong.push(`${vector.id} ${vector.comment} (${algorithm}): ${verified ? "verified" : "rejected"}`)
          }
        }
        assert.deepStrictEqual(wrong, [])
        assert.isAbove(verifications, 0)
      }),
    120_000
  )

  it.effect("no vector is accepted as a token, and each is at most a 401", () =>
    Effect.gen(function*() {
      let presented = 0
      for (const name of [...Object.keys(exceptions), "json_web_encryption_test.json"]) {
        for (const group of groups(wycheproof(name).filter(({ token }) => token !== undefined))) {
          const gate = yield* gateOf(group[0]!.keys)
          for (const { token } of group) {
            assert.include([400, 401], yield* gate(compact(token)))
            presented++
          }
        }
      }
      assert.isAbove(presented, 600)
    }))

  it.effect("RFC 7520 and RFC 8037: the asymmetric signatures verify, and fail when changed", () =>
    Effect.gen(function*() {
      const files = [
        ...readdirSync(join(folder!, "rfc7520-cookbook/jws")).map((_) => `rfc7520-cookbook/jws/${_}`),
        "rfc7520-cookbook/curve25519/jws.json"
      ].map(read).filter(({ input, output }) => typeof output.compact === "string" && input.key?.kty !== undefined)
      let verified = 0
      for (const { input, output } of files) {
        const token: string = output.compact
        const verify = yield* layerOf([publicOf(input.key)])
        const detached = token.includes("..")
        const expected = input.key.kty !== "oct" && !detached
        assert.strictEqual(yield* verify(token), expected, JSON.stringify(input.alg))
        if (!expected) continue
        verified++
        const changed = token.slice(0, -6) + (token.at(-6) === "A" ? "B" : "A") + token.slice(-5)
        assert.isFalse(yield* verify(changed))
      }
      assert.isAtLeast(verified, 4)
    }))

  it.effect("RFC 7515 appendix A: the same, and all are rejected as access tokens", () =>
    Effect.gen(function*() {
      for (const { key, jws, id } of read("rfc/rfc7515-appendix-a.json").cases) {
        const keys = key === undefined || key === null ? [] : [publicOf(key)]
        const expected = keys.length > 0 && key.kty !== "oct"
        assert.strictEqual(yield* (yield* layerOf(keys))(jws), expected, id)
        assert.strictEqual(yield* (yield* gateOf(keys))(jws), 401, id)
      }
    }))

  it.effect("RFC 9068 figure 2 is accepted during its lifetime", () =>
    Effect.gen(function*() {
      const { claims, header } = read("rfc/rfc-examples.json").rfc9068_figure2
      const { client, issuer } = yield* TestIssuer.make({ issuer: claims.iss, algorithm: "RS256" })
      const context = yield* Layer.build(
        gateLayer({ resource: claims.aud, authorizationServers: [claims.iss], scopes: ["openid"] }).pipe(
          Layer.provide(Layer.succeed(HttpClient.HttpClient, client))
        )
      )
      const gate = yield* Effect.provide(AuthLayer.AuthLayer, context)
      const { kid, publicJwk } = yield* issuer.currentKey
      assert.isString(kid)
      yield* issuer.publishKeys([{ ...publicJwk, kid: header.kid }])
      const token = yield* issuer.sign(header, claims)
      const request = { method: "POST", header: () => undefined, authorization: [`Bearer ${token}`] }
      yield* TestClock.setTime(1618354100_000)
      const caller = yield* authenticate(gate, request)
      assert.deepStrictEqual(typeof caller === "object" && [...caller.scopes], ["openid", "profile", "reademail"])
      yield* TestClock.setTime(1639528912_000)
      assert.strictEqual((yield* Effect.flip(authenticate(gate, request))).reason, "expired")
    }))
})
