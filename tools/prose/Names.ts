/**
 * Checks the names that TypeScript files declare, and the names of files, against the table of CONTRIBUTING: standard nouns, and
 * a verb that says what happens.
 *
 * An exception is written on the line of the declaration, with its reason: `prose: the fence of a block of code` in a comment.
 */
import ts from "@typescript/typescript6"
import { basename } from "node:path"
import type { Finding } from "./Prose.ts"

interface Rule {
  /** Tested against each word of a name, in lower case. */
  readonly word: RegExp
  readonly advice: string
}

const rules: ReadonlyArray<Rule> = [
  { word: /^recall/, advice: "`lookupVerified` in the fast path, `cached` elsewhere" },
  { word: /^tickets?$/, advice: "`RequestTiming`, `timing`" },
  {
    word: /^judge?(?:s|d|ment|ments|ing)?$/,
    advice: "`verify` (a token), `check` (a rule), `authorize` (an operation)"
  },
  { word: /^fence[sd]?$/, advice: "`scopeGuard`" },
  { word: /^curtains?$/, advice: "`visibilityFilter`" },
  { word: /^veil(?:s|ed)?$/, advice: "`withHidden`, `hidden`" },
  { word: /^passages?$/, advice: "`gateContext`" },
  { word: /^adoptions?$/, advice: "`InstrumentedServer`" },
  { word: /^standing$/, advice: "`SessionAccess`" },
  { word: /^said$/, advice: "`IntrospectionAnswer`, `output`, `text`" },
  { word: /^books?$/, advice: "`IssuerState`" },
  { word: /^told$/, advice: "`notified`, `reported`" },
  { word: /^ask(?:s|ed)$/, advice: "`requestedScopes`, `McpRequest`, `requests`" },
  { word: /^(?:nobody|somebody|everybody|whoever)$/, advice: "`anonymous…`, or the party: client, caller, server" },
  { word: /^(?:remember|forget)(?:s|ed)?$/, advice: "`cache`, `cached`, `evict`" },
  { word: /^(?:demand(?:s|ed)?|wanted)$/, advice: "`Policy`, `requiredScopes`" },
  { word: /^strangers?$/, advice: "`unknown…`, `untrusted…`" }
]

/** Names that are wrong as a whole, and what to write. */
const names: ReadonlyMap<string, string> = new Map([
  ["ServersVerifier", "`IssuerVerifier`"],
  ["lastGood", "`maxStale`"],
  ["longestPause", "`maxBackoff`"],
  ["enter", "`provideCaller`"]
])

const wordsOf = (name: string): ReadonlyArray<string> =>
  name.split(/(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[^A-Za-z0-9]+/).map((word) => word.toLowerCase())

const adviceFor = (name: string): string | undefined =>
  names.get(name) ?? rules.find(({ word }) => wordsOf(name).some((it) => word.test(it)))?.advice

/** Whether the identifier is the name of a declaration: a use is reported once, where it is declared. */
const isDeclared = (node: ts.Identifier): boolean => {
  const { parent } = node
  if (ts.isPropertyAccessExpression(parent) || ts.isImportSpecifier(parent)) return false
  // `{ asked }` takes the name of a variable, which is reported where that is declared.
  if (ts.isBindingElement(parent) && parent.propertyName === undefined && ts.isObjectBindingPattern(parent.parent)) {
    return false
  }
  return "name" in parent && parent.name === node
}

/** Checks the names of a TypeScript file. */
export const check = (path: string, text: string): ReadonlyArray<Finding> => {
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true)
  const written = text.split("\n")
  const findings: Array<Finding> = []
  const add = (line: number, found: string) => {
    const advice = adviceFor(found)
    if (advice !== undefined && !/\bprose: \S/.test(written[line - 1] ?? "")) findings.push({ line, found, advice })
  }
  add(0, basename(path).split(".")[0]!)
  const visit = (node: ts.Node): void => {
    if (ts.isIdentifier(node) && isDeclared(node)) {
      add(source.getLineAndCharacterOfPosition(node.getStart(source)).line + 1, node.text)
    }
    ts.forEachChild(node, visit)
  }
  visit(source)
  return findings
}
