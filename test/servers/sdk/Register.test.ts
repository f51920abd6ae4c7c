import { assert, describe, it } from "@effect/vitest"
import { InMemoryTaskStore } from "@modelcontextprotocol/sdk/experimental/tasks/stores/in-memory.js"
import * as V1 from "@modelcontextprotocol/sdk/server/mcp.js"
import * as V2 from "@modelcontextprotocol/server"
import { Context, Effect, Result } from "effect"
import { Policy } from "effect-mcp-auth/policy"
import { Operation } from "effect-mcp-auth/protocol"
import { z } from "zod"
import { AuthConfigError } from "../../../src/protocol/AuthError.ts"
import * as bindPolicy from "../../../src/servers/host/BindPolicy.ts"
import * as register from "../../../src/servers/sdk/Register.ts"
import { makePolicies } from "../../../src/servers/sdk/RegistrationPolicy.ts"
import { makeReader } from "../../../src/servers/sdk/SdkArguments.ts"
import * as sdkRegistry from "../../../src/servers/sdk/SdkRegistry.ts"
import { anonymousViewer } from "../../../src/servers/sdk/Visibility.ts"

const noTasks = { instrument: () => {}, wrap: () => assert.fail("no tasks"), findTool: async () => undefined }

const registryOf = () =>
  sdkRegistry.make({
    offered: new Set(["read"]),
    viewerOf: () => anonymousViewer,
    makeTasks: () => noTasks,
    guardTransport: () => {},
    policies: makePolicies(),
    run: Effect.runPromise,
    rejectUnlessGranted: () => undefined,
    addSchemes: undefined
  })

const bind = bindPolicy.make(
  { baseline: ["read"], offered: new Set(["read"]), effectiveScopes: (granted) => granted },
  Context.empty()
)
const readArguments = makeReader(() => Effect.succeed({}))

const operation = (method: string, params: object) =>
  Result.getOrThrow(Operation.fromBody({ jsonrpc: "2.0", id: 1, method, params }))[0]!

const names = { name: "notes", version: "1.0.0" }

