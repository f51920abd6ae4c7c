/** Servers of each kind that knows its tools, over sockets. Their tools require any policies, which a test makes up. */
import { getRequestListener } from "@hono/node-server"
import { McpServer as McpServerV1 } from "@modelcontextprotocol/sdk/server/mcp.js"
import { WebStandardStreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js"
import { McpServer as McpServerV2 } from "@modelcontextprotocol/server"
import { Effect, Layer, Schema } from "effect"
import { Policy, requirePolicy, requireScopes } from "effect-mcp-auth"
import { McpAuth } from "effect-mcp-auth/mcp"
import { McpAuthSdk as SdkV1 } from "effect-mcp-auth/sdk-v1"
import { McpAuthSdk as SdkV2 } from "effect-mcp-auth/sdk-v2"
import { McpProtocol, McpServer, Tool, Toolkit } from "effect/ai"
import { HttpClient, HttpRouter } from "effect/http"
import { createServer, type RequestListener } from "node:http"
import type { AddressInfo } from "node:net"
import { authLayer, fetcherWith } from "../gates.ts"
import { overSocket, type Served } from "./Host.ts"

/** A tool without arguments. Without a policy and scopes, it requires nothing. */
export interface PolicyTool {
  readonly name: string
  readonly policy?: Policy.AnyPolicy | Policy.OpenPolicy<string> | undefined
  readonly scopes?: ReadonlyArray<string> | undefined
  /** Whether `scopes` depend on the arguments. Default: `false`. */
  readonly isConditional?: boolean | undefined
  readonly unauthorized?: "challenge" | "deny" | "hide" | undefined
  /** The `_meta` of the tool. Default: none. */
  readonly meta?: Readonly<Record<string, unknown>> | undefined
  /** Whether the SDK itself, or `McpServer` of Effect, registers the tool. Default: `false`. */
  readonly isStock?: boolean | undefined
}

/** The settings of a server that can differ between tests. */
export interface ServerSettings {
  readonly scopes: { readonly baseline: ReadonlyArray<string>; readonly stepUp: ReadonlyArray<string> }
  readonly scopeHierarchy?: Readonly<Record<string, ReadonlyArray<string>>> | undefined
  readonly anonymous?: "deny" | "allow-unscoped" | undefined
  readonly unlisted?: "allow" | "deny" | undefined
  readonly securitySchemes?: "list" | "omit" | undefined
  readonly authChallenge?: "http" | "tool-result" | undefined
  readonly structuredDenials?: boolean | undefined
}

export interface PolicyServer {
  readonly name: string
  readonly start: (
    tools: ReadonlyArray<PolicyTool>,
    settings: ServerSettings,
    issuer: string,
    client: HttpClient.HttpClient
  ) => Promise<Pick<Served, "send" | "stop" | "ran">>
}

type Handle = (request: Request) => Promise<Response>

const listen = async (handle: Handle, dispose: () => Promise<void>, ran: Array<string>) => {
  const server = createServer(getRequestListener(handle) as RequestListener)
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  return {
    send: overSocket((server.address() as AddressInfo).port).send,
    ran: async () => ran.splice(0),
    stop: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      await dispose()
    }
  }
}

const optionsOf = (settings: ServerSettings, issuer: string) => ({
  ...settings,
  resource: "https://server.test/mcp",
  authorizationServers: [issuer] as const,
  roles: [["roles"]] as const
})

const toEffectTool = ({ isConditional, meta, name, policy, scopes, unauthorized = "challenge" }: PolicyTool) => {
  const tool = Tool.make(name, { success: Schema.String }).annotate(Policy.Unauthorized, unauthorized)
  const all = scopes as ["scope"] | undefined
  const required = policy !== undefined
    ? requirePolicy(policy)(tool as never)
    : all === undefined
    ? tool
    : isConditional === true
    ? Policy.requireScopesOf(tool, all, () => all)
    : requireScopes(...all)(tool)
  return meta === undefined ? required as typeof tool : (required as typeof tool).annotate(Tool.Meta, meta)
}

