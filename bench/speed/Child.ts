/** Starts the processes of a run. */
import { type ChildProcess, fork } from "node:child_process"
import { join } from "node:path"
import type { Question } from "./Issuer.ts"

/** Loads the package from its sources. Without this option the build is loaded, as in an installation. */
const source = ["--conditions=effect-mcp-auth/source"]

/** Starts a file of this folder, and returns its first message. */
const start = async <A>(
  file: string,
  args: ReadonlyArray<string>,
  execArgv: ReadonlyArray<string> = source
): Promise<{ readonly child: ChildProcess; readonly first: A }> => {
  const child = fork(join(import.meta.dirname, file), args, {
    execArgv: [...execArgv],
    serialization: "advanced",
    stdio: ["ignore", "inherit", "inherit", "ipc"]
  })
  return { child, first: await nextMessage<A>(child) }
}

const nextMessage = <A>(child: ChildProcess) =>
  new Promise<A>((resolve, reject) => {
    const onMessage = (message: unknown) => {
      child.off("exit", onExit)
      resolve(message as A)
    }
    const onExit = (code: number | null) => {
      child.off("message", onMessage)
      reject(new Error(`a process of the run ended with ${code}`))
    }
    child.once("message", onMessage)
    child.once("exit", onExit)
  })

const ask = <A>(child: ChildProcess, question: unknown): Promise<A> => {
  const answer = nextMessage<A>(child)
  child.send(question as object)
  return answer
}

const stop = (child: ChildProcess) =>
  new Promise<void>((resolve) => {
    child.once("exit", () => resolve())
    child.disconnect()
  })

export interface Issuer {
  readonly url: string
  /** Default of `typ`: `at+jwt`. */
  readonly mint: (algorithm: "RS256" | "ES256" | "EdDSA", count: number, typ?: string) => Promise<ReadonlyArray<string>>
  /** Number of requests that it received. */
  readonly requests: () => Promise<number>
  readonly stop: () => Promise<void>
}

export const issuer = async (): Promise<Issuer> => {
  const { child, first } = await start<string>("Issuer.ts", [])
  const question = <A>(question: Question) => ask<A>(child, question)
  return {
    url: first,
    mint: (algorithm, count, typ = "at+jwt") => question({ ask: "mint", algorithm, count, typ }),
    requests: () => question({ ask: "requests" }),
    stop: () => stop(child)
  }
}

export interface Server {
  readonly name: string
  readonly port: number
  /** CPU time of all its threads since its start, in microseconds. */
  readonly cpu: () => Promise<number>
  /** Profiles its CPU during the work. */
  readonly profile: (work: () => Promise<unknown>) => Promise<object>
  readonly stop: () => Promise<void>
}

/**
 * After some idle seconds V8 discards compiled code, and the next thousands of requests take five times as long. Servers that
 * take turns would all idle; a server under load does not.
 */
const neverIdle = "--no-memory-reducer"

export const server = async (name: string, issuer: string, from: "source" | "built" = "source"): Promise<Server> => {
  const { child, first } = await start<number>(
    "Server.ts",
    [name, issuer],
    from === "source" ? [...source, neverIdle] : []
  )
  return {
    name,
    port: first,
    cpu: () => ask(child, "cpu"),
    profile: async (work) => {
      await ask(child, { profile: true })
      await work()
      return await ask(child, { profile: false })
    },
    stop: () => stop(child)
  }
}

/** Runs one piece of work in a separate process, and returns its result. */
export const work = async <A>(file: string, given: unknown, execArgv: ReadonlyArray<string> = []): Promise<A> => {
  const { child } = await start<unknown>(file, [], [...source, ...execArgv])
  const done = await ask<A>(child, given)
  await stop(child)
  return done
}