describe("Register", () => {
  for (
    const { make, template, version } of [
      {
        version: "SDK v1",
        make: () => new V1.McpServer(names),
        template: () => new V1.ResourceTemplate("note://{id}", { list: undefined })
      },
      {
        version: "SDK v2",
        make: () => new V2.McpServer(names),
        template: () => new V2.ResourceTemplate("note://{id}", { list: undefined })
      }
    ]
  ) {
    it(`${version}: each registration is found with its policy, and its handler is wrapped`, () => {
      const wrapped: Array<string> = []
      const registry = registryOf()
      const { registerPrompt, registerResource, registerTool } = register.make({
        registry,
        bind,
        readArguments,
        sdkOptions: register.optionsV2,
        wrap: ({ kind, name, policy }, handler) => {
          wrapped.push(`${kind} ${name} ${policy.scopes}`)
          return handler
        }
      })
      const server = make()
      const config = { scopes: ["read"] }
      const registrations = [
        registerTool(server, "add", config, () => ({})),
        registerPrompt(server, "ask", config, () => ({})),
        registerResource(server, "one", "note://one", config, () => ({})),
        registerResource(server, "any", template(), config, () => ({}))
      ]
      assert.deepStrictEqual(wrapped, ["tool add read", "prompt ask read", "resource one read", "resource any read"])
      const found = [
        operation("tools/call", { name: "add" }),
        operation("prompts/get", { name: "ask" }),
        operation("resources/read", { uri: "note://one" }),
        operation("resources/read", { uri: "note://two" })
      ].map((_) => registry.find(server, _, anonymousViewer))
      for (const [index, registration] of registrations.entries()) {
        assert.strictEqual(found[index]?.registration, registration)
        assert.deepStrictEqual(found[index]?.policy, { scopes: ["read"], unauthorized: "challenge" })
      }
    })
  }

  it.each([
    { option: "tool add", server: new V1.McpServer(names), config: {}, handler: undefined },
    { option: "server", server: {}, config: {}, handler: () => ({}) },
    { option: "tool add.scopes", server: new V1.McpServer(names), config: { scopes: "read" }, handler: () => ({}) },
    { option: "scopes", server: new V1.McpServer(names), config: { scopes: ["write"] }, handler: () => ({}) },
    { option: "tool add.scope", server: new V1.McpServer(names), config: { scope: "read" }, handler: () => ({}) },
    {
      option: "tool add.policies",
      server: new V1.McpServer(names),
      config: { policies: Policy.scopes("read") },
      handler: () => ({})
    },
    { option: "tool add.policy", server: new V1.McpServer(names), config: { policy: undefined }, handler: () => ({}) },
    { option: "tool add.policy", server: new V1.McpServer(names), config: { policy: ["read"] }, handler: () => ({}) },
    {
      option: "tool add.policy",
      server: new V1.McpServer(names),
      config: { policy: Policy.role("admin"), scopes: ["read"] },
      handler: () => ({})
    },
    {
      option: "scopes",
      server: new V1.McpServer(names),
      config: { policy: Policy.scopes("write") },
      handler: () => ({})
    },
    {
      option: "tool add.unauthorized",
      server: new V1.McpServer(names),
      config: { policy: Policy.role("admin"), unauthorized: "show" },
      handler: () => ({})
    }
  ])("a wrong registration throws an AuthConfigError that names $option", ({ config, handler, option, server }) => {
    const { registerTool } = register.make({
      registry: registryOf(),
      bind,
      readArguments,
      sdkOptions: register.optionsV1,
      wrap: (_, handler) => handler
    })
    try {
      registerTool(server as never, "add", config as object, handler)
      assert.fail("registered")
    } catch (error) {
      assert.instanceOf(error, AuthConfigError)
      assert.strictEqual(error.option, option)
    }
  })

  describe.each([["SDK v1", V1, register.optionsV1], ["SDK v2", V2, register.optionsV2]] as const)(
    "%s",
    (_, { McpServer }, sdkOptions) => {
      const functions = () =>
        register.make({ registry: registryOf(), bind, readArguments, sdkOptions, wrap: (_, handler) => handler })
      const calls: Readonly<Record<string, (config: object) => unknown>> = {
        tool: (config) => functions().registerTool(new McpServer(names), "a", config, () => ({})),
        prompt: (config) => functions().registerPrompt(new McpServer(names), "a", config, () => ({})),
        resource: (config) => functions().registerResource(new McpServer(names), "a", "note://a", config, () => ({}))
      }

      it.each(Object.keys(calls))(
        "[T-AUD-41] an unknown option of a %s is an error, because the SDK ignores it",
        (kind) => {
          for (
            const [name, meant] of [
              ["scpes", "scopes"],
              ["scope", "scopes"],
              ["requiredScopes", "scopes"],
              ["permissions", "policy"],
              ["roles", "policy"],
              ["polcy", "policy"],
              ["unauthorised", "unauthorized"],
              ["descripton", "description"],
              ["canAccess", undefined]
            ] as const
          ) {
            const expected = meant === undefined ? "Correct its name" : `The closest one is ${meant}\\.`
            assert.throws(
              () => calls[kind]!({ [name]: ["read"] }),
              new RegExp(`at ${kind} a\\.${name}: there is no such option\\. ${expected}`)
            )
          }
        }
      )

      it.each<readonly [kind: string, config: object]>([
        ["tool", { annotations: {}, inputSchema: z.object({}), outputSchema: z.object({}) }],
        ["prompt", { argsSchema: z.object({}) }],
        ["resource", { annotations: {}, mimeType: "text/plain", size: 1 }]
      ])("a %s accepts the options of the SDK", (kind, config) => {
        calls[kind]!({
          title: "A",
          description: "a",
          scopes: ["read"],
          unauthorized: "hide",
          ...config
        })
      })
    }
  )

  const taskStore = new InMemoryTaskStore()

  it.each([
    { option: "tool report", server: new V1.McpServer(names), config: {} },
    { option: "tool report", server: new V2.McpServer(names), config: {} },
    {
      option: "tool report.scopes",
      server: new V1.McpServer(names, { taskStore }),
      config: { scopes: () => ["read"] }
    },
    { option: "scopes", server: new V1.McpServer(names, { taskStore }), config: { scopes: ["write"] } }
  ])("a wrong registration for tasks throws an AuthConfigError that names $option", ({ config, option, server }) => {
    const { registerToolTask } = register.make({
      registry: registryOf(),
      bind,
      readArguments,
      sdkOptions: register.optionsV1,
      wrap: (_, handler) => handler
    })
    try {
      registerToolTask(server as never, "report", config as object, () => ({}))
      assert.fail("registered")
    } catch (error) {
      assert.instanceOf(error, AuthConfigError)
      assert.strictEqual(error.option, option)
    }
  })
})
