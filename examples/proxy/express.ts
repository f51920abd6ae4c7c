/** The todos on Express, with version 1 of the official SDK, behind the same proxy. */
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js"
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js"
import { Config } from "effect"
import { Admit, OAuthProxy, Upstream } from "effect-mcp-auth/proxy"
import { McpAuthSdk } from "effect-mcp-auth/sdk-v1"
import express from "express"
import { z } from "zod"

/** Creates the application. `GITHUB_SERVER` of the environment is optional. */
export const makeApp = async (resource: string, environment: Readonly<Record<string, string | undefined>>) => {
  const auth = await OAuthProxy.makeWith((gate) => McpAuthSdk.make(gate), {
    resource,
    scopes: { baseline: ["todos:read"], stepUp: ["todos:write"] },
    upstream: Upstream.github({
      clientId: Config.String("GITHUB_ID"),
      clientSecret: Config.Redacted("GITHUB_SECRET"),
      server: Config.String("GITHUB_SERVER").pipe(Config.withDefault(undefined))
    }),
    admit: Admit.githubOrganization(environment["GITHUB_ORGANIZATION"] ?? ""),
    secret: Config.Redacted("PROXY_SECRET"),
    environment
  })
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
  app.use(auth.router())
  app.use(express.json())
  app.all("/mcp", auth.protect(makeServer()), async (req, res) => {
    const server = makeServer()
    const transport = new StreamableHTTPServerTransport({ enableJsonResponse: true })
    res.once("close", () => void transport.close())
    await server.connect(transport as Parameters<typeof server.connect>[0])
    await transport.handleRequest(req, res, req.body)
  })
  return { app, dispose: auth.dispose }
}
