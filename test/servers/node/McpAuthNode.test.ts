import { afterEach, assert, beforeEach, describe, it, onTestFinished, vi } from "@effect/vitest"
import { Clock, Duration, Effect, Layer, Tracer } from "effect"
import type { AuthLayer } from "effect-mcp-auth"
import { Decision } from "effect-mcp-auth"
import { McpAuthNode } from "effect-mcp-auth/node"
import { TestIssuer } from "effect-mcp-auth/testing"
import { HttpClient } from "effect/http"
import express5 from "express"
// @ts-expect-error The package `express4` has no types. The code below uses the types of Express 5.
import express4 from "express4"
import {
  createServer,
  type IncomingMessage,
  request as nodeRequest,
  type RequestListener,
  type ServerResponse
} from "node:http"
import * as http2 from "node:http2"
import type { AddressInfo, Socket } from "node:net"
import { fetcherWith } from "../gates.ts"

const resource = "https://server.test/mcp"
const { client, issuer } = await Effect.runPromise(TestIssuer.make({ resource }))
const fetcher = fetcherWith(client)
const mint = (options: TestIssuer.TokenOptions = {}) => Effect.runPromise(issuer.mint(options))

const make = (more: Omit<AuthLayer.Common<AuthLayer.Scopes>, "scopes" | "claims"> = {}) =>
  McpAuthNode.make({
    ...more,
    resource,
    authorizationServers: [issuer.issuer],
    scopes: { baseline: ["todos:read"], stepUp: ["todos:write"] },
    layer: fetcher
  })

/** Listens on a free port. The server closes when it is disposed, at the end of the test. */
const listen = async (listener: RequestListener) => {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const sockets = new Set<Socket>()
  server.on("connection", (socket) => sockets.add(socket))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    }
  }
}

const call = (name: string) => JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name } })

const post = (url: string, token: string | undefined, body: string, headers: Record<string, string> = {}) =>
  fetch(url, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...headers
    },
    body
  })

/** Sends a GET request over HTTP/1.1 or HTTP/2. Returns the status, if there is a response, and a function that leaves. */
const getOver = (version: "HTTP/1.1" | "HTTP/2", url: string, token: string) => {
  const headers = { accept: "text/event-stream", authorization: `Bearer ${token}` }
  if (version === "HTTP/1.1") {
    const request = nodeRequest(url, { headers, agent: false })
    const status = new Promise<number>((resolve) => request.on("response", (_) => resolve(_.statusCode!)))
    request.on("error", () => {})
    request.end()
    return { status, leave: () => void request.destroy() }
  }
  const session = http2.connect(url)
  const stream = session.request({ ":path": "/mcp", ...headers })
  const status = new Promise<number>((resolve) => stream.on("response", (_) => resolve(Number(_[":status"]))))
  stream.on("error", () => {})
  stream.end()
  return { status, leave: () => session.destroy() }
}

