import { McpServer, ResourceTemplate } from "@modelcontextprotocol/sdk/server/mcp.js"
import { Context, Effect, Layer, Schema } from "effect"
import { Principal, RequestState, requireScopes } from "effect-mcp-auth"
import { Policy } from "effect-mcp-auth/policy"
import { McpAuthSdk } from "effect-mcp-auth/sdk-v1"
import type { RequestHandler } from "express"
import { describe, expect, test } from "tstyche"
import { z } from "zod"

const places = { resource: "https://a.example/mcp", authorizationServers: ["https://as.example"] } as const
const server = new McpServer({ name: "test", version: "1.0.0" })
const text = (value: string) => ({ content: [{ type: "text" as const, text: value }] })

class Tenant extends Context.Service<Tenant, { readonly tid: string }>()("test/Tenant") {}
class Store extends Context.Service<Store, { readonly count: number }>()("test/Store") {}

const auth = await McpAuthSdk.make({ ...places, scopes: { baseline: ["read"], stepUp: ["write"] } })

describe("a registration", () => {
  test("can require offered scopes, and no others", () => {
    auth.registerTool(server, "a", { scopes: ["read", "write"] }, () => text(""))
    // @ts-expect-error Type '"other"' is not assignable to type '"read" | "write"'
    auth.registerTool(server, "a", { scopes: ["other"] }, () => text(""))
    // @ts-expect-error Type '"other"' is not assignable to type '"read" | "write"'
    auth.registerPrompt(server, "a", { scopes: ["other"] }, () => ({ messages: [] }))
    // @ts-expect-error Type '"other"' is not assignable to type '"read" | "write"'
    auth.registerResource(server, "a", "a://b", { scopes: ["other"] }, () => ({ contents: [] }))
    const scope: string = "read"
    // @ts-expect-error Type 'string' is not assignable to type '"read" | "write"'
    auth.registerTool(server, "a", { scopes: [scope] }, () => text(""))
  })

  test("can require scopes that depend on arguments, and its type contains their union", () => {
    const tool = auth.registerTool(
      server,
      "a",
      { inputSchema: { all: z.boolean() }, scopes: ({ all }) => all ? ["read", "write"] : ["read"] },
      ({ all }) => text(`${all}`)
    )
    expect<NonNullable<typeof tool["~effect-mcp-auth/Scoped"]>>().type.toBe<"read" | "write">()
    auth.registerTool(
      server,
      "a",
      {
        inputSchema: { all: z.boolean() },
        // @ts-expect-error Type '"other"' is not assignable to type '"read" | "write"'
        scopes: ({ all }) => all ? ["other"] : ["read"]
      },
      () => text("")
    )
    auth.registerTool(
      server,
      "a",
      // @ts-expect-error is not assignable to type
      { scopes: () => ["write"], unauthorized: "hide" },
      () => text("")
    )
  })

  test("registers a tool that creates tasks, with offered scopes that do not depend on the arguments", () => {
    const task = auth.registerToolTask(
      server,
      "a",
      { inputSchema: { all: z.boolean() }, scopes: ["write"], unauthorized: "hide" },
      async ({ all }, { principal, taskStore }) => {
        expect(all).type.toBe<boolean>()
        expect(principal.owner).type.toBe<string>()
        return { task: await taskStore.createTask({ ttl: null }) }
      }
    )
    expect<NonNullable<typeof task["~effect-mcp-auth/Scoped"]>>().type.toBe<"write">()
    const create = async ({ taskStore }: Pick<McpAuthSdk.TaskExtra<unknown>, "taskStore">) => ({
      task: await taskStore.createTask({ ttl: null })
    })
    // @ts-expect-error Type '"other"' is not assignable to type '"read" | "write"'
    auth.registerToolTask(server, "a", { scopes: ["other"] }, create)
    // @ts-expect-error is not assignable to type
    auth.registerToolTask(server, "a", { scopes: () => ["write"] }, create)
    // @ts-expect-error is not assignable to type
    auth.registerToolTask(server, "a", {}, () => text(""))
    const isOwn = Policy.check("own", (_, call: Policy.Call<{ readonly list: string }>) => call.arguments.list === "1")
    const checked = auth.registerToolTask(
      server,
      "a",
      { inputSchema: { list: z.string() }, policy: Policy.allOf(Policy.scopes("write"), isOwn) },
      (_, extra) => create(extra)
    )
    expect<NonNullable<typeof checked["~effect-mcp-auth/Scoped"]>>().type.toBe<"write">()
    // @ts-expect-error the policy reads arguments that this registration does not have
    auth.registerToolTask(server, "a", { policy: isOwn }, create)
    // @ts-expect-error Type '"other"' is not assignable to type '"read" | "write"'
    auth.registerToolTask(server, "a", { policy: Policy.scopes("other") }, create)
  })

  test("types the arguments as the schema does", () => {
    auth.registerTool(server, "a", { inputSchema: z.object({ n: z.coerce.number() }) }, ({ n }) => {
      expect(n).type.toBe<number>()
      return text("")
    })
    auth.registerPrompt(server, "a", { argsSchema: { n: z.string() } }, ({ n }) => {
      expect(n).type.toBe<string>()
      return { messages: [] }
    })
    auth.registerResource(server, "a", new ResourceTemplate("a://{b}", { list: undefined }), {}, (uri, _, extra) => {
      expect(uri).type.toBe<URL>()
      expect(extra.principal.key).type.toBe<string>()
      return { contents: [] }
    })
    // @ts-expect-error is not assignable
    auth.registerTool(server, "a", {}, () => "no result")
  })
})

