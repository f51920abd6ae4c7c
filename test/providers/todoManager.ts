/** Starts the todo manager of the examples on a free port, with the authorization options of a test. */
import { NodeHttpServer } from "@effect/platform-node"
import { assert } from "@effect/vitest"
import { Effect, Layer, type Scope } from "effect"
import { AuthLayer } from "effect-mcp-auth"
import { McpAuth } from "effect-mcp-auth/mcp"
import { McpProtocol } from "effect/ai"
import { HttpRouter } from "effect/http"
import { createServer } from "node:http"
import { type Called, callTool } from "../../examples/shared/test/callTool.ts"
import * as Todos from "../../examples/todo-manager/Todos.ts"
import * as TodoStore from "../../examples/todo-manager/TodoStore.ts"
import { freePort } from "../program.ts"

const scopes = ["create:todos", "read:todos", "delete:todos"] as const

/** Deleting requires step-up authorization. */
export const stepwise = { baseline: ["create:todos", "read:todos"], stepUp: ["delete:todos"] } as const

/** The authorization options that a test sets. */
export type Authorization = Partial<Omit<AuthLayer.Common<typeof scopes>, "scopes">> & AuthLayer.Issuers

/**
 * Chooses a free port, and a resource whose URL contains the port. This happens before the todo manager starts, because
 * authorization servers must know the resource by then.
 */
export const reserve: Effect.Effect<{ readonly resource: string; readonly port: number }> = Effect.map(
  freePort,
  (port) => ({ resource: `http://127.0.0.1:${port}/mcp`, port })
)

export interface TodoManager {
  /** Creates a todo, and returns the response. */
  readonly create: (token: string) => Effect.Effect<Called>
  readonly remove: (token: string, id: number) => Effect.Effect<Called>
}

/** Starts the todo manager. It runs until the scope closes. */
export const serve = (
  { port, resource }: { readonly resource: string; readonly port: number },
  authorization: Authorization,
  offered: typeof scopes | typeof stepwise = scopes
): Effect.Effect<TodoManager, unknown, Scope.Scope> =>
  Effect.gen(function*() {
    const app = McpAuth.layerHttp({
      name: "todo-manager",
      version: "1.0.0",
      path: "/mcp",
      protocols: [McpProtocol.v2026_07_28, McpProtocol.v2025_11_25],
      registrations: McpAuth.toolkit(Todos.Todos).pipe(Layer.provide(Todos.layer), Layer.provide(TodoStore.layer))
    }).pipe(Layer.provide(AuthLayer.make({ resource, scopes: offered, ...authorization })))
    yield* Layer.build(
      HttpRouter.serve(app, { disableLogger: true, disableListenLog: true }).pipe(
        Layer.provideMerge(
          NodeHttpServer.layer(createServer, { port, host: "127.0.0.1", gracefulShutdownTimeout: "1 second" })
        )
      )
    )
    const call = (token: string, name: string, args: object) =>
      Effect.promise(() => callTool(`http://127.0.0.1:${port}/mcp`, token, name, args))
    return {
      create: (token) => call(token, "create_todo", { title: "Read RFC 7662" }),
      remove: (token, id) => call(token, "delete_todo", { id })
    }
  })

/** Asserts that a token is admitted: one tool succeeds, and another requires step-up authorization. */
export const assertAdmitted: (todos: TodoManager, token: string) => Effect.Effect<void> = Effect.fnUntraced(
  function*(todos, token) {
    const created = yield* todos.create(token)
    assert.strictEqual(created.status, 200)
    assert.isNotTrue(created.result?.isError)
    const { id } = (created.result?.structuredContent ?? {}) as { readonly id?: number }
    assert(typeof id === "number")
    const removed = yield* todos.remove(token, id)
    assert.strictEqual(removed.status, 403)
    assert.match(removed.challenge ?? "", /error="insufficient_scope"/)
  }
)

/** Creates a todo, and returns the subject of its creator. */
export const createdBy = (todos: TodoManager, token: string): Effect.Effect<unknown> =>
  Effect.map(
    todos.create(token),
    ({ result }) => (result?.structuredContent as { readonly by?: unknown } | undefined)?.by
  )

/** Asserts that a token is rejected as invalid. */
export const assertRejected: (todos: TodoManager, token: string) => Effect.Effect<void> = Effect.fnUntraced(
  function*(todos, token) {
    const { challenge, status } = yield* todos.create(token)
    assert.strictEqual(status, 401)
    assert.match(challenge ?? "", /error="invalid_token"/)
  }
)
