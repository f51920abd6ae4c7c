/** Tests event streams of routes behind the gate, on every server adapter that has such routes. */
import { afterAll, assert, beforeAll, describe, it, onTestFinished, vi } from "@effect/vitest"
import { serve } from "@hono/node-server"
import { type Duration, Effect, Exit, Fiber, Layer, Logger, Scope, Stream } from "effect"
import { Principal } from "effect-mcp-auth"
import { McpAuthFetch } from "effect-mcp-auth/fetch"
import { McpAuthNode } from "effect-mcp-auth/node"
import { Revocations } from "effect-mcp-auth/revocation"
import { TestIssuer } from "effect-mcp-auth/testing"
import { HttpClient, HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { TestClock } from "effect/testing"
import { Hono } from "hono"
import { createServer, request as httpRequest, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { Readable } from "node:stream"
import { authLayer, fetcherWith } from "./gates.ts"
import * as Host from "./Host.ts"
import * as Functions from "./hosts/functions.ts"
import * as hosts from "./hosts/Host.ts"
import { workerd } from "./hosts/hosts.ts"

const resource = "https://server.test/mcp"
const contentType = "text/event-stream"
const opening = new TextEncoder().encode(": open\n\n")

/** A web stream that never ends by itself. `closed` is called when it is cancelled. */
const endless = (closed: () => void = () => {}) =>
  new ReadableStream<Uint8Array>({ start: (controller) => controller.enqueue(opening), cancel: closed })

/** A readable stream of Node that never ends by itself. `closed` is called when it is closed. */
const readable = (closed: () => void) => {
  const stream = new Readable({ read: () => {} })
  stream.on("close", closed)
  stream.push(": open\n\n")
  return stream
}

type Route = (closed: () => void) => HttpServerResponse.HttpServerResponse

/** Responses with each kind of body that a web handler of Effect can send. */
const web: Readonly<Record<string, Route>> = {
  "a stream": (closed) =>
    HttpServerResponse.stream(
      Stream.concat(Stream.make(opening), Stream.never).pipe(Stream.ensuring(Effect.sync(closed))),
      { contentType }
    ),
  "a stream with the type as a header": (closed) =>
    HttpServerResponse.stream(
      Stream.concat(Stream.make(opening), Stream.never).pipe(Stream.ensuring(Effect.sync(closed))),
      { headers: { "content-type": "Text/Event-Stream; charset=utf-8" } }
    ),
  "a response of the web": (closed) =>
    HttpServerResponse.fromWeb(new Response(endless(closed), { headers: { "content-type": contentType } })),
  "a raw response of the web": (closed) =>
    HttpServerResponse.raw(new Response(endless(closed), { headers: { "content-type": contentType } })),
  "a raw stream of the web": (closed) => HttpServerResponse.raw(endless(closed), { contentType })
}

const node: Readonly<Record<string, Route>> = {
  "a stream": web["a stream"]!,
  "a response of the web": web["a response of the web"]!,
  "a raw stream of Node's": (closed) => HttpServerResponse.raw(readable(closed), { contentType })
}

const routes = (route: Route, closed: () => void) =>
  Layer.mergeAll(
    HttpRouter.add("GET", "/events", Effect.sync(() => route(closed))),
    HttpRouter.add("POST", "/events", Effect.sync(() => route(closed)))
  )

interface Served {
  readonly open: (sent: hosts.Sent) => Promise<hosts.Opened>
  readonly stop: () => Promise<void>
}

const effectOn = (kind: "web" | "node", route: Route) =>
async (
  options: hosts.Written,
  client: HttpClient.HttpClient,
  closed: () => void
): Promise<Served> => {
  const scope = Scope.makeUnsafe()
  const app = routes(route, closed).pipe(
    Layer.provide(authLayer(options)),
    Layer.provide(Layer.succeed(HttpClient.HttpClient, client))
  )
  const run = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>) =>
    Effect.runPromise(Effect.provideService(effect, Scope.Scope, scope))
  const stop = () => Effect.runPromise(Scope.close(scope, Exit.void))
  if (kind === "node") return { ...hosts.overSocket(await run(Host.listen(app))), stop }
  const handle = await run(Host.webHandler(app))
  return { ...hosts.overFetch((request) => Effect.runPromise(handle(request))), stop }
}

const given = (options: hosts.Written, client: HttpClient.HttpClient) => ({ ...options, layer: fetcherWith(client) })

const stopped = (server: Server, dispose: () => Promise<void>) => async () => {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
  await dispose()
}

const protectedStream = (closed: () => void) => () =>
  new Response(endless(closed), { headers: { "content-type": contentType } })

type Start = (
  options: hosts.Written,
  client: HttpClient.HttpClient,
  closed: () => void
) => Promise<Served>

const onFetch: Start = async (options, client, closed) => {
  const auth = await McpAuthFetch.make(given(options, client))
  return { ...hosts.overFetch(auth.protectRoute(protectedStream(closed))), stop: auth.dispose }
}

const onHono: Start = async (options, client, closed) => {
  const auth = await McpAuthFetch.make(given(options, client))
  const handle = auth.protectRoute(protectedStream(closed))
  const app = new Hono()
  app.all("/events", (c) => handle(c.req.raw))
  const server = await new Promise<Server>((resolve) => {
    const listening: unknown = serve(
      { fetch: app.fetch, port: 0, hostname: "127.0.0.1" },
      () => resolve(listening as Server)
    )
  })
  return {
    ...hosts.overSocket((server.address() as AddressInfo).port),
    stop: stopped(server, auth.dispose)
  }
}

const onNode: Start = async (options, client, closed) => {
  const auth = await McpAuthNode.make(given(options, client))
  const guard = auth.protectRoute()
  const server = createServer(async (req, res) => {
    if ((await guard(req, res)) === undefined) return
    res.on("close", closed)
    res.writeHead(200, { "content-type": contentType })
    res.write(": open\n\n")
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  return {
    ...hosts.overSocket((server.address() as AddressInfo).port),
    stop: stopped(server, auth.dispose)
  }
}

interface Running extends Served {
  readonly tell: hosts.Running["tell"]
  /** The number of streams of the route that were cancelled since the last call of `closed`. */
  readonly closed: () => Promise<number>
}

type Launch = (
  given: ReadonlyArray<hosts.Given>,
  client: HttpClient.HttpClient
) => Promise<ReadonlyArray<Running>>

const inProcess = (start: Start): Launch => (given, client) =>
  Promise.all(given.map(async ({ functions: name, options }) => {
    const functions = Functions.make(name)
    let closed = 0
    return {
      ...await start({ ...Functions.written(options), ...functions.options } as hosts.Written, client, () => closed++),
      tell: functions.tell,
      closed: async () => {
        const count = closed
        closed = 0
        return count
      }
    }
  }))

const onWorkerd: Launch = async (given, client) =>
  (await hosts.startAll(workerd, given, client)).map((running) => ({
    ...running,
    closed: async () => (await running.ran()).filter((line) => line === "closed").length
  }))

const outsideOfEffect: ReadonlyArray<readonly [name: string, Launch]> = [
  ["fetch", inProcess(onFetch)],
  ["Hono", inProcess(onHono)],
  ["node:http", inProcess(onNode)],
  ["workerd", onWorkerd]
]

const all: ReadonlyArray<readonly [name: string, Launch]> = [
  ...Object.entries(web).map(([name, route]) =>
    [`Effect, web handler, ${name}`, inProcess(effectOn("web", route))] as const
  ),
  ...Object.entries(node).map(([name, route]) =>
    [`Effect, socket, ${name}`, inProcess(effectOn("node", route))] as const
  ),
  ...outsideOfEffect
]

/** Opens an event stream, and records whether it has ended. */
const openStream = async ({ open }: Served, method: string, token: string) => {
  const stream = await open({ method, path: "/events", headers: [["authorization", `Bearer ${token}`]] })
  assert.deepStrictEqual([stream.status, stream.first], [200, ": open\n\n"])
  const state = { ...stream, isEnded: false }
  void stream.ended.then(() => {
    state.isEnded = true
  }, () => {})
  return state
}

describe.each(all)("A route that answers with an event stream, %s", (name, launch) => {
  let issuer: TestIssuer.TestIssuer["Service"]
  let switched: Running
  let revocations: Running
  let expiring: Running
  beforeAll(async () => {
    const made = await hosts.makeIssuer(resource)
    issuer = made.issuer
    ;[switched, revocations, expiring] = await launch([
      {
        options: hosts.optionsOf(issuer.issuer, {}),
        functions: "a verifier and a revocation that the test switches"
      },
      { options: hosts.optionsOf(issuer.issuer, {}), functions: "a list of revocations" },
      { options: hosts.optionsOf(issuer.issuer, { revocationInterval: "1 second" }), functions: "none" }
    ], made.client) as [Running, Running, Running]
  })
  afterAll(() => Promise.all([switched, revocations, expiring].map((_) => _.stop())))

  const mint = (options: TestIssuer.TokenOptions) =>
    Effect.runPromise(issuer.mint({ scopes: ["todos:read"], ...options }))

  it.each(["GET", "POST"])(
    "[T-AUD-03g] %s: the stream of an invalidated token ends, and that of another caller does not",
    async (method) => {
      const opened = async (subject: string) => openStream(switched, method, await mint({ subject }))
      const invalidate = (subject: string) => switched.tell({ invalidate: { issuer: issuer.issuer, subject } })
      const alice = await opened("alice")
      const bob = await opened("bob")
      await invalidate("alice")
      await alice.ended
      assert.isFalse(bob.isEnded)
      await invalidate("bob")
      await bob.ended
      assert.strictEqual(await switched.closed(), 2)
    }
  )

  it("[T-AUD-03g] the stream of a revoked token ends", async () => {
    const token = await mint({})
    const stream = await openStream(revocations, "GET", token)
    await revocations.tell({ revoke: { token } })
    await stream.ended
    assert.strictEqual(await revocations.closed(), 1)
  })

  // The expiry of streams on Effect's servers is tested below, with the test clock.
  if (!outsideOfEffect.some(([outside]) => outside === name)) return

  it("[T-AUD-03g] the stream ends with its token, or five minutes later if it answers a POST", async () => {
    const start = Date.now()
    vi.useFakeTimers({ toFake: ["Date"], now: start })
    onTestFinished(async () => {
      vi.useRealTimers()
      await expiring.tell({ clock: 0 })
    })
    const advance = (millis: number) => {
      vi.setSystemTime(Date.now() + millis)
      return expiring.tell({ clock: Date.now() - start })
    }
    const token = await mint({ expiresIn: "1 hour" })
    const get = await openStream(expiring, "GET", token)
    const post = await openStream(expiring, "POST", token)
    await advance(3_600_000)
    await get.ended
    // Each stream reads the clock every second. The test opens one more stream and waits until that stream ends at its expiry.
    // By then, the stream of the POST has read the same time.
    const later = await openStream(expiring, "GET", await mint({ expiresIn: "1 minute" }))
    await advance(60_000)
    await later.ended
    assert.isFalse(post.isEnded)
    await advance(240_000)
    await post.ended
    assert.strictEqual(await expiring.closed(), 3)
  })
})

describe("A route that answers with an event stream", () => {
  const start = (route: Route) =>
    Effect.gen(function*() {
      yield* TestClock.setTime(1_800_000_000_000)
      const { client, issuer } = yield* TestIssuer.make({ resource })
      const handle = yield* Host.webHandler(
        Layer.merge(
          routes(route, () => {}),
          HttpRouter.add("GET", "/last", Effect.sync(() => web["a stream"]!(() => {})))
        ).pipe(
          Layer.provide(authLayer(Functions.written(hosts.optionsOf(issuer.issuer, {})))),
          Layer.provide(Layer.succeed(HttpClient.HttpClient, client))
        )
      )
      const open = Effect.fnUntraced(
        function*(method: string, expiresIn: Duration.Input = "1 minute", path = "/events") {
          const token = yield* issuer.mint({ scopes: ["todos:read"], expiresIn })
          const response = yield* handle(
            new Request(`https://server.test${path}`, { method, headers: { authorization: `Bearer ${token}` } })
          )
          assert.strictEqual(response.status, 200)
          const reader = response.body!.getReader()
          const state = { ended: false }
          const fiber = yield* Effect.forkChild(Effect.promise(async () => {
            while (!(await reader.read()).done);
            state.ended = true
          }))
          return { state, fiber, cancel: () => reader.cancel() }
        }
      )
      /**
       * Advances the clock, and waits until a stream that was opened last and expires at that time has ended. By then, each stream
       * that expires at that time or before has ended as well.
       */
      const advance = Effect.fnUntraced(function*(duration: Duration.Input) {
        const last = yield* open("GET", duration, "/last")
        yield* TestClock.adjust(duration)
        yield* Fiber.join(last.fiber)
      })
      return { advance, open }
    }).pipe(Effect.provide(Logger.layer([])))

  it.effect.each(Object.entries(web))(
    "[T-AUD-03g] ends with its token, or five minutes later if it answers a POST: %s",
    ([, route]) =>
      Effect.gen(function*() {
        const { advance, open } = yield* start(route)
        const get = yield* open("GET")
        const post = yield* open("POST")
        yield* advance("59 seconds")
        assert.deepStrictEqual([get.state.ended, post.state.ended], [false, false])
        yield* TestClock.adjust("1 second")
        yield* Fiber.join(get.fiber)
        yield* advance("4 minutes")
        yield* advance("59 seconds")
        assert.isFalse(post.state.ended)
        yield* TestClock.adjust("1 second")
        yield* Fiber.join(post.fiber)
      })
  )

  it.effect("a stream of another type, such as a download, is not ended", () =>
    Effect.gen(function*() {
      const { advance, open } = yield* start(() =>
        HttpServerResponse.stream(Stream.concat(Stream.make(opening), Stream.never), {
          contentType: "application/octet-stream"
        })
      )
      const download = yield* open("GET")
      yield* advance("1 hour")
      assert.isFalse(download.state.ended)
      yield* Effect.promise(download.cancel)
    }))
})

describe("A WebSocket behind the gate", () => {
  it.live("[T-AUD-03h] is closed when its token is revoked, and that of another caller is not", () =>
    Effect.gen(function*() {
      const { client, issuer } = yield* TestIssuer.make({ resource })
      const revocations = yield* Effect.provide(Revocations.Revocations, Revocations.layerMemory)
      const interrupted: Array<string> = []
      const route = HttpRouter.add(
        "GET",
        "/socket",
        Effect.gen(function*() {
          const { subject } = yield* Principal
          const { upgrade } = yield* HttpServerRequest.HttpServerRequest
          const socket = yield* upgrade
          const { pull } = yield* socket.reader
          yield* Effect.forever(pull).pipe(Effect.onInterrupt(() => Effect.sync(() => interrupted.push(subject!))))
          return HttpServerResponse.empty()
        }).pipe(Effect.scoped, Effect.orDie)
      )
      const port = yield* Host.listen(
        route.pipe(
          Layer.provide(
            authLayer({
              ...Functions.written(hosts.optionsOf(issuer.issuer, {})),
              revocation: Revocations.from(revocations)
            })
          ),
          Layer.provide(Layer.succeed(HttpClient.HttpClient, client))
        )
      )
      const open = Effect.fnUntraced(function*(subject: string) {
        const token = yield* issuer.mint({ scopes: ["todos:read"], subject })
        return yield* Effect.promise(() =>
          new Promise<{ readonly closed: Promise<void> }>((resolve, reject) => {
            const request = httpRequest({
              host: "127.0.0.1",
              port,
              path: "/socket",
              headers: {
                authorization: `Bearer ${token}`,
                connection: "Upgrade",
                upgrade: "websocket",
                "sec-websocket-version": "13",
                "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ=="
              }
            })
            request.on("error", reject)
            request.on("upgrade", (_, socket) =>
              resolve({
                closed: new Promise((closed) => {
                  // 0x88 is the first byte of a close frame (RFC 6455 §5.5.1). The server waits until the client also closes
                  // the connection.
                  socket.on("data", (frame: Buffer) => {
                    if (frame[0] === 0x88) socket.end(() => closed())
                  })
                })
              }))
            request.end()
          })
        )
      })
      const alice = yield* open("alice")
      const bob = yield* open("bob")
      yield* revocations.revoke({ issuer: issuer.issuer, subject: "alice" })
      yield* Effect.promise(() => alice.closed)
      assert.deepStrictEqual(interrupted, ["alice"])
      yield* revocations.revoke({ issuer: issuer.issuer, subject: "bob" })
      yield* Effect.promise(() => bob.closed)
      assert.deepStrictEqual(interrupted, ["alice", "bob"])
    }).pipe(Effect.provide(Logger.layer([]))))
})
