/**
 * Maps the Markdown files of the repository to pages of the site, and the links in them to URLs of the site. Links stay as they
 * are in the files, so the same link works in the repository.
 */
import { existsSync, readdirSync, statSync } from "node:fs"
import { posix, resolve } from "node:path"

export const root = resolve(import.meta.dirname, "../..")

/** The folder of the pages that `npm run site` generates, relative to the repository. Git ignores it. */
export const generated = "tools/site/generated"

const foldersOf = (folder: string, except: ReadonlyArray<string>): ReadonlyArray<string> =>
  readdirSync(resolve(root, folder), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !except.includes(entry.name))
    .map(({ name }) => posix.join(folder, name, "**"))

/** The patterns of the Markdown files that are not pages, for VitePress. */
export const excluded: ReadonlyArray<string> = [
  ...foldersOf(".", ["docs", "examples", "reference", "tools"]),
  ...foldersOf("tools", ["site"]),
  ...foldersOf("tools/site", ["generated", "pages"]),
  "examples/*/test/**"
]

/** Returns whether a Markdown file of the repository is a page. `excluded` has the same rule. */
export const isPage = (file: string): boolean =>
  /^(?:[^/]+|(?:docs|examples|reference)\/.+)\.md$/.test(file) && !/^examples\/[^/]+\/test\//.test(file)

/**
 * Returns the path of a page on the site for a Markdown file, both relative to their root. A folder's `README.md` is its index. The
 * README of the repository is the page `overview`, because the index of the site is a separate page.
 */
export const pageOf = (file: string): string =>
  file
    .replace(/^tools\/site\/(?:pages|generated)\//, "")
    .replace(/^README\.md$/, "overview.md")
    .replace(/\/README\.md$/, "/index.md")

/** A resolved link: to a page, or to a file or folder of the repository that is shown as source code. */
export type Target =
  | { readonly kind: "page"; readonly url: string }
  | { readonly kind: "source"; readonly path: string; readonly url: string }

/**
 * Resolves a relative link of a page to an absolute URL of the site, without the base. Returns `undefined` for links that need no
 * change: external ones, and anchors on the same page.
 *
 * Throws if the link leads nowhere, so that the build fails.
 *
 * @param page the path of the page on the site, as `pageOf` returns it
 */
export const resolveLink = (page: string, link: string): Target | undefined => {
  if (link === "" || link.startsWith("#") || link.startsWith("/") || /^[a-z][a-z0-9+.-]*:/i.test(link)) return undefined
  const [file = "", anchor] = link.split("#")
  const path = posix.join(posix.dirname(page), decodeURI(file)).replace(/\/$/, "")
  const hash = anchor === undefined ? "" : `#${anchor}`
  const candidates = path === "." ? ["README.md"] : path.startsWith("..") ? [] : [path, `${path}/README.md`]
  const markdown = candidates.find((candidate) => isPage(candidate) && isFile(candidate))
  if (markdown !== undefined) return { kind: "page", url: `/${pageOf(markdown)}${hash}` }
  if (path.startsWith("..") || !existsSync(resolve(root, path))) {
    throw new Error(`${page}: the link ${link} leads to ${path}, which does not exist`)
  }
  return { kind: "source", path, url: sourceUrl(path) }
}

/** Returns the URL of the page that shows a file or folder of the repository. */
export const sourceUrl = (path: string): string => `/source/${path}.html`

const isFile = (path: string): boolean => {
  const found = [path, `${generated}/${path}`].map((it) => resolve(root, it)).find((it) => existsSync(it))
  return found !== undefined && statSync(found).isFile()
}
