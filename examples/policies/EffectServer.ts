/** The server on Effect. */
import { Effect, Layer, Schema } from "effect"
import { AuthLayer, Policy, Principal, requirePolicy } from "effect-mcp-auth"
import { McpAuth } from "effect-mcp-auth/mcp"
import { McpProtocol, Tool, Toolkit } from "effect/ai"
import { Article, Articles } from "./Articles.ts"
import { gateOptions, type Options } from "./Gate.ts"
import * as Policies from "./Policies.ts"

const success = Schema.Struct({ articles: Schema.Array(Article) })
const id = Schema.String
const title = Schema.String

const Tools = Toolkit.make(
  requirePolicy(Policies.canRead)(Tool.make("list_articles", { success })),
  requirePolicy(Policies.canWrite)(Tool.make("write_article", { parameters: Schema.Struct({ title }), success })),
  requirePolicy(Policies.canRename)(Tool.make("rename_article", { parameters: Schema.Struct({ id, title }), success })),
  requirePolicy(Policies.canReview)(Tool.make("list_drafts", { success })),
  requirePolicy(Policies.canPublish)(Tool.make("publish_article", { parameters: Schema.Struct({ id }), success })),
  requirePolicy(Policies.canErase)(
    Tool.make("erase_article", { parameters: Schema.Struct({ id }), success }).annotate(Policy.Unauthorized, "hide")
  ),
  requirePolicy(Policies.canExport)(Tool.make("export_articles", { success }))
)

const answer = Effect.map((articles: ReadonlyArray<Article>) => ({ articles }))

const ToolsLive = Tools.toLayer(Effect.gen(function*() {
  const articles = yield* Articles
  return {
    list_articles: () => answer(articles.published),
    write_article: ({ title }) => Effect.flatMap(Principal, ({ owner }) => answer(articles.write(owner, title))),
    rename_article: ({ id, title }) => answer(articles.rename(id, title)),
    list_drafts: () => answer(articles.all),
    publish_article: ({ id }) => answer(articles.publish(id)),
    erase_article: ({ id }) => answer(articles.erase(id)),
    export_articles: () => answer(articles.all)
  }
}))

export const layer = (options: Options) =>
  McpAuth.layerHttp({
    name: "articles",
    version: "1.0.0",
    path: "/mcp",
    protocols: [McpProtocol.v2026_07_28, McpProtocol.v2025_11_25],
    // The handlers and the checks of the policies use the same store.
    registrations: McpAuth.toolkit(Tools).pipe(Layer.provide(ToolsLive), Layer.provide(Articles.layer))
  }).pipe(Layer.provide(AuthLayer.make(gateOptions(options))))
