/** The configuration of VitePress. The pages are the Markdown files of the repository, as they are. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { defineConfig } from "vitepress"
import { makeReferenceSidebar, makeSidebar } from "../Navigation.ts"
import { excluded, pageOf, root } from "../Pages.ts"
import { correctTheme } from "./accessibility.ts"
import { anchorsOf } from "./anchors.ts"
import { repositoryMarkdown } from "./markdown.ts"
import { serveSources, writeSources } from "./sources.ts"

const base = process.env["SITE_BASE"] ?? "/"
const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { readonly version: string }

/** Returns the first paragraph of a page as plain text, for search engines and link previews. */
const descriptionOf = (file: string): string => {
  const paragraph = readFileSync(join(root, file), "utf8")
    .replace(/^---\n[\s\S]*?\n---\n/, "")
    .replace(/<!--[\s\S]*?-->/g, "")
    .split(/\n{2,}/)
    .find((part) => /^[A-Za-z`[]/.test(part.trim()))
  return (paragraph ?? "")
    .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
    .replace(/[`*]|\b_|_\b/g, "")
    .replace(/\s+/g, " ")
    .trim()
    .slice(0, 200)
}

export default defineConfig({
  base,
  srcDir: "../..",
  srcExclude: [...excluded],
  outDir: process.env["SITE_OUT"] ?? "dist",
  cacheDir: "node_modules/.cache/vitepress",
  rewrites: (file) => pageOf(file),
  lang: "en-US",
  title: "effect-mcp-auth",
  titleTemplate: ":title · effect-mcp-auth",
  description: "OAuth 2.1 for MCP servers, as Effect layers.",
  head: [
    ["link", {
      rel: "icon",
      // A data URL, so that no file depends on the base.
      href: "data:image/svg+xml," + encodeURIComponent(
        `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="#0f766e"/>` +
          `<path d="M10 15v-3a6 6 0 0 1 12 0v3" fill="none" stroke="#fff" stroke-width="3"/>` +
          `<rect x="7" y="14" width="18" height="12" rx="3" fill="#fff"/></svg>`
      )
    }]
  ],
  markdown: {
    linkify: false,
    attrs: { disable: true },
    theme: { light: "github-light-high-contrast", dark: "github-dark-high-contrast" },
    anchor: { slugify: (heading) => anchorsOf(heading) },
    config: (md) => repositoryMarkdown(md, base)
  },
  transformPageData: (page) => ({
    description: page.description === "" ? descriptionOf(page.filePath) : page.description
  }),
  buildEnd: ({ outDir }) => writeSources(outDir, base),
  vite: {
    plugins: [correctTheme, serveSources(base)],
    // The search index and the longest pages are larger than Vite's default of 500 kB.
    build: { chunkSizeWarningLimit: 4000 },
    server: { watch: { ignored: ["**/node_modules/**", "**/dist/**", "**/.git/**"] } }
  },
  themeConfig: {
    siteTitle: "effect-mcp-auth",
    nav: [
      { text: "Introduction", link: "/docs/introduction" },
      { text: "Quick start", link: "/docs/quick-start" },
      { text: "Providers", link: "/PROVIDERS", activeMatch: "^/(?:PROVIDERS|examples/providers/)" },
      { text: "Reference", link: "/reference/", activeMatch: "^/reference/" },
      { text: `v${version}`, link: "/CHANGELOG" }
    ],
    sidebar: { "/reference/": [...makeReferenceSidebar()], "/": [...makeSidebar()] },
    outline: { level: [2, 3], label: "On this page" },
    externalLinkIcon: true,
    search: {
      provider: "local",
      options: {
        detailedView: true,
        // Signatures and programs triple the index, and the words that people search for are also in headings and sentences.
        _render: (source, env, md) => {
          const html = md.render(source.replace(/^( *)(```|~~~)[^\n]*\n[\s\S]*?^ *\2 *$/gm, ""), env)
          return env.frontmatter?.search === false ? "" : html
        }
      }
    }
  }
})
