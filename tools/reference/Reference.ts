/**
 * Writes the reference: every export of each entry point, as Markdown, from the doc comments and the types of the sources.
 */
import ts from "@typescript/typescript6"
import { readFileSync } from "node:fs"
import { join, relative } from "node:path"
import { markdownTable } from "../../src/cli/format/markdownTable.ts"

/** A parsed doc comment. */
export interface Doc {
  /** The text before the first heading such as `**Example**`, and before the first tag. */
  readonly summary: string
  /** The text after the summary and before the first tag: sections with headings, and examples. */
  readonly details: string
  readonly category: string | undefined
  readonly since: string | undefined
  readonly see: ReadonlyArray<string>
}

/** A public export. */
export interface Item {
  readonly name: string
  /** The path of the file that declares the export, relative to the repository. */
  readonly at: string
  readonly kind: string
  readonly signatures: ReadonlyArray<string>
  readonly doc: Doc | undefined
}

/** An export of an entry point: a module, or a value. */
export interface Page {
  /** The name of its file, without the extension. */
  readonly name: string
  /** True for a module, whose items are used as `Name.item`. False for a value that is imported by its own name. */
  readonly namespace: boolean
  readonly source: string
  readonly doc: Doc | undefined
  readonly items: ReadonlyArray<Item>
}

export interface EntryPoint {
  /** The specifier of the import, for example `effect-mcp-auth/mcp`. */
  readonly specifier: string
  /** The folder of its pages, for example `mcp`. */
  readonly folder: string
  readonly doc: Doc | undefined
  readonly pages: ReadonlyArray<Page>
}

const noDoc: Doc = { summary: "", details: "", category: undefined, since: undefined, see: [] }

/** Returns the text of a comment without its stars. */
const textOf = (comment: string): string =>
  comment.replace(/^\/\*\*[ \t]?/, "").replace(/\s*\*\/$/, "").replace(/^[ \t]*\* ?/gm, "").trim()

