/**
 * Sends mixed traffic while keys rotate and the authorization server fails a third of the time. No good token may be rejected
 * (a 503 counts as a rejection), no bad token may be admitted, and memory must not grow. Meanwhile, clients open event streams, and
 * the configuration of the server is reloaded. The test uses real sockets and real time. The protected server runs in one process, the authorization server and the traffic in another.
 */
import { Effect } from "effect"
import type { FaultProxy } from "effect-mcp-auth/testing"
import { type ChildProcess, fork } from "node:child_process"
import { join } from "node:path"
import { setTimeout as delay } from "node:timers/promises"
import { callTool } from "../speed/Load.ts"
import * as Connections from "./Connections.ts"
import type { Host } from "./Hosts.ts"
import * as Issuers from "./Issuers.ts"
import type { Question, State } from "./Server.ts"
import * as Streams from "./Streams.ts"
import * as Traffic from "./Traffic.ts"

export interface Options {
  /** Duration of the traffic, in seconds. All durations of this type are in seconds. */
  readonly duration: number
  /** How long the maximum rate is measured. */
  readonly calibration: number
  /** Time between two new keys. Must not be shorter than `refresh`. A key begins to sign one rotation after it is published. */
  readonly rotation: number
  readonly refresh: number
  /** Time between two reloads of the configuration. */
  readonly reload: number
  /** Number of good tokens per key. Choose it so that the cache of verified tokens is full after a third of the run. */
  readonly people: number
  /** Share of the maximum rate that is sent, from 0 to 1. */
  readonly share: number
  /** Upper limit of the rate, in requests per second. Default: none. */
  readonly most?: number
  /** The host of the protected server. Default: Effect's MCP server. */
  readonly host?: Host
}

export interface Outcome extends Omit<ReturnType<Traffic.Traffic["seen"]>, "counts"> {
  readonly counts: Readonly<Record<string, Readonly<Record<string, number>>>>
  /** Requests per second: the maximum, the target and the rate that was achieved. */
  readonly maximum: number
  readonly rate: number
  readonly achieved: number
  /**
   * CPU seconds per second of each process while the maximum was measured. A value near 1 shows which process was the limit.
   */
  readonly cpu: { readonly server: number; readonly load: number }
  readonly keys: number
  readonly streams: Streams.Seen
  /**
   * How often the configuration was reloaded, how often the server postponed it because of an outage, and after which reloads the
   * partner was accepted or rejected wrongly.
   */
  readonly reloads: { readonly done: number; readonly postponed: number; readonly failed: ReadonlyArray<string> }
  /**
   * Whether the process of the server ends by itself within 20 seconds after `dispose`. Otherwise a timer, a listener or a socket of
   * the gate is left.
   */
  readonly endsByItself: boolean
  readonly providerRequests: number
  readonly providerFailures: number
  /**
   * Heap of the server after a garbage collection, in MiB: a value for each `minutes`, after a third of the run, at its end, the slope
   * in between in MiB per minute, and the growth, which is the slope multiplied by the time in between.
   */
  readonly heap: {
    readonly minutes: ReadonlyArray<number>
    readonly start: number
    readonly end: number
    readonly slope: number
    readonly growth: number
  }
}

/** Faults of an authorization server. With the last two, a fetch ends only at its time limit of five seconds. */
const faults: ReadonlyArray<FaultProxy.Fault> = [
  { _tag: "Status", status: 503 },
  { _tag: "Reset" },
  { _tag: "Truncate" },
  { _tag: "Replace", body: "<html>", contentType: "text/html" },
  { _tag: "ContentType", contentType: "text/html" },
  { _tag: "Giant", bytes: 3 * 1024 * 1024 },
  { _tag: "Hang" },
  { _tag: "Drip", every: "100 millis" }
]

/** Returns the slope of a line through the points. It is the median of all slopes, so that a single peak has no effect. */
const slopeOf = (points: ReadonlyArray<readonly [x: number, y: number]>): number => {
  const slopes = points.flatMap(([x, y], i) => points.slice(i + 1).map(([later, other]) => (other - y) / (later - x)))
    .sort((a, b) => a - b)
  return slopes[slopes.length >> 1]!
}

const nextMessage = <A>(child: ChildProcess) =>
  new Promise<A>((resolve, reject) => {
    const onExit = (code: number | null) => reject(new Error(`the server ended with ${code}`))
    child.once("exit", onExit).once("message", (message) => {
      child.off("exit", onExit)
      resolve(message as A)
    })
  })

