/** An application acts for people. Numbers in titles are those of the faults that clients of MCP servers had. */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Redacted } from "effect"
import { Grant } from "effect-mcp-auth/client"
import { RecordStore } from "effect-mcp-auth/store"
import { SigningKey } from "effect-mcp-auth/testing"
import { TestClock } from "effect/testing"
import { decodeJwt, type JWK, jwtVerify } from "jose"
import { keyOf } from "../../src/client/sign-in/SignInRecords.ts"
import { application, options, type People, people, redirectUri, whileTimePasses } from "./people.ts"
import { resource } from "./world.ts"

const stepUp = (scope: string) =>
  new Response(null, {
    status: 403,
    headers: { "www-authenticate": `Bearer error="insufficient_scope", scope="${scope}"` }
  })

/** Returns a `fetch` that holds the response to a token request back until it is released. */
const heldFetch = (world: People) =>
  Effect.gen(function*() {
    const reached = yield* Deferred.make<void>()
    const released = yield* Deferred.make<void>()
    const fetch: typeof globalThis.fetch = async (input, init) => {
      const response = await world.fetch(input, init)
      if (!String(input).endsWith("/token")) return response
      Deferred.doneUnsafe(reached, Exit.void)
      await Effect.runPromise(Deferred.await(released))
      init?.signal?.throwIfAborted()
      return response
    }
    return { fetch, hold: { reached: Deferred.await(reached), release: Deferred.succeed(released, undefined) } }
  })

