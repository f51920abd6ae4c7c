import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Layer, Redacted } from "effect"
import { type AuthError, Principal } from "effect-mcp-auth"
import { ApiKeys } from "effect-mcp-auth/api-keys"
import { ExchangedToken, HttpClientFetcher } from "effect-mcp-auth/http-client"
import { TokenExchange } from "effect-mcp-auth/token-exchange"
import { Fetcher } from "effect-mcp-auth/verification"
import { HttpClient, HttpClientRequest } from "effect/http"
import { TestClock } from "effect/testing"
import { Sharing } from "../../src/outbound/Sharing.ts"
import {
  active,
  type Caller,
  type EndpointRequest,
  secret,
  type World,
  world
} from "../verification/introspection/answers.ts"
import * as steppingClock from "../verification/steppingClock.ts"

const orders = { audience: "https://orders.test", scopes: ["orders:read"] }

/** Creates a caller, and a token endpoint whose responses the test sets. */
const setup = (
  options: Partial<TokenExchange.Options> = {},
  server: Parameters<World["gate"]>[0] = {}
) =>
  Effect.gen(function*() {
    const { client, endpoint, gate, issuer } = yield* world
    const requests: Array<EndpointRequest> = []
    const state = {
      answer: (n: number): Response | Promise<Response> =>
        Response.json({ access_token: `upstream-${n}`, token_type: "Bearer", expires_in: 120 })
    }
    yield* issuer.respondWith("/token", ({ body, ...request }) => {
      requests.push({ ...request, form: new URLSearchParams(body) })
      return state.answer(requests.length)
    })
    const context = yield* Layer.build(
      TokenExchange.layer({ authorizationServer: issuer.issuer, ...secret, ...options } as TokenExchange.Options).pipe(
        Layer.provide(Layer.succeed(Fetcher.Fetcher, HttpClientFetcher.make(client)))
      )
    )
    const caller = yield* gate(server)
    const exchange = (token: string, target: TokenExchange.Target = orders) =>
      TokenExchange.TokenExchange.use((_) => _.token(target)).pipe(
        Effect.map(Redacted.value),
        Effect.provideContext(context),
        as(caller, token)
      )
    return { requests, caller, client, context, endpoint, exchange, issuer, state }
  })

const as = (caller: Caller, token: string) => <A, E>(effect: Effect.Effect<A, E, Principal>) =>
  Effect.flatMap(caller.present(token), (found) => {
    assert.notProperty(found, "_tag")
    return Effect.provideContext(effect, caller.gate.provideCaller(Context.empty(), found as Principal))
  })

const reasonOf = <A>(effect: Effect.Effect<A, TokenExchange.TokenExchangeError>) =>
  Effect.map(Effect.flip(effect), ({ code, reason }) => code === undefined ? reason : `${reason} ${code}`)

