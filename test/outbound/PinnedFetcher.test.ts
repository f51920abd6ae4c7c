/** The connections of a client follow what its checks have seen of a host. The servers and connections are real. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as http from "node:http"
import * as https from "node:https"
import type { AddressInfo } from "node:net"
import * as AddressGuard from "../../src/outbound/AddressGuard.ts"
import type * as Fetcher from "../../src/outbound/Fetcher.ts"
import * as nodeFetcher from "../../src/outbound/NodeFetcher.ts"
import * as pinnedFetcher from "../../src/outbound/PinnedFetcher.ts"

const modules = { http, https } as unknown as nodeFetcher.Modules

const isPublic = "93.184.216.34"

/** Creates a fetcher whose names have the addresses that `answers` contains, and records those that connections use. */
const pinned = (answers: Record<string, ReadonlyArray<string>>) => {
  const connected: Array<readonly [string, ReadonlyArray<string>]> = []
  let lookups = 0
  /** Passes the look-up of a connection on, without a connection. */
  const request: nodeFetcher.NodeHttp["request"] = (url, options) => {
    const { hostname } = new URL(url)
    let fail: (error: unknown) => void = () => {}
    return {
      on: (event, listener) => {
        if (event === "error") fail = listener
      },
      end: () => {
        const lookup = options["lookup"] as AddressGuard.Lookup
        lookup(hostname, { all: true }, (error, found: ReadonlyArray<AddressGuard.Address>) => {
          if (error === null) connected.push([hostname, found.map(({ address }) => address)])
          fail(error ?? Object.assign(new Error("no connection in this test"), { code: "ECONNREFUSED" }))
        })
      },
      destroy: () => {}
    }
  }
  const made = pinnedFetcher.make({ http: { request }, https: { request } }, (name) =>
    Effect.sync(() => {
      lookups++
      return answers[name] ?? []
    }))
  const connect = (url: string) =>
    Effect.map(Effect.flip(send(made.fetcher, url)), ({ code, reason }) => code ?? reason)
  const check = (name: string) => Effect.provideService(AddressGuard.reach(name), AddressGuard.Resolver, made.resolve)
  return { answers, check, connect, connected, lookups: () => lookups }
}

const send = (fetcher: Fetcher.Fetcher["Service"], url: string, more: Partial<Fetcher.Request> = {}) =>
  fetcher.send({ method: "GET", url, headers: {}, maximumBytes: 1_000, readsBody: () => true, ...more })

describe("a host that was public", () => {
  it.effect("2: is reached at no other address, whether a check or a connection saw it first", () =>
    Effect.gen(function*() {
      for (const first of ["check", "connection"] as const) {
        const { answers, check, connect, connected } = pinned({ "a.example": [isPublic] })
        yield* first === "check" ? check("a.example") : connect("https://a.example/")
        connected.length = 0
        for (const rebound of [["127.0.0.1"], ["10.0.0.1"], ["169.254.169.254"], ["::1"], [isPublic, "127.0.0.1"]]) {
          answers["a.example"] = rebound
          assert.strictEqual(yield* connect("https://a.example/"), "EREBOUND", rebound.join())
        }
        answers["a.example"] = ["93.184.216.35"]
        assert.strictEqual(yield* connect("https://a.example/"), "ECONNREFUSED")
        assert.deepStrictEqual(connected, [["a.example", ["93.184.216.35"]]])
      }
    }))

  it.effect("2: cannot pass for a host in the network of the client", () =>
    Effect.gen(function*() {
      const { answers, check, connect } = pinned({ "a.example": [isPublic] })
      yield* connect("https://a.example/")
      answers["a.example"] = ["10.0.0.1"]
      assert.strictEqual(yield* check("a.example"), "public")
    }))

  it.effect("stays public for a check whose look-up would not end", () =>
    Effect.gen(function*() {
      const { check, lookups } = pinned({ "a.example": [isPublic] })
      yield* check("a.example")
      yield* check("a.example")
      assert.strictEqual(lookups(), 1)
    }))
})

describe("a host in the network of the client", () => {
  it.effect("is reached, and may move to a public address", () =>
    Effect.gen(function*() {
      const { answers, check, connect, connected } = pinned({ "auth.corp.example": ["10.0.0.1"] })
      assert.strictEqual(yield* connect("https://auth.corp.example/"), "ECONNREFUSED")
      assert.strictEqual(yield* check("auth.corp.example"), "private")
      answers["auth.corp.example"] = [isPublic]
      assert.strictEqual(yield* connect("https://auth.corp.example/"), "ECONNREFUSED")
      assert.strictEqual(yield* check("auth.corp.example"), "public")
      assert.deepStrictEqual(connected.map(([, addresses]) => addresses), [["10.0.0.1"], [isPublic]])
    }))

  it.effect("2: is reached at its private addresses only, so a public server with a private address in its DNS is not reached", () =>
    Effect.gen(function*() {
      const { check, connect, connected } = pinned({ "a.example": [isPublic, "10.0.0.1"] })
      yield* connect("https://a.example/")
      assert.deepStrictEqual(connected, [["a.example", ["10.0.0.1"]]])
      assert.strictEqual(yield* check("a.example"), "private")
    }))

  it.effect("2: needs a public address if the client knows thousands of hosts already", () =>
    Effect.gen(function*() {
      const { answers, check, connect } = pinned({})
      for (let index = 0; index < 4_096; index++) {
        answers[`a${index}.example`] = [isPublic]
        yield* check(`a${index}.example`)
      }
      answers["b.example"] = ["10.0.0.1"]
      assert.strictEqual(yield* connect("https://b.example/"), "ETOOMANYHOSTS")
      answers["a0.example"] = ["10.0.0.1"]
      assert.strictEqual(yield* connect("https://a0.example/"), "EREBOUND")
      answers["b.example"] = [isPublic]
      assert.strictEqual(yield* connect("https://b.example/"), "ECONNREFUSED")
    }))
})

