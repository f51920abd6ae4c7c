/**
 * `npm run build:node`: writes `dist/node`, in which the modules of `dist` are joined into few files. Node, Bun and Deno load them (the
 * condition `node` of package.json), because resolving and reading a module costs about 0.3 ms, and a protected server needs more
 * than a hundred. Bundlers use the separate modules (the condition `module`), because they cannot remove unused parts of a joined
 * file.
 *
 * All entry points are built at once, so that a module which several of them use exists once in a program.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { rolldown } from "rolldown"
import { makeGroups } from "./Groups.ts"

interface Conditions {
  readonly default: string
  readonly node?: string
}

const { exports } = JSON.parse(readFileSync("package.json", "utf8")) as {
  readonly exports: Readonly<Record<string, string | Conditions>>
}
const input = Object.fromEntries(
  Object.entries(exports).flatMap(([entry, target]) => {
    if (typeof target === "string") return []
    if (target.node !== undefined) {
      return [[target.node.replace(/^\.\/dist\/node\//, "").replace(/\.js$/, ""), target.default]]
    }
    throw new Error(
      `exports of package.json: ${entry} has no condition "node". Write module and node as at the other entries`
    )
  })
)

const bundle = await rolldown({
  input,
  external: /^[^./]/,
  platform: "node",
  transform: { target: "node20.19" },
  preserveEntrySignatures: "allow-extension"
})
await bundle.write({
  dir: "dist/node",
  format: "esm",
  entryFileNames: "[name].js",
  chunkFileNames: "shared/[name].js",
  // Keeps the names and lines of the code, so that stack traces can be read. Comments are in the modules of `dist`.
  minify: false,
  comments: false,
  codeSplitting: {
    includeDependenciesRecursively: false,
    groups: [{ name: makeGroups(), debugName: "parts of every server" }]
  }
})
await bundle.close()

// For each import of another package, Node reads the closest package.json and parses its exports. The one of this package is
// long, so a short one in front of it saves Node 5 ms at each start.
writeFileSync("dist/node/package.json", `${JSON.stringify({ type: "module", sideEffects: false })}\n`)
