/** The headers, spans and bodies of the hosts of the proxy: Node, platforms with `Request`, and the router of Effect. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer, Redacted, Tracer } from "effect"
import { MemoryStore } from "effect-mcp-auth/store"
import { HttpRouter } from "effect/http"
import { TestClock } from "effect/testing"
import { connect } from "node:net"
import type { AddressInfo } from "node:net"
import * as Admit from "../../src/proxy/Admit.ts"
import * as nodeRouter from "../../src/proxy/front/NodeRouter.ts"
import type { ProxyResponse } from "../../src/proxy/front/ProxyRequest.ts"
import * as webHandler from "../../src/proxy/front/WebHandler.ts"
import * as OAuthProxy from "../../src/proxy/OAuthProxy.ts"
import * as Upstream from "../../src/proxy/upstream/Upstream.ts"
import { secret, world } from "./front/world.ts"
import { close, listen } from "./server.ts"

const origin = "http://127.0.0.1:9"
const options = {
  resource: `${origin}/mcp`,
  scopes: ["todos:read"],
  upstream: Upstream.github({ clientId: "id", clientSecret: Redacted.make("s"), scopes: { "todos:read": [] } }),
  admit: Admit.anyone,
  secret
} as const

/** Headers that a CORS middleware sets for every response. */
const cors = {
  "access-control-allow-origin": "https://evil.example",
  "access-control-allow-credentials": "true",
  "access-control-expose-headers": "location"
}

const pages = ["/authorize", "/callback/github?code=c&state=s", "/consent"]

describe("CORS headers of a middleware", () => {
  it("attack 83: do not reach the pages of the proxy on Node, and its open endpoints keep theirs", async () => {
    await using proxy = await OAuthProxy.make(options)
    const router = proxy.router()
    const { origin: at, server } = await listen((req, res) => {
      for (const [name, value] of Object.entries(cors)) res.setHeader(name, value)
      void router(req, res)
    })
    try {
      for (const path of pages) {
        const { headers } = await fetch(`${at}${path}`, { method: path === "/consent" ? "POST" : "GET" })
        for (const name of Object.keys(cors)) assert.isNull(headers.get(name), `${path} ${name}`)
      }
      const { headers } = await fetch(`${at}/jwks`)
      assert.strictEqual(headers.get("access-control-allow-origin"), "*")
      assert.isNull(headers.get("access-control-allow-credentials"))
    } finally {
      await close(server)
    }
  })

  it("attack 83: do not reach the pages of the proxy on Effect's router, and its open endpoints keep theirs", async () => {
    const Proxy = OAuthProxy.layer(options).pipe(Layer.provide(MemoryStore.layer()))
    const Cors = HttpRouter.cors({ allowedOrigins: ["https://evil.example"], credentials: true })
    const { dispose, handler } = HttpRouter.toWebHandler(Layer.mergeAll(Proxy, Cors), { disableLogger: true })
    const send = (path: string, method = "GET") =>
      handler(new Request(`${origin}${path}`, { method, headers: { origin: "https://evil.example" } }))
    for (const path of pages) {
      const { headers } = await send(path, path === "/consent" ? "POST" : "GET")
      for (const name of Object.keys(cors)) assert.isNull(headers.get(name), `${path} ${name}`)
      assert.strictEqual(headers.get("x-frame-options"), "DENY")
    }
    const { headers } = await send("/jwks")
    assert.strictEqual(headers.get("access-control-allow-origin"), "*")
    assert.isNull(headers.get("access-control-allow-credentials"))
    await dispose()
  })
})

