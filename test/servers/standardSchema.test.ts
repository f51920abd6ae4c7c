import { assert, describe, it } from "@effect/vitest"
import { McpServer as ServerV1 } from "@modelcontextprotocol/sdk/server/mcp.js"
import { WebStandardStreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js"
import { McpServer as ServerV2 } from "@modelcontextprotocol/server"
import { Cause, Context, Effect, Exit, Fiber, Layer, Logger, References } from "effect"
import { AuthLayer, Decision } from "effect-mcp-auth"
import { McpAuthFetch } from "effect-mcp-auth/fetch"
import { McpAuthNode } from "effect-mcp-auth/node"
import { McpAuthSdk as SdkV1 } from "effect-mcp-auth/sdk-v1"
import { McpAuthSdk as SdkV2 } from "effect-mcp-auth/sdk-v2"
import { TestIssuer } from "effect-mcp-auth/testing"
import { HttpClient, HttpRouter, HttpServer, HttpServerResponse } from "effect/http"
import { TestClock } from "effect/testing"
import { createServer } from "node:http"
import { z } from "zod"
import { active, world } from "../verification/introspection/answers.ts"
import { authLayer, fetcherWith } from "./gates.ts"

const resource = "https://server.test/mcp"
const { client, issuer } = await Effect.runPromise(TestIssuer.make({ resource }))
const options = { resource, authorizationServers: [issuer.issuer], scopes: ["todos:read"] } as const

class Organization extends Context.Service<Organization, any>()("test/Organization") {}

/** A schema of another library: an object with `~standard` that returns what `validate` returns. */
const schemaOf = (validate: (claims: any) => any) =>
  ({ "~standard": { version: 1, vendor: "test", validate } }) as const

const zodSchema = z.object({ org: z.object({ id: z.string() }), level: z.coerce.number() })
const asynchronousZod = z.object({ org: z.object({ id: z.string() }), level: z.coerce.number() })
  .refine(async ({ org }) => org.id !== "banned")

const mint = (claims: Readonly<Record<string, unknown>>) =>
  Effect.runPromise(issuer.mint({ scopes: ["todos:read"], claims }))

const post = (token: string, method = "tools/call", params: object = { name: "whoami", arguments: {} }) =>
  new Request(resource, {
    method: "POST",
    headers: {
      authorization: `Bearer ${token}`,
      "content-type": "application/json",
      accept: "application/json, text/event-stream"
    },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params })
  })

type Server = AsyncDisposable & { readonly send: (request: Request) => Promise<{ status: number; claims: unknown }> }

const read = async (response: Response) => {
  const text = await response.text()
  return { status: response.status, claims: /"level\\?":(\d+)/.exec(text)?.[1] }
}

const layer = (...others: ReadonlyArray<Layer.Layer<never>>) => Layer.mergeAll(fetcherWith(client), ...others)