const effect: PolicyServer = {
  name: "Effect",
  start: (tools, { securitySchemes, ...settings }, issuer, client) => {
    const ran: Array<string> = []
    const toolkitOf = (isStock: boolean) => {
      const own = tools.filter((tool) => (tool.isStock ?? false) === isStock)
      const toolkit = Toolkit.make(...own.map(toEffectTool))
      const handlers = Object.fromEntries(
        own.map(({ name }) => [name, () => Effect.sync(() => `${name} ${ran.push(name)}`)])
      )
      const registered = isStock ? McpServer.toolkit(toolkit) : McpAuth.toolkit(toolkit)
      return registered.pipe(Layer.provide(toolkit.toLayer(handlers as never)))
    }
    const { dispose, handler } = HttpRouter.toWebHandler(
      McpAuth.layerHttp({
        name: "tools",
        version: "1.0.0",
        path: "/mcp",
        protocols: [McpProtocol.v2026_07_28, McpProtocol.v2025_11_25],
        securitySchemes,
        registrations: Layer.merge(toolkitOf(false), toolkitOf(true))
      }).pipe(
        Layer.provide(authLayer(optionsOf(settings, issuer) as never)),
        Layer.provide(Layer.succeed(HttpClient.HttpClient, client))
      ) as Layer.Layer<never, unknown, HttpRouter.HttpRouter>,
      { disableLogger: true }
    )
    return listen((request) => handler(request), dispose, ran)
  }
}

type AnyServer = McpServerV1 | McpServerV2

const makeTools = (
  tools: ReadonlyArray<PolicyTool>,
  ran: Array<string>,
  auth: { readonly registerTool: (...parameters: ReadonlyArray<any>) => unknown }
) =>
<S extends AnyServer>(server: S): S => {
  for (const { isConditional, isStock, meta, name, policy, scopes, unauthorized } of tools) {
    const handler = () => {
      ran.push(name)
      return { content: [{ type: "text" as const, text: name }] }
    }
    const required = policy === undefined ? { scopes: isConditional === true ? () => scopes : scopes } : { policy }
    const config = meta === undefined ? {} : { _meta: meta }
    if (isStock === true) (server as McpServerV1).registerTool(name, config, handler)
    else auth.registerTool(server, name, { ...config, ...required, unauthorized }, handler)
  }
  return server
}

/** Removes `MCP-Protocol-Version: 2026-07-28`, which version 1 of the SDK rejects. The gate has already checked the header. */
const withoutRevision = (request: Request): Request => {
  const headers = new Headers(request.headers)
  headers.delete("mcp-protocol-version")
  return new Request(request.url, { method: request.method, headers, signal: request.signal })
}

const names = { name: "tools", version: "1.0.0" }

const sdkV1: PolicyServer = {
  name: "SDK v1",
  start: async (tools, settings, issuer, client) => {
    const ran: Array<string> = []
    const auth = await SdkV1.make({ ...optionsOf(settings, issuer), layer: fetcherWith(client) } as never) as any
    const register = makeTools(tools, ran, auth)
    const make = () => register(new McpServerV1(names))
    return listen(
      auth.protectFetch(make(), async (request: Request, given: object) => {
        const transport = new WebStandardStreamableHTTPServerTransport({ enableJsonResponse: true })
        await make().connect(transport as never)
        return transport.handleRequest(withoutRevision(request), given)
      }),
      auth.dispose,
      ran
    )
  }
}

const sdkV2: PolicyServer = {
  name: "SDK v2",
  start: async (tools, settings, issuer, client) => {
    const ran: Array<string> = []
    const auth = await SdkV2.make({ ...optionsOf(settings, issuer), layer: fetcherWith(client) } as never) as any
    const register = makeTools(tools, ran, auth)
    const handler = auth.createMcpHandler(() => register(new McpServerV2(names)))
    return listen((request) => handler.fetch(request), auth.dispose, ran)
  }
}

export const policyServers: ReadonlyArray<PolicyServer> = [effect, sdkV1, sdkV2]
