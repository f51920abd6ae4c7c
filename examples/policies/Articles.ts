/** The domain of the example: articles and their authors. It knows no server and no policy. */
import { Context, Effect, Layer, Schema } from "effect"
import type { Principal } from "effect-mcp-auth"

/** The author of an article. It contains issuer and subject, because a subject is unique only within its issuer. */
export type Author = Principal["owner"]

export const Article = Schema.Struct({
  id: Schema.String,
  title: Schema.String,
  isPublished: Schema.Boolean
})
export type Article = typeof Article.Type

type Read = Effect.Effect<ReadonlyArray<Article>>

export class Articles extends Context.Service<Articles, {
  readonly published: Read
  readonly all: Read
  readonly authorOf: (id: string) => Effect.Effect<Author | undefined>
  readonly write: (author: Author, title: string) => Read
  /** These functions return the changed article, or an empty list if the article does not exist. */
  readonly rename: (id: string, title: string) => Read
  readonly publish: (id: string) => Read
  readonly erase: (id: string) => Read
}>()("policies/Articles") {
  /** Stores articles in memory. */
  static readonly layer = Layer.sync(Articles, () => {
    const stored = new Map<string, { readonly author: Author; readonly article: Article }>()
    let last = 0
    const all = () => [...stored.values()].map(({ article }) => article)
    const update = (id: string, change: Partial<Article>): Read =>
      Effect.sync(() => {
        const found = stored.get(id)
        if (found === undefined) return []
        const article = { ...found.article, ...change }
        stored.set(id, { ...found, article })
        return [article]
      })
    return {
      published: Effect.sync(() => all().filter(({ isPublished }) => isPublished)),
      all: Effect.sync(all),
      authorOf: (id) => Effect.sync(() => stored.get(id)?.author),
      write: (author, title) =>
        Effect.sync(() => {
          const article = { id: String(++last), title, isPublished: false }
          stored.set(article.id, { author, article })
          return [article]
        }),
      rename: (id, title) => update(id, { title }),
      publish: (id) => update(id, { isPublished: true }),
      erase: (id) =>
        Effect.sync(() => {
          const found = stored.get(id)
          stored.delete(id)
          return found === undefined ? [] : [found.article]
        })
    }
  })
}
