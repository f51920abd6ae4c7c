/**
 * Tests that the server executes exactly the body that the gate checked. This applies to every transfer encoding, and also if
 * other code reads the body before or after the gate.
 */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Logger, Schema } from "effect"
import { requireScopes } from "effect-mcp-auth"
import { McpAuth } from "effect-mcp-auth/mcp"
import { TestIssuer } from "effect-mcp-auth/testing"
import { McpProtocol, Tool, Toolkit } from "effect/ai"
import { HttpClient, HttpMiddleware, HttpRouter, HttpServerRequest } from "effect/http"
import { request as send } from "node:http"
import { connect } from "node:net"
import { gzipSync } from "node:zlib"
import * as Host from "../Host.ts"
import * as Mcp from "../Mcp.ts"
import * as TodoServer from "../TodoServer.ts"

/** A tool that returns its arguments, and the body as it can be read from the request behind the gate. */
const Echo = requireScopes("todos:read")(
  Tool.make("echo", { parameters: Schema.Struct({ title: Schema.String }), success: Schema.Array(Schema.Unknown) })
)
const Tools = Toolkit.make(Echo)

const readAgain = Effect.gen(function*() {
  const request = Context.getUnsafe(yield* Effect.context<never>(), HttpServerRequest.HttpServerRequest)
  const bytes = yield* Effect.orDie(request.arrayBuffer)
  const text = yield* Effect.orDie(request.text)
  const json = yield* Effect.orDie(request.json) as Effect.Effect<{ readonly params: { readonly arguments: unknown } }>
  return [new TextDecoder().decode(bytes) === text, JSON.stringify(json) === text, json.params.arguments]
})

type Around = (app: Effect.Effect<any, any, any>) => Effect.Effect<any, any, any>

const start = (around?: Around) =>
  Effect.gen(function*() {
    const { client, issuer } = yield* TestIssuer.make({ resource: TodoServer.resource })
    const served = McpAuth.layerHttp({
      name: "echo",
      version: "1.0.0",
      path: "/mcp",
      protocols: [McpProtocol.v2026_07_28],
      registrations: McpAuth.toolkit(Tools).pipe(
        Layer.provide(
          Tools.toLayer({ echo: ({ title }) => Effect.map(readAgain, (read) => [title, ...read]) })
        )
      )
    }).pipe(
      Layer.provide(TodoServer.auth(issuer.issuer)),
      Layer.provide(Layer.succeed(HttpClient.HttpClient, client))
    )
    const app = around === undefined
      ? served
      : Layer.merge(served, HttpRouter.middleware(around as never, { global: true }) as Layer.Layer<never>)
    const token = yield* issuer.mint({ scopes: ["todos:read"] })
    const call = (title: string) => Mcp.call("echo", { token, arguments: { title } })
    return { app, call }
  })

const echoed = (answer: string) =>
  (JSON.parse(answer) as { readonly result?: { readonly structuredContent?: unknown } }).result?.structuredContent

const title = "Äpfel 🍎 kaufen"

const whole = [title, true, true, { title }]

const requestOf = (context: Context.Context<never>) => Context.getUnsafe(context, HttpServerRequest.HttpServerRequest)

const befores: Readonly<Record<string, Around>> = {
  "nobody": (app) => app,
  "a middleware that reads the text": (app) =>
    Effect.contextWith((context: Context.Context<never>) => Effect.andThen(requestOf(context).text, app)),
  "a middleware that reads the bytes": (app) =>
    Effect.contextWith((context: Context.Context<never>) => Effect.andThen(requestOf(context).arrayBuffer, app)),
  "a middleware that requests the text and does not wait for it": (app) =>
    Effect.contextWith((context: Context.Context<never>) => {
      void requestOf(context).text
      return app
    }),
  "a middleware that passes on a copy of the request": (app) =>
    Effect.updateContext(app, (context: Context.Context<any>) =>
      Context.add(
        context,
        HttpServerRequest.HttpServerRequest,
        requestOf(context as Context.Context<never>).modify({})
      ))
}

