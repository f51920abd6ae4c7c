import { assert, describe, it } from "@effect/vitest"
import * as V1 from "@modelcontextprotocol/sdk/server/mcp.js"
import { SSEServerTransport } from "@modelcontextprotocol/sdk/server/sse.js"
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js"
import { WebStandardStreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js"
import * as V2 from "@modelcontextprotocol/server"
import { Effect, Logger, type Scope } from "effect"
import { McpAuthSdk as SdkV1 } from "effect-mcp-auth/sdk-v1"
import { McpAuthSdk as SdkV2 } from "effect-mcp-auth/sdk-v2"
import { z } from "zod"
import { listen } from "./listen.ts"
import { type Answer, callTool, challenged, modern, post, request } from "./rpc.ts"

/*
 * Tests that the server which answers decides again when its transport receives a request, for programs that give the gate
 * another server than the one that answers.
 */

const resource = "https://a.example/mcp"
const info = { name: "test", version: "1.0.0" }
const text = (value: string) => ({ content: [{ type: "text" as const, text: value }] })

const collect = () => {
  const lines: Array<string> = []
  const logger = Logger.map(Logger.formatJson, (line) => void lines.push(line))
  return { lines, layer: Logger.layer([logger]) }
}

const mock = { resource, subject: "alice", scopes: ["read", "write"], granted: ["read"] } as const

const anonymous = {
  resource,
  authorizationServers: ["https://as.example"],
  scopes: { baseline: ["read"], stepUp: ["write"] },
  anonymous: "allow-unscoped"
} as const

/** A server of SDK v1 whose tools require `scopes`, or are those of the SDK itself. */
const makeV1 = (auth: SdkV1.McpAuthSdk<any, any, never, any>, scopes: ReadonlyArray<string> | undefined) => {
  const server = new V1.McpServer(info)
  if (scopes === undefined) server.registerTool("write", {}, () => text("written"))
  else auth.registerTool(server, "write", { scopes }, () => text("written"))
  auth.registerPrompt(server, "draft", { scopes: scopes ?? [] }, () => ({ messages: [] }))
  auth.registerTool(server, "read", {}, () => text("read"))
  return server
}

const makeV2 = (auth: SdkV2.McpAuthSdk<any, any, never, any>, scopes: ReadonlyArray<string> | undefined) => {
  const server = new V2.McpServer(info)
  if (scopes === undefined) server.registerTool("write", {}, () => text("written"))
  else auth.registerTool(server, "write", { scopes }, () => text("written"))
  auth.registerPrompt(server, "draft", { scopes: scopes ?? [] }, () => ({ messages: [] }))
  auth.registerTool(server, "read", {}, () => text("read"))
  return server
}

/** Calls an endpoint whose gate reads other policies than those of the server that answers. */
type Send = (body: unknown) => Promise<Answer>

interface Setup {
  /** The scopes that the tool requires on the server that answers. Default: a tool of the SDK itself. */
  readonly scopes?: ReadonlyArray<string> | undefined
  readonly isAnonymous?: boolean
  readonly layer: ReturnType<typeof collect>["layer"]
}

const fromResponse = async (response: Response): Promise<Answer> => {
  const body = await response.text()
  const data = /^data: (\{.*)$/m.exec(body)?.[1] ?? body
  return {
    status: response.status,
    headers: response.headers,
    text: body,
    message: data === "" ? undefined : JSON.parse(data)
  }
}

const post1 = (body: unknown) =>
  new Request(resource, {
    method: "POST",
    headers: { accept: "application/json, text/event-stream", "content-type": "application/json" },
    body: JSON.stringify(body)
  })

const json = { enableJsonResponse: true }

const hosts: Record<string, (setup: Setup) => Effect.Effect<Send, never, Scope.Scope>> = {}

for (const [mode, options] of [["JSON", json], ["event streams", {}]] as const) {
  hosts[`SDK v1 with protect and ${mode}`] = ({ isAnonymous, layer, scopes }) =>
    Effect.gen(function*() {
      const auth = yield* make<SdkV1.McpAuthSdk<"read" | "write", any, never, any>>(() =>
        isAnonymous ? SdkV1.make({ ...anonymous, layer }) : SdkV1.mock({ ...mock, layer })
      )
      const protect = auth.protect(makeV1(auth as never, []))
      const url = yield* listen(() =>
        Effect.succeed((req, res) =>
          void protect(req, res, async () => {
            const server = makeV1(auth as never, scopes)
            const transport = new StreamableHTTPServerTransport(options)
            await server.connect(transport as Parameters<typeof server.connect>[0])
            await transport.handleRequest(req, res, (req as { body?: unknown }).body)
          })
        )
      )
      return (body) => post(url, body)
    })
  hosts[`SDK v1 with protectFetch and ${mode}`] = ({ isAnonymous, layer, scopes }) =>
    Effect.gen(function*() {
      const auth = yield* make<SdkV1.McpAuthSdk<"read" | "write", any, never, any>>(() =>
        isAnonymous ? SdkV1.make({ ...anonymous, layer }) : SdkV1.mock({ ...mock, layer })
      )
      const handle = auth.protectFetch(makeV1(auth as never, []), async (request, given) => {
        const server = makeV1(auth as never, scopes)
        const transport = new WebStandardStreamableHTTPServerTransport(options)
        await server.connect(transport as Parameters<typeof server.connect>[0])
        return transport.handleRequest(request, given)
      })
      return async (body) => fromResponse(await handle(post1(body)))
    })
  hosts[`SDK v2 with protectFetch and ${mode}`] = ({ isAnonymous, layer, scopes }) =>
    Effect.gen(function*() {
      const auth = yield* make<SdkV2.McpAuthSdk<"read" | "write", any, never, any>>(() =>
        isAnonymous ? SdkV2.make({ ...anonymous, layer }) : SdkV2.mock({ ...mock, layer })
      )
      const handle = auth.protectFetch(makeV2(auth as never, []), async (request, given) => {
        const server = makeV2(auth as never, scopes)
        const transport = new V2.WebStandardStreamableHTTPServerTransport(options)
        await server.connect(transport)
        return transport.handleRequest(request, given)
      })
      return async (body) => fromResponse(await handle(post1(body)))
    })
}

const make = <A extends AsyncDisposable>(build: () => Promise<A>) =>
  Effect.acquireRelease(Effect.promise(build), (auth) => Effect.promise(async () => auth[Symbol.asyncDispose]()))

for (const [host, start] of Object.entries(hosts)) {
  describe(host, () => {
    it.live("answers 403 with the challenge if only the server that answers requires the scope of a tool", () =>
      Effect.gen(function*() {
        const { layer, lines } = collect()
        const send = yield* start({ layer, scopes: ["write"] })
        for (const call of [callTool("write"), request("prompts/get", { name: "draft" })]) {
          const rejected = yield* Effect.promise(() => send(call))
          assert.strictEqual(rejected.status, 403)
          assert.strictEqual(challenged(rejected, "error"), "insufficient_scope")
          assert.strictEqual(challenged(rejected, "scope"), "write read")
          assert.strictEqual(
            challenged(rejected, "resource_metadata"),
            "https://a.example/.well-known/oauth-protected-resource/mcp"
          )
        }
        const errors = lines.filter((line) => line.includes("\"ERROR\""))
        assert.strictEqual(errors.length, 2)
        assert.include(errors[0], "tool write was rejected by its own check of scopes")
        const admitted = yield* Effect.promise(() => send(callTool("read")))
        assert.deepStrictEqual([admitted.status, admitted.message.result.content], [200, text("read").content])
      }))

    it.live("answers a batch with one 403, and runs none of its calls", () =>
      Effect.gen(function*() {
        const { layer } = collect()
        const send = yield* start({ layer, scopes: ["write"] })
        const rejected = yield* Effect.promise(() => send([callTool("read"), { ...callTool("write"), id: 2 }]))
        assert.strictEqual(rejected.status, 403)
        assert.notInclude(rejected.text, "result")
      }))

    it.live("answers an anonymous caller with 401 if only the server that answers requires a caller", () =>
      Effect.gen(function*() {
        for (const scopes of [["write"], undefined]) {
          const { layer, lines } = collect()
          const send = yield* start({ layer, scopes, isAnonymous: true })
          const rejected = yield* Effect.promise(() => send(callTool("write")))
          assert.strictEqual(rejected.status, 401)
          assert.strictEqual(challenged(rejected, "error"), undefined)
          assert.strictEqual(challenged(rejected, "scope"), scopes === undefined ? "read" : "read write")
          assert.include(lines.join("\n"), "tool write was rejected by its own check of scopes")
        }
      }))
  })
}

describe("A call that only its handler can reject", () => {
  /** Requires no scope when the gate asks, and one when the handler asks. */
  const changing = () => {
    let calls = 0
    return (): ReadonlyArray<"write"> => calls++ === 0 ? [] : ["write"]
  }
  const challenge = (message: any) => [message.error.code, message.error.message, message.error.data.status]

  for (const mode of ["JSON", "event stream"] as const) {
    it(`is answered by createMcpHandler ${mode === "JSON" ? "with 403" : "in an event stream with the challenge in error.data"}`, async () => {
      const { layer } = collect()
      await using auth = await SdkV2.mock({ ...mock, layer })
      const scopes = changing()
      const handler = auth.createMcpHandler(() => {
        const server = new V2.McpServer(info)
        auth.registerTool(server, "write", { inputSchema: z.object({}), scopes }, () => text("written"))
        return server
      }, { responseMode: mode === "JSON" ? "json" : "sse" })
      const { body, headers } = modern(callTool("write"))
      const given = post1(body)
      for (const [name, value] of Object.entries(headers)) given.headers.set(name, value)
      const response = await fromResponse(await handler.fetch(given))
      if (mode === "JSON") {
        assert.strictEqual(response.status, 403)
        assert.strictEqual(challenged(response, "error"), "insufficient_scope")
      } else {
        assert.strictEqual(response.status, 200)
        assert.deepStrictEqual(challenge(response.message), [
          -32001,
          "Insufficient scope: this operation requires write",
          403
        ])
        assert.include(response.message.error.data.wwwAuthenticate, "error=\"insufficient_scope\"")
      }
    })
  }

  it.live("is answered by SDK v1 on Node with the code -32001 and the challenge in error.data", () =>
    Effect.gen(function*() {
      const { layer } = collect()
      const auth = yield* make(() => SdkV1.mock({ ...mock, layer }))
      const scopes = changing()
      const makeServer = () => {
        const server = new V1.McpServer(info)
        auth.registerTool(server, "write", { inputSchema: {}, scopes }, () => text("written"))
        return server
      }
      const protect = auth.protect(makeServer())
      const url = yield* listen(() =>
        Effect.succeed((req, res) =>
          void protect(req, res, async () => {
            const server = makeServer()
            const transport = new StreamableHTTPServerTransport({})
            await server.connect(transport as Parameters<typeof server.connect>[0])
            await transport.handleRequest(req, res, (req as { body?: unknown }).body)
          })
        )
      )
      const { message, status } = yield* Effect.promise(() => post(url, callTool("write")))
      assert.deepStrictEqual([status, ...challenge(message)], [
        200,
        -32001,
        "Insufficient scope: this operation requires write",
        403
      ])
      assert.include(message.error.data.wwwAuthenticate, "scope=\"write read\"")
    }))
})

describe("A function that creates servers", () => {
  /** Counts the servers that are created, whose tool requires the scope that the caller lacks. */
  const counting = <S>(make: () => S) => {
    const created: Array<S> = []
    return { created, create: () => created[created.push(make()) - 1]! }
  }
  const send = async (fetch: (request: Request) => Promise<Response>) => {
    const statuses: Array<number> = []
    for (const name of ["read", "write"]) statuses.push((await fetch(post1(callTool(name)))).status)
    return statuses
  }

  it.live("is called once for each request that protect of SDK v1 admits or rejects", () =>
    Effect.gen(function*() {
      const auth = yield* make(() => SdkV1.mock({ ...mock, layer: collect().layer }))
      const { create, created } = counting(() => makeV1(auth as never, ["write"]))
      const protect = auth.protect(create)
      const url = yield* listen(() =>
        Effect.succeed((req, res) =>
          void protect(req, res, async () => {
            const server = auth.serverFor(req)!
            const transport = new StreamableHTTPServerTransport(json)
            await server.connect(transport as Parameters<typeof server.connect>[0])
            await transport.handleRequest(req, res, (req as { body?: unknown }).body)
          })
        )
      )
      const [admitted, rejected] = yield* Effect.promise(() =>
        Promise.all([post(url, callTool("read")), post(url, callTool("write"))])
      )
      assert.deepStrictEqual([admitted!.status, rejected!.status, created.length], [200, 403, 2])
    }))

  it("is called once for each request that protectFetch of SDK v1 admits or rejects", async () => {
    await using auth = await SdkV1.mock({ ...mock, layer: collect().layer })
    const { create, created } = counting(() => makeV1(auth as never, ["write"]))
    const handle = auth.protectFetch(async () => create(), async (request, given) => {
      const server = auth.serverFor(request)!
      const transport = new WebStandardStreamableHTTPServerTransport(json)
      await server.connect(transport as Parameters<typeof server.connect>[0])
      return transport.handleRequest(request, given)
    })
    assert.deepStrictEqual(await send(handle), [200, 403])
    assert.strictEqual(created.length, 2)
  })

  it("is called once for each request that protectFetch of SDK v2 admits or rejects", async () => {
    await using auth = await SdkV2.mock({ ...mock, layer: collect().layer })
    const { create, created } = counting(() => makeV2(auth as never, ["write"]))
    const handle = auth.protectFetch(create, async (request, given) => {
      const transport = new V2.WebStandardStreamableHTTPServerTransport(json)
      await auth.serverFor(request)!.connect(transport)
      return transport.handleRequest(request, given)
    })
    assert.deepStrictEqual(await send(handle), [200, 403])
    assert.strictEqual(created.length, 2)
    assert.isUndefined(auth.serverFor(new Request(resource)))
  })

  it("is called once for each request that createMcpHandler of SDK v2 admits or rejects", async () => {
    await using auth = await SdkV2.mock({ ...mock, layer: collect().layer })
    const { create, created } = counting(() => makeV2(auth as never, ["write"]))
    const handler = auth.createMcpHandler(create)
    assert.deepStrictEqual(await send(handler.fetch), [200, 403])
    assert.strictEqual(created.length, 2)
  })
})

describe("The HTTP+SSE transport of SDK v1", () => {
  it.live("answers the POST request with 403 if only the server that answers requires the scope", () =>
    Effect.gen(function*() {
      const { layer } = collect()
      const auth = yield* make(() => SdkV1.mock({ ...mock, layer }))
      const protect = auth.protect(makeV1(auth as never, []))
      let transport: SSEServerTransport | undefined
      const url = yield* listen(() =>
        Effect.succeed((req, res) =>
          void protect(req, res, async () => {
            if (req.method === "POST") return transport!.handlePostMessage(req, res, (req as { body?: unknown }).body)
            transport = new SSEServerTransport("/messages", res)
            await makeV1(auth as never, ["write"]).connect(transport)
          })
        )
      )
      const stream = yield* Effect.promise(() => fetch(url, { headers: { accept: "text/event-stream" } }))
      const reader = stream.body!.getReader()
      const first = new TextDecoder().decode((yield* Effect.promise(() => reader.read())).value)
      const endpoint = /^data: (.*)$/m.exec(first)![1]!
      const rejected = yield* Effect.promise(() => post(`${url}${endpoint}`, callTool("write")))
      assert.deepStrictEqual([rejected.status, challenged(rejected, "error")], [403, "insufficient_scope"])
      yield* Effect.promise(() => reader.cancel())
    }))
})
