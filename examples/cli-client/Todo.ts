/** The commands of the tool. */
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client"
import type { McpAuthClient } from "effect-mcp-auth/client"

/** Runs `add TITLE`, `done ID` or, by default, `list`. Returns the lines to print. */
export const run = async (
  url: string,
  auth: McpAuthClient.Client,
  [command = "list", ...words]: ReadonlyArray<string>
): Promise<ReadonlyArray<string>> => {
  const client = new Client({ name: "todo", version: "1.0.0" })
  await client.connect(new StreamableHTTPClientTransport(new URL(url), { fetch: auth.fetch }))
  try {
    const call = async (name: string, args: Record<string, unknown> = {}) => {
      const { content, isError, structuredContent } = await client.callTool({ name, arguments: args })
      if (isError === true) throw new Error(content.map((part) => part.type === "text" ? part.text : "").join("\n"))
      return structuredContent as any
    }
    switch (command) {
      case "add":
        await call("create_todo", { title: words.join(" ") })
        break
      case "done":
        await call("delete_todo", { id: Number(words[0]) })
        break
      case "list":
        break
      default:
        throw new Error("usage: todo [list | add TITLE | done ID]")
    }
    const { todos } = await call("list_todos")
    if (todos.length === 0) return ["No todos"]
    return todos.map(({ by, id, title }: { id: number; title: string; by: string }) => `${id} ${title} (${by})`)
  } finally {
    await client.close()
  }
}
