/**
 * Tests requests of browsers: CORS middleware in front of the gate, preflights on Node, and `Host` headers of unusual requests.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { McpAuthFetch } from "effect-mcp-auth/fetch"
import { McpAuthNode } from "effect-mcp-auth/node"
import { TestIssuer } from "effect-mcp-auth/testing"
import type { HttpClient } from "effect/http"
import express5 from "express"
// @ts-expect-error The package `express4` has no types. The code below uses the types of Express 5.
import express4 from "express4"
import { Hono } from "hono"
import { cors as honoCors } from "hono/cors"
import { createServer, type RequestListener } from "node:http"
import * as Http2 from "node:http2"
import { type AddressInfo, connect, type Server } from "node:net"
import { fetcherWith } from "./gates.ts"

const app = "https://app.test"
const { client, issuer } = await Effect.runPromise(TestIssuer.make({ resource: "https://server.test/mcp" }))
const local = await Effect.runPromise(TestIssuer.make({ resource: "http://localhost:3000/mcp" }))
const token = await Effect.runPromise(issuer.mint({ scopes: ["todos:read"] }))
const localToken = await Effect.runPromise(local.issuer.mint({ scopes: ["todos:read"] }))

const services = (resource: string, own: HttpClient.HttpClient = client) =>
  ({
    resource,
    authorizationServers: [issuer.issuer],
    scopes: ["todos:read"],
    allowedOrigins: [app],
    layer: fetcherWith(own)
  }) as const

const make = () => McpAuthNode.make(services("https://server.test/mcp"))

const serve = async (server: Server) => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const { port } = server.address() as AddressInfo
  return {
    port,
    url: `http://127.0.0.1:${port}/mcp`,
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => void server.close(() => resolve()))
  }
}

const preflight = (url: string, origin: string, more: Record<string, string> = {}) =>
  fetch(url, {
    method: "OPTIONS",
    headers: { origin, "access-control-request-method": "POST", connection: "close", ...more }
  })

const get = (url: string, more: Record<string, string> = {}) =>
  fetch(url, { headers: { connection: "close", ...more } })

describe.each([["Express 5", express5], ["Express 4", express4 as typeof express5]] as const)("%s", (_, express) => {
  const guards = {
    "protect under app.use": (auth: McpAuthNode.McpAuthNode<"todos:read">, ran: RequestListener) =>
      express().use("/mcp", auth.protect()).use("/mcp", ran as never),
    "protect under app.all": (auth: McpAuthNode.McpAuthNode<"todos:read">, ran: RequestListener) =>
      express().all("/mcp", auth.protect(), ran as never),
    "protectRoute under app.use": (auth: McpAuthNode.McpAuthNode<"todos:read">, ran: RequestListener) =>
      express().use("/mcp", auth.protectRoute()).use("/mcp", ran as never),
    "protectRoute under app.all": (auth: McpAuthNode.McpAuthNode<"todos:read">, ran: RequestListener) =>
      express().all("/mcp", auth.protectRoute(), ran as never),
    "protectRoute in app.options": (auth: McpAuthNode.McpAuthNode<"todos:read">, ran: RequestListener) =>
      express().options("/mcp", auth.protectRoute(), ran as never),
    "protect called by a listener": (auth: McpAuthNode.McpAuthNode<"todos:read">, ran: RequestListener) => {
      const guard = auth.protect()
      return (async (req, res) => {
        if (await guard(req, res)) ran(req, res)
      }) as RequestListener
    },
    "protectRoute called by a listener": (auth: McpAuthNode.McpAuthNode<"todos:read">, ran: RequestListener) => {
      const guard = auth.protectRoute()
      return (async (req, res) => {
        if (await guard(req, res)) ran(req, res)
      }) as RequestListener
    }
  }

  it.each(Object.keys(guards) as ReadonlyArray<keyof typeof guards>)(
    "[T-AUD-02a] a preflight runs no handler behind %s",
    async (name) => {
      await using auth = await make()
      let ran = 0
      const listener = guards[name](auth, (_, res) => {
        ran++
        res.end("ran")
      })
      await using server = await serve(createServer(listener))
      for (const origin of ["https://server.test", app]) {
        for (const more of [{}, { authorization: `Bearer ${token}` }] as const) {
          const answer = await preflight(server.url, origin, more)
          assert.deepStrictEqual([answer.status, await answer.text()], [204, ""])
          assert.strictEqual(answer.headers.get("access-control-allow-origin"), origin)
        }
      }
      assert.strictEqual((await preflight(server.url, "https://evil.test")).status, 403)
      const plain = await fetch(server.url, { method: "OPTIONS", headers: { connection: "close" } })
      assert.strictEqual(plain.status, 401)
      assert.strictEqual(ran, 0)
      const headers = { authorization: `Bearer ${token}`, connection: "close" }
      assert.strictEqual(await (await fetch(server.url, { method: "OPTIONS", headers })).text(), "ran")
    }
  )

  it("[T-AUD-02a] the preflight option answers in place of the gate, and next does not run", async () => {
    await using auth = await make()
    let ran = 0
    const answer = (text: string) => (_: unknown, res: { end(data?: string): unknown }) => res.end(text)
    const server_ = express()
      .all("/mcp", auth.protect({ preflight: answer("own") }), () => void ran++)
      .all("/route", auth.protectRoute({ preflight: async (_, res) => res.end("own route") }), () => void ran++)
    await using server = await serve(createServer(server_))
    assert.strictEqual(await (await preflight(server.url, app)).text(), "own")
    assert.strictEqual(await (await preflight(server.url.replace("/mcp", "/route"), app)).text(), "own route")
    assert.strictEqual((await preflight(server.url, "https://evil.test")).status, 403)
    assert.strictEqual(ran, 0)
  })

  it("[T-AUD-02b] behind a CORS middleware no header is doubled, and those of the middleware stay", async () => {
    await using auth = await make()
    const server_ = express()
      .use((req, res, next) => {
        res.setHeader("access-control-allow-origin", req.headers.origin ?? "*")
        res.setHeader("access-control-allow-credentials", "true")
        res.setHeader("access-control-expose-headers", "X-Own, www-authenticate")
        res.setHeader("vary", "Accept-Encoding, origin")
        if (req.method === "OPTIONS" && req.headers["x-answer"] !== undefined) return void res.status(200).end("theirs")
        next()
      })
      .all("/mcp", auth.protect(), (_, res) => void res.end("ran"))
    await using server = await serve(createServer(server_))
    const rejected = await get(server.url, { origin: app })
    assert.strictEqual(rejected.status, 401)
    assert.strictEqual(rejected.headers.get("access-control-allow-origin"), app)
    assert.strictEqual(rejected.headers.get("access-control-expose-headers"), "X-Own, www-authenticate")
    assert.strictEqual(rejected.headers.get("vary"), "Accept-Encoding, origin")
    const passed = await preflight(server.url, app)
    assert.deepStrictEqual([passed.status, passed.headers.get("access-control-allow-origin")], [204, app])
    assert.strictEqual(passed.headers.get("vary"), "Accept-Encoding, origin, Access-Control-Request-Headers")
    assert.strictEqual(passed.headers.get("access-control-allow-credentials"), "true")
    const theirs = await preflight(server.url, app, { "x-answer": "1" })
    assert.deepStrictEqual([theirs.status, await theirs.text()], [200, "theirs"])
    const admitted = await get(server.url, { origin: app, authorization: `Bearer ${token}` })
    assert.deepStrictEqual([await admitted.text(), admitted.headers.get("access-control-allow-origin")], ["ran", app])
  })
})

describe("Hono", () => {
  it("[T-AUD-02b] behind its CORS middleware no header is doubled, and preflights are answered by it", async () => {
    await using auth = await McpAuthFetch.make(services("https://server.test/mcp"))
    const hono = new Hono()
    hono.use(honoCors({ origin: [app], exposeHeaders: ["X-Own", "WWW-Authenticate"], allowHeaders: ["x-theirs"] }))
    hono.all("/mcp", (c) => auth.protectRoute(() => new Response("ran"))(c.req.raw))
    const url = "https://server.test/mcp"
    const rejected = await hono.fetch(new Request(url, { headers: { origin: app } }))
    assert.strictEqual(rejected.status, 401)
    assert.strictEqual(rejected.headers.get("access-control-allow-origin"), app)
    // Hono's middleware adds `Origin` without checking that `Vary` already contains it.
    assert.strictEqual(rejected.headers.get("vary"), "Origin, Origin")
    assert.include(rejected.headers.get("access-control-expose-headers"), "WWW-Authenticate")
    const headers = { origin: app, "access-control-request-method": "POST" }
    const passed = await hono.fetch(new Request(url, { method: "OPTIONS", headers }))
    assert.deepStrictEqual([passed.status, passed.headers.get("access-control-allow-headers")], [204, "x-theirs"])
  })
})

describe("the Host of odd requests on Node", () => {
  const makeLocal = () => McpAuthNode.make(services("http://localhost:3000/mcp", local.client))
  const listener = (auth: McpAuthNode.McpAuthNode<"todos:read">): RequestListener => {
    const route = auth.protectRoute()
    return async (req, res) => {
      if (await route(req, res)) res.end("ran")
    }
  }
  const raw = (port: number, text: string) =>
    new Promise<string>((resolve, reject) => {
      const socket = connect(port, "127.0.0.1")
      let answer = ""
      socket.on("data", (data) => (answer += String(data))).on("close", () => resolve(answer)).on("error", reject)
      socket.write(text)
    })
  const authorization = `Authorization: Bearer ${localToken}\r\nConnection: close\r\n\r\n`

  it.each([
    ["HTTP/1.0 without Host", "GET /mcp HTTP/1.0\r\n", "403"],
    ["HTTP/1.0 with an empty Host", "GET /mcp HTTP/1.0\r\nHost:\r\n", "403"],
    ["HTTP/1.0 with the allowed Host", "GET /mcp HTTP/1.0\r\nHost: localhost\r\n", "200"],
    ["an absolute target elsewhere", "GET http://evil.test/mcp HTTP/1.1\r\nHost: localhost\r\n", "403"],
    ["an absolute target and a foreign Host", "GET http://localhost/mcp HTTP/1.1\r\nHost: evil.test\r\n", "403"],
    ["an absolute target with a user", "GET http://localhost@evil.test/mcp HTTP/1.1\r\nHost: localhost\r\n", "403"],
    [
      "an absolute target with the allowed host",
      "GET http://localhost:3000/mcp HTTP/1.1\r\nHost: 127.0.0.1\r\n",
      "200"
    ],
    ["a path that looks like a target", "GET //evil.test/mcp HTTP/1.1\r\nHost: localhost\r\n", "200"],
    ["two lines, both foreign", "GET /mcp HTTP/1.1\r\nHost: evil.test\r\nHost: evil.test\r\n", "403"],
    ["two lines, the first allowed", "GET /mcp HTTP/1.1\r\nHost: localhost\r\nHost: evil.test\r\n", "403"],
    ["two lines, the last allowed", "GET /mcp HTTP/1.1\r\nHost: evil.test\r\nhOST: localhost\r\n", "403"]
  ])("[T-AUD-18a] %s, with a token that was just accepted", async (_, head, status) => {
    await using auth = await makeLocal()
    await using server = await serve(createServer({ requireHostHeader: false }, listener(auth)))
    assert.match(await raw(server.port, `GET /mcp HTTP/1.1\r\nHost: localhost\r\n${authorization}`), /^HTTP\/1\.1 200 /)
    const answer = await raw(server.port, `${head}${authorization}`)
    // Node itself can reject two `Host` header lines with 400, before the gate runs.
    if (head.match(/^host:/gim)?.length === 2) assert.match(answer, /^HTTP\/1\.1 40[03] /)
    else assert.strictEqual(answer.split(" ")[1], status)
  })

  it("[T-AUD-18a] :authority of HTTP/2, with and without Host", async () => {
    await using auth = await makeLocal()
    await using server = await serve(Http2.createServer(listener(auth) as never) as unknown as Server)
    const session = Http2.connect(`http://127.0.0.1:${server.port}`)
    const status = (headers: Http2.OutgoingHttpHeaders) =>
      new Promise<number>((resolve, reject) => {
        const stream = session.request({ ":path": "/mcp", authorization: `Bearer ${localToken}`, ...headers })
        stream.on("response", (answer) => resolve(Number(answer[":status"]))).on("error", reject)
        stream.resume()
      })
    assert.strictEqual(await status({ ":authority": "localhost:3000" }), 200)
    assert.strictEqual(await status({ ":authority": "localhost:3000", host: "127.0.0.1" }), 200)
    assert.strictEqual(await status({ ":authority": "evil.test" }), 403)
    assert.strictEqual(await status({ ":authority": "localhost", host: "evil.test" }), 403)
    assert.strictEqual(await status({ ":authority": "evil.test", host: "localhost" }), 403)
    session.close()
  })
})
