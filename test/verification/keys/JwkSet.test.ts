import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Exit, Fiber, Logger, Result, Scope } from "effect"
import { TestIssuer } from "effect-mcp-auth/testing"
import { type AuthorizationServer, Freshness, JwkSet } from "effect-mcp-auth/verification"
import { TestClock } from "effect/testing"
import * as ConfigOption from "../../../src/protocol/ConfigOption.ts"
import * as support from "../support.ts"

const metadataUrl = "/.well-known/oauth-authorization-server"
const jwksUri = "https://issuer.test/jwks"

/** A configured `jwksUri` makes metadata unnecessary, so every request is a request for keys. */
const keysOnly = { server: { jwksUri } }

/** The key hint of a token that is older than every fetch of keys. */
const hint = (kid?: string, algorithm = "ES256"): JwkSet.KeyHint => ({ algorithm, kid, issuedAt: 0 })

/** Returns the number of keys that can have signed a token with this `kid`. */
const count = (
  { keys, server }: {
    readonly keys: JwkSet.JwkSet["Service"]
    readonly server: AuthorizationServer.AuthorizationServer
  },
  kid: string | undefined = "key-1",
  algorithm?: string
) => Effect.map(keys.find(server, hint(kid, algorithm)), (_) => _.length)

/** Returns the number of requests to the issuer since the last call. */
const countRequests = (issuer: TestIssuer.TestIssuer["Service"]) => Effect.map(issuer.takeRequests, (_) => _.length)

/** Lets pending promises settle. */
const settled = Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))

const status = (status: number): TestIssuer.Fault => ({ _tag: "Status", status })
const body = (content: unknown): TestIssuer.Fault => ({
  _tag: "Body",
  body: JSON.stringify(content),
  contentType: "application/json"
})

/** A number of this many bits for the member `n`. It is not the modulus of a real key, but passes the checks of a key set. */
const modulus = (bits: number): string => {
  const bytes = new Uint8Array(Math.ceil(bits / 8)).fill(0xa5)
  bytes[0] = 1 << ((bits - 1) % 8)
  return support.segment(bytes)
}

const rsa = (bits: number, e = "AQAB"): Readonly<Record<string, unknown>> => ({ kty: "RSA", n: modulus(bits), e })

const ed25519 = { kty: "OKP", crv: "Ed25519", x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" }

const point = {
  x: "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
  y: "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
}
const p256 = { kty: "EC", crv: "P-256", ...point }

/** Key sets without a key that verifies ES256. */
const unusable: ReadonlyArray<ReadonlyArray<unknown>> = [
  [],
  [null],
  [null, 1, "x", []],
  [{ kty: "oct", kid: "key-1", k: "AAAA" }],
  [{ ...rsa(1024), kid: "key-1" }, { ...rsa(2048, "Aw"), kid: "key-1" }],
  [{ ...p256, kid: "key-1", use: "enc" }],
  [{ ...p256, kid: "key-1", d: point.x }],
  // Valid keys of other algorithms.
  [{ ...rsa(2048), kid: "key-1" }, { ...ed25519, kid: "key-1" }],
  // These coordinates are no point of the curve, so the import of the key fails.
  [{ ...p256, kid: "key-1", x: "AAAA" }],
  [{ ...p256, kid: "key-1", y: point.x }]
]

describe("one fetch at a time", () => {
  it.effect("100 concurrent first requests: one for the metadata, one for the keys", () =>
    Effect.gen(function*() {
      const set = yield* support.services()
      yield* set.issuer.fail({ _tag: "Slow", by: "1 second" })
      const fiber = yield* Effect.forkChild(
        Effect.all(Array.from({ length: 100 }, () => count(set)), { concurrency: "unbounded" })
      )
      yield* TestClock.adjust("1 second")
      yield* settled
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* Fiber.join(fiber), Array.from({ length: 100 }, () => 1))
      assert.deepStrictEqual(yield* support.requestedUrls(set.issuer), [metadataUrl, "/jwks"])
    }))

  it.effect("100 concurrent first requests for an unknown key: one for the keys", () =>
    Effect.gen(function*() {
      const set = yield* support.services(keysOnly)
      yield* set.issuer.fail({ _tag: "Slow", by: "1 second" })
      const fiber = yield* Effect.forkChild(
        Effect.all(Array.from({ length: 100 }, (_, n) => count(set, `unknown-${n}`)), { concurrency: "unbounded" })
      )
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(fiber)
      assert.strictEqual(yield* countRequests(set.issuer), 1)
    }))

  it.effect("KEY-11 two requests with the same issuer: one JWKS request", () =>
    Effect.gen(function*() {
      const set = yield* support.services()
      assert.strictEqual(yield* count(set), 1)
      assert.strictEqual(yield* count(set), 1)
      assert.deepStrictEqual(yield* support.requestedUrls(set.issuer), [metadataUrl, "/jwks"])
    }))

  it.effect("a request that is interrupted while it waits does not cancel the fetch of another request", () =>
    Effect.gen(function*() {
      const set = yield* support.services(keysOnly)
      yield* set.issuer.fail({ _tag: "Slow", by: "2 seconds" })
      const first = yield* Effect.forkChild(count(set), { startImmediately: true })
      const second = yield* Effect.forkChild(count(set), { startImmediately: true })
      yield* TestClock.adjust("1 second")
      yield* Fiber.interrupt(first)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Fiber.join(second), 1)
      assert.strictEqual(yield* countRequests(set.issuer), 1)
    }))

  it.effect("a fetch continues when no request waits for it any more", () =>
    Effect.gen(function*() {
      const set = yield* support.services(keysOnly)
      yield* set.issuer.fail({ _tag: "Slow", by: "2 seconds" })
      const only = yield* Effect.forkChild(count(set), { startImmediately: true })
      yield* Fiber.interrupt(only)
      yield* TestClock.adjust("2 seconds")
      yield* settled
      assert.strictEqual(yield* count(set), 1)
      assert.strictEqual(yield* countRequests(set.issuer), 1)
    }))

  it.effect("requests that wait, and later ones, end when the layer is closed", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const set = yield* Effect.provideService(support.services(keysOnly), Scope.Scope, scope)
      yield* set.issuer.fail({ _tag: "Hang" })
      const waiting = yield* Effect.forkChild(count(set), { startImmediately: true })
      yield* Scope.close(scope, Exit.void)
      assert.isTrue(Exit.isFailure(yield* Fiber.await(waiting)))
      const late = yield* Effect.forkChild(count(set), { startImmediately: true })
      assert.isTrue(Exit.isFailure(yield* Fiber.await(late)))
    }))
})

