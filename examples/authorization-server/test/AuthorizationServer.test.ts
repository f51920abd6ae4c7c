import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { createRemoteJWKSet, jwtVerify } from "jose"
import { vi } from "vitest"
import * as AuthorizationServer from "../AuthorizationServer.ts"
import { UserAgent } from "../UserAgent.ts"
import { signIn } from "./signIn.ts"

const resource = "http://127.0.0.1:9/mcp"

const post = (server: AuthorizationServer.AuthorizationServer["Service"], path: string, form: Record<string, string>) =>
  Effect.promise(async () => {
    const credentials = `${server.service.clientId}:${Redacted.value(server.service.clientSecret)}`
    const response = await fetch(`${server.issuer}${path}`, {
      method: "POST",
      headers: { authorization: `Basic ${btoa(credentials)}` },
      body: new URLSearchParams(form)
    })
    const text = await response.text()
    return { status: response.status, body: text === "" ? undefined : JSON.parse(text) }
  })

describe("AuthorizationServer", () => {
  it.live.each(["RS256", "ES256", "PS256", "Ed25519"] as const)(
    "signs access tokens with %s",
    (signingAlgorithm) =>
      Effect.gen(function*() {
        const { issuer } = yield* AuthorizationServer.make({ signingAlgorithm, scopes: ["a", "b", "c"] })
        const tokens = yield* Effect.promise(() => signIn({ issuer, resource, scope: "a b unknown" }))
        assert.isUndefined(tokens.refresh_token)
        const { payload, protectedHeader } = yield* Effect.promise(() =>
          jwtVerify(tokens.access_token, createRemoteJWKSet(new URL(`${issuer}/jwks`)), {
            issuer,
            audience: resource,
            typ: "at+jwt",
            algorithms: [signingAlgorithm]
          })
        )
        assert.strictEqual(protectedHeader.alg, signingAlgorithm)
        assert.strictEqual(payload.sub, "alice")
        assert.strictEqual(payload["scope"], "a b")
      })
  )

  it.live("issues, introspects and revokes opaque tokens", () =>
    Effect.gen(function*() {
      const server = yield* AuthorizationServer.make({ accessTokenFormat: "opaque", scopes: ["a"] })
      const issued = yield* post(server, "/token", { grant_type: "client_credentials", resource, scope: "a" })
      const token = issued.body.access_token
      const { active, aud, client_id, scope } = (yield* post(server, "/token/introspection", { token })).body
      assert.deepStrictEqual({ active, aud, client_id, scope }, {
        active: true,
        aud: resource,
        client_id: "service",
        scope: "a"
      })
      assert.strictEqual((yield* post(server, "/token/revocation", { token })).status, 200)
      assert.deepStrictEqual((yield* post(server, "/token/introspection", { token })).body, { active: false })
    }))

  it.live("offers each resource its scopes", () =>
    Effect.gen(function*() {
      const scopes = (url: string) => url === resource ? ["a"] : ["b"]
      const { issuer } = yield* AuthorizationServer.make({ scopes })
      const there = yield* Effect.promise(() => signIn({ issuer, resource: "http://localhost:9/x", scope: "a b" }))
      assert.strictEqual(there.scope, "b")
    }))

  it.live("grants the baseline if no scope is requested, and a step-up scope only if it is requested", () =>
    Effect.gen(function*() {
      const { issuer } = yield* AuthorizationServer.make({ scopes: { baseline: ["a", "b"], stepUp: ["c"] } })
      const grant = (scope: string | undefined) => Effect.promise(() => signIn({ issuer, resource, scope }))
      assert.strictEqual((yield* grant(undefined)).scope, "a b")
      assert.strictEqual((yield* grant("c")).scope, "c")
    }))

  it.live("grants the baseline to a client that requests every scope of the metadata", () =>
    Effect.gen(function*() {
      const { issuer } = yield* AuthorizationServer.make({ scopes: { baseline: ["a", "b"], stepUp: ["c"] } })
      const { scopes_supported: listed } = yield* Effect.promise(async () =>
        (await fetch(`${issuer}/.well-known/oauth-authorization-server`)).json()
      )
      assert.deepStrictEqual(listed, ["openid", "offline_access", "a", "b"])
      const tokens = yield* Effect.promise(() => signIn({ issuer, resource, scope: listed.join(" ") }))
      assert.includeMembers(tokens.scope!.split(" "), ["a", "b"])
      assert.notInclude(tokens.scope, "c")
    }))

  it.live("grants every scope of a list if no scope is requested", () =>
    Effect.gen(function*() {
      const { issuer } = yield* AuthorizationServer.make({ scopes: ["a", "b"] })
      const tokens = yield* Effect.promise(() => signIn({ issuer, resource, scope: undefined }))
      assert.strictEqual(tokens.scope, "a b")
    }))

  it.live("issues a refresh token if offline_access is requested", () =>
    Effect.gen(function*() {
      const { issuer } = yield* AuthorizationServer.make({ scopes: ["a"] })
      const tokens = yield* Effect.promise(() => signIn({ issuer, resource, scope: "a offline_access" }))
      assert.isString(tokens.refresh_token)
    }))

  it.live("issues a refresh token without offline_access if refreshTokens is always", () =>
    Effect.gen(function*() {
      const { issuer } = yield* AuthorizationServer.make({ scopes: ["a"], refreshTokens: "always" })
      const tokens = yield* Effect.promise(() => signIn({ issuer, resource, scope: "a" }))
      assert.isString(tokens.refresh_token)
    }))

  it.live("requests consent only to new scopes from a signed-in person", () =>
    Effect.gen(function*() {
      const { issuer } = yield* AuthorizationServer.make({ scopes: ["a"] })
      const userAgent = new UserAgent({ username: "alice" })
      const pages = Effect.promise(async () => {
        await signIn({ issuer, resource, scope: "a", userAgent })
        return userAgent.log.splice(0).flatMap((exchange) => exchange.page ?? [])
      })
      assert.deepStrictEqual(yield* pages, ["Sign-in", "Authorize"])
      assert.deepStrictEqual(yield* pages, ["Authorize"])
    }))

  it.live("serves loopback only", () =>
    Effect.gen(function*() {
      const server = yield* AuthorizationServer.make({ scopes: ["a"] })
      const { body, status } = yield* post(server, "/token", {
        grant_type: "client_credentials",
        resource: "https://mcp.example.com/mcp"
      })
      assert.strictEqual(status, 400)
      assert.strictEqual(body.error, "invalid_target")
    }))

  it.live("answers both discovery URLs", () =>
    Effect.gen(function*() {
      const { issuer } = yield* AuthorizationServer.make()
      const [oauth, openid] = yield* Effect.promise(() =>
        Promise.all(["oauth-authorization-server", "openid-configuration"].map(async (name) =>
          (await fetch(`${issuer}/.well-known/${name}`)).json()
        ))
      )
      assert.strictEqual(oauth.issuer, issuer)
      assert.deepStrictEqual(oauth, openid)
    }))

  it.live("registers clients that run in a browser", () =>
    Effect.gen(function*() {
      const { issuer } = yield* AuthorizationServer.make()
      const send = (method: string, init: RequestInit) =>
        Effect.promise(() =>
          fetch(`${issuer}/reg`, {
            ...init,
            method,
            headers: { origin: "https://app.example.com", ...init.headers }
          })
        )
      const preflight = yield* send("OPTIONS", { headers: { "access-control-request-method": "POST" } })
      assert.strictEqual(preflight.status, 204)
      assert.strictEqual(preflight.headers.get("access-control-allow-methods"), "POST")
      assert.strictEqual(preflight.headers.get("access-control-allow-headers"), "content-type")
      const answers = yield* Effect.forEach([{ redirect_uris: [resource] }, {}], (body) =>
        send("POST", { headers: { "content-type": "application/json" }, body: JSON.stringify(body) }))
      assert.deepStrictEqual(
        answers.map(({ status }) =>
          status
        ),
        [201, 400]
      )
      for (const { headers } of [preflight, ...answers]) {
        assert.strictEqual(headers.get("access-control-allow-origin"), "*")
      }
    }))

  it.live("writes nothing to the console", () =>
    Effect.gen(function*() {
      const spies = (["info", "log", "warn", "error"] as const).map((name) => vi.spyOn(console, name))
      yield* Effect.addFinalizer(() => Effect.sync(() => spies.forEach((spy) => spy.mockRestore())))
      const { issuer } = yield* AuthorizationServer.make({ scopes: ["a"] })
      yield* Effect.promise(() => signIn({ issuer, resource, scope: "a" }))
      assert.deepStrictEqual(spies.flatMap((spy) => spy.mock.calls), [])
    }))

  it.live("is gone when its scope closes, and names the port that is taken", () =>
    Effect.gen(function*() {
      const { issuer } = yield* Effect.scoped(AuthorizationServer.make())
      const exit = yield* Effect.exit(Effect.tryPromise(() => fetch(issuer)))
      assert.strictEqual(exit._tag, "Failure")

      const taken = yield* AuthorizationServer.make()
      const port = Number(new URL(taken.issuer).port)
      const error = yield* Effect.flip(AuthorizationServer.make({ port }))
      assert.include(error.message, `cannot listen on port ${port}`)
    }))
})
