/** An MCP server with a proxy on loopback, and an upstream on loopback, for clients and browsers. */
import { McpServer } from "@modelcontextprotocol/server"
import { Redacted } from "effect"
import { McpAuthSdk } from "effect-mcp-auth/sdk-v2"
import { TestUpstream } from "effect-mcp-auth/testing"
import { createServer, type RequestListener, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import * as Admit from "../../src/proxy/Admit.ts"
import * as OAuthProxy from "../../src/proxy/OAuthProxy.ts"
import * as Upstream from "../../src/proxy/upstream/Upstream.ts"
import { secret } from "./front/world.ts"

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

/** The forms of the upstream at which people sign in here. */
export type UpstreamForm = "github" | "google" | "entra"

export interface ServerOptions {
  readonly form?: UpstreamForm
  readonly login?: "silent" | "page"
  readonly pages?: OAuthProxy.PageOptions
}

/** The upstream of a proxy, in the form of the provider. The scope for writing is one that the provider knows. */
const upstreamOf = (form: UpstreamForm, upstream: TestUpstream.PromisedTestUpstream) => {
  const client = { clientId: upstream.clientId, clientSecret: Redacted.make(upstream.clientSecret) }
  switch (form) {
    case "github":
      return Upstream.github({
        ...client,
        server: upstream.origin,
        scopes: { "notes:read": [], "notes:write": ["repo"] }
      })
    case "google":
      return Upstream.google({
        ...client,
        issuer: upstream.origin,
        scopes: { "notes:read": [], "notes:write": ["https://www.googleapis.com/auth/drive.file"] }
      })
    case "entra":
      return Upstream.entra({
        ...client,
        authority: upstream.origin,
        tenant: upstream.tenant,
        scopes: { "notes:read": [], "notes:write": ["Notes.ReadWrite"] }
      })
  }
}

/** A rule that admits `alice` and not `mallory`, by what the provider says about them. */
const admits = {
  github: Admit.githubOrganization("acme", { id: 9919 }),
  google: Admit.hostedDomain("acme.test"),
  entra: Admit.tenantMembers
} as const

/** Starts the servers. `stop` ends them. */
export const start = async (
  { form = "github", login = "silent", pages = { name: "Notes" } }: ServerOptions = {}
) => {
  const upstreamServer = await listen()
  const upstream = await TestUpstream.start({ form, origin: upstreamServer.origin, login })
  upstreamServer.server.on("request", upstream.listener as RequestListener)

  const { origin, server } = await listen()
  const resource = `${origin}/mcp`
  const scopes = { baseline: ["notes:read"], stepUp: ["notes:write"] } as const
  const proxy = await OAuthProxy.make({
    resource,
    scopes,
    upstream: upstreamOf(form, upstream),
    admit: admits[form],
    secret,
    pages
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
  server.on("request", (req, res) => {
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
  })
  return {
    origin,
    resource,
    proxy,
    upstream,
    stop: async () => {
      await Promise.all([close(server), close(upstreamServer.server)])
      await auth.dispose()
      await proxy.dispose()
    }
  }
}

/** A browser without scripts: keeps cookies, follows redirects and refreshes, and approves. Returns the URL of the callback. */
export const makeVisitor = (request: (url: string, init: RequestInit) => Promise<Response> = fetch) => {
  const jars = new Map<string, Map<string, string>>()
  const send = async (url: string, init: RequestInit = {}) => {
    const { origin } = new URL(url)
    const jar = jars.get(origin) ?? new Map<string, string>()
    jars.set(origin, jar)
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join("; ")
    const response = await request(url, {
      redirect: "manual",
      ...init,
      headers: { ...init.headers, ...(cookie === "" ? {} : { cookie }) }
    })
    for (const line of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line)!
      if (/Max-Age=0/.test(line)) jar.delete(name!)
      else jar.set(name!, value!)
    }
    return response
  }
  const decode = (text: string) => text.replace(/&#(\d+);/g, (_, code: string) => String.fromCharCode(Number(code)))
  return async (start: URL | string, decision = "approve"): Promise<URL> => {
    let url = String(start)
    let response = await send(url)
    for (let step = 0; step < 10; step++) {
      const body = await response.text()
      const next = response.headers.get("location") ??
        /http-equiv="refresh" content="\d+;url=([^"]*)"/.exec(body)?.[1]
      if (next !== undefined && next !== null) {
        url = new URL(decode(next), url).href
        if (url.startsWith("http://127.0.0.1/callback") || !url.startsWith("http://127.0.0.1:")) return new URL(url)
        response = await send(url)
        continue
      }
      const action = /<form method="post" action="([^"]*)">/.exec(body)?.[1]
      if (action === undefined) {
        throw new Error(`The sign-in ends at ${url} (${response.status}): ${body.slice(0, 2_000)}`)
      }
      const form = new URLSearchParams({ decision })
      for (const [, name, value] of body.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)">/g)) {
        form.set(decode(name!), decode(value!))
      }
      url = decode(action)
      response = await send(url, {
        method: "POST",
        headers: { "content-type": "application/x-www-form-urlencoded", origin: new URL(url).origin },
        body: form.toString()
      })
    }
    throw new Error(`The sign-in does not end: ${url}`)
  }
}
