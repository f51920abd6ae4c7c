/** An MCP server with a proxy on loopback, and an upstream on loopback, for clients and browsers. */
import { McpServer } from "@modelcontextprotocol/server"
import { type Layer, Redacted } from "effect"
import { McpAuthSdk } from "effect-mcp-auth/sdk-v2"
import type { RecordStore } from "effect-mcp-auth/store"
import { TestBrowser, TestUpstream } from "effect-mcp-auth/testing"
import { createServer, type RequestListener, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import type { GrantOptions } from "../../src/proxy/grants/GrantOptions.ts"
import * as OAuthProxy from "../../src/proxy/OAuthProxy.ts"
import { secret } from "./front/world.ts"
import { admits, type UpstreamClient, type UpstreamForm, upstreamOf } from "./upstreams.ts"

export const listen = async (
  handler?: RequestListener
): Promise<{ readonly server: Server; readonly origin: string }> => {
  const server = createServer(handler)
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  return { server, origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

export const close = (server: Server): Promise<void> =>
  new Promise((resolve) => {
    server.closeAllConnections()
    server.close(() => resolve())
  })

export interface ServerOptions {
  readonly form?: UpstreamForm
  readonly login?: "silent" | "page"
  readonly pages?: OAuthProxy.PageOptions
}

/** The scopes of the MCP server. */
const scopes = { baseline: ["notes:read"], stepUp: ["notes:write"] } as const

/** The settings of an instance of the MCP server with its proxy. */
export interface InstanceOptions extends Pick<ServerOptions, "pages"> {
  /** The origin that clients use. */
  readonly origin: string
  readonly form: UpstreamForm
  readonly upstream: UpstreamClient
  readonly grants?: GrantOptions
  readonly store?: Layer.Layer<RecordStore.RecordStore, unknown>
}

/** Creates an MCP server with its proxy, as a handler of `node:http`. */
export const makeInstance = async ({ form, grants, origin, pages, store, upstream }: InstanceOptions) => {
  const proxy = await OAuthProxy.make({
    resource: `${origin}/mcp`,
    scopes,
    upstream: upstreamOf(form, upstream, { reads: scopes.baseline, writes: scopes.stepUp }),
    admit: admits[form],
    secret,
    pages,
    grants,
    store
  })
  const auth = await McpAuthSdk.make(proxy.gateOptions)
  const handler = auth.createMcpHandler(() => {
    const mcp = new McpServer({ name: "notes", version: "1.0.0" })
    auth.registerTool(mcp, "list_notes", { scopes: ["notes:read"] }, async ({ principal }) => ({
      content: [{ type: "text", text: `The notes of ${principal.subject}` }]
    }))
    auth.registerTool(mcp, "upstream_token", { scopes: ["notes:read"] }, async ({ principal }) => ({
      content: [{ type: "text", text: Redacted.value(await proxy.upstreamToken(principal)) }]
    }))
    return mcp
  })
  const router = proxy.router()
  const listener: RequestListener = (req, res) => {
    void router(req, res, async () => {
      const chunks: Array<Buffer> = []
      for await (const chunk of req) chunks.push(chunk as Buffer)
      const response = await handler.fetch(
        new Request(`${origin}${req.url}`, {
          method: req.method!,
          headers: req.headers as Record<string, string>,
          ...(chunks.length === 0 ? {} : { body: Buffer.concat(chunks) })
        })
      )
      res.writeHead(response.status, Object.fromEntries(response.headers))
      res.end(Buffer.from(await response.arrayBuffer()))
    })
  }
  const dispose = async () => {
    await auth.dispose()
    await proxy.dispose()
  }
  return { proxy, listener, dispose }
}

/** Starts an upstream. `stop` ends it. */
export const startUpstream = async (options: Omit<TestUpstream.Options, "origin">) => {
  const { origin, server } = await listen()
  const upstream = await TestUpstream.start({ ...options, origin })
  server.on("request", upstream.listener as RequestListener)
  return { upstream, stop: () => close(server) }
}

/** Starts the servers. `stop` ends them. */
export const start = async (
  { form = "github", login = "silent", pages = { name: "Notes" } }: ServerOptions = {}
) => {
  const { stop: stopUpstream, upstream } = await startUpstream({ form, login })
  const { origin, server } = await listen()
  const { dispose, listener, proxy } = await makeInstance({ origin, form, upstream, pages })
  server.on("request", listener)
  return {
    origin,
    resource: `${origin}/mcp`,
    proxy,
    upstream,
    stop: async () => {
      await Promise.all([close(server), stopUpstream()])
      await dispose()
    }
  }
}

/** The browser of a person, who presses the same button on each page that has it. Returns the URL of the callback. */
export const makePerson = (options?: TestBrowser.Options) => {
  const browser = TestBrowser.start(options)
  return async (url: URL | string, button?: string): Promise<URL> => new URL(await browser.signIn(url, { button }))
}