describe("sign-in of an account", () => {
  it.effect("asks the person, completes the sign-in with PKCE and uses the token for later requests", () =>
    Effect.gen(function*() {
      const world = yield* people
      const app = yield* application(world)
      const error = yield* Effect.flip(app.call())
      assert.strictEqual(error._tag, "SignInRequired")
      assert.strictEqual(error.reason, "no-token")
      const url = new URL(error.url)
      assert.strictEqual(`${url.origin}${url.pathname}`, `${world.issuer.issuer}/authorize`)
      assert.include(Object.fromEntries(url.searchParams), {
        response_type: "code",
        code_challenge_method: "S256",
        redirect_uri: redirectUri,
        scope: "todos:read",
        client_id: "client-1",
        resource
      })
      const completed = yield* app.complete(world.approve(error.url), { account: "alice" })
      assert.deepStrictEqual(completed, {
        account: "alice",
        resource,
        issuer: world.issuer.issuer,
        granted: ["todos:read"]
      })
      assert.strictEqual((yield* app.call()).status, 200)
      const [form] = yield* world.forms("authorization_code")
      assert.strictEqual(form!.get("resource"), resource)
      assert.isNull(form!.get("client_secret"))
    }))

  it.effect("rejects with the defect of a store, and not as if the program had ended", () =>
    Effect.gen(function*() {
      const world = yield* people
      const defect = new TypeError("The store is broken")
      const app = yield* application({ ...world, store: { ...world.store, get: () => Effect.die(defect) } })
      assert.strictEqual<unknown>(yield* Effect.flip(app.call()), defect)
    }))

  it.effect("6, 7: sends the resource as the metadata write it, and not at all to a server that rejects the parameter", () =>
    Effect.gen(function*() {
      const world = yield* people
      world.state.metadata = { resource: "https://todos.test", authorization_servers: [world.issuer.issuer] }
      const verbatim = yield* application(world)
      assert.strictEqual(new URL(yield* verbatim.signInUrl()).searchParams.get("resource"), "https://todos.test")
      const without = yield* application(world, {
        allowIssuers: [{ issuer: world.issuer.issuer, resourceParameter: false }]
      })
      const url = yield* without.signInUrl()
      assert.isFalse(new URL(url).searchParams.has("resource"))
      yield* without.complete(world.approve(url), { account: "alice" })
      assert.isFalse((yield* world.forms("authorization_code"))[0]!.has("resource"))
    }))

  it.effect("stops if the authorization server does not list S256, unless the author assumes it", () =>
    Effect.gen(function*() {
      const world = yield* people
      for (const methods of [undefined, [], ["plain"]]) {
        yield* world.issuer.publishMetadata({ code_challenge_methods_supported: methods })
        const error = yield* Effect.flip((yield* application(world)).call())
        assert.strictEqual(error._tag, "DiscoveryError")
        assert.include(error.message, "assumeS256")
      }
      const assumed = { allowIssuers: [{ issuer: world.issuer.issuer, assumeS256: true }] }
      assert.include((yield* Effect.flip((yield* application(world, assumed)).call())).message, "assumeS256")
      yield* world.issuer.publishMetadata({ code_challenge_methods_supported: undefined })
      yield* TestClock.adjust("1 day")
      assert.strictEqual((yield* Effect.flip((yield* application(world, assumed)).call()))._tag, "SignInRequired")
    }))

  it.effect("9: signs in at the first server in the author's order, and at none that the author does not allow", () =>
    Effect.gen(function*() {
      const world = yield* people
      world.state.metadata = { resource, authorization_servers: ["https://evil.test", world.issuer.issuer] }
      assert.include(yield* (yield* application(world)).signInUrl(), world.issuer.issuer)
      world.state.metadata = { resource, authorization_servers: ["https://evil.test"] }
      assert.strictEqual((yield* Effect.flip((yield* application(world)).call()))._tag, "Mismatch")
      const any = yield* application(world, { allowIssuers: Grant.anyIssuer })
      world.state.metadata = { resource, authorization_servers: ["https://evil.test", world.issuer.issuer] }
      assert.strictEqual((yield* Effect.flip(any.call()))._tag, "DiscoveryError")
    }))

  it.effect("11: sends the code to the token endpoint of the request, also if the metadata change during the sign-in", () =>
    Effect.gen(function*() {
      const world = yield* people
      const app = yield* application(world)
      const url = yield* app.signInUrl()
      yield* world.issuer.publishMetadata({ token_endpoint: "https://evil.test/token" })
      const other = yield* application(world)
      yield* other.complete(world.approve(url), { account: "alice" })
      const urls = (yield* world.issuer.requests).map((request) => request.url)
      assert.deepStrictEqual(urls.filter((each) => each.endsWith("/token")), [`${world.issuer.issuer}/token`])
    }))

  it.effect("12: rejects a response of another issuer, and one without the issuer that the metadata advertise", () =>
    Effect.gen(function*() {
      const world = yield* people
      const app = yield* application(world)
      for (const iss of ["https://evil.test", `${world.issuer.issuer}/`, ""]) {
        const callback = world.approve(yield* app.signInUrl(), { iss })
        const error = yield* Effect.flip(app.complete(callback, { account: "alice" }))
        assert.strictEqual(error._tag, "CallbackRejected")
      }
      const denied = world.approve(yield* app.signInUrl(), {
        iss: "https://evil.test",
        code: "",
        error: "access_denied"
      })
      assert.strictEqual((yield* Effect.flip(app.complete(denied, { account: "alice" })))._tag, "CallbackRejected")
      assert.deepStrictEqual(yield* world.forms("authorization_code"), [])
      yield* world.issuer.publishMetadata({ authorization_response_iss_parameter_supported: undefined })
      yield* TestClock.adjust("1 day")
      const silent = yield* application(world)
      yield* silent.complete(world.approve(yield* silent.signInUrl(), { iss: "" }), { account: "alice" })
    }))

  it.effect("18: rejects an unknown, expired or used state, and requests no token", () =>
    Effect.gen(function*() {
      const world = yield* people
      const app = yield* application(world)
      const reject = (callback: { readonly url: string }) =>
        Effect.map(Effect.flip(app.complete(callback, { account: "alice" })), (error) => error.message)
      const unknown = `${redirectUri}?code=c&state=${"x".repeat(43)}&iss=${encodeURIComponent(world.issuer.issuer)}`
      assert.include(yield* reject({ url: unknown }), "unknown")
      const expired = world.approve(yield* app.signInUrl())
      yield* TestClock.adjust("11 minutes")
      assert.include(yield* reject(expired), "unknown")
      assert.lengthOf(yield* world.forms("authorization_code"), 0)
      const used = world.approve(yield* app.signInUrl())
      const results = yield* Effect.all(
        Array.from({ length: 8 }, () => Effect.result(app.complete(used, { account: "alice" }))),
        { concurrency: "unbounded" }
      )
      assert.lengthOf(results.filter(({ _tag }) => _tag === "Success"), 1)
      assert.lengthOf(yield* world.forms("authorization_code"), 1)
    }))

  it.effect.each([
    ["nothing", ""],
    ["no state", "code=c"],
    ["a state of another form", "code=c&state=short"],
    ["a code and an error", `code=c&error=e&state=${"x".repeat(43)}`],
    ["two codes", `code=c&code=d&state=${"x".repeat(43)}`],
    ["two issuers", `code=c&iss=a&iss=b&state=${"x".repeat(43)}`],
    ["a very long code", `code=${"c".repeat(20_000)}&state=${"x".repeat(43)}`]
  ])("18: rejects a callback with %s", ([, query]) =>
    Effect.gen(function*() {
      const app = yield* application(yield* people)
      const error = yield* Effect.flip(app.complete({ url: `${redirectUri}?${query}` }, { account: "alice" }))
      assert.deepInclude(error, { _tag: "CallbackRejected", reason: "malformed" })
    }))

  it.effect("19: rejects a callback in the session of another account, and requests no token", () =>
    Effect.gen(function*() {
      const world = yield* people
      const app = yield* application(world)
      const callback = world.approve(yield* app.signInUrl("mallory"))
      const error = yield* Effect.flip(app.complete(callback, { account: "alice" }))
      assert.deepInclude(error, { _tag: "CallbackRejected", reason: "other-account" })
      assert.deepStrictEqual(yield* world.forms("authorization_code"), [])
    }))

  it.effect("20: completes the sign-ins of two tabs, each with a separate verifier", () =>
    Effect.gen(function*() {
      const world = yield* people
      const [one, two] = [yield* application(world), yield* application(world)]
      const urls = [yield* one.signInUrl(), yield* one.signInUrl(), yield* two.signInUrl()]
      const challenges = urls.map((url) => new URL(url).searchParams.get("code_challenge"))
      assert.lengthOf(new Set(challenges), 3)
      for (const url of urls) yield* two.complete(world.approve(url), { account: "alice" })
      const issued = yield* one.call()
      assert.strictEqual(issued.status, 200)
      assert.strictEqual(world.people.registrations, 1)
    }))

  it.effect("22: ends the sign-in with the error of the authorization server, whose description is inert text", () =>
    Effect.gen(function*() {
      const world = yield* people
      const app = yield* application(world)
      const url = yield* app.signInUrl()
      const denied = world.approve(url, {
        code: "",
        error: "access_denied",
        error_description: "\u001b[2J<script>\n"
      })
      const error = yield* Effect.flip(app.complete(denied, { account: "alice" }))
      assert.deepInclude(error, { _tag: "AuthorizationDenied", reason: "sign-in", code: "access_denied" })
      assert.notMatch(error.message, /[\u001b\n]/)
      assert.strictEqual(
        (yield* Effect.flip(app.complete(world.approve(url), { account: "alice" })))._tag,
        "CallbackRejected"
      )
    }))

  it.effect("25: begins few sign-ins for a loop of requests without a person, and discovers the server once", () =>
    Effect.gen(function*() {
      const world = yield* people
      const app = yield* application(world)
      const urls = new Set<string>()
      for (let time = 0; time < 50; time++) urls.add(yield* app.signInUrl())
      assert.strictEqual(urls.size, 5)
      assert.lengthOf((yield* world.issuer.requests).filter(({ url }) => url.includes("/.well-known/")), 1)
      yield* TestClock.adjust("2 minutes")
      urls.add(yield* app.signInUrl())
      assert.strictEqual(urls.size, 6)
    }))
})

