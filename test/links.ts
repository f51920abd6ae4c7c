/** Finds the links of Markdown documents, and checks that their files and headings exist. */
import { existsSync, readFileSync, statSync } from "node:fs"
import { dirname, join, relative } from "node:path"
import { anchorsOf } from "../tools/reference/Reference.ts"

/** Returns a page without its code blocks. */
export const proseOf = (text: string): string => text.replace(/^( *)(```|~~~)[^\n]*\n[\s\S]*?^ *\2 *$/gm, "")

const headings = (text: string): ReadonlyArray<string> =>
  [...proseOf(text).matchAll(/^#{1,6} +(.*?) *#*$/gm)].map(([, heading]) =>
    heading!.replace(/\[([^\]]*)\]\([^)]*\)/g, "$1").replace(/<[^>]*>|`/g, "")
  )

/** Returns the targets of the links of a page: inline links, images, reference definitions and HTML. */
export const links = (text: string): ReadonlyArray<string> => {
  const prose = proseOf(text).replace(/`[^`\n]*`/g, "``")
  return [/\]\(\s*<?([^)\s>]+)>?[^)]*\)/g, /^ *\[[^\]]+\]:\s*(\S+)/gm, /\b(?:src|href)="([^"]+)"/g].flatMap((form) =>
    [...prose.matchAll(form)].map(([, target]) => target!)
  )
}

/** Returns what is wrong with a link of a page in the folder `root`, or `undefined`. */
export const linkFault = (root: string, path: string, target: string): string | undefined => {
  if (/^[a-z][a-z0-9+.-]*:/i.test(target)) return URL.canParse(target) ? undefined : "is not a URL"
  const [file = "", anchor] = target.split("#")
  const linked = file === "" ? path : join(dirname(path), decodeURI(file))
  if (relative(root, linked).startsWith("..")) return "leads out of the repository"
  if (!existsSync(linked)) return "leads nowhere"
  if (anchor === undefined) return undefined
  const page = statSync(linked).isDirectory() ? join(linked, "README.md") : linked
  if (!page.endsWith(".md") || !existsSync(page)) return "names a heading of a file that is not a page"
  return anchorsOf(headings(readFileSync(page, "utf8"))).includes(anchor)
    ? undefined
    : "names a heading that does not exist"
}
