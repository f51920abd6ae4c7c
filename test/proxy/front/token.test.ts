import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Redacted } from "effect"
import { RecordStore } from "effect-mcp-auth/store"
import { TestClock } from "effect/testing"
import { GrantRejected, UpstreamUnavailable } from "../../../src/proxy/grants/Grants.ts"
import { formHeaders, issuer, makeBrowser, resource, verifier, world } from "./world.ts"

const uri = "http://localhost:6274/oauth/callback"
const secret = "q7Jr0VdLk2WnXb5TtPz8HsYc1GmEu4Ao"
const registered = [{
  clientId: "copilot",
  clientSecret: Redacted.make(secret),
  clientName: "Copilot Studio",
  redirectUris: ["https://global.consent.azure-apim.net/redirect/todos"] as const
}]

const basic = (id: string, password: string) => `Basic ${btoa(`${id}:${password}`)}`

const codeOf = (location: string | undefined) => new URL(location!).searchParams.get("code")!

describe("POST /token", () => {
  it.effect("exchanges a code, and passes everything that the grant checks", () =>
    Effect.gen(function*() {
      const proxy = yield* world()
      const client_id = yield* proxy.registerId([uri])
      const { headers } = yield* proxy.signIn(makeBrowser(), { client_id, redirect_uri: uri })
      const code = codeOf(headers["location"])
      const response = yield* proxy.post(proxy.front.urls.token, {
        grant_type: "authorization_code",
        code,
        client_id,
        redirect_uri: uri,
        code_verifier: verifier,
        resource: `${resource}/`
      })
      assert.strictEqual(response.status, 200)
      assert.deepStrictEqual(JSON.parse(response.body), {
        access_token: "access-token",
        token_type: "Bearer",
        expires_in: 3600,
        refresh_token: "refresh-token",
        scope: "todos:read"
      })
      assert.strictEqual(response.headers["cache-control"], "no-store")
      assert.deepStrictEqual(proxy.grants.redemptions, [
        { code, clientId: client_id, redirectUri: uri, verifier, resource }
      ])
    }))

  it.effect("passes a refresh with its scopes and its resource", () =>
    Effect.gen(function*() {
      const proxy = yield* world()
      const client_id = yield* proxy.registerId([uri])
      yield* proxy.post(proxy.front.urls.token, {
        grant_type: "refresh_token",
        refresh_token: "r",
        client_id,
        scope: "todos:read openid",
        resource: "https://todos.test"
      })
      yield* proxy.post(proxy.front.urls.token, { grant_type: "refresh_token", refresh_token: "r", client_id })
      assert.deepStrictEqual(proxy.grants.refreshes, [
        { refreshToken: "r", clientId: client_id, scopes: ["todos:read", "openid"], resource },
        { refreshToken: "r", clientId: client_id, scopes: undefined, resource: undefined }
      ])
    }))

  it.effect("attack A10: a grant that is refreshed without end asks the upstream 12 times a minute after 20 times, and does not end", () =>
    Effect.gen(function*() {
      const proxy = yield* world()
      const client_id = yield* proxy.registerId([uri])
      const refresh = (grant: string) =>
        proxy.post(proxy.front.urls.token, { grant_type: "refresh_token", refresh_token: grant, client_id })
      for (let time = 0; time < 20; time++) assert.strictEqual((yield* refresh("one")).status, 200)
      for (let time = 0; time < 50; time++) {
        const limited = yield* refresh("one")
        assert.strictEqual(limited.status, 503)
        assert.strictEqual(JSON.parse(limited.body).error, "temporarily_unavailable")
        assert.strictEqual(limited.headers["retry-after"], "5")
      }
      assert.strictEqual(proxy.upstream.checks, 20)
      assert.strictEqual((yield* refresh("another")).status, 200)
      yield* TestClock.adjust("1 minute")
      const statuses = yield* Effect.forEach(Array.from({ length: 30 }), () => refresh("one"))
      assert.strictEqual(statuses.filter(({ status }) => status === 200).length, 12)
    }))

  it.effect("attack 73: rejects a body that does not arrive in 10 seconds, and stops reading it", () =>
    Effect.gen(function*() {
      const proxy = yield* world()
      for (
        const url of [
          proxy.front.urls.token,
          proxy.front.urls.revoke,
          proxy.front.urls.register,
          proxy.front.urls.consent
        ]
      ) {
        let isAborted = false
        const answered = proxy.send(url, {
          method: "POST",
          headers: formHeaders,
          read: (signal) => {
            signal.addEventListener("abort", () => void (isAborted = true))
            return new Promise(() => {})
          }
        })
        const fiber = yield* Effect.forkChild(answered, { startImmediately: true })
        yield* TestClock.adjust("9 seconds")
        assert.isFalse(isAborted)
        yield* TestClock.adjust("1 second")
        assert.strictEqual((yield* Fiber.join(fiber)).status, url === proxy.front.urls.consent ? 400 : 408)
        assert.isTrue(isAborted)
      }
    }))

  it.effect("answers a defect of an endpoint with status 500, and fails no promise", () =>
    Effect.gen(function*() {
      const proxy = yield* world()
      const client_id = yield* proxy.registerId([uri])
      proxy.grants.failure = Effect.die(new Error("broken"))
      const response = yield* proxy.post(proxy.front.urls.token, {
        grant_type: "refresh_token",
        refresh_token: "r",
        client_id
      })
      assert.deepStrictEqual([response.status, response.body], [500, ""])
      assert.strictEqual(response.headers["cache-control"], "no-store")
    }))

  it.effect("attack 60: all rejected codes and tokens have the same response", () =>
    Effect.gen(function*() {
      const proxy = yield* world()
      const client_id = yield* proxy.registerId([uri])
      const bodies = new Set<string>()
      for (
        const reason of [
          "unknown",
          "client",
          "redirect",
          "verifier",
          "replayed",
          "reused",
          "ended",
          "rejected"
        ] as const
      ) {
        proxy.grants.failure = Effect.fail(new GrantRejected({ reason }))
        const response = yield* proxy.post(proxy.front.urls.token, {
          grant_type: "refresh_token",
          refresh_token: "r",
          client_id
        })
        assert.strictEqual(response.status, 400)
        bodies.add(response.body)
      }
      assert.deepStrictEqual([...bodies].map((body) => JSON.parse(body).error), ["invalid_grant"])
    }))

  it.effect("attack 43, attack 48 and attack 57: maps other failures to the errors that clients expect", () =>
    Effect.gen(function*() {
      const proxy = yield* world()
      const client_id = yield* proxy.registerId([uri])
      const cases = [
        [new GrantRejected({ reason: "resource" }), 400, "invalid_target"],
        [new GrantRejected({ reason: "scope" }), 400, "invalid_scope"],
        [new UpstreamUnavailable({ retryAfter: 12.5 }), 503, "temporarily_unavailable"],
        [new RecordStore.RecordStoreUnavailable({ reason: "full", retryAfter: 30 }), 503, "temporarily_unavailable"]
      ] as const
      for (const [failure, status, error] of cases) {
        proxy.grants.failure = Effect.fail(failure)
        const response = yield* proxy.post(proxy.front.urls.token, {
          grant_type: "refresh_token",
          refresh_token: "r",
          client_id
        })
        assert.strictEqual(response.status, status)
        assert.strictEqual(JSON.parse(response.body).error, error)
        if (status === 503) assert.match(response.headers["retry-after"]!, /^\d+$/)
      }
    }))

  it.effect("attack 42: rejects the resource of another server", () =>
    Effect.gen(function*() {
      const proxy = yield* world()
      const client_id = yield* proxy.registerId([uri])
      const response = yield* proxy.post(proxy.front.urls.token, {
        grant_type: "refresh_token",
        refresh_token: "r",
        client_id,
        resource: "https://evil.example/mcp"
      })
      assert.strictEqual(JSON.parse(response.body).error, "invalid_target")
      assert.deepStrictEqual(proxy.grants.refreshes, [])
    }))

  it.effect("attack 35: rejects repeated parameters, other content types and long bodies", () =>
    Effect.gen(function*() {
      const proxy = yield* world()
      const client_id = yield* proxy.registerId([uri])
      const form = String(new URLSearchParams({ grant_type: "refresh_token", refresh_token: "r", client_id }))
      const cases = [
        [`${form}&refresh_token=r`, formHeaders, 400],
        [`${form}&x=1&x=1`, formHeaders, 400],
        [form, { "content-type": "application/json" }, 400],
        [form, {}, 400],
        [`${form}&x=${"x".repeat(20_000)}`, formHeaders, 413]
      ] as const
      for (const [body, headers, status] of cases) {
        const response = yield* proxy.send(proxy.front.urls.token, { method: "POST", headers, body })
        assert.strictEqual(response.status, status)
        assert.strictEqual(JSON.parse(response.body).error, "invalid_request")
      }
      assert.deepStrictEqual(proxy.grants.refreshes, [])
    }))

  it.effect("rejects unknown clients, and clients that do not authenticate as they registered", () =>
    Effect.gen(function*() {
      const proxy = yield* world({ clients: registered })
      const client_id = yield* proxy.registerId([uri])
      const refresh = (form: Record<string, string>, headers: Record<string, string | ReadonlyArray<string>> = {}) =>
        Effect.map(
          proxy.post(proxy.front.urls.token, { grant_type: "refresh_token", refresh_token: "r", ...form }, headers),
          ({ headers, status }) => `${status} ${headers["www-authenticate"] ?? ""}`.trim()
        )
      const realm = "401 Basic realm=\"token\""
      assert.strictEqual(yield* refresh({}), "401")
      assert.strictEqual(yield* refresh({ client_id: "unknown" }), "401")
      assert.strictEqual(yield* refresh({ client_id: `${client_id}x` }), "401")
      assert.strictEqual(yield* refresh({ client_id: "https://app.example.com/client" }), "401")
      assert.strictEqual(yield* refresh({ client_id, client_secret: "x" }), "401")
      assert.strictEqual(yield* refresh({ client_id: "copilot" }), "401")
      assert.strictEqual(yield* refresh({ client_id: "copilot", client_secret: "wrong" }), "401")
      assert.strictEqual(yield* refresh({ client_id: "copilot", client_secret: secret }), "200")
      assert.strictEqual(yield* refresh({}, { authorization: basic("copilot", secret) }), "200")
      assert.strictEqual(yield* refresh({ client_id: "copilot" }, { authorization: basic("copilot", secret) }), "200")
      assert.strictEqual(yield* refresh({ client_id }, { authorization: basic("copilot", secret) }), realm)
      assert.strictEqual(yield* refresh({}, { authorization: basic("copilot", "wrong") }), realm)
      assert.strictEqual(yield* refresh({ client_secret: secret }, { authorization: basic("copilot", secret) }), realm)
      assert.strictEqual(yield* refresh({ client_id: "copilot" }, { authorization: "Bearer x" }), realm)
      assert.strictEqual(
        yield* refresh({}, { authorization: [basic("copilot", secret), basic("copilot", secret)] }),
        realm
      )
      assert.strictEqual(yield* refresh({ client_id }), "200")
      const metadata = JSON.parse((yield* proxy.send(proxy.front.urls.metadata)).body)
      assert.deepStrictEqual(metadata.token_endpoint_auth_methods_supported, [
        "none",
        "client_secret_basic",
        "client_secret_post"
      ])
    }))

  it.effect("rejects requests without a grant type, a code or a refresh token", () =>
    Effect.gen(function*() {
      const proxy = yield* world()
      const client_id = yield* proxy.registerId([uri])
      const errorOf = (form: Record<string, string>) =>
        Effect.map(proxy.post(proxy.front.urls.token, { client_id, ...form }), ({ body }) => JSON.parse(body).error)
      assert.strictEqual(yield* errorOf({}), "unsupported_grant_type")
      assert.strictEqual(yield* errorOf({ grant_type: "password" }), "unsupported_grant_type")
      assert.strictEqual(yield* errorOf({ grant_type: "client_credentials" }), "unsupported_grant_type")
      assert.strictEqual(yield* errorOf({ grant_type: "authorization_code" }), "invalid_request")
      assert.strictEqual(yield* errorOf({ grant_type: "refresh_token", refresh_token: "" }), "invalid_request")
    }))
})

