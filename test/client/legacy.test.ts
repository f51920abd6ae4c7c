/** MCP servers of revision 2025-03-26, which publish no metadata of a protected resource. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { ClientEvents } from "effect-mcp-auth/client-events"
import { AuthorizationCode, type Connections, DeviceAuthorization } from "effect-mcp-auth/sign-in"
import { MemoryStore } from "effect-mcp-auth/store"
import { TestClock } from "effect/testing"
import { application, people, redirectUri } from "./people.ts"
import { clientOf, resource } from "./world.ts"

const { origin } = new URL(resource)
const wellKnown = {
  ofPath: `${origin}/.well-known/oauth-protected-resource/mcp`,
  ofRoot: `${origin}/.well-known/oauth-protected-resource`,
  ofOrigin: `${origin}/.well-known/oauth-authorization-server`
}

const notFound = () => new Response(null, { status: 404 })
const withoutMetadata = () => new Response(null, { status: 401, headers: { "www-authenticate": "Bearer" } })

/** Creates an old MCP server. The authorization server is at its origin, and each document of its metadata answers 404. */
const oldServer = Effect.gen(function*() {
  const world = yield* people
  const documents: Record<string, () => Response> = {}
  const urls: Array<string> = []
  // A server can register another method than the client requests (RFC 7591 §3.2.1).
  world.people.registration = (metadata) =>
    Response.json({ ...metadata, client_id: "client-1", token_endpoint_auth_method: "none" }, { status: 201 })
  world.state.metadataAnswer = ({ href }) => (documents[href] ?? notFound)()
  world.state.answer = ({ authorization }) => authorization === null ? withoutMetadata() : undefined
  const fetch: typeof globalThis.fetch = async (input, init) => {
    const request = new Request(input, init)
    urls.push(request.url)
    const { pathname } = new URL(request.url)
    return request.url.startsWith(`${origin}/`) && /\/(?:token|register)$/.test(pathname)
      ? world.fetch(new Request(`${world.issuer.issuer}/${pathname.split("/").at(-1)}`, request))
      : world.fetch(request)
  }
  /** Returns the URLs of requests to other places than the MCP server and the metadata of a protected resource. */
  const others = () => urls.filter((url) => ![resource, wellKnown.ofPath, wellKnown.ofRoot].includes(url))
  return { ...world, documents, fetch, others, urls }
})

const assumed = { legacy: true, allowIssuers: [{ issuer: origin, assumeS256: true }] } as const

const originMetadata = {
  issuer: origin,
  authorization_endpoint: `${origin}/oauth/authorize`,
  token_endpoint: `${origin}/oauth/token`,
  registration_endpoint: `${origin}/oauth/register`,
  code_challenge_methods_supported: ["S256"],
  token_endpoint_auth_methods_supported: ["none"]
}

