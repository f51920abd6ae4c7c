/** A server without authorization: the official SDK on Express, with sessions, as in the SDK's examples. */
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js"
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js"
import { isInitializeRequest } from "@modelcontextprotocol/sdk/types.js"
import express from "express"
import { randomUUID } from "node:crypto"
import { z } from "zod"

const notes: Array<string> = []

const makeServer = () => {
  const server = new McpServer({ name: "notes", version: "1.0.0" })
  server.registerTool("list_notes", { description: "Lists the notes" }, async () => ({
    content: notes.map((text) => ({ type: "text", text }))
  }))
  server.registerTool(
    "add_note",
    { description: "Adds a note", inputSchema: { text: z.string() } },
    async ({ text }) => {
      notes.push(text)
      return { content: [{ type: "text", text: `There are ${notes.length} notes` }] }
    }
  )
  return server
}

const app = express()
app.use(express.json())

const transports = new Map<string, StreamableHTTPServerTransport>()

app.all("/mcp", async (req, res) => {
  let transport = transports.get(String(req.headers["mcp-session-id"]))
  if (transport === undefined) {
    if (!isInitializeRequest(req.body)) return void res.status(404).json({ error: "no such session" })
    const opened = new StreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      enableJsonResponse: true,
      onsessioninitialized: (id) => void transports.set(id, opened),
      onsessionclosed: (id) => void transports.delete(id)
    })
    const server = makeServer()
    await server.connect(opened as Parameters<typeof server.connect>[0])
    transport = opened
  }
  await transport.handleRequest(req, res, req.body)
})

const port = Number(process.env["PORT"] ?? 3000)
app.listen(port, "127.0.0.1", () => console.log(`listening on http://127.0.0.1:${port}/mcp`))