describe.each(["HTTP/1.1", "HTTP/2"] as const)("streams over %s", (version) => {
  it("[T-STREAM-02] count until their client leaves or the handler ends them, and not if the client left before", async () => {
    await using auth = await make({ streamsPerCaller: 1 })
    const guard = auth.protect()
    const token = await mint()
    let handler: (res: ServerResponse) => Promise<void> = async () => {}
    const listener = async (req: IncomingMessage, res: ServerResponse) => {
      if (await guard(req, res) !== undefined) await handler(res)
    }
    const server = version === "HTTP/1.1" ? createServer(listener) : http2.createServer(listener as never)
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    onTestFinished(() => void server.close())
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`
    const statusOf = async () => {
      handler = async (res) => void res.end("ran")
      const { leave, status } = getOver(version, url, token)
      const answered = await status
      leave()
      return answered
    }
    const begin = (res: ServerResponse) => {
      res.writeHead(200, { "content-type": "text/event-stream" })
      res.write(": open\n\n")
    }

    const entered = new Promise<{ readonly begun: Promise<void> }>((resolveEntered) => {
      handler = async (res) => {
        const closed = new Promise<void>((resolve) => res.on("close", () => resolve()))
        resolveEntered({ begun: closed.then(() => begin(res)) })
      }
    })
    const early = getOver(version, url, token)
    const { begun } = await entered
    early.leave()
    await begun
    assert.strictEqual(await statusOf(), 200)

    for (const isEndedByHandler of [true, false]) {
      let response: ServerResponse
      handler = async (res) => {
        response = res
        begin(res)
      }
      const { leave, status } = getOver(version, url, token)
      assert.strictEqual(await status, 200)
      assert.strictEqual(await statusOf(), 429)
      if (isEndedByHandler) response!.end()
      else leave()
      await vi.waitFor(async () => assert.strictEqual(await statusOf(), 200))
      leave()
    }
  })
})

const needsWrite = { policy: () => ({ scopes: ["todos:write"] as const }) }

let unhandled: Array<unknown> = []
const note = (reason: unknown) => {
  unhandled.push(reason)
}
beforeEach(() => {
  unhandled = []
  process.on("unhandledRejection", note)
  process.on("uncaughtExceptionMonitor", note)
})
afterEach(async () => {
  await new Promise((resolve) => setImmediate(resolve))
  process.off("unhandledRejection", note)
  process.off("uncaughtExceptionMonitor", note)
  assert.deepStrictEqual(unhandled, [])
  await Effect.runPromise(issuer.recover)
})

const frameworks = [
  { version: "4", framework: express4 as unknown as typeof express5 },
  { version: "5", framework: express5 }
]

describe.each(frameworks)("Express $version", ({ framework }) => {
  it.each(
    [
      ["json", () => framework.json()],
      ["text", () => framework.text({ type: "application/json" })],
      ["raw", () => framework.raw({ type: "application/json" })],
      ["none", undefined]
    ] as const
  )("checks the body that an earlier parser has set: %s", async (_, parser) => {
    await using auth = await make()
    const app = framework()
    if (parser !== undefined) app.use(parser())
    app.post("/mcp", auth.protect({ policy: ({ target }) => target === "add_todo" ? { scopes: ["todos:write"] } : {} }))
    app.post("/mcp", (req, res) => {
      res.json(req.body)
    })
    await using server = await listen(app)
    const token = await mint({ scopes: ["todos:read"] })
    assert.strictEqual((await post(server.url, token, call("add_todo"))).status, 403)
    assert.deepStrictEqual(
      await (await post(server.url, token, call("list_todos"))).json(),
      JSON.parse(call("list_todos"))
    )
    assert.strictEqual((await post(server.url, undefined, call("list_todos"))).status, 401)
  })

  it("reads the body itself if a parser sets one without reading it", async () => {
    await using auth = await make()
    const app = framework()
    // On Express 4, this parser sets `req.body` to an empty object if it does not support the content type.
    app.use(framework.urlencoded({ extended: false }))
    app.use((req, _res, next) => {
      req.body ??= {}
      next()
    })
    let ran = false
    app.post("/mcp", auth.protect(needsWrite), (_req, res) => {
      ran = true
      res.end()
    })
    await using server = await listen(app)
    assert.strictEqual((await post(server.url, await mint({ scopes: ["todos:read"] }), call("add_todo"))).status, 403)
    assert.isFalse(ran)
  })

  it("rejects a body that was read and not kept", async () => {
    await using auth = await make()
    const app = framework()
    app.use((req, _res, next) => {
      req.resume()
      req.on("end", () => next())
    })
    app.post("/mcp", auth.protect(), (_req, res) => {
      res.end("ran")
    })
    await using server = await listen(app)
    const answer = await post(server.url, await mint(), call("add_todo"))
    assert.deepStrictEqual([answer.status, (await answer.json() as { error: string }).error], [500, "server_error"])
  })

  it("a later parser finds a parsed body", async () => {
    await using auth = await make()
    const app = framework()
    app.post("/mcp", auth.protect(), framework.json(), framework.urlencoded({ extended: true }), (req, res) => {
      res.json(req.body)
    })
    await using server = await listen(app)
    const answer = await post(server.url, await mint(), call("list_todos"))
    assert.deepStrictEqual(await answer.json(), JSON.parse(call("list_todos")))
  })

  it("sets req.auth to the caller, and removes any earlier value", async () => {
    await using auth = await make({ anonymous: "allow-unscoped", allowedOrigins: ["https://app.test"] })
    const app = framework()
    let seen: Array<unknown> = []
    app.use((req, res, next) => {
      Object.assign(req, { auth: { token: "forged", clientId: "forged", scopes: ["todos:write"] } })
      res.on("finish", () => seen.push((req as { auth?: unknown }).auth))
      next()
    })
    app.use("/mcp", auth.protect({ policy: ({ target }) => target === "open" ? {} : { scopes: ["todos:read"] } }))
    app.use((req, res) => {
      res.json([(req as { auth?: unknown }).auth ?? null, auth.principalOf(req)?.owner ?? null])
    })
    await using server = await listen(app)
    assert.deepStrictEqual(await (await post(server.url, undefined, call("open"))).json(), [null, null])
    await fetch(server.url, {
      method: "OPTIONS",
      headers: { origin: "https://app.test", "access-control-request-method": "POST" }
    })
    assert.strictEqual((await post(server.url, undefined, call("list_todos"))).status, 401)
    assert.strictEqual((await post(server.url, "garbage", call("open"))).status, 401)
    // One entry for each of the four requests above. The second is a preflight, which has no caller, and the gate removes the
    // value of the other middleware there, too.
    assert.deepStrictEqual(seen, [undefined, undefined, undefined, undefined])

    seen = []
    const token = await mint({ scopes: ["todos:read"] })
    const [info, owner] = await (await post(server.url, token, call("list_todos"))).json() as [
      McpAuthNode.AuthInfo,
      string
    ]
    assert.strictEqual(owner, JSON.stringify([issuer.issuer, "alice"]))
    assert.strictEqual(info.clientId, "client-1")
    assert.deepStrictEqual(info.scopes, ["todos:read"])
    assert.strictEqual(info.resource as unknown, resource)
    assert.strictEqual(info.extra?.["subject"], "alice")
    assert.isUndefined(info.token, "not shown in JSON")
    assert.strictEqual((seen[0] as McpAuthNode.AuthInfo).token, token)
  })

  it("exposes the challenge to browsers, in addition to the headers of a CORS middleware", async () => {
    await using auth = await make()
    const app = framework()
    app.use((_req, res, next) => {
      res.setHeader("Access-Control-Expose-Headers", "Mcp-Session-Id")
      next()
    })
    app.use(auth.protect())
    await using server = await listen(app)
    const answer = await post(server.url, undefined, "{}")
    assert.strictEqual(answer.headers.get("access-control-expose-headers"), "Mcp-Session-Id, WWW-Authenticate")
  })

  it("PRM-14 serves the metadata at the root, and passes other requests on", async () => {
    await using auth = await make()
    const app = framework()
    app.use("/api", auth.metadataRouter())
    app.use(auth.metadataRouter())
    app.use((_req, res) => {
      res.status(418).end()
    })
    await using server = await listen(app)
    const status = async (path: string) => (await fetch(new URL(path, server.url))).status
    assert.strictEqual(await status("/.well-known/oauth-protected-resource/mcp"), 200)
    assert.strictEqual(await status("/.well-known/oauth-protected-resource/mcp?a=b"), 200)
    assert.strictEqual(await status("/.well-known/oauth-protected-resource/other"), 418)
    assert.strictEqual(await status("/api/.well-known/oauth-protected-resource/mcp"), 418)
    assert.strictEqual(await status("/mcp"), 418)
  })

  it("protects other routes, and reads no body there", async () => {
    await using auth = await make()
    const app = framework()
    app.post("/mcp", auth.protectRoute({ scopes: ["todos:write"] }), framework.text({ type: "*/*" }), (req, res) => {
      res.end(req.body)
    })
    await using server = await listen(app)
    const plain = { "content-type": "text/plain" }
    assert.strictEqual((await post(server.url, undefined, "hello", plain)).status, 401)
    assert.strictEqual((await post(server.url, await mint({ scopes: ["todos:read"] }), "hello", plain)).status, 403)
    const answer = await post(server.url, await mint({ scopes: ["todos:write"] }), "hello", plain)
    assert.strictEqual(await answer.text(), "hello")
  })
})

describe("node:http", () => {
  const gated = (
    auth: Awaited<ReturnType<typeof make>>,
    handle: (admission: McpAuthNode.Admission, res: ServerResponse) => void,
    options: Parameters<(typeof auth)["protect"]>[0] = {}
  ) => {
    const guard = auth.protect(options)
    return listen(async (req, res) => {
      const admission = await guard(req, res)
      if (admission !== undefined) handle(admission, res)
    })
  }

  it.each<readonly [unknown, string]>([
    [{ polcy: () => undefined }, "protect.polcy"],
    [{ policy: "todos:write" }, "protect.policy"],
    [["todos:write"], "protect"]
  ])("[T-AUD-42] rejects the options %j, as JavaScript can pass them", async (wrong, option) => {
    await using auth = await make()
    assert.throws(() => auth.protect(wrong as {}), new RegExp(`at ${option}: .+`))
  })

  it("[T-AUD-42] rejects scopes of a route under another name", async () => {
    await using auth = await make()
    assert.throws(() => auth.protectRoute({ scope: ["todos:write"] } as {}), /at protectRoute.scope: .+scopes/)
    assert.throws(() => auth.protectRoute(["todos:write"] as {}), /at protectRoute: .+/)
  })

  it("counts the bytes that arrive, and the connection stays usable", async () => {
    await using auth = await make()
    await using server = await gated(auth, (_, res) => res.end("ran"), { maximumBody: 100 })
    const token = await mint()
    const chunks = new ReadableStream({
      start: (controller) => {
        for (let i = 0; i < 10; i++) controller.enqueue(new TextEncoder().encode(" ".repeat(64)))
        controller.close()
      }
    })
    const answer = await fetch(server.url, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
      body: chunks,
      duplex: "half"
    } as RequestInit)
    assert.strictEqual(answer.status, 413)
    await answer.text()
    assert.strictEqual(await (await post(server.url, token, call("list_todos"))).text(), "ran")
  })

  it.each(["body", "head"])("a client that disconnects during its %s runs nothing", async (where) => {
    await using auth = await make()
    let ran = false
    let closed = () => {}
    const gone = new Promise<void>((resolve) => (closed = resolve))
    let arrived = () => {}
    const here = new Promise<void>((resolve) => (arrived = resolve))
    let decided = () => {}
    const over = new Promise<void>((resolve) => (decided = resolve))
    const guard = auth.protect()
    await using server = await listen(async (req, res) => {
      res.on("close", closed)
      arrived()
      if (await guard(req, res) !== undefined) ran = true
      decided()
      assert.strictEqual(res.listenerCount("close"), 1, "nothing of the gate stays behind")
    })
    const token = await mint()
    if (where === "head") await Effect.runPromise(issuer.fail({ _tag: "Hang" }))
    const request = nodeRequest(server.url, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json", "content-length": 1000 }
    })
    request.on("error", () => {})
    request.write(call("list_todos"))
    await here
    request.destroy()
    await gone
    await over
    assert.isFalse(ran)
  })

  it("dispose during a request answers it with 503, as every later one", async () => {
    const auth = await make()
    let ran = false
    await using server = await gated(auth, (_, res) => {
      ran = true
      res.end()
    })
    await Effect.runPromise(issuer.fail({ _tag: "Hang" }))
    await Effect.runPromise(issuer.takeRequests)
    const waiting = post(server.url, await mint(), call("list_todos"))
    while ((await Effect.runPromise(issuer.requests)).length === 0) {
      await new Promise((resolve) => setImmediate(resolve))
    }
    await auth.dispose()
    for (const answer of [await waiting, await post(server.url, await mint(), call("list_todos"))]) {
      assert.deepStrictEqual([answer.status, answer.headers.get("retry-after")], [503, "1"])
    }
    assert.isFalse(ran)
  })

  it.each<[string, (res: ServerResponse) => void]>([
    ["setHeader", (res) => res.setHeader("Mcp-Session-Id", "s1").end()],
    ["writeHead with an object", (res) => res.writeHead(200, { "Mcp-Session-Id": "s1" }).end()],
    ["writeHead with a list", (res) => res.writeHead(200, ["Mcp-Session-Id", "s1"]).end()],
    ["writeHead with a reason", (res) => res.writeHead(200, "Fine", { "mcp-session-id": "s1" }).end()],
    ["flushHeaders", (res) => {
      res.setHeader("mcp-session-id", "s1")
      res.flushHeaders()
      res.end()
    }]
  ])("binds a session that is opened by %s", async (_, open) => {
    await using auth = await make()
    await using server = await gated(auth, (_, res) => open(res))
    const [alice, bob] = [await mint(), await mint({ subject: "bob" })]
    const opened = await post(server.url, alice, call("list_todos"))
    assert.strictEqual(opened.headers.get("mcp-session-id"), "s1")
    const session = { "mcp-session-id": "s1" }
    assert.strictEqual((await post(server.url, bob, call("list_todos"), session)).status, 404)
    assert.strictEqual((await post(server.url, alice, call("list_todos"), session)).status, 200)
  })

  it("a stream that has ended accepts later writes, and is closed", async () => {
    // An open stream also checks the wall clock at the revocation interval.
    await using auth = await make({ revocationInterval: "1 second" })
    let written: unknown
    let closed = () => {}
    const gone = new Promise<void>((resolve) => (closed = resolve))
    await using server = await gated(auth, (_, res) => {
      res.writeHead(200, { "content-type": "text/event-stream" })
      res.write(": open\n\n")
      res.on("close", () => {
        written = [res.write("late"), res.end("later") === res]
        closed()
      })
    })
    const start = Date.now()
    vi.useFakeTimers({ toFake: ["Date"], now: start })
    onTestFinished(() => void vi.useRealTimers())
    const answer = await fetch(server.url, {
      headers: { authorization: `Bearer ${await mint({ expiresIn: "1 minute" })}` }
    })
    vi.setSystemTime(start + 60_000)
    assert.strictEqual(await answer.text(), ": open\n\n")
    await gone
    assert.deepStrictEqual(written, [false, true])
  })

  it("a stream ends when the gate is disposed, because its token is not checked any more", async () => {
    const auth = await make()
    await using server = await gated(auth, (_, res) => {
      res.writeHead(200, { "content-type": "text/event-stream" })
      res.write(": open\n\n")
    })
    const answer = await fetch(server.url, { headers: { authorization: `Bearer ${await mint()}` } })
    await auth.dispose()
    assert.strictEqual(await answer.text(), ": open\n\n")
  })

  it("calls next if it exists", async () => {
    await using auth = await make()
    const guard = auth.protect()
    await using server = await listen((req, res) => {
      void guard(req, res, (error) => res.end(`next ${error}`))
    })
    assert.strictEqual(await (await post(server.url, await mint(), call("list_todos"))).text(), "next undefined")
    assert.strictEqual((await post(server.url, undefined, call("list_todos"))).status, 401)
  })
})

it("two gates can wait for one response, with a middleware between them that replaces `writeHead`", async () => {
  await using outer = await make()
  await using inner = await make()
  const [first, second] = [outer.protectRoute(), inner.protectRoute()]
  let heads = 0
  await using server = await listen((req, res) =>
    void first(req, res, () => {
      const { writeHead } = res
      res.writeHead = function(this: typeof res, ...args: ReadonlyArray<unknown>) {
        heads++
        this.setHeader("x-between", "set")
        return writeHead.apply(this, args as never)
      } as typeof writeHead
      void second(req, res, () => res.writeHead(202, { "x-handler": "set" }).end("ran"))
    })
  )
  const answer = await fetch(server.url, { headers: { authorization: `Bearer ${await mint({})}` } })
  assert.strictEqual(answer.status, 202)
  assert.strictEqual(answer.headers.get("x-between"), "set")
  assert.strictEqual(answer.headers.get("x-handler"), "set")
  assert.strictEqual(heads, 1)
})

describe("a route with a cached token", () => {
  it("provides claims that a handler cannot change for the next request", async () => {
    await using auth = await McpAuthNode.mock({ scopes: ["todos:read"], claims: { role: "reader" } })
    const protect = auth.protectRoute()
    const roles: Array<unknown> = []
    await using server = await listen((req, res) =>
      void protect(req, res, () => {
        const { claims } = (req as { auth?: { extra: { claims: Record<string, unknown> } } }).auth!.extra
        roles.push(claims["role"])
        claims["role"] = "admin"
        res.end()
      })
    )
    for (let turn = 0; turn < 2; turn++) await fetch(server.url)
    assert.deepStrictEqual(roles, ["reader", "reader"])
  })

  const heard: Array<Omit<Decision.Decision, "duration">> = []
  const waits = Layer.succeed(
    Decision.DecisionListener,
    ({ duration: _, ...decision }) => Effect.delay(Effect.sync(() => void heard.push(decision)), "1 millis")
  )

  it("is reported as with a new token, and waits for the listener", async () => {
    heard.length = 0
    await using auth = await McpAuthNode.make({
      resource,
      authorizationServers: [issuer.issuer],
      scopes: { baseline: ["todos:read"], stepUp: ["todos:write"] },
      layer: Layer.merge(fetcher, waits)
    })
    const protect = auth.protectRoute({ scopes: ["todos:read"] })
    await using server = await listen((req, res) => void protect(req, res, () => res.end("ran")))
    const ask = async (headers: Record<string, string>) => (await fetch(server.url, { headers })).status
    const token = await mint({ scopes: ["todos:read"] })
    for (let turn = 1; turn <= 3; turn++) {
      assert.strictEqual(await ask({ authorization: `Bearer ${token}` }), 200)
      assert.lengthOf(heard, turn)
    }
    assert.deepStrictEqual(heard[0]!.operations, ["GET"])
    assert.deepStrictEqual(heard[0]!.required, ["todos:read"])
    assert.deepStrictEqual(heard[1], heard[0])
    assert.deepStrictEqual(heard[2], heard[0])
  })

  it("is rejected for its Origin and for a scope, as with a new token", async () => {
    await using auth = await make()
    const protect = auth.protectRoute({ scopes: ["todos:read"] })
    await using server = await listen((req, res) => void protect(req, res, () => res.end("ran")))
    const ask = async (headers: Record<string, string>) => (await fetch(server.url, { headers })).status
    const [reads, writes] = [await mint({ scopes: ["todos:read"] }), await mint({ scopes: ["todos:write"] })]
    for (let turn = 0; turn < 2; turn++) {
      assert.strictEqual(await ask({ authorization: `Bearer ${reads}` }), 200)
      assert.strictEqual(await ask({ authorization: `Bearer ${writes}` }), 403)
      assert.strictEqual(await ask({ authorization: `Bearer ${reads}`, origin: "https://evil.test" }), 403)
      assert.strictEqual(await ask({ authorization: `Bearer ${reads}`, origin: "https://server.test" }), 200)
    }
  })
})

describe("a message with a cached token", () => {
  const heard: Array<Omit<Decision.Decision, "duration">> = []
  const listens = Layer.succeed(
    Decision.DecisionListener,
    ({ duration: _, ...decision }) => Effect.sync(() => void heard.push(decision))
  )
  const makeHeard = () =>
    McpAuthNode.make({
      resource,
      authorizationServers: [issuer.issuer],
      scopes: { baseline: ["todos:read"], stepUp: ["todos:write"] },
      layer: Layer.merge(fetcher, listens)
    })
  const json = { "content-type": "application/json" }
  const batch = JSON.stringify([JSON.parse(call("list_todos")), JSON.parse(call("add_todo"))])

  it.each<[string, RequestInit, number]>([
    ["a call", { headers: json, body: call("list_todos") }, 200],
    ["a notification", { headers: json, body: `{"jsonrpc":"2.0","method":"notifications/initialized"}` }, 200],
    ["a response, which requests nothing", { headers: json, body: `{"jsonrpc":"2.0","id":1,"result":{}}` }, 200],
    ["a body that is not JSON", { headers: json, body: "{" }, 400],
    ["an empty body", { headers: json, body: "" }, 400],
    ["another type", { headers: { "content-type": "text/plain" }, body: call("list_todos") }, 415],
    ["a body over the limit", { headers: json, body: JSON.stringify("a".repeat(2000)) }, 413],
    ["a missing scope", { headers: json, body: call("add_todo") }, 403],
    ["a batch", { headers: json, body: batch }, 403],
    ["a policy that throws", { headers: json, body: call("throws") }, 500],
    ["a session of another caller", { headers: { ...json, "mcp-session-id": "bobs" }, body: call("list_todos") }, 404],
    ["a session of another caller, and a body that is not JSON", {
      headers: { ...json, "mcp-session-id": "bobs" },
      body: "{"
    }, 404],
    ["a session of the caller", { headers: { ...json, "mcp-session-id": "alices" }, body: call("list_todos") }, 200],
    [
      "a page of a foreign origin",
      { headers: { ...json, origin: "https://evil.test" }, body: call("list_todos") },
      403
    ],
    [
      "a page of an allowed origin",
      { headers: { ...json, origin: "https://server.test" }, body: call("list_todos") },
      200
    ],
    ["a stream", { method: "GET" }, 200],
    ["the end of a session", { method: "DELETE", headers: { "mcp-session-id": "bobs" } }, 404]
  ])("is answered and reported as with a new token: %s", async (_, request, status) => {
    heard.length = 0
    await using auth = await makeHeard()
    const protect = auth.protect({
      maximumBody: 1024,
      policy: ({ target }) => {
        if (target === "throws") throw new Error("a policy's own")
        return target === "add_todo" ? { scopes: ["todos:write"] } : {}
      }
    })
    await using server = await listen((req, res) =>
      void protect(req, res, () => {
        const opens = req.headers["x-opens"]
        if (typeof opens === "string") res.setHeader("mcp-session-id", opens)
        res.end(JSON.stringify((req as { body?: unknown }).body ?? null))
      })
    )
    const [alice, bob] = [
      await mint({ scopes: ["todos:read"] }),
      await mint({ subject: "bob", scopes: ["todos:read"] })
    ]
    await post(server.url, bob, call("list_todos"), { "x-opens": "bobs" })
    await post(server.url, await mint({ scopes: ["todos:read"] }), call("list_todos"), { "x-opens": "alices" })
    heard.length = 0
    const ask = async () => {
      const answer = await fetch(server.url, {
        method: "POST",
        ...request,
        headers: { ...request.headers as Record<string, string>, authorization: `Bearer ${alice}` }
      })
      const { date: _, ...headers } = Object.fromEntries(answer.headers)
      return { status: answer.status, headers, body: await answer.text() }
    }
    const first = await ask()
    assert.strictEqual(first.status, status)
    assert.lengthOf(heard, 1)
    for (let turn = 0; turn < 2; turn++) assert.deepStrictEqual(await ask(), first)
    for (const decision of heard) assert.deepStrictEqual(decision, heard[0])
    assert.lengthOf(heard, 3)
  })

  /** Sends the headers and the beginning of the body of a request whose token is cached. */
  const begin = async (url: string, headers: Record<string, string> = {}) => {
    const token = await mint()
    await (await post(url, token, call("list_todos"))).text()
    heard.length = 0
    const request = nodeRequest(url, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, ...json, "content-length": 1000, ...headers }
    })
    request.on("error", () => {})
    request.write(call("list_todos").slice(0, 10))
    return request
  }

  it("a client that disconnects during the body runs nothing, and causes no decision", async () => {
    await using auth = await makeHeard()
    const protect = auth.protect()
    let arrived = () => {}
    const outcomes: Array<Promise<unknown>> = []
    const ran: Array<string> = []
    await using server = await listen((req, res) => {
      outcomes.push(protect(req, res, () => {
        ran.push("ran")
        res.end()
      }))
      arrived()
    })
    const request = await begin(server.url)
    await new Promise<void>((resolve) => {
      arrived = resolve
    })
    request.destroy()
    assert.isUndefined(await outcomes[1])
    assert.deepStrictEqual([ran, heard], [["ran"], []])
  })

  it("dispose while the body arrives answers with 503, and the rest is not read", async () => {
    await using auth = await makeHeard()
    let policyCalls = 0
    const protect = auth.protect({
      policy: () => {
        policyCalls++
        return {}
      }
    })
    let arrived = () => {}
    let read = Promise.resolve<unknown>(undefined)
    const ran: Array<string> = []
    await using server = await listen((req, res) => {
      read = new Promise((resolve) => req.on("close", resolve))
      void protect(req, res, () => {
        ran.push("ran")
        res.end()
      })
      arrived()
    })
    const request = await begin(server.url)
    const answered = new Promise<number | undefined>((resolve) =>
      request.on("response", ({ statusCode }) => resolve(statusCode))
    )
    await new Promise<void>((resolve) => {
      arrived = resolve
    })
    await auth.dispose()
    assert.strictEqual(await answered, 503)
    request.end(call("list_todos").slice(10).padEnd(990))
    await read
    assert.deepStrictEqual([ran, heard, policyCalls], [["ran"], [], 1])
  })

  it("a request that names the session of another caller is rejected before its body is read", async () => {
    await using auth = await makeHeard()
    const protect = auth.protect()
    await using server = await listen((req, res) =>
      void protect(req, res, () => {
        if ("x-opens" in req.headers) res.setHeader("mcp-session-id", "bobs")
        res.end()
      })
    )
    await post(server.url, await mint({ subject: "bob" }), call("list_todos"), { "x-opens": "bobs" })
    const request = await begin(server.url, { "mcp-session-id": "bobs" })
    const status = await new Promise((resolve) => request.on("response", ({ statusCode }) => resolve(statusCode)))
    assert.strictEqual(status, 404)
    request.destroy()
  })

  it("a client that has disconnected is not waited for", async () => {
    await using auth = await makeHeard()
    const protect = auth.protect()
    const outcomes: Array<unknown> = []
    let over = () => {}
    const gone = new Promise<void>((resolve) => (over = resolve))
    await using server = await listen(async (req, res) => {
      if (outcomes.length === 1) {
        const closed = [req, res].map((_) => new Promise((resolve) => _.on("close", resolve)))
        res.destroy()
        await Promise.all(closed)
      }
      outcomes.push(await protect(req, res, () => res.end()))
      if (outcomes.length === 2) over()
    })
    await begin(server.url)
    await gone
    assert.isUndefined(outcomes[1])
  })
})

describe("the decision about a request", () => {
  const guards: ReadonlyArray<[string, (auth: Awaited<ReturnType<typeof make>>) => ReturnType<typeof auth.protect>]> = [
    ["protect", (auth) => auth.protect()],
    ["protectRoute", (auth) => auth.protectRoute()]
  ]

  it.each(guards)("its duration includes that of the verification: %s", async (_, guardOf) => {
    let now = 0n
    const clock: Clock.Clock = Object.create(await Effect.runPromise(Effect.service(Clock.Clock)), {
      monotonicTimeNanosUnsafe: { value: () => now }
    })
    const durations: Array<number> = []
    const fetching = HttpClient.tapRequest(client, () => Effect.sync(() => (now += 1_000_000_000n)))
    await using auth = await McpAuthNode.make({
      resource,
      authorizationServers: [issuer.issuer],
      scopes: { baseline: ["todos:read"], stepUp: ["todos:write"] },
      layer: Layer.mergeAll(
        fetcherWith(fetching),
        Layer.succeed(Clock.Clock, clock),
        Layer.succeed(
          Decision.DecisionListener,
          ({ duration }) => Effect.sync(() => void durations.push(Duration.toSeconds(duration)))
        )
      )
    })
    const guard = guardOf(auth as never)
    await using server = await listen((req, res) => void guard(req, res, () => res.end()))
    const token = await mint()
    for (let turn = 0; turn < 2; turn++) await post(server.url, token, call("list_todos"))
    // Each fetch takes one second. The first request fetches metadata and keys, and the second request fetches nothing.
    assert.deepStrictEqual(durations, [2, 0])
  })

  it.each(guards)("a tracer receives every verification, also a cached one: %s", async (_, guardOf) => {
    const names: Array<string> = []
    const tracer = Tracer.make({
      span: (options) => {
        names.push(options.name)
        return new Tracer.NativeSpan(options)
      }
    })
    await using auth = await McpAuthNode.make({
      resource,
      authorizationServers: [issuer.issuer],
      scopes: { baseline: ["todos:read"], stepUp: ["todos:write"] },
      layer: Layer.merge(fetcher, Layer.succeed(Tracer.Tracer, tracer))
    })
    const guard = guardOf(auth as never)
    await using server = await listen((req, res) => void guard(req, res, () => res.end()))
    const token = await mint()
    for (let turn = 0; turn < 3; turn++) await post(server.url, token, call("list_todos"))
    assert.lengthOf(names.filter((name) => name === "mcp_auth.verify"), 3)
  })
})