const server = (issuers: Issuers.Names, resource: string, refresh: number, host: Host) =>
  Effect.gen(function*() {
    const child = yield* Effect.acquireRelease(
      Effect.sync(() =>
        fork(join(import.meta.dirname, "Server.ts"), [JSON.stringify(issuers), resource, String(refresh), host], {
          execArgv: ["--expose-gc", "--conditions=effect-mcp-auth/source"],
          stdio: ["ignore", "inherit", "inherit", "ipc"]
        })
      ),
      (child) =>
        Effect.promise(() =>
          new Promise<void>((resolve) => {
            if (child.exitCode !== null) return resolve()
            child.once("exit", () => resolve())
            if (child.connected) child.disconnect()
            else child.kill()
          })
        )
    )
    const port = yield* Effect.promise(() => nextMessage<number>(child))
    let last: Promise<unknown> = Promise.resolve()
    // One question at a time, because an answer does not name its question.
    const ask = <A>(question: Question): Promise<A> => {
      const answered = last.then(() => {
        const answer = nextMessage<A>(child)
        child.send(question)
        return answer
      })
      last = answered.catch(() => {})
      return answered
    }
    const end = async (): Promise<boolean> => {
      const ended = new Promise<boolean>((resolve) => child.once("exit", (code) => resolve(code === 0)))
      child.send("end" satisfies Question)
      return await Promise.race([ended, delay(20_000, false, { ref: false })])
    }
    return {
      port,
      state: () => ask<State>("state"),
      revoke: (token: string) => ask<void>({ revoke: token }),
      reload: (hasPartner: boolean) => ask<boolean>({ reload: hasPartner }),
      end
    }
  })

