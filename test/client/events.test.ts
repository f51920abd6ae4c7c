/** Clients report their steps. The number 59 in titles is that of a fault that clients of MCP servers had. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Layer, Logger, Metric, PubSub, Redacted, References } from "effect"
import { DpopKeys, Grant } from "effect-mcp-auth/client"
import { ClientEvents } from "effect-mcp-auth/client-events"
import { AuthorizedHttpClient } from "effect-mcp-auth/http-client"
import { Connections, DeviceAuthorization } from "effect-mcp-auth/sign-in"
import { MemoryStore, RecordStore } from "effect-mcp-auth/store"
import { SigningKey, TestIssuer } from "effect-mcp-auth/testing"
import { FetchHttpClient, HttpClient } from "effect/http"
import { TestClock } from "effect/testing"
import { randomUUID } from "node:crypto"
import { capture } from "./Capture.ts"
import { application, options, people, redirectUri, whileTimePasses } from "./people.ts"
import { clientOf, resource, servers, serversWith } from "./world.ts"

const stepUp = (scope: string) =>
  new Response(null, {
    status: 403,
    headers: { "www-authenticate": `Bearer error="insufficient_scope", scope="${scope}"` }
  })

const unauthorized = () => new Response(null, { status: 401 })

const tags = (events: ReadonlyArray<ClientEvents.ClientEvent>) => events.map(({ _tag }) => _tag)

/** An authorization server that signs people in, and an application whose steps are captured. */
const recorded = (more: Partial<Connections.Options> = {}) =>
  Effect.gen(function*() {
    const captured = capture()
    const world = yield* people
    const fetch = captured.spy(world.fetch)
    const app = yield* application({ ...world, fetch }, { events: captured.recorder, ...more })
    return { app, captured, world: { ...world, fetch } }
  })

describe("the events of people", () => {
  it.effect("name each step from the discovery to the disconnection, with the account and the MCP server", () =>
    Effect.gen(function*() {
      const { app, captured: { events }, world } = yield* recorded()
      yield* app.signIn()
      yield* app.call()
      assert.deepStrictEqual(tags(events), [
        "Discovered",
        "Registered",
        "SignInBegun",
        "RequestFailed",
        "SignInCompleted"
      ])
      const { issuer } = world.issuer
      const common = { account: "alice", resource }
      assert.deepStrictEqual(events.slice(1), [
        { _tag: "Registered", ...common, issuer, clientId: "client-1" },
        {
          _tag: "SignInBegun",
          ...common,
          issuer,
          way: "authorization-code",
          reason: "no-token",
          scopes: ["todos:read"]
        },
        {
          _tag: "RequestFailed",
          ...common,
          reason: "sign-in-required",
          issuer: undefined,
          code: undefined,
          retryAfter: undefined
        },
        { _tag: "SignInCompleted", ...common, issuer, granted: ["todos:read"] }
      ])
      events.length = 0

      yield* TestClock.adjust("2 hours")
      yield* app.call()
      world.state.answer = () => stepUp("todos:write")
      yield* Effect.flip(app.call())
      world.state.answer = () => undefined
      yield* app.disconnect({ account: "alice" })
      assert.deepStrictEqual(tags(events), [
        "TokenRefreshed",
        "StepUpRequired",
        "SignInBegun",
        "RequestFailed",
        "Disconnected"
      ])
      assert.deepInclude(events[2], { reason: "scopes", scopes: ["todos:read", "todos:write"] })
      assert.deepInclude(events[4], { ...common, issuer, isRevoked: true })
    }))

  it.effect("name the token that another process has refreshed, and the one that a waiting request shares", () =>
    Effect.gen(function*() {
      const { app, captured: { events }, world } = yield* recorded()
      yield* app.signIn()
      const other = yield* application(world)
      yield* app.call()
      yield* TestClock.adjust("2 hours")
      yield* other.call()
      events.length = 0
      yield* app.call()
      // The process reads the record before it needs the lease, so nothing is left to share.
      assert.deepStrictEqual(tags(events), [])
      yield* TestClock.adjust("2 hours")
      yield* whileTimePasses(Effect.all([other.call(), app.call(), app.call()], { concurrency: "unbounded" }))
      assert.lengthOf(yield* world.forms("refresh_token"), 2)
      const shared = events.filter((event) => event._tag === "RefreshShared").map(({ by }) => by)
      assert.includeMembers(["request", "process"], shared)
      assert.include(shared, "request")
    }))

  it.effect("name the end of a token and the rejection of a callback", () =>
    Effect.gen(function*() {
      const { app, captured: { events }, world } = yield* recorded()
      yield* app.signIn()
      yield* TestClock.adjust("2 hours")
      events.length = 0
      world.people.token = () => Response.json({ error: "invalid_grant" }, { status: 400 })
      const url = yield* app.signInUrl()
      assert.deepInclude(events.find(({ _tag }) => _tag === "TokenEnded"), { code: "invalid_grant" })
      events.length = 0
      yield* Effect.flip(app.complete(world.approve(url), { account: "bob" }))
      yield* Effect.flip(app.complete({ url: `${redirectUri}?code=c` }, { account: "bob" }))
      const denied = world.approve(yield* app.signInUrl(), { code: "", error: "access_denied" })
      yield* Effect.flip(app.complete(denied, { account: "alice" }))
      const failures = events.flatMap((event) => event._tag === "SignInFailed" ? [event] : [])
      assert.deepStrictEqual(
        failures.map(({ account, code, reason }) => [account, reason, code]),
        [
          ["bob", "callback-other-account", undefined],
          ["bob", "callback-malformed", undefined],
          ["alice", "sign-in", "access_denied"]
        ]
      )
    }))
})

