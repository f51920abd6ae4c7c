/** Packs the package once for all tests that use the tarball. Packing runs the build, and concurrent builds would conflict. */
import { spawnSync } from "node:child_process"
import { mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { TestProject } from "vitest/node"

declare module "vitest" {
  interface ProvidedContext {
    /** The path of the packed tarball. */
    readonly tarball: string
  }
}

export const setup = (project: TestProject): () => void => {
  const home = mkdtempSync(join(tmpdir(), "effect-mcp-auth-tarball-"))
  const root = join(import.meta.dirname, "..")
  const { error, status, stderr, stdout } = spawnSync("npm", ["pack", "--pack-destination", home], {
    cwd: root,
    encoding: "utf8"
  })
  if (status !== 0) throw error ?? new Error(`npm pack ended with ${status}\n${stdout}\n${stderr}`)
  project.provide("tarball", join(home, readdirSync(home)[0]!))
  return () => rmSync(home, { recursive: true, force: true })
}
