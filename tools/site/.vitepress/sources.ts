/** Pages that show the files and folders to which documents link: plain HTML without scripts of VitePress, which builds fast. */
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { dirname, extname, join } from "node:path"
import { type BundledLanguage, createHighlighter, type Highlighter } from "shiki"
import type { Plugin } from "vite"
import { root, sourceUrl } from "../Pages.ts"

const paths = new Set<string>()

/** Adds a file or folder, relative to the repository, to the pages to write. */
export const addSource = (path: string): void => {
  paths.add(path)
}

const languages: Readonly<Record<string, BundledLanguage>> = {
  ".ts": "ts",
  ".js": "js",
  ".mjs": "js",
  ".json": "json",
  ".md": "markdown",
  ".sh": "sh",
  ".conf": "nginx",
  ".svg": "xml",
  ".yml": "yaml"
}

let highlighter: Promise<Highlighter> | undefined

const highlight = async (path: string): Promise<string> => {
  highlighter ??= createHighlighter({
    themes: ["github-light-high-contrast", "github-dark-high-contrast"],
    langs: [...new Set(Object.values(languages))]
  })
  return (await highlighter).codeToHtml(readFileSync(join(root, path), "utf8").trimEnd(), {
    lang: languages[extname(path)] ?? "text",
    themes: { light: "github-light-high-contrast", dark: "github-dark-high-contrast" },
    defaultColor: false
  })
}

const escape = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;")

const isFolder = (path: string): boolean => statSync(join(root, path)).isDirectory()

const isImage = (path: string): boolean => /\.(?:png|svg)$/.test(path)

/** Returns the files of a folder that are shown, with their paths relative to the repository. */
const filesOf = (folder: string): ReadonlyArray<string> =>
  readdirSync(join(root, folder), { withFileTypes: true })
    .filter((entry) => entry.isFile() && !isImage(entry.name))
    .map((entry) => `${folder}/${entry.name}`)
    .toSorted()

const style = `
:root { color-scheme: light dark; --text: #1f2328; --muted: #59636e; --page: #fff; --line: #d1d9e0; --link: #0f766e; }
:root.dark { --text: #f0f6fc; --muted: #9198a1; --page: #1b1b1f; --line: #3d444d; --link: #5eead4; }
body { margin: 0; background: var(--page); color: var(--text); font: 1rem/1.6 system-ui, sans-serif; }
header { display: flex; flex-wrap: wrap; gap: .25rem 1rem; padding: .75rem 1rem; border-bottom: 1px solid var(--line); }
header a { font-weight: 600; }
h1 { margin: 0; font: 1rem/1.6 ui-monospace, monospace; color: var(--muted); overflow-wrap: anywhere; }
a { color: var(--link); }
main { padding: 1rem; }
pre { margin: 0; overflow-x: auto; font: .8125rem/1.6 ui-monospace, monospace; }
pre span { color: var(--shiki-light); }
.dark pre span { color: var(--shiki-dark); }`

// The same key as VitePress, so that the page has the appearance that the reader chose.
const appearance = `const chosen = localStorage.getItem("vitepress-theme-appearance") || "auto"
if (chosen === "dark" || (chosen === "auto" && matchMedia("(prefers-color-scheme: dark)").matches)) document.documentElement.classList.add("dark")`

const pageFor = async (path: string, base: string): Promise<string> => {
  const content = isFolder(path)
    ? `<ul>${
      filesOf(path).map((file) => `<li><a href="${base.slice(0, -1)}${sourceUrl(file)}">${escape(file)}</a></li>`).join(
        ""
      )
    }</ul>`
    : await highlight(path)
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(path)} · effect-mcp-auth</title>
<link rel="icon" href="data:,">
<style>${style}</style>
<script>${appearance}</script>
</head>
<body>
<header><a href="${base}">effect-mcp-auth</a><h1>${escape(path)}</h1></header>
<main>${content}</main>
</body>
</html>
`
}

/** Writes the pages of all files to which the documents link. */
export const writeSources = async (outDir: string, base: string): Promise<void> => {
  const all = new Set([...paths].flatMap((path) => isFolder(path) ? [path, ...filesOf(path)] : [path]))
  for (const path of all) {
    const file = join(outDir, sourceUrl(path))
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, await pageFor(path, base))
  }
}

/** Serves the same pages in `npm run site:dev`. */
export const serveSources = (base: string): Plugin => ({
  name: "effect-mcp-auth:sources",
  configureServer: (server) => {
    server.middlewares.use(async (request, response, next) => {
      const path = /^source\/(.+)\.html$/.exec((request.url ?? "").replace(base, "").split("?")[0]!)?.[1]
      if (
        path === undefined || path.includes("..") ||
        ![...paths].some((known) => path === known || path.startsWith(`${known}/`))
      ) return next()
      response.setHeader("content-type", "text/html; charset=utf-8")
      response.end(await pageFor(decodeURI(path), base))
    })
  }
})
