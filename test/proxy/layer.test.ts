/** The proxy on the `HttpRouter` of Effect, with an upstream on loopback. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Config, Effect, Layer, Logger, Redacted } from "effect"
import { Principal } from "effect-mcp-auth"
import { McpAuthSdk } from "effect-mcp-auth/sdk-v1"
import { MemoryStore, RecordStore } from "effect-mcp-auth/store"
import { TestUpstream } from "effect-mcp-auth/testing"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { decodeJwt } from "jose"
import type { RequestListener, Server } from "node:http"
import * as Admit from "../../src/proxy/Admit.ts"
import { GrantAdministration } from "../../src/proxy/grants/GrantAdministration.ts"
import * as proxyKeys from "../../src/proxy/keys/ProxyKeys.ts"
import * as OAuthProxy from "../../src/proxy/OAuthProxy.ts"
import * as Upstream from "../../src/proxy/upstream/Upstream.ts"
import { UpstreamAccess } from "../../src/proxy/upstream/UpstreamAccess.ts"
import { challengeOf, secret, verifier } from "./front/world.ts"
import { close, listen, makePerson } from "./server.ts"

const origin = "http://127.0.0.1:9"
const redirectUri = "http://127.0.0.1/callback"

let upstream: Awaited<ReturnType<typeof TestUpstream.start>>
let server: Server
let web: { readonly handler: (request: Request) => Promise<Response>; readonly dispose: () => Promise<void> }

beforeAll(async () => {
  const listening = await listen()
  server = listening.server
  upstream = await TestUpstream.start({ form: "github", origin: listening.origin })
  server.on("request", upstream.listener as RequestListener)
  const Proxy = OAuthProxy.layer({
    resource: `${origin}/todos`,
    scopes: { baseline: ["todos:read"], stepUp: ["todos:write"] },
    upstream: Upstream.github({
      clientId: upstream.clientId,
      clientSecret: Redacted.make(upstream.clientSecret),
      server: upstream.origin,
      scopes: { "todos:read": [], "todos:write": ["repo"] }
    }),
    admit: Admit.anyone,
    secret
  }).pipe(Layer.provide(MemoryStore.layer()))
  const Todos = HttpRouter.add(
    "GET",
    "/todos",
    Effect.gen(function*() {
      const { subject } = yield* Principal
      const token = yield* Effect.orDie((yield* UpstreamAccess).token)
      return HttpServerResponse.text(JSON.stringify({ subject, token: Redacted.value(token) }))
    })
  )
  const Off = Layer.unwrap(Effect.map(GrantAdministration, (grants) =>
    HttpRouter.add(
      "POST",
      "/off",
      Effect.gen(function*() {
        const { subject } = yield* Principal
        return HttpServerResponse.text(String(yield* Effect.orDie(grants.revokeAll(subject!))))
      })
    )))
  const { dispose, handler } = HttpRouter.toWebHandler(Layer.mergeAll(Todos, Off).pipe(Layer.provide(Proxy)), {
    disableLogger: true
  })
  web = { handler: (request) => handler(request), dispose }
})
afterAll(async () => {
  await web.dispose()
  await close(server)
})

const post = (path: string, body: URLSearchParams | string, type = "application/x-www-form-urlencoded") =>
  web.handler(
    new Request(`${origin}${path}`, { method: "POST", headers: { "content-type": type }, body: String(body) })
  )

const todos = (token: string) =>
  web.handler(new Request(`${origin}/todos`, { headers: { authorization: `Bearer ${token}` } }))

describe("OAuthProxy.layer", () => {
  it("provides the gate, the endpoints, the upstream token of the caller and the administration of grants", async () => {
    const unauthorized = await web.handler(new Request(`${origin}/todos`))
    assert.strictEqual(unauthorized.status, 401)
    const metadataUrl = /resource_metadata="([^"]*)"/.exec(unauthorized.headers.get("www-authenticate")!)![1]!
    const metadata = await (await web.handler(new Request(metadataUrl))).json() as Record<string, unknown>
    assert.deepStrictEqual(metadata["authorization_servers"], [origin])

    const registration = await post("/register", JSON.stringify({ redirect_uris: [redirectUri] }), "application/json")
    assert.strictEqual(registration.status, 201)
    const { client_id } = await registration.json() as { client_id: string }
    const parameters = new URLSearchParams({
      response_type: "code",
      client_id,
      redirect_uri: redirectUri,
      code_challenge: challengeOf(verifier),
      code_challenge_method: "S256",
      scope: "todos:read todos:write"
    })
    const callback = await makePerson({
      fetch: (url, init) =>
        String(url).startsWith(origin) ? web.handler(new Request(String(url), init)) : fetch(url, init)
    })(`${origin}/authorize?${parameters}`)
    const response = await post(
      "/token",
      new URLSearchParams({
        grant_type: "authorization_code",
        code: callback.searchParams.get("code")!,
        client_id,
        redirect_uri: redirectUri,
        code_verifier: verifier
      })
    )
    const tokens = await response.json() as { access_token: string; scope: string }
    assert.strictEqual(response.status, 200)
    assert.strictEqual(tokens.scope, "todos:read todos:write")

    const called = await (await todos(tokens.access_token)).json() as { subject: string; token: string }
    assert.match(called.subject, /^github\|[\w-]{8}\|1001$/)
    assert.deepStrictEqual(await upstream.liveTokens("alice"), [called.token])

    // A thief of the secret can sign tokens, but only for what a living grant covers.
    const keys = await Effect.runPromise(proxyKeys.make(secret))
    const claims = decodeJwt(tokens.access_token)
    const forged = (more: object) => Effect.runPromise(keys.sign({ ...claims, ...more }))
    assert.strictEqual((await todos(await forged({ jti: "another" }))).status, 200)
    const changes = [{ sub: called.subject.replace("1001", "1002") }, { client_id: "c1.other" }, {
      scope: "todos:read todos:admin"
    }, {
      sid: "x"
    }]
    for (const change of changes) {
      assert.strictEqual((await todos(await forged(change))).status, 401, JSON.stringify(change))
    }

    const off = await web.handler(
      new Request(`${origin}/off`, { method: "POST", headers: { authorization: `Bearer ${tokens.access_token}` } })
    )
    assert.strictEqual(await off.text(), "1")
    assert.strictEqual((await todos(tokens.access_token)).status, 401)
  })

  it("attack 73: rejects a body that is too long", async () => {
    assert.strictEqual((await post("/register", "x".repeat(16 * 1024 + 1), "application/json")).status, 413)
  })
})

describe("OAuthProxy.make", () => {
  const options = {
    resource: `${origin}/mcp`,
    scopes: ["todos:read"],
    upstream: Upstream.github({
      clientId: "id",
      clientSecret: Redacted.make("secret"),
      scopes: { "todos:read": [] }
    }),
    admit: Admit.anyone,
    secret
  } as const

  const errors: ReadonlyArray<readonly [string, object, RegExp]> = [
    ["an unknown option", { secrets: 1 }, /secrets/],
    ["attack 64: a short secret", { secret: Redacted.make("short") }, /secret/],
    ["attack 17: no rule of admission", { admit: undefined }, /admit: the option is missing/],
    ["a resource over plain http", { resource: "http://todos.example.com/mcp" }, /resource/],
    ["an issuer with a query", { issuer: "https://todos.example.com?x=1" }, /issuer/],
    ["an unknown text", { pages: { messages: { hello: "x" } } }, /pages\.messages/],
    ["a color with other text", { pages: { color: "red}body{display:none" } }, /pages\.color/],
    ["a private-use URI that runs code", { privateUseRedirectUris: ["javascript://x/"] }, /privateUseRedirectUris/],
    ["attack 21: a private-use URI that cannot be parsed", {
      privateUseRedirectUris: ["app:/callback", "app://[/callback"]
    }, /app:\/\/\[/],
    ["attack 21: a client with a private-use URI that cannot be parsed", {
      clients: [{ clientId: "x", redirectUris: ["app://[/callback"] }]
    }, /clients\[0\]\.redirectUris/],
    ["a client with a redirect URI over plain http", {
      clients: [{ clientId: "x", redirectUris: ["http://evil.example/"] }]
    }, /clients\[0\]\.redirectUris/],
    ["scopes that the upstream does not map", { scopes: ["todos:read", "todos:write"] }, /upstream\.scopes/],
    ["an option that is not passed to the gate", { gate: { audience: "x" } }, /gate\.audience/]
  ]
  it.each(errors)("rejects %s", async (_, wrong, expected) => {
    const error = await OAuthProxy.make({ ...options, ...wrong } as never).then(
      () => undefined,
      (thrown: unknown) => thrown
    )
    assert.match(String((error as Error | undefined)?.message), expected)
  })

  const failureOf = (promise: Promise<unknown>) =>
    promise.then(() => undefined, (error: unknown) => error) as Promise<{ readonly message: string } | undefined>

  it("names the function and the path of a wrong option", async () => {
    const short = { ...options, secret: Redacted.make("short") }
    assert.match(
      (await failureOf(OAuthProxy.make(short)))!.message,
      / at OAuthProxy\.make\.secret: the secret is too weak/
    )
    const layer = OAuthProxy.layer(short)
    const failed = Effect.runPromise(Effect.scoped(Layer.build(layer.pipe(Layer.provide(HttpRouter.layer)))))
    assert.match((await failureOf(failed))!.message, / at OAuthProxy\.layer\.secret: the secret is too weak/)
    assert.throws(() => Upstream.github({ ...clientOf("id"), name: "A" }), / at Upstream\.github\.name: /)
  })

  const clientOf = (clientId: string) => ({ clientId, clientSecret: Redacted.make("secret") })

  const environment = {
    RESOURCE_URL: `${origin}/mcp`,
    ISSUER: origin,
    GITHUB_ID: "id",
    GITHUB_SECRET: "secret",
    GITHUB_SERVER: "https://github.example.com",
    PROXY_SECRET: Redacted.value(secret),
    // A binding of Workers.
    DATABASE: {}
  }
  const configured = {
    resource: Config.String("RESOURCE_URL"),
    issuer: Config.String("ISSUER"),
    scopes: ["todos:read"],
    upstream: Upstream.github({
      clientId: Config.String("GITHUB_ID"),
      clientSecret: Config.Redacted("GITHUB_SECRET"),
      server: Config.String("GITHUB_SERVER").pipe(Config.withDefault(undefined))
    }),
    admit: Admit.anyone,
    secret: Config.Redacted("PROXY_SECRET"),
    clientDocuments: false
  } as const

  it("reads options from an environment, and needs no upstream scopes", async () => {
    await using proxy = await OAuthProxy.make({ ...configured, environment })
    assert.strictEqual(proxy.issuer, origin)
    assert.deepStrictEqual(proxy.callbackUrls, [`${origin}/callback/github`])
    assert.strictEqual(proxy.upstreamApiUrl, "https://github.example.com/api/v3")
    const { GITHUB_SERVER: _, ...publicly } = environment
    await using other = await OAuthProxy.make({ ...configured, environment: publicly })
    assert.strictEqual(other.upstreamApiUrl, "https://api.github.com")
    assert.notStrictEqual(other.grants.subjectOf("1"), proxy.grants.subjectOf("1"))
  })

  it("names a variable that is missing, and an option whose variable has a wrong value", async () => {
    const { GITHUB_ID: _, ...missing } = environment
    assert.match((await failureOf(OAuthProxy.make({ ...configured, environment: missing })))!.message, /GITHUB_ID/)
    const wrong = { ...environment, GITHUB_SERVER: "http://github.example.com" }
    assert.match(
      (await failureOf(OAuthProxy.make({ ...configured, environment: wrong })))!.message,
      / at Upstream\.github\.server: /
    )
    const resource = { ...environment, RESOURCE_URL: "todos" }
    assert.match(
      (await failureOf(OAuthProxy.make({ ...configured, environment: resource })))!.message,
      / at OAuthProxy\.make\.resource: /
    )
    assert.match(
      (await failureOf(OAuthProxy.make({ ...configured, environment: "x" as never })))!.message,
      / at OAuthProxy\.make\.environment: /
    )
  })

  it("logs the callback URL, and warns of the store in memory except on loopback", async () => {
    const logged: Array<string> = []
    const logger = Logger.layer([Logger.make(({ logLevel, message }) => void logged.push(`${logLevel} ${message}`))])
    const build = (more: object) =>
      Effect.runPromise(Effect.scoped(
        Layer.build(
          OAuthProxy.layer({ ...options, ...more }).pipe(Layer.provide(HttpRouter.layer), Layer.provide(logger))
        )
      ))
    await build({})
    assert.deepStrictEqual(logged.splice(0), [
      `Info Register the callback URL of the OAuth proxy at the upstream github: ${origin}/callback/github`
    ])
    const production = { resource: "https://todos.example.com/mcp" }
    await build(production)
    assert.strictEqual(logged.splice(0).filter((line) => /^Warn .*has no store/.test(line)).length, 1)
    await build({ ...production, store: MemoryStore.layer() })
    assert.deepStrictEqual(logged.filter((line) => line.startsWith("Warn")), [])
  })

  it("uses the store of the option, or else a store that is provided", async () => {
    const uses = async (make: (store: Layer.Layer<RecordStore.RecordStore>) => Layer.Layer<never, any, any>) => {
      const keys: Array<string> = []
      const store = Layer.effect(
        RecordStore.RecordStore,
        Effect.map(MemoryStore.make(), (memory) => ({
          ...memory,
          get: (key: string) => Effect.suspend(() => (keys.push(key), memory.get(key)))
        }))
      ) as Layer.Layer<RecordStore.RecordStore>
      const { dispose, handler } = HttpRouter.toWebHandler(make(store) as never, { disableLogger: true })
      await (handler as unknown as (request: Request) => Promise<Response>)(
        new Request(`${origin}/token`, {
          method: "POST",
          headers: { "content-type": "application/x-www-form-urlencoded" },
          body: new URLSearchParams({
            grant_type: "refresh_token",
            refresh_token: `${"g".repeat(22)}.0.AAAAAAAA.${"t".repeat(43)}`,
            client_id: "registered"
          })
        })
      )
      await dispose()
      return keys.length
    }
    const clients = [{ clientId: "registered", redirectUris: ["http://127.0.0.1/callback"] }] as const
    assert.isAbove(await uses((store) => OAuthProxy.layer({ ...options, clients, store }) as never), 0)
    assert.isAbove(
      await uses((store) => OAuthProxy.layer({ ...options, clients }).pipe(Layer.provide(store)) as never),
      0
    )
  })

  it("joins the gate of an adapter and the proxy, and releases both", async () => {
    const disposed: Array<string> = []
    const proxy = await OAuthProxy.makeWith(async (gate) => {
      const sdk = await McpAuthSdk.make(gate)
      return { ...sdk, dispose: () => (disposed.push("gate"), sdk.dispose()) }
    }, options)
    assert.strictEqual(typeof proxy.registerTool, "function")
    assert.strictEqual(typeof proxy.protectFetch, "function")
    assert.strictEqual((await proxy.fetch(new Request(`${origin}/jwks`))!).status, 200)
    await proxy[Symbol.asyncDispose]()
    assert.deepStrictEqual(disposed, ["gate"])
    const failed = OAuthProxy.makeWith(() => Promise.reject(new RangeError("adapter")), options)
    assert.strictEqual((await failureOf(failed))!.message, "adapter")
  })

  it("answers the requests of a fetch handler, and no others", async () => {
    await using proxy = await OAuthProxy.make({ ...options, clientDocuments: false })
    const metadata = await proxy.fetch(new Request(`${origin}/.well-known/oauth-authorization-server`))
    assert.notProperty(await metadata!.json(), "client_id_metadata_document_supported")
    const resource = await proxy.fetch(new Request(`${origin}/.well-known/oauth-protected-resource/mcp`))
    assert.strictEqual(resource!.status, 200)
    assert.isUndefined(proxy.fetch(new Request(`${origin}/mcp`)))
    const page = await proxy.fetch(new Request(`${origin}/authorize`))
    assert.strictEqual(page!.status, 400)
    const mcp = proxy.web.protect(() => new Response("in"))
    assert.strictEqual((await mcp(new Request(`${origin}/mcp`, { method: "POST", body: "{}" }))).status, 401)
  })
})