/** Runs the soak test. Calls `progress` with lines for the console. */
export const run = (options: Options, progress: (line: string) => void = () => {}): Effect.Effect<Outcome> =>
  Effect.scoped(Effect.gen(function*() {
    const resource = "https://todos.example.com/mcp"
    const { host = "effect" } = options
    const issuers = yield* Issuers.start(resource)
    const { main: issuer, partner, proxy } = issuers
    const { end: endServer, port, reload, revoke, state } = yield* server(
      issuers.names,
      resource,
      options.refresh,
      host
    )
    const connections = yield* Effect.acquireRelease(
      Effect.sync(() => Connections.make(port, 1000)),
      (_) => Effect.sync(_.close)
    )
    // SDK v1 supports no later revision.
    const revision = host === "sdk-v1" ? "2025-11-25" : "2026-07-28"
    const traffic = yield* Traffic.make(issuers, connections, options.people, revision)
    const call = (token: string) => connections.send(callTool(token, revision))
    const does = <A>(effect: Effect.Effect<A>) => Effect.runPromise(effect)

    // Calibration runs before any fault, so the server starts with keys. `npm run faults` covers servers that start in an
    // outage.
    const calibrate = async () => {
      const many = (seconds: number) => {
        const end = performance.now() + seconds * 1000
        return Promise.all(Array.from({ length: 32 }, async () => {
          for (let now = performance.now(); now < end; now = performance.now()) await traffic.send(now)
        }))
      }
      await traffic.warm()
      // Gives V8 the time to compile the code before the measurement.
      await many(options.calibration / 4)
      traffic.begin()
      const before = { server: (await state()).cpu, load: process.cpuUsage() }
      const began = performance.now()
      await many(options.calibration)
      const seconds = (performance.now() - began) / 1000
      const load = process.cpuUsage(before.load)
      const round = (value: number) => Math.round(value * 100) / 100
      return {
        maximum: Math.round(traffic.seen().sent / seconds),
        cpu: {
          server: round(((await state()).cpu - before.server) / seconds),
          load: round((load.user + load.system) / 1_000_000 / seconds)
        }
      }
    }

    return yield* Effect.promise(async (): Promise<Outcome> => {
      const { cpu, maximum } = await calibrate()
      const rate = Math.max(1, Math.round(Math.min(maximum * options.share, options.most ?? Number.POSITIVE_INFINITY)))
      progress(
        `at most ${maximum} requests per second (server ${cpu.server} of a CPU, traffic ${cpu.load}); ${rate} from now on`
      )

      const end = new AbortController()
      const { signal } = end
      const pause = (seconds: number) => delay(Math.max(0, seconds * 1000), undefined, { signal }).catch(() => {})
      let keys = 1
      let failures = 0
      let achieved = 0
      traffic.begin()
      const began = performance.now()
      const elapsed = () => (performance.now() - began) / 1000

      // The server fetches keys again in the last quarter of a refresh interval. A fault, which lasts an eighth of the
      // interval, and a fetch that waits for its limit of five seconds must both fit into that quarter. If the interval is too
      // short for this, the test omits the slow faults.
      const slow = options.refresh >= 40
      const usable = slow ? faults : faults.slice(0, -2)
      const provide = async () => {
        for (let turn = 0; !signal.aborted; turn++) {
          await does(proxy.clear)
          // The authorization server works, is slow and fails in turn, each for a third of the time.
          if (turn % 3 === 1) await does(proxy.set({ _tag: "Latency", by: "200 millis" }))
          if (turn % 3 === 2) {
            failures++
            await does(proxy.set(usable[Math.floor(turn / 3) % usable.length]!))
          }
          await pause(options.refresh / 8)
        }
      }
      const rotate = async () => {
        const currentKid = async () => (await does(issuer.currentKey)).kid
        const publish = async () => {
          keys++
          await does(issuer.rotateKeys)
          return { kid: await currentKid(), tokens: await does(traffic.signed) }
        }
        let signs = await currentKid()
        let next = await publish()
        let due = performance.now()
        // In each turn, the key that was published one rotation ago begins to sign, and the next key is published.
        while (!signal.aborted) {
          due += options.rotation * 1000
          await pause((due - performance.now()) / 1000)
          if (signal.aborted) return
          const [old, before] = [signs, traffic.use(next.tokens)]
          // The old key signed the tokens of the requests in progress. It is withdrawn when all of them have their responses.
          const answered = traffic.answered()
          signs = next.kid
          next = await publish()
          await answered
          await does(issuer.withdrawKey(old))
          // Waits until the server must have noticed the withdrawal: within one refresh interval, or with the first successful
          // fetch after a fault.
          void pause(options.refresh * 1.125 + (slow ? 6 : 2)).then(() => signal.aborted || traffic.retire(before))
        }
      }
      const send = async () => {
        const interval = 1000 / rate
        for (let due = performance.now(); !signal.aborted; due += interval) {
          const wait = due - performance.now()
          if (wait > 0) await pause(wait / 1000)
          void traffic.send(due)
        }
        await traffic.answered()
      }
      const heaps: Array<readonly [seconds: number, heap: number]> = []
      const watch = async () => {
        const between = Math.min(30, Math.max(1, options.duration / 20))
        while (elapsed() < options.duration) {
          await pause(Math.min(between, options.duration - elapsed()))
          const { heap } = await state()
          heaps.push([elapsed(), heap])
          const { badAdmitted, goodRejected, sent } = traffic.seen()
          progress(
            `${
              elapsed().toFixed(0)
            } s: ${sent} sent, ${goodRejected.length} good rejected, ${badAdmitted.length} bad admitted, ` +
              `heap ${heap.toFixed(1)} MiB`
          )
        }
        const { sent } = traffic.seen()
        achieved = sent / elapsed()
        end.abort()
      }
      let reloads = 0
      const reloaded = { done: 0, postponed: 0, failed: [] as Array<string> }
      const partnerToken = await does(partner.mint({ scopes: ["todos:read", "todos:write"], expiresIn: "2 hours" }))
      const reconfigure = async () => {
        const postpone = async () => {
          reloaded.postponed++
          await pause(0.5)
        }
        for (let hasPartner = true;; hasPartner = !hasPartner) {
          await pause(options.reload)
          if (signal.aborted) return
          reloads++
          // During an outage the new gate has no keys, so the server keeps the previous one.
          while (!signal.aborted && !(await reload(hasPartner))) await postpone()
          reloads++
          if (signal.aborted) return
          reloaded.done++
          const status = await call(partnerToken)
          const expected = hasPartner ? "200" : "401"
          if (status !== expected) reloaded.failed.push(`the partner's token: ${status} instead of ${expected}`)
        }
      }
      const stream = () =>
        Streams.run({
          port,
          revision,
          mint: () =>
            does(issuers.tenants.acme.mint({
              subject: `listener-${crypto.randomUUID()}`,
              scopes: ["todos:read", "todos:write"],
              expiresIn: "2 hours",
              claims: { org_id: "acme" }
            })),
          revoke,
          call,
          reloads: () => reloads,
          signal
        })
      const [streams] = await Promise.all([stream(), watch(), provide(), rotate(), send(), reconfigure()])

      connections.close()
      const endsByItself = await endServer()
      const seen = traffic.seen()
      const settled = heaps.filter(([at]) => at >= options.duration / 3)
      const slope = slopeOf(settled)
      return {
        maximum,
        rate,
        achieved: Math.round(achieved),
        cpu,
        ...seen,
        keys,
        streams,
        reloads: reloaded,
        endsByItself,
        providerRequests: (await does(proxy.received)).length,
        providerFailures: failures,
        heap: {
          minutes: heaps.filter(([at], i) => Math.floor(at / 60) > Math.floor((heaps[i - 1]?.[0] ?? 0) / 60))
            .map(([, heap]) => Math.round(heap * 10) / 10),
          start: settled[0]![1],
          end: settled.at(-1)![1],
          slope: slope * 60,
          growth: slope * (settled.at(-1)![0] - settled[0]![0])
        }
      }
    })
  }))
