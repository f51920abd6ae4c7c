/** Where a client sends requests and secrets. Numbers in titles are those of the faults that clients of MCP servers had. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { type ClientError, McpAuthClient } from "effect-mcp-auth/client"
import { AddressGuard } from "effect-mcp-auth/host"
import { TestClock } from "effect/testing"
import { application, people } from "./people.ts"
import { clientOf, resource, type Servers, servers } from "./world.ts"

const addresses: Readonly<Record<string, string>> = {
  "issuer.test": "93.184.216.34",
  "tokens.test": "93.184.216.35",
  "intranet.test": "10.0.0.1"
}

/** Resolves the host names of these tests. */
const resolving = Effect.provideService(AddressGuard.Resolver, (name) => Effect.succeed([addresses[name]!]))

/** Sends requests to other hosts to the authorization server, at the same path, and records their URLs. */
const throughOtherHosts = (world: Servers) => {
  const urls: Array<string> = []
  const fetch: typeof globalThis.fetch = (input, init) => {
    const request = new Request(input, init)
    urls.push(request.url)
    const { hostname, pathname } = new URL(request.url)
    return hostname === "todos.test" || hostname === "issuer.test"
      ? world.fetch(request)
      : world.fetch(new Request(`${world.issuer.issuer}${pathname}`, request))
  }
  return { fetch, urls }
}

const redirect = (location: string) => new Response(null, { status: 307, headers: { location } })

describe("the hosts of requests", () => {
  it.effect("2: rejects a token endpoint whose name resolves to a private address, and sends nothing there", () =>
    Effect.gen(function*() {
      const world = yield* servers
      yield* world.issuer.publishMetadata({ token_endpoint: "https://intranet.test/token" })
      const { fetch, urls } = throughOtherHosts(world)
      const { send } = yield* clientOf({ ...world, fetch })
      const failure = yield* Effect.flip(send())
      assert.strictEqual(failure._tag, "DiscoveryError")
      assert.include(failure.message, "intranet.test")
      assert.include(failure.message, "private address")
      assert.deepStrictEqual(urls.filter((url) => url.includes("intranet")), [])
    }).pipe(resolving))

  it.effect("2: rejects a registration endpoint whose name resolves to a private address, and sends nothing there", () =>
    Effect.gen(function*() {
      const world = yield* people
      yield* world.issuer.publishMetadata({ registration_endpoint: "https://intranet.test/register" })
      const { fetch, urls } = throughOtherHosts(world)
      const { call } = yield* application(world, { fetch })
      const failure = yield* Effect.flip(call())
      assert.strictEqual(failure._tag, "DiscoveryError")
      assert.include(failure.message, "intranet.test")
      assert.deepStrictEqual(urls.filter((url) => url.includes("intranet")), [])
    }).pipe(resolving))

  it.effect("41: requests tokens at another public origin if the metadata of the authorization server name it", () =>
    Effect.gen(function*() {
      const world = yield* servers
      yield* world.issuer.publishMetadata({ token_endpoint: "https://tokens.test/token" })
      const { fetch, urls } = throughOtherHosts(world)
      const { send } = yield* clientOf({ ...world, fetch })
      assert.strictEqual((yield* send()).status, 200)
      assert.deepStrictEqual(urls.filter((url) => url.endsWith("/token")), ["https://tokens.test/token"])
    }).pipe(resolving))

  it.effect("43: does not follow a redirect of the first request, which has no token, so its body and API key stay at the server", () =>
    Effect.gen(function*() {
      const world = yield* servers
      const modes: Array<RequestInit["redirect"]> = []
      const fetch: typeof globalThis.fetch = (_, init) => {
        modes.push(init?.redirect)
        return Promise.resolve(redirect("https://evil.test/mcp"))
      }
      const client = yield* Effect.promise(() => McpAuthClient.make({ grant: world.grant, resource, fetch }))
      const call = (url: string) =>
        Effect.promise(() =>
          client.fetch(url, { method: "POST", body: "{}", headers: { "x-api-key": "key" } }).catch((error: unknown) =>
            error
          )
        )
      assert.deepInclude(yield* call(resource), { _tag: "Mismatch", what: "redirect", found: "https://evil.test/mcp" })
      // A request to another server is the caller's own.
      assert.strictEqual((yield* call("https://other.test/")) instanceof Response, true)
      assert.deepStrictEqual(modes, ["manual", undefined])
      yield* Effect.promise(() => client.dispose())
    }))
})

