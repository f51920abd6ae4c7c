/** Copies this repository, as it is in the work tree, to a temporary folder with a separate Git repository. */
import { execFileSync, spawnSync } from "node:child_process"
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"

const root = join(import.meta.dirname, "..")

export interface Result {
  readonly status: number | null
  /** The output and the errors that the command printed. */
  readonly output: string
}

export interface Clone {
  readonly folder: string
  /** Runs a command. The packages of `node_modules/.bin` are in the path, as in `npm run`. */
  readonly run: (command: string, ...args: ReadonlyArray<string>) => Result
  /** Runs a command, and throws if it fails. */
  readonly expect: (command: string, ...args: ReadonlyArray<string>) => string
  readonly read: (file: string) => string
  readonly write: (file: string, text: string) => void
  readonly commit: (subject: string) => void
  readonly remove: () => void
}

/** Makes the copy. It shares `node_modules` with this repository. */
export const clone = (): Clone => {
  const folder = mkdtempSync(join(tmpdir(), "effect-mcp-auth-clone-"))
  const listed = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
    cwd: root,
    encoding: "utf8"
  })
  for (const file of listed.split("\0").filter((it) => it !== "" && existsSync(join(root, it)))) {
    mkdirSync(join(folder, dirname(file)), { recursive: true })
    cpSync(join(root, file), join(folder, file))
  }
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"))
  // The settings of the person who runs the tests, such as signatures of commits, do not count.
  const { npm_config_local_prefix: _, ...inherited } = process.env
  const env = {
    ...inherited,
    PATH: `${join(root, "node_modules/.bin")}:${inherited["PATH"]}`,
    NO_COLOR: "1",
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_CONFIG_SYSTEM: "/dev/null",
    ...Object.fromEntries(["AUTHOR", "COMMITTER"].flatMap((role) => [
      [`GIT_${role}_NAME`, "Test"],
      [`GIT_${role}_EMAIL`, "test@example.com"]
    ]))
  }
  const run = (command: string, ...args: ReadonlyArray<string>): Result => {
    const { error, status, stderr, stdout } = spawnSync(command, args, { cwd: folder, env, encoding: "utf8" })
    if (error !== undefined) throw error
    return { status, output: stdout + stderr }
  }
  const expect = (command: string, ...args: ReadonlyArray<string>): string => {
    const { output, status } = run(command, ...args)
    if (status !== 0) throw new Error(`${command} ${args.join(" ")} ended with ${status}\n${output}`)
    return output
  }
  const commit = (subject: string) => {
    expect("git", "add", "--all")
    expect("git", "commit", "--quiet", "--message", subject)
  }
  expect("git", "init", "--quiet", "--initial-branch", "main")
  writeFileSync(join(folder, ".git/info/exclude"), "/node_modules\n")
  commit("Copy the repository")
  return {
    folder,
    run,
    expect,
    read: (file) => readFileSync(join(folder, file), "utf8"),
    write: (file, text) => {
      mkdirSync(join(folder, dirname(file)), { recursive: true })
      writeFileSync(join(folder, file), text)
    },
    commit,
    remove: () => rmSync(folder, { recursive: true, force: true })
  }
}
