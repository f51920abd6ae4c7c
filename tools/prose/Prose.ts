/**
 * Checks comments, messages, test titles and documents for words and phrases that this project does not use.
 *
 * An exception is a comment on the line itself that states the reason, for example `prose: quoted from RFC 6750`.
 */
import ts from "@typescript/typescript6"

/** A line of prose with its line number. */
export interface Line {
  /** The number of the line. The first line is 1. */
  readonly line: number
  readonly text: string
  /** Whether it is the title of a test. */
  readonly isTitle?: boolean
}

/** A forbidden word or phrase in a line. */
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
    // A question can begin with these words, so the pattern excludes questions.
    pattern: /(?:^|[.:!?] )(?:Who|What|Of a|Of an|With an|With a) [a-z](?![^.!?]*\?)/,
    advice: "begin the sentence with a named subject or a condition (`If …`)"
  },
  {
    pattern: /\b(?:is|are|was|were) told\b|\btold (?:by|from)\b/i,
    advice: "say `reports`, `tells apart` or `is named`"
  },
  { pattern: /\b(?:lately|anew|thereof|besides)\b/i, advice: "say `recently`, `again`, `of it` or `also`" },
  { pattern: /(?<!\bthere )\bis no (?!more\b|longer\b|such\b)[a-z]/i, advice: "say `is not a …`" },
  { pattern: /\bof (?:its|their|your|one's) own\b/i, advice: "say `its …`, `a separate …` or `custom`" },
  { pattern: /\bspared?\b/i, advice: "say `load is bounded`" },
  { pattern: /\bjudg(?:e[sd]?|ing|e?ments?)\b/i, advice: "say `verify` (a token), `check` (a rule), `authorize`" },
  { pattern: /\b(?:un)?recall(?:s|ed|ing)?\b/i, advice: "say `look up in the cache`" },
  {
    pattern: /\b(?:remember(?:s|ed|ing)?|forgets?|forgot|forgotten|forgetting)\b(?! consent)/i,
    advice: "say `cache`, `keep` or `evict`"
  },
  {
    pattern: /\b(?:tickets?|curtains?|veil(?:s|ed)?|passages?)\b/i,
    advice: "say `timing`, `visibility filter`, `hidden`"
  },
  { pattern: /\blast good\b/i, advice: "say `stale` or `max stale`" },
  { pattern: /\bfor all (?:who|that) wait\b/i, advice: "say that requests are coalesced" },
  { pattern: /(?<!\bon )\bdemand(?:s|ed|ing)?\b/i, advice: "say `require` or `required scopes`" },
  { pattern: /(?<!connections? (?:is |are |was )?)\brefus(?:es?|ed|ing)\b/i, advice: "say `reject`" },
  { pattern: /\bstrangers?\b/i, advice: "say `untrusted`, `unknown`, or name the party" },
  { pattern: /\bcould not be told\b/i, advice: "say `inconclusive`" }
]

/** The rules for test titles. A title has to be a whole sentence, since logs and `vitest -t` show it alone. */
const titleRules: ReadonlyArray<Rule> = [
  {
    pattern: /^(?:and|but|or|nor|of|that|what|who|whose|which|also|so|not)\b/i,
    advice: "write a whole sentence: `rejects a token without exp`"
  },
  // A title with a placeholder, such as `accepts %j`, becomes a sentence with the values of its row.
  { pattern: /^(?!.*[$%])\S+(?:\s+\S+)?$/, advice: "write a whole sentence of three words or more" }
]

/** Removes the ids of cases and threats from the beginning of a title. */
const withoutIds = (title: string): string => title.replace(/^(?:\[[^\]]*\]|(?:[A-Z]+-)+\d+[a-z]?|[,:]|\s)+/, "").trim()

const exception = /\bprose: \S/

/** Removes code, the targets of links, and URLs, which are not prose. */
const proseOf = (text: string): string =>
  text
    .replace(/`[^`]*`/g, "`x`")
    .replace(/\]\([^)]*\)/g, "]")
    .replace(/https?:\/\/\S+/g, "")

/** Checks lines of prose. */
export const check = (lines: ReadonlyArray<Line>): ReadonlyArray<Finding> =>
  lines.flatMap(({ isTitle, line, text }) => {
    if (exception.test(text)) return []
    const find = (prose: string) => ({ advice, pattern }: Rule): ReadonlyArray<Finding> => {
      const found = pattern.exec(prose)?.[0].trim()
      return found === undefined ? [] : [{ line, found, advice }]
    }
    const prose = proseOf(text)
    return [...rules.flatMap(find(prose)), ...(isTitle === true ? titleRules.flatMap(find(withoutIds(prose))) : [])]
  })

/** Returns the prose of a Markdown document: all lines except headings and code blocks. */
export const ofMarkdown = (text: string): ReadonlyArray<Line> => {
  let block: string | undefined
  return text.split("\n").flatMap((line, index) => {
    const mark = /^\s*(`{3,}|~{3,})/.exec(line)?.[1]
    if (mark !== undefined) {
      block = block === undefined ? mark : line.trim().startsWith(block) ? undefined : block
      return []
    }
    // A heading is a phrase, and not a sentence.
    return block === undefined && !line.startsWith("#")
      ? [{ line: index + 1, text: line.replace(/^[\s>*|-]+/, "") }]
      : []
  })
}

/** The members of `it` that create a test. */
const testMembers = new Set(
  [
    "concurrent",
    "each",
    "effect",
    "fails",
    "for",
    "live",
    "only",
    "prop",
    "runIf",
    "sequential",
    "skip",
    "skipIf",
    "todo"
  ]
)

/** Returns whether the string is a test title: the first argument of a call such as `it`, `it.effect` or `it.each(table)`. */
const isTitle = (node: ts.Node): boolean => {
  const { parent } = node
  if (!ts.isCallExpression(parent) || parent.arguments[0] !== node) return false
  let callee: ts.Expression = parent.expression
  while (ts.isCallExpression(callee) || ts.isPropertyAccessExpression(callee)) {
    // `it` can also be an ordinary parameter, such as in `it.replace("a", "b")`.
    if (ts.isPropertyAccessExpression(callee) && !testMembers.has(callee.name.text)) return false
    callee = callee.expression
  }
  return ts.isIdentifier(callee) && (callee.text === "it" || callee.text === "test")
}

/** A string is checked as prose if it has at least this number of words. Shorter strings are names and codes. */
const fewestWords = 3

/** Returns the prose of a TypeScript file: comments, test titles, and other strings of three words or more. */
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
    if (isText) {
      const line = source.getLineAndCharacterOfPosition(node.getStart()).line + 1
      // If the title is only a placeholder, the rows of its table contain the titles.
      if (ts.isStringLiteral(node) && isTitle(node) && !/^[%$]\S+$/.test(node.text)) {
        lines.push({ line, text: node.text, isTitle: true })
      } else if (node.text.trim().split(/\s+/).length >= fewestWords) lines.push({ line, text: node.text })
    }
    ts.forEachChild(node, visit)
  }
  visit(source)
  const written = text.split("\n")
  return lines.filter(({ line }) => !exception.test(written[line - 1] ?? ""))
}
