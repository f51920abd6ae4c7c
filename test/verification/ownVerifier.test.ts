import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Redacted } from "effect"
import { AuthError, type AuthLayer, Principal, TokenVerifier } from "effect-mcp-auth"
import type { Gate } from "effect-mcp-auth/host"
import { Tenants } from "effect-mcp-auth/tenants"
import { TestClock } from "effect/testing"
import { authenticate } from "../authorization/steps.ts"
import { resource, world } from "./introspection/answers.ts"
import * as steppingClock from "./steppingClock.ts"

const apiKey = (token: Redacted.Redacted, expiresAt = Number.POSITIVE_INFINITY) =>
  Principal.make({
    issuer: "https://keys.test",
    subject: Redacted.value(token),
    clientId: undefined,
    scopes: new Set(["todos:read"]),
    granted: new Set(["todos:read"]),
    audience: [resource],
    expiresAt,
    claims: {},
    token
  })

const send = (gate: Gate.Gate, token: string, headers: Readonly<Record<string, string>> = {}) =>
  authenticate(gate, {
    method: "POST",
    header: (name) => headers[name],
    authorization: [`Bearer ${token}`],
    path: "/mcp"
  }).pipe(
    Effect.as("admitted"),
    Effect.catch(({ reason, status }) => Effect.succeed(`${status} ${reason}`))
  )

/** A custom verifier around the configured one. It accepts only requests with the header `x-device: known`. */
const withHeader = (configured: TokenVerifier.Verifier): TokenVerifier.Verifier => ({
  verify: (credentials, request, present) =>
    request?.header("x-device") === "known"
      ? configured.verify(credentials, request, present)
      : Effect.fail(new AuthError.InvalidToken({ reason: "claims" }))
})

describe("a verifier around the configured one", () => {
  it.effect("[T-AUD-11a] decides on every request, cached or not, and the configured verifier is cached", () =>
    Effect.gen(function*() {
      const { endpoint, gate } = yield* world
      const { gate: it } = yield* gate({ verifier: withHeader })
      const device = { "x-device": "known" }
      for (const expected of ["401 claims", "admitted", "401 claims", "admitted", "401 claims"]) {
        assert.strictEqual(yield* send(it, "a", expected === "admitted" ? device : {}), expected)
      }
      assert.strictEqual(endpoint.requests.length, 1)
    }))

  it.effect("[T-AUD-11a] decides about JWTs without the fast path", () =>
    Effect.gen(function*() {
      const { gate, issuer } = yield* world
      const { gate: it } = yield* gate({ server: { introspection: undefined }, verifier: withHeader })
      const token = yield* issuer.mint()
      const device = { "x-device": "known" }
      for (const expected of ["admitted", "401 claims", "admitted", "401 claims"]) {
        assert.strictEqual(yield* send(it, token, expected === "admitted" ? device : {}), expected)
      }
    }))

  it.effect("[T-AUD-11b] decides about the tokens of tenants as well", () =>
    Effect.gen(function*() {
      const { gate, issuer } = yield* world
      const { gate: it } = yield* gate({
        server: { introspection: undefined },
        verifier: withHeader,
        tenants: Tenants.fromHeader("x-tenant", {
          authorizationServers: () => Effect.succeed([issuer.issuer])
        })
      })
      const token = yield* issuer.mint()
      const acme = { "x-tenant": "acme" }
      for (const expected of ["admitted", "401 claims", "admitted"]) {
        assert.strictEqual(
          yield* send(it, token, expected === "admitted" ? { ...acme, "x-device": "known" } : acme),
          expected
        )
      }
    }))
})

describe("a verifier of the author", () => {
  const keys = Effect.fnUntraced(function*(timeToLive: "1 minute" | 0 | undefined, expiresAt?: number) {
    const { gate } = yield* world
    let calls = 0
    const own = TokenVerifier.make(({ token }) => {
      calls++
      return Effect.succeed(apiKey(token, expiresAt))
    })
    const { gate: it } = yield* gate({
      verifier: (configured, cached) =>
        TokenVerifier.byPrefix({ key_: timeToLive === undefined ? own : cached(own, timeToLive) }, configured)
    })
    return {
      gate: it,
      /** Sends a request with each of these tokens. Returns the number of calls of the custom verifier. */
      countCalls: (...tokens: ReadonlyArray<string>) =>
        Effect.gen(function*() {
          const before = calls
          for (const token of tokens) assert.strictEqual(yield* send(it, token), "admitted")
          return calls - before
        })
    }
  })

  it.effect("[T-AUD-11c] is not cached unless it requests it", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* (yield* keys(undefined)).countCalls("key_a", "key_a"), 2)
      assert.strictEqual(yield* (yield* keys(0)).countCalls("key_a", "key_a"), 2)
      assert.strictEqual(yield* (yield* keys("1 minute")).countCalls("key_a", "key_a", "key_b", "key_b"), 2)
    }))

  it.effect("[T-AUD-11c] is called again after the time to live, after the end of the token, and when invalidated", () =>
    Effect.gen(function*() {
      const { countCalls, gate } = yield* keys("1 minute")
      assert.strictEqual(yield* countCalls("key_a"), 1)
      yield* TestClock.adjust("59 seconds")
      assert.strictEqual(yield* countCalls("key_a"), 0)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* countCalls("key_a"), 1)
      yield* gate.invalidate({ subject: "key_b" })
      assert.strictEqual(yield* countCalls("key_a"), 0)
      yield* gate.invalidate({ subject: "key_a" })
      assert.strictEqual(yield* countCalls("key_a"), 1)
      const brief = yield* keys("1 minute", 1_800_000_010)
      assert.strictEqual(yield* brief.countCalls("key_a", "key_a"), 1)
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(yield* brief.countCalls("key_a"), 1)
    }))

  it.effect.each<readonly [string, unknown]>([
    ["no function", "verifier"],
    ["a function that throws", () => {
      throw new Error("broken")
    }],
    ["a function that returns no verifier", () => undefined],
    ["an invalid time to live", (
      configured: TokenVerifier.Verifier,
      cached: AuthLayer.Cached
    ) => cached(configured, "soon" as "1 minute")]
  ])("[T-AUD-11d] a verifier that is %s fails the layer", ([, verifier]) =>
    Effect.gen(function*() {
      const { gate } = yield* world
      const error = yield* Effect.flip(gate({ verifier: verifier as () => TokenVerifier.Verifier }))
      assert.strictEqual(error.option, "verifier")
    }))
})

