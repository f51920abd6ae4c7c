/**
 * A person signs in on another device (RFC 8628). Numbers in titles are those of the faults that clients of MCP servers had.
 */
import { assert, describe, it } from "@effect/vitest"
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client"
import { Clock, Duration, Effect, type Fiber, type Scope } from "effect"
import { type ClientError, Grant, McpAuthClient } from "effect-mcp-auth/client"
import { NodeBrowser } from "effect-mcp-auth/client-node"
import { AuthorizationCode, DeviceAuthorization } from "effect-mcp-auth/sign-in"
import { MemoryStore } from "effect-mcp-auth/store"
import { Fetcher } from "effect-mcp-auth/verification"
import { TestClock } from "effect/testing"
import { UserAgent } from "../../examples/authorization-server/UserAgent.ts"
import { makeSession } from "../../src/client/Session.ts"
import { serve } from "../clients/server.ts"
import { freePort } from "../program.ts"
import { people } from "./people.ts"
import { resource } from "./world.ts"

const deviceGrant = "urn:ietf:params:oauth:grant-type:device_code"

/** An authorization server in memory that answers requests for the token with these errors, and then with a token. */
const device = (...answers: ReadonlyArray<string>) =>
  Effect.gen(function*() {
    const world = yield* people
    const { issuer } = world
    const clock = yield* Clock.Clock
    const state = {
      /** The times of requests for the token, in milliseconds. */
      polls: [] as Array<number>,
      /** Members that replace those of the response with the code. */
      members: {} as Record<string, unknown>,
      status: 200,
      requests: [] as Array<URLSearchParams>,
      registrations: [] as Array<Record<string, unknown>>
    }
    const rest = [...answers]
    yield* issuer.publishMetadata({ device_authorization_endpoint: `${issuer.issuer}/device` })
    yield* issuer.respondWith("/device", ({ body }) => {
      state.requests.push(new URLSearchParams(body))
      return Response.json({
        device_code: "device-code",
        user_code: "WDJB-MJHT",
        verification_uri: `${issuer.issuer}/activate`,
        verification_uri_complete: `${issuer.issuer}/activate?user_code=WDJB-MJHT`,
        expires_in: 600,
        interval: 5,
        ...state.members
      }, { status: state.status })
    })
    const register = world.people.registration
    world.people.registration = (metadata) => {
      state.registrations.push(metadata)
      return register(metadata)
    }
    world.people.token = (form) => {
      if (form.get("grant_type") !== deviceGrant) return undefined
      state.polls.push(clock.currentTimeMillisUnsafe())
      const answer = rest.shift()
      if (answer === "500") return new Response(null, { status: 500 })
      return answer !== undefined
        ? Response.json({ error: answer }, { status: answer === "invalid_client" ? 401 : 400 })
        : Response.json({
          access_token: "device-token",
          token_type: "Bearer",
          expires_in: 3600,
          refresh_token: "refresh-1",
          scope: "todos:read"
        })
    }
    return { ...world, device: state }
  })

type World = Effect.Success<ReturnType<typeof device>>

interface SignedIn {
  readonly prompts: Array<DeviceAuthorization.DevicePrompt>
  /** The times of the prompts, in milliseconds. */
  readonly times: Array<number>
  readonly obtain: Effect.Effect<void, ClientError.ClientError>
}

/** Creates a client that signs in on another device. */
const client = (
  { fetch, store }: Pick<World, "fetch" | "store">,
  options: Partial<DeviceAuthorization.Options> = {}
): Effect.Effect<SignedIn, unknown, Scope.Scope> =>
  Effect.gen(function*() {
    const prompts: Array<DeviceAuthorization.DevicePrompt> = []
    const times: Array<number> = []
    const clock = yield* Clock.Clock
    const grant = DeviceAuthorization.grant({
      client: { name: "Test" },
      prompt: (prompt) => {
        prompts.push(prompt)
        times.push(clock.currentTimeMillisUnsafe())
      },
      store: Effect.succeed(store),
      ...options
    })
    const { keeper } = yield* Effect.provideService(
      makeSession({ resource, grant }),
      Fetcher.Fetcher,
      Fetcher.make(fetch)
    )
    const need = { challengeUrl: undefined, scopes: ["todos:read"], isRequired: false, rejected: undefined }
    return { prompts, times, obtain: Effect.asVoid(keeper.obtain(need)) }
  })

