/** Starts the processes of a run. */
import { type ChildProcess, fork } from "node:child_process"
import { join } from "node:path"
import type { Question } from "./Issuer.ts"

/** Options of Node that load the package from its sources. Without them, Node loads the build, as in an installation. */
const source = ["--conditions=effect-mcp-auth/source"]

/** The processes that run. */
const running = new Set<ChildProcess>()

/** Keeps a process among those that `stopAll` stops, until it ends. Returns the process. */
export const keep = <A extends ChildProcess>(child: A): A => {
  running.add(child)
  child.once("exit", () => running.delete(child))
  return child
}

/** Stops every process of the run, including those that hang. */
export const stopAll = async (): Promise<void> => {
  await Promise.all([...running].map((child) => {
    const ended = exited(child)
    child.kill("SIGKILL")
    return ended
  }))
}

/** Resolves when a process has ended. */
export const exited = (child: ChildProcess): Promise<void> =>
  new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve()
    else child.once("exit", () => resolve())
  })

/** Starts a file of this folder as a process, and returns the process and its first message. */
const start = async <A>(
  file: string,
  args: ReadonlyArray<string>,
  execArgv: ReadonlyArray<string> = source
): Promise<{ readonly child: ChildProcess; readonly first: A }> => {
  const child = keep(fork(join(import.meta.dirname, file), args, {
    execArgv: [...execArgv],
    serialization: "advanced",
    stdio: ["ignore", "inherit", "inherit", "ipc"]
  }))
  return { child, first: await nextMessage<A>(child) }
}

const nextMessage = <A>(child: ChildProcess) =>
  new Promise<A>((resolve, reject) => {
    const onMessage = (message: unknown) => {
      child.off("exit", onExit)
      resolve(message as A)
    }
    const onExit = (code: number | null, signal: string | null) => {
      child.off("message", onMessage)
      reject(new Error(`a process of the run ended with ${code ?? signal}`))
    }
    child.once("message", onMessage)
    child.once("exit", onExit)
  })

const ask = <A>(child: ChildProcess, question: unknown): Promise<A> => {
  const answer = nextMessage<A>(child)
  child.send(question as object)
  return answer
}

/** Disconnects from a process, which then ends, and waits for its end. */
export const stop = (child: ChildProcess): Promise<void> => {
  const ended = exited(child)
  if (child.connected) child.disconnect()
  return ended
}

export interface Issuer {
  readonly url: string
  /** Mints `count` tokens. Default of `typ`: `at+jwt`. */
  readonly mint: (algorithm: "RS256" | "ES256" | "EdDSA", count: number, typ?: string) => Promise<ReadonlyArray<string>>
  /** Creates the headers of `count` requests with a DPoP-bound token, each with a new proof. */
  readonly proofs: (
    count: number
  ) => Promise<ReadonlyArray<{ readonly authorization: string; readonly dpop: string }>>
  /** Returns the number of requests that the authorization server received. */
  readonly requests: () => Promise<number>
  readonly stop: () => Promise<void>
}

export const issuer = async (): Promise<Issuer> => {
  const { child, first } = await start<string>("Issuer.ts", [])
  const question = <A>(question: Question) => ask<A>(child, question)
  return {
    url: first,
    mint: (algorithm, count, typ = "at+jwt") => question({ ask: "mint", algorithm, count, typ }),
    proofs: (count) => question({ ask: "proofs", count }),
    requests: () => question({ ask: "requests" }),
    stop: () => stop(child)
  }
}

export interface Server {
  readonly name: string
  readonly port: number
  /** Returns the CPU time of all threads of the process since its start, in microseconds. */
  readonly cpu: () => Promise<number>
  /** Runs `work`, and returns the CPU profile of the server during that time. */
  readonly profile: (work: () => Promise<unknown>) => Promise<object>
  readonly stop: () => Promise<void>
}

/**
 * An option of V8 that keeps compiled code. By default, V8 discards compiled code when the process is idle for some seconds,
 * and the next few thousand requests take five times as long. The servers of a comparison take turns, so each is idle most of
 * the time.
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

/** Runs a file of this folder in a separate process with one input, and returns its result. */
export const work = async <A>(file: string, given: unknown, execArgv: ReadonlyArray<string> = []): Promise<A> => {
  const { child } = await start<unknown>(file, [], [...source, ...execArgv])
  const done = await ask<A>(child, given)
  await stop(child)
  return done
}

/** A program of this folder that answers questions. */
export interface Program<First, Question> {
  /** Its first message. */
  readonly first: First
  readonly ask: <A>(question: Question) => Promise<A>
  readonly stop: () => Promise<void>
}

export const program = async <First, Question>(
  file: string,
  args: ReadonlyArray<string>
): Promise<Program<First, Question>> => {
  const { child, first } = await start<First>(file, args, [...source, neverIdle])
  return { first, ask: (question) => ask(child, question), stop: () => stop(child) }
}