describe("registration", () => {
  const registered = (world: { readonly issuer: { readonly issuer: string } }) => ({
    allowIssuers: [{ issuer: world.issuer.issuer, clientId: "known-before" }]
  })
  const clientIdOf = (url: string) => new URL(url).searchParams.get("client_id")

  it.effect("prefers a client id of the author, then the metadata document of the client, then a dynamic registration", () =>
    Effect.gen(function*() {
      const world = yield* people
      const client = { name: "Test", metadataUrl: "https://app.test/client.json" }
      yield* world.issuer.publishMetadata({ client_id_metadata_document_supported: true })
      const clientId = (more: object) =>
        Effect.map(Effect.flatMap(application(world, more), (app) => app.signInUrl()), clientIdOf)
      assert.strictEqual(yield* clientId({ client, ...registered(world) }), "known-before")
      assert.strictEqual(yield* clientId({ client }), "https://app.test/client.json")
      assert.strictEqual(yield* clientId({}), "client-1")
      yield* world.issuer.publishMetadata({ client_id_metadata_document_supported: undefined })
      assert.strictEqual(yield* clientId({ client }), "client-1")
      assert.strictEqual(world.people.registrations, 1)
    }))

  it.effect("registers once before the person signs in, also if several requests and processes need it", () =>
    Effect.gen(function*() {
      const world = yield* people
      const apps = yield* Effect.all([application(world), application(world)])
      yield* whileTimePasses(Effect.all(
        apps.flatMap((app) => [app.signInUrl("alice"), app.signInUrl("bob")]),
        { concurrency: "unbounded" }
      ))
      assert.strictEqual(world.people.registrations, 1)
      const [request] = (yield* world.issuer.requests).filter(({ url }) => url.endsWith("/register"))
      assert.deepInclude(JSON.parse(request!.body), {
        application_type: "web",
        redirect_uris: [redirectUri],
        token_endpoint_auth_method: "none",
        grant_types: ["authorization_code", "refresh_token"]
      })
    }))

  it.effect("27: registers once more if the authorization server has lost the registration, and removes no other", () =>
    Effect.gen(function*() {
      const world = yield* people
      const app = yield* application(world)
      yield* app.signIn()
      world.people.token = () => Response.json({ error: "invalid_client" }, { status: 401 })
      yield* TestClock.adjust("2 hours")
      assert.strictEqual(clientIdOf(yield* app.signInUrl()), "client-2")
      const own = yield* application(world, registered(world))
      world.people.token = () => undefined
      yield* own.signIn("bob")
      world.people.token = () => Response.json({ error: "invalid_client" }, { status: 401 })
      yield* TestClock.adjust("2 hours")
      const error = yield* Effect.flip(own.call("bob"))
      assert.deepInclude(error, { _tag: "AuthorizationDenied", code: "invalid_client" })
      world.people.token = () => undefined
      assert.strictEqual((yield* own.call("bob")).status, 200)
    }))

  it.effect("29: uses the values of a registration that is answered with 200, and rejects one without the redirect URI", () =>
    Effect.gen(function*() {
      const world = yield* people
      world.people.registration = (metadata) =>
        Response.json({
          ...metadata,
          client_id: "changed",
          client_secret: "of the server",
          token_endpoint_auth_method: "client_secret_basic"
        })
      const app = yield* application(world)
      const url = yield* app.signInUrl()
      assert.strictEqual(clientIdOf(url), "changed")
      yield* Effect.flip(app.complete(world.approve(url), { account: "alice" }))
      const [request] = (yield* world.issuer.requests).filter((each) => each.url.endsWith("/token"))
      assert.strictEqual(request!.headers["authorization"], `Basic ${btoa("changed:of+the+server")}`)
      assert.notInclude(request!.body, "secret")
      for (const members of [{ redirect_uris: [] }, { redirect_uris: ["https://evil.test"] }, { redirect_uris: 1 }]) {
        world.people.registration = (metadata) => Response.json({ ...metadata, client_id: "x", ...members })
        const other = yield* application(world, { redirectUri: `${redirectUri}/${JSON.stringify(members).length}` })
        assert.deepInclude(yield* Effect.flip(other.call()), { _tag: "Mismatch", what: "redirect-uri" })
      }
      for (const members of [{ client_id: undefined }, { client_id: "" }, { client_id: "a\nb" }]) {
        world.people.registration = (metadata) => Response.json({ ...metadata, ...members })
        const other = yield* application(world, { redirectUri: `${redirectUri}/other` })
        assert.deepInclude(yield* Effect.flip(other.call()), { _tag: "AuthorizationDenied", reason: "registration" })
      }
    }))

  it.effect("30: names the options if the authorization server can register the client in no way", () =>
    Effect.gen(function*() {
      const world = yield* people
      yield* world.issuer.publishMetadata({ registration_endpoint: undefined })
      const error = yield* Effect.flip((yield* application(world)).call())
      assert.strictEqual(error._tag, "DiscoveryError")
      for (const name of ["clientId", "allowIssuers", "client.metadataUrl", "dynamic client registration"]) {
        assert.include(error.message, name)
      }
    }))

  it.effect("31: requests an authentication method that the authorization server lists, and rejects others", () =>
    Effect.gen(function*() {
      const world = yield* people
      for (
        const [listed, method] of [
          [["client_secret_post", "client_secret_basic"], "client_secret_basic"],
          [["client_secret_post"], "client_secret_post"],
          [undefined, "client_secret_basic"]
        ] as const
      ) {
        yield* world.issuer.publishMetadata({ token_endpoint_auth_methods_supported: listed })
        yield* TestClock.adjust("1 day")
        yield* world.issuer.takeRequests
        const app = yield* application(world, { redirectUri: `${redirectUri}/${method}/${listed?.length}` })
        yield* app.call().pipe(Effect.flip)
        const [request] = (yield* world.issuer.requests).filter(({ url }) => url.endsWith("/register"))
        assert.strictEqual(JSON.parse(request!.body).token_endpoint_auth_method, method)
      }
      yield* world.issuer.publishMetadata({ token_endpoint_auth_methods_supported: ["tls_client_auth"] })
      yield* TestClock.adjust("1 day")
      const app = yield* application(world, { redirectUri: `${redirectUri}/none` })
      assert.deepInclude(yield* Effect.flip(app.call()), { _tag: "Mismatch", what: "authentication-method" })
    }))
})