describe("freshness", () => {
  it.effect("nothing is fetched before three quarters of the interval", () =>
    Effect.gen(function*() {
      const set = yield* support.services()
      yield* count(set)
      yield* set.issuer.takeRequests
      yield* TestClock.adjust(Duration.millis(7.5 * 60_000 - 1))
      assert.strictEqual(yield* count(set), 1)
      assert.strictEqual(yield* countRequests(set.issuer), 0)
    }))

  it.effect("from then on the set is refreshed in the background, and no caller waits", () =>
    Effect.gen(function*() {
      const set = yield* support.services()
      yield* count(set)
      yield* set.issuer.takeRequests
      yield* set.issuer.fail({ _tag: "Hang" })
      yield* TestClock.adjust("7.5 minutes")
      for (let n = 0; n < 10; n++) assert.strictEqual(yield* count(set), 1)
      assert.deepStrictEqual(yield* support.requestedUrls(set.issuer), [metadataUrl, "/jwks"])
    }))

  it.effect("if the set is overdue, the first caller waits for one fetch", () =>
    Effect.gen(function*() {
      const set = yield* support.services(keysOnly)
      yield* count(set)
      yield* set.issuer.takeRequests
      yield* TestClock.adjust("10 minutes")
      yield* set.issuer.rotateKeys
      yield* set.issuer.withdrawOldKeys
      yield* set.issuer.fail({ _tag: "Slow", by: "2 seconds" })
      const fiber = yield* Effect.forkChild(count(set), { startImmediately: true })
      yield* TestClock.adjust("1999 millis")
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(yield* Fiber.join(fiber), 0)
      assert.strictEqual(yield* countRequests(set.issuer), 1)
    }))

  it.effect("if the set is overdue and the issuer is down, only the first caller waits, and the stale keys serve", () =>
    Effect.gen(function*() {
      const set = yield* support.services(keysOnly)
      yield* count(set)
      yield* TestClock.adjust("10 minutes")
      yield* set.issuer.fail({ _tag: "Hang" })
      const fiber = yield* Effect.forkChild(count(set), { startImmediately: true })
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual(yield* Fiber.join(fiber), 1)
      yield* set.issuer.takeRequests
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* count(set), 1)
      assert.strictEqual(yield* countRequests(set.issuer), 1)
    }))

  it.effect.each(
    [{ every: "1 second" }, { every: "1 minute" }, { every: "4 minutes" }, { every: "9 minutes" }] as const
  )(
    "a key that was withdrawn is not used after the interval, with a request every $every",
    ({ every }) =>
      Effect.gen(function*() {
        const set = yield* support.services()
        yield* count(set)
        yield* set.issuer.rotateKeys
        yield* set.issuer.withdrawOldKeys
        for (let passed = 0; passed < 10 * 60_000; passed += Duration.toMillis(every)) {
          yield* count(set)
          yield* settled
          yield* TestClock.adjust(every)
        }
        assert.strictEqual(yield* count(set), 0)
      })
  )

  it.effect.each([
    { cacheControl: undefined, minutes: 10 },
    { cacheControl: "public", minutes: 10 },
    { cacheControl: "max-age=1200", minutes: 20 },
    { cacheControl: "public, Max-Age=1200, must-revalidate", minutes: 20 },
    { cacheControl: "max-age=0", minutes: 5 },
    { cacheControl: "max-age=60", minutes: 5 },
    { cacheControl: "no-store", minutes: 5 },
    { cacheControl: "no-cache, max-age=86400", minutes: 5 },
    { cacheControl: "max-age=86400", minutes: 60 },
    { cacheControl: "max-age=999999999", minutes: 60 },
    { cacheControl: "max-age=99999999999999999999", minutes: 10 },
    { cacheControl: "s-maxage=86400", minutes: 10 },
    { cacheControl: "stale-if-error=86400", minutes: 10 },
    { cacheControl: "max-age=-1", minutes: 10 },
    { cacheControl: "max-age=x", minutes: 10 }
  ])("Cache-Control $cacheControl: $minutes minutes", ({ cacheControl, minutes }) =>
    Effect.gen(function*() {
      const set = yield* support.services({ ...keysOnly, ...(cacheControl === undefined ? {} : { cacheControl }) })
      yield* count(set)
      yield* set.issuer.takeRequests
      yield* TestClock.adjust(Duration.millis(minutes * 60_000 * 0.75 - 1))
      yield* count(set)
      assert.strictEqual(yield* countRequests(set.issuer), 0)
      yield* TestClock.adjust("1 millis")
      yield* count(set)
      assert.strictEqual(yield* countRequests(set.issuer), 1)
    }))

  it.effect("the times are options", () =>
    Effect.gen(function*() {
      const set = yield* Effect.provideService(support.services(keysOnly), Freshness.Freshness, {
        refresh: Duration.minutes(1),
        shortest: Duration.minutes(1),
        longest: Duration.minutes(1),
        maxStale: Duration.minutes(2),
        unknownKidCooldown: Duration.seconds(5),
        minBackoff: Duration.seconds(1),
        maxBackoff: Duration.seconds(1)
      })
      yield* count(set)
      yield* set.issuer.takeRequests
      yield* TestClock.adjust("45 seconds")
      yield* count(set)
      assert.strictEqual(yield* countRequests(set.issuer), 1)
      yield* settled
      yield* set.issuer.fail(status(500))
      yield* TestClock.adjust("119 seconds")
      assert.strictEqual(yield* count(set), 1)
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* Effect.flip(count(set)))._tag, "AuthorizationServerUnavailable")
    }))
})

