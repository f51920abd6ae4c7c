import { NodeHttpServer } from "@effect/platform-node"
import { assert, describe, it, layer } from "@effect/vitest"
import { Context, Duration, Effect, Exit, Fiber, Layer, Scope } from "effect"
import { DpopClient, SigningKey, TestIssuer } from "effect-mcp-auth/testing"
import { type HttpClient, HttpClientRequest } from "effect/http"
import { TestClock } from "effect/testing"
import { base64url, createLocalJWKSet, decodeJwt, type JWK, jwtVerify } from "jose"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { makeVerifier, now } from "./support.ts"

type Issuer = TestIssuer.TestIssuer["Service"]

const basic = ({ clientId, clientSecret }: Issuer["client"]) => ({
  authorization: `Basic ${btoa(`${clientId}:${clientSecret}`)}`
})

const post = (
  issuer: Issuer,
  url: string,
  form: Record<string, string>,
  headers: Record<string, string> = basic(issuer.client)
) =>
  Effect.gen(function*() {
    const response = yield* issuer.respond(
      new Request(url, { method: "POST", headers, body: new URLSearchParams(form) })
    )
    const text = yield* Effect.promise(() => response.text())
    const isJson = response.headers.get("content-type") === "application/json"
    return { status: response.status, headers: response.headers, text, body: isJson ? JSON.parse(text) : undefined }
  })

describe("the tokens of the issuer", () => {
  it.effect.each(["RS256", "PS384", "ES512", "EdDSA", "Ed25519"] as const)(
    "are accepted with the algorithm %s",
    (algorithm) =>
      Effect.gen(function*() {
        const { issuer, verifyToken } = yield* makeVerifier({ algorithm })
        assert.strictEqual(yield* verifyToken(yield* issuer.mint()), "accepted")
      })
  )

  it.effect("can each have another algorithm", () =>
    Effect.gen(function*() {
      const { issuer, verifyToken } = yield* makeVerifier({ algorithms: ["ES384"] })
      assert.strictEqual(yield* verifyToken(yield* issuer.mint({ algorithm: "ES384" })), "accepted")
      assert.strictEqual(yield* verifyToken(yield* issuer.mint({ algorithm: "EdDSA" })), "accepted")
      assert.strictEqual(yield* verifyToken(yield* issuer.mint()), "accepted")
    }))

  it.effect("contain the given claims, and times of the test clock with the skew of the issuer", () =>
    Effect.gen(function*() {
      const { issuer } = yield* makeVerifier()
      yield* issuer.skewClock("1 minute")
      const token = yield* issuer.mint({
        subject: "bob",
        clientId: "client-7",
        scopes: ["a", "b"],
        audience: ["x", "y"],
        expiresIn: "1 hour",
        boundTo: "thumbprint",
        claims: { tenant: "t1", jti: undefined }
      })
      assert.deepStrictEqual(decodeJwt<object>(token), {
        iss: "https://issuer.test",
        sub: "bob",
        aud: ["x", "y"],
        client_id: "client-7",
        iat: now + 60,
        exp: now + 60 + 3600,
        scope: "a b",
        cnf: { jkt: "thumbprint" },
        tenant: "t1"
      })
    }))

  it.effect("are accepted with the old key after a rotation, and not after its withdrawal", () =>
    Effect.gen(function*() {
      const { issuer, verifyToken } = yield* makeVerifier()
      const first = yield* issuer.mint()
      yield* issuer.rotateKeys
      const second = yield* issuer.mint()
      assert.deepStrictEqual([yield* verifyToken(first), yield* verifyToken(second)], ["accepted", "accepted"])
      yield* issuer.withdrawKey()
      yield* TestClock.adjust("10 minutes")
      const third = yield* issuer.mint()
      assert.strictEqual(yield* verifyToken(third), "accepted")
      const again = (options: TestIssuer.TokenOptions) => Effect.flatMap(issuer.mint(options), verifyToken)
      assert.strictEqual(yield* again({}), "accepted")
      const kids = yield* issuer.respond(new Request(issuer.jwksUri)).pipe(
        Effect.flatMap((response) => Effect.promise(() => response.json() as Promise<any>)),
        Effect.map(({ keys }) => keys.map((_: any) => _.kid))
      )
      assert.strictEqual(kids.length, 1)
      assert.strictEqual(kids[0], (yield* issuer.currentKey).kid)
    }))
})