describe("tokens of an account", () => {
  it.effect("refreshes an expired token once for ten requests, and stores the rotated refresh token", () =>
    Effect.gen(function*() {
      const world = yield* people
      const app = yield* application(world)
      yield* app.signIn()
      for (let time = 1; time <= 3; time++) {
        yield* TestClock.adjust("2 hours")
        const answers = yield* Effect.all(Array.from({ length: 10 }, () => app.call()), { concurrency: "unbounded" })
        assert.deepStrictEqual(answers.map(({ status }) => status), Array(10).fill(200))
        assert.lengthOf(yield* world.forms("refresh_token"), time)
      }
      const tokens = (yield* world.forms("refresh_token")).map((form) => form.get("refresh_token"))
      assert.lengthOf(new Set(tokens), 3)
    }))

  it.effect("33: refreshes once if two processes use one rotating refresh token, and uses it after a restart", () =>
    Effect.gen(function*() {
      const world = yield* people
      const [one, two] = [yield* application(world), yield* application(world)]
      yield* one.signIn()
      assert.strictEqual((yield* two.call()).status, 200)
      yield* TestClock.adjust("2 hours")
      const calls = [one.call(), two.call(), one.call(), two.call()]
      const answers = yield* whileTimePasses(Effect.all(calls, { concurrency: "unbounded" }))
      assert.deepStrictEqual(answers.map(({ status }) => status), [200, 200, 200, 200])
      assert.lengthOf(yield* world.forms("refresh_token"), 1)
      const restarted = yield* application(world)
      assert.strictEqual((yield* restarted.call()).status, 200)
    }))

  it.effect("35: removes a token whose refresh token was rejected, and no newer one", () =>
    Effect.gen(function*() {
      const world = yield* people
      const [one, two] = [yield* application(world), yield* application(world)]
      yield* one.signIn()
      yield* TestClock.adjust("2 hours")
      world.people.token = () => Response.json({ error: "invalid_grant" }, { status: 400 })
      const error = yield* Effect.flip(one.call())
      assert.deepInclude(error, { _tag: "SignInRequired", reason: "token-ended" })
      world.people.token = () => undefined
      yield* two.complete(world.approve(error.url), { account: "alice" })
      assert.strictEqual((yield* one.call()).status, 200)
      assert.strictEqual((yield* two.call()).status, 200)
    }))

  it.effect.each([429, 500, 503])(
    "36: keeps both tokens if the token endpoint answers %d",
    (status) =>
      Effect.gen(function*() {
        const world = yield* people
        const app = yield* application(world)
        yield* app.signIn()
        yield* TestClock.adjust("2 hours")
        world.people.token = () => new Response(null, { status })
        assert.strictEqual((yield* Effect.flip(app.call()))._tag, "Unavailable")
        world.people.token = () => undefined
        yield* TestClock.adjust("2 minutes")
        assert.strictEqual((yield* app.call()).status, 200)
      })
  )

  it.effect("37: keeps the refresh token and the scopes if the response names none", () =>
    Effect.gen(function*() {
      const world = yield* people
      const app = yield* application(world)
      yield* app.signIn()
      const plain = () => Response.json({ access_token: "plain", token_type: "Bearer", expires_in: 60 })
      world.people.token = plain
      for (let time = 0; time < 3; time++) {
        yield* TestClock.adjust("2 hours")
        assert.strictEqual((yield* app.call()).status, 200)
      }
      const tokens = (yield* world.forms("refresh_token")).map((form) => form.get("refresh_token"))
      assert.lengthOf(tokens, 3)
      assert.lengthOf(new Set(tokens), 1)
      world.state.answer = () => stepUp("todos:write")
      const error = yield* Effect.flip(app.call())
      assert.strictEqual(new URL(error.url).searchParams.get("scope"), "todos:read todos:write")
    }))

  it.effect("45: keeps the tokens of two accounts apart", () =>
    Effect.gen(function*() {
      const world = yield* people
      const app = yield* application(world)
      yield* app.signIn("alice")
      assert.strictEqual((yield* Effect.flip(app.call("bob")))._tag, "SignInRequired")
      yield* app.signIn("bob")
      world.received.length = 0
      yield* app.call("alice")
      yield* app.call("bob")
      assert.lengthOf(new Set(world.received.map(({ authorization }) => authorization)), 2)
    }))

  it.effect("47: asks for the old and the new scopes at a step-up, and keeps the token until the person has signed in", () =>
    Effect.gen(function*() {
      const world = yield* people
      const app = yield* application(world)
      yield* app.signIn()
      const before = (yield* app.call(), world.received.at(-1)!.authorization)
      world.state.answer = ({ authorization }) => authorization === before ? stepUp("todos:write") : undefined
      const error = yield* Effect.flip(app.call())
      assert.deepInclude(error, { _tag: "SignInRequired", reason: "scopes" })
      const url = new URL(error.url)
      assert.strictEqual(url.searchParams.get("scope"), "todos:read todos:write")
      assert.lengthOf(yield* world.forms("refresh_token"), 0)
      yield* app.complete(world.approve(error.url), { account: "alice" })
      assert.strictEqual((yield* app.call()).status, 200)
    }))

  it.effect("48: fails after two step-ups in ten minutes if the server asks for ever more scopes, and sends no one to a third", () =>
    Effect.gen(function*() {
      const world = yield* people
      const app = yield* application(world)
      yield* app.signIn()
      let scopes = 0
      world.state.answer = () => stepUp(`scope-${++scopes}`)
      for (let count = 0; count < 2; count++) {
        const required = yield* Effect.flip(app.call())
        assert.strictEqual(required._tag, "SignInRequired")
        yield* app.complete(world.approve(required.url), { account: "alice" })
      }
      for (let count = 0; count < 3; count++) {
        const { _tag, message, reason } = yield* Effect.flip(app.call())
        assert.deepStrictEqual([_tag, reason], ["AuthorizationDenied", "step-up"])
        assert.match(message, /after two step-ups.*After ten minutes/)
      }
      world.state.answer = () => undefined
      assert.strictEqual((yield* app.call()).status, 200)
      world.state.answer = () => stepUp("todos:delete")
      yield* TestClock.adjust("11 minutes")
      assert.strictEqual((yield* Effect.flip(app.call()))._tag, "SignInRequired")
    }))

  it.effect("48: repeats one step-up that the person has not answered", () =>
    Effect.gen(function*() {
      const world = yield* people
      const app = yield* application(world)
      yield* app.signIn()
      world.state.answer = () => stepUp("todos:write")
      for (let count = 0; count < 4; count++) {
        assert.strictEqual((yield* Effect.flip(app.call()))._tag, "SignInRequired")
      }
    }))

  it.effect("requests offline_access if and only if the authorization server lists it", () =>
    Effect.gen(function*() {
      const world = yield* people
      const scope = Effect.gen(function*() {
        const { searchParams } = new URL(yield* (yield* application(world)).signInUrl())
        return [searchParams.get("scope"), searchParams.get("prompt")]
      })
      const metadata = { resource, authorization_servers: [world.issuer.issuer] }
      world.state.metadata = { ...metadata, scopes_supported: ["todos:read", "offline_access"] }
      assert.deepStrictEqual(yield* scope, ["todos:read", null])
      yield* world.issuer.publishMetadata({ scopes_supported: ["offline_access"] })
      yield* TestClock.adjust("1 day")
      world.state.metadata = metadata
      assert.deepStrictEqual(yield* scope, ["offline_access", "consent"])
    }))

  it.effect("58: rejects a record that was moved to another account", () =>
    Effect.gen(function*() {
      const world = yield* people
      const app = yield* application(world)
      yield* app.signIn("alice")
      const moved = yield* world.store.get(yield* keyOf("token", "alice", resource))
      yield* world.store.put(yield* keyOf("token", "bob", resource), moved!.value, {
        lifetime: "1 hour",
        expected: "absent"
      })
      assert.strictEqual((yield* Effect.flip(app.call("bob")))._tag, "SignInRequired")
      assert.isUndefined(yield* world.store.get(yield* keyOf("token", "bob", resource)))
    }))

  it.effect.each([
    "",
    "{",
    "null",
    JSON.stringify({ format: 2, accessToken: "of a later version" }),
    JSON.stringify({ format: 1, accessToken: "without a key" })
  ])("56: treats the stored record %j as absent, and replaces it", (value) =>
    Effect.gen(function*() {
      const world = yield* people
      const key = yield* keyOf("token", "alice", resource)
      yield* world.store.put(key, value, { lifetime: "1 hour", expected: "absent" })
      const app = yield* application(world)
      yield* app.signIn()
      assert.strictEqual((yield* app.call()).status, 200)
      assert.notStrictEqual((yield* world.store.get(key))?.value, value)
      assert.deepStrictEqual(
        world.received.filter(({ authorization }) => /later|without/.test(authorization ?? "")),
        []
      )
    }))

  it.effect("60: does not loop if a token is issued expired", () =>
    Effect.gen(function*() {
      const world = yield* people
      world.people.members = { expires_in: 0 }
      const app = yield* application(world)
      yield* app.signIn()
      yield* app.call()
      assert.isAtMost((yield* world.forms("refresh_token")).length, 1)
    }))
})

