/**
 * Writes the API reports: for each entry point, the declarations that programs can import, as the compiler emits them and without
 * comments. A breaking change is then a change of a committed file, which a review shows.
 */
import ts from "@typescript/typescript6"
import { spawnSync } from "node:child_process"
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join, posix, relative } from "node:path"

/** The declaration files of the sources, by their path without extension, such as `servers/fetch/McpAuthFetch`. */
export type Modules = ReadonlyMap<string, string>

/** Emits the declarations of all sources. Throws if the compiler fails. */
export const emit = (root: string): Modules => {
  const home = mkdtempSync(join(tmpdir(), "effect-mcp-auth-api-"))
  try {
    const tsc = join(root, "node_modules/typescript/bin/tsc")
    const args = [tsc, "--project", join(root, "tools/api/tsconfig.json"), "--outDir", home]
    const { error, status, stderr, stdout } = spawnSync(process.execPath, args, { encoding: "utf8" })
    if (status !== 0) throw error ?? new Error(`tsc ended with ${status}\n${stdout}\n${stderr}`)
    return new Map(
      readdirSync(home, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile() && entry.name.endsWith(".d.ts"))
        .map((entry) => join(entry.parentPath, entry.name))
        .map((path) => [
          relative(home, path).replaceAll("\\", "/").replace(/\.d\.ts$/, ""),
          readFileSync(path, "utf8")
        ])
    )
  } finally {
    rmSync(home, { recursive: true, force: true })
  }
}

/** A declaration by its module and its name there. */
interface Name {
  readonly module: string
  readonly name: string
}

/** The meaning of a name in a module: an export of another module, or all of its exports (`*`). */
interface Alias {
  readonly module: string
  readonly name: string
}

interface Module {
  /** The statements that declare a name, without comments, in the order of the file. */
  readonly declarations: ReadonlyMap<string, ReadonlyArray<ts.Statement>>
  /** Names that an import or a re-export brings, also from other packages. Their module is then a package. */
  readonly imports: ReadonlyMap<string, Alias>
  readonly exports: ReadonlyMap<string, Alias>
  /** The modules of `export * from`. */
  readonly all: ReadonlyArray<string>
}

const declaredNames = (statement: ts.Statement): ReadonlyArray<string> => {
  if (ts.isVariableStatement(statement)) {
    return statement.declarationList.declarations.flatMap(({ name }) => ts.isIdentifier(name) ? [name.text] : [])
  }
  if (
    ts.isInterfaceDeclaration(statement) || ts.isTypeAliasDeclaration(statement) ||
    ts.isFunctionDeclaration(statement) ||
    ts.isClassDeclaration(statement) || ts.isEnumDeclaration(statement)
  ) return statement.name === undefined ? [] : [statement.name.text]
  return []
}

/** Returns the module that a specifier names: a path of this library without extension, or a package. */
const resolve = (from: string, specifier: string): string =>
  specifier.startsWith(".")
    ? posix.join(dirname(from), specifier).replace(/\.[jt]s$/, "")
    : specifier

const isExported = (statement: ts.Statement): boolean =>
  ts.canHaveModifiers(statement) &&
  (statement.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword) ?? false)

