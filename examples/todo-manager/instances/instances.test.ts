/** Runs two instances of the todo manager as separate processes, behind a balancer and on one Redis. `npm run test:slow`. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestIssuer } from "effect-mcp-auth/testing"
import { createServer, type IncomingMessage, request, type RequestListener, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { runs } from "../../../test/program.ts"
import * as redis from "../../../test/redis.ts"
import { start } from "../../shared/test/Program.ts"

/** Listens on a free port until the scope closes. */
const listen = (listener: RequestListener) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.promise(() => {
        const server = createServer(listener)
        return new Promise<typeof server>((resolve) => server.listen(0, "127.0.0.1", () => resolve(server)))
      }),
      (server) =>
        Effect.promise(async () => {
          server.closeAllConnections()
          await new Promise((resolve) => server.close(resolve))
        })
    ),
    (server) => `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  )

/** Forwards each request to the next instance. */
const makeBalancer = () => {
  const ports: Array<string> = []
  let next = 0
  const listener = (req: IncomingMessage, res: ServerResponse) => {
    const port = ports[next]
    next = (next + 1) % ports.length
    const { headers, method, url } = req
    const forwarded = request({ host: "127.0.0.1", port, method, path: url, headers }, (answer) => {
      res.writeHead(answer.statusCode!, answer.headers)
      answer.pipe(res)
    })
    forwarded.on("error", () => void res.destroy())
    req.pipe(forwarded)
  }
  return { ports, listener, next: () => next }
}

/** Starts a Redis, an issuer, and two instances behind a balancer. */
const startWorld = Effect.fnUntraced(function*(file: string) {
  const { url: redisUrl } = yield* redis.server
  let issuer: TestIssuer.PromisedTestIssuer | undefined
  const issuerUrl = yield* listen((req, res) => issuer!.listener(req, res))
  const balancer = makeBalancer()
  const url = `${yield* listen(balancer.listener)}/mcp`
  issuer = yield* Effect.promise(() => TestIssuer.start({ issuer: issuerUrl, resource: url }))
  const started = yield* Effect.forEach([0, 1], () =>
    Effect.acquireRelease(
      Effect.sync(() =>
        start(`todo-manager/instances/${file}`, {
          PORT: "0",
          RESOURCE_URL: url,
          AUTHORIZATION_SERVERS: issuerUrl,
          REDIS_URL: redisUrl
        })
      ),
      (program) =>
        Effect.promise(() => {
          program.interrupt()
          return program.ended
        })
    ))
  for (const program of started) {
    balancer.ports.push(new URL((yield* Effect.promise(() => program.firstLine)).replace("listening on ", "")).port)
  }

  interface Sent {
    readonly token: string
    readonly session?: string | undefined
    readonly method?: "POST" | "DELETE"
    readonly message?: object
  }

  /** Sends a request to the instance that is next. */
  const send = async ({ message, method = "POST", session, token }: Sent) => {
    const response = await fetch(url, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        accept: "application/json, text/event-stream",
        "content-type": "application/json",
        "mcp-protocol-version": "2025-11-25",
        ...(session === undefined ? {} : { "mcp-session-id": session })
      },
      ...(message === undefined ? {} : { body: JSON.stringify({ jsonrpc: "2.0", id: 1, ...message }) })
    })
    return { status: response.status, session: response.headers.get("mcp-session-id"), text: await response.text() }
  }

  /** Sends a request to one of the instances. A request for the metadata takes the turn of the other one. */
  const sendTo = async (instance: number, sent: Sent) => {
    if (balancer.next() !== instance) await fetch(new URL("/.well-known/oauth-protected-resource/mcp", url))
    return send(sent)
  }

  return {
    send,
    sendTo,
    mint: (options: TestIssuer.TokenOptions) =>
      issuer.mint({ clientId: "client-1", scopes: ["create:todos", "read:todos"], ...options })
  }
})

const initialize = {
  method: "initialize",
  params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "test", version: "1.0.0" } }
}

const callTool = (name: string, args: object = {}) => ({ method: "tools/call", params: { name, arguments: args } })

describe.skipIf(!runs("redis-server")).each([
  { file: "effect.ts", sharesTransport: false },
  { file: "sdk-v1.ts", sharesTransport: true },
  { file: "sdk-v2.ts", sharesTransport: true }
])("two instances of the todo manager, $file", ({ file, sharesTransport }) => {
  it.live("[T-SESS-01] [T-SESS-02] share the sessions of their callers, and end them together", () =>
    Effect.scoped(Effect.gen(function*() {
      const { mint, send, sendTo } = yield* startWorld(file)
      yield* Effect.promise(async () => {
        const alice = await mint({ subject: "alice" })
        const others = [await mint({ subject: "mallory" }), await mint({ subject: "alice", clientId: "client-2" })]
        const open = async (token: string) => {
          const { session, status, text } = await sendTo(0, { token, message: initialize })
          assert.strictEqual(status, 200, text)
          assert.isString(session)
          return session!
        }
        const elsewhere = sharesTransport ? 200 : 404
        const list = callTool("list_todos")

        const session = await open(alice)
        const create = callTool("create_todo", { title: "Read RFC 9728" })
        assert.strictEqual((await sendTo(0, { token: alice, session, message: create })).status, 200)
        const listed = await sendTo(1, { token: alice, session, message: list })
        assert.strictEqual(listed.status, elsewhere, listed.text)
        if (sharesTransport) assert.include(listed.text, "Read RFC 9728")
        const statuses = async (token: string, session: string | undefined) => {
          const answers = [await send({ token, session, message: list }), await send({ token, session, message: list })]
          return answers.map(({ status }) => status).sort()
        }
        assert.deepStrictEqual(await statuses(alice, session), [200, elsewhere])

        for (const other of others) {
          assert.deepStrictEqual(await statuses(other, session), [404, 404])
          assert.strictEqual((await send({ token: other, session, method: "DELETE" })).status, 404)
        }
        assert.deepStrictEqual(await statuses(alice, session), [200, elsewhere])
        const deleted = await sendTo(1, { token: alice, session, method: "DELETE" })
        assert.strictEqual(deleted.status, elsewhere, deleted.text)
        assert.deepStrictEqual(await statuses(alice, session), [404, 404])

        const second = await open(alice)
        const signedOut = await sendTo(0, { token: alice, session: second, message: callTool("sign_out") })
        assert.strictEqual(signedOut.status, 200, signedOut.text)
        assert.deepStrictEqual(await statuses(alice, second), [401, 401])
        // A token that was issued after the sign-out is valid, and the session is over.
        const again = await mint({ subject: "alice", claims: { iat: Math.floor(Date.now() / 1000) + 2 } })
        assert.deepStrictEqual(await statuses(again, second), [404, 404])
        const third = await open(again)
        assert.deepStrictEqual(await statuses(again, third), [200, elsewhere])
      })
    })))
})
