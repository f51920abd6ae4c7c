/** Changes how VitePress renders the Markdown of the repository: links, diagrams, the names of files and the list of providers. */
import { relative } from "node:path"
import type { MarkdownRenderer } from "vitepress"
import { pageOf, resolveLink, root } from "../Pages.ts"
import { renderDiagram } from "./diagrams.ts"
import { addSource } from "./sources.ts"

/**
 * Returns the path of the page that is rendered, or `undefined` for a title of the front matter, which VitePress renders alone. The
 * search index has no `realPath`, because its `path` is the real one.
 */
const currentPage = ({ path, realPath = path }: { readonly path?: string; readonly realPath?: string }) =>
  realPath === undefined ? undefined : pageOf(relative(root, realPath).replaceAll("\\", "/"))

export const repositoryMarkdown = (md: MarkdownRenderer, base: string): void => {
  // Text such as `:warning:` stays as it is.
  md.disable("emoji")

  md.core.ruler.push("repository_links", ({ env, tokens }) => {
    const page = currentPage(env)
    if (page === undefined) return
    for (const token of tokens.flatMap((it) => it.children ?? [])) {
      if (token.type !== "link_open") continue
      const target = resolveLink(page, token.attrGet("href") ?? "")
      if (target === undefined) continue
      if (target.kind === "source") {
        addSource(target.path)
        // VitePress leaves links with a target alone. Its router knows only Markdown pages.
        token.attrSet("target", "_self")
        token.attrSet("href", `${base.slice(0, -1)}${target.url}`)
      } else {
        token.attrSet("href", target.url)
      }
    }
  })

  // The list of providers has a filter on the site, in front of the tables.
  md.core.ruler.push("provider_list", (state) => {
    if (currentPage(state.env) !== "PROVIDERS.md") return
    const first = state.tokens.findIndex(({ tag, type }) => type === "heading_open" && tag === "h2")
    const block = new state.Token("html_block", "", 0)
    block.content = "<ProviderList />\n"
    state.tokens.splice(first, 0, block)
  })

  const renderCode = md.renderer.rules.fence!
  md.renderer.rules.fence = (tokens, index, options, env, self) => {
    const { content, info } = tokens[index]!
    if (info.trim() === "mermaid") return renderDiagram(content)
    const name = /\bfile=(\S+)/.exec(info)?.[1]
    const code = renderCode(tokens, index, options, env, self)
    return name === undefined ? code : `<div class="named-code"><p>${md.utils.escapeHtml(name)}</p>${code}</div>`
  }
}
