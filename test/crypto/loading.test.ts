/**
 * Tests that jose is loaded only when a key needs it. No entry point except `testing` imports it statically, and a bundle
 * contains only the part of jose that verifies.
 */
import { assert, describe, it } from "@effect/vitest"
import { build, type Metafile } from "esbuild"
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

const root = new URL("../../", import.meta.url)
const exported: Readonly<Record<string, string | { readonly "effect-mcp-auth/source": string }>> =
  JSON.parse(readFileSync(new URL("package.json", root), "utf8")).exports

const entries = Object.entries(exported).flatMap(([name, entry]) =>
  typeof entry === "string" || name === "./testing" ? [] : [[name, entry["effect-mcp-auth/source"]] as const]
)

const bundle = async (entry: string, options: Parameters<typeof build>[0]): Promise<Metafile> =>
  (await build({
    entryPoints: [fileURLToPath(new URL(entry, root))],
    bundle: true,
    write: false,
    metafile: true,
    format: "esm",
    target: "es2022",
    platform: "neutral",
    mainFields: ["module", "main"],
    conditions: ["effect-mcp-auth/source", "import", "default"],
    outdir: "out",
    logLevel: "error",
    ...options
  })).metafile!

/** The packages that an output imports before it runs, directly or through other outputs. */
const staticImports = ({ outputs }: Metafile): ReadonlySet<string> => {
  const found = new Set<string>()
  const visit = (path: string) => {
    if (found.has(path)) return
    found.add(path)
    for (const { external, kind, path: imported } of outputs[path]?.imports ?? []) {
      if (kind !== "import-statement") continue
      if (external === true) found.add(imported)
      else visit(imported)
    }
  }
  for (const [path, { entryPoint }] of Object.entries(outputs)) {
    // esbuild also reports an entry point for files that are imported dynamically. Those are in `internal` folders, so they are
    // skipped.
    if (entryPoint !== undefined && !entryPoint.includes("/internal/")) visit(path)
  }
  return found
}

describe("an entry point", () => {
  it.each(entries)("%s imports jose on demand alone", async (_, entry) => {
    const metafile = await bundle(entry, { packages: "external", splitting: true })
    assert.notInclude([...staticImports(metafile)], "jose")
  })

  it("testing imports jose, which shows that the test above would notice", async () => {
    const entry = (exported["./testing"] as { readonly "effect-mcp-auth/source": string })["effect-mcp-auth/source"]
    assert.include([...staticImports(await bundle(entry, { packages: "external", splitting: true }))], "jose")
  })
})

describe("a bundle of effect-mcp-auth/fetch in one file", () => {
  it("holds the part of jose that verifies: no encryption, no signing and no key generation", async () => {
    const { outputs } = await bundle("src/servers/fetch/index.ts", { minify: true })
    const files = Object.values(outputs).flatMap(({ inputs }) =>
      Object.entries(inputs).flatMap(([path, { bytesInOutput }]) =>
        path.includes("node_modules/jose/") && bytesInOutput > 0 ? [path.replace(/.*\/webapi\//, "")] : []
      )
    )
    assert.include(files, "lib/jws_verify.js")
    for (const other of ["jwe/", "jwt/", "key/generate", "lib/jwe_decrypt", "lib/jwe_encrypt", "lib/jws_sign"]) {
      assert.deepStrictEqual(files.filter((file) => file.startsWith(other)), [])
    }
  })
})
