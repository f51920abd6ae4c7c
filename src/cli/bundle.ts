/**
 * Bundles the command into `dist/cli.mjs`, and writes the licenses of the bundled packages next to it, as these licenses
 * require.
 *
 * @since 0.1.0
 */
import { build } from "esbuild"
import { readdirSync, readFileSync, writeFileSync } from "node:fs"

const { metafile } = await build({
  entryPoints: ["src/cli/main.ts"],
  outfile: "dist/cli.mjs",
  bundle: true,
  platform: "node",
  target: "node20.19",
  format: "esm",
  minifySyntax: true,
  minifyWhitespace: true,
  minifyIdentifiers: true,
  legalComments: "eof",
  logLevel: "warning",
  metafile: true,
  // Some bundled packages are CommonJS and load built-in modules of Node with `require`, which an ES module lacks.
  banner: {
    js:
      "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url)"
  }
})

const folders = new Set(
  Object.values(metafile.outputs).flatMap(({ inputs }) =>
    Object.entries(inputs).flatMap(([file, { bytesInOutput }]) =>
      bytesInOutput === 0 ? [] : /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(file) ?? []
    )
  )
)

const makeNotice = (folder: string): string => {
  const { license, name, version } = JSON.parse(readFileSync(`${folder}/package.json`, "utf8"))
  const file = readdirSync(folder).find((_) => /^licen[cs]e/i.test(_))
  if (file === undefined) throw new Error(`${name} has no license text, so it cannot be bundled`)
  return `${name} ${version} (${license})\n\n${readFileSync(`${folder}/${file}`, "utf8").trim()}\n`
}

writeFileSync(
  "dist/cli.LICENSES.txt",
  [
    "cli.mjs contains effect-mcp-auth (see LICENSE) and code of these packages.\n",
    ...[...folders].sort().map(makeNotice)
  ].join(`\n${"-".repeat(80)}\n\n`)
)