describe("an MCP server without metadata, with the option legacy", () => {
  it.effect("signs in at the default endpoints of the origin with PKCE, and refreshes the token there", () =>
    Effect.gen(function*() {
      const world = yield* oldServer
      const app = yield* application(world, assumed)
      const url = new URL(yield* app.signInUrl())
      assert.strictEqual(`${url.origin}${url.pathname}`, `${origin}/authorize`)
      assert.include(Object.fromEntries(url.searchParams), {
        code_challenge_method: "S256",
        redirect_uri: redirectUri,
        client_id: "client-1",
        resource
      })
      const completed = yield* app.complete(world.approve(url.href, { iss: "" }), { account: "alice" })
      assert.strictEqual(completed.issuer, origin)
      assert.strictEqual((yield* app.call()).status, 200)
      yield* TestClock.adjust("2 hours")
      const restarted = yield* application(world, assumed)
      assert.strictEqual((yield* restarted.call()).status, 200)
      assert.lengthOf(yield* world.forms("refresh_token"), 1)
      assert.sameMembers([...new Set(world.others())], [
        wellKnown.ofOrigin,
        `${origin}/register`,
        `${origin}/token`
      ])
      // A revocation endpoint has no default.
      assert.deepStrictEqual(yield* app.disconnect({ account: "alice" }), [
        { account: "alice", resource, isRevoked: false }
      ])
      assert.deepStrictEqual(world.people.revoked, [])
    }))

  it.effect("uses the metadata of the origin if there are some", () =>
    Effect.gen(function*() {
      const world = yield* oldServer
      world.documents[wellKnown.ofOrigin] = () => Response.json(originMetadata)
      const app = yield* application(world, { legacy: true, allowIssuers: [origin] })
      const url = yield* app.signInUrl()
      assert.isTrue(url.startsWith(`${origin}/oauth/authorize?`))
      yield* app.complete(world.approve(url, { iss: "" }), { account: "alice" })
      assert.strictEqual((yield* app.call()).status, 200)
      assert.sameMembers([...new Set(world.others())], [
        wellKnown.ofOrigin,
        `${origin}/oauth/register`,
        `${origin}/oauth/token`
      ])
    }))

  it.effect("8: accepts only the exact issuer, in the spelling of the author", () =>
    Effect.gen(function*() {
      const world = yield* oldServer
      for (const issuer of ["https://evil.test", `${origin}/`, `${origin}/mcp`]) {
        world.documents[wellKnown.ofOrigin] = () => Response.json({ ...originMetadata, issuer })
        const error = yield* Effect.flip((yield* application(world, assumed)).call())
        assert.strictEqual(error._tag, "DiscoveryError", issuer)
        assert.include(error.message, issuer)
      }
      assert.notInclude(world.urls, `${origin}/register`)
      world.documents[wellKnown.ofOrigin] = () => Response.json({ ...originMetadata, issuer: `${origin}/` })
      const slash = yield* application(world, { legacy: true, allowIssuers: [`${origin}/`] })
      const completed = yield* slash.complete(
        world.approve(yield* slash.signInUrl(), { iss: "" }),
        { account: "alice" }
      )
      assert.strictEqual(completed.issuer, `${origin}/`)
    }))

  it.effect("12: rejects a response of another issuer", () =>
    Effect.gen(function*() {
      const world = yield* oldServer
      const app = yield* application(world, assumed)
      const callback = world.approve(yield* app.signInUrl(), { iss: "https://evil.test" })
      assert.strictEqual((yield* Effect.flip(app.complete(callback, { account: "alice" })))._tag, "CallbackRejected")
      assert.notInclude(world.urls, `${origin}/token`)
    }))

  it.effect("stops at the default endpoints unless the author states that they verify S256", () =>
    Effect.gen(function*() {
      const world = yield* oldServer
      const app = yield* application(world, { legacy: true, allowIssuers: [origin] })
      const error = yield* Effect.flip(app.call())
      assert.strictEqual(error._tag, "DiscoveryError")
      assert.include(error.message, "assumeS256")
      assert.deepStrictEqual(world.others(), [wellKnown.ofOrigin])
    }))

  it.effect("9: uses the origin only if the author allows it", () =>
    Effect.gen(function*() {
      const world = yield* oldServer
      const app = yield* application(world, { legacy: true, allowIssuers: [world.issuer.issuer] })
      const error = yield* Effect.flip(app.call())
      assert.strictEqual(error._tag, "DiscoveryError")
      assert.include(error.message, `The option legacy allows only ${origin}`)
      assert.deepStrictEqual(world.others(), [])
    }))

  it.effect("stays with the issuer of the stored token if its metadata disappear", () =>
    Effect.gen(function*() {
      const world = yield* oldServer
      const { issuer } = world.issuer
      const both = { legacy: true, allowIssuers: [issuer, { issuer: origin, assumeS256: true }] }
      world.documents[wellKnown.ofPath] = () => Response.json({ resource, authorization_servers: [issuer] })
      yield* (yield* application(world, both)).signIn()
      delete world.documents[wellKnown.ofPath]
      world.urls.length = 0
      // The restarted client sends the expired token to its own server, whose answer names no metadata.
      world.state.answer = withoutMetadata
      yield* TestClock.adjust("2 hours")
      assert.strictEqual((yield* Effect.flip((yield* application(world, both)).call()))._tag, "DiscoveryError")
      assert.deepStrictEqual(world.others(), [])
    }))

  it.effect("reports the source of the endpoints in the event of the discovery", () =>
    Effect.gen(function*() {
      const world = yield* oldServer
      const found: Array<unknown> = []
      const events = ClientEvents.make({
        listener: (event) => Effect.sync(() => void (event._tag === "Discovered" && found.push(event.by)))
      })
      yield* (yield* application(world, { ...assumed, events })).signInUrl()
      world.documents[wellKnown.ofOrigin] = () => Response.json(originMetadata)
      yield* (yield* application(world, { ...assumed, events })).signInUrl()
      world.documents[wellKnown.ofPath] = () => Response.json({ resource, authorization_servers: [origin] })
      yield* (yield* application(world, { ...assumed, events })).signInUrl()
      assert.deepStrictEqual(found, ["default-endpoints", "origin-metadata", "resource-metadata"])
    }))
})

