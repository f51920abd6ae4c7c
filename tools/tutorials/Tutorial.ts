/**
 * Follows the README of an example as a reader does: in an empty folder, with the packed tarball. The info string of a block
 * names its kind:
 *
 *     ts file=server.ts    a file to create (js and sh, too)
 *     ts fragment          a part of a file, only for the reader
 *     sh                   commands to run; the text or json block that follows is their output
 *     sh terminal=1        starts a program that keeps running, after stopping the previous program of this terminal
 *     sh clone, text clone commands for a clone of the repository, and their output; not run here
 *
 * Any other text block is a part of the log of one of the running programs. A line `…` stands for any number of lines.
 */
import { assert } from "@effect/vitest"
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { type AddressInfo, createServer } from "node:net"
import { homedir } from "node:os"
import { dirname, join } from "node:path"

export type Step =
  | { readonly kind: "file"; readonly path: string; readonly code: string }
  | {
    readonly kind: "command"
    readonly command: string
    readonly terminal: string | undefined
    /** The output that the page shows, or `undefined` if it shows none. */
    readonly shown: string | undefined
    readonly json: boolean
  }
  | { readonly kind: "log"; readonly shown: string }

export const steps = (page: string): ReadonlyArray<Step> => {
  const blocks = [...page.matchAll(/^```(\w+)(?: ([^\n]*))?\n(.*?)^```$/gms)].map(([, language, info = "", code]) => ({
    language: language!,
    info,
    code: code!
  }))
  const found: Array<Step> = []
  for (let index = 0; index < blocks.length; index++) {
    const { code, info, language } = blocks[index]!
    const [, path] = /^file=(\S+)$/.exec(info) ?? []
    if (path !== undefined) found.push({ kind: "file", path, code })
    else if (language === "sh") {
      const next = blocks[index + 1]
      const shown = next?.info === "" && ["text", "json"].includes(next.language) ? next : undefined
      if (shown !== undefined) index++
      if (info === "clone") continue
      const [, terminal] = /^terminal=(\d+)$/.exec(info) ?? []
      found.push({ kind: "command", command: code, terminal, shown: shown?.code, json: shown?.language === "json" })
    } else if (language === "text" && info === "") found.push({ kind: "log", shown: code })
  }
  return found
}

/** Removes values that differ between runs: times, and the numbers of fibers. */
const comparable = (text: string): ReadonlyArray<string> =>
  text
    .replaceAll("\r", "")
    .replaceAll(/\d+(\.\d+)?(ms|s)\b/g, "$2")
    .replaceAll(/\b\d\d:\d\d:\d\d(\.\d+)?/g, "time")
    .replaceAll(/\(#\d+\)/g, "(#)")
    .replaceAll(/duration(_ms|:) \S+/g, "duration$1")
    .trim()
    .split("\n")
    .map((line) => line.trimEnd())

/** Returns the index after the shown lines in the output, or `undefined` if they are missing. `…` matches any lines. */
const match = (shown: ReadonlyArray<string>, printed: ReadonlyArray<string>, from: number): number | undefined => {
  if (shown.length === 0) return from
  const [first, ...others] = shown
  if (first !== "…") return printed[from] === first ? match(others, printed, from + 1) : undefined
  for (let at = from; at <= printed.length; at++) {
    const end = match(others, printed, at)
    if (end !== undefined) return end
  }
  return undefined
}

/** Returns whether the shown text matches the whole output. */
const isWhole = (shown: string, printed: string): boolean => {
  // If the shown text ends with `…`, the rest of the output is not compared.
  const open = /\n…\s*$/.test(shown)
  const lines = comparable(printed)
  const end = match(comparable(shown.replace(/\n…\s*$/, "")), lines, 0)
  return end !== undefined && (open || end === lines.length)
}

const freePort = (): Promise<string> =>
  new Promise((resolve) => {
    const server = createServer()
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(String(port)))
    })
  })

interface Program {
  readonly child: ChildProcess
  /** Returns the output of both streams, in which the ports that the page shows replace the real ports. */
  readonly printed: () => string
  readonly printedOnStandardOutput: () => string
  /** The number of lines of the output that earlier blocks of the page have shown. */
  seen: number
}