describe("the events of machines", () => {
  it.effect("name the issued token, its rejection, a failed renewal and an outage", () =>
    Effect.gen(function*() {
      const { events, recorder } = capture()
      const world = yield* servers
      const { send } = yield* clientOf(world, { events: recorder })
      yield* send()
      yield* send()
      assert.deepStrictEqual(tags(events), ["Discovered", "TokenIssued"])
      assert.deepInclude(events[1], {
        account: undefined,
        resource,
        issuer: world.issuer.issuer,
        granted: ["todos:read"],
        isBound: false
      })
      events.length = 0
      world.state.answer = ({ authorization }) => authorization === null ? undefined : unauthorized()
      yield* Effect.flip(send())
      assert.deepStrictEqual(tags(events), [
        "TokenRejected",
        "Discovered",
        "TokenIssued",
        "TokenRejected",
        "RequestFailed"
      ])
      assert.deepInclude(events[4], { reason: "fresh-token", issuer: world.issuer.issuer })
      events.length = 0
      world.state.answer = () => undefined
      yield* world.issuer.respondWith("/token", () =>
        new Response(null, { status: 503, headers: { "retry-after": "9" } }))
      yield* TestClock.adjust("4 minutes")
      yield* send()
      yield* Effect.repeat(
        Effect.promise(() =>
          new Promise((resolve) => setImmediate(resolve))
        ),
        {
          until: () => events.length > 0
        }
      )
      assert.deepInclude(events[0], { _tag: "RefreshFailed", reason: "unavailable" })
      yield* TestClock.adjust("2 hours")
      yield* Effect.flip(send())
      assert.deepInclude(events.at(-1), { _tag: "RequestFailed", reason: "unavailable" })
    }))

  it.effect("contain at most 32 scopes and sanitized texts of a server", () =>
    Effect.gen(function*() {
      const { events, recorder } = capture()
      const world = yield* servers
      const { send } = yield* clientOf(world, { events: recorder })
      yield* send()
      const many = Array.from({ length: 90 }, (_, index) => `s${index}`.padEnd(70, "x")).join(" ")
      world.state.answer = () => stepUp(many)
      yield* Effect.ignore(send())
      const required = events.find((event) => event._tag === "StepUpRequired")!
      assert.lengthOf(required.scopes, 32)
    }))
})

