/** The notes server behind `effect-mcp-auth`. The README shows the same server behind `mcp-auth`. */
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js"
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js"
import { McpAuthSdk } from "effect-mcp-auth/sdk-v1"
import express from "express"
import { z } from "zod"

const { AUTHORIZATION_SERVERS = "", ISSUER = AUTHORIZATION_SERVERS, PORT = "3000" } = process.env
const resource = `http://127.0.0.1:${PORT}/mcp`

const auth = await McpAuthSdk.make({
  resource,
  authorizationServers: [ISSUER],
  scopes: { baseline: ["read:notes"], stepUp: ["write:notes"] }
})

const notes: Array<{ owner: string; text: string }> = []

const makeServer = () => {
  const server = new McpServer({ name: "notes", version: "1.0.0" })
  auth.registerTool(
    server,
    "list_notes",
    { description: "Lists your notes", scopes: ["read:notes"] },
    async ({ principal }) => ({
      content: notes.filter((_) => _.owner === principal.owner).map(({ text }) => ({ type: "text", text }))
    })
  )
  auth.registerTool(
    server,
    "add_note",
    { description: "Adds a note", inputSchema: { text: z.string() }, scopes: ["write:notes"] },
    async ({ text }, { principal }) => {
      notes.push({ owner: principal.owner, text })
      return { content: [{ type: "text", text: `${principal.subject} has ${notes.length} notes` }] }
    }
  )
  return server
}

const app = express()
app.use(auth.metadataRouter())
app.post("/mcp", auth.protect(makeServer()), async (req, res) => {
  const server = makeServer()
  const transport = new StreamableHTTPServerTransport({ enableJsonResponse: true })
  res.on("close", () => void server.close())
  await server.connect(transport as Parameters<typeof server.connect>[0])
  await transport.handleRequest(req, res, req.body)
})

const listening = app.listen(Number(PORT), "127.0.0.1", () => console.log(`listening on ${resource}`))
process.on("SIGINT", () => {
  listening.close()
  listening.closeAllConnections()
  void auth.dispose()
})