describe("an MCP server whose endpoints are not guessed", () => {
  const html = () => new Response("<html>", { headers: { "content-type": "text/html" } })
  const redirect = () => new Response(null, { status: 302, headers: { location: "https://evil.test/" } })
  const status = (code: number) => () => new Response(null, { status: code })

  it.effect("16: fails by default, with connections and with each grant", () =>
    Effect.gen(function*() {
      const world = yield* oldServer
      const apps: ReadonlyArray<Partial<Connections.Options>> = [{}, { legacy: false }, { legacy: undefined }]
      for (const options of apps) {
        const app = yield* application(world, { allowIssuers: assumed.allowIssuers, ...options })
        assert.strictEqual((yield* Effect.flip(app.call()))._tag, "DiscoveryError")
      }
      const common = { client: { name: "Test" }, store: MemoryStore.make(), allowIssuers: assumed.allowIssuers }
      const grants = [
        AuthorizationCode.grant({
          ...common,
          redirect: { redirectUris: [redirectUri], listen: Effect.die("no sign-in begins") }
        }),
        DeviceAuthorization.grant({ ...common, prompt: () => Effect.die("no sign-in begins") })
      ]
      for (const grant of grants) {
        const { send } = yield* clientOf({ fetch: world.fetch, grant })
        assert.strictEqual((yield* Effect.flip(send()))._tag, "DiscoveryError")
      }
      assert.deepStrictEqual(world.others(), [])
    }))

  const answers: ReadonlyArray<
    readonly [title: string, url: string, answer: () => Response, tag: "DiscoveryError" | "Mismatch" | "Unavailable"]
  > = [
    ["an outage (500)", wellKnown.ofPath, status(500), "Unavailable"],
    ["an outage of the root document (503)", wellKnown.ofRoot, status(503), "Unavailable"],
    ["too many requests (429)", wellKnown.ofPath, status(429), "Unavailable"],
    ["a status other than 404 (401)", wellKnown.ofPath, status(401), "DiscoveryError"],
    ["a status other than 404 (403)", wellKnown.ofRoot, status(403), "DiscoveryError"],
    ["a status other than 404 (410)", wellKnown.ofPath, status(410), "DiscoveryError"],
    ["a redirect", wellKnown.ofPath, redirect, "DiscoveryError"],
    ["a page", wellKnown.ofRoot, html, "DiscoveryError"],
    ["another document", wellKnown.ofPath, () => Response.json({ hello: "world" }), "DiscoveryError"],
    [
      "metadata of another resource",
      wellKnown.ofRoot,
      () => Response.json({ resource: "https://evil.test/mcp", authorization_servers: [origin] }),
      "Mismatch"
    ],
    [
      "metadata with another issuer",
      wellKnown.ofPath,
      () => Response.json({ resource, authorization_servers: ["https://evil.test"] }),
      "Mismatch"
    ]
  ]
  for (const [title, url, answer, tag] of answers) {
    it.effect(`14: is one whose protected resource metadata are ${title}`, () =>
      Effect.gen(function*() {
        const world = yield* oldServer
        world.documents[url] = answer
        const error = yield* Effect.flip((yield* application(world, assumed)).call())
        assert.strictEqual(error._tag, tag)
        assert.deepStrictEqual(world.others(), [])
      }))
  }

  for (const named of [`${origin}/other/metadata`, "https://evil.test/metadata"]) {
    it.effect(`is one whose challenge names metadata at ${new URL(named).host}`, () =>
      Effect.gen(function*() {
        const world = yield* oldServer
        world.state.answer = () =>
          new Response(null, { status: 401, headers: { "www-authenticate": `Bearer resource_metadata="${named}"` } })
        const error = yield* Effect.flip((yield* application(world, assumed)).call())
        assert.strictEqual(error._tag, "DiscoveryError")
        assert.deepStrictEqual(world.others().filter((url) => url !== named), [])
      }))
  }

  for (
    const [title, answer, tag] of [
      ["an outage (500)", status(500), "Unavailable"],
      ["a status other than 404 (403)", status(403), "DiscoveryError"],
      ["a redirect", redirect, "DiscoveryError"],
      ["a page", html, "DiscoveryError"],
      ["without a token endpoint", () => Response.json({ issuer: origin }), "DiscoveryError"]
    ] as const
  ) {
    it.effect(`is one whose authorization server metadata are ${title}`, () =>
      Effect.gen(function*() {
        const world = yield* oldServer
        world.documents[wellKnown.ofOrigin] = answer
        const error = yield* Effect.flip((yield* application(world, assumed)).call())
        assert.strictEqual(error._tag, tag)
        assert.notInclude(world.urls, `${origin}/register`)
      }))
  }
})
