/** The todos on Express, with version 1 of the official SDK, behind the same proxy. */
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js"
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js"
import { Redacted } from "effect"
import { Admit, OAuthProxy, Upstream } from "effect-mcp-auth/proxy"
import { McpAuthSdk } from "effect-mcp-auth/sdk-v1"
import express from "express"
import { z } from "zod"

/** The settings, of which `GITHUB_SERVER` is optional. */
export const makeApp = async (resource: string, env: Readonly<Record<string, string | undefined>>) => {
  const proxy = await OAuthProxy.make({
    resource,
    scopes: { baseline: ["todos:read"], stepUp: ["todos:write"] },
    upstream: Upstream.github({
      clientId: env["GITHUB_ID"] ?? "",
      clientSecret: Redacted.make(env["GITHUB_SECRET"] ?? ""),
      server: env["GITHUB_SERVER"],
      scopes: { "todos:read": [], "todos:write": [] }
    }),
    admit: Admit.githubOrganization(env["GITHUB_ORGANIZATION"] ?? ""),
    secret: Redacted.make(env["PROXY_SECRET"] ?? "")
  })
  const auth = await McpAuthSdk.make(proxy.gateOptions)
  const lists = new Map<string, ReadonlyArray<string>>()
  const answer = (owner: string) => ({
    content: [{ type: "text" as const, text: JSON.stringify(lists.get(owner) ?? []) }]
  })

  const makeServer = () => {
    const server = new McpServer({ name: "todos", version: "1.0.0" })
    auth.registerTool(
      server,
      "list_todos",
      { description: "Lists your todos", scopes: ["todos:read"] },
      async ({ principal }) => answer(principal.owner)
    )
    auth.registerTool(
      server,
      "add_todo",
      { description: "Adds a todo", inputSchema: { title: z.string() }, scopes: ["todos:write"] },
      async ({ title }, { principal }) => {
        lists.set(principal.owner, [...lists.get(principal.owner) ?? [], title])
        return answer(principal.owner)
      }
    )
    return server
  }

  const app = express()
  app.use(proxy.router())
  app.use(express.json())
  app.all("/mcp", auth.protect(makeServer()), async (req, res) => {
    const server = makeServer()
    const transport = new StreamableHTTPServerTransport({ enableJsonResponse: true })
    res.once("close", () => void transport.close())
    await server.connect(transport as Parameters<typeof server.connect>[0])
    await transport.handleRequest(req, res, req.body)
  })
  return {
    app,
    dispose: async () => {
      await auth.dispose()
      await proxy.dispose()
    }
  }
}
