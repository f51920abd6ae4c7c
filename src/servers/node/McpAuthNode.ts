/**
 * Protects servers of `node:http`, Connect and Express.
 *
 * @since 0.1.0
 */
import type * as ProtectedResource from "../../authorization/ProtectedResource.ts"
import * as GateLayer from "../../composition/GateLayer.ts"
import type * as AuthLayer from "../effect/AuthLayer.ts"
import * as Node from "./Node.ts"

export * from "./Node.ts"

/**
 * A gate as `(req, res, next?)`, with the options of `AuthLayer.make`. A wrong option rejects with `AuthConfigError`.
 *
 * **Details**
 *
 * The layers are built once, and live until `dispose`. Nothing is fetched before the first token comes.
 *
 * **Example** (An MCP endpoint on Express)
 *
 * ```ts
 * import { McpAuthNode } from "effect-mcp-auth/node"
 * import express from "express"
 *
 * const auth = await McpAuthNode.make({
 *   resource: "https://todos.example.com/mcp",
 *   authorizationServers: ["https://auth.example.com"],
 *   scopes: ["todos:read", "todos:write"]
 * })
 *
 * const app = express()
 * app.use(auth.metadataRouter())
 * app.all(
 *   "/mcp",
 *   auth.protect({ policy: ({ target }) => target === "add_todo" ? { scopes: ["todos:write"] } : undefined }),
 *   (req, res) => {
 *     res.json({ caller: auth.principalOf(req)?.subject, asked: req.body })
 *   }
 * )
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <const S extends AuthLayer.Scopes, C = never, A = unknown>(
  options: AuthLayer.Options<S, C, A> & GateLayer.FetchOption
): Promise<Node.McpAuthNode<ProtectedResource.OfferedOf<S>, A>> =>
  Node.fromLayer(
    GateLayer.layerFetch<S, C, A>(options),
    (options as typeof options | undefined)?.claims?.service
  ) as Promise<
    Node.McpAuthNode<any, A>
  >
