/**
 * Protects servers of `@modelcontextprotocol/sdk`.
 *
 * @since 0.1.0
 */
import type * as ProtectedResource from "../../authorization/ProtectedResource.ts"
import type * as AuthLayer from "../effect/AuthLayer.ts"
import * as SdkOptions from "../sdk/SdkOptions.ts"
import * as Sdk from "./SdkV1.ts"

export type { Claims, Options } from "../sdk/SdkOptions.ts"
export * from "./SdkV1.ts"

/**
 * A gate for servers of the SDK, with the options of `AuthLayer.make`. A wrong option rejects with `AuthConfigError`.
 *
 * **Details**
 *
 * The layers are built once, and live until `dispose`. Nothing is fetched before the first token comes.
 *
 * **Example** (A tool that needs a scope, on Express)
 *
 * ```ts
 * import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js"
 * import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js"
 * import { McpAuthSdk } from "effect-mcp-auth/sdk-v1"
 * import express from "express"
 * import { z } from "zod"
 *
 * const auth = await McpAuthSdk.make({
 *   resource: "https://todos.example.com/mcp",
 *   authorizationServers: ["https://auth.example.com"],
 *   scopes: ["todos:read", "todos:write"]
 * })
 *
 * const makeServer = () => {
 *   const server = new McpServer({ name: "todos", version: "1.0.0" })
 *   auth.registerTool(
 *     server,
 *     "add_todo",
 *     { inputSchema: { title: z.string() }, scopes: ["todos:write"] },
 *     async ({ title }, { principal }) => ({ content: [{ type: "text", text: `${title}, for ${principal.owner}` }] })
 *   )
 *   return server
 * }
 *
 * const app = express()
 * app.use(auth.metadataRouter())
 * app.post("/mcp", auth.protect(makeServer()), async (req, res) => {
 *   const transport = new StreamableHTTPServerTransport({})
 *   await makeServer().connect(transport as never)
 *   await transport.handleRequest(req, res, req.body)
 * })
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <
  const S extends AuthLayer.Scopes,
  A = Readonly<Record<string, unknown>>,
  C = never,
  const N extends Sdk.Anonymous = "deny",
  R = never,
  E = never
>(
  options: SdkOptions.Options<S, A, C, N, R, E>
): Promise<Sdk.McpAuthSdk<ProtectedResource.OfferedOf<S>, A, R | C, N>> => {
  const made = SdkOptions.toLayer(options)
  return Sdk.fromLayer(made.layer, made.options) as never
}
