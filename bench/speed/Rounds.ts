/** Servers under load, in turns, and how they compare. */
import * as Child from "./Child.ts"
import * as Load from "./Load.ts"
import { type Goal, withQuartiles } from "./Report.ts"
import { ratio, shuffled, type Spread } from "./Stats.ts"

export interface Sample {
  /** Microseconds of the server's CPU for a request. */
  readonly cpu: number
  /** Requests in a second. */
  readonly rate: number
}

/** By name, one for each round; none where there were too few answers. */
export type Samples = ReadonlyMap<string, ReadonlyArray<Sample | undefined>>

export interface Turns {
  readonly count: number
  /** So many milliseconds at the beginning of a turn count for nothing: the caches of the machine belong to others then. */
  readonly leadIn: number
  readonly milliseconds: number
  /** Ends with either. What is young is compiled while it runs, which takes CPU time, too: the more the more code there is. */
  readonly warm: { readonly milliseconds: number; readonly requests: number }
  /** What is in the body of the first answer of each turn. Default: anything. */
  readonly contained?: string
}

/**
 * Rounds of load on several servers that are warm, in a new order each time. Of processes with the same name another one
 * serves in each round: what the compiler made of the same code differs by a tenth. A shared machine may take half as long
 * again for a second or two, so turns are short and many, and those that are compared follow each other.
 */
export const rounds = async (
  servers: ReadonlyArray<Child.Server>,
  requestsOf: (name: string) => ReadonlyArray<Buffer>,
  expected: (name: string) => ReadonlyArray<string>,
  { compared = () => true, contained = "", count, leadIn, milliseconds, once = () => false, warm }: Turns & {
    /** Who is compared by a goal. */
    readonly compared?: (name: string) => boolean
    /** Whether this server may see no request twice: a round ends where they do. */
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
  // In turns as well: of two routes of a server the second would find code that is compiled for the first.
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
      // Who has no requests left is measured no more.
      samples.get(name)!.push(
        measured === undefined || measured.count < 5
          ? undefined
          : { cpu: measured.cpu / measured.count, rate: measured.count / measured.seconds }
      )
    }
  }
  return samples
}

/** Starts servers, of each as many processes as are asked for. */
export const startServers = (
  names: ReadonlyArray<string>,
  issuer: Child.Issuer,
  processes: (name: string) => number
): Promise<ReadonlyArray<Child.Server>> =>
  Promise.all(
    names.flatMap((name) => Array.from({ length: processes(name) }, () => Child.server(name, issuer.url)))
  )

/**
 * Rounds of load on routes of one server, named as their requests are, in one process after the other. What the compiler
 * made of a process, where its memory lies and what else it does is the same for all of them, so what is between a route
 * behind a gate and one beside it is the gate.
 */
export const routesOf = async (
  server: string,
  issuer: Child.Issuer,
  requests: ReadonlyMap<string, ReadonlyArray<Buffer>>,
  expected: (name: string) => ReadonlyArray<string>,
  { processes, ...turns }: Turns & { readonly processes: number }
): Promise<Samples> => {
  const samples = new Map<string, Array<Sample | undefined>>([...requests.keys()].map((name) => [name, []]))
  // One process after the other: what comes next to itself finds its caches warm.
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

/** How many times as many requests the first serves for the same CPU time, and in the same time. */
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
  return [{ id, what, reach: { atLeast }, found: cpu, note: `by requests per second ${withQuartiles(rate)}` }]
}
