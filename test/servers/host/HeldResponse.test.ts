import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect } from "effect"
import { AuthError } from "effect-mcp-auth"
import { McpAuthNode } from "effect-mcp-auth/node"
import { SessionStore } from "effect-mcp-auth/sessions"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { Readable } from "node:stream"
import { bearer, initialize } from "../hosts/cases.ts"
import * as Functions from "../hosts/functions.ts"
import { makeIssuer, optionsOf, overSocket } from "../hosts/Host.ts"
import { hostOptions } from "../hosts/services.ts"

const text = (length: number) => "0123456789abcdef".repeat(length / 16)

/** Serves one handler whose session a test records in the store, or does not. */
const serve = (handler: (res: ServerResponse, req: IncomingMessage) => void) =>
  Effect.gen(function*() {
    const { client, issuer } = yield* Effect.promise(() => makeIssuer())
    const opening = yield* Deferred.make<void>()
    const recorded = yield* Deferred.make<boolean, AuthError.SessionStoreUnavailable>()
    const memory = yield* SessionStore.memory()
    const store: SessionStore.Store = {
      ...memory,
      open: (session) =>
        Effect.andThen(
          Deferred.succeed(opening, undefined),
          Effect.andThen(Deferred.await(recorded), memory.open(session))
        )
    }
    const auth = yield* Effect.promise(() =>
      McpAuthNode.make(
        hostOptions(
          { ...optionsOf(issuer.issuer, {}), sessionStore: SessionStore.make(store) } as never,
          client,
          Functions.make("none")
        )
      )
    )
    const protect = auth.protect()
    const server = createServer((req, res) => protect(req, res, () => handler(res, req)))
    yield* Effect.acquireRelease(
      Effect.callback<void>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.void))),
      () =>
        Effect.promise(async () => {
          server.closeAllConnections()
          server.close()
          await auth.dispose()
        })
    )
    const socket = overSocket((server.address() as AddressInfo).port)
    const token = yield* Effect.promise(() => Effect.runPromise(issuer.mint({ scopes: ["todos:read"] })))
    return { socket, sent: initialize(bearer(token)), opening: Deferred.await(opening), recorded }
  })

const handlers: ReadonlyArray<{ readonly title: string; readonly handler: (res: ServerResponse) => void }> = [
  {
    title: "writeHead with headers, write and end",
    handler: (res) => {
      res.writeHead(200, { "mcp-session-id": "s", "content-type": "text/plain" })
      res.write(text(16))
      res.write(text(32))
      res.end(text(48))
    }
  },
  {
    title: "write without writeHead",
    handler: (res) => {
      res.setHeader("mcp-session-id", "s")
      res.write(text(16))
      res.write(text(32))
      res.end(text(48))
    }
  },
  {
    title: "end without writeHead",
    handler: (res) => {
      res.setHeader("mcp-session-id", "s")
      res.end(text(96))
    }
  },
  {
    title: "flushHeaders, and a body that follows later",
    handler: (res) => {
      res.setHeader("mcp-session-id", "s")
      res.flushHeaders()
      setImmediate(() => res.end(text(96)))
    }
  }
]

describe("a response that opens a session", () => {
  it.live.each(handlers)(
    "[T-SESS-05] is sent in order after the session is recorded, and not before: $title",
    ({ handler }) =>
      Effect.scoped(Effect.gen(function*() {
        const { opening, recorded, sent, socket } = yield* serve(handler)
        let received = false
        const answer = socket.send(sent).then((answer) => (received = true, answer))
        yield* opening
        yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
        assert.isFalse(received)
        yield* Deferred.succeed(recorded, true)
        const { body, headers, status } = yield* Effect.promise(() => answer)
        assert.strictEqual(status, 200)
        assert.strictEqual(headers["mcp-session-id"], "s")
        assert.isTrue([text(96), text(16) + text(32) + text(48)].includes(body))
      }))
  )

  it.live("is complete if it is larger than the buffers of the connection", () =>
    Effect.scoped(Effect.gen(function*() {
      const { opening, recorded, sent, socket } = yield* serve((res) => {
        res.setHeader("mcp-session-id", "s")
        Readable.from(Array.from({ length: 64 }, () => text(65_536))).pipe(res)
      })
      const answer = socket.send(sent)
      yield* opening
      yield* Deferred.succeed(recorded, true)
      const { body } = yield* Effect.promise(() => answer)
      assert.lengthOf(body, 64 * 65_536)
    })))

  it.live("[T-SESS-04] is replaced by 503 if the session cannot be recorded, without its headers and its body", () =>
    Effect.scoped(Effect.gen(function*() {
      const { recorded, sent, socket } = yield* serve((res) => {
        res.setHeader("mcp-session-id", "s")
        res.setHeader("x-other", "1")
        res.statusMessage = "Fine"
        res.write("private")
        setImmediate(() => res.end("private"))
      })
      yield* Deferred.fail(
        recorded,
        new AuthError.SessionStoreUnavailable({ reason: "session-store-down", retryAfter: 1 })
      )
      const { body, headers, status } = yield* Effect.promise(() => socket.send(sent))
      assert.strictEqual(status, 503)
      assert.notInclude(body, "private")
      assert.isUndefined(headers["mcp-session-id"])
      assert.isUndefined(headers["x-other"])
    })))

  it.live("is dropped if the client disconnects before the session is recorded", () =>
    Effect.scoped(Effect.gen(function*() {
      const closed = yield* Deferred.make<void>()
      const { opening, recorded, sent, socket } = yield* serve((res) => {
        res.on("close", () => Deferred.doneUnsafe(closed, Effect.void as never))
        res.writeHead(200, { "mcp-session-id": "s" })
        res.end("body")
      })
      const leave = socket.leave(sent)
      yield* opening
      leave()
      yield* Deferred.await(closed)
      yield* Deferred.succeed(recorded, true)
      // The server still serves the next request.
      const { status } = yield* Effect.promise(() => socket.send(sent))
      assert.strictEqual(status, 200)
    })))
})
