import { assert, describe, it } from "@effect/vitest"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import * as Report from "../../tools/api/Report.ts"

const root = join(import.meta.dirname, "../..")
const folder = join(root, "test/api")

describe("the API reports", () => {
  const entries = Report.entryPoints(root)
  const expected = Report.render(entries, Report.emit(root))

  it("equal the declarations of the sources: if the change is intended, name it in a changeset and run `npm run api`", () => {
    const found = new Map(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), "utf8")]))
    assert.sameMembers([...found.keys()], [...expected.keys()])
    for (const [name, text] of expected) assert.strictEqual(found.get(name), text, name)
  })

  it("cover every entry point of package.json, and the declarations behind them", () => {
    const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
    const specifiers = Object.keys(exports).filter((path) => path !== "./package.json").map((path) =>
      `effect-mcp-auth${path.slice(1)}`
    )
    assert.deepStrictEqual(entries.map(({ specifier }) => specifier), specifiers)
    for (const { report } of entries) assert.include(expected.get(`${report}.api.md`), "```typescript\n")
    assert.include(expected.get("fetch.api.md"), "interface ProtectOptions<")
    // No entry point exports `HostOptions`, but programs on Node and fetch hosts write its members.
    assert.match(expected.get("internal.api.md")!, /\ninterface HostOptions<[^}]*readonly onDecision\?: /)
  })
})

describe("a report", () => {
  const entry = (module: string): Report.EntryPoint => ({ specifier: `library/${module}`, report: module, module })
  const render = (texts: Readonly<Record<string, string>>, ...modules: ReadonlyArray<string>) =>
    Report.render(modules.map(entry), new Map(Object.entries(texts)))

  it("contains what an entry point exports, and not what only its modules know", () => {
    const reports = render({
      a: `export * as Shape from "./shape.ts"\nexport { area as size } from "./area.ts"`,
      shape:
        `export interface Shape { readonly side: number }\ninterface Unused {}\nexport declare const make: () => Shape;`,
      area: `export declare const area: (side: number) => number;`
    }, "a")
    const text = reports.get("a.api.md")!
    assert.include(text, "## Shape (namespace)")
    assert.include(text, "interface Shape { readonly side: number }\n\nconst make: () => Shape;")
    assert.include(
      text,
      "## size\n\n```typescript\n// size (declared as area)\n\nconst area: (side: number) => number;"
    )
    assert.notInclude([...reports.values()].join(), "Unused")
  })

  it.each([
    [
      "an import of the type",
      `import type { Options } from "./b.ts"\nexport declare const make: (o: Options) => void;`
    ],
    ["a namespace", `import type * as b from "./b.ts"\nexport declare const make: (o: b.Options) => void;`],
    ["a re-export", `import type { Options } from "./all.ts"\nexport declare const make: (o: Options) => void;`],
    ["a type between them", `import type { Both } from "./between.ts"\nexport declare const make: (o: Both) => void;`]
  ])("shows a change of a type that is not exported, through %s", (_, module) => {
    const texts = {
      a: module,
      all: `export * from "./b.ts"`,
      between: `import type { Options } from "./b.ts"\nexport type Both = Options | undefined;`,
      b: `export interface Options { readonly size?: number }`
    }
    const before = render(texts, "a")
    const after = render({ ...texts, b: `export interface Options { readonly size: number }` }, "a")
    assert.strictEqual(before.get("a.api.md"), after.get("a.api.md"))
    assert.include(before.get("internal.api.md"), "readonly size?: number")
    assert.include(after.get("internal.api.md"), "readonly size: number")
  })

  it("prints a declaration once, in the report of the first entry point that exports it", () => {
    const reports = render(
      {
        a: `export { make } from "./c.ts"`,
        b: `export * from "./c.ts"`,
        c: `export declare function make(): void;\nexport declare function make(size: number): void;`
      },
      "a",
      "b"
    )
    assert.include(reports.get("a.api.md"), "function make(): void;\n\nfunction make(size: number): void;")
    assert.include(reports.get("b.api.md"), "// make: as in a.api.md")
  })
})
