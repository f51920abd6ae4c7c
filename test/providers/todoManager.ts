/** The todo manager of the examples, on a free port, with whatever authorization a test gives it. */
import { NodeHttpServer } from "@effect/platform-node"
import { Effect, Layer, type Scope } from "effect"
import { AuthLayer, type AuthorizationServer } from "effect-mcp-auth"
import { McpAuth } from "effect-mcp-auth/mcp"
import { McpProtocol } from "effect/ai"
import { HttpRouter } from "effect/http"
import { createServer } from "node:http"
import { type Called, callTool } from "../../examples/shared/test/callTool.ts"
import * as Todos from "../../examples/todo-manager/Todos.ts"
import * as TodoStore from "../../examples/todo-manager/TodoStore.ts"

const scopes = ["create:todos", "read:todos", "delete:todos"] as const

/** Deleting takes a step up. */
export const stepwise = { baseline: ["create:todos", "read:todos"], stepUp: ["delete:todos"] } as const

/** What a test decides. */
export type Authorization = Partial<Omit<AuthLayer.Common<typeof scopes>, "scopes">> & {
  readonly authorizationServers: readonly [AuthorizationServer.Input, ...ReadonlyArray<AuthorizationServer.Input>]
}

/** The resource must be known before tokens are issued, so the port is chosen first. */
export const reserve: Effect.Effect<{ readonly resource: string; readonly port: number }> = Effect.callback(
  (resume) => {
    const server = createServer()
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { readonly port: number }
      server.close(() => resume(Effect.succeed({ resource: `http://127.0.0.1:${port}/mcp`, port })))
    })
  }
)

export interface TodoManager {
  /** Creates a todo, and tells what came of it. */
  readonly create: (token: string) => Effect.Effect<Called>
  readonly remove: (token: string, id: number) => Effect.Effect<Called>
}

/** Runs until the scope closes. */
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
      protocols: [McpProtocol.v2026_07_28],
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
