/** A job without a person: it calls tools of an MCP server with the client of SDK v2. */
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client"
import type { McpAuthClient } from "effect-mcp-auth/client"

/** Creates a todo, lists all todos and deletes the new one. Passes each result to `print`. */
export const run = async (url: string, auth: McpAuthClient.Client, print: (line: string) => void): Promise<void> => {
  const client = new Client({ name: "nightly-report", version: "1.0.0" })
  await client.connect(new StreamableHTTPClientTransport(new URL(url), { fetch: auth.fetch }))
  try {
    const call = async (name: string, args: Record<string, unknown> = {}) => {
      const { content, isError, structuredContent } = await client.callTool({ name, arguments: args })
      if (isError === true) throw new Error(`${name}: ${JSON.stringify(content)}`)
      print(`${name}: ${JSON.stringify(structuredContent)}`)
      return structuredContent as { readonly id: number }
    }
    const { id } = await call("create_todo", { title: "Rotate the logs" })
    await call("list_todos")
    // This tool needs another scope. The client obtains it, because no person has to consent.
    await call("delete_todo", { id })
  } finally {
    await client.close()
  }
}
