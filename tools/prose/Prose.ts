/**
 * Checks the words of comments, messages, test titles and documents: plain technical English, and one term for one thing.
 *
 * An exception is written on the line itself, with its reason: `prose: quoted from RFC 6750` in a comment.
 */
import ts from "@typescript/typescript6"

/** A line of prose, and where it is. */
export interface Line {
  /** From 1. */
  readonly line: number
  readonly text: string
}

/** A finding. */
export interface Finding {
  readonly line: number
  readonly found: string
  readonly advice: string
}

interface Rule {
  readonly pattern: RegExp
  readonly advice: string
}

const rules: ReadonlyArray<Rule> = [
  {
    pattern: /\b(?:nobody|somebody|everybody|whoever|whatever|whom)\b/i,
    advice: "name the party: the client, the caller, the server, the authorization server"
  },
  {
    pattern: /(?:^|[.:!?] )(?:Who|What|Of a|Of an|With an|With a) [a-z]/,
    advice: "begin the sentence with a named subject or a condition (`If …`)"
  },
  {
    pattern: /\b(?:is|are|was|were) told\b|\btold (?:by|from)\b/i,
    advice: "say `reports`, `tells apart` or `is named`"
  },
  { pattern: /\b(?:lately|anew|thereof|besides)\b/i, advice: "say `recently`, `again`, `of it` or `also`" },
  { pattern: /(?<!\bthere )\bis no (?!more\b|longer\b|such\b)[a-z]/i, advice: "say `is not a …`" },
  { pattern: /\bof (?:its|their|your|one's) own\b/i, advice: "say `its …`, `a separate …` or `custom`" },
  { pattern: /\bspared?\b/i, advice: "say `load is bounded`" }
]

const exception = /\bprose: \S/

/** The line without what is not prose: code, links and addresses. */
const proseOf = (text: string): string =>
  text
    .replace(/`[^`]*`/g, "`x`")
    .replace(/\]\([^)]*\)/g, "]")
    .replace(/https?:\/\/\S+/g, "")

/** Checks lines of prose. */
export const check = (lines: ReadonlyArray<Line>): ReadonlyArray<Finding> =>
  lines.flatMap(({ line, text }) => {
    if (exception.test(text)) return []
    const prose = proseOf(text)
    return rules.flatMap(({ advice, pattern }) => {
      const found = pattern.exec(prose)?.[0].trim()
      return found === undefined ? [] : [{ line, found, advice }]
    })
  })

/** The prose of a Markdown document: everything but blocks of code and front matter. */
export const ofMarkdown = (text: string): ReadonlyArray<Line> => {
  let fence: string | undefined
  return text.split("\n").flatMap((line, index) => {
    const mark = /^\s*(`{3,}|~{3,})/.exec(line)?.[1]
    if (mark !== undefined) {
      fence = fence === undefined ? mark : line.trim().startsWith(fence) ? undefined : fence
      return []
    }
    // A heading is a phrase.
    return fence === undefined && !line.startsWith("#")
      ? [{ line: index + 1, text: line.replace(/^[\s>*|-]+/, "") }]
      : []
  })
}

/** Shorter strings are names and codes. */
const fewestWords = 3

/** The prose of a TypeScript file: comments, and strings of several words (messages and test titles). */
export const ofTypeScript = (path: string, text: string): ReadonlyArray<Line> => {
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true)
  const lines: Array<Line> = []
  const add = (start: number, block: string) => {
    const { line } = source.getLineAndCharacterOfPosition(start)
    let isCode = false
    block.split("\n").forEach((content, index) => {
      const prose = content.replace(/^\s*(?:\/\*+|\*\/|\*|\/\/)?\s?/, "").replace(/\s*\*\/\s*$/, "")
      if (prose.trim().startsWith("```")) isCode = !isCode
      else if (!isCode) lines.push({ line: line + 1 + index, text: prose })
    })
  }
  const seen = new Set<number>()
  const addComments = (ranges: ReadonlyArray<ts.CommentRange> | undefined) => {
    for (const { end, pos } of ranges ?? []) {
      if (seen.has(pos)) continue
      seen.add(pos)
      add(pos, text.slice(pos, end))
    }
  }
  const visit = (node: ts.Node): void => {
    addComments(ts.getLeadingCommentRanges(text, node.getFullStart()))
    addComments(ts.getTrailingCommentRanges(text, node.getEnd()))
    const isText = ts.isStringLiteral(node) || ts.isNoSubstitutionTemplateLiteral(node) || ts.isTemplateHead(node) ||
      ts.isTemplateMiddle(node) || ts.isTemplateTail(node)
    if (isText && node.text.trim().split(/\s+/).length >= fewestWords) {
      lines.push({ line: source.getLineAndCharacterOfPosition(node.getStart()).line + 1, text: node.text })
    }
    ts.forEachChild(node, visit)
  }
  visit(source)
  const written = text.split("\n")
  return lines.filter(({ line }) => !exception.test(written[line - 1] ?? ""))
}
