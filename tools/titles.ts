import ts from "@typescript/typescript6"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join, relative } from "node:path"

const root = join(import.meta.dirname, "..")

/**
 * The titles of the tests in a source file, those of skipped and planned tests left out.
 *
 * A title is the first argument of a call of `it` or of what hangs on it (`it.effect`, `it.live`, `it.effect.prop`,
 * `it.effect.each(table)`): a string, written there. Where it takes a member of its table's rows (`$title`, `%s`), the
 * strings of the table count, too: with `$title` those of that member, with `%s` all that are not inside an object. The
 * table may stand in a neighbouring file, and be filtered or mapped; a row may be made by a function that takes its title
 * first.
 */
export const titlesOf = (path: string, text: string): ReadonlyArray<string> => {
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true)
  const titles: Array<string> = []
  const constants = new Map<string, ts.Expression>()

  const declare = (node: ts.Node): void => {
    if (
      ts.isVariableDeclaration(node) && ts.isIdentifier(node.name) && node.initializer !== undefined &&
      !constants.has(node.name.text)
    ) {
      constants.set(node.name.text, node.initializer)
    }
    ts.forEachChild(node, declare)
  }

  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node) && ts.isStringLiteral(node.moduleSpecifier)) {
      const imported = join(path, "..", node.moduleSpecifier.text)
      if (node.moduleSpecifier.text.startsWith(".") && imported.endsWith(".ts") && existsSync(imported)) {
        declare(ts.createSourceFile(imported, readFileSync(imported, "utf8"), ts.ScriptTarget.Latest, true))
      }
    }
    if (ts.isVariableDeclaration(node) && ts.isIdentifier(node.name) && node.initializer !== undefined) {
      constants.set(node.name.text, node.initializer)
    }
    if (ts.isCallExpression(node)) {
      if (/^describe\.(skip|todo|skipIf|runIf)\b/.test(node.expression.getText(source))) return
      const callee = chainOf(node.expression)
      const [title] = node.arguments
      if (callee !== undefined && title !== undefined) titles.push(...titlesFrom(title, callee.table))
    }
    ts.forEachChild(node, visit)
  }

  /** `it.effect.each(table)` and its like; `undefined` for what starts no test. */
  const chainOf = (expression: ts.Expression): { readonly table: ts.Expression | undefined } | undefined => {
    let at = expression
    let table: ts.Expression | undefined
    if (ts.isCallExpression(at)) {
      if (!ts.isPropertyAccessExpression(at.expression) || !["each", "for"].includes(at.expression.name.text)) return
      table = at.arguments[0]
      at = at.expression.expression
    } else if (ts.isPropertyAccessExpression(at) && ["each", "for"].includes(at.name.text)) return
    while (ts.isPropertyAccessExpression(at)) {
      if (["skip", "todo", "fails", "skipIf", "runIf", "layer"].includes(at.name.text)) return
      at = at.expression
    }
    return ts.isIdentifier(at) && ["it", "test"].includes(at.text) ? { table } : undefined
  }

  const titlesFrom = (title: ts.Expression, table: ts.Expression | undefined): ReadonlyArray<string> => {
    const written = textOf(title)
    if (written === undefined) return []
    if (table === undefined) return [written]
    const members = new Set([...written.matchAll(/\$([A-Za-z_]\w*)/g)].map(([, name]) => name!))
    return [written, ...stringsOf(table, members, /%[sjo]/.test(written))]
  }

  const textOf = (node: ts.Node): string | undefined => {
    if (ts.isStringLiteralLike(node)) return node.text
    if (ts.isTemplateExpression(node)) {
      return node.head.text + node.templateSpans.map(({ literal }) => `?${literal.text}`).join("")
    }
    if (ts.isBinaryExpression(node)) return `${textOf(node.left) ?? "?"}${textOf(node.right) ?? "?"}`
    return undefined
  }

  const stringsOf = (
    table: ts.Node,
    members: ReadonlySet<string>,
    bare: boolean,
    seen: ReadonlySet<ts.Node> = new Set()
  ): ReadonlyArray<string> => {
    if (seen.has(table)) return []
    const into = (node: ts.Node) => stringsOf(node, members, bare, new Set([...seen, table]))
    if (ts.isArrayLiteralExpression(table)) return table.elements.flatMap(into)
    if (ts.isIdentifier(table)) return constants.has(table.text) ? into(constants.get(table.text)!) : []
    if (ts.isSpreadElement(table) || ts.isAsExpression(table) || ts.isSatisfiesExpression(table)) {
      return into(table.expression)
    }
    if (ts.isObjectLiteralExpression(table)) {
      return table.properties.flatMap((property) => {
        if (ts.isSpreadAssignment(property)) return into(property.expression)
        if (!ts.isPropertyAssignment(property) || !members.has(property.name.getText())) return []
        const text = textOf(property.initializer)
        return text === undefined ? [] : [text]
      })
    }
    if (ts.isCallExpression(table)) return ofCall(table, members, into)
    const text = bare ? textOf(table) : undefined
    return text === undefined ? [] : [text]
  }

  const ofCall = (
    call: ts.CallExpression,
    members: ReadonlySet<string>,
    into: (node: ts.Node) => ReadonlyArray<string>
  ): ReadonlyArray<string> => {
    const { expression: callee } = call
    const [first] = call.arguments
    if (ts.isPropertyAccessExpression(callee)) {
      if (callee.name.text === "filter") return into(callee.expression)
      return callee.name.text === "map" && first !== undefined && ts.isArrowFunction(first) ? into(first.body) : []
    }
    const text = members.has("title") && first !== undefined ? textOf(first) : undefined
    return text === undefined ? [] : [text]
  }

  visit(source)
  return titles
}

/** Every test of the repository, as far as it can be read without running it. */
export const allTitles: ReadonlyArray<{ readonly title: string; readonly file: string }> = ["test", "examples"].flatMap(
  (folder) =>
    readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
      .filter((entry) =>
        entry.isFile() && entry.name.endsWith(".test.ts") && !entry.parentPath.includes("node_modules")
      )
      .map((entry) => join(entry.parentPath, entry.name))
      .flatMap((path) =>
        titlesOf(path, readFileSync(path, "utf8")).map((title) => ({ title, file: relative(root, path) }))
      )
)
