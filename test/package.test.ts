import { afterAll, assert, beforeAll, describe, inject, it } from "@effect/vitest"
import { TestIssuer } from "effect-mcp-auth/testing"
import { build } from "esbuild"
import { spawn, spawnSync } from "node:child_process"
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync
} from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { basename, dirname, join, relative } from "node:path"
import { fileURLToPath } from "node:url"
import { gzipSync } from "node:zlib"
import { publint } from "publint"
import { install, program } from "../tools/release/installed.ts"
import { linkFault, links } from "./links.ts"

const root = fileURLToPath(new URL("..", import.meta.url))
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))

/** The names by which programs import the entry points: `effect-mcp-auth` for `.`, `effect-mcp-auth/mcp` for `./mcp`. */
const entryPoints = Object.keys(manifest.exports)
  .filter((it) => it !== "./package.json")
  .map((it) => manifest.name + it.slice(1))

/** The entry points for the official SDKs, and the package that each of them needs. */
const adapters = [
  // Clients of revisions before 2026-07-28 replace their scopes with those of the challenge, so the challenge of `sdk-v1` also
  // includes the granted scopes.
  { entry: "sdk-v1", peer: "@modelcontextprotocol/sdk", program: "sdk-v1.ts", challenged: "todos:write todos:read" },
  { entry: "sdk-v2", peer: "@modelcontextprotocol/server", program: "sdk-v2.ts", challenged: "todos:write" }
].map((it) => ({ ...it, name: `${manifest.name}/${it.entry}` }))

/** The oldest TypeScript in which CommonJS modules can load ES modules, which is installed for the test. */
const oldest = "5.8.3"

/** The compilers that programs use, each with a function that returns its path. `home` is the folder of the test. */
const compilers = [
  { version: oldest, compiler: (home: string) => join(home, "compiler/node_modules/typescript/bin/tsc") },
  {
    version: manifest.devDependencies.typescript as string,
    compiler: (_home: string) => join(root, "node_modules/typescript/bin/tsc")
  }
]

const alone = entryPoints.filter((it) => !adapters.some(({ name }) => name === it))

/** Runs a command and returns its output. If the command fails, the error contains the complete output. */
const run = (cwd: string, command: string, ...args: ReadonlyArray<string>): string => {
  // `npm run`, which starts the tests, sets this variable. With it, the inner npm would install into the repository.
  const { npm_config_local_prefix: _, ...env } = process.env
  const { error, status, stderr, stdout } = spawnSync(command, args, { cwd, env, encoding: "utf8" })
  if (status !== 0) throw error ?? new Error(`${command} ${args.join(" ")} ended with ${status}\n${stdout}\n${stderr}`)
  return stdout
}

/** Returns the files that Node loads when a program in the folder imports the entry point. */
const loadedFiles = (cwd: string, entry: string): ReadonlyArray<string> => {
  const program = `
    import { registerHooks } from "node:module"
    const urls = []
    registerHooks({ load: (url, context, next) => (urls.push(url), next(url, context)) })
    await import(${JSON.stringify(entry)})
    console.log(JSON.stringify(urls.filter((url) => url.startsWith("file:"))))`
  const urls: ReadonlyArray<string> = JSON.parse(run(cwd, process.execPath, "--input-type=module", "--eval", program))
  return urls.map((url) => fileURLToPath(url))
}

/**
 * The largest allowed numbers of modules that Node loads, with those of Effect, and their size in kB. Effect alone has 70 modules
 * with 1,547 kB.
 */
const loading = [
  { entry: "node", modules: 90, kB: 1_860 },
  { entry: "fetch", modules: 88, kB: 1_850 },
  { entry: "host", modules: 87, kB: 1_850 },
  { entry: "verification", modules: 87, kB: 1_760 },
  { entry: "client", modules: 90, kB: 1_760 },
  { entry: "protocol", modules: 55, kB: 860 }
]

const list = (folder: string): ReadonlyArray<string> =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((it) => it.isFile())
    .map((it) => join(it.parentPath, it.name).slice(folder.length + 1).replaceAll("\\", "/"))
    .toSorted()

