/** One of several instances of the todo manager on Effect. */
import { Effect, Layer } from "effect"
import { AuthLayer, Principal } from "effect-mcp-auth"
import { McpAuth } from "effect-mcp-auth/mcp"
import { McpProtocol, Tool, Toolkit } from "effect/ai"
import * as Serving from "../../shared/Serving.ts"
import { scopes } from "../Scopes.ts"
import * as Todos from "../Todos.ts"
import * as Shared from "./Shared.ts"

const Account = Toolkit.make(
  Tool.make("sign_out", { description: "Signs you out, and ends your sessions", dependencies: [Principal] })
)

const app = ({ authorizationServers, resource }: Serving.Identity) =>
  Layer.unwrap(Effect.map(Shared.connect, ({ gate, signOut, todos }) =>
    McpAuth.layerHttp({
      name: "todo-manager",
      version: "1.0.0",
      path: Serving.path,
      protocols: [McpProtocol.v2026_07_28, McpProtocol.v2025_11_25],
      // Without this option, clients of MCP 2025-11-25 could not end their sessions.
      allowSessionTermination: true,
      registrations: Layer.mergeAll(McpAuth.toolkit(Todos.Todos), McpAuth.toolkit(Account)).pipe(
        Layer.provide([Todos.layer, Account.toLayer({ sign_out: () => Effect.flatMap(Principal, signOut) })]),
        Layer.provide(todos)
      )
    }).pipe(Layer.provide(AuthLayer.make({ resource, authorizationServers, scopes, ...gate })))))

Serving.run({ scopes, app })