/** Each host answers with the decoded claims, as JSON. */
const hosts: ReadonlyArray<readonly [string, (claims: any, provided: Layer.Layer<any>) => Promise<Server>]> = [
  ["the router of Effect", async (schema, provided) => {
    const routes = HttpRouter.add("POST", "/mcp", Effect.map(Organization, (own) => HttpServerResponse.jsonUnsafe(own)))
      .pipe(Layer.provide(
        Layer.unwrap(Effect.sync(() => authLayer({ ...options, claims: { service: Organization, schema } })))
      ))
    const { dispose, handler } = HttpRouter.toWebHandler(
      routes.pipe(
        Layer.provideMerge(Layer.mergeAll(provided, Layer.succeed(HttpClient.HttpClient, client))),
        Layer.provideMerge(HttpServer.layerServices)
      ) as never,
      { disableLogger: true }
    )
    return {
      send: async (request) => read(await (handler as (request: Request) => Promise<Response>)(request)),
      [Symbol.asyncDispose]: dispose
    }
  }],
  ["fetch", async (claims, provided) => {
    const auth = await McpAuthFetch.make({ ...options, claims, layer: provided })
    const handler = auth.protect((_, { claims }) => Response.json(claims))
    return { send: async (request) => read(await handler(request)), [Symbol.asyncDispose]: () => auth.dispose() }
  }],
  ["node:http", async (claims, provided) => {
    const auth = await McpAuthNode.make({ ...options, claims, layer: provided })
    const protect = auth.protect()
    const server = createServer(async (req, res) => {
      const admitted = await protect(req, res)
      if (admitted !== undefined) res.end(JSON.stringify(admitted.claims))
    })
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening))
    const { port } = server.address() as { readonly port: number }
    return {
      send: async (request) =>
        read(
          await fetch(`http://127.0.0.1:${port}/mcp`, {
            method: "POST",
            headers: { ...Object.fromEntries(request.headers), connection: "close" },
            body: await request.text()
          })
        ),
      [Symbol.asyncDispose]: async () => {
        await new Promise((closed) => server.close(closed))
        await auth.dispose()
      }
    }
  }],
  ["SDK v2", async (claims, provided) => {
    const auth = await SdkV2.make({ ...options, claims, layer: provided })
    const handler = auth.createMcpHandler(() => {
      const server = new ServerV2({ name: "s", version: "1" })
      auth.registerTool(server, "whoami", {}, ({ principal }: any) => ({
        content: [{ type: "text", text: JSON.stringify(principal.claims) }]
      }))
      return server
    })
    return { send: async (request) => read(await handler.fetch(request)), [Symbol.asyncDispose]: () => auth.dispose() }
  }],
  ["SDK v1", async (claims, provided) => {
    const auth = await SdkV1.make({ ...options, claims, layer: provided })
    const server = new ServerV1({ name: "s", version: "1" })
    auth.registerTool(server, "whoami", {}, ({ principal }: any) => ({
      content: [{ type: "text", text: JSON.stringify(principal.claims) }]
    }))
    const handler = auth.protectFetch(server, async (request, given) => {
      const transport = new WebStandardStreamableHTTPServerTransport({ sessionIdGenerator: undefined } as never)
      await server.close()
      await server.connect(transport as never)
      return transport.handleRequest(request, given as never)
    })
    return { send: async (request) => read(await handler(request)), [Symbol.asyncDispose]: () => auth.dispose() }
  }]
]

describe.each(hosts)("a Standard Schema as the option claims of %s", (_, start) => {
  it.each([["synchronous", zodSchema], ["asynchronous", asynchronousZod]])(
    "gives handlers the output of the %s schema of zod, and rejects other claims with 401",
    async (_, schema) => {
      const decisions: Array<Decision.Decision> = []
      const lines: Array<string> = []
      await using server = await start(
        schema,
        layer(
          Layer.succeed(Decision.DecisionListener, (decision) => Effect.sync(() => void decisions.push(decision))),
          Logger.layer([Logger.map(Logger.formatLogFmt, (line) => void lines.push(line))]),
          Layer.succeed(References.MinimumLogLevel, "Info")
        )
      )
      const good = await mint({ org: { id: "acme" }, level: "7" })
      const wrong = await mint({ org: { id: 5 }, level: "secret-level" })
      assert.deepStrictEqual(await server.send(post(good)), { status: 200, claims: "7" })
      assert.deepStrictEqual(await server.send(post(good)), { status: 200, claims: "7" })
      assert.strictEqual((await server.send(post(wrong))).status, 401)
      const [rejected] = decisions.filter(({ outcome }) => outcome === "rejected")
      assert.strictEqual(rejected?.reason, "claims")
      const line = lines.find((line) => line.includes("rejected"))
      assert.include(line, "org.id: a number, level: a string")
      assert.notInclude(lines.join("\n"), "secret-level")
    }
  )

  it.each<readonly [string, (claims: any) => unknown]>([
    ["throws", () => {
      throw new Error("broke")
    }],
    ["returns a promise that rejects", () => Promise.reject(new Error("broke"))],
    ["returns neither value nor issues", () => ({})],
    ["returns nothing", () => undefined],
    ["resolves to nothing", () => Promise.resolve()]
  ])("answers 500 if the schema %s", async (_, validate) => {
    await using server = await start(schemaOf(validate), layer(Logger.layer([])))
    assert.strictEqual((await server.send(post(await mint({})))).status, 500)
  })
})

/** Returns the claims of each of two requests with the same token. */
const ofTwoRequests = Effect.fnUntraced(function*(validate: (claims: any) => unknown) {
  const { endpoint, gate } = yield* world
  endpoint.answer = active({ roles: ["reader"], since: 1000 })
  const caller = yield* gate({ claims: { service: Organization, schema: schemaOf(validate) } as never })
  const own = Effect.map(
    caller.present("a"),
    (_) =>
      Context.getUnsafe(caller.gate.provideCaller(Context.empty(), _ as never) as Context.Context<any>, Organization)
  )
  return [yield* own, yield* own] as const
})

