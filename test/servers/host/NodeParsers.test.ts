/** Body parsers before and after the gate, on frameworks with requests of Node. */
import { afterAll, assert, describe, it } from "@effect/vitest"
import middie from "@fastify/middie"
import { bodyParser } from "@koa/bodyparser"
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js"
import { type MiddlewareConsumer, Module, type NestModule } from "@nestjs/common"
import { NestFactory } from "@nestjs/core"
import { FastifyAdapter, type NestFastifyApplication } from "@nestjs/platform-fastify"
import { McpAuthNode } from "effect-mcp-auth/node"
import { McpAuthSdk } from "effect-mcp-auth/sdk-v1"
import Fastify, { type FastifyInstance } from "fastify"
import Koa from "koa"
import { createServer, type IncomingMessage, type RequestListener } from "node:http"
import type { AddressInfo } from "node:net"

const auth = await McpAuthNode.mock({ subject: "alice", scopes: ["todos:read"], resource: "https://server.test/mcp" })
afterAll(auth.dispose)

const message = { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "list", arguments: { title: "ä€" } } }

/** Sends the message in one chunk, or byte by byte. */
const post = async (url: string, chunks: "one chunk" | "many chunks" = "one chunk") => {
  const bytes = new TextEncoder().encode(JSON.stringify(message))
  const body = chunks === "one chunk"
    ? bytes
    : new ReadableStream<Uint8Array>({
      start: (controller) => {
        for (const byte of bytes) controller.enqueue(Uint8Array.of(byte))
        controller.close()
      }
    })
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: "Bearer any" },
    body,
    duplex: "half"
  } as RequestInit)
  return { status: response.status, body: await response.json() as unknown }
}

const admitted = { status: 200, body: { subject: "alice", body: message } }

/* Fastify */

const guard = auth.protect()

type Configure = (fastify: FastifyInstance) => unknown

const onFastify = async (configure: Configure, chunks?: "one chunk" | "many chunks") => {
  const fastify = Fastify()
  await configure(fastify)
  fastify.post("/mcp", (request) => ({ subject: auth.principalOf(request.raw)?.subject, body: request.body }))
  try {
    return await post(`${await fastify.listen({ host: "127.0.0.1", port: 0 })}/mcp`, chunks)
  } finally {
    await fastify.close()
  }
}

const hook =
  (name: "onRequest" | "preParsing" | "preValidation" | "preHandler", protect = guard): Configure => (fastify) =>
    fastify.addHook(name as "onRequest", async (request, reply) => {
      if (await protect(request.raw, reply.raw) === undefined) reply.hijack()
    })

describe("the gate before the parser of Fastify", () => {
  const setups: ReadonlyArray<readonly [string, Configure]> = [
    ["an onRequest hook", hook("onRequest")],
    ["a preParsing hook", hook("preParsing")],
    ["middleware of @fastify/middie", async (fastify) => {
      await fastify.register(middie)
      fastify.use(guard as never)
    }]
  ]
  it.each(setups)("the route receives the body and the caller behind %s", async (_, configure) => {
    assert.deepStrictEqual(await onFastify(configure), admitted)
    assert.deepStrictEqual(await onFastify(configure, "many chunks"), admitted)
  })

  it("Nest on Fastify passes the body and the caller to the route behind middleware", async () => {
    class Root implements NestModule {
      configure(consumer: MiddlewareConsumer) {
        consumer.apply(guard).forRoutes("mcp")
      }
    }
    Module({})(Root)
    const app = await NestFactory.create<NestFastifyApplication>(Root, new FastifyAdapter(), { logger: false })
    app.getHttpAdapter().getInstance().post("/mcp", (request) => ({
      subject: auth.principalOf(request.raw)?.subject,
      body: request.body
    }))
    try {
      await app.listen(0, "127.0.0.1")
      assert.deepStrictEqual(await post(`${await app.getUrl()}/mcp`), admitted)
    } finally {
      await app.close()
    }
  })
})

describe("the gate after the parser of Fastify", () => {
  const withBody = auth.protect({ parsedBody: (_req, request: { readonly body: unknown }) => request.body })
  it.each(["preValidation", "preHandler"] as const)("a hook at %s passes the body with parsedBody", async (name) => {
    const configure: Configure = (fastify) =>
      fastify.addHook(name as "preHandler", async (request, reply) => {
        if (await withBody(request.raw, reply.raw, undefined, request) === undefined) reply.hijack()
      })
    assert.deepStrictEqual(await onFastify(configure), admitted)
    const { status } = await onFastify(hook(name))
    assert.strictEqual(status, 500, "without parsedBody, the request fails at once")
  })
})

/* Koa */

