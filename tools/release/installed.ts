import { spawnSync } from "node:child_process"
import { existsSync, readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { join } from "node:path"
import { pathToFileURL } from "node:url"

const folder = import.meta.dirname

/** Installs the tools of a release into `tools/release/node_modules`, unless the lock file is the one that was installed. */
export const install = (): void => {
  const read = (...path: ReadonlyArray<string>) => {
    const file = join(folder, ...path)
    return existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : undefined
  }
  const { "": _, ...locked } = read("package-lock.json").packages
  if (JSON.stringify(read("node_modules/.package-lock.json")?.packages) === JSON.stringify(locked)) return
  // `npm run` sets this variable to the repository. The inner npm would then install into the repository.
  const { npm_config_local_prefix: __, ...env } = process.env
  const args = ["ci", "--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund"]
  const { error, status, stderr } = spawnSync("npm", args, { cwd: folder, env, encoding: "utf8" })
  if (status !== 0) throw error ?? new Error(`npm ci in tools/release ended with ${status}\n${stderr}`)
}

/** The path of a program that one of the tools contains, such as `attw` of `@arethetypeswrong/cli`. */
export const program = (name: string): string => join(folder, "node_modules/.bin", name)

/** Loads a module of the tools. */
export const load = (name: string): Promise<unknown> =>
  import(pathToFileURL(createRequire(join(folder, "package.json")).resolve(name)).href)
