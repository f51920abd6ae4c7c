/** Installs the clients into a temporary folder, with the exact versions of the lock file. */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { copyFileSync, mkdtempSync } from "node:fs"
import { rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { TestProject } from "vitest/node"

declare module "vitest" {
  export interface ProvidedContext {
    /** The folder in which the clients are installed. */
    readonly folder: string
  }
}

export default async ({ provide }: TestProject): Promise<() => Promise<void>> => {
  const folder = mkdtempSync(join(tmpdir(), "effect-mcp-auth-clients-"))
  for (const file of ["package.json", "package-lock.json"]) {
    copyFileSync(join(import.meta.dirname, "packages", file), join(folder, file))
  }
  // `npm run` sets this variable to this repository. `npm ci` would then install into this repository.
  const { npm_config_local_prefix: _, ...env } = process.env
  const npm = spawn("npm", ["ci", "--ignore-scripts", "--no-audit", "--loglevel=error"], {
    cwd: folder,
    env,
    stdio: "inherit"
  })
  const [code] = await once(npm, "exit")
  // Asynchronous, because it takes up to half a minute, and Vitest ends its worker at the same time.
  const remove = () => rm(folder, { recursive: true, force: true })
  if (code !== 0) {
    await remove()
    throw new Error(`npm ci failed with the exit code ${code}`)
  }
  provide("folder", folder)
  return remove
}
