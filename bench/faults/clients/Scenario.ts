/** One client before one fault: the steps of a scenario, and the observations on the wire. */
import { MisbehavingServers } from "effect-mcp-auth/testing"
import { setTimeout } from "node:timers/promises"
import { type Client, type ConnectOptions, makeWorld, type Person, type Session, type World } from "./World.ts"

/** A step of a scenario, and its result. */
export interface Step {
  readonly isDone: boolean
  /** The error of the client, or its silence. */
  readonly error: string | undefined
  /** In seconds. */
  readonly took: number
}

/** The time after which a step counts as hanging, in milliseconds, unless the row names another one. */
const usualPatience = 30_000

/** The time without requests after which a client counts as connected. Some open a stream beside the first call. */
const quiet = 250

export interface Scenario {
  readonly world: World
  readonly servers: World["servers"]
  readonly person: Person
  /** Connects a session. Further sessions share the storage of the client, as processes do. */
  readonly connect: () => Promise<Step>
  /** Calls a tool with the session of this number, the first one by default. */
  readonly call: (tool?: string, session?: number) => Promise<Step>
  /** The requests that a party received for a path, or for all paths. */
  readonly requests: (
    party: MisbehavingServers.Party,
    path?: string
  ) => Promise<ReadonlyArray<MisbehavingServers.ServerRequest>>
  /** The forms of the token requests at the issuer, of one grant type. */
  readonly tokenRequests: (grantType?: string) => Promise<ReadonlyArray<URLSearchParams>>
  /** The outputs of all sessions and the errors of all steps. */
  readonly output: () => string
}

export interface Finding {
  /**
   * - `safe`: the client does what the row requires.
   * - `unsafe`: the client does what the fault provokes.
   * - `differs`: the client harms no one, but stops although it could go on, or goes on although it should stop.
   */
  readonly verdict: "safe" | "unsafe" | "differs"
  readonly saw: string
}

/** A row of the table: a fault, and the oracle that decides by the requests on the wire. */
export interface Row {
  readonly number: number
  /** The fault, in a sentence. Default: the sentence of the fault. */
  readonly sentence?: string
  readonly fault?: MisbehavingServers.Fault
  /** Sets the fault after the sign-in. Default: the fault exists from the beginning. */
  readonly isLater?: true
  readonly options?: Partial<ConnectOptions>
  /** In milliseconds. Default: 30 seconds. */
  readonly patience?: number
  /** Returns why the row does not apply to a client. */
  readonly notApplicable?: (client: Client) => string | undefined
  readonly observe: (scenario: Scenario) => Promise<Finding>
}

export const sentenceOf = ({ fault, sentence }: Row): string => sentence ?? MisbehavingServers.faults[fault!].server

const attempt = async (patience: number, body: () => Promise<unknown>): Promise<Step> => {
  const start = performance.now()
  const seconds = () => (performance.now() - start) / 1000
  const late = new AbortController()
  try {
    const isDone = await Promise.race([
      body().then(() => true),
      setTimeout(patience, false, { signal: late.signal }).catch(() => false)
    ])
    return { isDone, error: isDone ? undefined : `no result after ${patience / 1000} s`, took: seconds() }
  } catch (error) {
    const { cause, message } = error as Error
    return { isDone: false, error: [message, cause].join(" "), took: seconds() }
  } finally {
    late.abort()
  }
}

/** Runs a row with a client. */
export const run = async (row: Row, client: Client): Promise<Finding> => {
  const world = await makeWorld(row.isLater === true ? undefined : row.fault)
  const { person, servers } = world
  const sessions: Array<Session> = []
  let errors = ""
  const record = (step: Step): Step => {
    errors += `${step.error ?? ""}\n`
    return step
  }
  const requests: Scenario["requests"] = async (party, path) =>
    (await servers.requests()).filter((request) =>
      request.party === party && (path === undefined || new URL(request.url).pathname === path)
    )
  const scenario: Scenario = {
    world,
    servers,
    person,
    connect: async () =>
      record(
        await attempt(row.patience ?? usualPatience, async () => {
          sessions.push(
            await client.connect(world, { isRegistered: false, headers: {}, usesDpop: false, ...row.options })
          )
          for (let seen = -1, now = 0; seen !== now; now = (await servers.requests()).length) {
            seen = now
            await setTimeout(quiet)
          }
        })
      ),
    call: async (tool = "list_todos", session = 0) =>
      record(
        await attempt(row.patience ?? usualPatience, async () => {
          const found = sessions[session]
          if (found === undefined) throw new Error("the client is not connected")
          await found.call(tool)
        })
      ),
    requests,
    tokenRequests: async (grantType) =>
      (await requests("issuer", "/token")).map(({ body }) => new URLSearchParams(body)).filter((form) =>
        grantType === undefined || form.get("grant_type") === grantType
      ),
    output: () => [errors, ...sessions.map((session) => session.output())].join("\n")
  }
  try {
    return await row.observe(scenario)
  } finally {
    await Promise.race([Promise.allSettled(sessions.map((session) => session.close())), setTimeout(2_000)])
    world.close()
  }
}