it("attack 59: the span of the server contains no query of a callback, also after an error", async () => {
  const recorded: Array<unknown> = []
  const tracer = Tracer.make({
    span: (given) => {
      const span = new Tracer.NativeSpan(given)
      const attribute = span.attribute.bind(span)
      const end = span.end.bind(span)
      return Object.assign(span, {
        attribute: (name: string, value: unknown) => {
          recorded.push([name, value])
          attribute(name, value)
        },
        end: (time: bigint, exit: Exit.Exit<unknown, unknown>) => {
          const failure = Exit.isFailure(exit) ? exit.cause.reasons : undefined
          recorded.push(
            failure,
            failure?.map((reason) => {
              const { request } = ("error" in reason ? reason.error : {}) as {
                readonly request?: { readonly url?: string }
              }
              return request?.url
            })
          )
          end(time, exit)
        }
      })
    }
  })
  const Proxy = OAuthProxy.layer(options).pipe(Layer.provide(MemoryStore.layer()))
  const Failing = HttpRouter.use((router) => router.add("GET", "/other", Effect.die("broken")))
  const { dispose, handler } = HttpRouter.toWebHandler(
    Layer.mergeAll(Proxy, Failing, Layer.succeed(Tracer.Tracer, tracer)),
    { disableLogger: true }
  )
  assert.strictEqual(
    (await handler(new Request(`${origin}/callback/github?code=marker-code&state=marker`))).status,
    400
  )
  // The document of the client cannot be fetched, which is an error of the server in the span.
  const query = new URLSearchParams({ client_id: "https://app.invalid/client.json", state: "marker" })
  assert.strictEqual((await handler(new Request(`${origin}/authorize?${query}`))).status, 503)
  const text = JSON.stringify(recorded)
  assert.include(text, "/authorize")
  assert.include(text, "/callback/github")
  assert.notInclude(text, "marker")
  // The spans of other routes have their query, so the test would notice a query.
  await handler(new Request(`${origin}/other?x=marker`))
  assert.include(JSON.stringify(recorded), "marker")
  await dispose()
})

describe("a body that does not arrive", () => {
  /** Runs the effects of the endpoints with the test clock. */
  const hosts = Effect.gen(function*() {
    const { routes } = yield* world()
    const services = yield* Effect.context<never>()
    const run = (effect: Effect.Effect<ProxyResponse>) => Effect.runPromiseWith(services)(effect)
    return { node: nodeRouter.make(routes, run), web: webHandler.make(routes, run) }
  })

  /** Moves the clock until a promise has a result. */
  const soon = <A>(promise: Promise<A>): Effect.Effect<A> =>
    Effect.gen(function*() {
      const results: Array<A> = []
      void promise.then((value) => results.push(value))
      while (results.length === 0) {
        yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
        yield* TestClock.adjust("1 second")
      }
      return results[0]!
    })

  it.effect("attack 73: is rejected on platforms with `Request`, and its stream is cancelled", () =>
    Effect.gen(function*() {
      const { web } = yield* hosts
      let isCancelled = false
      const body = new ReadableStream({
        start: (controller) => controller.enqueue(new TextEncoder().encode("{")),
        cancel: () => void (isCancelled = true)
      })
      const request = new Request(
        "https://todos.test/register",
        { method: "POST", body, duplex: "half" } as RequestInit
      )
      const response = yield* soon(web(request)!)
      assert.strictEqual(response.status, 408)
      assert.isTrue(isCancelled)
    }))

  it.effect("attack 73: is rejected on Node", () =>
    Effect.gen(function*() {
      const { node } = yield* hosts
      const { server } = yield* Effect.acquireRelease(
        Effect.promise(() => listen((req, res) => void node(req, res))),
        ({ server }) => Effect.promise(() => close(server))
      )
      const socket = connect((server.address() as AddressInfo).port, "127.0.0.1")
      socket.write("POST /register HTTP/1.1\r\nhost: todos.test\r\ncontent-length: 100\r\n\r\n{")
      const first = yield* soon(new Promise<string>((resolve) => socket.once("data", (data) => resolve(String(data)))))
      assert.match(first, /^HTTP\/1\.1 408 /)
      socket.destroy()
    }))
})
