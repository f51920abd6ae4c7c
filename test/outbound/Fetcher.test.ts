import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Layer } from "effect"
import { McpAuthFetch } from "effect-mcp-auth/fetch"
import { HttpClientFetcher } from "effect-mcp-auth/http-client"
import { McpAuthNode } from "effect-mcp-auth/node"
import { TestIssuer } from "effect-mcp-auth/testing"
import { Fetcher } from "effect-mcp-auth/verification"
import { FetchHttpClient } from "effect/http"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { gateLayer } from "../servers/gates.ts"

/** The responses of the server, by path. */
const answers: Record<string, (request: IncomingMessage, response: ServerResponse) => void> = {
  "/echo": (request, response) => {
    const parts: Array<Buffer> = []
    request.on("data", (part: Buffer) => parts.push(part))
    request.on("end", () =>
      response.writeHead(200, { "x-answer": "yes" }).end(
        JSON.stringify({
          method: request.method,
          accept: request.headers.accept,
          type: request.headers["content-type"],
          cookie: request.headers.cookie,
          traced: request.headers["traceparent"],
          body: Buffer.concat(parts).toString()
        })
      ))
  },
  "/moved": (_, response) => response.writeHead(302, { location: "/echo" }).end("moved"),
  "/announced": (_, response) => response.writeHead(200, { "content-length": "2000" }).end("x".repeat(2000)),
  "/chunked": (_, response) => {
    response.write("x".repeat(900))
    response.write("x".repeat(900))
    response.end()
  },
  "/exact": (_, response) => {
    response.write("x".repeat(500))
    response.end("x".repeat(500))
  },
  "/empty": (_, response) => response.writeHead(204).end(),
  "/broken": (_, response) => {
    response.write("x")
    response.socket!.destroy()
  },
  "/refused": (request) => request.socket.destroy(),
  "/open": (_, response) => {
    response.writeHead(200, { "content-type": "text/plain" })
    response.write("x")
  },
  "/silent": () => {}
}

/** Functions that are called when the connection of a request has closed, by path. */
const closed = new Map<string, () => void>()
const server = createServer((request, response) => {
  request.socket.once("close", () => closed.get(request.url!)?.())
  answers[request.url!]!(request, response)
})
let origin = ""
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(() => {
  server.closeAllConnections()
  server.close()
})

const request = (path: string, more: Partial<Fetcher.Request> = {}): Fetcher.Request => ({
  method: "GET",
  url: `${origin}${path}`,
  headers: { accept: "application/json" },
  maximumBytes: 1000,
  readsBody: () => true,
  ...more
})

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes)

const layers: ReadonlyArray<readonly [string, Layer.Layer<Fetcher.Fetcher>]> = [
  ["fetch", Fetcher.layer],
  ["HttpClient", HttpClientFetcher.layer.pipe(Layer.provide(FetchHttpClient.layer))]
]

