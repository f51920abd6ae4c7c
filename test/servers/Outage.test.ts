import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import type { TestIssuer } from "effect-mcp-auth/testing"
import { TestClock } from "effect/testing"
import type { Received } from "./Host.ts"
import * as Mcp from "./Mcp.ts"
import * as World from "./World.ts"

/** Asserts a 503 with `Retry-After`, and without a challenge, which would make a client sign in again. */
const checkUnavailable = ({ body, headers, status }: Received) => {
  assert.strictEqual(status, 503, body)
  assert.isUndefined(headers["www-authenticate"])
  assert.match(headers["retry-after"]!, /^[1-9]\d*$/)
  assert.strictEqual(headers["cache-control"], "no-store")
  assert.deepStrictEqual(JSON.parse(body), {
    error: "temporarily_unavailable",
    error_description: "Access tokens cannot be checked at the moment; try again later"
  })
}

const start = Effect.gen(function*() {
  yield* TestClock.setTime(1_800_000_000_000)
  const { host, issuer, ran } = yield* World.make("web")
  const list = (token: string | undefined) => host.send(Mcp.call("list", { token }))
  return { issuer, ran, list }
})

describe("An unavailable authorization server", () => {
  const faults: ReadonlyArray<readonly [title: string, fault: TestIssuer.Fault, where?: string]> = [
    ["rejects connections", { _tag: "Reject" }],
    ["answers 500", { _tag: "Status", status: 500 }],
    ["answers 503", { _tag: "Status", status: 503 }],
    ["rejects connections for its keys", { _tag: "Reject" }, "/jwks"],
    ["answers 500 for its keys", { _tag: "Status", status: 500 }, "/jwks"],
    ["redirects", { _tag: "Status", status: 302, headers: { location: "https://internal.test" } }],
    ["answers 404", { _tag: "Status", status: 404 }],
    ["answers with a page", { _tag: "Body", body: "<html>maintenance</html>", contentType: "text/html" }],
    ["answers with another document", { _tag: "Body", body: "{\"a\":1}", contentType: "application/json" }]
  ]

  it.effect.each(faults)(
    "CHAL-08 a server that %s: 503 with Retry-After, no challenge, and nothing runs",
    ([_, fault, where]) =>
      Effect.gen(function*() {
        const { issuer, list, ran } = yield* start
        const token = yield* issuer.mint({ scopes: ["todos:read"] })
        yield* issuer.fail(fault, where)
        for (let i = 0; i < 3; i++) {
          const received = yield* list(token)
          checkUnavailable(received)
          assert.notInclude(JSON.stringify(received), "issuer.test")
          assert.notInclude(JSON.stringify(received), "internal")
        }
        assert.deepStrictEqual(ran(), [])
        // After the issuer has recovered and the backoff is over, the same token works.
        yield* issuer.recover
        yield* TestClock.adjust("4 minutes")
        assert.strictEqual((yield* list(token)).status, 200)
        assert.deepStrictEqual(ran(), ["list"])
      })
  )

  it.effect("CHAL-08 a server that hangs: 503 after the time limit", () =>
    Effect.gen(function*() {
      const { issuer, list, ran } = yield* start
      const token = yield* issuer.mint({ scopes: ["todos:read"] })
      yield* issuer.fail({ _tag: "Hang" })
      const fiber = yield* Effect.forkChild(list(token))
      // The request has to reach the issuer before the clock moves.
      while ((yield* issuer.requests).length === 0) yield* Effect.promise(() => new Promise(setImmediate))
      yield* TestClock.adjust("30 seconds")
      checkUnavailable(yield* Fiber.join(fiber))
      assert.deepStrictEqual(ran(), [])
    }))

  it.effect("metadata of another issuer: 503, since the token may be valid", () =>
    Effect.gen(function*() {
      const { issuer, list } = yield* start
      yield* issuer.publishMetadata({ issuer: "https://other.test" })
      checkUnavailable(yield* list(yield* issuer.mint({ scopes: ["todos:read"] })))
    }))

  it.effect("cached keys still serve", () =>
    Effect.gen(function*() {
      const { issuer, list } = yield* start
      assert.strictEqual((yield* list(yield* issuer.mint({ scopes: ["todos:read"] }))).status, 200)
      yield* issuer.fail({ _tag: "Reject" })
      yield* TestClock.adjust("30 minutes")
      assert.strictEqual((yield* list(yield* issuer.mint({ scopes: ["todos:read"] }))).status, 200)
    }))

  it.effect("an unknown key: 503 during the outage, and 401 after a fetch", () =>
    Effect.gen(function*() {
      const { issuer, list } = yield* start
      assert.strictEqual((yield* list(yield* issuer.mint({ scopes: ["todos:read"] }))).status, 200)
      yield* TestClock.adjust("5 minutes")
      yield* issuer.fail({ _tag: "Reject" })
      const unknown = yield* issuer.mint({ scopes: ["todos:read"], header: { kid: "unknown" }, expiresIn: "1 hour" })
      checkUnavailable(yield* list(unknown))
      yield* issuer.recover
      yield* TestClock.adjust("5 minutes")
      assert.strictEqual((yield* list(unknown)).status, 401)
    }))

  it.effect("gets no request for tokens that are rejected without it", () =>
    Effect.gen(function*() {
      const { issuer, list } = yield* start
      yield* issuer.fail({ _tag: "Reject" })
      const other = yield* issuer.mint({ claims: { iss: "https://other.test" } })
      const statuses = yield* Effect.forEach(
        [undefined, "a b", "abc", other],
        (token) => Effect.map(list(token), ({ status }) => status)
      )
      assert.deepStrictEqual(statuses, [401, 400, 401, 401])
      assert.deepStrictEqual(yield* issuer.requests, [])
    }))
})