/** Waits until the client has shown the code. Requests in memory take turns of the event loop, and no time of the test clock. */
const shown = ({ prompts }: Pick<SignedIn, "prompts">) =>
  Effect.repeat(Effect.promise(() => new Promise((resolve) => setImmediate(resolve))), {
    until: () => prompts.length > 0
  })

const turns = Effect.repeat(Effect.promise(() => new Promise((resolve) => setImmediate(resolve))), { times: 20 })

/** Moves the test clock in steps of a second until the fiber ends. Returns its exit and the time of its end. */
const finish = <A, E>(fiber: Fiber.Fiber<A, E>) =>
  Effect.gen(function*() {
    for (;;) {
      yield* turns
      const exit = fiber.pollUnsafe()
      if (exit !== undefined) return { exit, end: yield* Clock.currentTimeMillis }
      yield* TestClock.adjust("1 second")
    }
  })

const start = ({ obtain }: SignedIn) => Effect.forkChild(obtain, { startImmediately: true })

/** The seconds between the prompt and each request for the token. */
const waits = ({ device: { polls } }: World, { times }: SignedIn) =>
  polls.map((time, index) => (time - (polls[index - 1] ?? times[0]!)) / 1_000)

const failure = (signedIn: SignedIn) =>
  Effect.gen(function*() {
    const { end, exit } = yield* finish(
      yield* Effect.forkChild(Effect.flip(signedIn.obtain), { startImmediately: true })
    )
    const error = exit._tag === "Success" ? exit.value : assert.fail("the sign-in succeeded")
    return { error, seconds: (end - signedIn.times[0]!) / 1_000 }
  })

