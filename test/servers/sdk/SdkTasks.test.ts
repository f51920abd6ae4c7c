import { afterEach, assert, describe, it, vi } from "@effect/vitest"
import { getRequestListener } from "@hono/node-server"
import {
  InMemoryTaskMessageQueue,
  InMemoryTaskStore
} from "@modelcontextprotocol/sdk/experimental/tasks/stores/in-memory.js"
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js"
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js"
import { WebStandardStreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js"
import type { CallToolResult } from "@modelcontextprotocol/sdk/types.js"
import { type Duration, Effect, Fiber, Layer, References } from "effect"
import { Policy } from "effect-mcp-auth/policy"
import { McpAuthSdk } from "effect-mcp-auth/sdk-v1"
import { TestIssuer } from "effect-mcp-auth/testing"
import type { HttpClient } from "effect/http"
import express from "express"
import { randomUUID } from "node:crypto"
import type { RequestListener } from "node:http"
import { z } from "zod"
import { fetchOf } from "../hosts/Host.ts"
import { listen } from "./listen.ts"
import { callTool, challenged, initialize, post, request } from "./rpc.ts"

const makeAuth = (resource: string, client: HttpClient.HttpClient) =>
  McpAuthSdk.make({
    resource,
    authorizationServers: ["https://issuer.test"],
    scopes: ["read", "write"],
    anonymous: "allow-unscoped",
    layer: Layer.succeed(References.MinimumLogLevel, "None"),
    fetch: fetchOf(client)
  })
type Auth = Awaited<ReturnType<typeof makeAuth>>

interface Tasks {
  readonly store: InMemoryTaskStore
  readonly queue: InMemoryTaskMessageQueue
  readonly checks: ReturnType<typeof makeChecks>
}

/** Creates the checks of policies, once for all servers of a program. */
const makeChecks = () => {
  /** The subjects that pass the check of the caller. */
  const members = new Set(["alice"])
  /** The checks that ran. */
  const evaluated: Array<string> = []
  const isMember = Policy.checkCaller("member", async ({ subject }) => {
    evaluated.push("member")
    return members.has(subject!)
  })
  const isOwn = Policy.check("own", async (_, call: Policy.Call<{ readonly list: string }>) => {
    evaluated.push(`own ${call.arguments.list}`)
    return call.arguments.list === "1"
  })
  return { members, evaluated, isMember, canExport: Policy.allOf(Policy.scopes("read"), isMember, isOwn) }
}

const makeServer = (auth: Auth, { checks, queue, store }: Tasks) => {
  const server = new McpServer({ name: "tasks", version: "1.0.0" }, {
    capabilities: { logging: {}, tasks: { list: {}, cancel: {}, requests: { tools: { call: {} } } } },
    taskStore: store,
    taskMessageQueue: queue
  })
  auth.registerTool(server, "whoami", {}, ({ principal }) => ({
    content: [{ type: "text", text: principal?.subject ?? "" }]
  }))
  const complete = async ({ taskStore }: Pick<McpAuthSdk.TaskExtra<never>, "taskStore">, text: string) => {
    const task = await taskStore.createTask({ ttl: null })
    await taskStore.storeTaskResult(task.taskId, "completed", { content: [{ type: "text", text }] })
    return { task: await taskStore.getTask(task.taskId) }
  }
  auth.registerToolTask(
    server,
    "report",
    { scopes: ["read"] },
    (extra) => complete(extra, `secret of ${(extra.authInfo!.extra as { readonly subject: string }).subject}`)
  )
  auth.registerToolTask(
    server,
    "audit",
    { scopes: ["write"] },
    (extra) => Effect.promise(() => complete(extra, `audit of ${extra.principal.subject}`))
  )
  auth.registerToolTask(
    server,
    "hidden",
    { scopes: ["write"], unauthorized: "hide" },
    (extra) => complete(extra, `hidden of ${extra.principal.subject}`)
  )
  auth.registerToolTask(server, "open", {}, (extra) => complete(extra, `open of ${extra.principal?.subject}`))
  const inputSchema = { list: z.string().trim() }
  auth.registerToolTask(
    server,
    "export",
    { inputSchema, policy: checks.canExport },
    ({ list }, extra) => complete(extra, `list ${list} of ${extra.principal.subject}`)
  )
  auth.registerToolTask(
    server,
    "gold",
    { policy: Policy.claim("tier", (tier) => tier === "gold"), unauthorized: "deny" },
    (extra) => complete(extra, `gold of ${extra.principal.subject}`)
  )
  auth.registerToolTask(
    server,
    "members",
    { policy: checks.isMember, unauthorized: "hide" },
    (extra) => complete(extra, `members of ${extra.principal.subject}`)
  )
  auth.registerToolTask(
    server,
    "optional",
    { policy: Policy.optional(Policy.scopes("write")) },
    (extra) => complete(extra, "optional")
  )
  auth.registerToolTask(server, "wait", { scopes: ["read"] }, async ({ taskStore }) => ({
    task: await taskStore.createTask({ ttl: null, pollInterval: 1 })
  }))
  auth.registerToolTask(server, "notify", { scopes: ["read"] }, async ({ taskStore }) => {
    const task = await taskStore.createTask({ ttl: null })
    const { taskId } = task
    await server.server.notification(
      { method: "notifications/message", params: { level: "info", data: "half" } },
      { relatedTask: { taskId } }
    )
    await taskStore.storeTaskResult(taskId, "completed", { content: [] })
    return { task }
  })
  auth.registerTool(server, "read_report", {
    inputSchema: { taskId: z.string() }
  }, async ({ taskId }, { taskStore }) => await taskStore!.getTaskResult(taskId) as CallToolResult)
  auth.registerTool(server, "rogue", {}, async ({ taskStore }) => {
    const { taskId } = await taskStore!.createTask({ ttl: null })
    return { content: [{ type: "text", text: taskId }] }
  })
  server.experimental.tasks.registerToolTask("stock", { execution: { taskSupport: "required" } }, {
    createTask: async ({ taskStore }) => await complete({ taskStore }, "stock"),
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

const resource = "https://reports.test/mcp"

/** Starts instances of one program. They share the task store, as two instances with one database do. */
const start = Effect.fnUntraced(
  function*(host: Host, instances = 1, store = new InMemoryTaskStore(), queue = new InMemoryTaskMessageQueue()) {
    const { client, issuer } = yield* TestIssuer.make()
    const tasks: Tasks = { store, queue, checks: makeChecks() }
    const running = yield* Effect.forEach(Array.from({ length: instances }), () =>
      Effect.gen(function*() {
        const auth = yield* Effect.acquireRelease(
          Effect.promise(() => makeAuth(resource, client)),
          (auth) => Effect.promise(() => auth.dispose())
        )
        const origin = yield* listen(() => Effect.succeed(host(auth, tasks)))
        return { auth, url: `${origin}/mcp` }
      }))
    return {
      auth: running[0]!.auth,
      tasks,
      signIn: (
        subject: string,
        { clientId = "client-1", ...given }: {
          clientId?: string
          scopes?: ReadonlyArray<string>
          expiresIn?: Duration.Input
          claims?: Readonly<Record<string, unknown>>
        } = {}
      ) => issuer.mint({ audience: resource, subject, clientId, scopes: ["read"], ...given }),
      send: (
        token: string | undefined,
        message: object,
        headers: Readonly<Record<string, string>> = {},
        instance = 0
      ) => Effect.promise(() => post(running[instance]!.url, message, { token, headers }))
    }
  }
)

type Started = Effect.Success<ReturnType<typeof start>>

const creating = (name: string) => request("tools/call", { name, arguments: {}, task: {} })

const create = (
  { send }: Pick<Started, "send">,
  token: string,
  headers?: Readonly<Record<string, string>>,
  name = "report"
) =>
  Effect.map(send(token, creating(name), headers), ({ message, text }) => {
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
        for (const other of [yield* signIn("mallory"), yield* signIn("alice", { clientId: "client-2" })]) {
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
      const taskId = yield* create(started, yield* started.signIn("alice"), {}, "stock")
      const foreign = yield* findTask(started, yield* started.signIn("mallory"), taskId)
      assert.deepStrictEqual([foreign.listed, foreign.status, foreign.text], [[], undefined, undefined])
    }))
})

/** Opens a session, and returns the headers of its requests. */
const openSession = ({ send }: Started, token: string, instance = 0) =>
  Effect.map(send(token, initialize, {}, instance), ({ headers }) => ({
    "mcp-session-id": headers.get("mcp-session-id")!
  }))

describe("tasks of sdk-v1 with sessions", () => {
  it.live("[T-AUD-20b] a task belongs to its caller in every session, and a session to its caller", () =>
    Effect.gen(function*() {
      const started = yield* start(withSessions)
      const { send, signIn } = started
      const [alice, mallory] = [yield* signIn("alice"), yield* signIn("mallory")]
      const [ofAlice, again, ofMallory] = yield* Effect.forEach(
        [alice, alice, mallory],
        (token) => openSession(started, token)
      )
      const taskId = yield* create(started, alice, ofAlice)
      for (const session of [ofAlice, again]) {
        const own = yield* findTask(started, alice, taskId, session)
        assert.deepStrictEqual([own.listed, own.status, own.text], [[taskId], "completed", "secret of alice"])
      }
      const foreign = yield* findTask(started, mallory, taskId, ofMallory)
      assert.deepStrictEqual([foreign.listed, foreign.status, foreign.text], [[], undefined, undefined])
      for (const message of [request("tasks/list"), request("tasks/get", { taskId })]) {
        assert.strictEqual((yield* send(mallory, message, ofAlice)).status, 404)
      }
    }))
})

describe("the messages of tasks of sdk-v1", () => {
  it.live("[T-AUD-20d] a queue that separates sessions delivers the messages of a task in every session of its caller", () =>
    Effect.gen(function*() {
      const queue = new InMemoryTaskMessageQueue()
      Object.assign(queue, { getQueueKey: (taskId: string, session?: string) => `${taskId} of ${session}` })
      const delivered: Array<unknown> = []
      const { dequeue } = queue
      queue.dequeue = async (...given) => {
        const message = await Reflect.apply(dequeue, queue, given)
        if (message !== undefined) delivered.push(message.message)
        return message
      }
      const started = yield* start(withSessions, 1, new InMemoryTaskStore(), queue)
      const alice = yield* started.signIn("alice")
      const [first, second] = yield* Effect.forEach([alice, alice], (token) => openSession(started, token))
      const taskId = yield* create(started, alice, first, "notify")
      const answer = yield* started.send(alice, request("tasks/result", { taskId }), second)
      assert.strictEqual(answer.status, 200)
      assert.deepStrictEqual(delivered, [{
        jsonrpc: "2.0",
        method: "notifications/message",
        params: {
          level: "info",
          data: "half",
          _meta: { "io.modelcontextprotocol/related-task": { taskId } }
        }
      }])
    }))
})

const everyMethod = (taskId: string) => [
  request("tasks/get", { taskId }),
  request("tasks/result", { taskId }),
  request("tasks/cancel", { taskId })
]

describe.each([["without sessions", stateless, false], ["with sessions", withSessions, true]] as const)(
  "the policies of tasks of sdk-v1, %s",
  (_, host, hasSessions) => {
    const startWith = Effect.fnUntraced(function*(instances = 1, store = new InMemoryTaskStore()) {
      const started = yield* start(host, instances, store)
      const sendWith = Effect.fnUntraced(function*(token: string, instance = 0) {
        const headers = hasSessions ? yield* openSession(started, token, instance) : {}
        return (message: object) => started.send(token, message, headers, instance)
      })
      const signIn = (...given: Parameters<typeof started.signIn>) => Effect.flatMap(started.signIn(...given), sendWith)
      return { ...started, sendWith, signIn, mint: started.signIn }
    })

    const createWith = (send: (message: object) => ReturnType<Started["send"]>, name: string) =>
      create({ send: (_, message) => send(message) }, "", {}, name)

    const list = (send: (message: object) => ReturnType<Started["send"]>) =>
      Effect.map(
        send(request("tasks/list")),
        ({ message }) => message.result.tasks.map((_: { readonly taskId: string }) => _.taskId) as ReadonlyArray<string>
      )

    it.live("[T-AUD-20d] the policy of a tool applies to its tasks after the caller lost the scope", () =>
      Effect.gen(function*() {
        const { signIn } = yield* startWith()
        const writer = yield* signIn("alice", { scopes: ["read", "write"] })
        const reader = yield* signIn("alice")
        const audit = yield* createWith(writer, "audit")
        const report = yield* createWith(writer, "report")
        assert.strictEqual(
          (yield* writer(request("tasks/result", { taskId: audit }))).message.result.content[0].text,
          "audit of alice"
        )
        for (const message of everyMethod(audit)) {
          const answer = yield* reader(message)
          assert.strictEqual(answer.status, 403, message.method)
          assert.strictEqual(challenged(answer, "error"), "insufficient_scope")
          assert.strictEqual(challenged(answer, "scope"), "write read")
        }
        assert.sameMembers([...yield* list(writer)], [audit, report])
        assert.deepStrictEqual(yield* list(reader), [report])
      }))

    it.live("[T-AUD-20d] the challenge of a task is that of its tool, and another caller receives none", () =>
      Effect.gen(function*() {
        const { signIn } = yield* startWith()
        const writer = yield* signIn("alice", { scopes: ["read", "write"] })
        const audit = yield* createWith(writer, "audit")
        const mallory = yield* signIn("mallory")
        for (const [foreign, unknown] of everyMethod(audit).map((_, index) => [_, everyMethod("unknown")[index]!])) {
          const [one, other] = [yield* mallory(foreign!), yield* mallory(unknown!)]
          assert.strictEqual(one.status, 200)
          assert.strictEqual(one.text.replaceAll(audit, "unknown"), other.text)
        }
      }))

    it.live("[T-AUD-20d] tasks of a hidden tool do not exist for a caller that the tool is hidden from", () =>
      Effect.gen(function*() {
        const { signIn } = yield* startWith()
        const writer = yield* signIn("alice", { scopes: ["read", "write"] })
        const reader = yield* signIn("alice")
        const hidden = yield* createWith(writer, "hidden")
        assert.strictEqual((yield* writer(request("tasks/get", { taskId: hidden }))).message.result.status, "completed")
        for (const [index, message] of everyMethod(hidden).entries()) {
          const [one, other] = [yield* reader(message), yield* reader(everyMethod("unknown")[index]!)]
          assert.strictEqual(one.status, 200)
          assert.strictEqual(one.text.replaceAll(hidden, "unknown"), other.text)
        }
        assert.deepStrictEqual(yield* list(reader), [])
      }))

    it.live("[T-AUD-20d] handlers find the tasks that their caller may use, and no others", () =>
      Effect.gen(function*() {
        const { signIn } = yield* startWith()
        const writer = yield* signIn("alice", { scopes: ["read", "write"] })
        const [report, audit] = [yield* createWith(writer, "report"), yield* createWith(writer, "audit")]
        const read = (send: typeof writer, taskId: string) =>
          Effect.map(send(callTool("read_report", { taskId })), ({ message }) => message.result)
        const reader = yield* signIn("alice")
        assert.strictEqual((yield* read(reader, report)).content[0].text, "secret of alice")
        for (const [send, taskId] of [[reader, audit], [yield* signIn("mallory"), report]] as const) {
          const result = yield* read(send, taskId)
          assert.isTrue(result.isError)
          assert.include(result.content[0].text, "not found")
        }
      }))

    it.live("[T-AUD-20d] a tool that is not registered for tasks creates none", () =>
      Effect.gen(function*() {
        const { signIn, tasks } = yield* startWith()
        const answer = yield* (yield* signIn("alice"))(callTool("rogue"))
        assert.isTrue(answer.message.result.isError)
        assert.include(answer.message.result.content[0].text, "registerToolTask")
        assert.deepStrictEqual(tasks.store.getAllTasks(), [])
      }))

    it.live("[T-AUD-20d] a list of tasks has pages, and its cursors open no tasks of others", () =>
      Effect.gen(function*() {
        const { signIn } = yield* startWith()
        const writer = yield* signIn("alice", { scopes: ["read", "write"] })
        const created: Array<string> = []
        for (const name of ["report", "audit", "open"]) {
          for (let index = 0; index < 11; index++) created.push(yield* createWith(writer, name))
        }
        const mallory = yield* signIn("mallory", { scopes: ["read", "write"] })
        const listed: Array<string> = []
        let cursor: string | undefined
        do {
          const { result } = (yield* writer(request("tasks/list", cursor === undefined ? {} : { cursor }))).message
          listed.push(...result.tasks.map((_: { readonly taskId: string }) => _.taskId))
          cursor = result.nextCursor
          if (cursor !== undefined) {
            const foreign = yield* mallory(request("tasks/list", { cursor }))
            assert.strictEqual(foreign.message.error.code, -32602, foreign.text)
          }
        } while (cursor !== undefined)
        assert.sameMembers(listed, created)
        for (const wrong of ["", "1", "[]", "{", `["report"]`, `["missing","x"]`, `["hidden",1]`]) {
          const answer = yield* writer(request("tasks/list", { cursor: wrong }))
          assert.strictEqual(answer.message.error?.code, -32602, wrong)
        }
      }))

    it.live("[T-AUD-20f] checks of a call run when a task is created, and checks of the caller for each request", () =>
      Effect.gen(function*() {
        const { signIn, tasks } = yield* startWith()
        const alice = yield* signIn("alice")
        const exporting = (list: unknown) => request("tools/call", { name: "export", arguments: { list }, task: {} })
        assert.strictEqual((yield* alice(exporting("2"))).status, 403)
        assert.strictEqual((yield* alice(exporting(1))).message.error.code, -32602)
        assert.deepStrictEqual(tasks.store.getAllTasks(), [])
        tasks.checks.evaluated.length = 0
        const { taskId } = (yield* alice(exporting(" 1 "))).message.result.task
        // The transport has another server than the gate, which evaluates the check of the call again.
        assert.deepStrictEqual([...new Set(tasks.checks.evaluated)], ["member", "own 1"])
        tasks.checks.evaluated.length = 0
        const result = yield* alice(request("tasks/result", { taskId }))
        assert.strictEqual(result.message.result.content[0].text, "list 1 of alice")
        assert.deepStrictEqual(tasks.checks.evaluated, ["member"])
        assert.deepStrictEqual(yield* list(alice), [taskId])
      }))

    it.live("[T-AUD-20f] a policy applies to the tasks of its tool after the caller no longer satisfies it", () =>
      Effect.gen(function*() {
        const { signIn, tasks } = yield* startWith()
        const alice = yield* signIn("alice")
        const { taskId } =
          (yield* alice(request("tools/call", { name: "export", arguments: { list: "1" }, task: {} }))).message.result
            .task
        const report = yield* createWith(alice, "report")
        const withoutScope = yield* signIn("alice", { scopes: [] })
        for (const message of everyMethod(taskId)) {
          const answer = yield* withoutScope(message)
          assert.deepStrictEqual([answer.status, challenged(answer, "scope")], [403, "read"], message.method)
        }
        assert.deepStrictEqual(yield* list(withoutScope), [])
        tasks.checks.members.clear()
        for (const message of everyMethod(taskId)) {
          const answer = yield* alice(message)
          assert.deepStrictEqual([answer.status, answer.headers.get("www-authenticate")], [403, null], message.method)
        }
        assert.deepStrictEqual(yield* list(alice), [report])
        const read = yield* alice(callTool("read_report", { taskId }))
        assert.include(read.message.result.content[0].text, "not found")
      }))

    it.live("[T-AUD-20f] a claim that the caller has lost closes its tasks without a challenge", () =>
      Effect.gen(function*() {
        const { signIn } = yield* startWith()
        const gold = yield* signIn("alice", { claims: { tier: "gold" } })
        const taskId = yield* createWith(gold, "gold")
        const basic = yield* signIn("alice")
        for (const message of everyMethod(taskId)) {
          const answer = yield* basic(message)
          assert.deepStrictEqual([answer.status, answer.headers.get("www-authenticate")], [403, null], message.method)
        }
        assert.deepStrictEqual([yield* list(basic), yield* list(gold)], [[], [taskId]])
        assert.strictEqual((yield* basic(creating("gold"))).status, 403)
      }))

    it.live("[T-AUD-20f] tasks of a tool that a check hides do not exist", () =>
      Effect.gen(function*() {
        const { signIn, tasks } = yield* startWith()
        const alice = yield* signIn("alice")
        const taskId = yield* createWith(alice, "members")
        assert.strictEqual((yield* alice(request("tasks/get", { taskId }))).message.result.status, "completed")
        tasks.checks.members.clear()
        for (const [index, message] of everyMethod(taskId).entries()) {
          const [one, other] = [yield* alice(message), yield* alice(everyMethod("unknown")[index]!)]
          assert.strictEqual(one.status, 200)
          assert.strictEqual(one.text.replaceAll(taskId, "unknown"), other.text)
        }
        assert.deepStrictEqual(yield* list(alice), [])
      }))

    it.live("[T-AUD-20f] a task of a tool with an open policy requires a caller", () =>
      Effect.gen(function*() {
        const { sendWith, mint, send, tasks } = yield* startWith()
        const taskId = yield* createWith(yield* sendWith(yield* mint("alice")), "optional")
        for (const message of [...everyMethod(taskId), creating("optional")]) {
          assert.strictEqual((yield* send(undefined, message)).status, 401, message.method)
        }
        assert.strictEqual(tasks.store.getAllTasks().length, 1)
      }))

    it.live("[T-AUD-20d] tasks require a caller where anonymous requests are allowed", () =>
      Effect.gen(function*() {
        const { sendWith, mint, send, tasks } = yield* startWith()
        const token = yield* mint("alice")
        const taskId = yield* createWith(yield* sendWith(token), "open")
        const messages = [...everyMethod(taskId), request("tasks/list"), request("tasks/update", { taskId })]
        for (const message of [...messages, creating("open")]) {
          const answer = yield* send(undefined, message)
          assert.strictEqual(answer.status, 401, message.method)
          assert.isDefined(challenged(answer, "resource_metadata"))
        }
        assert.strictEqual(tasks.store.getAllTasks().length, 1)
      }))

    it.live("[T-AUD-20d] every instance that shares the store finds a task, with its policy", () =>
      Effect.gen(function*() {
        const { sendWith, mint } = yield* startWith(2)
        const scopes = ["read", "write"]
        const writer = yield* mint("alice", { scopes })
        const audit = yield* createWith(yield* sendWith(writer, 0), "audit")
        const there = yield* sendWith(writer, 1)
        assert.strictEqual((yield* there(request("tasks/get", { taskId: audit }))).message.result.status, "completed")
        assert.deepStrictEqual(yield* list(there), [audit])
        const reader = yield* sendWith(yield* mint("alice"), 1)
        assert.strictEqual((yield* reader(request("tasks/get", { taskId: audit }))).status, 403)
        const mallory = yield* sendWith(yield* mint("mallory", { scopes }), 1)
        assert.deepStrictEqual(yield* list(mallory), [])
      }))

    it.live("[T-AUD-20d] a task without an owner exists for no caller", () =>
      Effect.gen(function*() {
        const { signIn, tasks } = yield* startWith()
        const alice = yield* signIn("alice")
        const { taskId } = yield* Effect.promise(() =>
          tasks.store.createTask({ ttl: null }, 1, { method: "tools/call", params: {} })
        )
        for (const message of everyMethod(taskId)) {
          assert.include((yield* alice(message)).message.error.message, "not found", message.method)
        }
        assert.deepStrictEqual(yield* list(alice), [])
      }))

    it.live("[T-AUD-20d] a store that ignores the owner shows tasks to no caller", () =>
      Effect.gen(function*() {
        class Careless extends InMemoryTaskStore {
          override getTask(taskId: string) {
            return super.getTask(taskId)
          }
          override listTasks(cursor?: string) {
            return super.listTasks(cursor)
          }
        }
        const { signIn, tasks } = yield* startWith(1, new Careless())
        const { taskId } = yield* Effect.promise(() =>
          tasks.store.createTask({ ttl: null }, 1, { method: "tools/call", params: {} }, "the owner")
        )
        const mallory = yield* signIn("mallory")
        assert.include((yield* mallory(request("tasks/get", { taskId }))).message.error.message, "not found")
        assert.deepStrictEqual(yield* list(mallory), [])
      }))
  }
)

describe("tasks of sdk-v1 and the end of a token", () => {
  afterEach(() => void vi.useRealTimers())

  it.live("[T-AUD-20d] a result that is complete after the token has expired is not sent", () =>
    Effect.gen(function*() {
      const { send, signIn, tasks } = yield* start(webStandard)
      const token = yield* signIn("alice", { expiresIn: "1 minute" })
      const taskId = yield* create({ send }, token, {}, "wait")
      const waiting = yield* Effect.forkChild(send(token, request("tasks/result", { taskId })), {
        startImmediately: true
      })
      // The SDK looks the task up again and again while it waits.
      const looked = vi.spyOn(tasks.store, "getTask")
      yield* Effect.promise(() => vi.waitUntil(() => looked.mock.calls.length > 6))
      vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 120_000 })
      yield* Effect.promise(() =>
        tasks.store.storeTaskResult(taskId, "completed", { content: [{ type: "text", text: "late" }] })
      )
      const answer = yield* Fiber.join(waiting)
      assert.strictEqual(answer.status, 401)
      assert.strictEqual(challenged(answer, "error"), "invalid_token")
      assert.notInclude(answer.text, "late")
    }))
})
