/** Tests the limits of bodies: the options that set them, and their effect behind a body parser. */
import { assert, describe, it } from "@effect/vitest"
import { type Duration, Effect, Layer, Logger } from "effect"
import { type AuthError, AuthLayer } from "effect-mcp-auth"
import { McpAuthFetch } from "effect-mcp-auth/fetch"
import { McpAuth } from "effect-mcp-auth/mcp"
import { McpAuthNode } from "effect-mcp-auth/node"
import { McpAuthSdk as SdkV1 } from "effect-mcp-auth/sdk-v1"
import { McpAuthSdk as SdkV2 } from "effect-mcp-auth/sdk-v2"
import { McpProtocol } from "effect/ai"
import express from "express"
import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import * as Host from "../Host.ts"
import * as Mcp from "../Mcp.ts"

const resource = "https://server.test/mcp"

const caller = { subject: "alice", scopes: ["todos:read"], resource } as const

const ping = (id: number) => Mcp.message("ping", {}, id)
const batch = (length: number) => Array.from({ length }, (_, id) => ping(id))
const nested = (levels: number) => ({ ...ping(1), params: { a: JSON.parse("[".repeat(levels) + "]".repeat(levels)) } })

const post = (body: unknown) =>
  new Request(resource, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      authorization: "Bearer token"
    },
    body: JSON.stringify(body)
  })

const reasonOf = async (answer: Response) =>
  answer.status === 400 ? (await answer.json() as { readonly error_description: string }).error_description : undefined

const tooMany = "The request body has more operations than this server accepts in one request"
const tooDeep = "The request body nests objects and arrays too deeply"
const notJsonRpc = "The request body must be a JSON-RPC 2.0 message, or a batch of such messages"