describe("the device authorization grant", () => {
  it.effect("shows the page and the code, waits for the person, and stores the token", () =>
    Effect.gen(function*() {
      const world = yield* device("authorization_pending", "authorization_pending")
      const signedIn = yield* client(world)
      const fiber = yield* start(signedIn)
      yield* shown(signedIn)
      assert.deepStrictEqual(
        { ...signedIn.prompts[0], lifetime: Duration.toSeconds(signedIn.prompts[0]!.lifetime) },
        {
          userCode: "WDJB-MJHT",
          verificationUri: `${world.issuer.issuer}/activate`,
          verificationUriComplete: `${world.issuer.issuer}/activate?user_code=WDJB-MJHT`,
          issuer: world.issuer.issuer,
          resource,
          scopes: ["todos:read"],
          lifetime: 600
        }
      )
      assert.deepStrictEqual(world.device.polls, [])
      const { exit } = yield* finish(fiber)
      assert.strictEqual(exit._tag, "Success")
      assert.deepStrictEqual(waits(world, signedIn), [5, 5, 5])
      const [request] = world.device.requests
      assert.deepStrictEqual(Object.fromEntries(request!), {
        scope: "todos:read",
        resource,
        client_id: "client-1"
      })
      const forms = yield* world.forms(deviceGrant)
      assert.deepStrictEqual(Object.fromEntries(forms[2]!), {
        grant_type: deviceGrant,
        device_code: "device-code",
        resource,
        client_id: "client-1"
      })
      assert.deepStrictEqual(
        world.device.registrations.map(({ grant_types, redirect_uris, response_types }) => ({
          grant_types,
          redirect_uris,
          response_types
        })),
        [{ grant_types: ["refresh_token", deviceGrant], redirect_uris: [], response_types: [] }]
      )
      // Another process with the same store has the token.
      yield* (yield* client(world)).obtain
      assert.lengthOf(world.device.requests, 1)
    }))

  it.effect("polls 5 seconds less often after each slow_down, and less often during an outage", () =>
    Effect.gen(function*() {
      const world = yield* device("slow_down", "slow_down", "500")
      world.device.members = { interval: 2 }
      const signedIn = yield* client(world)
      const { exit } = yield* finish(yield* start(signedIn))
      assert.strictEqual(exit._tag, "Success")
      assert.deepStrictEqual(waits(world, signedIn), [2, 7, 12, 24])
    }))

  it.effect("24: ends with the lifetime of the code, at the latest after ten minutes", () =>
    Effect.gen(function*() {
      for (const [lifetime, expected] of [[30, 30], [86_400, 600], [undefined, 600]] as const) {
        const world = yield* device(...Array.from({ length: 1_000 }, () => "authorization_pending"))
        world.device.members = { expires_in: lifetime, interval: 0 }
        const { error, seconds } = yield* failure(yield* client(world))
        assert.strictEqual(error._tag, "Unavailable")
        assert.strictEqual(seconds, expected)
        assert.isAtMost(world.device.polls.length, expected)
      }
    }))

  it.effect("22: ends with access_denied and with expired_token", () =>
    Effect.gen(function*() {
      const denied = yield* failure(yield* client(yield* device("authorization_pending", "access_denied")))
      assert.strictEqual(denied.error._tag, "AuthorizationDenied")
      assert.include(denied.error.message, "access_denied")
      const expired = yield* failure(yield* client(yield* device("expired_token")))
      assert.strictEqual(expired.error._tag, "Unavailable")
      const other = yield* failure(yield* client(yield* device("server_error_of_a_proxy")))
      assert.strictEqual(other.error._tag, "AuthorizationDenied")
    }))

  it.effect("27: registers again if the authorization server no longer knows the client", () =>
    Effect.gen(function*() {
      const world = yield* device("invalid_client")
      const signedIn = yield* client(world)
      assert.strictEqual((yield* failure(signedIn)).error._tag, "AuthorizationDenied")
      const { exit } = yield* finish(yield* start(signedIn))
      assert.strictEqual(exit._tag, "Success")
      assert.lengthOf(world.device.registrations, 2)
    }))

  const unusable: ReadonlyArray<readonly [string, Record<string, unknown>]> = [
    ["a code with a command to the terminal", { user_code: "\u001b[2JABC" }],
    ["a code with a line break", { user_code: "AB\nCD" }],
    ["an endless code", { user_code: "A".repeat(65) }],
    ["no code", { user_code: undefined }],
    ["no device code", { device_code: undefined }],
    ["a page that is not https", { verification_uri: "http://issuer.test/activate" }],
    ["a page with another scheme", { verification_uri: "javascript:alert(1)" }],
    ["a page with a user", { verification_uri: "https://issuer.test@evil.test/activate" }],
    ["an endless page", { verification_uri: `https://issuer.test/${"a".repeat(3_000)}` }]
  ]
  it.effect.each(unusable)("15, 17: shows nothing of a response with %s", ([_, members]) =>
    Effect.gen(function*() {
      const world = yield* device()
      world.device.members = members
      const signedIn = yield* client(world, { allowIssuers: [world.issuer.issuer] })
      const { error } = yield* failure(signedIn)
      assert.strictEqual(error._tag, "AuthorizationDenied")
      assert.include(error.message, "invalid_response")
      assert.deepStrictEqual(signedIn.prompts, [])
    }))

  it.effect("9: sends the person to another host only if the author named the issuer", () =>
    Effect.gen(function*() {
      const world = yield* device()
      world.device.members = { verification_uri: "https://other.test/device", verification_uri_complete: undefined }
      const unnamed = yield* client(world)
      const { error } = yield* failure(unnamed)
      assert.include(error.message, "allowIssuers")
      assert.deepStrictEqual(unnamed.prompts, [])
      const named = yield* client(world, { allowIssuers: [world.issuer.issuer] })
      const { exit } = yield* finish(yield* start(named))
      assert.strictEqual(exit._tag, "Success")
      assert.strictEqual(named.prompts[0]!.verificationUri, "https://other.test/device")
    }))

  it.effect("fails if the function of the author fails, and if the authorization server has no device endpoint", () =>
    Effect.gen(function*() {
      const world = yield* device()
      const rejecting = yield* client(world, { prompt: () => Promise.reject(new Error("no display")) })
      assert.include((yield* failure(rejecting)).error.message, "prompt")
      assert.deepStrictEqual(world.device.polls, [])
      const plain = yield* people
      const { error } = yield* failure(yield* client(plain))
      assert.strictEqual(error._tag, "DiscoveryError")
      assert.include(error.message, "device_authorization_endpoint")
    }))

  it.effect("leaves the sign-in to the next way if the authorization server does not allow the client to use this one", () =>
    Effect.gen(function*() {
      const world = yield* device()
      world.device.members = { error: "unauthorized_client" }
      world.device.status = 400
      const { error } = yield* failure(yield* client(world))
      assert.strictEqual(error._tag, "DiscoveryError")
      let isPasted = false
      const grant = AuthorizationCode.grant({
        client: { name: "Test" },
        redirect: {
          redirectUris: ["http://127.0.0.1:9/callback"],
          listen: Effect.succeed({
            redirectUri: "http://127.0.0.1:9/callback",
            // A browser that does not open, and then a person who pastes the URL.
            open: (url, complete, instead) =>
              Effect.gen(function*() {
                const completed = yield* instead ?? Effect.undefined
                isPasted = true
                return completed ?? (yield* complete(world.approve(url).url))
              })
          })
        },
        otherwise: DeviceAuthorization.make({ prompt: () => assert.fail("a code was shown") }),
        store: Effect.succeed(world.store)
      })
      const { keeper } = yield* Effect.provideService(
        makeSession({ resource, grant }),
        Fetcher.Fetcher,
        Fetcher.make(world.fetch)
      )
      const need = { challengeUrl: undefined, scopes: ["todos:read"], isRequired: false, rejected: undefined }
      assert.strictEqual((yield* keeper.obtain(need)).issuer, world.issuer.issuer)
      assert.isTrue(isPasted)
    }))

  it.effect("59: does not show the device code in an error", () =>
    Effect.gen(function*() {
      const world = yield* device("invalid_grant")
      const { error } = yield* failure(yield* client(world))
      assert.notInclude(`${error.stack} ${JSON.stringify(error)}`, "device-code")
    }))

  it.each([
    ["grant.prompt", { store: MemoryStore.make(), client: { name: "Test" } }],
    ["grant.prompt", { store: MemoryStore.make(), client: { name: "Test" }, prompt: "print" }],
    ["grant.store", { prompt: () => {}, client: { name: "Test" } }],
    ["grant.client", { prompt: () => {}, store: MemoryStore.make() }],
    ["grant.redirect", { prompt: () => {}, store: MemoryStore.make(), client: { name: "Test" }, redirect: 1 }]
  ])("names the wrong option %s", (option, options) => {
    assert.throws(() => DeviceAuthorization.grant(options as never), option)
  })
})