describe("the request", () => {
  it.effect("is that of RFC 8693, at the token endpoint of the metadata", () =>
    Effect.gen(function*() {
      const { requests, exchange } = yield* setup()
      assert.strictEqual(yield* exchange("inbound", { ...orders, resource: "https://orders.test/api" }), "upstream-1")
      assert.strictEqual(requests[0]!.url, "https://issuer.test/token")
      assert.strictEqual(requests[0]!.headers["authorization"], `Basic ${btoa("todos:hush")}`)
      assert.deepStrictEqual(Object.fromEntries(requests[0]!.form), {
        grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
        subject_token: "inbound",
        subject_token_type: "urn:ietf:params:oauth:token-type:access_token",
        requested_token_type: "urn:ietf:params:oauth:token-type:access_token",
        audience: "https://orders.test",
        resource: "https://orders.test/api",
        scope: "orders:read"
      })
    }))

  it.effect("[T-AUD-31b] names a resource without a path as it is written, for a token with either spelling", () =>
    Effect.gen(function*() {
      const resource = "https://server.test"
      const { endpoint, exchange, requests } = yield* setup({}, { resource })
      for (const spelling of [resource, `${resource}/`]) {
        endpoint.answer = active({ aud: spelling })
        yield* exchange(`inbound for ${spelling}`.replaceAll(/\W/g, "-"), { resource: spelling })
        assert.strictEqual(requests.at(-1)!.form.get("resource"), spelling)
      }
    }))

  it.effect("[T-APIKEY-12] is not sent for a caller with an API key, which is not a token", () =>
    Effect.gen(function*() {
      const { context, requests } = yield* setup()
      const caller = Principal.make({
        issuer: ApiKeys.issuer,
        subject: "cron",
        clientId: "mcp_1",
        scopes: new Set(),
        granted: new Set(),
        audience: [],
        expiresAt: 8.64e12,
        claims: {},
        token: Redacted.make("mcp_1")
      })
      const exchanged = TokenExchange.TokenExchange.use((_) => _.token(orders)).pipe(
        Effect.provideContext(context),
        Effect.provideService(Principal, caller)
      )
      assert.strictEqual(yield* reasonOf(exchanged), "api-key")
      assert.lengthOf(requests, 0)
    }))

  it.effect("is the on-behalf-of flow of Entra ID if the option selects it", () =>
    Effect.gen(function*() {
      const { requests, exchange } = yield* setup({
        grant: "on-behalf-of",
        method: "client_secret_post",
        endpoint: "https://login.test/token"
      })
      yield* exchange("inbound", { audience: "api://orders" })
      yield* exchange("inbound", { scopes: ["api://orders/Orders.Read", "api://orders/Orders.List"] })
      assert.deepStrictEqual(requests.map((_) => _.form.get("scope")), [
        "api://orders/.default",
        "api://orders/Orders.Read api://orders/Orders.List"
      ])
      assert.deepStrictEqual(Object.fromEntries(requests[0]!.form), {
        grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer",
        assertion: "inbound",
        requested_token_use: "on_behalf_of",
        scope: "api://orders/.default",
        client_id: "todos",
        client_secret: "hush"
      })
    }))
})