describe.each(layers)("a Fetcher on %s", (_, layer) => {
  const send = (path: string, more: Partial<Fetcher.Request> = {}) =>
    Effect.suspend(() => Effect.flatMap(Fetcher.Fetcher, (fetcher) => fetcher.send(request(path, more)))).pipe(
      Effect.provide(layer)
    )

  it.live("sends method, headers and body, and no cookies or trace ids", () =>
    Effect.gen(function*() {
      const response = yield* Effect.withSpan(
        send("/echo", {
          method: "POST",
          headers: { accept: "text/plain", "content-type": "application/x-www-form-urlencoded" },
          body: "token=a+b"
        }),
        "caller"
      )
      assert.strictEqual(response.status, 200)
      assert.strictEqual(response.headers["x-answer"], "yes")
      assert.deepStrictEqual(JSON.parse(text(response.body)), {
        method: "POST",
        accept: "text/plain",
        type: "application/x-www-form-urlencoded",
        body: "token=a+b"
      })
    }))

  it.live("returns a redirect and does not follow it", () =>
    Effect.gen(function*() {
      const { headers, status } = yield* send("/moved")
      assert.isTrue(Fetcher.isRedirect(status))
      assert.strictEqual(headers["location"], "/echo")
    }))

  it.live("reads a body of the maximum size, and an empty one", () =>
    Effect.gen(function*() {
      assert.lengthOf((yield* send("/exact")).body, 1000)
      assert.lengthOf((yield* send("/empty")).body, 0)
    }))

  it.live.each(["/announced", "/chunked"])(
    "fails if the body of %s is larger than the maximum",
    (path) =>
      Effect.gen(function*() {
        assert.strictEqual((yield* Effect.flip(send(path))).reason, "too-large")
      })
  )

  it.live.each(["/refused", "/broken"])("fails if the connection of %s breaks", (path) =>
    Effect.gen(function*() {
      assert.strictEqual((yield* Effect.flip(send(path))).reason, "network")
    }))

  it.live("keeps the code of a failed connection, and no part of the request", () =>
    Effect.gen(function*() {
      const free = createServer()
      yield* Effect.promise(() => new Promise<void>((resolve) => free.listen(0, "127.0.0.1", resolve)))
      const { port } = free.address() as AddressInfo
      yield* Effect.promise(() => new Promise((resolve) => free.close(resolve)))
      const codes: Array<unknown> = []
      for (const url of [`http://127.0.0.1:${port}/secret`, "http://unknown.test/secret", `${origin}/refused`]) {
        const error = yield* Effect.flip(send("", { url }))
        codes.push(error.code)
        assert.deepStrictEqual(Object.keys(error).filter((_) => !["_tag", "code", "reason", "name"].includes(_)), [])
        assert.isUndefined(error.cause)
      }
      assert.deepStrictEqual(codes, ["ECONNREFUSED", "ENOTFOUND", "UND_ERR_SOCKET"])
    }))

  it.live("names the code ERR_BAD_PORT for a port to which fetch sends no requests", () =>
    Effect.gen(function*() {
      const request = {
        method: "GET",
        url: "http://127.0.0.1:6000/",
        headers: {},
        maximumBytes: 1,
        readsBody: () => true
      } as const
      const error = yield* Effect.flip(Fetcher.make(fetch).send(request))
      assert.deepStrictEqual([error.reason, error.code], ["network", "ERR_BAD_PORT"])
    }))

  it.effect("keeps the code of Bun for a connection that no process accepts", () =>
    Effect.sync(() => {
      const error = Object.assign(new Error("Unable to connect"), { code: "ConnectionRefused" })
      assert.strictEqual(Fetcher.networkError(error).code, "ConnectionRefused")
    }))

  it.live("does not read a body that is not needed", () =>
    Effect.gen(function*() {
      const heads: Array<Fetcher.Head> = []
      const { body, status } = yield* send("/open", {
        readsBody: (head) => {
          heads.push(head)
          return false
        }
      })
      assert.strictEqual(status, 200)
      assert.lengthOf(body, 0)
      assert.deepStrictEqual(heads.map((head) => [head.status, head.headers["content-type"]]), [[200, "text/plain"]])
    }))

  it.live.each(["/silent", "/open"])(
    "closes the connection of %s when it is interrupted",
    (path) =>
      Effect.gen(function*() {
        const ended = new Promise<void>((resolve) => closed.set(path, resolve))
        const arrived = new Promise<void>((resolve) => server.once("request", () => resolve()))
        const fiber = yield* Effect.forkChild(send(path))
        yield* Effect.promise(() => arrived)
        const exit = yield* Effect.andThen(Fiber.interrupt(fiber), Fiber.await(fiber))
        assert.isTrue(Exit.isFailure(exit))
        yield* Effect.promise(() => ended)
      })
  )
})

/** Creates a `Fetcher` from a function, and records the options of its calls. */
const recording = (answer: () => Response | Promise<Response>) => {
  const inits: Array<RequestInit | undefined> = []
  const fetcher = Fetcher.make(async (_, init) => {
    inits.push(init)
    return answer()
  })
  return { inits, fetcher }
}

