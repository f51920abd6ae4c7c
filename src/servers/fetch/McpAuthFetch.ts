/**
 * Protects handlers from `Request` to `Response`: Hono, Bun, Deno, Workers, route handlers of Next.
 *
 * @since 0.1.0
 */
import type * as ProtectedResource from "../../authorization/ProtectedResource.ts"
import * as GateLayer from "../../composition/GateLayer.ts"
import type * as AuthLayer from "../effect/AuthLayer.ts"
import * as Fetch from "./Fetch.ts"

export * from "./Fetch.ts"

/**
 * A gate for fetch handlers, with the options of `AuthLayer.make`. A wrong option rejects with `AuthConfigError`.
 *
 * **Details**
 *
 * The layers are built once, and live until `dispose`. Nothing is fetched before the first token comes.
 *
 * In a Worker it may be made while the module loads. There no request waits for what another has started: each fetches
 * keys and metadata for itself where they are not at hand.
 *
 * **Example** (An MCP endpoint on Hono)
 *
 * ```ts
 * import { McpAuthFetch } from "effect-mcp-auth/fetch"
 * import { Hono } from "hono"
 *
 * const auth = await McpAuthFetch.make({
 *   resource: "https://todos.example.com/mcp",
 *   authorizationServers: ["https://auth.example.com"],
 *   scopes: ["todos:read", "todos:write"]
 * })
 *
 * const mcp = auth.protect(
 *   (_request, { body, principal }) => Response.json({ caller: principal?.subject, asked: body }),
 *   { policy: ({ target }) => target === "add_todo" ? { scopes: ["todos:write"] } : undefined }
 * )
 *
 * const app = new Hono()
 * app.use(async (c, next) => await auth.metadata(c.req.raw) ?? await next())
 * app.all("/mcp", (c) => mcp(c.req.raw))
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <const S extends AuthLayer.Scopes, C = never, A = unknown>(
  options: AuthLayer.Options<S, C, A> & GateLayer.FetchOption
): Promise<Fetch.McpAuthFetch<ProtectedResource.OfferedOf<S>, A>> =>
  Fetch.fromLayer(
    GateLayer.layerFetch<S, C, A>(options),
    (options as typeof options | undefined)?.claims?.service
  ) as Promise<
    Fetch.McpAuthFetch<any, A>
  >
