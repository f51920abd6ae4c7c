/** The MCP server of the recipes with `Request` and `Response`, on `@modelcontextprotocol/server`. */
import { McpServer } from "@modelcontextprotocol/server"
import { McpAuthSdk } from "effect-mcp-auth/sdk-v2"

/** The options of the server. Tests use `fetch`. */
export interface Options {
  readonly resource: string
  readonly authorizationServers: readonly [string, ...Array<string>]
  readonly fetch?: typeof globalThis.fetch
}

export type Notes = Awaited<ReturnType<typeof makeNotes>>

export const makeNotes = async (options: Options) => {
  const auth = await McpAuthSdk.make({ ...options, scopes: { baseline: ["notes:read"], stepUp: ["notes:write"] } })

  const handler = auth.createMcpHandler(() => {
    const server = new McpServer({ name: "notes", version: "1.0.0" })
    auth.registerTool(server, "list_notes", { scopes: ["notes:read"] }, async ({ principal }) => ({
      content: [{ type: "text", text: `The notes of ${principal.subject}` }]
    }))
    auth.registerTool(server, "add_note", { scopes: ["notes:write"] }, async ({ principal }) => ({
      content: [{ type: "text", text: `A note of ${principal.subject}` }]
    }))
    return server
  })

  return { metadata: auth.metadata, mcp: handler.fetch, dispose: auth.dispose }
}
