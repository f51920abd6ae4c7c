import { assert, describe, it } from "@effect/vitest"
import { ByteSize, Effect, Layer, Logger } from "effect"
import { TestIssuer } from "effect-mcp-auth/testing"
import { HttpClient, HttpIncomingMessage } from "effect/http"
import { connect } from "node:net"
import * as Host from "../Host.ts"
import * as Mcp from "../Mcp.ts"
import * as TodoServer from "../TodoServer.ts"

const start = Effect.gen(function*() {
  const { client, issuer } = yield* TestIssuer.make({ resource: TodoServer.resource })
  const server = TodoServer.make()
  const app = server.layer.pipe(
    Layer.provide(TodoServer.auth(issuer.issuer)),
    Layer.provide(Layer.succeed(HttpClient.HttpClient, client))
  )
  return { app, issuer, ran: server.ran }
})

const hundredMegabytes = 100 * 1024 * 1024

describe("a body is not read before the caller is known", () => {
  it.live("HDR-18 over the web: a body of 100 MB without a token is answered with 401, and no byte of it is pulled", () =>
    Effect.gen(function*() {
      const { app, issuer } = yield* start
      const handle = yield* Host.webHandler(app)
      const send = (token: string | undefined, headers: Readonly<Record<string, string>> = {}) => {
        let pulled = 0
        // A `highWaterMark` of 0 buffers nothing in advance, so each `pull` is caused by a read.
        const body = new ReadableStream<Uint8Array>({
          pull(controller) {
            const chunk = new Uint8Array(64 * 1024).fill(0x20)
            pulled += chunk.length
            controller.enqueue(chunk)
            if (pulled >= hundredMegabytes) controller.close()
          }
        }, { highWaterMark: 0 })
        const request = new Request(TodoServer.resource, {
          method: "POST",
          headers: { ...Object.fromEntries(Mcp.call("list", { token }).headers!), ...headers },
          body,
          duplex: "half"
        } as RequestInit)
        return Effect.map(handle(request), ({ status }) => ({ status, pulled }))
      }
      assert.deepStrictEqual(yield* send(undefined), { status: 401, pulled: 0 })
      assert.deepStrictEqual(yield* send("abc"), { status: 401, pulled: 0 })
      assert.deepStrictEqual(yield* send("a b"), { status: 400, pulled: 0 })
      const token = yield* issuer.mint({ scopes: ["todos:read"] })
      // The session, the content type and the origin are also checked before the body is read.
      assert.deepStrictEqual(yield* send(token, { "mcp-session-id": "x" }), { status: 404, pulled: 0 })
      assert.deepStrictEqual(yield* send(token, { "content-type": "text/plain" }), { status: 415, pulled: 0 })
      assert.deepStrictEqual(yield* send(token, { origin: "https://evil.test" }), { status: 403, pulled: 0 })
      // A valid request is read, up to the limit.
      const read = yield* send(token)
      assert.strictEqual(read.status, 413)
      assert.isAbove(read.pulled, 4 * 1024 * 1024)
      assert.isBelow(read.pulled, 6 * 1024 * 1024)
    }).pipe(Effect.provide(Logger.layer([]))))

  it.live("a smaller limit of the application takes effect", () =>
    Effect.gen(function*() {
      const { app, issuer, ran } = yield* start
      const host = yield* Host.web(app).pipe(
        Effect.provideService(HttpIncomingMessage.MaxBodySize, ByteSize.kibibytes(1))
      )
      const token = yield* issuer.mint({ scopes: ["todos:read"] })
      const sized = (length: number) => Mcp.call("list", { token, arguments: { title: "x".repeat(length) } })
      assert.strictEqual((yield* host.send(sized(2048))).status, 413)
      assert.deepStrictEqual(ran, [])
      assert.strictEqual((yield* host.send(sized(16))).status, 200)
    }).pipe(Effect.provide(Logger.layer([]))))

  /** Sends the head and a part of the body. Returns the status line of the response. */
  const send = (port: number, headers: ReadonlyArray<readonly [string, string]>, body: string) =>
    Effect.callback<string>((resume) => {
      const socket = connect(port, "127.0.0.1", () => {
        const lines = [...headers, ["host", "server.test"]]
        socket.write(`POST /mcp HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`)
        socket.write(body)
      })
      socket.once("data", (data) => resume(Effect.succeed(data.toString("latin1"))))
      socket.once("error", (error) => resume(Effect.die(error)))
      socket.once("end", () => resume(Effect.succeed("")))
      return Effect.sync(() => socket.destroy())
    }).pipe(
      Effect.timeout("50 seconds"),
      Effect.map((answer) => answer.slice(0, answer.indexOf("\r\n")))
    )

  /** Sends the beginning of a chunked body: the size of its first chunk (`announced`), and at most 64 KiB of that chunk. */
  const sendChunk = (
    port: number,
    headers: ReadonlyArray<readonly [string, string]>,
    announced: number,
    sent = Math.min(announced, 64 * 1024)
  ) =>
    send(
      port,
      [...headers, ["transfer-encoding", "chunked"]],
      announced > 0 ? `${announced.toString(16)}\r\n${" ".repeat(sent)}` : ""
    )

  it.live("HDR-18 over a socket: a chunked body of 100 MB that has only begun is answered with 401", () =>
    Effect.gen(function*() {
      const { app, issuer, ran } = yield* start
      const port = yield* Host.listen(app)
      const status = (token: string | undefined, bytes: number) =>
        sendChunk(port, Mcp.call("list", { token }).headers!, bytes)
      assert.strictEqual(yield* status(undefined, hundredMegabytes), "HTTP/1.1 401 Unauthorized")
      assert.strictEqual(yield* status(undefined, 0), "HTTP/1.1 401 Unauthorized")
      assert.strictEqual(yield* status("abc", hundredMegabytes), "HTTP/1.1 401 Unauthorized")
      assert.strictEqual(yield* status("a b", hundredMegabytes), "HTTP/1.1 400 Bad Request")
      const foreign = yield* issuer.mint({ audience: "https://other.test/mcp" })
      assert.strictEqual(yield* status(foreign, hundredMegabytes), "HTTP/1.1 401 Unauthorized")
      assert.deepStrictEqual(ran, [])
    }).pipe(Effect.provide(Logger.layer([]))))

  it.live("over a socket: a body over the limit is not read to its end, announced or not", () =>
    Effect.gen(function*() {
      const { app, issuer, ran } = yield* start
      const port = yield* Host.listen(app)
      const { headers } = Mcp.call("list", { token: yield* issuer.mint({ scopes: ["todos:read"] }) })
      const beyond = 5 * 1024 * 1024
      assert.strictEqual(
        yield* sendChunk(port, headers!, hundredMegabytes, beyond),
        "HTTP/1.1 413 Payload Too Large"
      )
      assert.strictEqual(
        yield* send(port, [...headers!, ["content-length", String(beyond)]], ""),
        "HTTP/1.1 413 Payload Too Large"
      )
      assert.deepStrictEqual(ran, [])
    }).pipe(Effect.provide(Logger.layer([]))))
})