describe("an outage", () => {
  it.effect("stale keys serve for 24 hours, then the result is an outage", () =>
    Effect.gen(function*() {
      const set = yield* support.services()
      yield* count(set)
      yield* set.issuer.fail(status(500))
      for (let minute = 0; minute < 24 * 60; minute += 5) {
        assert.strictEqual(yield* count(set), 1)
        yield* TestClock.adjust("5 minutes")
      }
      const error = yield* Effect.flip(count(set))
      assert.strictEqual(error._tag, "AuthorizationServerUnavailable")
      assert.strictEqual(error.reason, "server-error")
      yield* set.issuer.recover
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(yield* count(set), 1)
    }))

  it.effect.each<TestIssuer.Fault>([
    status(404),
    body("no key set"),
    body({}),
    ...unusable.map((keys) => body({ keys })),
    body({ keys: Array.from({ length: 101 }, () => ({})) })
  ])(
    "[T-AUD-15] stale keys serve for 24 hours while the response is %j",
    (fault) =>
      Effect.gen(function*() {
        const set = yield* support.services({ server: { jwksUri, algorithms: ["ES256"] } })
        yield* count(set)
        yield* set.issuer.takeRequests
        yield* set.issuer.fail(fault)
        for (let minute = 0; minute < 24 * 60; minute += 5) {
          assert.strictEqual(yield* count(set), 1)
          // The background refresh ends before the next request.
          yield* settled
          assert.strictEqual(yield* count(set), 1)
          yield* TestClock.adjust("5 minutes")
        }
        assert.isAbove(yield* countRequests(set.issuer), 100)
        assert.include(["InvalidMetadata", "AuthorizationServerUnavailable"], (yield* Effect.flip(count(set)))._tag)
        yield* set.issuer.recover
        yield* TestClock.adjust("1 minute")
        assert.strictEqual(yield* count(set), 1)
      })
  )

  it.effect.each(unusable.map((keys) => ({ keys })))(
    "[T-AUD-15] a first key set without a usable key (%j) is an outage, and is retried after a backoff",
    ({ keys }) =>
      Effect.gen(function*() {
        const set = yield* support.services({ server: { jwksUri, algorithms: ["ES256"] } })
        yield* set.issuer.publishKeys(keys)
        const error = yield* Effect.flip(count(set))
        assert.strictEqual(error._tag, "InvalidMetadata")
        assert.strictEqual(error.reason, "no-usable-key")
        assert.include(error.message, jwksUri)
        yield* set.issuer.takeRequests
        yield* Effect.flip(count(set))
        assert.strictEqual(yield* countRequests(set.issuer), 0)
        yield* set.issuer.publishKeys(undefined)
        yield* TestClock.adjust("1 second")
        assert.strictEqual(yield* count(set), 1)
      })
  )

  it.effect("[T-AUD-15] keys that the latest set does not contain are withdrawn, if one usable key remains", () =>
    Effect.gen(function*() {
      const set = yield* support.services(keysOnly)
      yield* count(set)
      yield* set.issuer.publishKeys([null, { kty: "oct", k: "AAAA" }, { ...p256, kid: "other" }])
      yield* TestClock.adjust("10 minutes")
      assert.strictEqual(yield* count(set), 0)
      assert.strictEqual(yield* count(set, "other"), 1)
    }))

  it.effect("[T-AUD-15] an outage is logged once, with the document and the reason", () =>
    Effect.gen(function*() {
      const lines: Array<string> = []
      const logger = Logger.make(({ logLevel, message }) => {
        lines.push(`${logLevel}: ${String(message)}`)
      })
      yield* Effect.gen(function*() {
        const set = yield* support.services(keysOnly)
        yield* count(set)
        for (let outage = 0; outage < 2; outage++) {
          yield* set.issuer.publishKeys([])
          for (let minute = 0; minute < 60; minute++) {
            yield* TestClock.adjust("1 minute")
            yield* count(set)
            yield* settled
          }
          yield* set.issuer.publishKeys(undefined)
          yield* TestClock.adjust("2 minutes")
          yield* count(set)
          yield* settled
        }
      }).pipe(Effect.provide(Logger.layer([logger])))
      const line = "Warn: The key set of the authorization server https://issuer.test could not be refreshed " +
        "(no-usable-key). The previous one stays in use for at most 1d."
      assert.deepStrictEqual(lines, [line, line])
    }))

  it.effect("the backoff between attempts grows to a minute", () =>
    Effect.gen(function*() {
      const set = yield* support.services(keysOnly)
      yield* count(set)
      yield* TestClock.adjust("8 minutes")
      yield* set.issuer.fail(status(500))
      assert.deepStrictEqual(yield* attempts(set, 200, 1), [0, 1, 3, 7, 15, 31, 63, 123, 183])
    }))

  it.effect.each([
    { header: "20", began: [0, 20, 40, 60] },
    // `Retry-After` lengthens a backoff to at most 60 seconds, and never shortens it. A date in `Retry-After` has an effect
    // only if the response also has a `Date` header, which these responses do not have.
    { header: "3600", began: [0, 60] },
    { header: "0", began: [0, 1, 3, 7, 15, 31] },
    { header: "Wed, 21 Oct 2026 07:28:00 GMT", began: [0, 1, 3, 7, 15, 31] }
  ])(
    "a server with Retry-After: $header gets no request for that time",
    ({ began, header }) =>
      Effect.gen(function*() {
        const set = yield* support.services(keysOnly)
        yield* count(set)
        yield* TestClock.adjust("8 minutes")
        yield* set.issuer.fail({ _tag: "Status", status: 429, headers: { "retry-after": header } })
        assert.deepStrictEqual(yield* attempts(set, 62, 1), began)
      })
  )

  it.effect("the backoff applies also if there were never any keys, and the error says how long to wait", () =>
    Effect.gen(function*() {
      const set = yield* support.services(keysOnly)
      yield* set.issuer.fail(status(503))
      const waits: Array<number> = []
      const began: Array<number> = []
      for (let second = 0; second < 130; second++) {
        const error = yield* Effect.flip(count(set))
        if (error._tag !== "AuthorizationServerUnavailable") return assert.fail(error._tag)
        if ((yield* countRequests(set.issuer)) > 0) began.push(second)
        else waits.push(error.retryAfter)
        yield* TestClock.adjust("1 second")
      }
      assert.deepStrictEqual(began, [0, 1, 3, 7, 15, 31, 63, 123])
      // `waits` has an entry for each second without an attempt: the seconds that remain in the backoff. The first entry
      // belongs to the backoff of two seconds, and the next three belong to the backoff of four seconds.
      assert.deepStrictEqual(waits.slice(0, 4), [1, 3, 2, 1])
      assert.isTrue(waits.every((wait) => wait >= 1 && wait <= 60))
    }))

  it.effect("a client that waits as long as the error says finds the backoff over", () =>
    Effect.gen(function*() {
      const set = yield* support.services(keysOnly)
      yield* set.issuer.fail(status(503))
      yield* Effect.flip(count(set))
      yield* TestClock.adjust("1 second")
      yield* Effect.flip(count(set))
      yield* TestClock.adjust("500 millis")
      const error = yield* Effect.flip(count(set))
      if (error._tag !== "AuthorizationServerUnavailable") return assert.fail(error._tag)
      yield* set.issuer.recover
      yield* TestClock.adjust(Duration.seconds(error.retryAfter))
      assert.strictEqual(yield* count(set), 1)
    }))

  it.effect("a success ends the backoff, and the next outage starts from the shortest", () =>
    Effect.gen(function*() {
      const set = yield* support.services(keysOnly)
      yield* set.issuer.fail(status(500))
      for (let second = 0; second < 20; second++) {
        yield* Effect.flip(count(set))
        yield* TestClock.adjust("1 second")
      }
      yield* set.issuer.recover
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(yield* count(set), 1)
      yield* TestClock.adjust("8 minutes")
      yield* set.issuer.takeRequests
      yield* set.issuer.fail(status(500))
      assert.deepStrictEqual(yield* attempts(set, 10, 1), [0, 1, 3, 7])
    }))

  it.effect("KEY-14 discovery 500, then keys 500, then all fine: error, error, accepted", () =>
    Effect.gen(function*() {
      const set = yield* support.services()
      yield* set.issuer.fail(status(500), ".well-known")
      assert.strictEqual((yield* Effect.flip(count(set)))._tag, "AuthorizationServerUnavailable")
      yield* TestClock.adjust("1 second")
      yield* set.issuer.fail(status(500), "/jwks")
      assert.strictEqual((yield* Effect.flip(count(set)))._tag, "AuthorizationServerUnavailable")
      yield* TestClock.adjust("1 second")
      yield* set.issuer.recover
      assert.strictEqual(yield* count(set), 1)
    }))

  it.effect.each<{ readonly title: string; readonly fault: TestIssuer.Fault; readonly is: string }>([
    { title: "rejects", fault: { _tag: "Reject" }, is: "network" },
    { title: "does not answer in time", fault: { _tag: "Hang" }, is: "timeout" },
    { title: "answers too late", fault: { _tag: "Slow", by: "6 seconds" }, is: "timeout" },
    { title: "fails", fault: status(502), is: "server-error" },
    { title: "is overloaded", fault: status(429), is: "server-error" }
  ])(
    "KEY-17 JWKS host $title: typed error within 5 seconds, never invalid_token",
    ({ fault, is }) =>
      Effect.gen(function*() {
        const { issuer, outcomeOf, verify } = yield* support.verifier()
        yield* issuer.fail(fault, "/jwks")
        const token = yield* issuer.mint()
        const fiber = yield* Effect.forkChild(Effect.flip(verify(token)))
        yield* settled
        yield* TestClock.adjust("5 seconds")
        const error = yield* Fiber.join(fiber)
        assert.strictEqual(error._tag, "AuthorizationServerUnavailable")
        assert.strictEqual(error.reason, is)
        yield* issuer.recover
        yield* TestClock.adjust("1 second")
        assert.strictEqual(yield* outcomeOf(token), "accepted")
      })
  )
})

