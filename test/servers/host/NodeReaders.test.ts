/** Code in front of a gate that reads, pauses or parses the body of a request of Node. Each request must end at once. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Logger } from "effect"
import { McpAuthFetch } from "effect-mcp-auth/fetch"
import { McpAuthNode } from "effect-mcp-auth/node"
import mocks from "node-mocks-http"
import { createServer, type IncomingMessage, type RequestListener } from "node:http"
import type { AddressInfo } from "node:net"
import * as NodeRequestBody from "../../../src/servers/host/NodeRequestBody.ts"
import * as WebRequestBody from "../../../src/servers/host/WebRequestBody.ts"
import * as effectBody from "../../../src/servers/mcp/internal/effectBody.ts"
import * as Mcp from "../Mcp.ts"
import { hosts, type Made, mint } from "./nodeHosts.ts"

const authorization = `Bearer ${await mint()}`
const { body: sentBody } = Mcp.call("list")
const text = String(sentBody)

/** Serves the listener, and sends it a tool call. */
const send = async (listener: RequestListener, init: RequestInit = {}) => {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  try {
    const response = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`, {
      method: "POST",
      headers: { ...Object.fromEntries(Mcp.call("list").headers!), authorization },
      body: text,
      ...init
    })
    return { status: response.status, body: await response.text() }
  } finally {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
}

const firstChunk = (req: IncomingMessage) => new Promise<void>((resolve) => req.once("data", () => resolve()))

/** A body that arrives in two parts. The second part is sent after the first has been read. */
const inParts = () => {
  let sendRest = () => {}
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => {
      controller.enqueue(new TextEncoder().encode(text.slice(0, 10)))
      sendRest = () => {
        controller.enqueue(new TextEncoder().encode(text.slice(10)))
        controller.close()
      }
    }
  })
  return { init: { body, duplex: "half" } as RequestInit, sendRest: () => sendRest() }
}

describe.each(hosts)("code in front of the gate that reads the body, %s", (_, make) => {
  let made: Made
  beforeAll(async () => {
    made = await make()
  })
  afterAll(() => made.dispose())

  /** Serves the gate behind `prepare`. */
  const behind = (prepare: (req: IncomingMessage) => unknown, init?: RequestInit) =>
    send(async (req, res) => {
      // The servers under test allow this host.
      req.headers.host = "server.test"
      req.rawHeaders = []
      await prepare(req)
      made.listener(req, res)
    }, init)

  it("a stream that was read to its end is answered with 500", async () => {
    const { status } = await behind(async (req) => {
      for await (const _ of req);
    })
    assert.strictEqual(status, 500)
  })

  it("a stream of which the beginning was read is answered with 500, so that the gate never checks only the rest", async () => {
    const { init, sendRest } = inParts()
    const { status } = await behind(async (req) => {
      await firstChunk(req)
      sendRest()
    }, init)
    assert.strictEqual(status, 500)
  })

  it("a stream to whose event readable other code listens is answered with 500 at once", async () => {
    const { status } = await behind((req) => req.on("readable", () => {}))
    assert.strictEqual(status, 500)
  })

  it("a stream that was paused is read", async () => {
    const { body, status } = await behind((req) => req.pause())
    assert.strictEqual(status, 200, body)
  })
})

describe("the error of a body that other code has read", () => {
  it.each([
    ["protect of node", NodeRequestBody.consumed, /req\.body, or .*parsedBody of McpAuthNode/],
    ["protect of fetch", WebRequestBody.consumed, /give it the parsed body as parsedBody/],
    ["McpAuth.layerHttp", effectBody.consumed, /request\.text/]
  ])("%s names what the host has for the parsed body", (_, { message }, expected) => {
    assert.match(message, expected)
    if (expected.source.includes("request")) assert.notMatch(message, /req\.body|parsedBody/)
  })
})

describe("a value in the place of a request", () => {
  const collect = () => {
    const lines: Array<string> = []
    return { lines, layer: Logger.layer([Logger.map(Logger.formatJson, (line) => void lines.push(line))]) }
  }
  const mock = { subject: "alice", scopes: [], resource: "https://server.test/mcp" } as const
  const request = () =>
    new Request("https://server.test/mcp", { method: "POST", headers: { authorization }, body: text })

  it("is answered with 500 on hosts with requests of Node, and the log names the right one", async () => {
    const values: ReadonlyArray<object> = [
      { headers: undefined },
      { headers: null },
      { headers: "host: server.test" },
      // The request object of Fastify.
      { headers: { "content-type": "application/json" }, method: "POST", url: "/mcp", body: JSON.parse(text), raw: {} },
      request()
    ]
    for (const value of values) {
      const { layer, lines } = collect()
      await using auth = await McpAuthNode.mock({ ...mock, layer })
      for (const guard of [auth.protect(), auth.protectRoute()]) {
        const res = mocks.createResponse()
        assert.isUndefined(await guard(value as never, res as never))
        assert.strictEqual(res.statusCode, 500)
      }
      assert.strictEqual(lines.filter((line) => line.includes("request.raw of Fastify")).length, 2)
    }
  })

  it("is answered with 500 on hosts with Request and Response, and the log names the right one", async () => {
    for (const value of [{}, { headers: null }, { headers: { authorization }, method: "POST", url: "/mcp" }]) {
      const { layer, lines } = collect()
      await using auth = await McpAuthFetch.mock({ ...mock, layer })
      for (const handle of [auth.protect(() => new Response("ran")), auth.protectRoute(() => new Response("ran"))]) {
        assert.strictEqual((await handle(value as never)).status, 500)
      }
      assert.strictEqual(lines.filter((line) => line.includes("the context of Hono, to other functions")).length, 2)
    }
  })
})

describe("code around the gate for requests of Node", () => {
  const mock = () => McpAuthNode.mock({ subject: "alice", scopes: ["todos:read"], resource: "https://server.test/mcp" })

  /** Values and members that throw when the gate uses them. */
  const throwing = Object.defineProperty({}, "jsonrpc", {
    enumerable: true,
    get: () => {
      throw new Error("a getter of the framework")
    }
  })
  const setups: ReadonlyArray<readonly [string, (() => unknown) | undefined, (req: IncomingMessage) => unknown]> = [
    ["parsedBody returns a value whose getter throws", () => throwing, () => {}],
    ["parsedBody resolves to a value whose getter throws", () => Promise.resolve(throwing), () => {}],
    [
      "req.body is a getter without a setter",
      undefined,
      (req) => Object.defineProperty(req, "body", { get: () => undefined })
    ],
    [
      "req.body is such a getter, and parsedBody returns a promise",
      () => Promise.resolve(JSON.parse(text)),
      (req) => Object.defineProperty(req, "body", { get: () => undefined })
    ]
  ]
  it.each(setups)("a request is answered with 500 if %s", async (_, parsedBody, prepare) => {
    await using auth = await mock()
    const protect = auth.protect({ parsedBody })
    const { status } = await send(async (req, res) => {
      prepare(req)
      await protect(req, res)
    })
    assert.strictEqual(status, 500)
  })

  it("the gate reads the body of a GET request that parsedBody returns as {}, because some frameworks leave it unread", async () => {
    await using auth = await mock()
    const admissions: Array<unknown> = []
    const { status } = await send(async (req, res) => {
      Object.assign(req, { method: "GET" })
      const admission = await auth.protect({ parsedBody: () => ({}) })(req, res)
      admissions.push(admission?.operations.map(({ target }) => target))
      res.end()
    })
    assert.deepStrictEqual({ status, admissions }, { status: 200, admissions: [["list"]] })
  })

  it("the gate checks req.body of a GET request, although no header announces a body", async () => {
    await using auth = await mock()
    const admit = async (body: unknown) => {
      const req = mocks.createRequest({ method: "GET", url: "/mcp", headers: { authorization, host: "server.test" } })
      req.body = body
      const res = mocks.createResponse()
      const admission = await auth.protect()(req as never, res as never)
      return admission?.operations.map(({ target }) => target) ?? res.statusCode
    }
    assert.deepStrictEqual(await admit(JSON.parse(text)), ["list"])
    assert.deepStrictEqual(await admit({ tool: "list" }), 400)
    assert.deepStrictEqual(await admit({}), [])
    assert.deepStrictEqual(await admit(undefined), [])
  })

  it("a listener that received the body before the gate does not receive it again, and a later one does", async () => {
    await using auth = await mock()
    const protect = auth.protect()
    let early = ""
    let ends = 0
    const { body } = await send((req, res) => {
      req.on("data", (chunk) => {
        early += String(chunk)
      })
      req.on("end", () => ends++)
      void protect(req, res, () => {
        let late = ""
        req.once("end", () => res.end(late))
        req.on("data", (chunk) => {
          late += String(chunk)
        })
      })
    })
    assert.deepStrictEqual({ early, ends, body }, { early: text, ends: 1, body: text })
  })

  it("a content type in a list is read, and two content types are rejected", async () => {
    await using auth = await mock()
    const protect = auth.protect()
    const answer = (types: Array<string>) =>
      send((req, res) => {
        Object.assign(req.headers, { "content-type": types })
        void protect(req, res, () => res.end())
      })
    assert.strictEqual((await answer(["application/json"])).status, 200)
    assert.strictEqual((await answer(["application/json", "text/plain"])).status, 415)
  })
})