const parse = (path: string, text: string): Module => {
  const file = ts.createSourceFile(`${path}.d.ts`, text, ts.ScriptTarget.Latest, true)
  const declarations = new Map<string, Array<ts.Statement>>()
  const imports = new Map<string, Alias>()
  const exports = new Map<string, Alias>()
  const all: Array<string> = []
  for (const statement of file.statements) {
    for (const name of declaredNames(statement)) {
      declarations.set(name, [...declarations.get(name) ?? [], statement])
      if (isExported(statement)) exports.set(name, { module: path, name })
    }
    if (ts.isImportDeclaration(statement)) {
      const module = resolve(path, (statement.moduleSpecifier as ts.StringLiteral).text)
      const clause = statement.importClause
      if (clause?.name !== undefined) imports.set(clause.name.text, { module, name: "default" })
      const bindings = clause?.namedBindings
      if (bindings !== undefined && ts.isNamespaceImport(bindings)) {
        imports.set(bindings.name.text, { module, name: "*" })
      } else {
        for (const { name, propertyName } of bindings?.elements ?? []) {
          imports.set(name.text, { module, name: (propertyName ?? name).text })
        }
      }
    }
    if (ts.isExportDeclaration(statement)) {
      const from = statement.moduleSpecifier as ts.StringLiteral | undefined
      const module = from === undefined ? path : resolve(path, from.text)
      const clause = statement.exportClause
      if (clause === undefined) all.push(module)
      else if (ts.isNamespaceExport(clause)) exports.set(clause.name.text, { module, name: "*" })
      else {
        for (const { name, propertyName } of clause.elements) {
          exports.set(name.text, { module, name: (propertyName ?? name).text })
        }
      }
    }
  }
  return { declarations, imports, exports, all }
}

const keyOf = ({ module, name }: Name): string => `${module}#${name}`

const compare = (a: string, b: string): number => a < b ? -1 : a > b ? 1 : 0

/** Returns the identifiers of a statement that can name a declaration, with the names that follow them after a dot. */
const references = (statement: ts.Statement): ReadonlyArray<readonly [name: string, member: string | undefined]> => {
  const found: Array<readonly [string, string | undefined]> = []
  const visit = (node: ts.Node): void => {
    if (ts.isQualifiedName(node) && ts.isIdentifier(node.left)) found.push([node.left.text, node.right.text])
    else if (ts.isPropertyAccessExpression(node) && ts.isIdentifier(node.expression)) {
      found.push([node.expression.text, node.name.text])
    } else if (ts.isIdentifier(node)) found.push([node.text, undefined])
    ts.forEachChild(node, visit)
  }
  visit(statement)
  return found
}

const readAll = (texts: Modules) => {
  const modules = new Map([...texts].map(([path, text]) => [path, parse(path, text)]))

  /** Follows imports and re-exports to the declaration. Returns `undefined` for a name of another package. */
  const follow = ({ module, name }: Name): Name | undefined => {
    const parsed = modules.get(module)
    if (parsed === undefined) return undefined
    if (name === "*" || parsed.declarations.has(name)) return { module, name }
    const alias = parsed.exports.get(name) ?? parsed.imports.get(name)
    if (alias !== undefined) {
      return follow(alias.module === module && alias.name === name ? parsed.imports.get(name)! : alias)
    }
    for (const other of parsed.all) {
      const found = exportsOf(other).get(name)
      if (found !== undefined) return follow(found)
    }
    return undefined
  }

  const exportsOf = (module: string): ReadonlyMap<string, Name> => {
    const parsed = modules.get(module)
    if (parsed === undefined) return new Map()
    return new Map([...parsed.all.flatMap((other) => [...exportsOf(other)]), ...parsed.exports])
  }

  /** Returns the declarations of this library that a declaration names. */
  const reached = ({ module, name }: Name): ReadonlyArray<Name> => {
    const parsed = modules.get(module)!
    return (parsed.declarations.get(name) ?? []).flatMap(references).flatMap(([first, member]) => {
      const found = parsed.declarations.has(first) || parsed.imports.has(first)
        ? follow({ module, name: first })
        : undefined
      if (found === undefined || keyOf(found) === keyOf({ module, name })) return []
      if (found.name !== "*") return [found]
      const inside = member === undefined ? undefined : follow({ module: found.module, name: member })
      return inside === undefined ? [] : [inside]
    })
  }

  return { modules, follow, exportsOf, reached }
}

/** Returns the text of a declaration. `export` and `declare` are left out, since every declaration of a report has them. */
const print = (statement: ts.Statement): string =>
  statement.getText().replace(/^export /, "").replace(/^declare /, "").replaceAll("    ", "  ")

