// The program of the README as a user writes it. The test compiles and runs it against the packed tarball.
import { AuthLayer, Principal, requireScopes } from "effect-mcp-auth"
import { McpAuth } from "effect-mcp-auth/mcp"
import { McpProtocol, Tool, Toolkit } from "effect/ai"
import * as Effect from "effect/Effect"
import { HttpRouter } from "effect/http"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"

const AddTodo = requireScopes("todos:read", "todos:write")(
  Tool.make("add_todo", { parameters: Schema.Struct({ title: Schema.String }), success: Schema.String })
)
const Todos = Toolkit.make(AddTodo)

const TodosLive = Todos.toLayer({
  add_todo: ({ title }) => Effect.map(Principal, (caller) => `${title}, by ${caller.subject}`)
})

const Auth = AuthLayer.make({
  resource: "https://todos.example.com/mcp",
  authorizationServers: ["https://auth.example.com"],
  scopes: { baseline: ["todos:read"], stepUp: ["todos:write"] }
})

const Server = McpAuth.layerHttp({
  name: "todos",
  version: "1.0.0",
  path: "/mcp",
  protocols: [McpProtocol.v2026_07_28, McpProtocol.v2025_11_25],
  registrations: McpAuth.toolkit(Todos).pipe(Layer.provide(TodosLive))
})

const { dispose, handler } = HttpRouter.toWebHandler(Server.pipe(Layer.provide(Auth)), { disableLogger: true })

/** Returns the response to a client without a token. */
export const answer = async () => {
  const response = await handler(new Request("https://todos.example.com/mcp", { method: "POST", body: "{}" }))
  await dispose()
  return { status: response.status, challenge: response.headers.get("www-authenticate") }
}

/** This function is never called. It contains programs that the compiler must reject, also with the published types. */
export const rejected = () => {
  const Narrow = AuthLayer.make({
    resource: "https://todos.example.com/mcp",
    authorizationServers: ["https://auth.example.com"],
    scopes: ["todos:read"]
  })
  // @ts-expect-error RequiredScope<"todos:write"> is not offered
  HttpRouter.toWebHandler(Server.pipe(Layer.provide(Narrow)))
}
