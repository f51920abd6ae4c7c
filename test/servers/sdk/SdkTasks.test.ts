import { assert, describe, it } from "@effect/vitest"
import { getRequestListener } from "@hono/node-server"
import {
  InMemoryTaskMessageQueue,
  InMemoryTaskStore
} from "@modelcontextprotocol/sdk/experimental/tasks/stores/in-memory.js"
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js"
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js"
import { WebStandardStreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js"
import { Effect, Layer, References } from "effect"
import { McpAuthSdk } from "effect-mcp-auth/sdk-v1"
import { TestIssuer } from "effect-mcp-auth/testing"
import type { HttpClient } from "effect/http"
import express from "express"
import { randomUUID } from "node:crypto"
import type { RequestListener } from "node:http"
import { fetchOf } from "../hosts/Host.ts"
import { listen } from "./listen.ts"
import { callTool, initialize, post, request } from "./rpc.ts"

const makeAuth = (resource: string, client: HttpClient.HttpClient) =>
  McpAuthSdk.make({
    resource,
    authorizationServers: ["https://issuer.test"],
    scopes: ["read"],
    layer: Layer.succeed(References.MinimumLogLevel, "None"),
    fetch: fetchOf(client)
  })
type Auth = Awaited<ReturnType<typeof makeAuth>>

interface Tasks {
  readonly store: InMemoryTaskStore
  readonly queue: InMemoryTaskMessageQueue
}

const makeServer = (auth: Auth, { queue, store }: Tasks) => {
  const server = new McpServer({ name: "tasks", version: "1.0.0" }, {
    capabilities: { tasks: { list: {}, cancel: {}, requests: { tools: { call: {} } } } },
    taskStore: store,
    taskMessageQueue: queue
  })
  auth.registerTool(server, "whoami", {}, ({ principal }) => ({
    content: [{ type: "text", text: principal.subject ?? "" }]
  }))
  server.experimental.tasks.registerToolTask("report", { execution: { taskSupport: "required" } }, {
    createTask: async ({ authInfo, taskStore }) => {
      const task = await taskStore.createTask({ ttl: null })
      const text = `secret of ${(authInfo!.extra as { readonly subject: string }).subject}`
      await taskStore.storeTaskResult(task.taskId, "completed", { content: [{ type: "text", text }] })
      return { task: await taskStore.getTask(task.taskId) }
    },
    getTask: (_) => Promise.reject(new Error("the SDK asks the store")),
    getTaskResult: (_) => Promise.reject(new Error("the SDK asks the store"))
  })
  return server
}

type Host = (auth: Auth, tasks: Tasks) => RequestListener

const stateless: Host = (auth, tasks) => {
  const app = express()
  app.post("/mcp", auth.protect(makeServer(auth, tasks)), async (req, res) => {
    const transport = new StreamableHTTPServerTransport({ enableJsonResponse: true })
    await makeServer(auth, tasks).connect(transport as never)
    await transport.handleRequest(req, res, req.body)
  })
  return app
}

const webStandard: Host = (auth, tasks) => {
  const handler = auth.protectFetch(makeServer(auth, tasks), async (request, options) => {
    const transport = new WebStandardStreamableHTTPServerTransport({ enableJsonResponse: true })
    await makeServer(auth, tasks).connect(transport as never)
    return transport.handleRequest(request, options)
  })
  return getRequestListener((request) => handler(request)) as RequestListener
}

/** Passes a copy of the gate's `authInfo` to the transport. The handlers do not accept a copy. */
const withOwnAuthInfo: Host = (auth, tasks) => {
  const handler = auth.protectFetch(makeServer(auth, tasks), async (request, { authInfo, ...options }) => {
    const transport = new WebStandardStreamableHTTPServerTransport({ enableJsonResponse: true })
    await makeServer(auth, tasks).connect(transport as never)
    return transport.handleRequest(request, { ...options, authInfo: { ...authInfo!, token: "" } })
  })
  return getRequestListener((request) => handler(request)) as RequestListener
}

const withSessions: Host = (auth, tasks) => {
  const open = new Map<string, StreamableHTTPServerTransport>()
  const app = express()
  app.post("/mcp", auth.protect(makeServer(auth, tasks)), async (req, res) => {
    const known = open.get(req.headers["mcp-session-id"] as string)
    if (known !== undefined) return known.handleRequest(req, res, req.body)
    const transport: StreamableHTTPServerTransport = new StreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      enableJsonResponse: true,
      onsessioninitialized: (id) => void open.set(id, transport)
    })
    await makeServer(auth, tasks).connect(transport as never)
    await transport.handleRequest(req, res, req.body)
  })
  return app
}

const start = Effect.fnUntraced(function*(host: Host) {
  const { client, issuer } = yield* TestIssuer.make()
  const tasks: Tasks = { store: new InMemoryTaskStore(), queue: new InMemoryTaskMessageQueue() }
  let auth: Auth | undefined
  let url = ""
  yield* listen((origin) =>
    Effect.promise(async () => {
      url = `${origin}/mcp`
      auth = await makeAuth(url, client)
      return host(auth, tasks)
    })
  )
  yield* Effect.addFinalizer(() => Effect.promise(() => auth!.dispose()))
  return {
    auth: auth!,
    tasks,
    signIn: (subject: string, clientId = "client-1") =>
      issuer.mint({ audience: url, subject, clientId, scopes: ["read"] }),
    send: (token: string, message: object, headers: Readonly<Record<string, string>> = {}) =>
      Effect.promise(() => post(url, message, { token, headers }))
  }
})