describe("a client with a metadata document and a key", () => {
  const metadataUrl = "https://app.test/client.json"

  const start = (methods: ReadonlyArray<string>) =>
    Effect.gen(function*() {
      const world = yield* people
      const { privateJwk, publicJwk } = yield* SigningKey.make({ kid: "key-of-the-client" })
      yield* world.issuer.publishMetadata({
        client_id_metadata_document_supported: true,
        token_endpoint_auth_methods_supported: methods
      })
      const app = yield* application(world, {
        client: { name: "Test", metadataUrl, privateKey: Redacted.make(privateJwk as Record<string, unknown>) }
      })
      return { app, publicJwk, world }
    })

  it.effect("proves itself with the key, for codes, refreshes and revocations, with a new assertion each time", () =>
    Effect.gen(function*() {
      const { app, publicJwk, world } = yield* start(["none", "private_key_jwt"])
      yield* world.issuer.publishMetadata({ revocation_endpoint: `${world.issuer.issuer}/revoke` })
      yield* app.signIn()
      yield* TestClock.adjust("2 hours")
      assert.strictEqual((yield* app.call()).status, 200)
      assert.strictEqual((yield* app.disconnect({ account: "alice" }))[0]!.isRevoked, true)
      assert.strictEqual(world.people.registrations, 0)
      const forms = (yield* world.issuer.requests)
        .filter(({ url }) => /\/(?:token|revoke)$/.test(url))
        .map(({ body }) => new URLSearchParams(body))
      assert.lengthOf(forms, 3)
      const ids = new Set<unknown>()
      for (const form of forms) {
        assert.strictEqual(form.get("client_id"), metadataUrl)
        const { payload, protectedHeader } = yield* Effect.promise(() =>
          jwtVerify(form.get("client_assertion")!, publicJwk as JWK, {
            issuer: metadataUrl,
            subject: metadataUrl,
            audience: world.issuer.issuer,
            currentDate: new Date(Number(decodeJwt(form.get("client_assertion")!).iat) * 1000)
          })
        )
        assert.strictEqual(protectedHeader.kid, "key-of-the-client")
        ids.add(payload.jti)
      }
      assert.strictEqual(ids.size, 3)
    }))

  it.effect("31: sends no one to an authorization server that does not list private_key_jwt", () =>
    Effect.gen(function*() {
      const { app } = yield* start(["none", "client_secret_basic"])
      const error = yield* Effect.flip(app.call())
      assert.deepInclude(error, { _tag: "Mismatch", what: "authentication-method" })
    }))
})