/** Serves the listener, and returns the response to the message. */
const serve = async (listener: RequestListener) => {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  try {
    return await post(`http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`)
  } finally {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
}

const onKoa = (...middleware: ReadonlyArray<Koa.Middleware>) => {
  const app = new Koa()
  app.silent = true
  for (const each of middleware) app.use(each)
  app.use((ctx) => {
    ctx.body = { subject: auth.principalOf(ctx.req)?.subject, body: ctx.request.body }
  })
  return serve(app.callback())
}

describe("the body parser of Koa", () => {
  it("behind the parser, the gate checks the body that parsedBody returns", async () => {
    const withBody = auth.protect({ parsedBody: (_req, ctx: Koa.Context) => ctx.request.body })
    assert.deepStrictEqual(
      await onKoa(bodyParser(), async (ctx, next) => {
        if (await withBody(ctx.req, ctx.res, undefined, ctx)) await next()
        else ctx.respond = false
      }),
      admitted
    )
  })

  it("behind the parser, the gate of an SDK checks the body that the application stores in req.body", async () => {
    await using sdk = await McpAuthSdk.mock({
      subject: "alice",
      scopes: ["todos:read"],
      resource: "https://server.test/mcp"
    })
    const server = new McpServer({ name: "todos", version: "1.0.0" })
    sdk.registerTool(server, "list", { scopes: ["todos:read"] }, () => ({ content: [] }))
    const protect = sdk.protect(server)
    const { body, status } = await onKoa(bodyParser(), async (ctx, next) => {
      Object.assign(ctx.req, { body: ctx.request.body })
      let isAdmitted = false
      await protect(ctx.req, ctx.res, () => {
        isAdmitted = true
      })
      if (isAdmitted) await next()
      else ctx.respond = false
    })
    assert.deepStrictEqual({ status, body }, { status: 200, body: { body: message } })
  })

  it("before the parser, the gate gives it the checked body", async () => {
    assert.deepStrictEqual(
      await onKoa(async (ctx, next) => {
        const admission = await guard(ctx.req, ctx.res)
        if (admission === undefined) {
          ctx.respond = false
          return
        }
        ctx.request.body = admission.body
        await next()
      }, bodyParser()),
      admitted
    )
  })
})

/* Any framework */

describe("the option parsedBody", () => {
  const answer = (parsedBody: (req: object) => unknown, prepare?: (req: IncomingMessage) => Promise<void>) => {
    const protect = auth.protect({ parsedBody, maximumBody: 1000, bodyTimeout: "50 millis" })
    return serve(async (req, res) => {
      await prepare?.(req)
      const admission = await protect(req, res)
      if (admission === undefined) return
      res.end(JSON.stringify({ subject: admission.principal?.subject, body: admission.body }))
    })
  }
  const text = JSON.stringify(message)

  it.each<[string, unknown]>([
    ["a parsed value", message],
    ["text", text],
    ["bytes", new TextEncoder().encode(text)],
    ["a promise", Promise.resolve(message)],
    ["nothing, so that the stream is read", undefined],
    ["a promise of nothing", Promise.resolve(undefined)]
  ])("can return %s", async (_, parsed) => {
    assert.deepStrictEqual(await answer(() => parsed), admitted)
  })

  it.each<[string, () => unknown, number]>([
    ["text that is longer than the limit", () => " ".repeat(1001), 413],
    ["bytes that exceed the limit", () => new Uint8Array(1001), 413],
    ["text that is not JSON", () => "{", 400],
    ["null", () => null, 400],
    ["a value that is not JSON-RPC", () => ({}), 400],
    ["a SyntaxError", () => JSON.parse("{"), 400],
    ["a promise that rejects with a SyntaxError", () => Promise.reject(new SyntaxError("no")), 400],
    ["another error", () => {
      throw new Error("a bug")
    }, 500],
    ["a promise that never settles", () => new Promise(() => {}), 408]
  ])("a request is rejected if the function returns %s", async (_, parsedBody, status) => {
    assert.strictEqual((await answer(parsedBody)).status, status)
  })

  it("must be a function", () => {
    assert.throws(() => auth.protect({ parsedBody: {} as never }), /parsedBody.*a function/)
  })
})

describe("a parser after the gate that reads the stream", () => {
  it("receives the bytes once more, as text if the encoding is set", async () => {
    const read = (req: IncomingMessage) =>
      new Promise<Array<unknown>>((resolve) => {
        const chunks: Array<unknown> = []
        req.on("data", (chunk) => chunks.push(chunk))
        req.on("end", () => resolve(chunks))
      })
    const seen: Array<Array<unknown>> = []
    for (const encoding of [undefined, "utf8"] as const) {
      await serve(async (req, res) => {
        if (encoding !== undefined) req.setEncoding(encoding)
        if (await guard(req, res) === undefined) return
        seen.push(await read(req))
        res.end("{}")
      })
    }
    assert.deepStrictEqual(seen, [[Buffer.from(JSON.stringify(message))], [JSON.stringify(message)]])
  })
})