describe("a real authorization server", () => {
  it.live(
    "lets a person sign in on another device if no browser opens, then the client calls and steps up",
    () =>
      Effect.gen(function*() {
        const url = yield* serve({
          origin: "http://127.0.0.1:9",
          lazy: false,
          refreshTokens: "always",
          deviceAuthorization: true
        })
        const phone = new UserAgent({ username: "alice" })
        const codes: Array<string> = []
        const auth = yield* Effect.acquireRelease(
          Effect.promise(async () =>
            McpAuthClient.make({
              resource: url,
              grant: AuthorizationCode.grant({
                client: { name: "Test" },
                allowIssuers: Grant.anyIssuer,
                redirect: NodeBrowser.loopback({
                  ports: [await Effect.runPromise(freePort)],
                  open: () => Promise.reject(new Error("there is no browser"))
                }),
                otherwise: DeviceAuthorization.make({
                  prompt: async ({ userCode, verificationUriComplete }) => {
                    codes.push(userCode)
                    assert.strictEqual(await phone.approveDevice(verificationUriComplete!), "You are signed in")
                  }
                }),
                store: MemoryStore.make()
              })
            })
          ),
          (made) => Effect.promise(made.dispose)
        )
        const mcp = new Client({ name: "tool", version: "1.0.0" })
        const call = (name: string, arguments_: Record<string, unknown>) =>
          Effect.map(
            Effect.promise(() => mcp.callTool({ name, arguments: arguments_ })),
            ({ content }) => JSON.stringify(content)
          )
        yield* Effect.acquireRelease(
          Effect.promise(() => mcp.connect(new StreamableHTTPClientTransport(new URL(url), { fetch: auth.fetch }))),
          () => Effect.promise(() => mcp.close())
        )
        assert.include(yield* call("create_todo", { title: "Water plants" }), "Water plants")
        assert.lengthOf(codes, 1)
        assert.include(yield* call("delete_todo", { id: 1 }), "Water plants")
        assert.lengthOf(codes, 2)
      }),
    60_000
  )
})
