/** The MCP server of the recipes with requests of Node, on `@modelcontextprotocol/sdk`. */
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js"
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js"
import { McpAuthSdk } from "effect-mcp-auth/sdk-v1"
import type { IncomingMessage, ServerResponse } from "node:http"

/** The options of the server. Tests use `fetch`. */
export interface Options {
  readonly resource: string
  readonly authorizationServers: readonly [string, ...Array<string>]
  readonly fetch?: typeof globalThis.fetch
}

export type Notes = Awaited<ReturnType<typeof makeNotes>>

export const makeNotes = async (options: Options) => {
  const auth = await McpAuthSdk.make({ ...options, scopes: { baseline: ["notes:read"], stepUp: ["notes:write"] } })

  const makeServer = () => {
    const server = new McpServer({ name: "notes", version: "1.0.0" })
    auth.registerTool(server, "list_notes", { scopes: ["notes:read"] }, async ({ principal }) => ({
      content: [{ type: "text", text: `The notes of ${principal.subject}` }]
    }))
    auth.registerTool(server, "add_note", { scopes: ["notes:write"] }, async ({ principal }) => ({
      content: [{ type: "text", text: `A note of ${principal.subject}` }]
    }))
    return server
  }

  /** Answers a request that the gate has admitted. */
  const answer = async (req: IncomingMessage & { body?: unknown }, res: ServerResponse): Promise<void> => {
    const server = makeServer()
    const transport = new StreamableHTTPServerTransport({ enableJsonResponse: true })
    await server.connect(transport as Parameters<typeof server.connect>[0])
    await transport.handleRequest(req, res, req.body)
  }

  return { metadata: auth.metadataRouter(), guard: auth.protect(makeServer()), answer, dispose: auth.dispose }
}
