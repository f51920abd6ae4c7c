import { assert, describe, it } from "@effect/vitest"
import { Clock, Duration, Effect, Fiber, Redacted, Result, Schema } from "effect"
import { AuthError, Principal, TokenVerifier } from "effect-mcp-auth"
import type { Rejection } from "effect-mcp-auth/host"
import { Introspection } from "effect-mcp-auth/introspection"
import { Revocations } from "effect-mcp-auth/revocation"
import { TokenCache } from "effect-mcp-auth/verification"
import { TestClock } from "effect/testing"
import { createHash } from "node:crypto"
import { sha256, viaWebCrypto } from "../../../src/crypto/Sha256.ts"
import * as monotonic from "../../../src/store/MonotonicTime.ts"
import { active, secret, start, world } from "../introspection/answers.ts"

const settle = Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))

/** The time of a request that arrives now: the clock, and its monotonic time. */
const present = Clock.clockWith((clock) => Effect.succeed({ clock, since: clock.monotonicTimeNanosUnsafe() }))

describe("a full cache of JWTs", () => {
  const world = (capacity: number) => {
    const verified: Array<string> = []
    const verify: TokenVerifier.Verifier<never>["verify"] = (credentials) =>
      Clock.clockWith((clock) => {
        const now = clock.currentTimeMillisUnsafe()
        const token = Redacted.value(credentials.token)
        verified.push(nameOf(token))
        const principal = Principal.make({
          issuer: "https://auth.test",
          subject: "alice",
          clientId: undefined,
          scopes: new Set(),
          granted: new Set(),
          roles: new Set(),
          audience: [],
          expiresAt: now / 1000 + 3600,
          claims: {},
          token: credentials.token
        })
        return Effect.succeed({
          principal,
          reuse: {
            from: now,
            until: now + Duration.toMillis("1 hour"),
            freshUntil: monotonic.millisOf(clock) + Duration.toMillis("5 minutes"),
            isCurrent: () => true
          }
        })
      })
    const cache = TokenCache.make({ verify }, Result.getOrThrow(TokenCache.settings({ capacity })))
    return {
      cache,
      verified,
      isCached: (name: string) =>
        Effect.map(present, (now) => cache.lookupVerified(`Bearer ${tokenOf(name)}`, now) !== undefined),
      bring: (name: string) => cache.verify({ scheme: "Bearer", token: Redacted.make(tokenOf(name)) })
    }
  }
  const tokenOf = (name: string) =>
    `eyJhbGciOiJSUzI1NiJ9.${Buffer.from(name).toString("base64url")}.${
      createHash("sha512").update(name).digest("base64url")
    }${"x".repeat(40)}${createHash("sha256").update(name).digest("base64url")}`
  const nameOf = (token: string) => Buffer.from(token.split(".")[1]!, "base64url").toString()

  it.effect("tokens that are presented once do not evict tokens that are presented again", () =>
    Effect.gen(function*() {
      const { bring, isCached, verified } = world(2)
      yield* bring("a")
      yield* bring("b")
      for (let n = 0; n < 1000; n++) yield* bring(`once-${n}`)
      assert.isTrue((yield* isCached("a")) && (yield* isCached("b")))
      yield* bring("a")
      assert.strictEqual(verified.filter((name) => name === "a").length, 1)
    }))

  it.effect("a token that is presented again gets a place, and the least recently used one is evicted", () =>
    Effect.gen(function*() {
      const { bring, isCached } = world(2)
      yield* bring("a")
      yield* bring("b")
      assert.isTrue(yield* isCached("a"))
      yield* bring("c")
      assert.isFalse(yield* isCached("c"))
      yield* bring("c")
      assert.isTrue((yield* isCached("c")) && (yield* isCached("a")))
      assert.isFalse(yield* isCached("b"))
    }))

  it.effect("the place of a token that has ended is free at once", () =>
    Effect.gen(function*() {
      const { bring, isCached } = world(1)
      yield* bring("a")
      yield* TestClock.adjust("5 minutes")
      yield* bring("b")
      assert.isTrue(yield* isCached("b"))
      assert.isFalse(yield* isCached("a"))
    }))

  it.effect("does not confuse two tokens with the same ending", () =>
    Effect.gen(function*() {
      const { bring, cache, isCached, verified } = world(2)
      const forged = `${tokenOf("mallory").slice(0, -50)}${tokenOf("a").slice(-50)}`
      yield* bring("a")
      assert.isUndefined(cache.lookupVerified(`Bearer ${forged}`, yield* present))
      assert.isTrue(yield* isCached("a"))
      yield* cache.verify({ scheme: "Bearer", token: Redacted.make(forged) })
      assert.deepStrictEqual(verified, ["a", "mallory"])
      yield* cache.invalidate({ token: Redacted.make(tokenOf("a")) })
      assert.isDefined(cache.lookupVerified(`Bearer ${forged}`, yield* present))
      assert.isFalse(yield* isCached("a"))
    }))

  it.effect("finds a token only by the exact line that presents it", () =>
    Effect.gen(function*() {
      const { bring, cache } = world(2)
      yield* bring("a")
      const now = yield* present
      const token = tokenOf("a")
      const foundLines = [
        `Bearer ${token}`,
        `bearer ${token}`,
        `Bearer  ${token}`,
        `DPoP   ${token}`,
        `Bearer ${token} `,
        ` Bearer ${token}`,
        `Bearer ${token},Bearer ${token}`,
        `Bearer x${token.slice(1)}`,
        token
      ].filter((line) => cache.lookupVerified(line, now) !== undefined)
      assert.deepStrictEqual(foundLines, [`Bearer ${token}`])
    }))

  it.effect("an inactive token does not reject another token with the same ending", () =>
    Effect.gen(function*() {
      const presented: Array<string> = []
      const inactive = TokenVerifier.make((credentials) => {
        presented.push(nameOf(Redacted.value(credentials.token)))
        return Effect.fail(new AuthError.InvalidToken({ reason: "inactive" }))
      })
      const cache = TokenCache.make(inactive, Result.getOrThrow(TokenCache.settings()))
      const forged = `${tokenOf("mallory").slice(0, -50)}${tokenOf("a").slice(-50)}`
      const verify = (token: string) => Effect.flip(cache.verify({ scheme: "Bearer", token: Redacted.make(token) }))
      for (const token of [forged, forged, tokenOf("a"), tokenOf("a")]) yield* verify(token)
      assert.deepStrictEqual(presented, ["mallory", "a"])
    }))
})