describe("introspection (RFC 7662)", () => {
  it.effect("returns the claims of an active token, opaque or not", () =>
    Effect.gen(function*() {
      const { issuer } = yield* makeVerifier()
      for (
        const token of [
          yield* issuer.mintOpaque({ scopes: ["a"], claims: { username: "Alice" } }),
          yield* issuer.mint({ scopes: ["a"], claims: { username: "Alice" } })
        ]
      ) {
        const { body, headers, status } = yield* post(issuer, issuer.introspectionEndpoint, { token })
        assert.strictEqual(status, 200)
        assert.strictEqual(headers.get("cache-control"), "no-store")
        const { jti: _, ...rest } = body
        assert.deepStrictEqual(rest, {
          active: true,
          token_type: "Bearer",
          iss: issuer.issuer,
          sub: "alice",
          aud: issuer.resource,
          client_id: "client-1",
          iat: now,
          exp: now + 300,
          scope: "a",
          username: "Alice"
        })
      }
    }))

  it.effect("returns only active: false for an unknown, revoked or expired token", () =>
    Effect.gen(function*() {
      const { issuer } = yield* makeVerifier()
      const token = yield* issuer.mintOpaque()
      const introspect = Effect.map(post(issuer, issuer.introspectionEndpoint, { token }), ({ body }) => body)
      assert.isTrue((yield* introspect).active)
      yield* TestClock.adjust("5 minutes")
      assert.deepStrictEqual(yield* introspect, { active: false })
      const other = yield* issuer.mintOpaque()
      // RFC 7009 §2.2: the response to a revocation is the same for known and unknown tokens.
      for (const token of [other, "unknown"]) {
        assert.strictEqual((yield* post(issuer, issuer.revocationEndpoint, { token })).status, 200)
        assert.deepStrictEqual((yield* post(issuer, issuer.introspectionEndpoint, { token })).body, { active: false })
      }
    }))

  it.effect("replaces and removes members with publishIntrospection", () =>
    Effect.gen(function*() {
      const { issuer } = yield* makeVerifier()
      yield* issuer.publishIntrospection({ iss: undefined, aud: undefined, active: "true" })
      const { body } = yield* post(issuer, issuer.introspectionEndpoint, { token: yield* issuer.mintOpaque() })
      assert.isFalse("iss" in body || "aud" in body)
      assert.strictEqual(body.active, "true")
    }))

  it.effect("signs its response if the request accepts it (RFC 9701)", () =>
    Effect.gen(function*() {
      const { issuer } = yield* makeVerifier()
      const { publicJwk } = yield* issuer.currentKey
      const { headers, text } = yield* post(
        issuer,
        issuer.introspectionEndpoint,
        { token: yield* issuer.mintOpaque() },
        {
          ...basic(issuer.client),
          accept: "application/token-introspection+jwt"
        }
      )
      assert.strictEqual(headers.get("content-type"), "application/token-introspection+jwt")
      const { payload } = yield* Effect.promise(() =>
        jwtVerify(text, createLocalJWKSet({ keys: [publicJwk] }), {
          typ: "token-introspection+jwt",
          issuer: issuer.issuer,
          audience: "resource-server",
          currentDate: new Date(now * 1000)
        })
      )
      assert.isTrue((payload["token_introspection"] as any).active)
    }))

  it.effect("authenticates known clients with each method, and rejects others", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(now * 1000)
      const signer = yield* SigningKey.make()
      const { issuer } = yield* TestIssuer.make({
        clients: {
          "a:b c": { secret: "s%+:" },
          signer: { jwks: { keys: [signer.publicJwk] } },
          bearer: { bearer: "b64token" }
        }
      })
      const token = yield* issuer.mintOpaque()
      const url = issuer.introspectionEndpoint
      const assertion = (aud: string) =>
        signer.sign({}, { iss: "signer", sub: "signer", aud, jti: "one", exp: now + 60 })
      const asserted = (client_assertion: string) => ({
        token,
        client_assertion,
        client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
      })
      const good = asserted(yield* assertion(url))
      const statuses = {
        // RFC 6749 §2.3.1: the client id and the secret are form-encoded before they are joined and encoded in base64.
        basic: (yield* post(issuer, url, { token }, { authorization: `Basic ${btoa("a%3Ab+c:s%25%2B%3A")}` })).status,
        basicNotEncoded:
          (yield* post(issuer, url, { token }, { authorization: `Basic ${btoa("a:b c:s%25+:")}` })).status,
        post: (yield* post(issuer, url, { token, client_id: "a:b c", client_secret: "s%+:" }, {})).status,
        bearer: (yield* post(issuer, url, { token }, { authorization: "Bearer b64token" })).status,
        privateKey: (yield* post(issuer, url, good, {})).status,
        replayed: (yield* post(issuer, url, good, {})).status,
        otherAudience: (yield* post(issuer, url, asserted(yield* assertion("https://other.test")), {})).status,
        both: (yield* post(issuer, url, { token, client_secret: "s%+:" }, basic(issuer.client))).status,
        anonymous: (yield* post(issuer, url, { token }, {})).status,
        wrong: (yield* post(issuer, url, { token }, { authorization: `Basic ${btoa("x:y")}` })).status
      }
      assert.deepStrictEqual(statuses, {
        basic: 200,
        basicNotEncoded: 401,
        post: 200,
        bearer: 200,
        privateKey: 200,
        replayed: 401,
        otherAudience: 401,
        both: 400,
        anonymous: 401,
        wrong: 401
      })
    }))
})