describe("a wall clock that steps back by an hour", () => {
  const fiftyNineSeconds = "59 seconds"

  it.effect("[T-AUD-08k] does not extend an introspection result beyond its time to live", () =>
    steppingClock.use((step) =>
      Effect.gen(function*() {
        const { endpoint, gate } = yield* world
        const caller = yield* gate()
        assert.strictEqual(yield* caller.outcome("a"), "admitted")
        yield* step(steppingClock.hourBack)
        endpoint.answer = () => Response.json({ active: false })
        yield* TestClock.adjust(fiftyNineSeconds)
        assert.strictEqual(yield* caller.outcome("a"), "admitted")
        yield* TestClock.adjust("1 second")
        assert.strictEqual(yield* caller.outcome("a"), "401 inactive")
      })
    ))

  it.effect("[T-AUD-08k] does not extend the rejection of an inactive token", () =>
    steppingClock.use((step) =>
      Effect.gen(function*() {
        const { endpoint, gate } = yield* world
        const { answer } = endpoint
        endpoint.answer = () => Response.json({ active: false })
        const caller = yield* gate()
        assert.strictEqual(yield* caller.outcome("a"), "401 inactive")
        yield* step(steppingClock.hourBack)
        endpoint.answer = answer
        yield* TestClock.adjust("5 seconds")
        assert.strictEqual(yield* caller.outcome("a"), "admitted")
      })
    ))

  it.effect("[T-AUD-08k] does not extend the cached result of a JWT, on the fast path either", () =>
    steppingClock.use((step) =>
      Effect.gen(function*() {
        const { gate, issuer } = yield* world
        const caller = yield* gate({ server: { introspection: undefined } })
        const token = yield* issuer.mint({ expiresIn: "1 hour" })
        const first = yield* caller.present(token)
        yield* TestClock.adjust(fiftyNineSeconds)
        yield* step(-5000)
        assert.strictEqual(yield* caller.present(token), first)
        yield* TestClock.adjust("241 seconds")
        assert.notStrictEqual(yield* caller.present(token), first)
      })
    ))

  it.effect("[T-AUD-08k] does not cache an answer that was pending during invalidate", () =>
    steppingClock.use((step) =>
      Effect.gen(function*() {
        const { endpoint, gate } = yield* world
        let release = (_: Response) => {}
        const { answer } = endpoint
        const isRequested = yield* Deferred.make<void>()
        endpoint.answer = () => {
          Deferred.doneUnsafe(isRequested, Exit.void)
          return new Promise((resolve) => (release = resolve))
        }
        const caller = yield* gate()
        yield* Effect.forkChild(caller.outcome("a"))
        yield* Deferred.await(isRequested)
        yield* TestClock.adjust("1 second")
        yield* step(steppingClock.hourBack)
        yield* caller.gate.invalidate({ subject: "alice" })
        endpoint.answer = () => Response.json({ active: false })
        assert.strictEqual(yield* caller.outcome("a"), "401 inactive")
        endpoint.answer = answer
        release(Response.json({ active: false }))
      })
    ))
})

describe("the claims of a cached verifier", () => {
  it.effect("[T-AUD-23c] keep objects as they are that cannot be frozen, or would not work if frozen", () =>
    Effect.gen(function*() {
      const { gate } = yield* world
      class Counter {
        count = 0
        next() {
          return ++this.count
        }
      }
      const claims = { bytes: new Uint8Array(4), at: new Date(0), counter: new Counter(), list: [{ role: "admin" }] }
      const verifier = TokenVerifier.make(({ token }) => Effect.succeed(Principal.make({ ...apiKey(token), claims })))
      const { gate: it, present } = yield* gate({ verifier: (_, cached) => cached(verifier, "1 minute") })
      assert.strictEqual(yield* send(it, "a"), "admitted")
      const principal = (yield* present("a")) as Principal
      assert.isTrue(Object.isFrozen(principal.claims))
      assert.isTrue(Object.isFrozen((principal.claims["list"] as typeof claims.list)[0]))
      assert.strictEqual((principal.claims["counter"] as Counter).next(), 1)
    }))
})
