/** The tools of `../Todos.ts` on `@modelcontextprotocol/sdk`. `auth.registerTool` accepts the scopes next to the schemas. */
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js"
import { Effect, Layer } from "effect"
import { McpAuthSdk } from "effect-mcp-auth/sdk-v1"
import { z } from "zod"
import type * as Serving from "../../shared/Serving.ts"
import { scopes } from "../Scopes.ts"
import * as TodoStore from "../TodoStore.ts"

const Todo = { id: z.int(), title: z.string(), by: z.string() }

/** Creates the gate, with the store that the handlers use. Called once per program. Several instances also share `options`. */
export const makeAuth = (
  { authorizationServers, resource }: Serving.Identity,
  logging: Layer.Layer<never>,
  todos: Layer.Layer<TodoStore.TodoStore> = TodoStore.layer,
  options: Pick<McpAuthSdk.Options<typeof scopes, never, never, "deny", never, never>, "sessionStore" | "revocation"> =
    {}
) => McpAuthSdk.make({ resource, authorizationServers, scopes, ...options, layer: Layer.mergeAll(todos, logging) })

export type Auth = Awaited<ReturnType<typeof makeAuth>>

const result = (structuredContent: Record<string, unknown>) => ({
  content: [{ type: "text" as const, text: JSON.stringify(structuredContent) }],
  structuredContent
})

/** Creates the server for one request. It has no state that later requests need. */
export const makeServer = (auth: Auth): McpServer => {
  const server = new McpServer({ name: "todo-manager", version: "1.0.0" })

  auth.registerTool(
    server,
    "create_todo",
    {
      description: "Creates a todo that belongs to you",
      inputSchema: { title: z.string() },
      outputSchema: Todo,
      scopes: ["create:todos"]
    },
    ({ title }, { principal }) =>
      Effect.gen(function*() {
        const store = yield* TodoStore.TodoStore
        return result({ ...yield* store.create(principal.owner, { title, by: principal.subject ?? "a program" }) })
      })
  )

  // Requires a principal but no scope. The handler decides by the scopes of the caller which todos it returns.
  auth.registerTool(
    server,
    "list_todos",
    {
      description: "Lists your todos; with the scope read:todos, all todos",
      outputSchema: { todos: z.array(z.object(Todo)) }
    },
    ({ principal }) =>
      Effect.gen(function*() {
        const store = yield* TodoStore.TodoStore
        return result({
          todos: yield* principal.scopes.has("read:todos") ? store.all : store.ownedBy(principal.owner)
        })
      })
  )

  auth.registerTool(
    server,
    "delete_todo",
    {
      description: "Deletes a todo of yours",
      inputSchema: { id: z.int() },
      outputSchema: Todo,
      scopes: ["delete:todos"]
    },
    ({ id }, { principal }) =>
      Effect.gen(function*() {
        const store = yield* TodoStore.TodoStore
        return result({ ...yield* store.remove(principal.owner, id) })
      })
  )

  return server
}