describe("the token endpoint", () => {
  it.effect("issues tokens for client credentials and for token exchange", () =>
    Effect.gen(function*() {
      const { issuer, verifyToken } = yield* makeVerifier()
      const issued = yield* post(issuer, issuer.tokenEndpoint, { grant_type: "client_credentials", scope: "a b" })
      assert.strictEqual(issued.body.token_type, "Bearer")
      assert.strictEqual(yield* verifyToken(issued.body.access_token), "accepted")
      const exchanged = yield* post(issuer, issuer.tokenEndpoint, {
        grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
        subject_token: yield* issuer.mint({ subject: "bob" }),
        subject_token_type: "urn:ietf:params:oauth:token-type:access_token",
        audience: "https://upstream.test",
        scope: "c"
      })
      const { act, aud, scope, sub } = decodeJwt(exchanged.body.access_token)
      assert.deepStrictEqual({ act, aud, scope, sub }, {
        act: { sub: "resource-server" },
        aud: "https://upstream.test",
        scope: "c",
        sub: "bob"
      })
      const other = yield* post(issuer, issuer.tokenEndpoint, { grant_type: "password" })
      assert.deepStrictEqual([other.status, other.body.error], [400, "unsupported_grant_type"])
    }))

  it.effect("adds the claims of a client to the tokens for its credentials, and to no other token", () =>
    Effect.gen(function*() {
      const claims = { scope: "a", roles: ["editor"] }
      const { issuer } = yield* TestIssuer.make({ clients: { erin: { secret: "secret", claims } } })
      const tokenFor = (form: Record<string, string>) =>
        Effect.map(
          post(issuer, issuer.tokenEndpoint, form, basic(issuer.client)),
          ({ body }) => decodeJwt(body.access_token)
        )
      const { roles, scope, sub } = yield* tokenFor({ grant_type: "client_credentials", scope: "a b" })
      assert.deepStrictEqual({ roles, scope, sub }, { ...claims, sub: "erin" })
      const exchanged = yield* tokenFor({
        grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
        subject_token: yield* issuer.mint({ subject: "bob" })
      })
      assert.deepStrictEqual([exchanged.sub, exchanged["roles"]], ["bob", undefined])
    }))

  it.effect("binds tokens to the key of a proof, and requires its nonce (RFC 9449 §5, §8)", () =>
    Effect.gen(function*() {
      const { issuer } = yield* makeVerifier()
      const client = yield* DpopClient.make()
      const requestToken = (nonce?: string) =>
        Effect.flatMap(
          client.proof({ method: "POST", url: issuer.tokenEndpoint, nonce }),
          (dpop) =>
            post(issuer, issuer.tokenEndpoint, { grant_type: "client_credentials" }, { ...basic(issuer.client), dpop })
        )
      const { body } = yield* requestToken()
      assert.strictEqual(body.token_type, "DPoP")
      assert.deepStrictEqual(decodeJwt(body.access_token)["cnf"], { jkt: client.thumbprint })
      yield* issuer.requireDpopNonce("n-1")
      const rejected = yield* requestToken()
      assert.deepStrictEqual([rejected.status, rejected.body.error], [400, "use_dpop_nonce"])
      assert.strictEqual((yield* requestToken(rejected.headers.get("dpop-nonce")!)).status, 200)
      const elsewhere = yield* client.proof({ method: "POST", url: "https://issuer.test/other" })
      const wrong = yield* post(issuer, issuer.tokenEndpoint, { grant_type: "client_credentials" }, {
        ...basic(issuer.client),
        dpop: elsewhere
      })
      assert.strictEqual(wrong.body.error, "invalid_dpop_proof")
    }))
})