type Started = Effect.Success<ReturnType<typeof start>>

const report = request("tools/call", { name: "report", arguments: {}, task: {} })

const create = ({ send }: Started, token: string, headers?: Readonly<Record<string, string>>) =>
  Effect.map(send(token, report, headers), ({ message, text }) => {
    assert.isString(message.result?.task?.taskId, text)
    return message.result.task.taskId as string
  })

/** Returns what the four task methods reveal about a task to the caller that sends this token. */
const findTask = Effect.fnUntraced(
  function*({ send }: Started, token: string, taskId: string, headers?: Readonly<Record<string, string>>) {
    const [list, task, result, cancelled] = yield* Effect.forEach([
      request("tasks/list"),
      request("tasks/get", { taskId }),
      request("tasks/result", { taskId }),
      request("tasks/cancel", { taskId })
    ], (message) => send(token, message, headers))
    return {
      listed: list!.message.result.tasks.map((_: { readonly taskId: string }) => _.taskId) as ReadonlyArray<string>,
      status: task!.message.result?.status as string | undefined,
      text: result!.message.result?.content[0].text as string | undefined,
      cancelling: cancelled!.message.error?.message as string
    }
  }
)

describe.each([["Express", stateless], ["the web-standard transport", webStandard]] as const)(
  "tasks of sdk-v1 without sessions, %s",
  (_, host) => {
    it.live("[T-AUD-20b] a caller finds its own tasks with any of its tokens, and no task of another caller", () =>
      Effect.gen(function*() {
        const started = yield* start(host)
        const { signIn } = started
        const taskId = yield* create(started, yield* signIn("alice"))
        const own = yield* findTask(started, yield* signIn("alice"), taskId)
        assert.deepStrictEqual([own.listed, own.status, own.text], [[taskId], "completed", "secret of alice"])
        assert.include(own.cancelling, "terminal status")
        for (const other of [yield* signIn("mallory"), yield* signIn("alice", "client-2")]) {
          const foreign = yield* findTask(started, other, taskId)
          assert.deepStrictEqual([foreign.listed, foreign.status, foreign.text], [[], undefined, undefined])
          assert.include(foreign.cancelling, "not found")
        }
      }))

    it.live("[T-AUD-20b] a session of the caller elsewhere opens no task of another caller", () =>
      Effect.gen(function*() {
        const started = yield* start(host)
        const taskId = yield* create(started, yield* started.signIn("alice"))
        const mallory = yield* started.signIn("mallory")
        // The gate knows this session of mallory from another endpoint. The stateless transport does not check session ids.
        const elsewhere = started.auth.protectFetch(
          makeServer(started.auth, started.tasks),
          () => new Response(null, { headers: { "mcp-session-id": "elsewhere" } })
        )
        yield* Effect.promise(() =>
          elsewhere(
            new Request("http://localhost/other", {
              method: "POST",
              headers: { "content-type": "application/json", authorization: `Bearer ${mallory}` },
              body: JSON.stringify(initialize)
            })
          )
        )
        const headers = { "mcp-session-id": "elsewhere" }
        assert.strictEqual((yield* started.send(mallory, callTool("whoami"), headers)).status, 200)
        assert.deepStrictEqual((yield* findTask(started, mallory, taskId, headers)).listed, [])
      }))

    it.live("[T-AUD-20b] an answer is not queued for a task that a request relates to", () =>
      Effect.gen(function*() {
        const started = yield* start(host)
        const taskId = yield* create(started, yield* started.signIn("alice"))
        const related = request("tools/call", {
          name: "whoami",
          arguments: {},
          _meta: { "io.modelcontextprotocol/related-task": { taskId }, progressToken: 7 }
        })
        const answer = yield* started.send(yield* started.signIn("mallory"), related)
        assert.strictEqual(answer.message.result.content[0].text, "mallory")
        assert.isUndefined(yield* Effect.promise(() => started.tasks.queue.dequeue(taskId)))
      }))
  }
)

describe("tasks of sdk-v1 whose caller is unknown", () => {
  it.live("[T-AUD-20b] a task of an unknown caller belongs to no caller", () =>
    Effect.gen(function*() {
      const started = yield* start(withOwnAuthInfo)
      const taskId = yield* create(started, yield* started.signIn("alice"))
      const foreign = yield* findTask(started, yield* started.signIn("mallory"), taskId)
      assert.deepStrictEqual([foreign.listed, foreign.status, foreign.text], [[], undefined, undefined])
    }))
})

describe("tasks of sdk-v1 with sessions", () => {
  it.live("[T-AUD-20b] a task belongs to the session that created it, and the session to its caller", () =>
    Effect.gen(function*() {
      const started = yield* start(withSessions)
      const { send, signIn } = started
      const open = (token: string) =>
        Effect.map(send(token, initialize), ({ headers }) => ({ "mcp-session-id": headers.get("mcp-session-id")! }))
      const [alice, mallory] = [yield* signIn("alice"), yield* signIn("mallory")]
      const [ofAlice, ofMallory] = [yield* open(alice), yield* open(mallory)]
      const taskId = yield* create(started, alice, ofAlice)
      assert.strictEqual((yield* findTask(started, alice, taskId, ofAlice)).text, "secret of alice")
      const foreign = yield* findTask(started, mallory, taskId, ofMallory)
      assert.deepStrictEqual([foreign.listed, foreign.status, foreign.text], [[], undefined, undefined])
      for (const message of [request("tasks/list"), request("tasks/get", { taskId })]) {
        assert.strictEqual((yield* send(mallory, message, ofAlice)).status, 404)
      }
    }))
})
