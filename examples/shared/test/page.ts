/** Follows a tutorial: its commands are run, its files are those of the example, and what it shows is what is printed. */
import { assert } from "@effect/vitest"
import { execFile } from "node:child_process"
import { readdirSync, readFileSync } from "node:fs"
import { type AddressInfo, createServer } from "node:net"
import { fileURLToPath } from "node:url"
import { type Program, start } from "./Program.ts"
import { comparable } from "./readme.ts"

const folder = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url))

const read = (example: string) => readFileSync(`${folder(example)}/README.md`, "utf8")

/** Code without its layout, and without the comment at the top of a file. */
const compact = (code: string): string => code.replace(/^\/\*\*.*?\*\/\n/s, "").replaceAll(/\s+/g, "")

/** Every fragment that the page shows stands in one of the files around it; the page shows at least so many. */
export const showsItsFiles = (example: string, atLeast: number, further: ReadonlyArray<string> = []): void => {
  const fragments = [...read(example).matchAll(/^```ts fragment\n(.*?)^```$/gms)].map(([, code]) => code ?? "")
  assert.isAtLeast(fragments.length, atLeast)
  const own = readdirSync(folder(example), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts") && !name.includes("node_modules"))
    .map((name) => `${example}/${name}`)
  const files = [...own, "shared/issuer.ts", "shared/call.ts", ...further].map((path) =>
    compact(readFileSync(folder(path), "utf8"))
  )
  for (const fragment of fragments) {
    assert.isTrue(files.some((file) => file.includes(compact(fragment))), `in no file of ${example}:\n${fragment}`)
  }
}

const run = (command: string, cwd: string, env: Readonly<Record<string, string>>): Promise<string> =>
  new Promise((resolve) =>
    execFile(
      "/bin/sh",
      ["-c", command],
      {
        cwd,
        env: {
          PATH: `${process.execPath.replace(/\/[^/]+$/, "")}:${process.env["PATH"]}`,
          NODE_OPTIONS: "--conditions=effect-mcp-auth/source",
          ...env
        }
      },
      (_, stdout, stderr) => resolve(command.includes("curl ") ? stdout : stdout + stderr)
    )
  )

export interface Walk {
  /** What takes the place of what the page says, such as ports. */
  readonly replace: Readonly<Record<string, string>>
  readonly env: Readonly<Record<string, string>>
}

const lines = (text: string) =>
  comparable(text).replaceAll("\r", "").replaceAll(/ \(\d[\d.]*ms\)/g, "").split("\n").map((line) => line.trimEnd())

/**
 * Runs `curl`, `node call.ts` and `node --test` as they stand on the page. Gives the other output that it shows: that is for
 * the caller to find in what the programs print.
 */
export const follow = async (example: string, { env, replace }: Walk): Promise<ReadonlyArray<string>> => {
  const blocks = [...read(example).matchAll(/^```(sh|text|json)\n(.*?)^```$/gms)]
  const others: Array<string> = []
  let followed = 0
  for (let index = 0; index < blocks.length; index++) {
    const [, kind, code = ""] = blocks[index]!
    if (kind !== "sh") {
      others.push(...lines(code))
      continue
    }
    const [, program] = /^(?:\w+=\S+ )*(curl|node call\.ts|node --test) /.exec(code) ?? []
    if (program === undefined) continue
    const command = Object.entries(replace).reduce((text, [from, to]) => text.replaceAll(from, to), code)
    const printed = lines(await run(command, folder(program === "node call.ts" ? "shared" : example), env))
    const [, next, shown = ""] = blocks[index + 1] ?? []
    assert.notStrictEqual(next, "sh", `nothing is shown for ${code}`)
    index++
    followed++
    if (next === "json") {
      assert.deepStrictEqual(JSON.parse(printed.join("\n")), JSON.parse(comparable(shown)), code)
      continue
    }
    const expected = lines(shown)
    // Others say more than is worth showing: all that is shown must be there, in this order.
    const found = program === "node call.ts" ? printed : expected.filter(((at) => (line: string) => {
      const there = printed.indexOf(line, at)
      if (there >= 0) at = there + 1
      return there >= 0
    })(0))
    assert.deepStrictEqual(found, expected, `${code}\n${printed.join("\n")}`)
  }
  assert.isAbove(followed, 0)
  return others
}

export const freePort = () =>
  new Promise<string>((resolve) => {
    const server = createServer()
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(String(port)))
    })
  })

/** `issuer.ts` and a program of the example, on free ports, until the page was followed; gives what the program printed. */
export const withServer = async (
  example: string,
  path: string,
  use: (walk: Walk, program: Program) => Promise<ReadonlyArray<string>>,
  env: Readonly<Record<string, string>> = {}
): Promise<void> => {
  const issuer = start("shared/issuer.ts", { ISSUER_PORT: await freePort() })
  let program: Program | undefined
  try {
    const issuerUrl = (await issuer.firstLine).replace("issuer ", "")
    program = start(`${example}/${path}`, { PORT: await freePort(), AUTHORIZATION_SERVERS: issuerUrl, ...env })
    const url = (await program.firstLine).replace("listening on ", "")
    const others = await use({
      replace: { "http://127.0.0.1:3000": new URL(url).origin, "http://127.0.0.1:4000": issuerUrl },
      env: { MCP_URL: url, ISSUER: issuerUrl }
    }, program)
    program.interrupt()
    const { stderr, stdout } = await program.ended
    const printed = comparable(stdout + stderr)
    for (const line of others) assert.include(printed, line)
  } finally {
    program?.interrupt()
    issuer.interrupt()
  }
}