/** Waits for the condition. Returns false after the timeout. */
const until = async (condition: () => boolean, within: `${number} seconds`): Promise<boolean> => {
  const late = performance.now() + Number.parseInt(within) * 1000
  while (!condition()) {
    if (performance.now() > late) return false
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return true
}

export interface Options {
  readonly page: string
  /** The folder in which the first command of the page runs. */
  readonly home: string
  /** Replaces the commands of a block before they run. */
  readonly prepare: (commands: string) => string
}

export const follow = async ({ home, page, prepare }: Options): Promise<void> => {
  // The ports that a page shows can be in use on this machine, so the commands use free ones.
  const ports = new Map([["3000", await freePort()], ["3001", await freePort()], ["4000", await freePort()], [
    "5000",
    await freePort()
  ]])
  const here = (text: string) =>
    [...ports].reduce((it, [from, to]) => it.replaceAll(`127.0.0.1:${from}`, `127.0.0.1:${to}`), text)
  const there = (text: string) =>
    [...ports].reduce((it, [from, to]) => it.replaceAll(`127.0.0.1:${to}`, `127.0.0.1:${from}`), text)

  const env = {
    // The variables of this test run would change how the programs of a page run.
    ...Object.fromEntries(
      Object.entries(process.env).filter(([name]) =>
        !/^(VITEST|NODE_|FORCE_COLOR|TEST$|npm_config_local_prefix)/.test(name)
      )
    ),
    PATH: `${dirname(process.execPath)}:${process.env["PATH"]}`,
    NO_COLOR: "1",
    // The programs of a page may write to the home folder. The cache of npm stays where it is.
    HOME: home,
    npm_config_cache: process.env["npm_config_cache"] ?? join(homedir(), ".npm"),
    npm_config_prefer_offline: "true",
    npm_config_audit: "false",
    npm_config_fund: "false",
    PORT: ports.get("3000"),
    ORDERS_PORT: ports.get("3001"),
    SDK_PORT: ports.get("3001"),
    ISSUER_PORT: ports.get("4000"),
    WORK_PORT: ports.get("3001"),
    AGENT_PORT: ports.get("5000"),
    CALLBACK_PORT: await freePort(),
    SERVERS: here("http://127.0.0.1:3000/mcp,http://127.0.0.1:3001/mcp"),
    MCP_URL: here("http://127.0.0.1:3000/mcp"),
    ISSUER: here("http://127.0.0.1:4000"),
    AUTHORIZATION_SERVERS: here("http://127.0.0.1:4000")
  }

  let folder = home
  const terminals = new Map<string, Program>()

  const start = (command: string, options: { readonly detached: boolean }): Program => {
    const child = spawn("/bin/sh", ["-e", "-c", `${here(prepare(command))}\npwd > "${home}/.folder"`], {
      cwd: folder,
      env,
      stdio: ["ignore", "pipe", "pipe"],
      ...options
    })
    let both = ""
    let output = ""
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      both += text
      output += text
    })
    child.stderr.setEncoding("utf8").on("data", (text: string) => both += text)
    return { child, printed: () => there(both), printedOnStandardOutput: () => there(output), seen: 0 }
  }

  const stop = async ({ child }: Program): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const closed = once(child, "close")
    // A negative id signals the shell and its children, as Ctrl-C does.
    process.kill(-child.pid!, "SIGINT")
    await closed
  }

  const differences: Array<string> = []
  const compare = (command: string, shown: string, printed: string, same: boolean) => {
    if (!same) differences.push(`${command}prints\n\n${printed}\nand the page shows\n\n${shown}`)
  }

  const run = async (step: Step): Promise<void> => {
    if (step.kind === "file") {
      const path = join(folder, step.path)
      mkdirSync(dirname(path), { recursive: true })
      writeFileSync(path, step.code)
      return
    }
    if (step.kind === "log") {
      const expected = ["…", ...comparable(step.shown)]
      const found = () =>
        [...terminals.values()].some((program) => {
          const end = match(expected, comparable(program.printed()), program.seen)
          if (end === undefined) return false
          program.seen = end
          return true
        })
      // A program can write its log shortly after it responds.
      const isShown = await until(found, "2 seconds")
      compare("The log ", step.shown, [...terminals.values()].map((it) => it.printed()).join("\n"), isShown)
      return
    }
    const { command, shown } = step
    if (step.terminal !== undefined) {
      const before = terminals.get(step.terminal)
      if (before !== undefined) await stop(before)
      const program = start(command, { detached: true })
      terminals.set(step.terminal, program)
      assert(shown !== undefined, `${command}shows nothing on the page`)
      const isShown = await until(
        () => program.child.exitCode !== null || isWhole(shown, program.printed()),
        "60 seconds"
      )
      compare(command, shown, program.printed(), isShown && isWhole(shown, program.printed()))
      return
    }
    const program = start(command, { detached: false })
    const [code] = await once(program.child, "close")
    assert.strictEqual(code, 0, `${command}ended with ${code}:\n${program.printed()}`)
    folder = readFileSync(join(home, ".folder"), "utf8").trim()
    if (shown === undefined) {
      assert.notMatch(command, /^(\w+=\S+ )*(node|curl|npx) /m, "what it prints is not on the page")
      return
    }
    // curl writes its progress to standard error.
    const printed = command.startsWith("curl ") ? program.printedOnStandardOutput() : program.printed()
    if (step.json) assert.deepStrictEqual(JSON.parse(printed), JSON.parse(shown), command)
    else compare(command, shown, printed, isWhole(shown, printed))
  }

  try {
    for (const step of steps(page)) await run(step)
    assert.deepStrictEqual(differences, [], differences.join("\n"))
  } finally {
    await Promise.all([...terminals.values()].map(stop))
  }
}
