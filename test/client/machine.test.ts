/** A machine client signs its requests in. Numbers in titles are those of the faults that clients of MCP servers had. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Redacted } from "effect"
import { type ClientError, Grant } from "effect-mcp-auth/client"
import { TestClock } from "effect/testing"
import { Sharing } from "../../src/outbound/Sharing.ts"
import { clientOf, resource, servers } from "./world.ts"

const failureOf = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.flip(effect)

const insufficient = (scope: string) =>
  new Response(null, {
    status: 403,
    headers: { "www-authenticate": `Bearer error="insufficient_scope", scope="${scope}"` }
  })

describe("sign-in", () => {
  it.effect("requests nothing before the server answers 401, then a token for this resource, and uses it for later requests", () =>
    Effect.gen(function*() {
      const world = yield* servers
      const { send } = yield* clientOf(world)
      assert.strictEqual((yield* send()).status, 200)
      assert.strictEqual((yield* send()).status, 200)
      assert.deepStrictEqual(world.received.map(({ authorization }) => authorization !== null), [false, true, true])
      const [form, ...others] = yield* world.tokenRequests
      assert.deepStrictEqual(others, [])
      assert.deepStrictEqual(Object.fromEntries(form!), {
        grant_type: "client_credentials",
        scope: "todos:read",
        resource
      })
    }))

  it.effect("requests no token from a server that asks for none", () =>
    Effect.gen(function*() {
      const world = yield* servers
      world.state.answer = () => Response.json({ open: true })
      const { send } = yield* clientOf(world)
      assert.strictEqual((yield* send()).status, 200)
      assert.deepStrictEqual(yield* world.issuer.requests, [])
    }))

  it.effect("requests the scopes of the challenge, else those of the options, else those of the metadata, else none", () =>
    Effect.gen(function*() {
      const world = yield* servers
      const scopeWith = (options: { scopes?: ReadonlyArray<string> }, challenge: string, metadata: unknown) =>
        Effect.gen(function*() {
          yield* world.issuer.takeRequests
          world.state.metadata = metadata
          world.state.answer = ({ authorization }) => authorization === null ? world.challenge(challenge) : undefined
          const { send } = yield* clientOf(world, options)
          yield* send()
          return (yield* world.tokenRequests)[0]!.get("scope")
        })
      const metadata = { resource, authorization_servers: [world.issuer.issuer], scopes_supported: ["supported"] }
      const { scopes_supported: _, ...plain } = metadata
      assert.strictEqual(yield* scopeWith({ scopes: ["own"] }, `, scope="a b"`, metadata), "a b")
      assert.strictEqual(yield* scopeWith({ scopes: ["own"] }, "", metadata), "own")
      assert.strictEqual(yield* scopeWith({}, "", metadata), "supported")
      assert.strictEqual(yield* scopeWith({}, "", plain), null)
    }))

  it.effect("32: shares one token request between ten requests, and an interrupted one cancels no other", () =>
    Effect.gen(function*() {
      const world = yield* servers
      yield* world.issuer.slow("1 second", "/token")
      const { send } = yield* clientOf(world)
      const fibers = yield* Effect.forEach(Array.from({ length: 10 }), () => Effect.forkChild(send()))
      yield* TestClock.adjust("500 millis")
      yield* Fiber.interrupt(fibers[0]!)
      yield* TestClock.adjust("1 second")
      const answers = yield* Effect.forEach(fibers.slice(1), (fiber) => Fiber.join(fiber))
      assert.deepStrictEqual(answers.map(({ status }) => status), Array(9).fill(200))
      assert.lengthOf(yield* world.tokenRequests, 1)
    }))

  it.effect("32: frees the connection of a 401 if the request is interrupted while it waits for the token", () =>
    Effect.gen(function*() {
      const world = yield* servers
      yield* world.issuer.slow("1 second", "/token")
      const { discarded, send } = yield* clientOf(world)
      const sending = yield* Effect.forkChild(send())
      yield* TestClock.adjust("500 millis")
      assert.strictEqual(discarded(), 0)
      yield* Fiber.interrupt(sending)
      assert.strictEqual(discarded(), 1)
    }))

  it.effect("42: sends a token only to its own server, and there only to the path of the resource", () =>
    Effect.gen(function*() {
      const world = yield* servers
      const { send } = yield* clientOf(world)
      yield* send()
      for (const url of [`${resource}/more`, `${resource}?session=1`]) {
        assert.strictEqual((yield* send(url)).status, 200)
      }
      world.received.length = 0
      for (
        const url of ["https://todos.test/other", "https://todos.test/mcp-evil", "https://todos.test/mcp/../other"]
      ) {
        yield* send(url)
      }
      assert.deepStrictEqual(world.received.map(({ authorization }) => authorization), [null, null, null])
    }))
})

describe("discovery", () => {
  it.effect("1: ignores a metadata URL on another origin", () =>
    Effect.gen(function*() {
      const world = yield* servers
      const urls: Array<string> = []
      const { send } = yield* clientOf({
        grant: world.grant,
        fetch: (input, init) => {
          urls.push(new Request(input, init).url)
          return world.fetch(input, init)
        }
      })
      world.state.answer = ({ authorization }) =>
        authorization === null
          ? new Response(null, {
            status: 401,
            headers: { "www-authenticate": "Bearer resource_metadata=\"https://evil.test/metadata\"" }
          })
          : undefined
      assert.strictEqual((yield* send()).status, 200)
      assert.deepStrictEqual(urls.filter((url) => url.includes("evil")), [])
    }))

  it.effect.each([
    "https://todos.test/mcp-evil",
    "https://todos.test/mcp/deeper",
    "https://other.test/mcp",
    "https://todos.test.evil.test/mcp",
    "http://todos.test/mcp",
    "not a URL"
  ])("6: rejects metadata of the resource %s before it requests a token", (other) =>
    Effect.gen(function*() {
      const world = yield* servers
      world.state.metadata = { resource: other, authorization_servers: [world.issuer.issuer] }
      const { send } = yield* clientOf(world)
      const failure = (yield* failureOf(send())) as ClientError.Mismatch
      assert.strictEqual(failure._tag, "Mismatch")
      assert.strictEqual(failure.what, "resource")
      assert.include(failure.message, resource)
      assert.deepStrictEqual(yield* world.issuer.requests, [])
    }))

  it.effect.each(["https://todos.test", "https://todos.test/"])(
    "7: accepts metadata of the whole origin (%s), and requests a token for it as it is written",
    (origin) =>
      Effect.gen(function*() {
        const world = yield* servers
        world.state.metadata = { resource: origin, authorization_servers: [world.issuer.issuer] }
        const { send } = yield* clientOf(world)
        assert.strictEqual((yield* send()).status, 200)
        assert.strictEqual((yield* world.tokenRequests)[0]!.get("resource"), origin)
      })
  )

  it.effect("8: rejects metadata of another issuer, and names both", () =>
    Effect.gen(function*() {
      const world = yield* servers
      yield* world.issuer.publishMetadata({ issuer: "https://evil.test" })
      const { send } = yield* clientOf(world)
      const failure = yield* failureOf(send())
      assert.strictEqual(failure._tag, "DiscoveryError")
      assert.include(failure.message, "https://evil.test")
      assert.include(failure.message, world.issuer.issuer)
      assert.deepStrictEqual(yield* world.tokenRequests, [])
    }))

  it.effect("9: sends its credentials only to the issuer of its options, also if the document names another one first", () =>
    Effect.gen(function*() {
      const world = yield* servers
      world.state.metadata = { resource, authorization_servers: ["https://evil.test", world.issuer.issuer] }
      const { send } = yield* clientOf(world)
      assert.strictEqual((yield* send()).status, 200)
      world.state.metadata = { resource, authorization_servers: ["https://evil.test"] }
      const other = yield* clientOf(world)
      const failure = (yield* failureOf(other.send())) as ClientError.Mismatch
      assert.strictEqual(failure.what, "issuer")
      assert.include(failure.message, "https://evil.test")
      assert.lengthOf(yield* world.tokenRequests, 1)
    }))

  it.effect("9: with any issuer, chooses none of several, and none on a private address", () =>
    Effect.gen(function*() {
      const world = yield* servers
      const grant = Grant.clientCredentials({
        issuer: Grant.anyIssuer,
        clientId: world.issuer.client.clientId,
        clientSecret: Redacted.make(world.issuer.client.clientSecret)
      })
      const { send } = yield* clientOf({ ...world, grant })
      for (const named of [["https://evil.test", world.issuer.issuer], ["http://issuer.test"], ["https://a.test/#x"]]) {
        world.state.metadata = { resource, authorization_servers: named }
        assert.strictEqual((yield* failureOf(send()))._tag, "DiscoveryError")
      }
      world.state.metadata = { resource: "https://8.8.8.8/mcp", authorization_servers: ["https://10.0.0.1"] }
      const publicServer = yield* clientOf({
        grant,
        fetch: (input, init) => {
          const url = new Request(input, init).url.replace("https://8.8.8.8", "https://todos.test")
          return world.fetch(url, init)
        }
      }, { resource: "https://8.8.8.8/mcp" })
      const failure = yield* failureOf(publicServer.send("https://8.8.8.8/mcp"))
      assert.include(failure.message, "is not on a public address")
      assert.deepStrictEqual(yield* world.issuer.requests, [])
    }))

  it.effect.each([401, 403, 404])("14: looks at the next URL if one answers %d", (status) =>
    Effect.gen(function*() {
      const world = yield* servers
      world.state.metadataAnswer = ({ pathname }) =>
        pathname.endsWith("/mcp") ? new Response(null, { status }) : Response.json(world.state.metadata)
      const { send } = yield* clientOf(world)
      assert.strictEqual((yield* send()).status, 200)
    }))

  it.effect("14: looks at the next URL if one answers with a web page, and reports an outage as unavailable", () =>
    Effect.gen(function*() {
      const world = yield* servers
      world.state.metadataAnswer = ({ pathname }) =>
        pathname.endsWith("/mcp")
          ? new Response("<html>", { headers: { "content-type": "text/html" } })
          : Response.json(world.state.metadata)
      assert.strictEqual((yield* (yield* clientOf(world)).send()).status, 200)
      world.state.metadataAnswer = () => new Response(null, { status: 503, headers: { "retry-after": "7" } })
      const failure = (yield* failureOf((yield* clientOf(world)).send())) as ClientError.Unavailable
      assert.strictEqual(failure._tag, "Unavailable")
      assert.strictEqual(failure.retryAfter, 7)
    }))

  it.effect("16: reports every URL that it tried if there are no metadata", () =>
    Effect.gen(function*() {
      const world = yield* servers
      world.state.metadataAnswer = () => new Response(null, { status: 404 })
      const failure = (yield* failureOf((yield* clientOf(world)).send())) as ClientError.DiscoveryError
      assert.deepStrictEqual(failure.trail.map(({ url }) => url), [
        "https://todos.test/.well-known/oauth-protected-resource/mcp",
        "https://todos.test/.well-known/oauth-protected-resource"
      ])
      assert.include(failure.message, "answered 404")
    }))

  it.effect("5, 15: rejects metadata that are too large, too deep, or name an endpoint without https", () =>
    Effect.gen(function*() {
      const world = yield* servers
      let deep: unknown = {}
      for (let level = 0; level < 200; level++) deep = [deep]
      for (const document of [{ resource, padding: "x".repeat(1_100_000) }, { resource, deep }, { resource: 1 }, []]) {
        world.state.metadata = document
        assert.strictEqual((yield* failureOf((yield* clientOf(world)).send()))._tag, "DiscoveryError")
      }
      world.state.metadata = { resource, authorization_servers: [world.issuer.issuer] }
      for (
        const endpoint of ["javascript:alert(1)", "file:///etc/passwd", "https://a@b.test/token", "http://b.test/token"]
      ) {
        yield* world.issuer.publishMetadata({ token_endpoint: endpoint })
        assert.strictEqual((yield* failureOf((yield* clientOf(world)).send()))._tag, "DiscoveryError", endpoint)
      }
    }))
})

describe("another authorization server", () => {
  it.effect("is discovered at once for a token that the MCP server rejects, and once for each token", () =>
    Effect.gen(function*() {
      const world = yield* servers
      let discoveries = 0
      world.state.metadataAnswer = () => {
        discoveries++
        return undefined
      }
      const grant = Grant.clientCredentials({
        issuer: Grant.anyIssuer,
        clientId: world.issuer.client.clientId,
        clientSecret: Redacted.make(world.issuer.client.clientSecret)
      })
      const { send } = yield* clientOf({ ...world, grant })
      yield* send()
      assert.strictEqual(discoveries, 1)
      world.state.metadata = { resource, authorization_servers: ["https://other.test"] }
      world.state.answer = () => world.challenge(`, error="invalid_token"`)
      assert.include((yield* failureOf(send())).message, "https://other.test")
      assert.lengthOf(yield* world.tokenRequests, 1)
      world.state.metadata = { resource, authorization_servers: [world.issuer.issuer] }
      yield* send().pipe(failureOf)
      const known = discoveries
      for (let time = 0; time < 5; time++) yield* failureOf(send())
      assert.isAtMost(discoveries - known, 5)
      assert.isAtMost((yield* world.tokenRequests).length, 12)
    }))
})

describe("tokens", () => {
  it.effect("replaces a token in the background before it expires, and waits only when it has expired", () =>
    Effect.gen(function*() {
      const world = yield* servers
      const { keeper, send } = yield* clientOf(world)
      yield* send()
      // The test clock begins at 0.
      const lifetime = (yield* keeper.current)!.expiresAt
      yield* world.issuer.takeRequests
      yield* TestClock.adjust(lifetime - 50_000)
      const used = world.received.at(-1)!.authorization
      yield* send()
      assert.strictEqual(world.received.at(-1)!.authorization, used)
      const renewed = Effect.flatMap(
        Effect.promise(() => new Promise((resolve) => setImmediate(resolve))),
        () => Effect.map(keeper.current, (token) => token?.generation === 2)
      )
      yield* Effect.repeat(renewed, { until: (isRenewed) => isRenewed })
      assert.lengthOf(yield* world.tokenRequests, 1)
      yield* send()
      assert.notStrictEqual(world.received.at(-1)!.authorization, used)
      yield* TestClock.adjust(lifetime + 1_000)
      yield* send()
      assert.lengthOf(yield* world.tokenRequests, 2)
      assert.isTrue(world.received.filter(({ authorization }) => authorization === null).length === 1)
    }))

  it.effect("36: keeps a valid token through an outage of the authorization server, and reports the outage after its expiry", () =>
    Effect.gen(function*() {
      const world = yield* servers
      const { send } = yield* clientOf(world)
      yield* send()
      yield* world.issuer.answerStatus(503, "/token")
      yield* TestClock.adjust("50 seconds")
      assert.strictEqual((yield* send()).status, 200)
      yield* TestClock.adjust("2 hours")
      assert.strictEqual((yield* failureOf(send()))._tag, "Unavailable")
      yield* world.issuer.recover
      yield* TestClock.adjust("2 minutes")
      assert.strictEqual((yield* send()).status, 200)
    }))

  it.effect("36: reports the outage, not the number of requests, also after many requests", () =>
    Effect.gen(function*() {
      const world = yield* servers
      const { send } = yield* clientOf(world)
      yield* send()
      yield* world.issuer.answerStatus(503, "/token")
      yield* TestClock.adjust("2 hours")
      for (let time = 0; time < 15; time++) {
        assert.include((yield* failureOf(send())).message, world.issuer.issuer)
        yield* TestClock.adjust("3 seconds")
      }
    }))

  it.effect("does not renew in the background where requests must not share work", () =>
    Effect.gen(function*() {
      const world = yield* servers
      const { keeper, send } = yield* Effect.provideService(clientOf(world), Sharing, false)
      yield* send()
      const lifetime = (yield* keeper.current)!.expiresAt
      yield* TestClock.adjust(lifetime - 10_000)
      yield* send()
      yield* send()
      assert.strictEqual((yield* keeper.current)!.generation, 1)
      yield* TestClock.adjust("10 seconds")
      yield* send()
      assert.lengthOf(yield* world.tokenRequests, 2)
    }))

  it.effect("37: uses a token without expiry until the server answers 401, and takes the requested scopes as granted", () =>
    Effect.gen(function*() {
      const world = yield* servers
      let issued = 0
      yield* world.issuer.respondWith(
        "/token",
        () => Response.json({ access_token: `token-${++issued}`, token_type: "bearer" })
      )
      const { keeper, send } = yield* clientOf(world)
      yield* send()
      yield* TestClock.adjust("30 days")
      yield* send()
      assert.strictEqual(issued, 1)
      assert.deepStrictEqual((yield* keeper.current)?.granted, ["todos:read"])
      world.state.answer = ({ authorization }) => authorization === "Bearer token-1" ? world.challenge() : undefined
      assert.strictEqual((yield* send()).status, 200)
      assert.strictEqual(issued, 2)
    }))

  it.effect("38: gives up after one retry if the server rejects a new token, and stops after twelve tokens in a minute", () =>
    Effect.gen(function*() {
      const world = yield* servers
      world.state.answer = () => world.challenge(`, error="invalid_token"`)
      const { send } = yield* clientOf(world)
      const failure = (yield* failureOf(send())) as ClientError.AuthorizationDenied
      assert.strictEqual(failure.reason, "fresh-token")
      assert.lengthOf(yield* world.tokenRequests, 1)
      assert.lengthOf(world.received, 2)
      for (let time = 0; time < 20; time++) yield* failureOf(send())
      assert.lengthOf(yield* world.tokenRequests, 12)
      const limited = (yield* failureOf(send())) as ClientError.Unavailable
      assert.strictEqual(limited._tag, "Unavailable")
      assert.isAtMost(limited.retryAfter, 60)
      yield* TestClock.adjust("1 minute")
      world.state.answer = () => undefined
      assert.strictEqual((yield* send()).status, 200)
    }))

  it.effect.each(["DPoP", "mac", 1, undefined])(
    "39: rejects a token of the type %s",
    (token_type) =>
      Effect.gen(function*() {
        const world = yield* servers
        yield* world.issuer.respondWith("/token", () => Response.json({ access_token: "token", token_type }))
        const failure = (yield* failureOf((yield* clientOf(world)).send())) as ClientError.Mismatch
        assert.strictEqual(failure.what, "token-type")
      })
  )

  it.effect.each(["", "a b", "a\nb", 1, undefined, "x".repeat(20_000)])(
    "rejects the access token %j",
    (access_token) =>
      Effect.gen(function*() {
        const world = yield* servers
        yield* world.issuer.respondWith("/token", () => Response.json({ access_token, token_type: "Bearer" }))
        const failure = yield* failureOf((yield* clientOf(world)).send())
        assert.strictEqual(failure._tag, "AuthorizationDenied")
      })
  )

  it.effect("reports the error code of the token endpoint, and no secret", () =>
    Effect.gen(function*() {
      const world = yield* servers
      const grant = Grant.clientCredentials({
        issuer: world.issuer.issuer,
        clientId: "todos",
        clientSecret: Redacted.make("marker-of-a-secret")
      })
      const failure =
        (yield* failureOf((yield* clientOf({ ...world, grant })).send())) as ClientError.AuthorizationDenied
      assert.strictEqual(failure.code, "invalid_client")
      assert.notInclude(JSON.stringify([failure, failure.message, failure.stack]), "marker")
    }))

  it.effect("43: follows no redirect of a request with a token, and names the target", () =>
    Effect.gen(function*() {
      const world = yield* servers
      const { send } = yield* clientOf(world)
      yield* send()
      world.state.answer = () => new Response(null, { status: 307, headers: { location: "https://evil.test/mcp" } })
      const failure = (yield* failureOf(send())) as ClientError.Mismatch
      assert.strictEqual(failure.what, "redirect")
      assert.include(failure.message, "https://evil.test/mcp")
    }))

  it.effect("sends a request whose body is a stream once, and the next one with the token", () =>
    Effect.gen(function*() {
      const world = yield* servers
      const { send } = yield* clientOf(world)
      assert.strictEqual((yield* send(resource, false)).status, 401)
      assert.strictEqual((yield* send(resource, false)).status, 200)
      assert.lengthOf(world.received, 2)
    }))
})

describe("step-up", () => {
  it.effect("47: requests the old and the new scopes together, once for five simultaneous requests, and repeats each once", () =>
    Effect.gen(function*() {
      const world = yield* servers
      const { send } = yield* clientOf(world)
      yield* send()
      const [before] = world.received.slice(-1)
      world.state.answer = ({ authorization }) =>
        authorization === before!.authorization ? insufficient("todos:write") : undefined
      yield* world.issuer.slow("1 second", "/token")
      const fibers = yield* Effect.forEach(Array.from({ length: 5 }), () => Effect.forkChild(send()))
      yield* TestClock.adjust("2 seconds")
      const answers = yield* Effect.forEach(fibers, (fiber) => Fiber.join(fiber))
      assert.deepStrictEqual(answers.map(({ status }) => status), Array(5).fill(200))
      assert.deepStrictEqual((yield* world.tokenRequests).map((form) => form.get("scope")), [
        "todos:read",
        "todos:read todos:write"
      ])
    }))

  it.effect("47: keeps the scopes of two simultaneous step-ups for different scopes", () =>
    Effect.gen(function*() {
      const world = yield* servers
      const { keeper } = yield* clientOf(world)
      const need = (scope: string, rejected: number) => ({
        challengeUrl: undefined,
        scopes: [scope],
        isRequired: true,
        rejected
      })
      const { generation } = yield* keeper.obtain({ ...need("todos:read", 0), rejected: undefined })
      yield* Effect.forEach(
        ["todos:write", "todos:delete"],
        (scope) => keeper.obtain(need(scope, generation)),
        { concurrency: "unbounded" }
      )
      assert.sameMembers([...(yield* keeper.current)!.granted], ["todos:read", "todos:write", "todos:delete"])
    }))

  it.effect("48: returns a 403 that asks for no scope, or for scopes that the token has", () =>
    Effect.gen(function*() {
      const world = yield* servers
      const { send } = yield* clientOf(world)
      yield* send()
      for (
        const answer of [() => insufficient(""), () =>
          insufficient("todos:read"), () =>
          new Response(null, { status: 403 })]
      ) {
        world.state.answer = answer
        assert.strictEqual((yield* send()).status, 403)
      }
      assert.lengthOf(yield* world.tokenRequests, 1)
    }))

  it.effect("48: gives up after two step-ups if the server asks for ever more scopes", () =>
    Effect.gen(function*() {
      const world = yield* servers
      const { send } = yield* clientOf(world)
      yield* send()
      let challenges = 0
      world.state.answer = () => insufficient(`scope-${++challenges}`)
      const failure = (yield* failureOf(send())) as ClientError.AuthorizationDenied
      assert.strictEqual(failure.reason, "step-up")
      assert.strictEqual(challenges, 3)
      assert.lengthOf(yield* world.tokenRequests, 3)
    }))

  it.effect("49: reports scopes that were not granted, and keeps the token with fewer scopes", () =>
    Effect.gen(function*() {
      const world = yield* servers
      const { keeper, send } = yield* clientOf(world)
      yield* send()
      yield* world.issuer.respondWith(
        "/token",
        () => Response.json({ access_token: "smaller", token_type: "Bearer", expires_in: 600, scope: "todos:read" })
      )
      world.state.answer = () => insufficient("todos:admin")
      const failure = (yield* failureOf(send())) as ClientError.ScopeRefused
      assert.strictEqual(failure._tag, "ScopeRefused")
      assert.include(failure.message, "todos:admin")
      assert.strictEqual(Redacted.value((yield* keeper.current)!.value), "smaller")
    }))

  it.effect("51: treats a malformed or very long challenge as a plain 403", () =>
    Effect.gen(function*() {
      const world = yield* servers
      const { send } = yield* clientOf(world)
      yield* send()
      const long = Array.from({ length: 2_000 }, (_, index) => `s${index}`).join(" ")
      for (
        const header of ["Bearer error=\"insufficient_scope", "=", `Bearer error="insufficient_scope", scope="${long}"`]
      ) {
        world.state.answer = () => new Response(null, { status: 403, headers: { "www-authenticate": header } })
        assert.strictEqual((yield* send()).status, 403)
      }
      assert.lengthOf(yield* world.tokenRequests, 1)
    }))
})