describe("the checked body is the executed one", () => {
  describe.each(Object.keys(Host.hosts) as Array<keyof typeof Host.hosts>)("%s", (kind) => {
    it.live.each(Object.entries(befores))("after %s", ([, around]) =>
      Effect.gen(function*() {
        const { app, call } = yield* start(around)
        const host = yield* Host.hosts[kind](app)
        const { body, status } = yield* host.send(call(title))
        assert.strictEqual(status, 200)
        assert.deepStrictEqual(echoed(body), whole)
      }).pipe(Effect.provide(Logger.layer([]))))
  })

  it.live("a body that a middleware consumed is an error of the server", () =>
    Effect.gen(function*() {
      const { app, call } = yield* start((app) =>
        Effect.contextWith((context: Context.Context<never>) => Effect.andThen(requestOf(context).modify({}).text, app))
      )
      const host = yield* Host.node(app)
      assert.strictEqual((yield* host.send(call(title))).status, 500)
    }).pipe(Effect.provide(Logger.layer([]))))

  it.live("a request with different bodies for the gate and the server", () =>
    Effect.gen(function*() {
      const { app, call } = yield* start((app) =>
        Effect.updateContext(app, (context: Context.Context<any>) => {
          const request = requestOf(context as Context.Context<never>)
          const other = Object.create(request, {
            text: { configurable: true, get: () => Effect.map(request.text, (_) => _.replace(title, "other")) }
          })
          return Context.add(context, HttpServerRequest.HttpServerRequest, other)
        })
      )
      const host = yield* Host.node(app)
      assert.deepStrictEqual(echoed((yield* host.send(call(title))).body), whole)
    }).pipe(Effect.provide(Logger.layer([]))))

  /** Sends a request with Node's client. `write` sends the body. */
  const over = (
    port: number,
    { headers }: Host.Sent,
    more: Readonly<Record<string, string>>,
    write: (request: ReturnType<typeof send>) => void
  ) =>
    Effect.callback<{ readonly status: number; readonly body: string }>((resume) => {
      const request = send({
        host: "127.0.0.1",
        port,
        method: "POST",
        path: "/mcp",
        headers: { ...Object.fromEntries(headers!), connection: "close", ...more }
      }, (response) => {
        const chunks: Array<Buffer> = []
        response.on("data", (chunk) => chunks.push(chunk))
        response.on(
          "end",
          () => resume(Effect.succeed({ status: response.statusCode!, body: Buffer.concat(chunks).toString() }))
        )
      })
      request.on("error", (error) => resume(Effect.die(error)))
      write(request)
    })

  it.live("accepts a body that is sent byte by byte", () =>
    Effect.gen(function*() {
      const { app, call } = yield* start()
      const sent = call(title)
      const { body, status } = yield* over(yield* Host.listen(app), sent, {}, async (request) => {
        for (const byte of Buffer.from(sent.body!)) {
          await new Promise((resolve) => request.write(Buffer.from([byte]), resolve))
        }
        request.end()
      })
      assert.strictEqual(status, 200)
      assert.deepStrictEqual(echoed(body), whole)
    }).pipe(Effect.provide(Logger.layer([]))))

  it.live("accepts a body that is sent after 100 Continue", () =>
    Effect.gen(function*() {
      const { app, call } = yield* start()
      const sent = call(title)
      const length = String(Buffer.byteLength(sent.body!))
      const { body, status } = yield* over(
        yield* Host.listen(app),
        sent,
        { "expect": "100-continue", "content-length": length },
        (request) => {
          request.flushHeaders()
          request.on("continue", () => request.end(sent.body))
        }
      )
      assert.strictEqual(status, 200)
      assert.deepStrictEqual(echoed(body), whole)
    }).pipe(Effect.provide(Logger.layer([]))))

  it.live("accepts a compressed body that a middleware decompresses", () =>
    Effect.gen(function*() {
      const { app, call } = yield* start(HttpMiddleware.decompression() as Around)
      const sent = call(title)
      const { body, status } = yield* over(
        yield* Host.listen(app),
        sent,
        { "content-encoding": "gzip" },
        (request) => request.end(gzipSync(sent.body!))
      )
      assert.strictEqual(status, 200)
      assert.deepStrictEqual(echoed(body), whole)
    }).pipe(Effect.provide(Logger.layer([]))))

  it.live("a body that breaks off runs nothing, and the server still serves", () =>
    Effect.gen(function*() {
      const { app, call } = yield* start()
      const port = yield* Host.listen(app)
      const sent = call(title)
      const lines = [...sent.headers!, ["host", "server.test"], ["content-length", "100000"]]
      const head = `POST /mcp HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`
      for (const leave of ["end", "resetAndDestroy"] as const) {
        yield* Effect.callback<void>((resume) => {
          const socket = connect(port, "127.0.0.1", () => {
            socket.write(head + sent.body!, () => socket[leave]())
          })
          socket.on("error", () => {})
          socket.on("close", () => resume(Effect.void))
          socket.resume()
        })
      }
      const host = { send: (request: Host.Sent) => over(port, request, {}, (_) => _.end(request.body)) }
      assert.deepStrictEqual(echoed((yield* host.send(sent)).body), whole)
    }).pipe(Effect.provide(Logger.layer([]))))
})