export interface EntryPoint {
  /** The specifier of the import, such as `effect-mcp-auth/fetch`. */
  readonly specifier: string
  /** The name of its report, such as `fetch`. */
  readonly report: string
  /** The path of its module, such as `servers/fetch/index`. */
  readonly module: string
}

/** Returns the entry points that package.json names. */
export const entryPoints = (root: string): ReadonlyArray<EntryPoint> => {
  const { exports, name } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    readonly name: string
    readonly exports: Readonly<Record<string, string | Readonly<Record<string, string>>>>
  }
  return Object.entries(exports).flatMap(([path, conditions]) =>
    typeof conditions === "string" ? [] : [{
      specifier: name + path.slice(1),
      report: path === "." ? "core" : path.slice(2),
      module: conditions["types"]!.replace(/^\.\/dist\//, "").replace(/\.d\.ts$/, "")
    }]
  )
}

const warning = "Written by `npm run api`. A change here is a change of the API: the changelog must name it."

/**
 * Returns the reports by their file name. A module that several entry points export is printed in the report of the first one.
 * `internal.api.md` contains the declarations that exported ones name, but that no entry point exports.
 */
export const render = (entries: ReadonlyArray<EntryPoint>, texts: Modules): ReadonlyMap<string, string> => {
  const { exportsOf, follow, modules, reached } = readAll(texts)
  const printed = new Map<string, string>()
  const queue: Array<Name> = []
  const reports = new Map<string, string>()

  const declare = (exported: string, name: Name, entry: EntryPoint): ReadonlyArray<string> => {
    const owner = printed.get(keyOf(name))
    const alias = name.name === exported ? "" : ` (declared as ${name.name})`
    if (owner !== undefined && owner !== entry.report) return [`// ${exported}${alias}: as in ${owner}.api.md`]
    if (owner === undefined) {
      printed.set(keyOf(name), entry.report)
      queue.push(name)
    } else return [`// ${exported}${alias}: as above`]
    const statements = modules.get(name.module)!.declarations.get(name.name)!
    return [...(alias === "" ? [] : [`// ${exported}${alias}`]), ...statements.map(print)]
  }

  const block = (lines: ReadonlyArray<string>) => ["```typescript", lines.join("\n\n"), "```", ""]

  for (const entry of entries) {
    const names = [...exportsOf(entry.module)].toSorted(([a], [b]) => compare(a, b))
    const sections = names.flatMap(([exported, alias]) => {
      const name = follow(alias)
      if (name === undefined) return [`## ${exported}`, "", `From \`${alias.module}\`.`, ""]
      if (name.name !== "*") return [`## ${exported}`, "", ...block(declare(exported, name, entry))]
      const members = [...exportsOf(name.module)].toSorted(([a], [b]) => compare(a, b))
      const lines = members.flatMap(([member, target]) => {
        const found = follow(target)
        return found === undefined ? [`// ${member}: from ${target.module}`] : declare(member, found, entry)
      })
      return [`## ${exported} (namespace)`, "", ...block(lines)]
    })
    reports.set(`${entry.report}.api.md`, [`# ${entry.specifier}`, "", warning, "", ...sections].join("\n"))
  }

  const internal = new Map<string, Map<string, Name>>()
  for (let name = queue.shift(); name !== undefined; name = queue.shift()) {
    for (const found of reached(name)) {
      if (printed.has(keyOf(found))) continue
      printed.set(keyOf(found), "internal")
      queue.push(found)
      internal.set(found.module, (internal.get(found.module) ?? new Map()).set(found.name, found))
    }
  }
  const sections = [...internal].toSorted(([a], [b]) => compare(a, b)).flatMap(([module, names]) => [
    `## src/${module}.ts`,
    "",
    ...block(
      [...names.keys()].toSorted(compare).flatMap((name) => modules.get(module)!.declarations.get(name)!.map(print))
    )
  ])
  reports.set(
    "internal.api.md",
    ["# Declarations that are not exported", "", warning, "", ...sections].join("\n")
  )
  return reports
}