const done = (deferred: Deferred.Deferred<void>): void => void Deferred.doneUnsafe(deferred, Effect.void)

describe("a Fetcher on a function of the author", () => {
  it.effect("requests that redirects are not followed and that no cookies are sent", () =>
    Effect.gen(function*() {
      const { fetcher, inits } = recording(() => new Response("x"))
      yield* fetcher.send(request("/"))
      assert.deepStrictEqual(inits.map((init) => [init?.redirect, init?.credentials]), [["manual", "omit"]])
    }))

  it.effect("releases the body that it does not read, and the one that is too large", () =>
    Effect.gen(function*() {
      let cancelled = 0
      const { fetcher } = recording(() =>
        new Response(
          new ReadableStream({
            pull: (controller) => controller.enqueue(new Uint8Array(600)),
            cancel: () => void cancelled++
          })
        )
      )
      yield* fetcher.send(request("/", { readsBody: () => false }))
      assert.strictEqual(cancelled, 1)
      assert.strictEqual((yield* Effect.flip(fetcher.send(request("/")))).reason, "too-large")
      assert.strictEqual(cancelled, 2)
    }))

  it.effect("cancels the body when it is interrupted, even if the function ignores the signal", () =>
    Effect.gen(function*() {
      const started = yield* Deferred.make<void>()
      const cancelled = yield* Deferred.make<void>()
      const { fetcher } = recording(() =>
        new Response(new ReadableStream({ pull: () => done(started), cancel: () => done(cancelled) }))
      )
      const fiber = yield* Effect.forkChild(fetcher.send(request("/")))
      yield* Deferred.await(started)
      yield* Fiber.interrupt(fiber)
      yield* Deferred.await(cancelled)
    }))

  it.effect.each<readonly [string, typeof globalThis.fetch]>([
    ["throws", () => {
      throw new Error("a bug")
    }],
    ["rejects", () => Promise.reject(new Error("no connection"))],
    ["returns another value", () => Promise.resolve(undefined as never)]
  ])("fails like a connection if the function %s", ([, fetch]) =>
    Effect.gen(function*() {
      assert.strictEqual((yield* Effect.flip(Fetcher.make(fetch).send(request("/")))).reason, "network")
    }))
})

describe("the option fetch", () => {
  const options = (issuer: string) => ({
    resource: "https://server.test/mcp",
    authorizationServers: [issuer] as const,
    scopes: ["todos:read"] as const
  })
  const hosts = { "McpAuthFetch.make": McpAuthFetch.make, "McpAuthNode.make": McpAuthNode.make }

  it("sends the requests of McpAuthFetch.make to the authorization server", async () => {
    const issuer = await TestIssuer.start()
    const auth = await McpAuthFetch.make({ ...options(issuer.issuer), fetch: issuer.fetch })
    const handler = auth.protectRoute((_, { principal }) => new Response(principal.subject))
    const token = await issuer.mint({ scopes: ["todos:read"] })
    const response = await handler(
      new Request("https://server.test/mcp", { headers: { authorization: `Bearer ${token}` } })
    )
    assert.strictEqual(await response.text(), "alice")
    assert.isNotEmpty(await issuer.requests())
    await auth.dispose()
  })

  it.each(Object.entries(hosts))("rejects %s, which is not a function", async (_, make) => {
    const error: unknown = await make({ ...options("https://issuer.test"), fetch: "https://proxy.test" as never })
      .catch(
        (error: unknown) => error
      )
    assert.deepInclude(error, { _tag: "AuthConfigError", reason: "malformed", option: "fetch" })
  })

  it("is unknown to AuthLayer, which takes an HttpClient", () => {
    const wrong = { ...options("https://issuer.test"), fetch: globalThis.fetch }
    return Effect.runPromise(Effect.scoped(Effect.gen(function*() {
      const error = yield* Effect.flip(
        Layer.build(gateLayer(wrong as never).pipe(Layer.provide(FetchHttpClient.layer)))
      )
      assert.deepInclude(error, { _tag: "AuthConfigError", option: "fetch" })
    })))
  })
})
