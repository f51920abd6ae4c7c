import { assert, describe, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join, relative } from "node:path"
import { linkFault, links, proseOf } from "./links.ts"

const root = join(import.meta.dirname, "..")

const files = (folder: string, extension: string): ReadonlyArray<string> =>
  readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(extension) && !entry.parentPath.includes("node_modules"))
    .map((entry) => join(entry.parentPath, entry.name))

/** The Markdown documents in the root folder, in `docs`, in `examples` and in `reference`. */
const documents: ReadonlyArray<string> = [
  ...readdirSync(root).filter((it) => it.endsWith(".md")).map((it) => join(root, it)),
  ...files("docs", ".md"),
  ...files("examples", ".md"),
  ...files("reference", ".md")
]

interface Block {
  readonly from: string
  readonly code: string
}

const blocks = (path: string, text: string): ReadonlyArray<Block> =>
  [...text.matchAll(/^```ts\n([\s\S]*?)^```/gm)].map(([, code], index) => ({
    from: `${relative(root, path)}, block ${index + 1}`,
    code: code!
  }))

/** Returns the text of the doc comments of a source file, without the stars. */
const comments = (source: string): string =>
  [...source.matchAll(/\/\*\*[\s\S]*?\*\//g)].map(([comment]) => comment.replace(/^[ \t]*\*? ?/gm, "")).join("\n")

/** Writes these files inside the package, so that they import it by its name, as users do. */
const withFiles = <A>(sources: ReadonlyArray<string>, use: (folder: string) => A): A => {
  const folder = mkdtempSync(join(root, ".documents-"))
  try {
    for (const [index, code] of sources.entries()) {
      writeFileSync(join(folder, `block${index}.ts`), `${code}\nexport {}\n`)
    }
    return use(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Compiles these files. Returns the compiler's output, which is empty without errors. */
const compile = (sources: ReadonlyArray<string>): string =>
  withFiles(sources, (folder) => {
    writeFileSync(
      join(folder, "tsconfig.json"),
      JSON.stringify({
        extends: "../tsconfig.json",
        compilerOptions: { noUnusedLocals: false, noUnusedParameters: false },
        include: ["*.ts"]
      })
    )
    const { error, status, stderr, stdout } = spawnSync(
      process.execPath,
      [join(root, "node_modules/typescript/bin/tsc"), "--project", folder, "--pretty", "false"],
      { encoding: "utf8" }
    )
    if (error !== undefined || (status !== 0 && stdout === "")) throw error ?? new Error(stderr)
    return stdout
  })

/** Runs these files one after the other. Returns the errors that end them, by index. */
const execute = (sources: ReadonlyArray<string>): ReadonlyArray<readonly [index: number, error: string]> =>
  withFiles(sources, (folder) => {
    writeFileSync(
      join(folder, "run.mjs"),
      `const errors = []
      for (let index = 0; index < ${sources.length}; index++) {
        await import(\`./block\${index}.ts\`).catch((error) => errors.push([index, String(error?.stack ?? error)]))
      }
      process.stdout.write("\\n" + JSON.stringify(errors), () => process.exit())`
    )
    const { error, stderr, stdout } = spawnSync(
      process.execPath,
      ["--conditions=effect-mcp-auth/source", join(folder, "run.mjs")],
      { encoding: "utf8" }
    )
    const last = stdout.split("\n").at(-1)!
    if (error !== undefined || !last.startsWith("[")) throw error ?? new Error(`${stdout}\n${stderr}`)
    return JSON.parse(last)
  })

/** Matches programs that run until they are stopped, and fragments that need values from the reader. */
const cannotRun = /\brunMain\(|\.listen\(|^declare |\bhandler: fetch\b/m

describe("every TypeScript block", () => {
  const all = [
    ...documents.flatMap((path) => blocks(path, readFileSync(path, "utf8"))),
    ...files("src", ".ts").flatMap((path) => blocks(path, comments(readFileSync(path, "utf8"))))
  ]
  // The reference repeats the doc comments, so the same block is kept once. The last copy, from the source file, gives the
  // location.
  const found = [...new Map(all.map((it) => [it.code, it])).values()]

  it("compiles, in documents and doc comments", () => {
    assert.isAbove(found.length, 5)
    const output = compile(found.map((it) => it.code))
    assert.strictEqual(output.replace(/\S*block(\d+)\.ts/g, (_, index) => found[Number(index)]!.from), "")
  })

  it("runs, and its assertions hold", () => {
    const programs = found.filter(({ code }) => !cannotRun.test(code))
    assert.isAbove(programs.length, found.length * 0.8)
    const errors = execute(programs.map((it) => it.code))
    assert.deepStrictEqual(errors.map(([index, error]) => `${programs[index]!.from}: ${error}`), [])
  })

  it("fails if an assertion does not hold", () => {
    const [wrong, right] = [2, 1].map((it) =>
      `import assert from "node:assert/strict"\nassert.strictEqual(await Promise.resolve(1), ${it})`
    )
    assert.deepStrictEqual(execute([right!, wrong!, right!]).map(([index]) => index), [1])
  })
})

describe("the README", () => {
  const text = readFileSync(join(root, "README.md"), "utf8")
  const block = (name: string): string => {
    const found = blocks("README.md", text).find(({ code }) => code.includes(name))
    assert(found !== undefined, name)
    return found.code
  }
  const without = (code: string, part: string): string => {
    assert.include(code, part)
    return code.replace(part, "")
  }
  const onEffect = block("NodeRuntime.runMain")
  const onSdk = block("effect-mcp-auth/sdk-v2")
  const stepUp = `, stepUp: ["todos:write"]`

  it("shows the compiler's error for each part that is left out", () => {
    const mistakes: ReadonlyArray<readonly [code: string, says: string]> = [
      [without(onEffect, stepUp), `Type 'RequiredScope<"todos:write">' is not assignable to type 'never'.`],
      [without(onEffect, ".pipe(Layer.provide(Auth))"), "Type 'AuthLayer' is not assignable to type 'never'."],
      [without(onSdk, stepUp), `Type '"todos:write"' is not assignable to type '"todos:read"'.`]
    ]
    const output = compile(mistakes.map(([code]) => code)).split(/^(?=\S)/m)
    for (const [index, [, says]] of mistakes.entries()) {
      const [error = "", ...others] = output.filter((it) => it.includes(`block${index}.ts`))
      assert.include(error, says)
      assert.deepStrictEqual(others, [])
      assert.include(text, `\`\`\`text\n${says}\n\`\`\``)
    }
  })

  it("shows the server's error at startup for a scope that is left out", () => {
    const { status, stdout } = withFiles(
      [without(onEffect, stepUp)],
      (folder) =>
        spawnSync(process.execPath, ["--conditions=effect-mcp-auth/source", join(folder, "block0.ts")], {
          encoding: "utf8"
        })
    )
    assert.strictEqual(status, 1)
    const [, message] = /AuthConfigError: (.*)/.exec(stdout) ?? []
    assert.include(text, `\`\`\`text\n${message}\n\`\`\``)
  })
})

describe("the introduction", () => {
  it("shows the output of its program", () => {
    const text = readFileSync(join(root, "docs/introduction.md"), "utf8")
    const [program] = blocks("docs/introduction.md", text)
    const shown = /Run it with `node first.ts`:\n\n```text\n([\s\S]*?)```/.exec(text)?.[1]
    const { stdout } = withFiles(
      [program!.code],
      (folder) =>
        spawnSync(process.execPath, ["--conditions=effect-mcp-auth/source", join(folder, "block0.ts")], {
          encoding: "utf8"
        })
    )
    // The log of the gate is between the lines of the program.
    const situations = [...program!.code.matchAll(/call\(\s*"(.*?:)"/g)].map(([, situation]) => situation!)
    const printed = stdout.split("\n").filter((line) => situations.some((situation) => line.startsWith(situation)))
    assert.isAbove(printed.length, 3)
    assert.strictEqual(`${printed.join("\n")}\n`, shown)
  })
})

describe("links", () => {
  it("lead to files and headings that exist in this repository", () => {
    let seen = 0
    const wrong = documents.flatMap((path) =>
      links(readFileSync(path, "utf8")).flatMap((target) => {
        seen++
        const fault = linkFault(root, path, target)
        return fault === undefined ? [] : [`${relative(root, path)}: ${target} ${fault}`]
      })
    )
    assert.isAbove(seen, documents.length)
    assert.deepStrictEqual(wrong, [])
  })

  it("are reported if they lead nowhere", () => {
    const readme = join(root, "README.md")
    assert.strictEqual(linkFault(root, readme, "nowhere.md"), "leads nowhere")
    assert.strictEqual(linkFault(root, readme, "../elsewhere.md"), "leads out of the repository")
    assert.strictEqual(linkFault(root, readme, "SECURITY.md#nothing"), "names a heading that does not exist")
    assert.strictEqual(linkFault(root, readme, "package.json#scripts"), "names a heading of a file that is not a page")
    assert.isUndefined(linkFault(root, readme, "SECURITY.md#what-is-promised"))
    assert.isUndefined(linkFault(root, readme, "https://example.com"))
    assert.deepStrictEqual(links("[a](b.md) `[c](d.md)` ![e](f.svg \"g\")\n```\n[h](i.md)\n```\n[j]: k.md"), [
      "b.md",
      "f.svg",
      "k.md"
    ])
  })
})

describe("the names in documents", () => {
  it("are files of this repository or of the example if they look like paths", () => {
    const missing = documents.flatMap((path) =>
      [...proseOf(readFileSync(path, "utf8")).matchAll(/`((?:src|test|examples|reference|\.ci|\.github)\/[\w./-]*)`/g)]
        .filter(([, file]) => ![root, dirname(path)].some((from) => existsSync(join(from, file!))))
        .map(([, file]) => `${relative(root, path)}: ${file}`)
    )
    assert.deepStrictEqual(missing, [])
  })

  it("are declared in the file before them", () => {
    let seen = 0
    const missing = documents.flatMap((path) =>
      [...proseOf(readFileSync(path, "utf8")).matchAll(/`(src\/[\w./-]+\.ts)` `(\w+)`/g)].flatMap(([, file, name]) => {
        seen++
        const there = new RegExp(`\\b${name}\\b`).test(readFileSync(join(root, file!), "utf8"))
        return there ? [] : [`${relative(root, path)}: ${file} has no ${name}`]
      })
    )
    assert.isAbove(seen, 1)
    assert.deepStrictEqual(missing, [])
  })

  it("are scripts of package.json if `npm run` is before them", () => {
    const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
    const missing = documents.flatMap((path) =>
      [...readFileSync(path, "utf8").matchAll(/\bnpm run ([a-z][\w:-]*)/g)]
        .filter(([, script]) => !Object.hasOwn(scripts, script!))
        .map(([, script]) => `${relative(root, path)}: npm run ${script}`)
    )
    assert.deepStrictEqual(missing, [])
  })
})
