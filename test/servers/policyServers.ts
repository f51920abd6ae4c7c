/** One server on Effect and one on each official SDK, with the same tools and policies. Requests reach them without a socket. */
import { McpServer as McpServerV1 } from "@modelcontextprotocol/sdk/server/mcp.js"
import { WebStandardStreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js"
import { McpServer as McpServerV2 } from "@modelcontextprotocol/server"
import { Context, Effect, Layer, Schema } from "effect"
import { AuthLayer, Policy, requirePolicy } from "effect-mcp-auth"
import { McpAuth } from "effect-mcp-auth/mcp"
import { McpAuthSdk as SdkV1 } from "effect-mcp-auth/sdk-v1"
import { McpAuthSdk as SdkV2 } from "effect-mcp-auth/sdk-v2"
import type { TestClient, TestIssuer } from "effect-mcp-auth/testing"
import { McpProtocol, Tool, Toolkit } from "effect/ai"
import { FetchHttpClient, HttpRouter } from "effect/http"
import { z } from "zod"

export const resource = "https://server.test/mcp"

type Scope = "todos:read" | "todos:write"

/** A policy of the scopes of these servers. Its checks read the argument `id`. */
export type AnyPolicy = Policy.Policy<Scope, never, { readonly id: string }> | Policy.OpenPolicy<Scope>

/** A tool with the argument `id`, which is trimmed. `run` is called when its handler runs. */
export interface TestTool {
  readonly name: string
  readonly policy: AnyPolicy
  readonly unauthorized?: "challenge" | "deny" | "hide"
  readonly run?: (id: string) => void
}

export interface Options {
  readonly issuer: Awaited<ReturnType<typeof TestIssuer.start>>
  readonly tools: ReadonlyArray<TestTool>
  readonly anonymous?: "deny" | "allow-unscoped"
  /** Records the decisions of the gate. */
  readonly layer?: Layer.Layer<never>
}

/** A running server. */
export interface Served {
  readonly handler: (request: Request) => Promise<Response>
  readonly dispose: () => Promise<void>
}

export interface PolicyServer {
  readonly name: string
  readonly protocol: TestClient.ProtocolVersion
  readonly start: (options: Options) => Promise<Served>
}

const common = ({ anonymous = "deny", issuer }: Options) => ({
  resource,
  authorizationServers: [issuer.issuer] as const,
  scopes: { baseline: ["todos:read"], stepUp: ["todos:write"] } as const,
  roles: [["roles"]] as const,
  anonymous
})

const implementation = { name: "todos", version: "1.0.0" }

const onEffect: PolicyServer = {
  name: "Effect",
  protocol: "2026-07-28",
  start: async (options) => {
    const { issuer, layer = Layer.empty, tools } = options
    const toolkit = Toolkit.make(
      ...tools.map(({ name, policy, unauthorized = "challenge" }) =>
        requirePolicy(policy as Policy.Policy<Scope, never, { readonly id: string }>)(
          Tool.make(name, { parameters: Schema.Struct({ id: Schema.Trim }), success: Schema.String })
            .annotate(Policy.Unauthorized, unauthorized)
        )
      )
    )
    const handlers = Object.fromEntries(
      tools.map(({ name, run }) => [
        name,
        ({ id }: { readonly id: string }) =>
          Effect.sync(() => {
            run?.(id)
            return name
          })
      ])
    )
    const Server = McpAuth.layerHttp({
      ...implementation,
      path: "/mcp",
      protocols: [McpProtocol.v2026_07_28, McpProtocol.v2025_11_25],
      registrations: McpAuth.toolkit(toolkit).pipe(Layer.provide(toolkit.toLayer(handlers as never)))
    }).pipe(Layer.provide(AuthLayer.make(common(options))), Layer.provide(layer))
    // The names of these tools are not literals, so the requirements of the layer have no useful type.
    const { dispose, handler } = HttpRouter.toWebHandler(Server as any, {
      disableLogger: true
    })
    // oxlint-disable-next-line no-restricted-properties -- this `fetch` requests only TestIssuer
    const network = Context.make(FetchHttpClient.Fetch, issuer.fetch)
    return { handler: (request) => handler(request, network as never), dispose }
  }
}

const register = <S extends McpServerV1 | McpServerV2>(
  server: S,
  auth: { readonly registerTool: unknown },
  tools: ReadonlyArray<TestTool>
): S => {
  const { registerTool } = auth as Pick<SdkV1.McpAuthSdk<Scope, unknown, never, "deny">, "registerTool">
  const inputSchema = z.object({ id: z.string().trim() })
  for (const { name, policy, run, unauthorized = "challenge" } of tools) {
    registerTool(
      server as McpServerV1,
      name,
      { inputSchema, policy, unauthorized } as never,
      (({ id }: any) => {
        run?.(id)
        return { content: [{ type: "text", text: name }] }
      }) as never
    )
  }
  return server
}

const onSdkV1: PolicyServer = {
  name: "SDK v1",
  protocol: "2025-11-25",
  start: async (options) => {
    const { issuer, layer = Layer.empty, tools } = options
    const auth = await SdkV1.make({ ...common(options), fetch: issuer.fetch, layer })
    const handler = auth.protectFetch(
      () => register(new McpServerV1(implementation), auth, tools),
      async (request, given) => {
        const transport = new WebStandardStreamableHTTPServerTransport({ enableJsonResponse: true })
        await (auth.serverFor(request) as McpServerV1).connect(transport as never)
        return transport.handleRequest(request, given)
      }
    )
    return { handler: (request) => handler(request), dispose: auth.dispose }
  }
}

const onSdkV2: PolicyServer = {
  name: "SDK v2",
  protocol: "2026-07-28",
  start: async (options) => {
    const { issuer, layer = Layer.empty, tools } = options
    const auth = await SdkV2.make({ ...common(options), fetch: issuer.fetch, layer })
    const { fetch } = auth.createMcpHandler(() => register(new McpServerV2(implementation), auth, tools))
    return { handler: (request) => fetch(request), dispose: auth.dispose }
  }
}

export const policyServers: ReadonlyArray<PolicyServer> = [onEffect, onSdkV1, onSdkV2]