/** Requests a key once a second. Returns the seconds at which a request reached the issuer. */
const attempts = Effect.fnUntraced(function*(
  set: Effect.Success<ReturnType<typeof support.services>>,
  seconds: number,
  keys: number
) {
  const began: Array<number> = []
  yield* set.issuer.takeRequests
  for (let second = 0; second < seconds; second++) {
    assert.strictEqual(yield* count(set), keys)
    yield* settled
    if ((yield* countRequests(set.issuer)) > 0) began.push(second)
    yield* TestClock.adjust("1 second")
  }
  return began
})

describe("an unknown key", () => {
  it.effect("KEY-02 kid of the token is not in the JWKS: 401 after at most one refresh", () =>
    Effect.gen(function*() {
      const { issuer, outcomeOf } = yield* support.verifier(keysOnly)
      const token = yield* issuer.mint({ header: { kid: "unknown" } })
      // The set was fetched for this token, so it is not fetched again to look for the unknown key.
      assert.strictEqual(yield* outcomeOf(token), "unknown-key")
      assert.strictEqual(yield* countRequests(issuer), 1)
      yield* TestClock.adjust("30 seconds")
      assert.strictEqual(yield* outcomeOf(token), "unknown-key")
      assert.strictEqual(yield* countRequests(issuer), 1)
    }))

  it.effect("a new key is found at once", () =>
    Effect.gen(function*() {
      const { issuer, outcomeOf } = yield* support.verifier()
      assert.strictEqual(yield* outcomeOf(yield* issuer.mint()), "accepted")
      yield* issuer.rotateKeys
      assert.strictEqual(yield* outcomeOf(yield* issuer.mint()), "accepted")
      assert.deepStrictEqual(yield* support.requestedUrls(issuer), [metadataUrl, "/jwks", "/jwks"])
    }))

  it.effect("KEY-15 unknown kid repeated inside the cooldown of 30 seconds: one refresh only, for any kid", () =>
    Effect.gen(function*() {
      const set = yield* support.services(keysOnly)
      yield* count(set)
      yield* set.issuer.takeRequests
      const began: Array<number> = []
      for (let second = 0; second < 95; second++) {
        for (let n = 0; n < 5; n++) assert.strictEqual(yield* count(set, `unknown-${second}-${n}`), 0)
        if ((yield* countRequests(set.issuer)) > 0) began.push(second)
        yield* TestClock.adjust("1 second")
      }
      assert.deepStrictEqual(began, [0, 30, 60, 90])
    }))

  it.effect("the cooldown of one issuer does not slow down another issuer", () =>
    Effect.gen(function*() {
      const { issuers, keys } = yield* support.severalIssuers("https://one.test", "https://two.test")
      for (const { server } of issuers) yield* count({ keys, server })
      for (const issuer of issuers) yield* issuer.takeRequests
      for (const { server } of [...issuers, ...issuers]) {
        assert.strictEqual(yield* count({ keys, server }, "unknown"), 0)
      }
      for (const issuer of issuers) assert.strictEqual(yield* countRequests(issuer), 1)
    }))

  it.effect("if the last refresh failed, an unknown key is an outage, because the token may be valid", () =>
    Effect.gen(function*() {
      const set = yield* support.services(keysOnly)
      yield* count(set)
      yield* set.issuer.takeRequests
      yield* set.issuer.fail(status(500))
      assert.strictEqual((yield* Effect.flip(count(set, "unknown")))._tag, "AuthorizationServerUnavailable")
      assert.strictEqual(yield* countRequests(set.issuer), 1)
      // During the backoff, known keys stay usable, and no request is sent.
      assert.strictEqual((yield* Effect.flip(count(set, "unknown")))._tag, "AuthorizationServerUnavailable")
      assert.strictEqual(yield* count(set), 1)
      assert.strictEqual(yield* countRequests(set.issuer), 0)
      // The failed fetch started a backoff of one second, and not the cooldown of unknown keys.
      yield* set.issuer.recover
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* count(set, "unknown"), 0)
      assert.strictEqual(yield* countRequests(set.issuer), 1)
    }))

  it.effect("if a background refresh failed, an unknown key is an outage, too", () =>
    Effect.gen(function*() {
      const set = yield* support.services(keysOnly)
      yield* count(set)
      yield* set.issuer.fail(status(500))
      yield* TestClock.adjust("8 minutes")
      assert.strictEqual(yield* count(set), 1)
      yield* settled
      assert.strictEqual((yield* Effect.flip(count(set, "unknown")))._tag, "AuthorizationServerUnavailable")
    }))

  it.effect("an unknown key in 100 concurrent requests causes one refresh", () =>
    Effect.gen(function*() {
      const set = yield* support.services(keysOnly)
      yield* count(set)
      yield* set.issuer.takeRequests
      yield* set.issuer.fail({ _tag: "Slow", by: "1 second" })
      const fiber = yield* Effect.forkChild(
        Effect.all(Array.from({ length: 100 }, (_, n) => count(set, `unknown-${n}`)), { concurrency: "unbounded" })
      )
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(fiber)
      assert.strictEqual(yield* countRequests(set.issuer), 1)
    }))

  it.effect("a new key in 100 concurrent requests causes one refresh, and all of them find it", () =>
    Effect.gen(function*() {
      const set = yield* support.services(keysOnly)
      yield* count(set)
      yield* set.issuer.rotateKeys
      const { kid } = yield* set.issuer.currentKey
      yield* set.issuer.takeRequests
      yield* set.issuer.fail({ _tag: "Slow", by: "1 second" })
      const fiber = yield* Effect.forkChild(
        Effect.all(Array.from({ length: 100 }, () => count(set, kid)), { concurrency: "unbounded" })
      )
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* Fiber.join(fiber), Array.from({ length: 100 }, () => 1))
      assert.strictEqual(yield* countRequests(set.issuer), 1)
    }))

  it.effect("known keys do not wait while a refresh hangs", () =>
    Effect.gen(function*() {
      const set = yield* support.services(keysOnly)
      yield* count(set)
      yield* set.issuer.fail({ _tag: "Hang" })
      const unknown = yield* Effect.forkChild(Effect.flip(count(set, "unknown")), { startImmediately: true })
      assert.strictEqual(yield* count(set), 1)
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual((yield* Fiber.join(unknown)).reason, "timeout")
    }))
})