describe("a token", () => {
  it.effect("is cached for its caller's token, audience and scopes, and for no others", () =>
    Effect.gen(function*() {
      const { requests, exchange } = yield* setup()
      assert.strictEqual(yield* exchange("one"), "upstream-1")
      assert.strictEqual(yield* exchange("one"), "upstream-1")
      assert.strictEqual(yield* exchange("one", { ...orders, scopes: ["orders:read", "orders:read"] }), "upstream-1")
      assert.strictEqual(yield* exchange("two"), "upstream-2")
      assert.strictEqual(yield* exchange("one", { ...orders, audience: "https://other.test" }), "upstream-3")
      assert.strictEqual(yield* exchange("one", { ...orders, scopes: ["orders:write"] }), "upstream-4")
      assert.strictEqual(yield* exchange("one", { resource: "https://orders.test" }), "upstream-5")
      assert.strictEqual(yield* exchange("one", { audience: "https://orders.test" }), "upstream-6")
      assert.strictEqual(requests.length, 6)
    }))

  it.effect("is replaced half a minute before it expires", () =>
    Effect.gen(function*() {
      const { exchange } = yield* setup()
      yield* exchange("one")
      yield* TestClock.adjust("89999 millis")
      assert.strictEqual(yield* exchange("one"), "upstream-1")
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(yield* exchange("one"), "upstream-2")
    }))

  it.effect("expires with the token of its caller", () =>
    Effect.gen(function*() {
      const { exchange, issuer, state } = yield* setup({}, { clockTolerance: "30 seconds" })
      state.answer = (n) => Response.json({ access_token: `upstream-${n}`, token_type: "Bearer", expires_in: 86_400 })
      const jwt = yield* issuer.mint({ expiresIn: "60 seconds" })
      assert.strictEqual(yield* exchange(jwt), "upstream-1")
      yield* TestClock.adjust("59 seconds")
      assert.strictEqual(yield* exchange(jwt), "upstream-1")
      // The expired token is admitted within the clock tolerance, but its cached exchange has expired with it.
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* exchange(jwt), "upstream-2")
    }))

  it.effect("without an expiry is cached for a minute", () =>
    Effect.gen(function*() {
      const { exchange, state } = yield* setup()
      state.answer = (n) => Response.json({ access_token: `upstream-${n}`, token_type: "bearer" })
      yield* exchange("one")
      yield* TestClock.adjust("59 seconds")
      assert.strictEqual(yield* exchange("one"), "upstream-1")
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* exchange("one"), "upstream-2")
    }))

  it.effect("is fetched once for concurrent requests, even if one of them is interrupted", () =>
    Effect.gen(function*() {
      const { requests, exchange, state } = yield* setup()
      let release = (_: Response) => {}
      state.answer = () => new Promise((resolve) => (release = resolve))
      const fibers = yield* Effect.forEach([1, 2, 3], () => Effect.forkChild(exchange("one")))
      while (requests.length === 0) yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
      yield* Fiber.interrupt(fibers[0]!)
      release(Response.json({ access_token: "upstream", token_type: "Bearer" }))
      assert.strictEqual(yield* Fiber.join(fibers[1]!), "upstream")
      assert.strictEqual(yield* Fiber.join(fibers[2]!), "upstream")
      assert.strictEqual(requests.length, 1)
    }))

  it.effect("is fetched by each request in a Worker, and cached for the next", () =>
    Effect.gen(function*() {
      const { requests, exchange } = yield* Effect.provideService(setup(), Sharing, false)
      assert.strictEqual(yield* exchange("one"), "upstream-1")
      assert.strictEqual(yield* exchange("one"), "upstream-1")
      assert.strictEqual(requests.length, 1)
    }))

  it.effect("is evicted when there are more tokens than the capacity", () =>
    Effect.gen(function*() {
      const { requests, exchange } = yield* setup({ capacity: 1 })
      for (const token of ["one", "one", "two", "one"]) yield* exchange(token)
      assert.strictEqual(requests.length, 3)
    }))

  it.effect.each<readonly [answer: Record<string, unknown>, status: number, reason: string]>([
    [{ error: "invalid_target" }, 400, "rejected invalid_target"],
    [{ error: "interaction_required" }, 400, "rejected interaction_required"],
    [{ error: "a \"b\"" }, 400, "rejected 400"],
    [{ error: 1 }, 400, "rejected 400"],
    [{ error: "invalid_client" }, 401, "unavailable"],
    [{ error: "invalid_client" }, 403, "unavailable"],
    [{ error: 1 }, 401, "unavailable"],
    [{}, 403, "unavailable"],
    [{ error: "invalid_grant" }, 401, "rejected invalid_grant"],
    [{ error: "access_denied" }, 403, "rejected access_denied"],
    [{}, 500, "unavailable"],
    [{}, 200, "unusable-token"],
    [{ access_token: "", token_type: "Bearer" }, 200, "unusable-token"],
    [{ access_token: "a b", token_type: "Bearer" }, 200, "unusable-token"],
    [{ access_token: "inbound", token_type: "Bearer" }, 200, "unusable-token"],
    [{ access_token: "x", token_type: "DPoP" }, 200, "unusable-token"],
    [{ access_token: "x", token_type: "N_A" }, 200, "unusable-token"],
    [{ access_token: "x" }, 200, "unusable-token"],
    [
      { access_token: "x", token_type: "Bearer", issued_token_type: "urn:ietf:params:oauth:token-type:id_token" },
      200,
      "unusable-token"
    ]
  ])("rejects the response %j with %d", ([answer, status, reason]) =>
    Effect.gen(function*() {
      const { requests, exchange, state } = yield* setup()
      state.answer = () => Response.json(answer, { status })
      assert.strictEqual(yield* reasonOf(exchange("inbound")), reason)
      // A failure is not cached. It only starts a cooldown, which is over after this time.
      yield* TestClock.adjust("40 seconds")
      yield* reasonOf(exchange("inbound"))
      assert.strictEqual(requests.length, 2)
    }))

  it.effect.each<TokenExchange.Target>([{}, { audience: "" }, { scopes: [] }, { scopes: ["a b"] }])(
    "rejects %j, which requests nothing",
    (target) =>
      Effect.gen(function*() {
        const { requests, exchange } = yield* setup()
        assert.strictEqual(yield* reasonOf(exchange("one", target)), "target")
        assert.strictEqual(requests.length, 0)
      })
  )
})