describe("a recorder", () => {
  it.effect("writes lines of a level that fits the event, with fixed annotations, and a limited number of each kind", () =>
    Effect.gen(function*() {
      const lines: Array<readonly [string, unknown, unknown]> = []
      const logger = Logger.make(({ fiber, logLevel, message }) => {
        lines.push([logLevel, message, fiber.getRef(References.CurrentLogAnnotations)["event"]])
      })
      const world = yield* servers
      yield* Effect.gen(function*() {
        const { send } = yield* clientOf(world, { events: ClientEvents.make({ linesPerMinute: 2 }) })
        yield* send()
        world.state.answer = ({ authorization }) => authorization === null ? undefined : unauthorized()
        yield* Effect.flip(send())
        yield* Effect.flip(send())
        yield* world.issuer.respondWith("/token", () => Response.json({ error: "invalid_client" }, { status: 401 }))
        yield* Effect.flip(send())
      }).pipe(Effect.provide(Logger.layer([logger])), Effect.provideService(References.MinimumLogLevel, "Trace"))
      assert.deepStrictEqual(lines.map(([level, , event]) => [level, event]), [
        ["Debug", "Discovered"],
        ["Debug", "TokenIssued"],
        ["Info", "TokenRejected"],
        ["Debug", "Discovered"],
        ["Debug", "TokenIssued"],
        ["Info", "TokenRejected"],
        ["Warn", "RequestFailed"],
        ["Warn", "RequestFailed"],
        ["Error", "RequestFailed"]
      ])
      assert.deepStrictEqual(lines[1]![1], ["token issued"])
    }))

  it.effect("counts each event in the metrics, and logs nothing with the option logs", () =>
    Effect.gen(function*() {
      const lines: Array<unknown> = []
      const count = Effect.map(
        Metric.snapshot,
        (all) =>
          all.flatMap(({ attributes, id, state }) =>
            id === "mcp_auth_client_events_total" && attributes?.["event"] === "TokenIssued"
              ? [(state as { readonly count: number }).count]
              : []
          )[0] ?? 0
      )
      const before = yield* count
      const world = yield* servers
      const { send } = yield* clientOf(world, { events: ClientEvents.make({ logs: false }) })
      yield* Effect.provide(send(), Logger.layer([Logger.make(({ message }) => void lines.push(message))]))
      assert.strictEqual((yield* count) - before, 1)
      assert.deepStrictEqual(lines, [])
    }))

  it.effect("writes a span of each operation, with the issuer and the outcome", () =>
    Effect.gen(function*() {
      const { spans, watch } = capture()
      const world = yield* people
      yield* watch(Effect.gen(function*() {
        const observed = yield* application(world, { events: ClientEvents.make() })
        yield* observed.signIn()
        yield* TestClock.adjust("2 hours")
        world.people.token = () => new Response(null, { status: 503 })
        yield* Effect.flip(observed.call())
        world.people.token = () => undefined
        yield* observed.disconnect({ account: "alice" })
      }))
      const { issuer } = world.issuer
      assert.deepStrictEqual(
        spans.map((
          { attributes, name }
        ) => [name, attributes.get("mcp_auth.issuer"), attributes.get("mcp_auth.outcome")]),
        [
          ["mcp_auth.client.discover", undefined, "succeeded"],
          ["mcp_auth.client.obtain_token", issuer, "succeeded"],
          ["mcp_auth.client.register", issuer, "succeeded"],
          ["mcp_auth.client.complete_sign_in", issuer, "succeeded"],
          ["mcp_auth.client.obtain_token", issuer, "failed"],
          ["mcp_auth.client.revoke", issuer, "succeeded"]
        ]
      )
      assert.strictEqual(spans[4]!.attributes.get("mcp_auth.reason"), "unavailable")
      assert.strictEqual(spans[4]!.attributes.get("mcp_auth.resource"), resource)
    }))

  it.effect.each<readonly [what: string, listener: ClientEvents.Options["listener"]]>([
    ["throws", () => {
      throw new Error("listener")
    }],
    ["rejects", () => Promise.reject(new Error("listener"))],
    ["dies", () => Effect.die(new Error("listener"))],
    ["never ends", () => Effect.never]
  ])("does not change the request if the listener %s", ([, listener]) =>
    Effect.gen(function*() {
      const lines: Array<unknown> = []
      const logger = Logger.make(({ cause, message }) => void lines.push([message, Cause.pretty(cause)].join(" ")))
      const world = yield* servers
      const { send } = yield* clientOf(world, { events: ClientEvents.make({ listener, linesPerMinute: 1 }) })
      const response = yield* whileTimePasses(Effect.provide(send(), Logger.layer([logger])))
      assert.strictEqual(response.status, 200)
      assert.lengthOf(lines.filter((line) => String(line).includes("The listener of ClientEvents failed")), 1)
    }))
})