describe("the location of the keys", () => {
  it.effect("KEY-12 jwks_uri changes after a discovery refresh: the new URI is used, the old set no longer", () =>
    Effect.gen(function*() {
      const moved = "https://keys.test/jwks"
      const { issuer: other } = yield* TestIssuer.make()
      const { publicJwk } = yield* other.currentKey
      const set = yield* support.services({
        elsewhere: (url) => url.href === moved ? Response.json({ keys: [{ ...publicJwk, kid: "moved" }] }) : undefined
      })
      assert.strictEqual(yield* count(set), 1)
      yield* set.issuer.publishMetadata({ jwks_uri: moved })
      yield* TestClock.adjust("10 minutes")
      yield* set.issuer.takeRequests
      assert.strictEqual(yield* count(set, "moved"), 1)
      assert.strictEqual(yield* count(set), 0)
      assert.deepStrictEqual(yield* support.requestedUrls(set.issuer), [metadataUrl, moved, moved])
    }))

  it.effect("[T-AUD-15] jwks_uri changes to one that is unusable: the keys of the old URI still serve", () =>
    Effect.gen(function*() {
      const moved = "https://keys.test/jwks"
      const { issuer: other } = yield* TestIssuer.make()
      const { publicJwk } = yield* other.currentKey
      let answer: unknown = {}
      const set = yield* support.services({
        elsewhere: (url) => url.href === moved ? Response.json(answer) : undefined
      })
      assert.strictEqual(yield* count(set), 1)
      yield* set.issuer.publishMetadata({ jwks_uri: moved })
      yield* TestClock.adjust("10 minutes")
      for (const useless of [{}, { keys: [] }, { keys: [null] }]) {
        answer = useless
        for (let minute = 0; minute < 5; minute++) {
          assert.strictEqual(yield* count(set), 1)
          yield* settled
          yield* TestClock.adjust("1 minute")
        }
      }
      answer = { keys: [{ ...publicJwk, kid: "moved" }] }
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(yield* count(set), 1)
      yield* settled
      assert.strictEqual(yield* count(set), 0)
      assert.strictEqual(yield* count(set, "moved"), 1)
    }))

  it.effect("KEY-18 static public key configured: no network request at all", () =>
    Effect.gen(function*() {
      const { issuer } = yield* TestIssuer.make()
      const { publicJwk } = yield* issuer.currentKey
      const set = yield* support.services({ server: { jwks: { keys: [{ ...publicJwk }] } } })
      assert.strictEqual(yield* count(set), 1)
      assert.strictEqual(yield* count(set, "unknown"), 0)
      assert.deepStrictEqual(yield* set.issuer.requests, [])
      yield* TestClock.adjust("48 hours")
      assert.strictEqual(yield* count(set), 1)
      assert.deepStrictEqual(yield* set.issuer.requests, [])
    }))

  it.effect.each([
    { title: "SSRF-01 plain http", uri: "http://issuer.test/jwks" },
    { title: "a text that is not a URL", uri: "jwks" },
    { title: "nothing", uri: "" },
    { title: "a file", uri: "file:///etc/jwks" },
    { title: "data", uri: "data:application/json,{\"keys\":[]}" }
  ])("$title as jwks_uri: rejected without a request", ({ uri }) =>
    Effect.gen(function*() {
      const set = yield* support.services()
      yield* set.issuer.publishMetadata({ jwks_uri: uri })
      const error = yield* Effect.flip(count(set))
      assert.strictEqual(error.reason, "insecure-url")
      // The metadata is rejected, so the next well-known URL is tried, and no keys are fetched.
      assert.deepStrictEqual(yield* support.requestedUrls(set.issuer), [
        metadataUrl,
        "/.well-known/openid-configuration"
      ])
    }))

  it.effect.each<{ readonly title: string; readonly fault: TestIssuer.Fault; readonly is: string }>([
    { title: "404", fault: status(404), is: "status" },
    { title: "302", fault: { _tag: "Status", status: 302, headers: { location: "https://x.test/" } }, is: "redirect" },
    { title: "a web page", fault: { _tag: "Body", body: "<html>", contentType: "text/html" }, is: "content-type" },
    { title: "not JSON", fault: { _tag: "Body", body: "{", contentType: "application/json" }, is: "not-json" },
    { title: "JSON null", fault: body(null), is: "not-a-key-set" },
    { title: "a list", fault: body([]), is: "not-a-key-set" },
    { title: "without keys", fault: body({}), is: "not-a-key-set" },
    { title: "keys that are not a list", fault: body({ keys: "x" }), is: "not-a-key-set" },
    { title: "keys that are an object", fault: body({ keys: { 0: {}, length: 1 } }), is: "not-a-key-set" },
    {
      title: "keys in __proto__ only",
      fault: { _tag: "Body", body: `{"__proto__":{"keys":[]}}`, contentType: "application/json" },
      is: "not-a-key-set"
    },
    { title: "101 keys", fault: body({ keys: Array.from({ length: 101 }, () => ({})) }), is: "too-many-keys" },
    {
      title: "too large",
      fault: { _tag: "Body", body: `{"keys":["${"x".repeat(1024 * 1024)}"]}`, contentType: "application/json" },
      is: "too-large"
    }
  ])("a key set that is $title: $is", ({ fault, is }) =>
    Effect.gen(function*() {
      const set = yield* support.services(keysOnly)
      yield* set.issuer.fail(fault)
      const error = yield* Effect.flip(count(set))
      assert.strictEqual(error._tag, "InvalidMetadata")
      assert.strictEqual(error.reason, is)
      assert.strictEqual(error.issuer, "https://issuer.test")
      assert.include(error.message, jwksUri)
    }))

  it.effect("a key set of 100 keys is read", () =>
    Effect.gen(function*() {
      const set = yield* support.services(keysOnly)
      const { publicJwk } = yield* set.issuer.currentKey
      yield* set.issuer.publishKeys([...Array.from({ length: 99 }, () => ({})), publicJwk])
      assert.strictEqual(yield* count(set), 1)
    }))
})