describe("a token endpoint that fails", () => {
  const causeOf = <A>(effect: Effect.Effect<A, TokenExchange.TokenExchangeError>) =>
    Effect.map(Effect.flip(effect), ({ cause, reason }) => cause?.reason ?? reason)

  it.effect("[T-AUD-10h] gets few of 1,000 requests, and one probe after the cooldown", () =>
    Effect.gen(function*() {
      const { requests, exchange, state } = yield* setup()
      state.answer = () => new Response("", { status: 500 })
      const reasons = yield* Effect.forEach(Array.from({ length: 1_000 }, (_, at) => `inbound-${at}`), (token) =>
        causeOf(exchange(token)))
      assert.strictEqual(requests.length, 3)
      assert.strictEqual(
        reasons.filter((_) =>
          _ === "cooling-down"
        ).length,
        997
      )
      yield* TestClock.adjust("2 seconds")
      state.answer = (n) => Response.json({ access_token: `upstream-${n}`, token_type: "Bearer" })
      assert.strictEqual(yield* exchange("inbound"), "upstream-4")
      assert.strictEqual(yield* exchange("other"), "upstream-5")
    }))

  it.effect("[T-AUD-10h] gets no request before its Retry-After is over", () =>
    Effect.gen(function*() {
      const { requests, exchange, state } = yield* setup()
      state.answer = () => new Response("", { status: 429, headers: { "retry-after": "30" } })
      assert.strictEqual(yield* causeOf(exchange("one")), "server-error")
      const error = yield* Effect.flip(exchange("two"))
      assert.strictEqual(error.cause?._tag, "AuthorizationServerUnavailable")
      assert.isAtLeast((error.cause as AuthError.AuthorizationServerUnavailable).retryAfter, 30)
      yield* TestClock.adjust("29 seconds")
      assert.strictEqual(yield* causeOf(exchange("two")), "cooling-down")
      assert.strictEqual(requests.length, 1)
    }))

  it.effect("[T-AUD-10h] starts no cooldown with an error such as invalid_grant", () =>
    Effect.gen(function*() {
      const { requests, exchange, state } = yield* setup()
      state.answer = () => Response.json({ error: "invalid_grant" }, { status: 400 })
      for (let at = 0; at < 20; at++) assert.strictEqual(yield* reasonOf(exchange(`t-${at}`)), "rejected invalid_grant")
      assert.strictEqual(requests.length, 20)
    }))

  it.effect("[T-AUD-10j] stops no other caller by rejecting one with 403", () =>
    Effect.gen(function*() {
      const { exchange, state } = yield* setup()
      const good = state.answer
      for (let at = 0; at < 5; at++) {
        state.answer = () => Response.json({ error: "access_denied" }, { status: 403 })
        assert.strictEqual(yield* reasonOf(exchange(`denied-${at}`)), "rejected access_denied")
        state.answer = good
        yield* exchange(`good-${at}`)
      }
    }))

  it.effect("[T-AUD-10h] sheds requests that its queue cannot hold", () =>
    Effect.gen(function*() {
      const { requests, exchange, state } = yield* setup()
      state.answer = () => new Promise(() => {})
      const reasons: Array<string> = []
      yield* reasonOf(exchange("one", {}))
      const fibers = yield* Effect.forEach(Array.from({ length: 500 }, (_, at) => `orders-${at}`), (audience) =>
        Effect.forkChild(
          Effect.tap(causeOf(exchange("one", { audience })), (_) =>
            Effect.sync(() => reasons.push(_)))
        ))
      for (let at = 0; at < 50; at++) {
        yield* Effect.promise(() =>
          new Promise((resolve) => setImmediate(resolve))
        )
      }
      assert.strictEqual(requests.length, 64)
      assert.deepStrictEqual(reasons, Array.from({ length: 500 - 64 - 256 }, () => "overloaded"))
      yield* Effect.forEach(fibers, Fiber.interrupt)
    }))

  it.effect("[T-AUD-10h] gets a bounded load where requests may not wait for each other (workerd)", () =>
    Effect.gen(function*() {
      const { requests, exchange, state } = yield* Effect.provideService(setup(), Sharing, false)
      state.answer = () => new Response("", { status: 500 })
      for (let at = 0; at < 20; at++) yield* causeOf(exchange(`t-${at}`))
      assert.strictEqual(requests.length, 3)
    }))

  it.effect("[T-AUD-08d] a token is cached for its lifetime in monotonic time, for any steps of the wall clock", () =>
    steppingClock.use((step) =>
      Effect.gen(function*() {
        const { exchange } = yield* setup()
        assert.strictEqual(yield* exchange("one"), "upstream-1")
        yield* step(steppingClock.hourBack)
        yield* TestClock.adjust("89999 millis")
        assert.strictEqual(yield* exchange("one"), "upstream-1")
        yield* TestClock.adjust("1 millis")
        assert.strictEqual(yield* exchange("one"), "upstream-2")
      })
    ))
})

