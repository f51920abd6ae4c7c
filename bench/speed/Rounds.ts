/** Runs load on several servers in turn, and compares the results. */
import * as Child from "./Child.ts"
import * as Load from "./Load.ts"
import type { Goal } from "./Report.ts"
import { ratio, shuffled, type Spread } from "./Stats.ts"

export interface Sample {
  /** CPU time of the server per request, in microseconds. */
  readonly cpu: number
  /** Requests per second. */
  readonly rate: number
}

/** The samples of each server, one per round. `undefined` for a round with too few responses. */
export type Samples = ReadonlyMap<string, ReadonlyArray<Sample | undefined>>

export interface Turns {
  readonly count: number
  /**
   * Time at the start of each turn in which nothing is measured, because CPU caches still contain the data of other servers. In
   * milliseconds.
   */
  readonly leadIn: number
  readonly milliseconds: number
  /**
   * The limits of the warm-up, which ends when one of them is reached. V8 compiles code during the warm-up. If it did so later,
   * the measurement would be distorted.
   */
  readonly warm: { readonly milliseconds: number; readonly requests: number }
  /** Text that the body of the first response of each turn must contain. Default: any body is accepted. */
  readonly contained?: string
}

/**
 * Runs rounds of load on several warm servers, each round in a new order. Processes of the same name alternate between rounds,
 * because the speed of two processes with the same code differs by up to a tenth. A shared machine can be slower by half for a
 * second or two. Therefore turns are short and numerous, and the turns of servers that are compared are adjacent.
 */
export const rounds = async (
  servers: ReadonlyArray<Child.Server>,
  requestsOf: (name: string) => ReadonlyArray<Buffer>,
  expected: (name: string) => ReadonlyArray<string>,
  { compared = () => true, contained = "", count, leadIn, milliseconds, once = () => false, warm }: Turns & {
    /** Whether a goal compares this server. */
    readonly compared?: (name: string) => boolean
    /** Whether each request is sent to this server only once. A round ends when no request is left. */
    readonly once?: (name: string) => boolean
  }
): Promise<Samples> => {
  const names = [...new Set(servers.map(({ name }) => name))]
  const samples = new Map<string, Array<Sample | undefined>>(names.map((name) => [name, []]))
  const next = new Map<Child.Server, number>()
  const load = async (
    server: Child.Server,
    enough: (sent: number, passed: number) => boolean,
    measure?: { readonly after: number; readonly cpu: () => Promise<number> }
  ) => {
    const { name, port } = server
    const requests = requestsOf(name)
    const from = next.get(server) ?? 0
    const outcome = await Load.run(port, requests, {
      from,
      ...(measure === undefined ? {} : { measure }),
      until: (sent, passed) => (once(name) && from + sent >= requests.length) || enough(sent, passed)
    })
    next.set(server, from + outcome.count)
    const wrong = Object.keys(outcome.statuses).find((status) => !expected(name).includes(status))
    if (wrong !== undefined || !outcome.body.includes(contained)) {
      throw new Error(`${name} answers ${wrong ?? "something else"}: ${outcome.body}`)
    }
    return outcome
  }
  // The warm-up also alternates between the servers or routes. Otherwise the second route of a server would start with code
  // that was compiled for the first route.
  const passes = 4
  for (let pass = 0; pass < passes; pass++) {
    for (const server of servers) {
      await load(server, (sent, passed) => sent >= warm.requests / passes || passed > warm.milliseconds / passes)
    }
  }
  const first = names.filter(compared)
  const others = names.filter((name) => !compared(name))
  for (let round = 0; round < count; round++) {
    for (const name of [...shuffled(first), ...shuffled(others)]) {
      const processes = servers.filter((server) => server.name === name)
      const server = processes[round % processes.length]!
      const { measured } = await load(
        server,
        (_, passed) => passed > leadIn + milliseconds,
        { after: leadIn, cpu: server.cpu }
      )
      // A server without requests left, or with fewer than five responses, has no sample.
      samples.get(name)!.push(
        measured === undefined || measured.count < 5
          ? undefined
          : { cpu: measured.cpu / measured.count, rate: measured.count / measured.seconds }
      )
    }
  }
  return samples
}

/** Starts the requested number of processes of each server. */
export const startServers = (
  names: ReadonlyArray<string>,
  issuer: Child.Issuer,
  processes: (name: string) => number
): Promise<ReadonlyArray<Child.Server>> =>
  Promise.all(
    names.flatMap((name) => Array.from({ length: processes(name) }, () => Child.server(name, issuer.url)))
  )

/**
 * Runs rounds of load on the routes of one server. The keys of `requests` name the routes. Compiled code and memory layout are
 * the same for all routes of a process, so the difference between a route behind the gate and one without protection is the
 * cost of the gate.
 */
export const routesOf = async (
  server: string,
  issuer: Child.Issuer,
  requests: ReadonlyMap<string, ReadonlyArray<Buffer>>,
  expected: (name: string) => ReadonlyArray<string>,
  { processes, ...turns }: Turns & { readonly processes: number }
): Promise<Samples> => {
  const samples = new Map<string, Array<Sample | undefined>>([...requests.keys()].map((name) => [name, []]))
  // Measures one process after the other, because consecutive turns of one process find its data in the CPU caches.
  for (let process = 0; process < processes; process++) {
    const [started] = await startServers([server], issuer, () => 1)
    const found = await rounds(
      [...requests.keys()].map((name) => ({ ...started!, name })),
      (name) => requests.get(name)!,
      expected,
      turns
    )
    for (const [name, samplesOf] of found) samples.get(name)!.push(...samplesOf)
    await started!.stop()
  }
  return samples
}

/** Returns the ratio of the requests that `of` serves to those that `to` serves, per CPU time and per wall-clock time. */
export const compare = (samples: Samples, of: string, to: string): { readonly cpu: Spread; readonly rate: Spread } => {
  const others = samples.get(to)!
  const pairs = samples.get(of)!.flatMap((one, round) => {
    const other = others[round]
    return one === undefined || other === undefined ? [] : [{ one, other }]
  })
  if (pairs.length < 3) throw new Error(`${of} and ${to} were measured together in ${pairs.length} rounds`)
  return {
    cpu: ratio(pairs.map(({ other }) => other.cpu), pairs.map(({ one }) => one.cpu)),
    rate: ratio(pairs.map(({ one }) => one.rate), pairs.map(({ other }) => other.rate))
  }
}

export const goal = (
  id: string,
  what: string,
  atLeast: number,
  samples: Samples,
  of: string,
  to: string
): ReadonlyArray<Goal> => {
  if (!samples.has(of) || !samples.has(to)) return []
  const { cpu, rate } = compare(samples, of, to)
  return [{ id, what, reach: { atLeast }, found: cpu, byRate: rate }]
}