describe("the layer of events", () => {
  it.effect("passes the events of all clients below it to each subscriber", () =>
    Effect.gen(function*() {
      const world = yield* people
      const live = Layer.effect(Connections.Connections, Connections.make(options(world))).pipe(
        Layer.provideMerge(ClientEvents.layer({ capacity: 2 })),
        Layer.provide(Layer.succeed(RecordStore.RecordStore, world.store))
      )
      yield* Effect.gen(function*() {
        const { subscribe } = yield* ClientEvents.ClientEvents
        const [first, second] = [yield* subscribe, yield* subscribe]
        const connections = yield* Connections.Connections
        yield* Effect.flip(Effect.tryPromise(() => connections.fetch({ account: "alice", resource })(resource)))
        // A subscriber that is behind loses the older events.
        for (const subscription of [first, second]) {
          assert.deepStrictEqual(tags(yield* PubSub.takeAll(subscription)), ["SignInBegun", "RequestFailed"])
        }
      }).pipe(Effect.provide(live), Effect.scoped)
    }))

  it.effect("records the steps of an HttpClient, unless the client has the option events", () =>
    Effect.gen(function*() {
      const world = yield* servers
      const { events, recorder } = capture()
      const clientFor = (more: { readonly events?: ClientEvents.Recorder }) =>
        AuthorizedHttpClient.layer({ resource, grant: world.grant, ...more }).pipe(
          Layer.provide(FetchHttpClient.layer),
          Layer.provideMerge(ClientEvents.layer())
        )
      for (const more of [{}, { events: recorder }]) {
        yield* Effect.gen(function*() {
          const subscription = yield* (yield* ClientEvents.ClientEvents).subscribe
          const client = yield* HttpClient.HttpClient
          yield* client.get(resource)
          const received = tags(yield* PubSub.takeUpTo(subscription, 10))
          const expected = ["Discovered", "TokenIssued"]
          assert.deepStrictEqual([received, tags(events)], "events" in more ? [[], expected] : [expected, []])
        }).pipe(
          Effect.provide(clientFor(more)),
          Effect.scoped,
          // oxlint-disable-next-line no-restricted-properties -- this fetch reaches only TestIssuer and a server in memory
          Effect.provideService(FetchHttpClient.Fetch, world.fetch)
        )
      }
    }))

  it.effect("reports an option that is wrong", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Effect.scoped(Layer.build(ClientEvents.layer({ capacity: 0 }))))
      assert.strictEqual(error.option, "ClientEvents.layer.capacity")
    }))
})