describe("the principal", () => {
  test("has all claims, or those of a Schema", async () => {
    auth.registerTool(server, "a", {}, ({ principal }) => {
      expect(principal.claims).type.toBe<Readonly<Record<string, unknown>>>()
      return text("")
    })
    const typed = await McpAuthSdk.make({
      ...places,
      scopes: ["read"],
      claims: Schema.decodeUnknownResult(Schema.Struct({ level: Schema.FiniteFromString }))
    })
    typed.registerTool(server, "a", {}, ({ principal }) => {
      expect(principal.claims.level).type.toBe<number>()
      // @ts-expect-error Property 'tenant' does not exist
      return text(principal.claims.tenant)
    })
  })

  test("can be undefined only if anonymous requests are allowed and no scope is required", async () => {
    const open = await McpAuthSdk.make({ ...places, scopes: ["read"], anonymous: "allow-unscoped" })
    open.registerTool(server, "a", { scopes: ["read"] }, ({ principal, state }) => {
      expect(state.seal).type.toBeCallableWith("x")
      return text(principal.key)
    })
    // @ts-expect-error 'principal' is possibly 'undefined'
    open.registerTool(server, "a", {}, ({ principal }) => text(principal.key))
    // @ts-expect-error Type 'Principal' is not assignable to type 'never'
    open.registerTool(server, "a", {}, () => Effect.map(Principal, ({ key }) => text(key)))
  })
})

describe("an effect of a handler", () => {
  test("can use the caller, offered scopes and the services of the layer", async () => {
    const rich = await McpAuthSdk.make({
      ...places,
      scopes: ["read"],
      claims: { service: Tenant, decode: Schema.decodeUnknownResult(Schema.Struct({ tid: Schema.String })) },
      layer: Layer.succeed(Store, { count: 1 })
    })
    rich.registerTool(server, "a", {}, ({ principal }) => {
      expect(principal.claims.tid).type.toBe<string>()
      return Effect.gen(function*() {
        yield* Principal
        yield* RequestState.RequestState
        const { tid } = yield* Tenant
        const { count } = yield* Store
        return text(`${tid} ${count}`)
      })
    })
    rich.registerTool(server, "a", {}, () => requireScopes("read")(Effect.succeed(text(""))))
    // @ts-expect-error RequiredScope<"other">
    rich.registerTool(server, "a", {}, () => requireScopes("other")(Effect.succeed(text(""))))
    // @ts-expect-error Store
    auth.registerTool(server, "a", {}, () => Effect.map(Store, ({ count }) => text(`${count}`)))
  })
})

describe("make", () => {
  test("rejects scopes of the wide type string, and an empty list of servers", () => {
    const scope: string = "read"
    // @ts-expect-error scopes must be literals
    McpAuthSdk.make({ ...places, scopes: [scope] })
    // @ts-expect-error Source has 0 element(s) but target requires 1
    McpAuthSdk.make({ resource: places.resource, authorizationServers: [], scopes: ["read"] })
  })

  test("without scopes, no registration can require one", async () => {
    for (const made of [await McpAuthSdk.make({ ...places, scopes: [] }), await McpAuthSdk.mock({ scopes: [] })]) {
      made.registerTool(server, "a", {}, () => text(""))
      // @ts-expect-error Type 'string' is not assignable to type 'never'
      made.registerTool(server, "a", { scopes: ["read"] }, () => text(""))
    }
  })

  test("mock offers the scopes of its options", async () => {
    const mocked = await McpAuthSdk.mock({ subject: "alice", scopes: ["read"] })
    mocked.registerTool(server, "a", { scopes: ["read"] }, () => text(""))
    // @ts-expect-error Type '"write"' is not assignable to type '"read"'
    mocked.registerTool(server, "a", { scopes: ["write"] }, () => text(""))
  })

  test("its middleware is one of Express", () => {
    expect(auth.protect(server)).type.toBeAssignableTo<RequestHandler>()
    expect(auth.metadataRouter()).type.toBeAssignableTo<RequestHandler>()
  })
})