describe("introspected tokens", () => {
  it.effect("INTR-17: one request for a token, one for another", () =>
    Effect.gen(function*() {
      const { endpoint, gate } = yield* world
      const caller = yield* gate()
      for (const token of ["a", "a", "b", "a", "b"]) assert.strictEqual(yield* caller.outcome(token), "admitted")
      assert.deepStrictEqual(endpoint.requests.map((_) => _.form.get("token")), ["a", "b"])
    }))

  it.effect("T-INTR-03: a revocation is noticed within the time for which answers are cached", () =>
    Effect.gen(function*() {
      const { endpoint, gate } = yield* world
      const caller = yield* gate()
      assert.strictEqual(yield* caller.outcome("a"), "admitted")
      endpoint.answer = () => Response.json({ active: false })
      yield* TestClock.adjust("59999 millis")
      assert.strictEqual(yield* caller.outcome("a"), "admitted")
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(yield* caller.outcome("a"), "401 inactive")
    }))

  it.effect("INTR-20 T-INTR-03: no answer is cached past exp, with any time to live", () =>
    Effect.gen(function*() {
      const { endpoint, gate } = yield* world
      endpoint.answer = active({ exp: start + 60 })
      const caller = yield* gate({
        server: { introspection: Introspection.make({ ...secret, cacheFor: "300 seconds" }) }
      })
      assert.strictEqual(yield* caller.outcome("a"), "admitted")
      yield* TestClock.adjust("59 seconds")
      assert.strictEqual(yield* caller.outcome("a"), "admitted")
      assert.strictEqual(endpoint.requests.length, 1)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* caller.outcome("a"), "401 expired")
      assert.strictEqual(endpoint.requests.length, 2)
    }))

  it.effect("INTR-18: an inactive token is cached for 5 seconds, and no other token with it", () =>
    Effect.gen(function*() {
      const { endpoint, gate } = yield* world
      endpoint.answer = () => Response.json({ active: false })
      const caller = yield* gate()
      for (let n = 0; n < 3; n++) assert.strictEqual(yield* caller.outcome("a"), "401 inactive")
      assert.strictEqual(endpoint.requests.length, 1)
      endpoint.answer = active()
      assert.strictEqual(yield* caller.outcome("b"), "admitted")
      yield* TestClock.adjust("4999 millis")
      assert.strictEqual(yield* caller.outcome("a"), "401 inactive")
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(yield* caller.outcome("a"), "admitted")
    }))

  it.effect("the time for which an inactive token is cached is an option", () =>
    Effect.gen(function*() {
      const { endpoint, gate } = yield* world
      endpoint.answer = () => Response.json({ active: false })
      const none = yield* gate({ server: { introspection: Introspection.make({ ...secret, inactiveFor: 0 }) } })
      for (let n = 0; n < 2; n++) assert.strictEqual(yield* none.outcome("a"), "401 inactive")
      assert.strictEqual(endpoint.requests.length, 2)
      const long = yield* gate({
        server: { introspection: Introspection.make({ ...secret, inactiveFor: "20 seconds" }) }
      })
      assert.strictEqual(yield* long.outcome("a"), "401 inactive")
      endpoint.answer = active()
      yield* TestClock.adjust("19999 millis")
      assert.strictEqual(yield* long.outcome("a"), "401 inactive")
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(yield* long.outcome("a"), "admitted")
    }))

  it.effect("rejections for another reason are not cached", () =>
    Effect.gen(function*() {
      const { endpoint, gate } = yield* world
      endpoint.answer = active({ aud: "https://other.test" })
      const caller = yield* gate()
      assert.strictEqual(yield* caller.outcome("a"), "401 audience")
      endpoint.answer = active()
      assert.strictEqual(yield* caller.outcome("a"), "admitted")
    }))

  it.effect("INTR-21: no more tokens are kept than the capacity, and the least recently used is evicted first", () =>
    Effect.gen(function*() {
      const { endpoint, gate } = yield* world
      const caller = yield* gate({ tokenCache: { capacity: 2 } })
      for (const token of ["a", "b", "a", "c", "a", "b"]) yield* caller.outcome(token)
      assert.deepStrictEqual(endpoint.requests.map((_) => _.form.get("token")), ["a", "b", "c", "b"])
    }))

  it.effect("INTR-21: invented tokens evict no good tokens, and their number is bounded", () =>
    Effect.gen(function*() {
      const { endpoint, gate } = yield* world
      endpoint.answer = ({ form }) =>
        form.get("token")?.startsWith("good") === true ? active()() : Response.json({ active: false })
      const introspection = { ...secret, inactiveLimit: { burst: 2_000 } }
      const caller = yield* gate({
        tokenCache: { capacity: 2 },
        server: { introspection: Introspection.make(introspection) }
      })
      yield* caller.outcome("good")
      for (let n = 0; n < 1100; n++) yield* caller.outcome(`bad-${n}`)
      const before = endpoint.requests.length
      yield* caller.outcome("good")
      assert.strictEqual(endpoint.requests.length, before)
      yield* caller.outcome("bad-1099")
      assert.strictEqual(endpoint.requests.length, before)
      yield* caller.outcome("bad-0")
      assert.strictEqual(endpoint.requests.length, before + 1)
    }))

  it.effect("INTR-23: a request cannot change the cached claims of the next one", () =>
    Effect.gen(function*() {
      const { endpoint, gate } = yield* world
      endpoint.answer = active({ act: { sub: "x" }, groups: ["a"] })
      const caller = yield* gate()
      const attempts: ReadonlyArray<(principal: any) => void> = [
        (_) => (_.subject = "mallory"),
        (_) => (_.claims.sub = "mallory"),
        (_) => (_.claims.act.sub = "mallory"),
        (_) => _.claims.groups.push("admin"),
        (_) => _.audience.push("x"),
        (_) => _.scopes.add("todos:write"),
        (_) => _.granted.delete("todos:read"),
        (_) => _.scopes.clear(),
        (_) => (_.scopes.has = () => true)
      ]
      for (const attempt of attempts) {
        const principal = yield* caller.present("a")
        assert.throws(() => attempt(principal), TypeError)
      }
      const principal = (yield* caller.present("a")) as Principal
      assert.strictEqual(endpoint.requests.length, 1)
      assert.strictEqual(principal.subject, "alice")
      assert.deepStrictEqual([...principal.scopes], ["todos:read"])
      assert.deepStrictEqual(principal.claims["groups"], ["a"])
      assert.strictEqual(String(Redacted.value(principal.token)), "a")
    }))

  it.effect.each<readonly [capacity: number, cacheFor: number]>([[0, 60_000], [10, 0]])(
    "INTR-24 T-INTR-03: a capacity of %d with a time of %d ms caches nothing",
    ([capacity, cacheFor]) =>
      Effect.gen(function*() {
        const { endpoint, gate } = yield* world
        const introspection = Introspection.make({ ...secret, cacheFor })
        const caller = yield* gate({ tokenCache: { capacity }, server: { introspection } })
        yield* caller.outcome("a")
        yield* caller.outcome("a")
        assert.strictEqual(endpoint.requests.length, 2)
      })
  )

  it.effect.each<readonly [option: string, TokenCache.Options]>([
    ["capacity", { capacity: -1 }],
    ["capacity", { capacity: 1.5 }],
    ["capacity", { capacity: Number.POSITIVE_INFINITY }],
    ["jwt", { jwt: "-1 seconds" }],
    ["jwt", { jwt: "2 hours" }],
    ["jwt", { jwt: "soon" as "1 second" }]
  ])("INTR-24: a wrong %s fails the layer", ([option, tokenCache]) =>
    Effect.gen(function*() {
      const { gate } = yield* world
      assert.strictEqual((yield* Effect.flip(gate({ tokenCache }))).option, `tokenCache.${option}`)
    }))

  it.effect("a clock that is set back makes a token that is not yet valid wait again", () =>
    Effect.gen(function*() {
      const { endpoint, gate } = yield* world
      endpoint.answer = active({ nbf: start + 30 })
      const caller = yield* gate()
      assert.strictEqual(yield* caller.outcome("a"), "admitted")
      yield* TestClock.setTime((start - 1) * 1000)
      assert.strictEqual(yield* caller.outcome("a"), "401 not-yet-valid")
    }))

  it.effect("each layer has a separate cache", () =>
    Effect.gen(function*() {
      const { endpoint, gate } = yield* world
      const [one, other] = [yield* gate(), yield* gate({ resource: "https://server.test/other" })]
      assert.strictEqual(yield* one.outcome("a"), "admitted")
      assert.strictEqual(yield* other.outcome("a"), "401 audience")
      assert.strictEqual(endpoint.requests.length, 2)
    }))
})

