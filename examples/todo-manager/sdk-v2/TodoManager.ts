/** The todo manager on `@modelcontextprotocol/server`, for clients of MCP 2026-07-28 and older ones. */
import { getRequestListener } from "@hono/node-server"
import { McpServer } from "@modelcontextprotocol/server"
import { Effect, Layer } from "effect"
import { McpAuthSdk } from "effect-mcp-auth/sdk-v2"
import type { RequestListener } from "node:http"
import { z } from "zod"
import type * as Serving from "../../shared/Serving.ts"
import { scopes } from "../Scopes.ts"
import * as TodoStore from "../TodoStore.ts"

const Todo = z.object({ id: z.int(), title: z.string(), by: z.string() })

const result = (structuredContent: Record<string, unknown>) => ({
  content: [{ type: "text" as const, text: JSON.stringify(structuredContent) }],
  structuredContent
})

/** Creates the gate, with the store that the handlers use. Called once per program. Several instances also share `options`. */
export const makeAuth = (
  { authorizationServers, resource }: Serving.Identity,
  logging: Layer.Layer<never>,
  todos: Layer.Layer<TodoStore.TodoStore> = TodoStore.layer,
  options: Pick<McpAuthSdk.Options<typeof scopes, never, never, "deny", never, never>, "sessionStore" | "revocation"> =
    {}
) => McpAuthSdk.make({ resource, authorizationServers, scopes, ...options, layer: Layer.mergeAll(todos, logging) })

export type Auth = Awaited<ReturnType<typeof makeAuth>>

/** Creates the server for one request. It has no state that later requests need. */
export const makeServer = (auth: Auth): McpServer => {
  const server = new McpServer({ name: "todo-manager", version: "1.0.0" })

  auth.registerTool(
    server,
    "create_todo",
    {
      description: "Creates a todo that belongs to you",
      inputSchema: z.object({ title: z.string() }),
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
      outputSchema: z.object({ todos: z.array(Todo) })
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
      inputSchema: z.object({ id: z.int() }),
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

export const serve: Serving.ListenerOptions["serve"] = async (identity, logging) => {
  const auth = await makeAuth(identity, logging)
  const handler = auth.createMcpHandler(() => makeServer(auth))
  const listener = getRequestListener(async (request) => await auth.metadata(request) ?? await handler.fetch(request))
  return { listener: listener as RequestListener, dispose: auth.dispose }
}
