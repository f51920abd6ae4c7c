/** The commands of the tool. */
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client"
import { Schema } from "effect"
import type { McpAuthClient } from "effect-mcp-auth/client"

/** The result of `list_todos`. */
const Todos = Schema.Struct({
  todos: Schema.Array(Schema.Struct({ id: Schema.Int, title: Schema.String, by: Schema.String }))
})

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
      return structuredContent
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
    const { todos } = await Schema.decodeUnknownPromise(Todos)(await call("list_todos"))
    return todos.length === 0 ? ["No todos"] : todos.map(({ by, id, title }) => `${id} ${title} (${by})`)
  } finally {
    await client.close()
  }
}