describe("JWTs", () => {
  it.effect("are cached until their end, and at most for 5 minutes", () =>
    Effect.gen(function*() {
      const { gate, issuer } = yield* world
      const caller = yield* gate()
      const token = yield* issuer.mint({ expiresIn: "1 hour" })
      const first = yield* caller.present(token)
      assert.strictEqual(yield* caller.present(token), first)
      yield* TestClock.adjust("299 seconds")
      assert.strictEqual(yield* caller.present(token), first)
      yield* TestClock.adjust("1 second")
      assert.notStrictEqual(yield* caller.present(token), first)

      const brief = yield* issuer.mint({ expiresIn: "2 seconds" })
      assert.strictEqual(yield* caller.outcome(brief), "admitted")
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(yield* caller.outcome(brief), "401 expired")
    }))

  it.effect("the same tolerance applies to cached and new tokens", () =>
    Effect.gen(function*() {
      const { gate, issuer } = yield* world
      const caller = yield* gate({ clockTolerance: "10 seconds" })
      const token = yield* issuer.mint({ expiresIn: "2 seconds" })
      const first = yield* caller.present(token)
      yield* TestClock.adjust("11 seconds")
      assert.strictEqual(yield* caller.present(token), first)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* caller.outcome(token), "401 expired")
    }))

  it.effect("are evicted when their key leaves the set, which cached requests keep fresh", () =>
    Effect.gen(function*() {
      const { gate, issuer } = yield* world
      const caller = yield* gate({ tokenCache: { jwt: "1 hour" } })
      const token = yield* issuer.mint({ expiresIn: "1 hour" })
      const first = yield* caller.present(token)
      yield* issuer.takeRequests

      // The keys are refreshed every ten minutes. After three quarters of that time, a request with a cached token starts the
      // refresh, and does not wait for it.
      yield* TestClock.adjust("450 seconds")
      assert.strictEqual(yield* caller.present(token), first)
      yield* settle
      assert.deepStrictEqual((yield* issuer.takeRequests).map((_) => _.url), [issuer.jwksUri])
      assert.strictEqual(yield* caller.present(token), first)

      yield* issuer.rotateKeys
      yield* TestClock.adjust("450 seconds")
      yield* caller.present(token)
      yield* settle
      assert.strictEqual(yield* caller.present(token), first)

      yield* issuer.withdrawOldKeys
      yield* TestClock.adjust("450 seconds")
      yield* caller.present(token)
      yield* settle
      assert.strictEqual(yield* caller.outcome(token), "401 unknown-key")
    }))

  it.effect("survive an outage of the key set as long as the keys do, and no longer", () =>
    Effect.gen(function*() {
      const { gate, issuer } = yield* world
      const caller = yield* gate({ tokenCache: { jwt: "1 hour" } })
      const token = yield* issuer.mint({ expiresIn: "48 hours" })
      assert.strictEqual(yield* caller.outcome(token), "admitted")
      yield* issuer.fail({ _tag: "Status", status: 503 })
      yield* TestClock.adjust("59 minutes")
      assert.strictEqual(yield* caller.outcome(token), "admitted")
      yield* TestClock.adjust("24 hours")
      assert.strictEqual(yield* caller.outcome(token), "503 server-error")
    }))
})

