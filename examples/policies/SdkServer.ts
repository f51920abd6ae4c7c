/** The server on `@modelcontextprotocol/server`. */
import { McpServer } from "@modelcontextprotocol/server"
import { Effect, Layer } from "effect"
import { McpAuthSdk } from "effect-mcp-auth/sdk-v2"
import { z } from "zod"
import { type Article, Articles } from "./Articles.ts"
import { gateOptions, type Options } from "./Gate.ts"
import * as Policies from "./Policies.ts"

const id = z.string()
const title = z.string()

const answer = Effect.map((articles: ReadonlyArray<Article>) => ({
  content: [{ type: "text" as const, text: JSON.stringify({ articles }) }],
  structuredContent: { articles }
}))

/** The options of the server. Tests use `fetch` and `layer`. */
export interface SdkOptions extends Options {
  readonly fetch?: typeof globalThis.fetch
  readonly layer?: Layer.Layer<never>
}

export const make = async ({ fetch, layer = Layer.empty, ...options }: SdkOptions) => {
  const auth = await McpAuthSdk.make({
    ...gateOptions(options),
    fetch,
    // The handlers and the checks of the policies use the same store.
    layer: Layer.merge(Articles.layer, layer)
  })

  const handler = auth.createMcpHandler(() => {
    const server = new McpServer({ name: "articles", version: "1.0.0" })

    auth.registerTool(
      server,
      "list_articles",
      { policy: Policies.canRead },
      () => Articles.use(({ published }) => answer(published))
    )

    auth.registerTool(
      server,
      "write_article",
      { inputSchema: z.object({ title }), policy: Policies.canWrite },
      ({ title }, { principal }) => Articles.use(({ write }) => answer(write(principal.owner, title)))
    )

    auth.registerTool(
      server,
      "rename_article",
      { inputSchema: z.object({ id, title }), policy: Policies.canRename },
      ({ id, title }) => Articles.use(({ rename }) => answer(rename(id, title)))
    )

    auth.registerTool(
      server,
      "list_drafts",
      { policy: Policies.canReview },
      () => Articles.use(({ all }) => answer(all))
    )

    auth.registerTool(
      server,
      "publish_article",
      { inputSchema: z.object({ id }), policy: Policies.canPublish },
      ({ id }) => Articles.use(({ publish }) => answer(publish(id)))
    )

    auth.registerTool(
      server,
      "erase_article",
      { inputSchema: z.object({ id }), policy: Policies.canErase, unauthorized: "hide" },
      ({ id }) => Articles.use(({ erase }) => answer(erase(id)))
    )

    auth.registerTool(
      server,
      "export_articles",
      { policy: Policies.canExport },
      () => Articles.use(({ all }) => answer(all))
    )

    return server
  })

  return {
    fetch: async (request: Request) => await auth.metadata(request) ?? await handler.fetch(request),
    dispose: auth.dispose
  }
}