const listening = async (app: express.Express) => {
  const server = await new Promise<Server>((resolve) => {
    const made = createServer(app).listen(0, "127.0.0.1", () => resolve(made))
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`
  return {
    send: (body: unknown) => {
      const { headers } = post(body)
      return fetch(url, { method: "POST", headers, body: JSON.stringify(body) })
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    }
  }
}

const parsers = {
  json: express.json(),
  text: express.text({ type: "application/json" }),
  raw: express.raw({ type: "application/json" })
}

const effectServer = (options: { readonly maximumOperations?: number; readonly bodyTimeout?: Duration.Input }) =>
  McpAuth.layerHttp({
    name: "server",
    version: "1.0.0",
    path: "/mcp",
    protocols: [McpProtocol.v2026_07_28],
    ...options
  }).pipe(Layer.provide(AuthLayer.mock(caller)))

/** Returns the path of the option that each server adapter names in its error. */
const errorsOf = Effect.fnUntraced(function*(
  options: { readonly maximumOperations?: number; readonly bodyTimeout?: Duration.Input }
) {
  const node = yield* Effect.promise(() => McpAuthNode.mock(caller))
  const web = yield* Effect.promise(() => McpAuthFetch.mock(caller))
  const attempts = [
    Effect.try({ try: () => node.protect(options), catch: (_) => _ }),
    Effect.try({ try: () => web.protect(() => new Response(), options), catch: (_) => _ }),
    Effect.tryPromise({ try: () => SdkV1.mock({ ...caller, ...options }), catch: (_) => _ }),
    Effect.tryPromise({ try: () => SdkV2.mock({ ...caller, ...options }), catch: (_) => _ }),
    Effect.scoped(Host.web(effectServer(options)))
  ]
  const errors = yield* Effect.forEach(attempts, (attempt) => Effect.flip(attempt as Effect.Effect<unknown, unknown>))
  yield* Effect.promise(() => Promise.all([node.dispose(), web.dispose()]))
  return errors.map((error) => (error as AuthError.AuthConfigError).option)
})

describe("[T-AUD-06a] a body that a parser read before the gate is checked as well", () => {
  it.each(Object.entries(parsers))("express.%s", async (_, parser) => {
    await using auth = await McpAuthNode.mock(caller)
    const app = express()
    app.use(parser, auth.protect(), (_, res) => void res.end("ran"))
    await using server = await listening(app)
    assert.strictEqual(await reasonOf(await server.send(batch(101))), tooMany)
    assert.strictEqual(await reasonOf(await server.send(nested(63))), tooDeep)
    assert.strictEqual(await reasonOf(await server.send([[ping(1)]])), notJsonRpc)
    assert.strictEqual(await reasonOf(await server.send({ ...ping(1), headers: [] })), notJsonRpc)
    assert.strictEqual(await (await server.send(batch(100))).text(), "ran")
    assert.strictEqual(await (await server.send(nested(62))).text(), "ran")
  })

  it.each<[string, (body: unknown) => unknown]>([
    ["a value", (body) => body],
    ["a string", (body) => JSON.stringify(body)],
    ["bytes", (body) => new TextEncoder().encode(JSON.stringify(body))]
  ])("checks a parsedBody that returns %s", async (_, form) => {
    await using auth = await McpAuthFetch.mock(caller)
    const handler = auth.protect(() => new Response("ran"), {
      parsedBody: async (request) => form(await request.json())
    })
    assert.strictEqual(await reasonOf(await handler(post(batch(101)))), tooMany)
    assert.strictEqual(await reasonOf(await handler(post(nested(63)))), tooDeep)
    assert.strictEqual(await reasonOf(await handler(post([[ping(1)]]))), notJsonRpc)
    assert.strictEqual(await (await handler(post(nested(62)))).text(), "ran")
  })
})

describe("[T-AUD-06a] maximumOperations", () => {
  it("counts for McpAuthNode the operations of each endpoint", async () => {
    await using auth = await McpAuthNode.mock(caller)
    const app = express()
    app.use(auth.protect({ maximumOperations: 2 }), (_, res) => void res.end("ran"))
    await using server = await listening(app)
    assert.strictEqual(await reasonOf(await server.send(batch(3))), tooMany)
    assert.strictEqual(await (await server.send(batch(2))).text(), "ran")
  })

  it("counts for McpAuthFetch the operations of each endpoint", async () => {
    await using auth = await McpAuthFetch.mock(caller)
    const handler = auth.protect(() => new Response("ran"), { maximumOperations: 200 })
    assert.strictEqual(await reasonOf(await handler(post(batch(201)))), tooMany)
    assert.strictEqual(await (await handler(post(batch(200)))).text(), "ran")
  })

  it("counts for both SDKs the operations of all servers", async () => {
    await using v1 = await SdkV1.mock({ ...caller, maximumOperations: 2 })
    const serveV1 = v1.protectFetch(() => undefined, () => new Response("ran"))
    await using v2 = await SdkV2.mock({ ...caller, maximumOperations: 2 })
    const serveV2 = v2.protectFetch(() => undefined, () => new Response("ran"))
    for (const serve of [serveV1, serveV2]) {
      assert.strictEqual(await reasonOf(await serve(post(batch(3)))), tooMany)
      assert.strictEqual(await (await serve(post(batch(2)))).text(), "ran")
    }
    const app = express()
    app.use(v1.protect(() => undefined), (_, res) => void res.end("ran"))
    await using server = await listening(app)
    assert.strictEqual(await reasonOf(await server.send(batch(3))), tooMany)
    assert.strictEqual(await (await server.send(batch(2))).text(), "ran")
  })

  it.live.each(Object.entries(Host.hosts))(
    "limits the operations of McpAuth.layerHttp, %s",
    ([, start]) =>
      Effect.gen(function*() {
        const host = yield* start(effectServer({ maximumOperations: 2 }))
        const listen = (length: number) =>
          Mcp.modern("subscriptions/listen", {
            notifications: { resourceSubscriptions: Array.from({ length }, (_, id) => `todo://${id}`) }
          }, { token: "token" })
        const { body, status } = yield* host.send(listen(2))
        assert.deepStrictEqual([status, JSON.parse(body).error_description], [400, tooMany])
        assert.strictEqual((yield* host.send(Mcp.modern("ping", {}, { token: "token" }))).status, 404)
      }).pipe(Effect.provide(Logger.layer([])))
  )

  it.live.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, "100" as unknown as number])(
    "%s is rejected on every host",
    (maximumOperations) =>
      Effect.gen(function*() {
        assert.deepStrictEqual(
          yield* errorsOf({ maximumOperations }),
          Array.from({ length: 5 }, () => "maximumOperations")
        )
      })
  )
})

it.live.each(
  [
    "forever" as "1 second",
    "Infinity",
    0,
    -1,
    Number.NaN,
    {} as "1 second",
    null as unknown as "1 second"
  ] as ReadonlyArray<Duration.Input>
)(
  "[T-AUD-07b] bodyTimeout %s is rejected on every host",
  (bodyTimeout) =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* errorsOf({ bodyTimeout }), Array.from({ length: 5 }, () => "bodyTimeout"))
    })
)