describe("invalidate", () => {
  it.effect("evicts a token, a subject, a session or everything, and nothing else", () =>
    Effect.gen(function*() {
      const { endpoint, gate } = yield* world
      endpoint.answer = ({ form }) => {
        const [sub, sid] = (form.get("token") ?? "").split(".")
        return active({ sub, sid })()
      }
      const tokens = ["alice.s1", "alice.s2", "bob.s1", "bob.s3"]
      const caller = yield* gate()
      const cachedTokens = Effect.gen(function*() {
        const before = endpoint.requests.length
        for (const token of tokens) assert.strictEqual(yield* caller.outcome(token), "admitted")
        return tokens.filter((_) => !endpoint.requests.slice(before).some(({ form }) => form.get("token") === _))
      })
      const after = (target: TokenCache.Target) => Effect.andThen(caller.gate.invalidate(target), cachedTokens)
      assert.deepStrictEqual(yield* cachedTokens, [])
      assert.deepStrictEqual(yield* cachedTokens, tokens)
      assert.deepStrictEqual(yield* after({ token: Redacted.make("bob.s3") }), ["alice.s1", "alice.s2", "bob.s1"])
      assert.deepStrictEqual(yield* after({ subject: "alice" }), ["bob.s1", "bob.s3"])
      assert.deepStrictEqual(yield* after({ session: "s1" }), ["alice.s2", "bob.s3"])
      assert.deepStrictEqual(yield* after({ subject: "alice", issuer: "https://other.test" }), tokens)
      assert.deepStrictEqual(yield* after({ session: "s1", issuer: "https://issuer.test" }), ["alice.s2", "bob.s3"])
      assert.deepStrictEqual(yield* after("everything"), [])
    }))

  it.effect("evicts an inactive token", () =>
    Effect.gen(function*() {
      const { endpoint, gate } = yield* world
      endpoint.answer = () => Response.json({ active: false })
      const caller = yield* gate()
      assert.strictEqual(yield* caller.outcome("a"), "401 inactive")
      endpoint.answer = active()
      yield* caller.gate.invalidate({ token: Redacted.make("a") })
      assert.strictEqual(yield* caller.outcome("a"), "admitted")
    }))

  it.effect("an answer that was pending during invalidate is not cached", () =>
    Effect.gen(function*() {
      const { endpoint, gate } = yield* world
      let release = (_: Response) => {}
      endpoint.answer = () => new Promise((resolve) => (release = resolve))
      const caller = yield* gate()
      const fiber = yield* Effect.forkChild(caller.outcome("a"))
      yield* settle
      yield* caller.gate.invalidate({ subject: "alice" })
      release(active()())
      assert.strictEqual(yield* Fiber.join(fiber), "admitted")
      endpoint.answer = () => Response.json({ active: false })
      assert.strictEqual(yield* caller.outcome("a"), "401 inactive")
    }))
})