describe("bearer", () => {
  it.effect("sends the token of the audience with every request of a client, never the inbound token", () =>
    Effect.gen(function*() {
      const { caller, client, context, issuer } = yield* setup()
      const seen: Array<string | undefined> = []
      yield* issuer.respondWith("//orders.test/", ({ headers }) => {
        seen.push(headers["authorization"])
        return new Response("ok")
      })
      const upstream = client.pipe(HttpClient.mapRequestEffect(ExchangedToken.bearer(orders)))
      const answer = Effect.flatMap(upstream.get("https://orders.test/recent"), (_) => _.text)
      assert.strictEqual(yield* answer.pipe(Effect.provideContext(context), as(caller, "inbound")), "ok")
      assert.deepStrictEqual(seen, ["Bearer upstream-1"])
    }))

  it.effect("sends no token over plain http", () =>
    Effect.gen(function*() {
      const { requests, caller, context } = yield* setup()
      for (const url of ["http://orders.test/recent", "/recent"]) {
        const error = yield* ExchangedToken.bearer(orders)(HttpClientRequest.get(url)).pipe(
          Effect.provideContext(context),
          as(caller, "inbound"),
          Effect.flip
        )
        assert.strictEqual(error.reason, "insecure-url")
      }
      assert.strictEqual(requests.length, 0)
    }))

  it.effect("an error contains no part of a token", () =>
    Effect.gen(function*() {
      const { exchange, state } = yield* setup()
      state.answer = () => Response.json({ error: "invalid_grant", error_description: "inbound-mark" }, { status: 400 })
      const exit = yield* Effect.exit(exchange("inbound-mark"))
      assert.isTrue(Exit.isFailure(exit))
      assert.notInclude(JSON.stringify(exit) + String(exit), "inbound-mark")
    }))
})

describe("the options", () => {
  it.effect.each<readonly [option: string, Partial<TokenExchange.Options>]>([
    ["TokenExchange.grant", { grant: "password" as "token-exchange" }],
    ["TokenExchange.capacity", { capacity: -1 }],
    ["TokenExchange.endpoint", { endpoint: "http://login.test/token" }],
    ["TokenExchange.authorizationServer.issuer", { authorizationServer: "http://login.test" }],
    ["TokenExchange.clientSecret", { clientSecret: Redacted.make("") }]
  ])("a wrong %s fails the layer", ([option, options]) =>
    Effect.gen(function*() {
      const error: AuthError.AuthConfigError = yield* Effect.flip(setup(options))
      assert.strictEqual(error.option, option)
    }))
})