const read = (...path: ReadonlyArray<string>) => readFileSync(join(...path), "utf8")

describe("the packed tarball", () => {
  let home: string
  let tarball: string
  let unpacked: string
  let consumer: string

  beforeAll(() => {
    home = mkdtempSync(join(tmpdir(), "effect-mcp-auth-package-"))
    tarball = inject("tarball")
    run(home, "tar", "-xzf", tarball)
    unpacked = join(home, "package")

    mkdirSync(join(home, "compiler"))
    writeFileSync(join(home, "compiler/package.json"), JSON.stringify({ private: true }))
    run(join(home, "compiler"), "npm", "install", "--prefer-offline", "--no-audit", "--no-fund", `typescript@${oldest}`)

    consumer = join(home, "consumer")
    mkdirSync(consumer)
    writeFileSync(join(consumer, "package.json"), JSON.stringify({ private: true, type: "module" }))
    cpSync(join(root, "test/package/server.ts"), join(consumer, "server.ts"))
    run(
      consumer,
      "npm",
      "install",
      "--prefer-offline",
      "--no-audit",
      "--no-fund",
      tarball,
      `effect@${manifest.devDependencies.effect}`
    )
  })

  afterAll(() => rmSync(home, { recursive: true, force: true }))

  it("holds the build, the sources and the documentation, and nothing else", () => {
    const files = list(unpacked)
    for (const file of ["package.json", "README.md", "SECURITY.md", "LICENSE"]) assert.include(files, file)
    const permitted = [
      /^(package\.json|LICENSE|[A-Z]+\.md)$/,
      /^src\/.*\.ts$/,
      /^dist\/(.*\.(js|d\.ts)(\.map)?|node\/package\.json|cli\.(mjs|LICENSES\.txt))$/,
      /^(reference|docs)\/.*\.md$|^docs\/proxy-formats\.json$/,
      /^examples\/.*\.(md|ts|sh|svg|png)$/,
      /^bench\/speed\/benchmarks\.svg$/
    ]
    assert.deepStrictEqual(files.filter((file) => !permitted.some((pattern) => pattern.test(file))), [])
    assert.deepStrictEqual(files.filter((file) => /\.tst\.ts$|(^|\/)test\//.test(file)), [])
    assert.deepStrictEqual(files.filter((file) => /^(src|dist)\/.*\.test\./.test(file)), [])
  })

  it("holds every file and heading that its documents link to", () => {
    const documents = list(unpacked).filter((file) => file.endsWith(".md")).map((file) => join(unpacked, file))
    const all = documents.flatMap((path) =>
      links(readFileSync(path, "utf8")).map((target) => ({
        fault: linkFault(unpacked, path, target),
        link: `${relative(unpacked, path)}: ${target}`
      }))
    )
    assert.isAbove(all.length, documents.length)
    assert.deepStrictEqual(all.filter(({ fault }) => fault !== undefined), [])
  })

  it("stays within its budget of bytes", () => {
    // The limits are about a tenth above the current sizes. If you raise them, give the reason in the changelog.
    assert.isBelow(statSync(tarball).size, 3_600_000)
    const unpackedSize = list(unpacked).reduce((sum, file) => sum + statSync(join(unpacked, file)).size, 0)
    assert.isBelow(unpackedSize, 14_500_000)
  })

  it("adds at most its budget of bytes to a bundle", async () => {
    const { outputFiles } = await build({
      entryPoints: [join(unpacked, "dist/index.js")],
      bundle: true,
      minify: true,
      write: false,
      format: "esm",
      splitting: true,
      outdir: join(home, "bundle"),
      external: ["effect", "effect/*", "jose"]
    })
    const sizeOf = ({ contents }: { readonly contents: Uint8Array }) => gzipSync(contents, { level: 9 }).length
    const isExplanation = ({ path }: { readonly path: string }) => basename(path).startsWith("explainRejection")
    // The limits are about a tenth above the current size of all exports of the main entry point, compressed, and of the texts
    // that are loaded with the first rejection.
    const always = outputFiles.filter((file) => !isExplanation(file)).reduce((sum, file) => sum + sizeOf(file), 0)
    assert.isBelow(always, 59_000)
    assert.isBelow(sizeOf(outputFiles.find(isExplanation)!), 8_800)
  })

  it("has a file behind every entry point and condition", () => {
    for (const target of Object.values<string | Record<string, string>>(manifest.exports)) {
      for (const file of typeof target === "string" ? [target] : Object.values(target)) {
        assert.isTrue(existsSync(join(unpacked, file)), file)
      }
    }
  })

  it("has a source behind every map", () => {
    const maps = list(unpacked).filter((it) => it.endsWith(".map"))
    assert.isNotEmpty(maps)
    for (const map of maps) {
      for (const source of JSON.parse(read(unpacked, map)).sources) {
        assert.isTrue(existsSync(join(unpacked, dirname(map), source)), `${map}: ${source}`)
      }
    }
  })

  it("has no findings of publint", async () => {
    const { messages } = await publint({ pkgDir: unpacked, pack: false, strict: true })
    assert.deepStrictEqual(messages, [])
  })

  it("has types that each supported resolution finds, as Are The Types Wrong sees it", () => {
    install()
    const args = [program("attw"), tarball, "--profile", "esm-only", "--format", "json"]
    const { status, stdout } = spawnSync(process.execPath, args, { encoding: "utf8", maxBuffer: 64 * 1024 * 1024 })
    const { analysis } = JSON.parse(stdout)
    assert.sameMembers(Object.keys(analysis.entrypoints), Object.keys(manifest.exports))
    const exceptions: Readonly<Record<string, string>> = {
      "NoResolution node10": "moduleResolution `node10` knows no `exports`, and TypeScript 6 deprecates it",
      "CJSResolvesToESM node16-cjs":
        "the package has ES modules only, which CommonJS loads with `import()` or `require` of Node 20.19"
    }
    const found = analysis.problems.map((it: { kind: string; resolutionKind: string }) =>
      `${it.kind} ${it.resolutionKind}`
    )
    assert.deepStrictEqual([...new Set(found)].toSorted(), Object.keys(exceptions).toSorted())
    assert.strictEqual(status, 0)
  })

  it("installs jose and no other dependency", () => {
    const installed = readdirSync(join(consumer, "node_modules")).filter((it) => !it.startsWith("."))
    assert.sameMembers(installed.filter((it) => it !== "effect"), [manifest.name, "jose"])
  })

  it.each(alone)("%s can be imported from plain JavaScript", (name) => {
    const program = `console.log(Object.keys(await import(${JSON.stringify(name)})).length > 0)`
    assert.strictEqual(run(consumer, process.execPath, "--input-type=module", "--eval", program), "true\n")
  })

  it.each(loading)("Node loads few modules of $entry", ({ entry, kB, modules }) => {
    const files = loadedFiles(consumer, `${manifest.name}/${entry}`)
    assert.isAtMost(files.length, modules, "modules of this package and of effect")
    assert.isAtMost(files.reduce((sum, file) => sum + statSync(file).size, 0) / 1000, kB, "kB")
  })

  it("loads one copy of a module that several entry points use", () => {
    const program = `
      const { AuthConfigError } = (await import("${manifest.name}")).AuthError
      const { McpAuthNode } = await import("${manifest.name}/node")
      console.log(await McpAuthNode.make({}).catch((error) => error instanceof AuthConfigError))`
    assert.strictEqual(run(consumer, process.execPath, "--input-type=module", "--eval", program).trim(), "true")
  })

  it("loads no module of effect/ai with the core", () => {
    const files = loadedFiles(consumer, manifest.name)
    assert.isTrue(files.some((it) => it.endsWith("/effect/dist/Effect.js")), "sees what is loaded")
    assert.deepStrictEqual(files.filter((it) => it.includes("/effect/dist/ai/")), [])
  })

  it.each([
    { module: "NodeNext", moduleResolution: "NodeNext" },
    { module: "ESNext", moduleResolution: "Bundler" }
  ])("has types that compile with moduleResolution $moduleResolution", (options) => {
    // The program compiles without Node's types, as on an edge runtime, and the compiler also checks the declarations of the
    // package.
    writeFileSync(
      join(consumer, "tsconfig.json"),
      JSON.stringify({
        files: ["server.ts"],
        compilerOptions: {
          ...options,
          target: "ES2022",
          lib: ["ES2022", "DOM", "DOM.Iterable"],
          types: [],
          strict: true,
          exactOptionalPropertyTypes: true,
          skipLibCheck: false,
          noEmit: true
        }
      })
    )
    run(consumer, process.execPath, join(root, "node_modules/typescript/bin/tsc"))
  })

  it("has a command that needs only Node", async () => {
    const alone = join(home, "alone")
    mkdirSync(alone)
    cpSync(join(unpacked, "dist/cli.mjs"), join(alone, "cli.mjs"))
    assert.strictEqual(
      run(alone, process.execPath, "cli.mjs", "--version").trim(),
      `effect-mcp-auth ${manifest.version}`
    )
    // `npx` downloads the command on its first use, so its size must stay small.
    assert.isBelow(readFileSync(join(alone, "cli.mjs")).length, 1024 * 1024)
  })

  it("contains the licences of the packages in its command", () => {
    const notices = read(unpacked, "dist/cli.LICENSES.txt")
    const named = [...notices.matchAll(/^(\S+) (\d+\.\d+\.\d+) \(MIT\)$/gm)].map(([, name]) => name!)
    assert.deepStrictEqual(named, ["@effect/platform-node", "@effect/platform-node-shared", "effect", "jose", "ws"])
    for (const name of named) {
      const folder = join(root, "node_modules", name)
      const file = readdirSync(folder).find((it) => it.startsWith("LICENSE"))!
      assert.include(notices, `${name} ${JSON.parse(read(folder, "package.json")).version} `)
      assert.include(notices, read(folder, file).trim())
    }
  })

  it("has a command that serves the check page from its one file", async () => {
    const alone = mkdtempSync(join(home, "page-"))
    cpSync(join(unpacked, "dist/cli.mjs"), join(alone, "cli.mjs"))
    const child = spawn(process.execPath, ["cli.mjs", "page", "--port", "0"], { cwd: alone, stdio: "pipe" })
    try {
      const url = await new Promise<string>((resolve, reject) => {
        let output = ""
        const hear = (text: unknown) => {
          output += String(text)
          const [found] = /http:\/\/127\.0\.0\.1:\d+\//.exec(output) ?? []
          if (found !== undefined) resolve(found)
        }
        child.stdout.on("data", hear)
        child.stderr.on("data", hear)
        child.once("exit", () => reject(new Error(output)))
      })
      assert.include(await (await fetch(url)).text(), "<title>MCP authorization check</title>")
      const rejected = await fetch(`${url}report?target=http://127.0.0.1:1`)
      assert.strictEqual(rejected.status, 403)
    } finally {
      child.kill()
    }
  })

  it("runs as npx effect-mcp-auth on an empty machine", async () => {
    const empty = join(home, "empty")
    mkdirSync(empty)
    const npx = (
      ...args: ReadonlyArray<string>
    ) => ["--yes", "--prefer-offline", "--package", tarball, "effect-mcp-auth", ...args]
    assert.include(run(empty, "npx", ...npx("--help")), "Checks authorization servers, MCP servers and access tokens.")
    const server = createServer((req, res) => issuer.listener(req, res))
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const issuer = await TestIssuer.start({ issuer: url, metadata: { code_challenge_methods_supported: undefined } })
    try {
      const { npm_config_local_prefix: _, ...env } = process.env
      const { code, stdout } = await new Promise<{ code: number | null; stdout: string }>((resolve) => {
        const child = spawn("npx", npx("check", url, "--format", "json"), { cwd: empty, env })
        let stdout = ""
        child.stdout.setEncoding("utf8").on("data", (chunk: string) => stdout += chunk)
        child.on("close", (code) => resolve({ code, stdout }))
      })
      assert.strictEqual(code, 1)
      const { findings } = JSON.parse(stdout)
      assert.include(
        findings.filter((it: { verdict: string }) => it.verdict === "fail").map((it: { rule: string }) => it.rule),
        "pkce-s256"
      )
    } finally {
      server.close()
      server.closeAllConnections()
    }
  })

  it("runs a server whose challenge names the metadata", () => {
    const program = `console.log(JSON.stringify(await (await import("./server.ts")).answer()))`
    const { challenge, status } = JSON.parse(run(consumer, process.execPath, "--input-type=module", "--eval", program))
    assert.strictEqual(status, 401)
    assert.strictEqual(
      challenge,
      `Bearer scope="todos:read", resource_metadata="https://todos.example.com/.well-known/oauth-protected-resource/mcp"`
    )
  })

  describe.each(adapters)("beside $peer alone, $name", ({ challenged, entry, name, peer, program }) => {
    let folder: string
    const commonJs = program.replace(/\.ts$/, ".cts")

    beforeAll(() => {
      folder = join(home, entry)
      mkdirSync(folder)
      writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, type: "module" }))
      for (const file of [program, commonJs]) cpSync(join(root, "test/package", program), join(folder, file))
      const versions = ["effect", peer].map((it) => `${it}@${manifest.devDependencies[it]}`)
      run(folder, "npm", "install", "--prefer-offline", "--no-audit", "--no-fund", tarball, ...versions)
    })

    it("is installed without the other peer", () => {
      const others = adapters.filter((it) => it.peer !== peer)
      for (const other of others) assert.isFalse(existsSync(join(folder, "node_modules", other.peer)), other.peer)
    })

    const settings = [
      { module: "NodeNext", moduleResolution: "NodeNext", modules: "ES modules", file: program },
      { module: "ESNext", moduleResolution: "Bundler", modules: "ES modules", file: program },
      { module: "NodeNext", moduleResolution: "NodeNext", modules: "CommonJS modules", file: commonJs }
    ]

    it.each(compilers.flatMap((compiler) => settings.map((setting) => ({ ...setting, ...compiler }))))(
      "has types that compile with moduleResolution $moduleResolution, $modules and TypeScript $version",
      ({ compiler, file, module, moduleResolution }) => {
        // The declarations of the SDKs name packages that they do not install, so declarations are not checked here.
        writeFileSync(
          join(folder, "tsconfig.json"),
          JSON.stringify({
            files: [file],
            compilerOptions: {
              module,
              moduleResolution,
              target: "ES2022",
              lib: ["ES2022", "DOM", "DOM.Iterable"],
              types: [],
              strict: true,
              exactOptionalPropertyTypes: true,
              skipLibCheck: true,
              outDir: "out"
            }
          })
        )
        run(folder, process.execPath, compiler(home))
      }
    )

    it.each([
      { modules: "ES modules", file: program },
      { modules: "CommonJS modules", file: `out/${commonJs.replace(/\.cts$/, ".cjs")}` }
    ])("runs a server of $modules whose challenges name the metadata, and the scopes of a tool", ({ file }) => {
      const call = `console.log(JSON.stringify(await (await import("./${file}")).answers()))`
      // The rejections are logged to the same output, so the result is its last line.
      const printed = run(folder, process.execPath, "--input-type=module", "--eval", call).trim().split("\n")
      const answers = JSON.parse(printed.at(-1)!)
      const metadata = `resource_metadata="https://todos.example.com/.well-known/oauth-protected-resource/mcp"`
      assert.deepStrictEqual(answers, {
        unknown: [401, `Bearer scope="todos:read", ${metadata}`],
        lacking: [
          403,
          `Bearer error="insufficient_scope", scope="${challenged}", ${metadata}, ` +
          "error_description=\"The access token lacks a scope that this operation needs\""
        ],
        allowed: "alice"
      }, name)
    })
  })
})
