/** Starts instances of a proxy as processes that share a store. */
import { Effect, type Scope } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { startPostgres } from "../../postgres.ts"
import { freePort, runs, start } from "../../program.ts"
import type { Command, Result } from "./Instance.ts"

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "grants-"))),
  (made) => Effect.sync(() => rmSync(made, { recursive: true, force: true }))
)

const redis = Effect.gen(function*() {
  const port = yield* freePort
  yield* start("redis-server", ["--port", `${port}`, "--bind", "127.0.0.1", "--save", ""], port)
  return `redis://127.0.0.1:${port}`
})

/** The stores that processes can share, and the place of each. */
export const stores: Readonly<
  Record<string, { readonly exists: boolean; readonly place: Effect.Effect<string, never, Scope.Scope> }>
> = {
  sqlite: { exists: true, place: Effect.map(folder, (made) => join(made, "records.db")) },
  redis: { exists: runs("redis-server"), place: redis },
  postgres: { exists: runs("postgres"), place: Effect.map(startPostgres, String) }
}

/** A command without its number. */
type Sent = Command extends infer C ? C extends Command ? Omit<C, "id"> : never : never

/** An instance. */
export interface Running {
  /** Sends a command. Returns `undefined` if the process ends instead of answering. */
  readonly send: (command: Sent) => Promise<Result | undefined>
}

/** Starts an instance. `order` is the order of its two secrets, and `retryWindow` the option of its grants. */
export const startInstance = (
  kind: string,
  place: string,
  order: "ab" | "ba" = "ab",
  retryWindow = "10 minutes"
): Effect.Effect<Running, never, Scope.Scope> =>
  Effect.gen(function*() {
    const file = join(import.meta.dirname, "Instance.ts")
    const options = ["--no-warnings", "--conditions=effect-mcp-auth/source", file, kind, place, order, retryWindow]
    const child: ChildProcess = yield* Effect.acquireRelease(
      Effect.sync(() => spawn(process.execPath, options, { stdio: ["pipe", "pipe", "inherit"] })),
      (child) =>
        Effect.promise(() =>
          new Promise<void>((resolve) => {
            if (child.exitCode !== null || child.signalCode !== null) return resolve()
            child.once("exit", () => resolve())
            child.kill("SIGKILL")
          })
        )
    )
    const waiting = new Map<number, (result: Result | undefined) => void>()
    let lastId = 0
    yield* Effect.promise(() =>
      new Promise<void>((resolve, reject) => {
        createInterface({ input: child.stdout! }).on("line", (line) => {
          if (line === "ready") return resolve()
          const result: Result = JSON.parse(line)
          waiting.get(result.id)?.(result)
          waiting.delete(result.id)
        })
        child.once("exit", (code) => {
          reject(new Error(`the instance ended with ${code}`))
          for (const answer of waiting.values()) answer(undefined)
          waiting.clear()
        })
      })
    )
    return {
      send: (command) =>
        new Promise((resolve) => {
          const id = ++lastId
          waiting.set(id, resolve)
          child.stdin!.write(`${JSON.stringify({ id, ...command })}\n`)
        })
    }
  })

/** Starts two instances, which have their secrets in different order. */
export const startTwo = (kind: string, place: string) =>
  Effect.all([startInstance(kind, place, "ab"), startInstance(kind, place, "ba")], { concurrency: 2 })

/** The result of a series of races. `violations` is empty if each round gave one successor. */
export interface Series {
  readonly rotations: number
  readonly answers: number
  readonly violations: ReadonlyArray<string>
}

/** Returns the generation of a refresh token. */
export const generationOf = (token: string) => Number(token.split(".")[1])

/** Signs in at an instance. Returns the first refresh token. */
export const signIn = async (at: Running): Promise<string> => {
  const [code] = (await at.send({ do: "issue" }))!.values
  return (await at.send({ do: "redeem", code: code! }))!.values[0]!
}

/**
 * Refreshes one grant with both instances at once, three times each, and repeats this with the next token. Each round must give one
 * successor.
 */
export const raceRefreshes = async ([one, other]: readonly [Running, Running], rounds: number): Promise<Series> => {
  const violations: Array<string> = []
  let token = await signIn(other)
  let answers = 0
  for (let round = 0; round < rounds && violations.length === 0; round++) {
    const results = await Promise.all([one, other].map((each) => each.send({ do: "refresh", token, times: 3 })))
    const values = results.flatMap((result) => result?.values ?? ["lost"])
    answers += values.length
    if (values.length !== 6 || new Set(values).size !== 1 || generationOf(values[0]!) !== round + 1) {
      violations.push(`round ${round}: ${values.join(" ")}`)
    }
    token = values[0]!
  }
  return { rotations: generationOf(token), answers, violations }
}

/** Redeems one code with both instances at once. Returns the refresh token or the rejection of each. */
export const raceCode = async ([one, other]: readonly [Running, Running]): Promise<ReadonlyArray<string>> => {
  const [code] = (await one.send({ do: "issue" }))!.values
  const results = await Promise.all([one, other].map((each) => each.send({ do: "redeem", code: code! })))
  return results.flatMap((result) => result?.values ?? ["lost"])
}
