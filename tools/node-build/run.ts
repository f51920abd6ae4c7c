/**
 * `npm run build:node`: writes `dist/node`, in which the modules of `dist` are joined into few files. Node, Bun and Deno load them (the
 * condition `node` of package.json), because resolving and reading a module costs about 0.2 ms, and a protected server needs more
 * than a hundred. Bundlers use the separate modules (the condition `module`), because they cannot remove unused parts of a joined
 * file.
 *
 * All entry points are built at once, so that a module which several of them use exists once in a program.
 */
import { build } from "esbuild"
import { readFileSync } from "node:fs"

interface Conditions {
  readonly default: string
  readonly node?: string
}

const { exports } = JSON.parse(readFileSync("package.json", "utf8")) as {
  readonly exports: Readonly<Record<string, string | Conditions>>
}
const targets = Object.entries(exports).flatMap(([entry, target]) => {
  if (typeof target === "string") return []
  if (target.node !== undefined) return [{ default: target.default, node: target.node }]
  throw new Error(
    `exports of package.json: ${entry} has no condition "node". Write module and node as at the other entries`
  )
})

await build({
  entryPoints: targets.map((target) => ({
    in: target.default,
    out: target.node.replace(/^\.\/dist\/node\//, "").replace(/\.js$/, "")
  })),
  outdir: "dist/node",
  chunkNames: "shared/[name]-[hash]",
  bundle: true,
  splitting: true,
  packages: "external",
  // Keeps the names and lines of the code, so that stack traces can be read. Comments are in the modules of `dist`.
  platform: "node",
  target: "node20.19",
  format: "esm",
  legalComments: "none",
  logLevel: "warning"
})