export const parseDoc = (comment: string): Doc => {
  const prose: Array<string> = []
  const tags: Array<[name: string, text: string]> = []
  let isCode = false
  for (const line of textOf(comment).split("\n")) {
    if (/^\s*```/.test(line)) isCode = !isCode
    const tag = isCode ? null : /^@(\w+)\s*(.*)$/.exec(line)
    if (tag !== null) tags.push([tag[1]!, tag[2]!.trim()])
    else if (tags.length === 0) prose.push(line)
    else tags.at(-1)![1] += ` ${line.trim()}`
  }
  const text = prose.join("\n").trim()
  const head = text.search(/^\*\*[A-Z][^*\n]*\*\*( \(.*\))?$/m)
  const of = (name: string) => tags.find((it) => it[0] === name)?.[1].trim()
  return {
    summary: (head === -1 ? text : text.slice(0, head)).trim(),
    details: head === -1 ? "" : text.slice(head).trim(),
    category: of("category"),
    since: of("since"),
    see: tags.filter((it) => it[0] === "see").map((it) => it[1].trim())
  }
}

/** Returns the doc comment directly before a node. */
const docOf = (node: ts.Node): Doc | undefined => {
  const text = node.getSourceFile().text
  const comment = (ts.getLeadingCommentRanges(text, node.getFullStart()) ?? [])
    .map((range) => text.slice(range.pos, range.end))
    .findLast((it) => it.startsWith("/**"))
  return comment === undefined ? undefined : parseDoc(comment)
}

/** Returns the doc comment at the top of a file, which describes the module. */
const docOfFile = (file: ts.SourceFile): Doc | undefined => {
  const [first] = ts.getLeadingCommentRanges(file.text, 0) ?? []
  if (first === undefined || !file.text.startsWith("/**", first.pos)) return undefined
  return parseDoc(file.text.slice(first.pos, first.end))
}

/** Returns the statement that a doc comment belongs to. */
const statementOf = (declaration: ts.Node): ts.Node =>
  ts.isVariableDeclaration(declaration) ? declaration.parent.parent : declaration

/** Removes the indentation that all lines after the first share. */
const dedent = (text: string): string => {
  const lines = text.split("\n")
  const widths = lines.slice(1).filter((it) => it.trim() !== "").map((it) => /^ */.exec(it)![0].length)
  const width = widths.length === 0 ? 0 : Math.min(...widths)
  return [lines[0]!, ...lines.slice(1).map((it) => it.slice(width))].join("\n")
}

const kindOf = (declaration: ts.Node): string => {
  if (ts.isInterfaceDeclaration(declaration)) return "interface"
  if (ts.isTypeAliasDeclaration(declaration)) return "type"
  if (ts.isClassDeclaration(declaration)) return "class"
  if (ts.isFunctionDeclaration(declaration)) return "function"
  if (ts.isVariableDeclaration(declaration)) {
    const { initializer } = declaration
    return initializer !== undefined && (ts.isArrowFunction(initializer) || ts.isFunctionExpression(initializer))
      ? "function"
      : "const"
  }
  return "value"
}

/** Returns a declaration without its body. */
const signatureOf = (declaration: ts.Node, checker: ts.TypeChecker): string => {
  const file = declaration.getSourceFile()
  const text = (from: ts.Node, to?: ts.Node) =>
    file.text.slice(from.getStart(file), to === undefined ? from.getEnd() : to.getFullStart()).trimEnd()
  const parameters = (it: ts.SignatureDeclaration, around: number): string => {
    const generics = it.typeParameters?.map((_) => text(_)) ?? []
    const inLine = generics.length === 0 ? "" : `<${generics.join(", ")}>`
    const types = inLine.length <= 100 ? inLine : `<\n${generics.map((_) => `  ${_}`).join(",\n")}\n>`
    const values = it.parameters.map((_) =>
      // A parameter with a default is optional. A destructured parameter is shown as `options`, with its type.
      `${_.dotDotDotToken === undefined ? "" : "..."}${ts.isIdentifier(_.name) ? _.name.text : "options"}` +
      `${_.questionToken === undefined && _.initializer === undefined ? "" : "?"}` +
      `: ${_.type === undefined ? checker.typeToString(checker.getTypeAtLocation(_)) : dedent(text(_.type))}`
    )
    const line = `${types}(${values.join(", ")})`
    return values.length === 0 || line.length + around <= 120 && !line.includes("\n")
      ? line
      : `${types}(\n${values.map((_) => `  ${_.replaceAll("\n", "\n  ")}`).join(",\n")}\n)`
  }
  const result = (it: ts.SignatureDeclaration) => {
    if (it.type !== undefined) return dedent(text(it.type))
    const signature = checker.getSignatureFromDeclaration(it)
    return signature === undefined ? "unknown" : checker.typeToString(signature.getReturnType())
  }
  const arrow = (name: string, it: ts.SignatureDeclaration) => {
    const returned = result(it)
    const around = `const ${name}:  => ${returned.split("\n")[0]}`.length
    return `const ${name}: ${parameters(it, around)} => ${returned}`
  }
  if (ts.isInterfaceDeclaration(declaration) || ts.isTypeAliasDeclaration(declaration)) {
    return text(declaration).replace(/^export /, "")
  }
  if (ts.isClassDeclaration(declaration)) {
    const open = file.text.indexOf("{", declaration.heritageClauses?.end ?? declaration.name!.end)
    const head = file.text.slice(declaration.getStart(file), open).trim().replace(/^export /, "")
      .replace(/\s+extends \/\*#__PURE__\*\/ /, " extends ")
    const members = declaration.members.flatMap((it) => {
      const modifiers = ts.canHaveModifiers(it) ? it.modifiers?.map((_) => _.kind) ?? [] : []
      if (modifiers.includes(ts.SyntaxKind.PrivateKeyword)) return []
      const isStatic = modifiers.includes(ts.SyntaxKind.StaticKeyword) ? "static " : ""
      if (ts.isMethodDeclaration(it)) return [`${isStatic}${text(it.name)}${parameters(it, 0)}: ${result(it)}`]
      if (ts.isGetAccessorDeclaration(it)) return [`${isStatic}readonly ${text(it.name)}: ${result(it)}`]
      if (ts.isConstructorDeclaration(it)) return [`constructor${parameters(it, 0)}`]
      if (ts.isPropertyDeclaration(it)) {
        const type = it.type === undefined
          ? checker.typeToString(checker.getTypeAtLocation(it))
          : dedent(text(it.type))
        return [`${isStatic}readonly ${text(it.name)}: ${type}`]
      }
      return []
    })
    return members.length === 0 ? `${head} {}` : `${head} {\n${members.map((_) => `  ${_}`).join("\n")}\n}`
  }
  if (ts.isFunctionDeclaration(declaration)) {
    return arrow(declaration.name!.text, declaration)
  }
  if (ts.isVariableDeclaration(declaration)) {
    const { initializer, name, type } = declaration
    if (type === undefined && initializer !== undefined) {
      if (ts.isArrowFunction(initializer) || ts.isFunctionExpression(initializer)) return arrow(text(name), initializer)
      // The source of a schema is more informative than its type.
      if (text(initializer).startsWith("Schema.")) return dedent(text(declaration.parent))
    }
    const known = type !== undefined
      ? dedent(text(type))
      : checker.typeToString(checker.getTypeAtLocation(declaration), declaration)
    return `const ${text(name)}: ${known}`
  }
  return dedent(text(declaration))
}

const collect = (root: string, checker: ts.TypeChecker) => {
  const items = (symbols: ReadonlyArray<ts.Symbol>): ReadonlyArray<Item> =>
    symbols.map((symbol) => {
      const origin = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol
      const declarations = origin.declarations ?? []
      const first = declarations[0]!
      const file = first.getSourceFile()
      const statements = [...new Set(declarations.map(statementOf))]
      // A comment on a re-export takes precedence over the comment on the declaration. The comment on a module is directly
      // before its first export, so it is also found for that export. It is ignored there because it has no category.
      const [alias] = symbol === origin ? [] : symbol.declarations ?? []
      const own = alias === undefined ? undefined : docOf(alias) ?? docOf(alias.parent.parent)
      const docs = statements.map(docOf).filter((it) => it !== undefined)
      return {
        name: symbol.name,
        at: relative(root, file.fileName),
        kind: [...new Set(declarations.map(kindOf))].join(", "),
        signatures: statements.map((it, index) =>
          signatureOf(declarations.find((_) => statementOf(_) === it) ?? declarations[index]!, checker)
        ),
        doc: own?.since !== undefined && own.category !== undefined
          ? own
          : docs.find((it) => it.summary !== "") ?? docs[0]
      }
    }).toSorted((a, b) => a.name < b.name ? -1 : a.name > b.name ? 1 : 0)

  const pagesOf = (entry: ts.SourceFile): ReadonlyArray<Page> => {
    const pages: Array<Page> = []
    for (const symbol of checker.getExportsOfModule(checker.getSymbolAtLocation(entry)!)) {
      const origin = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol
      const [declaration] = origin.declarations ?? []
      const source = declaration!.getSourceFile()
      const at = { source: relative(root, source.fileName), doc: docOfFile(source) }
      if (ts.isSourceFile(declaration!)) {
        pages.push({ ...at, name: symbol.name, namespace: true, items: items(checker.getExportsOfModule(origin)) })
      } else {
        pages.push({ ...at, name: symbol.name, namespace: false, items: items([symbol]) })
      }
    }
    return pages.toSorted((a, b) => a.name.toLowerCase() < b.name.toLowerCase() ? -1 : 1)
  }

  return { pagesOf }
}

/** Reads the entry points that package.json names. */
export const read = (root: string): ReadonlyArray<EntryPoint> => {
  const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    readonly name: string
    readonly exports: Readonly<Record<string, string | Readonly<Record<string, string>>>>
  }
  const entries = Object.entries(manifest.exports).flatMap(([path, conditions]) => {
    const source = typeof conditions === "string" ? undefined : conditions[`${manifest.name}/source`]
    return source === undefined ? [] : [{ path, source: join(root, source) }]
  })
  const config = ts.parseJsonConfigFileContent(
    ts.readConfigFile(join(root, "tsconfig.json"), ts.sys.readFile).config,
    ts.sys,
    root
  )
  const program = ts.createProgram(entries.map((it) => it.source), config.options)
  const { pagesOf } = collect(root, program.getTypeChecker())
  return entries.map(({ path, source }) => {
    const file = program.getSourceFile(source)!
    return {
      specifier: manifest.name + path.slice(1),
      folder: path === "." ? "core" : path.slice(2),
      doc: docOfFile(file),
      pages: pagesOf(file)
    }
  })
}

/** Returns the anchors that GitHub assigns to the headings of a page, in their order. */
export const anchorsOf = (headings: ReadonlyArray<string>): ReadonlyArray<string> => {
  const seen = new Map<string, number>()
  return headings.map((heading) => {
    const slug = heading.trim().toLowerCase().replace(/[^\p{L}\p{N}\p{M}_\- ]/gu, "").replaceAll(" ", "-")
    const before = seen.get(slug) ?? 0
    seen.set(slug, before + 1)
    return before === 0 ? slug : `${slug}-${before}`
  })
}

const headingOf = (category: string) => `${category[0]!.toUpperCase()}${category.slice(1)}`

/** Replaces `{@link X}`, which Markdown does not render, with `X` as code. */
const plain = (text: string) => text.replace(/\{@link ([^}]+)\}/g, "`$1`")

const firstSentence = (text: string): string => {
  const line = plain(text).split("\n\n")[0]!.replaceAll("\n", " ")
  return (/^.*?[.:](?= [A-Z]|$)/.exec(line)?.[0] ?? line).replaceAll("|", "\\|").replace(/:$/, ".")
}

const indent = (text: string) => text.trim() === "" ? [] : [plain(text), ""]

const itemOf = (page: Page, item: Item): ReadonlyArray<string> => {
  const doc = item.doc ?? noDoc
  return [
    // The tests compile blocks marked `ts`. A signature alone does not compile, so its block is marked `typescript`.
    `### ${item.name}`,
    "",
    ...indent(doc.summary),
    "```typescript",
    item.signatures.join("\n\n"),
    "```",
    "",
    // `**Example** (Title)` in a comment becomes `Example: Title` on the page.
    ...indent(doc.details.replace(/^(\*\*Example\*\*) \((.*)\)$/gm, "$1: $2")),
    ...doc.see.flatMap((it) => [`See ${plain(it)}.`, ""]),
    `<sub>Since ${doc.since ?? "?"}${item.at === page.source ? "" : ` · [source](../../${item.at})`}</sub>`,
    ""
  ]
}

const pageOf = (entry: EntryPoint, page: Page): string => {
  const categories = new Map<string, Array<Item>>()
  for (const item of page.items) {
    const category = item.doc?.category ?? "others"
    categories.set(category, [...categories.get(category) ?? [], item])
  }
  const order = [...categories.keys()].toSorted()
  const headings = [
    ["", page.name] as const,
    ...order.flatMap((category) => [
      ["", headingOf(category)] as const,
      ...categories.get(category)!.map((it) => [it.name, it.name] as const)
    ])
  ]
  const anchors = anchorsOf(headings.map((it) => it[1]))
  const anchor = (name: string) => anchors[headings.findIndex((it) => it[0] === name)]
  const doc = page.namespace ? page.doc ?? noDoc : noDoc
  return [
    "<!-- Written by `npm run docs` from the doc comments of the sources. -->",
    "",
    `# ${page.name}`,
    "",
    ...indent(doc.summary),
    ...indent(doc.details),
    "```typescript",
    `import { ${page.name} } from "${entry.specifier}"`,
    "```",
    "",
    `[All modules](../README.md) · [source](../../${page.source})`,
    "",
    ...(page.items.length < 2 ? [] : [
      markdownTable(
        ["", "kind", ""],
        order.flatMap((category) =>
          categories.get(category)!.map((it) => [
            `[${it.name}](#${anchor(it.name)})`,
            it.kind,
            firstSentence(it.doc?.summary ?? "")
          ])
        )
      ),
      ""
    ]),
    ...order.flatMap((category) => [
      `## ${headingOf(category)}`,
      "",
      ...categories.get(category)!.flatMap((it) => itemOf(page, it))
    ])
  ].join("\n").trimEnd() + "\n"
}

const indexOf = (entries: ReadonlyArray<EntryPoint>): string =>
  [
    "<!-- Written by `npm run docs` from the doc comments of the sources. -->",
    "",
    "# Reference",
    "",
    "Everything that the package exports, by entry point. `npm run docs` writes these pages, and a test fails when they differ",
    "from the sources.",
    "",
    ...entries.flatMap((entry) => [
      `## ${entry.specifier}`,
      "",
      ...indent(entry.doc?.summary ?? ""),
      markdownTable(
        ["", ""],
        entry.pages.map((page) => {
          const summary = page.namespace ? page.doc?.summary : page.items[0]?.doc?.summary
          return [`[${page.name}](${entry.folder}/${page.name}.md)`, firstSentence(summary ?? "")]
        })
      ),
      ""
    ])
  ].join("\n").trimEnd() + "\n"

/** Returns the pages, by their path in `reference/`. */
export const render = (entries: ReadonlyArray<EntryPoint>): ReadonlyMap<string, string> =>
  new Map([
    ["README.md", indexOf(entries)],
    ...entries.flatMap((entry) =>
      entry.pages.map((page) => [`${entry.folder}/${page.name}.md`, pageOf(entry, page)] as const)
    )
  ])

/** Returns a message for each export and module whose comment is incomplete. The message names the missing parts. */
export const lacking = (entries: ReadonlyArray<EntryPoint>): ReadonlyArray<string> =>
  entries.flatMap((entry) =>
    entry.pages.flatMap((page) => [
      ...(page.doc === undefined || page.doc.summary === "" ? [`${page.source}: a comment on the module`] : []),
      ...page.items.flatMap((item) => {
        const lacks = [
          ...(item.doc === undefined || item.doc.summary === "" ? ["a sentence"] : []),
          ...(item.doc?.category === undefined ? ["@category"] : []),
          ...(item.doc?.since === undefined ? ["@since"] : [])
        ]
        return lacks.length === 0 ? [] : [`${item.at}: ${item.name} (${entry.specifier}) lacks ${lacks.join(", ")}`]
      })
    ])
  )
