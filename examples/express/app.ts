/** The notes server of `before.ts`, behind the gate. */
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js"
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js"
import { isInitializeRequest } from "@modelcontextprotocol/sdk/types.js"
import type { Layer } from "effect"
import { McpAuthSdk } from "effect-mcp-auth/sdk-v1"
import express from "express"
import { randomUUID } from "node:crypto"
import { z } from "zod"

/** Clients request `baseline` at sign-in, and `stepUp` when a tool requires it. */
export const scopes = { baseline: ["notes:read"], stepUp: ["notes:write"] } as const

/** The options of the server. Tests use `fetch` and `layer`. */
interface Options {
  readonly resource: string
  readonly authorizationServers: readonly [string, ...Array<string>]
  readonly fetch?: typeof globalThis.fetch
  readonly layer?: Layer.Layer<never>
}

export const makeApp = async (options: Options) => {
  const auth = await McpAuthSdk.make({ ...options, scopes })

  const notes: Array<{ readonly owner: string; readonly text: string }> = []
  const ownedBy = (owner: string) => notes.filter((note) => note.owner === owner)

  const makeServer = () => {
    const server = new McpServer({ name: "notes", version: "1.0.0" })
    auth.registerTool(
      server,
      "list_notes",
      { description: "Lists your notes", scopes: ["notes:read"] },
      async ({ principal }) => ({
        content: ownedBy(principal.owner).map(({ text }) => ({ type: "text", text }))
      })
    )
    auth.registerTool(
      server,
      "add_note",
      { description: "Adds a note", inputSchema: { text: z.string() }, scopes: ["notes:write"] },
      async ({ text }, { principal }) => {
        notes.push({ owner: principal.owner, text })
        return { content: [{ type: "text", text: `You have ${ownedBy(principal.owner).length} notes` }] }
      }
    )
    return server
  }

  const app = express()
  app.use(auth.metadataRouter())
  app.use(express.json())

  const transports = new Map<string, StreamableHTTPServerTransport>()

  app.all("/mcp", auth.protect(makeServer()), async (req, res) => {
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

  return { app, dispose: auth.dispose }
}