describe("the revocation hook", () => {
  it.effect("is called on every request, and rejects cached tokens", () =>
    Effect.gen(function*() {
      const { endpoint, gate } = yield* world
      const revoked = new Set<string | undefined>()
      const presented: Array<string | undefined> = []
      const caller = yield* gate({
        revocation: Revocations.check(({ subject }) => {
          presented.push(subject)
          return Effect.succeed(revoked.has(subject))
        })
      })
      assert.strictEqual(yield* caller.outcome("a"), "admitted")
      assert.strictEqual(yield* caller.outcome("a"), "admitted")
      revoked.add("alice")
      assert.strictEqual(yield* caller.outcome("a"), "401 revoked")
      assert.strictEqual(endpoint.requests.length, 1)
      assert.deepStrictEqual(presented, ["alice", "alice", "alice"])
    }))

  it.effect("answers 503 if it fails", () =>
    Effect.gen(function*() {
      const { gate } = yield* world
      const caller = yield* gate({
        revocation: Revocations.check(() =>
          Effect.fail(
            new AuthError.AuthorizationServerUnavailable({ reason: "network", issuer: "redis", retryAfter: 1 })
          )
        )
      })
      const rejection = (yield* caller.present("a")) as Rejection.Rejection
      assert.strictEqual(rejection.status, 503)
    }))
})

