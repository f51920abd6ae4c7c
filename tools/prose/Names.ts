/**
 * Checks the names of files, and the names that TypeScript files declare, against the table in CONTRIBUTING.md.
 *
 * An exception is a comment on the line of the declaration that states the reason, for example
 * `prose: the fence of a block of code`.
 */
import ts from "@typescript/typescript6"
import { basename } from "node:path"
import type { Finding } from "./Prose.ts"

interface Rule {
  /** Matches a forbidden word. Each word of a name is tested in lower case. */
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

/** Forbidden whole names, and what to write instead. */
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

/** Returns whether the identifier declares a name. A use of the name is not reported again. */
const isDeclared = (node: ts.Identifier): boolean => {
  const { parent } = node
  if (ts.isPropertyAccessExpression(parent) || ts.isImportSpecifier(parent)) return false
  // A pattern such as `{ asked }` repeats the name of a property. The name is reported where the property is declared.
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