describe("the end of a connection", () => {
  it.effect("removes and revokes the tokens of an account for all servers or for one, in every process", () =>
    Effect.gen(function*() {
      const world = yield* people
      yield* world.issuer.publishMetadata({ revocation_endpoint: `${world.issuer.issuer}/revoke` })
      const [one, two] = [yield* application(world), yield* application(world)]
      yield* one.signIn("alice")
      yield* one.signIn("bob")
      assert.strictEqual((yield* two.call("alice")).status, 200)
      assert.deepStrictEqual(yield* one.disconnect({ account: "alice" }), [
        { account: "alice", resource, isRevoked: true }
      ])
      assert.lengthOf(world.people.revoked, 1)
      assert.strictEqual((yield* Effect.flip(one.call("alice")))._tag, "SignInRequired")
      yield* TestClock.adjust("31 seconds")
      assert.strictEqual((yield* Effect.flip(two.call("alice")))._tag, "SignInRequired")
      assert.strictEqual((yield* one.call("bob")).status, 200)
      assert.deepStrictEqual(yield* one.disconnect({ account: "alice" }), [])
    }))

  it.effect("removes the tokens also if the authorization server cannot revoke them", () =>
    Effect.gen(function*() {
      const world = yield* people
      const app = yield* application(world)
      yield* app.signIn()
      yield* world.issuer.publishMetadata({ revocation_endpoint: undefined })
      yield* TestClock.adjust("1 day")
      assert.deepStrictEqual(yield* app.disconnect({ account: "alice", resource }), [
        { account: "alice", resource, isRevoked: false }
      ])
      assert.strictEqual((yield* Effect.flip(app.call()))._tag, "SignInRequired")
    }))

  it.effect("33: keeps a rotated refresh token while the store is unavailable, and stores it afterwards", () =>
    Effect.gen(function*() {
      const world = yield* people
      let isDown = false
      const store: RecordStore.Store = {
        ...world.store,
        put: (key, ...rest) =>
          isDown && key.startsWith("mcp-client/token/") && !key.endsWith("/lease")
            ? Effect.fail(new RecordStore.RecordStoreUnavailable({ reason: "down", retryAfter: 1 }))
            : world.store.put(key, ...rest)
      }
      const app = yield* application({ ...world, store })
      yield* app.signIn()
      yield* TestClock.adjust("2 hours")
      isDown = true
      assert.strictEqual((yield* app.call()).status, 200)
      assert.strictEqual((yield* app.call()).status, 200)
      isDown = false
      assert.strictEqual((yield* app.call()).status, 200)
      yield* TestClock.adjust("2 hours")
      assert.strictEqual((yield* (yield* application(world)).call()).status, 200)
      assert.lengthOf(yield* world.forms("refresh_token"), 2)
    }))

  it.effect("33: refreshes after a restart if only the challenge names the URL of the metadata", () =>
    Effect.gen(function*() {
      const world = yield* people
      world.state.metadataAnswer = ({ pathname }) =>
        pathname === "/.well-known/elsewhere"
          ? Response.json(world.state.metadata)
          : new Response(null, { status: 404 })
      let isExpired = false
      world.state.answer = ({ authorization }) =>
        authorization === null || isExpired
          ? new Response(null, {
            status: 401,
            headers: { "www-authenticate": "Bearer resource_metadata=\"https://todos.test/.well-known/elsewhere\"" }
          })
          : undefined
      yield* (yield* application(world)).signIn()
      yield* TestClock.adjust("2 hours")
      world.people.token = () => void (isExpired = false)
      isExpired = true
      assert.strictEqual((yield* (yield* application(world)).call()).status, 200)
      assert.lengthOf(yield* world.forms("refresh_token"), 1)
    }))

  it.effect("36: refreshes at the new token endpoint if the authorization server has moved it", () =>
    Effect.gen(function*() {
      const world = yield* people
      const app = yield* application(world)
      yield* app.signIn()
      yield* world.issuer.publishMetadata({ token_endpoint: `${world.issuer.issuer}/moved` })
      yield* world.issuer.respondWith(
        "/moved",
        () => Response.json({ access_token: "moved", token_type: "Bearer", expires_in: 3600 })
      )
      yield* TestClock.adjust("1 day")
      world.people.token = () => new Response(null, { status: 404 })
      yield* Effect.exit(app.call())
      yield* TestClock.adjust("1 minute")
      assert.strictEqual((yield* app.call()).status, 200)
      assert.strictEqual(world.received.at(-1)!.authorization, "Bearer moved")
    }))

  it.effect("completes a sign-in whose callback the person interrupts", () =>
    Effect.gen(function*() {
      const world = yield* people
      const { fetch, hold } = yield* heldFetch(world)
      const app = yield* application(world, { fetch })
      const callback = world.approve(yield* app.signInUrl())
      const completing = yield* Effect.forkChild(app.complete(callback, { account: "alice" }))
      yield* hold.reached
      const interrupted = yield* Effect.forkChild(Fiber.interrupt(completing), { startImmediately: true })
      yield* hold.release
      yield* Fiber.join(interrupted)
      assert.strictEqual((yield* app.call()).status, 200)
      assert.lengthOf(yield* app.disconnect({ account: "alice" }), 1)
    }))

  it.effect("requests no token for a connection that its account cannot list", () =>
    Effect.gen(function*() {
      const world = yield* people
      const store: RecordStore.Store = {
        ...world.store,
        put: (key, ...rest) =>
          key.startsWith("mcp-client/account/")
            ? Effect.fail(new RecordStore.RecordStoreUnavailable({ reason: "down", retryAfter: 1 }))
            : world.store.put(key, ...rest)
      }
      const app = yield* application({ ...world, store })
      assert.isTrue(Exit.isFailure(yield* Effect.exit(app.signIn())))
      assert.lengthOf(yield* world.forms("authorization_code"), 0)
    }))

  it.effect("revokes the tokens of a refresh that runs while the account disconnects", () =>
    Effect.gen(function*() {
      const world = yield* people
      yield* (yield* application(world)).signIn()
      yield* TestClock.adjust("2 hours")
      const { fetch, hold } = yield* heldFetch(world)
      const app = yield* application(world, { fetch })
      const calling = yield* Effect.forkChild(app.call())
      yield* hold.reached
      const used = (yield* world.forms("refresh_token"))[0]!.get("refresh_token")
      const disconnecting = yield* Effect.forkChild(app.disconnect({ account: "alice" }), { startImmediately: true })
      yield* hold.release
      yield* whileTimePasses(Fiber.join(calling))
      assert.lengthOf(yield* whileTimePasses(Fiber.join(disconnecting)), 1)
      assert.lengthOf(world.people.revoked, 1)
      assert.notStrictEqual(world.people.revoked[0], used)
    }))
})