describe("the choice of keys", () => {
  it.effect.each<{
    readonly title: string
    readonly key: unknown
    readonly algorithms: ReadonlyArray<string>
  }>([
    { title: "RSA of 2048 bits", key: rsa(2048), algorithms: ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"] },
    { title: "RSA of 8192 bits", key: { ...rsa(8192), alg: "RS256" }, algorithms: ["RS256"] },
    { title: "RSA for PS256 only", key: { ...rsa(2048), alg: "PS256" }, algorithms: ["PS256"] },
    {
      title: "RSA with an exponent above 65537",
      key: { ...rsa(2048, "AQAAAAE"), alg: "RS256" },
      algorithms: ["RS256"]
    },
    { title: "P-256", key: p256, algorithms: ["ES256"] },
    { title: "P-256 for ES256, signing", key: { ...p256, alg: "ES256", use: "sig" }, algorithms: ["ES256"] },
    { title: "P-256 with key_ops verify", key: { ...p256, key_ops: ["verify"] }, algorithms: ["ES256"] },
    { title: "P-256 with unknown members", key: { ...p256, x5c: 1, exp: "x", iat: null }, algorithms: ["ES256"] },
    { title: "Ed25519", key: ed25519, algorithms: ["EdDSA", "Ed25519"] },
    { title: "Ed25519 for EdDSA", key: { ...ed25519, alg: "EdDSA" }, algorithms: ["EdDSA", "Ed25519"] },
    { title: "Ed25519 for Ed25519", key: { ...ed25519, alg: "Ed25519" }, algorithms: ["EdDSA", "Ed25519"] },

    { title: "RSA of 1024 bits", key: rsa(1024), algorithms: [] },
    { title: "RSA of 2047 bits", key: rsa(2047), algorithms: [] },
    { title: "RSA of 8193 bits", key: rsa(8193), algorithms: [] },
    { title: "RSA of 16384 bits", key: rsa(16_384), algorithms: [] },
    {
      title: "RSA of 2040 bits with leading zeros",
      key: { ...rsa(1), n: support.segment(new Uint8Array(256).fill(1, 1)) },
      algorithms: []
    },
    { title: "RSA with e 1", key: rsa(2048, "AQ"), algorithms: [] },
    { title: "RSA with e 3", key: rsa(2048, "Aw"), algorithms: [] },
    { title: "RSA with e 65536", key: rsa(2048, "AQAA"), algorithms: [] },
    { title: "RSA with e 65538", key: rsa(2048, "AQAC"), algorithms: [] },
    { title: "RSA with e 65535", key: rsa(2048, "__8"), algorithms: [] },
    { title: "RSA with e 0", key: rsa(2048, "AA"), algorithms: [] },
    { title: "RSA with e empty", key: rsa(2048, ""), algorithms: [] },
    { title: "RSA with e as large as n", key: rsa(2048, modulus(2048)), algorithms: [] },
    { title: "RSA with e not base64url", key: rsa(2048, "AQAB="), algorithms: [] },
    { title: "RSA without n", key: { kty: "RSA", e: "AQAB" }, algorithms: [] },
    { title: "RSA with n empty", key: { kty: "RSA", e: "AQAB", n: "" }, algorithms: [] },
    { title: "RSA with n a number", key: { kty: "RSA", e: "AQAB", n: 1 }, algorithms: [] },
    { title: "RSA with a private d", key: { ...rsa(2048), d: modulus(2048) }, algorithms: [] },
    { title: "P-256 with a private d", key: { ...p256, d: point.x }, algorithms: [] },
    { title: "Ed25519 with a private d", key: { ...ed25519, d: point.x }, algorithms: [] },
    { title: "P-256 with d null", key: { ...p256, d: null }, algorithms: [] },
    { title: "oct", key: { kty: "oct", k: point.x }, algorithms: [] },
    { title: "oct for HS256", key: { kty: "oct", k: point.x, alg: "HS256" }, algorithms: [] },
    { title: "oct for ES256", key: { ...p256, kty: "oct", k: point.x }, algorithms: [] },
    { title: "P-256 with k", key: { ...p256, k: point.x }, algorithms: [] },
    { title: "use enc", key: { ...p256, use: "enc" }, algorithms: [] },
    { title: "key_ops without verify", key: { ...p256, key_ops: ["encrypt"] }, algorithms: [] },
    { title: "key_ops sign", key: { ...p256, key_ops: ["sign"] }, algorithms: [] },
    { title: "key_ops empty", key: { ...p256, key_ops: [] }, algorithms: [] },
    { title: "secp256k1", key: { ...p256, crv: "secp256k1" }, algorithms: [] },
    { title: "secp256k1 for ES256K", key: { ...p256, crv: "secp256k1", alg: "ES256K" }, algorithms: [] },
    { title: "secp256k1 for ES256", key: { ...p256, crv: "secp256k1", alg: "ES256" }, algorithms: [] },
    { title: "X25519", key: { ...ed25519, crv: "X25519" }, algorithms: [] },
    { title: "Ed448", key: { ...ed25519, crv: "Ed448" }, algorithms: [] },
    { title: "a curve that every object has", key: { ...p256, crv: "constructor" }, algorithms: [] },
    { title: "P-256 for ES384", key: { ...p256, alg: "ES384" }, algorithms: [] },
    { title: "P-256 for RS256", key: { ...p256, alg: "RS256" }, algorithms: [] },
    { title: "RSA for ES256", key: { ...rsa(2048), alg: "ES256" }, algorithms: [] },
    { title: "RSA for encryption", key: { ...rsa(2048), alg: "RSA-OAEP" }, algorithms: [] },
    { title: "RSA for HS256", key: { ...rsa(2048), alg: "HS256" }, algorithms: [] },
    { title: "alg none", key: { ...p256, alg: "none" }, algorithms: [] },
    { title: "a point that is not on the curve", key: { ...p256, y: point.x }, algorithms: [] },
    { title: "P-256 without y", key: { kty: "EC", crv: "P-256", x: point.x }, algorithms: [] },
    { title: "P-256 with x too short", key: { ...p256, x: "AAAA" }, algorithms: [] },
    { title: "KEY-09 use of the wrong type: not used", key: { ...p256, use: ["sig"] }, algorithms: [] },
    { title: "KEY-09 use null: not used", key: { ...p256, use: null }, algorithms: [] },
    { title: "KEY-09 alg of the wrong type: not used", key: { ...p256, alg: ["ES256"] }, algorithms: [] },
    { title: "KEY-09 alg null: not used", key: { ...p256, alg: null }, algorithms: [] },
    { title: "KEY-09 key_ops of the wrong type: not used", key: { ...p256, key_ops: "verify" }, algorithms: [] },
    {
      title: "KEY-09 key_ops an object: not used",
      key: { ...p256, key_ops: { 0: "verify", length: 1 } },
      algorithms: []
    },
    { title: "KEY-09 key_ops a list of numbers: not used", key: { ...p256, key_ops: [1, null] }, algorithms: [] },
    { title: "kid a number", key: { ...p256, kid: 1 }, algorithms: [] },
    { title: "kid null", key: { ...p256, kid: null }, algorithms: [] },
    { title: "kty a number", key: { ...p256, kty: 1 }, algorithms: [] },
    { title: "kty a list", key: { ...p256, kty: ["EC"] }, algorithms: [] },
    { title: "crv a list", key: { ...p256, crv: ["P-256"] }, algorithms: [] },
    { title: "no kty", key: { crv: "P-256", ...point }, algorithms: [] },
    { title: "an empty object", key: {}, algorithms: [] },
    { title: "null", key: null, algorithms: [] },
    { title: "a number", key: 1, algorithms: [] },
    { title: "a string", key: "key", algorithms: [] },
    { title: "a list", key: [p256], algorithms: [] }
  ])("$title: $algorithms", ({ algorithms, key }) =>
    Effect.gen(function*() {
      const set = yield* support.services(keysOnly)
      const { publicJwk } = yield* set.issuer.currentKey
      yield* set.issuer.publishKeys([key, publicJwk])
      const found: Array<string> = []
      for (const algorithm of [...set.server.algorithms, "HS256", "none", "ES256K"]) {
        // A token without a `kid` also matches the issuer's good ES256 key.
        const own = algorithm === "ES256" ? 1 : 0
        const all = yield* Effect.map(set.keys.find(set.server, hint(undefined, algorithm)), (_) => _.length)
        if (all > own) found.push(algorithm)
      }
      assert.sameMembers(found, [...algorithms])
      // The issuer's good key stays usable next to this entry.
      assert.strictEqual(yield* count(set), 1)
    }))

  it.effect.each([
    [null],
    [1],
    ["x"],
    [[]],
    [{}],
    [{ kty: "EC" }],
    [{ ...p256, kid: "key-1", y: point.x }],
    [{ kty: "RSA", kid: "key-1", n: "!", e: "AQAB" }]
  ])("KEY-06 first JWKS entry malformed (%j), second is the right one: accepted", ([first]) =>
    Effect.gen(function*() {
      const { issuer, outcomeOf } = yield* support.verifier()
      const { publicJwk } = yield* issuer.currentKey
      yield* issuer.publishKeys([first, publicJwk])
      assert.strictEqual(yield* outcomeOf(yield* issuer.mint()), "accepted")
    }))

  it.effect.each(unusable.map((keys) => ({ keys })))(
    "[T-AUD-15] KEY-07 JWKS with only unusable entries (%j): an outage of the authorization server",
    ({ keys }) =>
      Effect.gen(function*() {
        const { issuer, outcomeOf } = yield* support.verifier({ server: { algorithms: ["ES256"] } })
        yield* issuer.publishKeys(keys)
        assert.strictEqual(yield* outcomeOf(yield* issuer.mint()), "InvalidMetadata")
        assert.strictEqual(yield* outcomeOf(yield* issuer.mint({ header: { kid: undefined } })), "InvalidMetadata")
      })
  )

  it.effect("KEY-03 token without kid, one usable key: accepted", () =>
    Effect.gen(function*() {
      const { issuer, outcomeOf } = yield* support.verifier()
      const { publicJwk } = yield* issuer.currentKey
      yield* issuer.publishKeys([{ ...p256, use: "enc" }, rsa(2048), publicJwk])
      assert.strictEqual(yield* outcomeOf(yield* issuer.mint({ header: { kid: undefined } })), "accepted")
    }))

  it.effect("a key without kid serves a token without kid, and no other", () =>
    Effect.gen(function*() {
      const { issuer, outcomeOf } = yield* support.verifier()
      const { kid: _, ...publicJwk } = (yield* issuer.currentKey).publicJwk
      yield* issuer.publishKeys([publicJwk])
      assert.strictEqual(yield* outcomeOf(yield* issuer.mint({ header: { kid: undefined } })), "accepted")
      assert.strictEqual(yield* outcomeOf(yield* issuer.mint()), "unknown-key")
    }))

  it.effect("two keys of the same kid are both tried", () =>
    Effect.gen(function*() {
      const { issuer, outcomeOf } = yield* support.verifier()
      const { publicJwk } = yield* issuer.currentKey
      for (const keys of [[{ ...p256, kid: "key-1" }, publicJwk], [publicJwk, { ...p256, kid: "key-1" }]]) {
        yield* issuer.publishKeys(keys)
        assert.strictEqual(yield* outcomeOf(yield* issuer.mint()), "accepted")
      }
    }))

  it.effect.each([{ others: 1, is: "accepted" }, { others: 3, is: "accepted" }, { others: 4, is: "signature" }])(
    "KEY-04 token without kid, $others keys before the right one: at most four are tried, $is",
    ({ is, others }) =>
      Effect.gen(function*() {
        const { issuer, outcomeOf } = yield* support.verifier()
        const { publicJwk } = yield* issuer.currentKey
        yield* issuer.publishKeys([...Array.from({ length: others }, () => p256), publicJwk])
        assert.strictEqual(yield* outcomeOf(yield* issuer.mint({ header: { kid: undefined } })), is)
      })
  )

  it.effect("a key for one algorithm verifies no other algorithm", () =>
    Effect.gen(function*() {
      const { issuer, outcomeOf } = yield* support.verifier({ issuer: { algorithm: "RS256" } })
      assert.strictEqual(yield* outcomeOf(yield* issuer.mint()), "accepted")
      const token = yield* issuer.mint()
      const [, claims, signature] = token.split(".")
      for (const alg of ["PS256", "RS512", "ES256"]) {
        const header = support.segment({ ...support.goodHeader, alg })
        assert.strictEqual(yield* outcomeOf(`${header}.${claims}.${signature}`), "unknown-key")
      }
    }))
})

describe("a key that was found", () => {
  /** Returns whether the key is still current, and whether the answer was available without a fetch. */
  const isCurrent = Effect.fnUntraced(function*(current: ReturnType<JwkSet.JwkSet["Service"]["isCurrent"]>) {
    const answer = current()
    return typeof answer === "boolean"
      ? { atOnce: true, holds: answer }
      : { atOnce: false, holds: yield* answer }
  })

  const found = Effect.gen(function*() {
    const set = yield* support.services(keysOnly)
    const [key] = yield* set.keys.find(set.server, hint("key-1"))
    yield* set.issuer.takeRequests
    return { set, current: set.keys.isCurrent(set.server, key!) }
  })

  it.effect("is current at once while the set is fresh, and checked by a fetch from then on", () =>
    Effect.gen(function*() {
      const { current, set } = yield* found
      yield* TestClock.adjust(Duration.millis(7.5 * 60_000 - 1))
      assert.deepStrictEqual(yield* isCurrent(current), { atOnce: true, holds: true })
      assert.strictEqual(yield* countRequests(set.issuer), 0)
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(yield* isCurrent(current), { atOnce: false, holds: true })
      assert.strictEqual(yield* countRequests(set.issuer), 1)
      yield* settled
      // A newer set that contains the same entry does not make the key outdated.
      assert.deepStrictEqual(yield* isCurrent(current), { atOnce: true, holds: true })
    }))

  it.effect("is not current any more once a fetched set does not contain it", () =>
    Effect.gen(function*() {
      const { current, set } = yield* found
      yield* set.issuer.rotateKeys
      yield* set.issuer.withdrawOldKeys
      yield* TestClock.adjust("10 minutes")
      assert.deepStrictEqual(yield* isCurrent(current), { atOnce: false, holds: false })
      assert.deepStrictEqual(yield* isCurrent(current), { atOnce: true, holds: false })
    }))

  it.effect("is not current any more when another key has its id", () =>
    Effect.gen(function*() {
      const { current, set } = yield* found
      yield* set.issuer.publishKeys([{ ...p256, kid: "key-1" }])
      yield* TestClock.adjust("10 minutes")
      assert.strictEqual((yield* isCurrent(current)).holds, false)
    }))

  it.effect("stays current through an outage of a day, and is then unavailable", () =>
    Effect.gen(function*() {
      const { current, set } = yield* found
      yield* set.issuer.fail(status(500))
      yield* TestClock.adjust("23 hours")
      assert.strictEqual((yield* isCurrent(current)).holds, true)
      yield* TestClock.adjust("1 hour")
      assert.strictEqual((yield* Effect.flip(isCurrent(current)))._tag, "AuthorizationServerUnavailable")
    }))
})

describe("a key set in the configuration", () => {
  const option = "authorizationServers[0].jwks"

  it.each<[string, unknown]>([
    ["CFG-04 a symmetric key where a public one is expected: error", { keys: [{ kty: "oct", k: "c2VjcmV0" }] }],
    ["CFG-04 a symmetric key and a public one: error", { keys: [p256, { kty: "oct", k: "c2VjcmV0" }] }],
    ["a private key", { keys: [{ ...p256, d: point.x }] }],
    ["a weak key", { keys: [rsa(1024)] }],
    ["a key for an algorithm of another kind", { keys: [{ ...p256, alg: "ES384" }] }],
    ["a key for encryption", { keys: [{ ...p256, use: "enc" }] }],
    ["no key at all", { keys: [] }],
    ["too many keys", { keys: Array.from({ length: 101 }, () => p256) }],
    ["keys that are not a list", { keys: p256 }],
    ["a key instead of a set", p256],
    ["a list instead of a set", [p256]],
    ["PEM instead of a set", "-----BEGIN PUBLIC KEY-----"],
    ["null", null]
  ])("%s", (_, jwks) => {
    const checked = ConfigOption.attempt(() => JwkSet.checkConfigured(jwks, option))
    if (Result.isSuccess(checked)) return assert.fail("accepted")
    assert.strictEqual(checked.failure.reason, "malformed")
    assert.strictEqual(checked.failure.option, option)
    assert.include(checked.failure.fix, "public signing keys only")
  })

  it("accepts public keys", () => {
    assert.doesNotThrow(() => JwkSet.checkConfigured({ keys: [p256, rsa(2048), ed25519] }, option))
  })
})
