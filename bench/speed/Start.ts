/**
 * The level "start": from the start of a process to its first protected response. Each server is a file of its host that imports
 * only what its author would import. The files of this library and of Effect are in `start/`, those of other libraries in
 * `peers/start/`.
 */
import { build } from "esbuild"
import { execFileSync, fork, spawn } from "node:child_process"
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Readable } from "node:stream"
import * as Child from "./Child.ts"
import * as Load from "./Load.ts"
import { type Goal, type Level, type Settings, type Table, withQuartiles } from "./Report.ts"
import { ratio, shuffled, spread } from "./Stats.ts"
import { answer, resource } from "./Subject.ts"

const root = join(import.meta.dirname, "../..")

/** The path of workerd, which Miniflare installs. */
const workerd = createRequire(createRequire(import.meta.url).resolve("miniflare")).resolve("workerd/bin/workerd")

interface Used {
  /** CPU time since the start of the process, in microseconds. */
  readonly cpu: number
  /** Resident memory, in bytes. */
  readonly rss: number
}

interface Started {
  readonly port: number
  readonly used: () => Promise<Used>
  readonly stop: () => Promise<void>
}

type Start = (issuer: string) => Promise<Started>

/** Runs a file as a process of Node. The file sends its port when it listens. */
const onNode = (file: string): Start => async (issuer) => {
  const child = Child.keep(fork(join(import.meta.dirname, file), [issuer, resource], {
    execArgv: ["--import", new URL("start/report.mjs", import.meta.url).href],
    stdio: ["ignore", "ignore", "inherit", "ipc"]
  }))
  const next = <A>() =>
    new Promise<A>((resolve, reject) => {
      const onExit = (code: number | null) => reject(new Error(`${file} ended with ${code}`))
      child.once("exit", onExit).once("message", (message) => {
        child.off("exit", onExit)
        resolve(message as A)
      })
    })
  const port = await next<number>()
  return {
    port,
    used: () => {
      const used = next<Used>()
      child.send("used")
      return used
    },
    stop: () => Child.stop(child)
  }
}

/** Reads what a process has used from Linux: the CPU time of all its threads, and its resident memory. */
const usedBy = (pid: number): Used => {
  const read = (path: string) => readFileSync(`/proc/${pid}/${path}`, "utf8")
  const cpu = readdirSync(`/proc/${pid}/task`).reduce(
    (sum, task) => sum + Number(read(`task/${task}/schedstat`).split(" ")[0]) / 1000,
    0
  )
  return { cpu, rss: Number(/^VmRSS:\s*(\d+)/m.exec(read("status"))?.[1]) * 1024 }
}

/** Bundles a Worker into one file, as Wrangler does, and runs it in workerd. */
const onWorkerd = (file: string): Start => async (issuer) => {
  const folder = mkdtempSync(join(tmpdir(), "effect-mcp-auth-start-"))
  await build({
    entryPoints: [join(import.meta.dirname, file)],
    outfile: join(folder, "worker.js"),
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    platform: "neutral",
    mainFields: ["module", "main"],
    conditions: ["workerd", "worker", "import", "default"],
    external: ["cloudflare:workers"],
    logLevel: "warning"
  })
  writeFileSync(
    join(folder, "config.capnp"),
    `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = (
      modules = [(name = "worker", esModule = embed "worker.js")],
      compatibilityDate = "2026-07-01",
      bindings = [(name = "ISSUER", text = ${JSON.stringify(issuer)}), (name = "RESOURCE", text = "${resource}")]
    )),
    (name = "internet", network = (allow = ["public", "private"]))
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")]
);\n`
  )
  const child = Child.keep(spawn(workerd, ["serve", "--control-fd=3", "config.capnp"], {
    cwd: folder,
    stdio: ["ignore", "ignore", "inherit", "pipe"]
  }))
  const port = await new Promise<number>((resolve, reject) => {
    let text = ""
    const control = child.stdio[3] as Readable
    control.setEncoding("utf8").on("data", (chunk: string) => {
      const [, port] = /"event":"listen".*"port":(\d+)/.exec(text += chunk) ?? []
      if (port !== undefined) resolve(Number(port))
    })
    child.once("exit", (code) => reject(new Error(`${file} ended with ${code}`)))
  })
  return {
    port,
    used: async () => usedBy(child.pid!),
    stop: async () => {
      child.kill()
      await Child.exited(child)
      rmSync(folder, { recursive: true, force: true })
    }
  }
}

interface Host {
  readonly name: string
  readonly start: (file: string) => Start
  /** The file of the server with which the others are compared. */
  readonly base: string
  readonly files: ReadonlyArray<string>
}