describe("secrets and options", () => {
  it.effect("59: writes no token, code, verifier, state or callback into errors", () =>
    Effect.gen(function*() {
      const world = yield* people
      const app = yield* application(world)
      const required = yield* Effect.flip(app.call())
      const { searchParams } = new URL(required.url)
      const callback = world.approve(required.url)
      const code = new URL(callback.url).searchParams.get("code")!
      world.people.token = (form) =>
        Response.json({ error: form.get("code_verifier"), error_description: code }, { status: 400 })
      const denied = yield* Effect.flip(app.complete(callback, { account: "alice" }))
      const again = yield* Effect.flip(app.complete(callback, { account: "alice" }))
      const verifier = (yield* world.forms("authorization_code"))[0]!.get("code_verifier")!
      const { inspect } = yield* Effect.promise(() => import("node:util"))
      for (const error of [required, denied, again]) {
        const text = [error.message, error.stack, JSON.stringify(error), inspect(error, { depth: 9 })].join("\n")
        for (const secret of [code, verifier, searchParams.get("state")!]) assert.notInclude(text, secret)
      }
    }))

  it.effect.each(
    [
      ["redirectUri", { redirectUri: "http://app.test/callback" }],
      ["redirectUri", { redirectUri: "myapp://callback" }],
      ["allowIssuers", { allowIssuers: [] }],
      ["allowIssuers[0]", { allowIssuers: ["http://issuer.test"] }],
      ["allowIssuers[1]", { allowIssuers: ["https://a.test", "https://a.test"] }],
      ["allowIssuers[0].clientid", { allowIssuers: [{ issuer: "https://a.test", clientid: "a" }] }],
      ["allowIssuers[0].clientSecret", {
        allowIssuers: [{ issuer: "https://a.test", clientId: "a", clientSecret: "a" }]
      }],
      ["client.metadataUrl", { client: { name: "Test", metadataUrl: "https://app.test" } }],
      ["client.metadataUrl", { client: { name: "Test", privateKey: Redacted.make({ kty: "EC" }) } }],
      ["client.privateKey", {
        client: { name: "Test", metadataUrl: "https://app.test/client.json", privateKey: Redacted.make({ kty: "EC" }) }
      }],
      ["client.name", { client: { name: "" } }],
      ["store", { store: {} }]
    ] as const
  )("names the option %s that is wrong", ([option, more]) =>
    Effect.gen(function*() {
      const world = yield* people
      const error = yield* Effect.flip(application(world, { ...options(world), ...more as object }))
      assert.strictEqual(error._tag, "AuthConfigError")
      assert.strictEqual((error as { readonly option: string }).option, option)
    }))
})