it.effect("plain http reaches loopback only, and loopback names are never looked up", () =>
  Effect.gen(function*() {
    const { answers, connect, connected, lookups } = pinned({ "a.example": [isPublic] })
    assert.strictEqual(yield* connect("http://a.example/"), "not-allowed")
    assert.strictEqual(yield* connect("http://10.0.0.1/"), "not-allowed")
    answers["todos.localhost"] = [isPublic]
    for (const name of ["localhost", "todos.localhost"]) {
      assert.strictEqual(yield* connect(`http://${name}/`), "ECONNREFUSED")
    }
    assert.deepStrictEqual(connected.map(([, addresses]) => addresses), [["127.0.0.1", "::1"], ["127.0.0.1", "::1"]])
    assert.strictEqual(lookups(), 0)
  }))

it.effect("a host without an address is not found", () =>
  Effect.gen(function*() {
    assert.strictEqual(yield* pinned({}).connect("https://a.example/"), "ENOTFOUND")
  }))

describe("requests on loopback", () => {
  const listen = (handler: http.RequestListener) =>
    Effect.acquireRelease(
      Effect.callback<http.Server>((resume) => {
        const server = http.createServer(handler)
        server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
      }),
      (server) => Effect.callback<void>((resume) => void server.close(() => resume(Effect.void)))
    )

  it.live("send method, headers and body, read a limited part of the response, and follow no redirect", () =>
    Effect.gen(function*() {
      const received: Array<unknown> = []
      const server = yield* listen(async (request, response) => {
        let body = ""
        for await (const chunk of request) body += chunk
        const { accept, "content-length": length, "user-agent": agent } = request.headers
        received.push([request.method, request.url, accept, agent, length, body])
        if (request.url === "/moved") response.writeHead(302, { location: "/other" }).end()
        else if (request.url === "/large") response.end("x".repeat(1_001))
        else response.writeHead(201, { "x-a": "1" }).end("found")
      })
      const { port } = server.address() as AddressInfo
      const { fetcher } = pinnedFetcher.make(modules, () => Effect.fail("no look-up"))
      const response = yield* send(fetcher, `http://localhost:${port}/token`, {
        method: "POST",
        headers: { accept: "application/json" },
        body: "ä=1"
      })
      assert.strictEqual(response.status, 201)
      assert.strictEqual(response.headers["x-a"], "1")
      assert.strictEqual(new TextDecoder().decode(response.body), "found")
      assert.deepStrictEqual(received, [["POST", "/token", "application/json", "effect-mcp-auth", "4", "ä=1"]])
      assert.strictEqual((yield* send(fetcher, `http://127.0.0.1:${port}/moved`)).status, 302)
      assert.strictEqual((yield* Effect.flip(send(fetcher, `http://127.0.0.1:${port}/large`))).reason, "too-large")
      assert.lengthOf(received, 3)
    }))

  it.live("end with their fiber, and when the server ends the connection", () =>
    Effect.gen(function*() {
      const closed: Array<string> = []
      const server = yield* listen((request, response) => {
        response.on("close", () => closed.push(request.url!))
        if (request.url === "/half") {
          response.writeHead(200, { "content-length": 10 }).write("half")
          setImmediate(() => response.destroy())
        }
      })
      const { port } = server.address() as AddressInfo
      const { fetcher } = pinnedFetcher.make(modules, () => Effect.fail("no look-up"))
      const error = yield* Effect.flip(send(fetcher, `http://127.0.0.1:${port}/half`))
      assert.strictEqual(error.code, "ECONNRESET")
      yield* Effect.flip(Effect.timeout(send(fetcher, `http://127.0.0.1:${port}/never`), "100 millis"))
      while (closed.length < 2) yield* Effect.sleep("5 millis")
    }))
})

describe("the sender of a client", () => {
  it.effect("is a fetch that the author gives, as it is", () =>
    Effect.gen(function*() {
      const urls: Array<string> = []
      const { fetcher } = yield* pinnedFetcher.forClient((input) => {
        urls.push(String(input))
        return Promise.resolve(new Response("found"))
      })
      assert.strictEqual((yield* send(fetcher, "https://10.0.0.1/")).status, 200)
      assert.deepStrictEqual(urls, ["https://10.0.0.1/"])
    }))

  it.effect("is the fetch of a platform whose connections cannot be checked", () =>
    Effect.gen(function*() {
      const sender = yield* Effect.provideService(
        pinnedFetcher.forClient(undefined),
        nodeFetcher.NodeModules,
        undefined
      )
      const error = yield* Effect.flip(send(sender.fetcher, "https://10.0.0.1:1/"))
      assert.strictEqual(error.code, "ERR_BAD_PORT")
    }))
})
