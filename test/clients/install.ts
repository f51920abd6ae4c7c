/** Installs the clients into a temporary folder, with the exact versions of the lock file. */
import { execFileSync } from "node:child_process"
import { copyFileSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { TestProject } from "vitest/node"

declare module "vitest" {
  export interface ProvidedContext {
    /** The folder in which the clients are installed. */
    readonly folder: string
  }
}

export default ({ provide }: TestProject): () => void => {
  const folder = mkdtempSync(join(tmpdir(), "effect-mcp-auth-clients-"))
  for (const file of ["package.json", "package-lock.json"]) {
    copyFileSync(join(import.meta.dirname, "packages", file), join(folder, file))
  }
  // `npm run` sets this variable to this repository. `npm ci` would then install into this repository.
  const { npm_config_local_prefix: _, ...env } = process.env
  execFileSync("npm", ["ci", "--ignore-scripts", "--no-audit", "--loglevel=error"], {
    cwd: folder,
    env,
    stdio: "inherit"
  })
  provide("folder", folder)
  return () => rmSync(folder, { recursive: true, force: true })
}
