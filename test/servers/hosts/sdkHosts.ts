/** Servers of the official SDKs for the table of cases. A client can open a session, but does not have to. */
import { getRequestListener } from "@hono/node-server"
import { completable as completableV1 } from "@modelcontextprotocol/sdk/server/completable.js"
import { McpServer as McpServerV1, ResourceTemplate as TemplateV1 } from "@modelcontextprotocol/sdk/server/mcp.js"
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js"
import { WebStandardStreamableHTTPServerTransport as WebTransportV1 } from "@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js"
import { SubscribeRequestSchema } from "@modelcontextprotocol/sdk/types.js"
import {
  completable as completableV2,
  McpServer as McpServerV2,
  ResourceTemplate as TemplateV2,
  WebStandardStreamableHTTPServerTransport as WebTransportV2
} from "@modelcontextprotocol/server"
import { Policy } from "effect-mcp-auth/policy"
import { McpAuthSdk as SdkV1 } from "effect-mcp-auth/sdk-v1"
import { McpAuthSdk as SdkV2 } from "effect-mcp-auth/sdk-v2"
import express from "express"
import { createServer, type RequestListener, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { z } from "zod"
import type { Functions } from "./functions.ts"
import { type Adapter, isWithoutScopes, overFetch, overSocket, type Written } from "./Host.ts"
import * as middleware from "./middleware.ts"
import * as policies from "./policies.ts"
import { hostOptions } from "./services.ts"
import { recorder } from "./TodoServer.ts"

type Scope = "todos:read" | "todos:write"
type Ran = (line: string) => void

const listen = (server: Server) =>
  new Promise<Server>((resolve) => server.listen(0, "127.0.0.1", () => resolve(server)))

const overNode = (server: Server) => overSocket((server.address() as AddressInfo).port)

const stop = async (server: Server, dispose: () => Promise<void>) => {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
  await dispose()
}

const text = (value: string) => ({ content: [{ type: "text" as const, text: value }] })

const implementation = { name: "todos", version: "1.0.0" }

/** Declares that clients can subscribe to resources, if there are any that they can subscribe to. */
const capabilitiesOf = (functions: Pick<Functions, "name">) =>
  policies.areUsedBy(functions) ? { capabilities: { resources: { subscribe: true } } } : {}

/** Registers the operations of `TodoServer` on a server of SDK v1. */
const makeV1 = (auth: unknown, ran: Ran, options: Written, functions: Pick<Functions, "name">): McpServerV1 => {
  const server = register(
    new McpServerV1(implementation, capabilitiesOf(functions)),
    auth as never,
    ran,
    options,
    functions
  )
  if (!policies.areUsedBy(functions)) return server
  server.server.setRequestHandler(SubscribeRequestSchema, ({ params: { uri } }) => {
    ran(`subscribe ${uri}`)
    return {}
  })
  registerOthers(server, auth as never, ran, {
    template: (uri, complete) => new TemplateV1(uri, { list: undefined, complete: { id: complete } }),
    argsSchema: (complete) => ({ id: completableV1(z.string(), complete) })
  })
  return server
}

/** Registers the operations of `TodoServer` on a server of SDK v2. */
const makeV2 = (auth: unknown, ran: Ran, options: Written, functions: Pick<Functions, "name">): McpServerV2 => {
  const server = register(
    new McpServerV2(implementation, capabilitiesOf(functions)),
    auth as never,
    ran,
    options,
    functions
  )
  if (policies.areUsedBy(functions)) {
    registerOthers(server as never, auth as never, ran, {
      template: (uri, complete) => new TemplateV2(uri, { list: undefined, complete: { id: complete } }),
      argsSchema: (complete) => z.object({ id: completableV2(z.string(), complete) })
    })
  }
  return server
}

/** Registers the operations of `TodoServer` that both SDKs register in the same way. */
const register = <S extends McpServerV1 | McpServerV2, N extends SdkV1.Anonymous>(
  server: S,
  auth: Pick<SdkV1.McpAuthSdk<Scope, unknown, never, N>, "registerTool" | "registerPrompt" | "registerResource">,
  ran: Ran,
  options: Written,
  functions: Pick<Functions, "name">
): S => {
  const to = server as unknown as McpServerV1
  const run = (name: string, principal: { readonly subject: string | undefined } | undefined) => {
    const line = `${name} ${principal?.subject ?? "nobody"}`
    ran(line)
    return line
  }
  auth.registerTool(to, "whoami", {}, ({ principal }) => text(run("whoami", principal)))
  if (policies.areUsedBy(functions)) registerPolicies(to, auth as never, ran)
  if (isWithoutScopes(options)) return server
  auth.registerTool(to, "list_todos", { scopes: ["todos:read"] }, (_) => text(run("list_todos", _.principal)))
  auth.registerTool(
    to,
    "add_todo",
    { scopes: ["todos:read", "todos:write"] },
    (_) => text(run("add_todo", _.principal))
  )
  auth.registerResource(to, "todo", "todo://1", { scopes: ["todos:read"] }, (uri, { principal }) => ({
    contents: [{ uri: uri.href, text: run("todo://1", principal) }]
  }))
  auth.registerPrompt(to, "plan", { scopes: ["todos:write"] }, ({ principal }) => ({
    messages: [{ role: "user", content: { type: "text", text: run("plan", principal) } }]
  }))
  return server
}

/** Registers the tools of `policies.ts` on a server of either SDK. */
const registerPolicies = (
  to: McpServerV1,
  auth: Pick<SdkV1.McpAuthSdk<Scope, unknown, policies.Owners, "allow-unscoped">, "registerTool">,
  ran: Ran
): void => {
  const inputSchema = z.object({ id: z.string().trim().optional() })
  const run = (name: string, subject: string | undefined) => {
    ran(`${name} ${subject ?? "nobody"}`)
    return text(name)
  }
  for (const [name, policy] of Object.entries(policies.policies)) {
    auth.registerTool(to, name, { inputSchema, policy }, (_, { principal }) => run(name, principal.subject))
  }
  for (const [name, policy] of Object.entries(policies.denied)) {
    auth.registerTool(
      to,
      name,
      { inputSchema, policy, unauthorized: "deny" },
      (_, { principal }) => run(name, principal.subject)
    )
  }
  for (const [name, policy] of Object.entries(policies.hidden)) {
    auth.registerTool(
      to,
      name,
      { inputSchema, policy, unauthorized: "hide" },
      (_, { principal }) => run(name, principal.subject)
    )
  }
  auth.registerTool(
    to,
    "open",
    { inputSchema, policy: Policy.anyone },
    (_, { principal }) => run("open", principal?.subject)
  )
}

/** The values that each SDK makes in its own way, from the function that completes the argument `id`. */
interface SdkParts {
  readonly template: (uri: string, complete: () => Array<string>) => object
  readonly argsSchema: (complete: () => Array<string>) => object
}

/** Registers the resources, templates and prompts of `policies.ts` on a server of either SDK. */
const registerOthers = (
  to: McpServerV1,
  auth: Record<"registerResource" | "registerPrompt", (...args: ReadonlyArray<unknown>) => void>,
  ran: Ran,
  { argsSchema, template }: SdkParts
): void => {
  for (const [name, options] of Object.entries(policies.registrations)) {
    const run = (kind: string, args: ReadonlyArray<unknown>): string => {
      const { principal } = args.at(-1) as { readonly principal?: { readonly subject: string } | undefined }
      ran(`${kind} ${name} ${principal?.subject ?? "nobody"}`)
      return name
    }
    const complete = () => [ran(`complete ${name}`) ?? "1"]
    const read = (kind: string) => (uri: URL, ...others: ReadonlyArray<unknown>) => ({
      contents: [{ uri: uri.href, text: run(kind, others) }]
    })
    auth.registerResource(to, `resource ${name}`, `todo://${name}`, options, read("resource"))
    auth.registerResource(
      to,
      `template ${name}`,
      template(`item://${name}/{id}`, complete),
      options,
      read("template")
    )
    auth.registerPrompt(
      to,
      name,
      { ...options, argsSchema: argsSchema(complete) },
      (...args: ReadonlyArray<unknown>) => ({
        messages: [{ role: "user", content: { type: "text", text: run("prompt", args) } }]
      })
    )
  }
}

const isInitialize = (body: unknown) => (body as { readonly method?: unknown } | undefined)?.method === "initialize"

/** Removes `MCP-Protocol-Version: 2026-07-28`, which version 1 of the SDK rejects. The gate has already checked the header. */
const withoutRevision = (request: Request): Request => {
  const headers = new Headers(request.headers)
  if (headers.get("mcp-protocol-version") === "2026-07-28") headers.delete("mcp-protocol-version")
  return new Request(request.url, { method: request.method, headers, signal: request.signal })
}

const expressV1: Adapter = {
  name: "SDK v1 on Express",
  streams: "GET",
  endOfSession: 200,
  start: async (options, client, functions) => {
    const record = recorder()
    const auth = await SdkV1.make(hostOptions(options, client, functions))
    const make = () => makeV1(auth, record.ran, options, functions)
    const sessions = new Map<string, StreamableHTTPServerTransport>()
    const specimen = make()
    const app = express()
    app.use((req, _, next) => {
      middleware.onNode(req)
      next()
    })
    app.use(auth.metadataRouter())
    app.all("/mcp", auth.protect(specimen), async (req, res) => {
      const known = sessions.get(String(req.headers["mcp-session-id"]))
      if (known !== undefined) return known.handleRequest(req, res, req.body)
      if (req.headers["mcp-protocol-version"] === "2026-07-28") {
        delete req.headers["mcp-protocol-version"]
        req.rawHeaders = req.rawHeaders.filter((_, index, all) =>
          all[index - index % 2]!.toLowerCase() !== "mcp-protocol-version"
        )
      }
      const transport: StreamableHTTPServerTransport = new StreamableHTTPServerTransport({
        enableJsonResponse: true,
        keepAliveMs: 20,
        ...(isInitialize(req.body)
          ? {
            sessionIdGenerator: () => crypto.randomUUID(),
            onsessioninitialized: (id: string) => void sessions.set(id, transport)
          }
          : {})
      })
      await make().connect(transport as never)
      await transport.handleRequest(req, res, req.body)
    })
    const server = await listen(createServer(app))
    return { ...overNode(server), ran: async () => record.take(), stop: () => stop(server, auth.dispose) }
  }
}

const webV1: Adapter = {
  name: "SDK v1 on the web transport",
  streams: "GET",
  endOfSession: 200,
  start: async (options, client, functions) => {
    const record = recorder()
    const auth = await SdkV1.make(hostOptions(options, client, functions))
    const make = () => makeV1(auth, record.ran, options, functions)
    const sessions = new Map<string, WebTransportV1>()
    const handle = auth.protectFetch(make(), async (request, given) => {
      const known = sessions.get(request.headers.get("mcp-session-id") ?? "")
      if (known !== undefined) return known.handleRequest(request, given)
      const transport: WebTransportV1 = new WebTransportV1({
        enableJsonResponse: true,
        keepAliveMs: 20,
        ...(isInitialize(given.parsedBody)
          ? {
            sessionIdGenerator: () => crypto.randomUUID(),
            onsessioninitialized: (id: string) => void sessions.set(id, transport)
          }
          : {})
      })
      await make().connect(transport as never)
      return transport.handleRequest(withoutRevision(request), given)
    })
    return {
      ...overFetch(async (request) => await auth.metadata(request) ?? await handle(middleware.onFetch(request))),
      ran: async () => record.take(),
      stop: auth.dispose
    }
  }
}

const v2: Adapter = {
  name: "SDK v2",
  streams: "subscriptions/listen",
  endOfSession: 200,
  start: async (options, client, functions) => {
    const record = recorder()
    const auth = await SdkV2.make(hostOptions(options, client, functions))
    const make = () => makeV2(auth, record.ran, options, functions)
    const handler = auth.createMcpHandler(make)
    const sessions = new Map<string, WebTransportV2>()
    // `createMcpHandler` has no sessions, so a client of MCP 2025-11-25 that opens a session gets a separate transport.
    const withSessions = auth.protectFetch(make(), async (request, given) => {
      const known = sessions.get(request.headers.get("mcp-session-id") ?? "")
      if (known !== undefined) return known.handleRequest(request, given)
      const transport: WebTransportV2 = new WebTransportV2({
        enableJsonResponse: true,
        ...(isInitialize(given.parsedBody)
          ? {
            sessionIdGenerator: () => crypto.randomUUID(),
            onsessioninitialized: (id: string) => void sessions.set(id, transport)
          }
          : {})
      })
      await make().connect(transport)
      return transport.handleRequest(request, given)
    })
    const listener = getRequestListener(async (received) => {
      const request = middleware.onFetch(received)
      const document = await auth.metadata(request)
      if (document !== undefined) return document
      if (request.headers.has("mcp-session-id")) return withSessions(request)
      const isShort = request.method === "POST" && Number(request.headers.get("content-length")) < 1000
      const opens = isShort && (await request.clone().text()).includes("\"initialize\"")
      return opens ? withSessions(request) : handler.fetch(request)
    })
    const server = await listen(createServer(listener as RequestListener))
    return { ...overNode(server), ran: async () => record.take(), stop: () => stop(server, auth.dispose) }
  }
}

export const sdkHosts: ReadonlyArray<Adapter> = [expressV1, webV1, v2]