describe("secrets", () => {
  /** Fails if a captured text contains a secret in any usual form. */
  const assertNoSecret = Effect.fnUntraced(function*({ metrics, secrets, texts }: ReturnType<typeof capture>) {
    yield* metrics
    const all = texts.join("\n")
    assert.isAtLeast(secrets.size, 4)
    assert.isAbove(all.length, 1_000)
    for (const secret of secrets) {
      for (const form of [secret, encodeURIComponent(secret), btoa(secret)]) assert.notInclude(all, form)
    }
  })

  it.effect("59: writes no token, code, verifier, state, key or callback of people into logs, spans, metrics, events and errors", () =>
    Effect.gen(function*() {
      const world = yield* people
      const captured = capture()
      const { addError, addUrl, recorder, spy, watch } = captured
      world.people.members = { token_type: "DPoP" }
      // A registration with a secret.
      yield* world.issuer.publishMetadata({ token_endpoint_auth_methods_supported: ["client_secret_post"] })
      world.people.registration = (metadata) =>
        Response.json({ ...metadata, client_id: "client", client_secret: `registered-${randomUUID()}` }, {
          status: 201
        })
      yield* watch(Effect.gen(function*() {
        const app = yield* application({ ...world, fetch: spy(world.fetch) }, {
          events: recorder,
          dpop: DpopKeys.make()
        })
        const fails = (account = "alice") =>
          Effect.map(Effect.flip(app.call(account)), (error) => (addError(error), error))
        const urlFor = Effect.map(fails(), ({ url }) => (addUrl(url), url))
        const complete = (callback: { readonly url: string }, account = "alice") => {
          addUrl(callback.url)
          return Effect.map(Effect.result(app.complete(callback, { account })), (result) => {
            if (result._tag === "Failure") addError(result.failure)
          })
        }
        const url = yield* urlFor
        yield* complete(world.approve(url), "bob")
        yield* complete(world.approve(url))
        yield* complete(world.approve(yield* urlFor, { iss: "https://evil.test" }))
        yield* complete(world.approve(yield* urlFor, { code: "", error: "access_denied" }))
        // A token endpoint that repeats the request in its errors and redirects.
        const answers = [
          (form: URLSearchParams) =>
            Response.json({ error: form.get("code"), error_description: String(form) }, { status: 400 }),
          (form: URLSearchParams) =>
            new Response(null, { status: 302, headers: { location: `https://evil.test/?${form}` } }),
          (form: URLSearchParams) => new Response(String(form), { status: 503 }),
          (form: URLSearchParams) => Response.json({ access_token: form.get("code"), token_type: "mac" })
        ]
        for (const answer of answers) {
          yield* TestClock.adjust("3 minutes")
          world.people.token = answer
          yield* complete(world.approve(yield* urlFor))
        }
        world.people.token = () => undefined
        yield* TestClock.adjust("3 minutes")
        yield* complete(world.approve(yield* urlFor))
        assert.strictEqual((yield* app.call()).status, 200)
        world.state.answer = ({ headers }) =>
          new Response(null, {
            status: 307,
            headers: { location: `https://evil.test/?t=${headers.get("authorization")}` }
          })
        yield* fails()
        world.state.answer = () => stepUp("todos:write")
        yield* fails()
        world.state.answer = () => undefined
        yield* TestClock.adjust("2 hours")
        assert.strictEqual((yield* app.call()).status, 200)
        yield* TestClock.adjust("2 hours")
        for (const answer of answers) {
          world.people.token = answer
          yield* Effect.result(app.call())
        }
        world.people.token = () => Response.json({ error: "invalid_grant" }, { status: 400 })
        yield* fails()
        world.people.token = () => undefined
        yield* complete(world.approve(yield* urlFor))
        yield* app.disconnect({ account: "alice" })
        assert.isAbove(captured.secrets.size, 30)
      }))
      assert.includeMembers(tags(captured.events), [
        "Discovered",
        "Registered",
        "SignInBegun",
        "SignInCompleted",
        "SignInFailed",
        "TokenRefreshed",
        "TokenEnded",
        "StepUpRequired",
        "Disconnected",
        "RequestFailed"
      ])
      yield* assertNoSecret(captured)
    }))

  it.effect("59: writes no token, assertion, secret or key of machines into logs, spans, metrics, events and errors", () =>
    Effect.gen(function*() {
      const captured = capture()
      const { add, addError, recorder, spy, watch } = captured
      const key = yield* SigningKey.make({ kid: "sso" })
      const secret = "marker-of-a-client-secret"
      const { issuer: provider } = yield* TestIssuer.make({
        issuer: "https://idp.test",
        clients: { sso: { secret, clientIds: { "https://issuer.test": "todo-client" } } }
      })
      add(secret)
      const { d } = key.privateJwk as { readonly d?: string }
      add(d)
      const issuer = "https://issuer.test"
      const grants = [
        Grant.clientCredentials({ issuer, clientId: "todo-client", clientSecret: Redacted.make(secret) }),
        Grant.clientCredentials({ issuer, clientId: "machine", privateKey: Redacted.make(key.privateJwk) }),
        Grant.identityAssertion({
          issuer,
          clientId: "todo-client",
          clientSecret: Redacted.make(secret),
          identityProvider: { issuer: provider.issuer, clientId: "sso", clientSecret: Redacted.make(secret) },
          subjectToken: () =>
            Effect.map(provider.mintIdToken({ subject: "alice", clientId: "sso" }), (token) => Redacted.make(token))
        }),
        Grant.workloadIdentity({ issuer, assertion: async () => Redacted.make(`workload-${randomUUID()}`) })
      ]
      yield* watch(Effect.forEach(grants, (grant) =>
        Effect.gen(function*() {
          const world = yield* serversWith({
            identityProviders: [provider],
            clients: { "todo-client": { secret }, machine: { jwks: { keys: [key.publicJwk] } } }
          })
          const { send } = yield* clientOf({ fetch: spy(world.fetch), grant }, {
            events: recorder,
            dpop: DpopKeys.make()
          })
          const attempt = Effect.map(Effect.result(send()), (result) => {
            if (result._tag === "Failure") addError(result.failure)
          })
          yield* attempt
          world.state.answer = ({ authorization }) => authorization === null ? undefined : unauthorized()
          yield* attempt
          world.state.answer = ({ authorization }) =>
            authorization === null
              ? undefined
              : new Response(null, { status: 302, headers: { location: `/?t=${authorization}` } })
          yield* attempt
          world.state.answer = () => undefined
          yield* TestClock.adjust("3 hours")
          yield* world.issuer.respondWith("/token", ({ body }) =>
            Response.json({ error: body, error_description: body }, { status: 400 }))
          yield* attempt
        })))
      // The authorization server trusts no platform, so the workload obtains no token.
      assert.lengthOf(captured.events.filter(({ _tag }) => _tag === "TokenIssued"), 6)
      assert.includeMembers(tags(captured.events), ["TokenRejected", "RequestFailed"])
      yield* assertNoSecret(captured)
    }))

  it.effect("59: writes no device code and no token of it into logs, spans, metrics, events and errors", () =>
    Effect.gen(function*() {
      const captured = capture()
      const world = yield* people
      const { issuer } = world
      yield* issuer.publishMetadata({ device_authorization_endpoint: `${issuer.issuer}/device` })
      yield* issuer.respondWith("/device", () =>
        Response.json({
          device_code: `device-${randomUUID()}`,
          user_code: "WDJB-MJHT",
          verification_uri: `${issuer.issuer}/activate`,
          expires_in: 600,
          interval: 5
        }))
      const answers = [
        (form: URLSearchParams) =>
          Response.json({ error: "authorization_pending", error_description: String(form) }, { status: 400 }),
        () =>
          Response.json({
            access_token: `access-${randomUUID()}`,
            refresh_token: `refresh-${randomUUID()}`,
            token_type: "Bearer",
            expires_in: 3600
          }),
        (form: URLSearchParams) => Response.json({ error: form.get("device_code") }, { status: 400 })
      ]
      world.people.token = (form) => answers.shift()?.(form)
      yield* captured.watch(Effect.gen(function*() {
        for (const store of [yield* MemoryStore.make(), yield* MemoryStore.make()]) {
          const grant = DeviceAuthorization.grant({
            client: { name: "Test" },
            prompt: () => undefined,
            store: Effect.succeed(store)
          })
          const { send } = yield* clientOf({ fetch: captured.spy(world.fetch), grant }, { events: captured.recorder })
          const result = yield* Effect.result(whileTimePasses(send()))
          if (result._tag === "Failure") captured.addError(result.failure)
        }
      }))
      assert.includeMembers(tags(captured.events), ["SignInBegun", "SignInCompleted", "SignInFailed"])
      assert.deepInclude(captured.events.find(({ _tag }) => _tag === "SignInBegun"), { way: "device" })
      yield* assertNoSecret(captured)
    }))
})
