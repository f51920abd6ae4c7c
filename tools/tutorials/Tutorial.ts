/**
 * Follows the README of an example as a reader does: in an empty folder, with the packed tarball. Blocks of the page say in
 * their info string what they are:
 *
 *     ts file=server.ts    a file to create (js, too)
 *     ts fragment          a part of a file, to read
 *     sh                   commands to run; the text or json block that follows is what they print
 *     sh terminal=1        the same for a program that goes on; what ran in that terminal is interrupted first
 *     sh clone, text clone commands for a clone of the repository, and what they print: for other tests
 *
 * Any other text block is what the log of one of these programs says. A line `…` stands for lines that are not shown.
 */
import { assert } from "@effect/vitest"
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { type AddressInfo, createServer } from "node:net"
import { dirname, join } from "node:path"

export type Step =
  | { readonly kind: "file"; readonly path: string; readonly code: string }
  | {
    readonly kind: "command"
    readonly command: string
    readonly terminal: string | undefined
    /** What it prints. */
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

/** What differs from run to run: times, and the numbers of fibers. */
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

/** Where the shown lines end in what was printed, `…` standing for any lines; `undefined` when they are not there. */
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

/** Whether this is what was printed, and all of it. */
const isWhole = (shown: string, printed: string): boolean => {
  // What stands behind the last `…` is not looked at.
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
  /** On both streams, with the ports of the page. */
  readonly printed: () => string
  readonly printedOnStandardOutput: () => string
  /** How much of it a page has shown. */
  seen: number
}

/** Whether it came true in time. */
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
  /** Where the folders of the pages are made. */
  readonly home: string
  /** What is run instead of the commands of a block. */
  readonly prepare: (commands: string) => string
}

export const follow = async ({ home, page, prepare }: Options): Promise<void> => {
  // The ports that the pages name may be taken on this machine.
  const ports = new Map([["3000", await freePort()], ["3001", await freePort()], ["4000", await freePort()]])
  const here = (text: string) =>
    [...ports].reduce((it, [from, to]) => it.replaceAll(`127.0.0.1:${from}`, `127.0.0.1:${to}`), text)
  const there = (text: string) =>
    [...ports].reduce((it, [from, to]) => it.replaceAll(`127.0.0.1:${to}`, `127.0.0.1:${from}`), text)

  const env = {
    // What these tests run with is nothing to the vitest, npm and node of a page.
    ...Object.fromEntries(
      Object.entries(process.env).filter(([name]) =>
        !/^(VITEST|NODE_|FORCE_COLOR|TEST$|npm_config_local_prefix)/.test(name)
      )
    ),
    PATH: `${dirname(process.execPath)}:${process.env["PATH"]}`,
    NO_COLOR: "1",
    npm_config_prefer_offline: "true",
    npm_config_audit: "false",
    npm_config_fund: "false",
    PORT: ports.get("3000"),
    ORDERS_PORT: ports.get("3001"),
    ISSUER_PORT: ports.get("4000"),
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
    // The shell and what it runs, as Ctrl-C does.
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
      // The log may be a moment behind the answer.
      const said = await until(found, "2 seconds")
      compare("The log ", step.shown, [...terminals.values()].map((it) => it.printed()).join("\n"), said)
      return
    }
    const { command, shown } = step
    if (step.terminal !== undefined) {
      const before = terminals.get(step.terminal)
      if (before !== undefined) await stop(before)
      const program = start(command, { detached: true })
      terminals.set(step.terminal, program)
      assert(shown !== undefined, `${command}shows nothing on the page`)
      const said = await until(
        () => program.child.exitCode !== null || isWhole(shown, program.printed()),
        "60 seconds"
      )
      compare(command, shown, program.printed(), said && isWhole(shown, program.printed()))
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
    // curl tells of its progress on standard error.
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