describe("the faults of the issuer", () => {
  const get = (client: HttpClient.HttpClient, url: string) =>
    client.execute(HttpClientRequest.get(url)).pipe(
      Effect.flatMap((response) => Effect.map(response.text, (text) => `${response.status} ${text.slice(0, 15)}`)),
      Effect.catch((error) => Effect.succeed(error.reason._tag))
    )

  it.effect("apply to the selected URLs until the issuer recovers", () =>
    Effect.gen(function*() {
      const { client, issuer } = yield* TestIssuer.make()
      const keys = get(client, issuer.jwksUri)
      const metadata = get(client, `${issuer.issuer}/.well-known/oauth-authorization-server`)
      const good = yield* keys
      assert.match(good, /^200 \{"keys":/)
      yield* issuer.goDown("/jwks")
      assert.strictEqual(yield* keys, "TransportError")
      assert.match(yield* metadata, /^200/)
      yield* issuer.answerHtml()
      assert.strictEqual(yield* keys, "200 <!doctype html>")
      assert.strictEqual(yield* metadata, "200 <!doctype html>")
      yield* issuer.answerStatus(503, "/jwks")
      assert.strictEqual(yield* keys, "503 ")
      yield* issuer.redirect("https://other.test", "/jwks")
      assert.strictEqual(yield* keys, "302 ")
      yield* issuer.recover
      assert.strictEqual(yield* keys, good)
    }))

  it.effect("delay responses by the test clock", () =>
    Effect.gen(function*() {
      const { client, issuer } = yield* TestIssuer.make()
      yield* issuer.slow("3 seconds")
      const slow = yield* Effect.forkChild(get(client, issuer.jwksUri))
      yield* TestClock.adjust("2 seconds")
      assert.isUndefined(slow.pollUnsafe())
      yield* TestClock.adjust("1 second")
      assert.match(yield* Fiber.join(slow), /^200/)
      yield* issuer.hang()
      const hanging = yield* Effect.forkChild(get(client, issuer.jwksUri))
      yield* TestClock.adjust(Duration.days(1))
      assert.isUndefined(hanging.pollUnsafe())
      yield* Fiber.interrupt(hanging)
    }))

  it.effect("take precedence over the responses of respondWith, for any URL", () =>
    Effect.gen(function*() {
      const { client, issuer } = yield* TestIssuer.make({ jwksUri: "https://keys.test/set" })
      yield* issuer.respondWith("//api.test/", ({ method, url }) => new Response(`${method} ${url.slice(-4)}`))
      const api = get(client, "https://api.test/user")
      assert.strictEqual(yield* api, "200 GET user")
      yield* issuer.goDown("api.test")
      assert.strictEqual(yield* api, "TransportError")
      yield* issuer.recover
      yield* issuer.respondWith("//api.test/", () => Promise.reject(new Error("reset")))
      assert.strictEqual(yield* api, "TransportError")
      yield* issuer.respondWith("//api.test/", undefined)
      assert.strictEqual(yield* api, "404 ")
      assert.match(yield* get(client, "https://keys.test/set"), /^200 \{"keys":/)
    }))

  it.effect("apply to each of several issuers that share a client", () =>
    Effect.gen(function*() {
      const { issuer: second } = yield* TestIssuer.make({ issuer: "https://second.test/tenant" })
      const { client, issuer } = yield* TestIssuer.make({ others: [second] })
      assert.match(yield* get(client, second.jwksUri), /^200/)
      assert.strictEqual((yield* second.requests).length, 1)
      assert.deepStrictEqual(yield* issuer.requests, [])
      yield* second.goDown()
      assert.strictEqual(yield* get(client, second.jwksUri), "TransportError")
      assert.match(yield* get(client, issuer.jwksUri), /^200/)
    }))

  it.effect("leave the received requests for inspection", () =>
    Effect.gen(function*() {
      const { issuer } = yield* TestIssuer.make()
      yield* post(issuer, issuer.introspectionEndpoint, { token: "t" }, { "x-mark": "1" })
      const [request] = yield* issuer.takeRequests
      assert.strictEqual(request?.method, "POST")
      assert.strictEqual(request?.body, "token=t")
      assert.strictEqual(request?.headers["x-mark"], "1")
      assert.deepStrictEqual(yield* issuer.requests, [])
    }))
})

describe("the kit without Effect", () => {
  it("returns promises from every method, and a fetch that reaches the issuer", async () => {
    const issuer = await TestIssuer.start()
    const token = await issuer.mint({ subject: "bob", scopes: ["a"] })
    const { keys } = await (await issuer.fetch(issuer.jwksUri)).json()
    const { payload } = await jwtVerify(token, createLocalJWKSet({ keys }), { issuer: issuer.issuer })
    assert.strictEqual(payload.sub, "bob")
    await issuer.goDown()
    const failure = await issuer.fetch(issuer.jwksUri).then(() => undefined, (error: unknown) => error)
    assert.instanceOf(failure, TypeError)
    await issuer.recover()
    assert.strictEqual((await issuer.requests()).length, 2)
  })

  it("signs any header and claims with a key", async () => {
    const { privateJwk, publicJwk, sign, signSegments } = await SigningKey.start({ algorithm: "Ed25519", kid: "k" })
    const keys = createLocalJWKSet({ keys: [publicJwk] })
    const { payload, protectedHeader } = await jwtVerify(await sign({ typ: "x" }, { a: 1, b: undefined }), keys)
    assert.deepStrictEqual([payload, protectedHeader], [{ a: 1 }, { alg: "Ed25519", kid: "k", typ: "x" }])
    assert.isString(privateJwk.d)
    assert.match(await signSegments("a", "b"), /^a\.b\.[\w-]{86}$/)
  })

  it("generates keys that verifiers reject", async () => {
    const { publicJwk } = await SigningKey.start({ algorithm: "RS256", modulusLength: 1024, publicExponent: 3 })
    const { publicJwk: strong } = await SigningKey.start({ algorithm: "PS384", publicExponent: 65_539 })
    const bits = (text: string | undefined) => base64url.decode(text ?? "").length * 8
    assert.deepStrictEqual([bits(publicJwk.n), publicJwk.e, publicJwk.alg], [1024, "Aw", "RS256"])
    assert.deepStrictEqual([bits(strong.n), strong.e, strong.alg], [2048, "AQAD", "PS384"])
  })

  it("serves the issuer and its faults on a port of node:http", async () => {
    const server = createServer((req, res) => issuer.listener(req, res))
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    const { port } = server.address() as AddressInfo
    const issuer = await TestIssuer.start({ issuer: `http://127.0.0.1:${port}/tenant` })
    try {
      const { keys } = await (await fetch(issuer.jwksUri)).json() as { readonly keys: Array<JWK> }
      const { payload } = await jwtVerify(await issuer.mint(), createLocalJWKSet({ keys }))
      assert.strictEqual(payload.iss, issuer.issuer)
      const body = new URLSearchParams({ token: await issuer.mint({ subject: "bob" }) })
      const introspected = await fetch(issuer.introspectionEndpoint, {
        method: "POST",
        headers: basic(issuer.client),
        body
      })
      assert.deepInclude(await introspected.json(), { active: true, sub: "bob" })
      assert.strictEqual((await issuer.requests()).at(-1)?.body, body.toString())
      const broken = new ReadableStream({
        start: (controller) => controller.enqueue(new Uint8Array(8)),
        pull: (controller) => controller.error(new Error("broken"))
      })
      await issuer.respondWith("/half", () => new Response(broken, { headers: { "content-length": "9" } }))
      await issuer.respondWith("/twice", () => new Response("moved", { status: 302, headers: { location: "/once" } }))
      const moved = await fetch(`http://127.0.0.1:${port}/twice`, { redirect: "manual" })
      assert.deepStrictEqual([moved.status, moved.headers.get("location"), await moved.text()], [302, "/once", "moved"])
      let stopped = () => {}
      const end = new Promise<void>((resolve) => {
        stopped = resolve
      })
      const endless = new ReadableStream({
        pull: (controller) => controller.enqueue(new Uint8Array(65_536)),
        cancel: () => stopped()
      })
      await issuer.respondWith("/endless", () => new Response(endless))
      const { body: received } = await fetch(`http://127.0.0.1:${port}/endless`)
      await received!.getReader().cancel()
      await end
      const failure = (path: string) =>
        fetch(`http://127.0.0.1:${port}${path}`).then((_) => _.text()).then(() => "none", (error: Error) => error.name)
      assert.strictEqual(await failure("/half"), "TypeError")
      await issuer.goDown()
      assert.strictEqual(await failure("/jwks"), "TypeError")
    } finally {
      server.closeAllConnections()
      server.close()
    }
  })

  it("creates proofs for the key of a client", async () => {
    const client = await DpopClient.start()
    // The example of RFC 9449 §7.1.
    const token = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"
    const { authorization, dpop } = await client.headers({
      method: "POST",
      url: "https://x.test/mcp?y=z#w",
      token
    })
    assert.strictEqual(authorization, `DPoP ${token}`)
    const { ath, htm, htu } = decodeJwt(dpop)
    assert.deepStrictEqual([ath, htm, htu], [
      "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo",
      "POST",
      "https://x.test/mcp"
    ])
  })
})

const Port = TestIssuer.serve({ resource: "http://127.0.0.1/mcp" }).pipe(
  Layer.provideMerge(NodeHttpServer.layer(createServer, {
    host: "127.0.0.1",
    port: 0,
    gracefulShutdownTimeout: "1 second"
  }))
)

layer(Port, { excludeTestServices: true })("on a real port", (it) => {
  it.effect("the documents contain the address, and tokens verify", () =>
    Effect.gen(function*() {
      const issuer = yield* TestIssuer.TestIssuer
      assert.match(issuer.issuer, /^http:\/\/127\.0\.0\.1:\d+$/)
      const get = (url: string) => Effect.promise(() => fetch(url).then((_) => _.json() as Promise<any>))
      const metadata = yield* get(`${issuer.issuer}/.well-known/oauth-authorization-server`)
      assert.strictEqual(metadata.issuer, issuer.issuer)
      const keys = createLocalJWKSet(yield* get(metadata.jwks_uri))
      const token = yield* issuer.mint()
      const { payload } = yield* Effect.promise(() => jwtVerify(token, keys, { issuer: issuer.issuer }))
      assert.strictEqual(payload.aud, "http://127.0.0.1/mcp")
      const answer = yield* Effect.promise(() =>
        fetch(metadata.introspection_endpoint, {
          method: "POST",
          headers: basic(issuer.client),
          body: new URLSearchParams({ token })
        }).then((_) => _.json() as Promise<any>)
      )
      assert.isTrue(answer.active)
      yield* issuer.goDown()
      assert.strictEqual((yield* Effect.promise(() => fetch(issuer.jwksUri))).status, 503)
      yield* issuer.recover
    }))
})

it.live("the port closes while a response hangs", () =>
  Effect.gen(function*() {
    const scope = yield* Scope.make()
    const context = yield* Scope.provide(Layer.build(Port), scope)
    const { hang, issuer, jwksUri, respondWith } = Context.get(context, TestIssuer.TestIssuer)
    yield* hang("/jwks")
    yield* respondWith("/never", () => new Promise(() => {}))
    const outcomes = [jwksUri, `${issuer}/never`].map((url) => fetch(url).then(({ ok }) => ok, () => false))
    yield* Effect.sleep("100 millis")
    yield* Scope.close(scope, Exit.void).pipe(Effect.timeout("5 seconds"))
    assert.deepStrictEqual(yield* Effect.promise(() => Promise.all(outcomes)), [false, false])
  }))
