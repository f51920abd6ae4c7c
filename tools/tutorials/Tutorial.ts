/**
 * Follows the README of an example as a reader does: in an empty folder, with the packed tarball. The info string of a block
 * names its kind:
 *
 *     ts file=server.ts    a file to create (js, too)
 *     ts fragment          a part of a file, to read
 *     sh                   commands to run; the text or json block that follows is their output
 *     sh terminal=1        the same for a program that keeps running; a program in that terminal is interrupted first
 *     sh clone, text clone commands for a clone of the repository, and their output: for other tests
 *
 * Any other text block is a part of the log of one of these programs. A line `…` represents lines that are not shown.
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
    /** Its output. */
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

/** Returns where the shown lines end in the output, or `undefined` if they are missing. `…` matches any lines. */
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

/** Whether the shown text is the whole output. */
const isWhole = (shown: string, printed: string): boolean => {
  // Text after the last `…` is not compared.
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
  /** Output of both streams, with the ports of the page. */
  readonly printed: () => string
  readonly printedOnStandardOutput: () => string
  /** Length of the output that a page has shown. */
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
  /** Folder in which the folders of the pages are created. */
  readonly home: string
  /** Replaces the commands of a block before they run. */
  readonly prepare: (commands: string) => string
}

export const follow = async ({ home, page, prepare }: Options): Promise<void> => {
  // The ports of the pages may be in use on this machine.
  const ports = new Map([["3000", await freePort()], ["3001", await freePort()], ["4000", await freePort()]])
  const here = (text: string) =>
    [...ports].reduce((it, [from, to]) => it.replaceAll(`127.0.0.1:${from}`, `127.0.0.1:${to}`), text)
  const there = (text: string) =>
    [...ports].reduce((it, [from, to]) => it.replaceAll(`127.0.0.1:${to}`, `127.0.0.1:${from}`), text)

  const env = {
    // Variables of this test run must not reach the vitest, npm and node of a page.
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
    // Signals the shell and its children, as Ctrl-C does.
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
      // The log may arrive shortly after the response.
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