describe("TokenCache", () => {
  const principal = (token: string) =>
    Principal.of({
      issuer: "https://issuer.test",
      subject: token,
      clientId: undefined,
      scopes: new Set(),
      granted: new Set(),
      roles: new Set(),
      audience: [],
      expiresAt: 10,
      claims: {},
      token: Redacted.make(token) as Redacted.Redacted<any>,
      owner: "",
      key: ""
    })
  const settings = Result.getOrThrow(TokenCache.settings())
  const credentials = (token: string) => ({ scheme: "Bearer", token: Redacted.make(token) }) as const

  it.effect("calls a verifier whose results cannot be reused every time", () =>
    Effect.gen(function*() {
      let count = 0
      const cache = TokenCache.make(
        TokenVerifier.make(({ token }) => {
          count++
          return Effect.succeed(principal(Redacted.value(token)))
        }),
        settings
      )
      yield* cache.verify(credentials("a"))
      yield* cache.verify(credentials("a"))
      assert.strictEqual(count, 2)
    }))

  it.effect.prop("never confuses two tokens, and never outlives until", {
    tokens: Schema.Array(Schema.String),
    millis: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1000 }))
  }, ({ millis, tokens }) =>
    Effect.gen(function*() {
      const cache = TokenCache.make(
        {
          verify: ({ token }) =>
            Effect.succeed({
              principal: principal(Redacted.value(token)),
              reuse: { from: 0, until: 1_000_000, freshUntil: millis }
            })
        },
        settings
      )
      yield* TestClock.setTime(0)
      // In UTF-8, all lone surrogates become the same bytes. Tokens that differ only in lone surrogates share a cache entry,
      // and evict each other.
      const haveOwnBytes = tokens.every((token) => !/\p{Surrogate}/u.test(token))
      const first = new Map<string, unknown>()
      for (const token of tokens) {
        const found = (yield* cache.verify(credentials(token))).principal
        assert.strictEqual(found.subject, token)
        if (first.has(token) && millis > 0 && haveOwnBytes) assert.strictEqual(found, first.get(token))
        first.set(token, found)
      }
      yield* TestClock.setTime(millis)
      for (const token of tokens) {
        assert.notStrictEqual((yield* cache.verify(credentials(token))).principal, first.get(token))
      }
    }))

  it("keys by the whole SHA-256, on every platform", async () => {
    const expected = createHash("sha256").update("abc").digest("base64url")
    assert.strictEqual(await Effect.runPromise(sha256("abc")), expected)
    assert.strictEqual(await Effect.runPromise(viaWebCrypto("abc")), expected)
  })
})