describe("POST /revoke", () => {
  it.effect("attack 55: ends the token of an authenticated client, and answers 200 for every token", () =>
    Effect.gen(function*() {
      const proxy = yield* world()
      const client_id = yield* proxy.registerId([uri])
      const response = yield* proxy.post(proxy.front.urls.revoke, { token: "t", client_id, token_type_hint: "x" })
      assert.strictEqual(response.status, 200)
      assert.strictEqual(response.body, "")
      assert.deepStrictEqual(proxy.grants.revocations, [["t", client_id]])
      assert.strictEqual((yield* proxy.post(proxy.front.urls.revoke, { token: "t", client_id: "unknown" })).status, 401)
      assert.strictEqual((yield* proxy.post(proxy.front.urls.revoke, { client_id })).status, 400)
      assert.lengthOf(proxy.grants.revocations, 1)
    }))
})

describe("the routes", () => {
  it.effect("attack 82: every URL comes from the configuration", () =>
    Effect.gen(function*() {
      const proxy = yield* world()
      const response = yield* proxy.send(proxy.front.urls.metadata, {
        headers: { host: "evil.example", "x-forwarded-host": "evil.example", forwarded: "host=evil.example" }
      })
      assert.deepStrictEqual(JSON.parse(response.body), {
        issuer,
        authorization_endpoint: `${issuer}/authorize`,
        token_endpoint: `${issuer}/token`,
        registration_endpoint: `${issuer}/register`,
        revocation_endpoint: `${issuer}/revoke`,
        jwks_uri: `${issuer}/jwks`,
        scopes_supported: ["todos:read", "todos:write"],
        response_types_supported: ["code"],
        response_modes_supported: ["query"],
        grant_types_supported: ["authorization_code", "refresh_token"],
        token_endpoint_auth_methods_supported: ["none"],
        revocation_endpoint_auth_methods_supported: ["none"],
        code_challenge_methods_supported: ["S256"],
        authorization_response_iss_parameter_supported: true
      })
    }))

  it.effect("publishes public keys only", () =>
    Effect.gen(function*() {
      const proxy = yield* world()
      const { keys } = JSON.parse((yield* proxy.send(proxy.front.urls.jwks)).body)
      assert.lengthOf(keys, 1)
      assert.deepStrictEqual(Object.keys(keys[0]).sort(), ["alg", "crv", "kid", "kty", "use", "x", "y"])
    }))

  it.effect("attack 83: web pages may call the endpoints without cookies, and no others", () =>
    Effect.gen(function*() {
      const proxy = yield* world()
      const { authorize, callback, consent, jwks, metadata, register, revoke, token } = proxy.front.urls
      for (const url of [jwks, metadata, register, revoke, token]) {
        const preflight = yield* proxy.send(url, { method: "OPTIONS" })
        assert.strictEqual(preflight.status, 204)
        assert.strictEqual(preflight.headers["access-control-allow-origin"], "*")
        const method = url === jwks || url === metadata ? "GET" : "POST"
        const response = yield* proxy.send(url, { method, headers: formHeaders })
        assert.strictEqual(response.headers["access-control-allow-origin"], "*", url)
      }
      for (const url of [authorize, callback, consent]) {
        for (const method of ["OPTIONS", "GET", "POST"]) {
          const response = yield* proxy.send(url, { method })
          assert.notProperty(response.headers, "access-control-allow-origin")
        }
        assert.strictEqual((yield* proxy.send(url, { method: "OPTIONS" })).status, 405)
      }
    }))

  it.effect("answers HEAD as GET without the body, and other methods with 405", () =>
    Effect.gen(function*() {
      const proxy = yield* world()
      const head = yield* proxy.send(proxy.front.urls.metadata, { method: "HEAD" })
      assert.strictEqual(head.status, 200)
      assert.strictEqual(head.body, "")
      assert.strictEqual((yield* proxy.send(proxy.front.urls.metadata, { method: "POST" })).status, 405)
      assert.strictEqual((yield* proxy.send(proxy.front.urls.token)).status, 405)
      assert.strictEqual((yield* proxy.send(proxy.front.urls.consent)).headers["allow"], "POST")
    }))

  it.effect("attack 44: two resources have separate codes, and a request must name one", () =>
    Effect.gen(function*() {
      const notes = `${issuer}/notes`
      const proxy = yield* world({
        resources: [
          { resource, baseline: ["todos:read"], offered: ["todos:read"] },
          { resource: notes, baseline: ["notes:read"], offered: ["notes:read"] }
        ]
      })
      const client_id = yield* proxy.registerId([uri])
      const missing = yield* proxy.visit(
        makeBrowser(),
        proxy.authorizeUrl({ client_id, redirect_uri: uri, resource: "" })
      )
      assert.include(missing.headers["location"], "error=invalid_target")
      yield* proxy.signIn(makeBrowser(), { client_id, redirect_uri: uri, resource: notes, scope: "todos:read" })
      const [code] = [...proxy.grants.codes.values()]
      assert.strictEqual(code!.resource, notes)
      assert.deepStrictEqual(code!.scopes, ["notes:read"])
    }))
})
