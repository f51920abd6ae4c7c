/** An MCP server in a Worker: `@modelcontextprotocol/server` behind the gate, for clients of MCP 2026-07-28 and older ones. */
import { McpServer } from "@modelcontextprotocol/server"
import { env } from "cloudflare:workers"
import { McpAuthSdk } from "effect-mcp-auth/sdk-v2"
import { z } from "zod"

// This runs while the module loads. A Worker cannot send requests then, so the keys are fetched when the first token arrives.
const auth = await McpAuthSdk.make({
  resource: env.RESOURCE_URL,
  authorizationServers: [env.ISSUER],
  scopes: ["dice:roll"]
})

const handler = auth.createMcpHandler(() => {
  const server = new McpServer({ name: "dice", version: "1.0.0" })
  auth.registerTool(
    server,
    "add_up",
    { description: "Adds up dice", inputSchema: z.object({ dice: z.array(z.int()) }), scopes: ["dice:roll"] },
    async ({ dice }, { principal }) => ({
      content: [{ type: "text", text: `${principal.subject}: ${dice.reduce((sum, eyes) => sum + eyes, 0)}` }]
    })
  )
  return server
})

export default {
  fetch: async (request: Request): Promise<Response> => await auth.metadata(request) ?? await handler.fetch(request)
}