const hosts: ReadonlyArray<Host> = [
  {
    name: "Express",
    start: onNode,
    base: "peers/start/express+mcp-auth.mjs",
    files: [
      "start/express.mjs",
      "start/express+effect-mcp-auth.mjs",
      "peers/start/express+mcp-auth.mjs",
      "peers/start/express+requireBearerAuth.mjs"
    ]
  },
  {
    name: "node:http",
    start: onNode,
    base: "start/node.mjs",
    files: ["start/node.mjs", "start/node+effect-mcp-auth.mjs"]
  },
  {
    name: "Hono",
    start: onNode,
    base: "peers/start/hono+jose.mjs",
    files: ["start/hono.mjs", "start/hono+effect-mcp-auth.mjs", "peers/start/hono+jose.mjs"]
  },
  {
    name: "Effect",
    start: onNode,
    base: "start/effect.mjs",
    files: ["start/effect.mjs", "start/effect+effect-mcp-auth.mjs"]
  },
  ...(process.platform === "linux"
    ? [{
      name: "workerd",
      start: onWorkerd,
      base: "start/workerd.mjs",
      files: ["start/workerd.mjs", "start/workerd+jose.mjs", "start/workerd+effect-mcp-auth.mjs"]
    }]
    : [])
]

/** Returns the name of a server in the tables: `hono+jose` for `peers/start/hono+jose.mjs`. */
const nameOf = (file: string): string => file.slice(file.lastIndexOf("/") + 1, -".mjs".length).replace("+", " + ")

interface Sample extends Used {
  readonly milliseconds: number
}

/** Starts a server, and sends one request. */
const once = async (start: Start, issuer: string, token: string): Promise<Sample> => {
  const began = performance.now()
  const server = await start(issuer)
  try {
    const { body, statuses } = await Load.run(server.port, [Load.get(token)], {
      connections: 1,
      until: (sent) => sent === 1
    })
    if (statuses["200"] !== 1 || body !== answer) throw new Error(`the response was ${Object.keys(statuses)}: ${body}`)
    return { milliseconds: performance.now() - began, ...await server.used() }
  } finally {
    await server.stop()
  }
}

export const start = async ({ issuer, quick }: Settings): Promise<Level> => {
  // Measures the build, as in an installation. A start from the sources would include the time in which Node strips types.
  const isBuilt = existsSync(join(root, "dist"))
  execFileSync("npm", ["run", "--silent", "build"], { cwd: root, stdio: "inherit", timeout: 120_000 })
  const [token] = await issuer.mint("RS256", 1)
  const servers = hosts.flatMap(({ files, start }) => files.map((file) => ({ file, start: start(file) })))
  const samples = new Map<string, Array<Sample>>(servers.map(({ file }) => [file, []]))
  // The first round only fills the caches of the file system.
  for (let round = 0; round <= (quick ? 3 : 11); round++) {
    for (const { file, start } of shuffled(servers)) {
      const sample = await once(start, issuer.url, token!)
      if (round > 0) samples.get(file)!.push(sample)
    }
  }
  // The linter would read the types of a build that the run leaves behind.
  if (!isBuilt) rmSync(join(root, "dist"), { recursive: true, force: true })
  const of = (file: string, pick: (sample: Sample) => number) => samples.get(file)!.map(pick)
  const cpuRatio = (file: string, base: string) => ratio(of(file, ({ cpu }) => cpu), of(base, ({ cpu }) => cpu))
  const addedMemory = (file: string, base: string) => {
    const bases = of(base, ({ rss }) => rss)
    return spread(of(file, ({ rss }) => rss).map((rss, round) => (rss - bases[round]!) / 2 ** 20))
  }
  const tables = hosts.map(({ base, files, name }): Table => ({
    title: `Start on ${name}, to the first protected answer`,
    text: `As a multiple of ${nameOf(base)}, and memory above it; less is better.`,
    columns: ["server", "CPU", "time", "memory in MiB"],
    rows: files.map((file) => [
      nameOf(file),
      withQuartiles(cpuRatio(file, base)),
      withQuartiles(ratio(of(file, (_) => _.milliseconds), of(base, (_) => _.milliseconds))),
      withQuartiles(addedMemory(file, base))
    ])
  }))
  const [express, mcpAuth] = ["start/express+effect-mcp-auth.mjs", "peers/start/express+mcp-auth.mjs"] as const
  const goals: ReadonlyArray<Goal> = [
    {
      id: "start/express",
      what: "CPU of a start, Express: to Express + mcp-auth",
      reach: { atMost: 1.3 },
      found: cpuRatio(express, mcpAuth)
    },
    {
      id: "start/memory",
      what: "memory after a start, Express: above Express + mcp-auth",
      reach: { atMost: 12 },
      found: addedMemory(express, mcpAuth),
      unit: "MiB"
    },
    {
      id: "start/effect",
      what: "CPU of a start, Effect: to the same server without protection",
      reach: { atMost: 1.2 },
      found: cpuRatio("start/effect+effect-mcp-auth.mjs", "start/effect.mjs")
    }
  ]
  return { tables, goals }
}