describe("redirects", () => {
  it.effect("4: does not follow a redirect of metadata, and names the target", () =>
    Effect.gen(function*() {
      const world = yield* servers
      const { fetch, urls } = throughOtherHosts(world)
      world.state.metadataAnswer = () => redirect("https://evil.test/metadata")
      const failure = yield* Effect.flip((yield* clientOf({ ...world, fetch })).send())
      assert.strictEqual(failure._tag, "DiscoveryError")
      assert.include(failure.message, "https://evil.test/metadata")
      world.state.metadataAnswer = () => undefined
      yield* world.issuer.redirect("https://evil.test/server", "/.well-known/")
      const other = yield* Effect.flip((yield* clientOf({ ...world, fetch })).send())
      assert.strictEqual(other._tag, "DiscoveryError")
      assert.include(other.message, "https://evil.test/server")
      assert.deepStrictEqual(urls.filter((url) => url.includes("evil")), [])
    }))

  it.effect("4: does not follow a redirect of a token request, and names the target", () =>
    Effect.gen(function*() {
      const world = yield* servers
      const { fetch, urls } = throughOtherHosts(world)
      yield* world.issuer.respondWith("/token", () => redirect("https://evil.test/token"))
      const failure = (yield* Effect.flip((yield* clientOf({ ...world, fetch })).send())) as ClientError.Mismatch
      assert.strictEqual(failure.what, "redirect")
      assert.include(failure.message, "https://evil.test/token")
      assert.deepStrictEqual(urls.filter((url) => url.includes("evil")), [])
    }))

  it.effect("4: does not follow a redirect of a registration, and names the target", () =>
    Effect.gen(function*() {
      const world = yield* people
      const { fetch, urls } = throughOtherHosts(world)
      world.people.registration = () => redirect("https://evil.test/register")
      const failure = yield* Effect.flip((yield* application(world, { fetch })).call())
      assert.strictEqual(failure.what, "redirect")
      assert.include(failure.message, "https://evil.test/register")
      assert.deepStrictEqual(urls.filter((url) => url.includes("evil")), [])
    }))
})

describe("responses that do not end", () => {
  const endless = () =>
    new Response(
      new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(65_536).fill(32)) }),
      { headers: { "content-type": "application/json" } }
    )

  it.effect("5: reads a limited part of endless metadata, token responses and registrations", () =>
    Effect.gen(function*() {
      const world = yield* people
      world.people.registration = endless
      assert.strictEqual((yield* Effect.flip((yield* application(world)).call()))._tag, "Unavailable")
      yield* world.issuer.respondWith("/token", endless)
      assert.strictEqual((yield* Effect.flip((yield* clientOf(world)).send()))._tag, "Unavailable")
      world.state.metadataAnswer = endless
      assert.strictEqual((yield* Effect.flip((yield* clientOf(world)).send()))._tag, "DiscoveryError")
    }))

  it.effect("5: reads metadata of at most 64 KiB", () =>
    Effect.gen(function*() {
      const world = yield* servers
      const padded = (metadata: object, bytes: number) => {
        const text = JSON.stringify({ ...metadata, padding: "" })
        return text.replace("\"padding\":\"\"", `"padding":"${"x".repeat(bytes - text.length)}"`)
      }
      let bytes = 65_536
      world.state.metadataAnswer = ({ pathname }) =>
        pathname.endsWith("/mcp")
          ? new Response(padded(world.state.metadata as object, bytes), {
            headers: { "content-type": "application/json" }
          })
          : undefined
      assert.strictEqual((yield* (yield* clientOf(world)).send()).status, 200)
      bytes++
      assert.include((yield* Effect.flip((yield* clientOf(world)).send())).message, "is larger than 65536 bytes")
      world.state.metadataAnswer = () => undefined
      yield* world.issuer.publishMetadata({ padding: "x".repeat(65_536) })
      assert.include((yield* Effect.flip((yield* clientOf(world)).send())).message, "is larger than 65536 bytes")
    }))

  it.effect.each(["/.well-known/", "/token", "/register"])(
    "5: waits ten seconds for %s at most",
    (path) =>
      Effect.gen(function*() {
        const world = yield* people
        yield* world.issuer.hang(path)
        const request: Effect.Effect<unknown, { readonly _tag: string }> = path === "/register"
          ? (yield* application(world)).call()
          : (yield* clientOf(world)).send()
        const failed = yield* Effect.forkChild(Effect.flip(request))
        while ((yield* world.issuer.requests).every(({ url }) => !url.includes(path))) {
          yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
        }
        yield* TestClock.adjust("10 seconds")
        assert.strictEqual((yield* Fiber.join(failed))._tag, "Unavailable")
      })
  )
})

describe("headers of the caller", () => {
  it("44: sends them to the MCP server only, not to metadata, registration or token endpoints", async () => {
    const world = await Effect.runPromise(servers)
    const seen: Array<readonly [string, string | null]> = []
    const auth = await McpAuthClient.make({
      resource,
      grant: world.grant,
      fetch: (input, init) => {
        const request = new Request(input, init)
        seen.push([new URL(request.url).pathname, request.headers.get("x-api-key")])
        return world.fetch(request)
      }
    })
    await auth.fetch(resource, { method: "POST", body: "{}", headers: { "x-api-key": "key-of-the-caller" } })
    await auth.dispose()
    assert.deepStrictEqual(seen.filter(([path]) => path === "/mcp").map(([, key]) => key), [
      "key-of-the-caller",
      "key-of-the-caller"
    ])
    assert.isTrue(seen.some(([path]) => path === "/token"))
    assert.deepStrictEqual(seen.filter(([path, key]) => path !== "/mcp" && key !== null), [])
  })

  it.effect("44: sends them to no registration endpoint", () =>
    Effect.gen(function*() {
      const world = yield* people
      const { fetch } = yield* application(world)
      yield* Effect.ignore(Effect.tryPromise(() =>
        fetch({ account: "alice", resource })(resource, { headers: { "x-api-key": "key-of-the-caller" } })
      ))
      assert.strictEqual(world.people.registrations, 1)
      assert.deepStrictEqual(
        world.received.map(({ headers }) =>
          headers.get("x-api-key")
        ),
        ["key-of-the-caller"]
      )
      assert.deepStrictEqual(
        (yield* world.issuer.requests).filter(({ headers }) => headers["x-api-key"] !== undefined),
        []
      )
    }))
})
