/** Measures what a program adds to a bundle. */
import { build } from "esbuild"
import { join, relative } from "node:path"
import { gzipSync } from "node:zlib"

const root = join(import.meta.dirname, "../..")

/** The packages that a program installs anyway. Bundles exclude them. */
export const peers = ["effect", "effect/*", "jose", "@modelcontextprotocol/*", "@effect/*"]

/**
 * Bundles a program, and returns the gzip size in kB of the code that loads at the start, without chunks imported on demand.
 */
export const bundleSize = async (contents: string, external: ReadonlyArray<string>): Promise<number> => {
  const { metafile, outputFiles } = await build({
    stdin: { contents, resolveDir: root },
    bundle: true,
    splitting: true,
    metafile: true,
    minify: true,
    write: false,
    outdir: join(root, "bundle"),
    absWorkingDir: root,
    format: "esm",
    platform: "neutral",
    mainFields: ["module", "main"],
    target: "es2022",
    conditions: ["effect-mcp-auth/source"],
    external: ["node:*", ...external]
  })
  const loaded = new Set<string>()
  const load = (path: string): void => {
    if (loaded.has(path)) return
    loaded.add(path)
    for (const { kind, path: next } of metafile.outputs[path]?.imports ?? []) {
      if (kind === "import-statement" && next in metafile.outputs) load(next)
    }
  }
  load(Object.keys(metafile.outputs).find((path) => metafile.outputs[path]!.entryPoint === "<stdin>")!)
  return outputFiles
    .filter(({ path }) => loaded.has(relative(root, path)))
    .reduce((sum, { contents }) => sum + gzipSync(contents, { level: 9 }).length / 1000, 0)
}