describe("the output of a Standard Schema", () => {
  const plain = ({ roles }: any) => ({ value: { roles: [...roles] } })
  const dated = ({ since }: any) => ({
    value: { since: new Date(since), roles: new Map([["reader", new Set(["a"])]]) }
  })

  it.effect.each<readonly [string, (claims: any) => unknown]>([
    ["synchronous", plain],
    ["asynchronous", async (claims) => plain(claims)]
  ])(
    "[T-AUD-23a] is frozen and shared by the requests with one token if it is plain data: %s",
    ([, validate]) =>
      Effect.gen(function*() {
        const [first, second] = yield* ofTwoRequests(validate)
        assert.strictEqual(first, second)
        assert.throws(() => first.roles.push("admin"), TypeError)
      })
  )

  it.effect.each<readonly [string, (claims: any) => unknown]>([
    ["synchronous", dated],
    ["asynchronous", async (claims) => dated(claims)]
  ])("[T-AUD-23a] belongs to one request if it cannot be frozen: %s", ([, validate]) =>
    Effect.gen(function*() {
      const [first, second] = yield* ofTwoRequests(validate)
      first.since.setTime(0)
      first.roles.get("reader").add("admin")
      assert.strictEqual(second.since.getTime(), 1000)
      assert.deepStrictEqual(second.roles, new Map([["reader", new Set(["a"])]]))
    }))

  it.effect("cannot be an instance of a class such as URL if the schema is asynchronous, because it could not be copied", () =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(ofTwoRequests(async () => ({ value: new URL(resource) })))
      assert.include(Exit.isFailure(exit) ? Cause.pretty(exit.cause) : "", "cannot be copied")
    }))

  it.effect("counts as rejected if the schema reports an empty list of issues", () =>
    Effect.gen(function*() {
      const { endpoint, gate } = yield* world
      endpoint.answer = active({})
      const caller = yield* gate({
        claims: { service: Organization, schema: schemaOf(() => ({ value: 1, issues: [] })) } as never
      })
      const { error } = (yield* caller.present("a")) as { readonly error?: { readonly reason: string } }
      assert.strictEqual(error?.reason, "claims")
    }))

  it.effect("is awaited for 5 seconds, and then the gate answers 500", () =>
    Effect.gen(function*() {
      const { endpoint, gate } = yield* world
      endpoint.answer = active({})
      const caller = yield* gate({
        claims: { service: Organization, schema: schemaOf(() => new Promise(() => {})) } as never
      })
      const fiber = yield* Effect.forkChild(Effect.exit(caller.present("a")))
      yield* Effect.promise(() => new Promise(setImmediate))
      yield* TestClock.adjust("4999 millis")
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      assert.include(JSON.stringify(yield* Fiber.join(fiber)), "broken")
    }))
})

describe("mocks and local callers", () => {
  const broken = { subject: "alice", scopes: ["todos:read"], claims: { org: "secret" } } as const

  it.effect("give handlers the output of an asynchronous schema, and name the wrong claims without their values", () =>
    Effect.gen(function*() {
      const claimsService = { service: Organization, schema: asynchronousZod }
      const Mock = AuthLayer.mock({ scopes: ["todos:read"], claims: { org: { id: "a" }, level: "3" }, claimsService })
      assert.strictEqual((yield* Organization.pipe(Effect.provide(Mock))).level, 3)
      const exit = yield* Effect.exit(
        Organization.pipe(Effect.provide(AuthLayer.mock({ ...broken, claimsService })))
      )
      assert.include(String(JSON.stringify(exit)), "wrong value at org, level")
      assert.notInclude(String(JSON.stringify(exit)), "secret")
    }))

  it("local of the SDKs accepts a synchronous schema, and rejects an asynchronous one", async () => {
    for (const make of [SdkV1.make, SdkV2.make] as ReadonlyArray<typeof SdkV2.make>) {
      const auth = await make({ ...options, claims: zodSchema })
      auth.local({ subject: "alice", scopes: [], claims: { org: { id: "a" }, level: "3" } })
      assert.throws(() => auth.local(broken), /local\.claims: .*wrong value at org, level/)
      const other = await make({ ...options, claims: asynchronousZod })
      assert.throws(
        () => other.local({ subject: "alice", scopes: [], claims: { org: { id: "a" }, level: "3" } }),
        /claims: the schema is asynchronous/
      )
      await auth.dispose()
      await other.dispose()
    }
  })
})
