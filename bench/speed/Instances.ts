/** The level "instances": processes behind one port that share a Redis, an outage of it, a slow one, and the reach of a revocation. */
import { spawnSync } from "node:child_process"
import * as Child from "./Child.ts"
import type { Ports, Question } from "./Instance.ts"
import * as Load from "./Load.ts"
import { type Level, number, type Settings, withQuartiles } from "./Report.ts"
import * as SharedRedis from "./SharedRedis.ts"
import { ratio, shuffled, spread } from "./Stats.ts"

export interface Instances {
  readonly ports: Ports
  /** Returns the CPU time of all processes, in microseconds. */
  readonly cpu: () => Promise<number>
  /** Lets the first process revoke the tokens of a subject. */
  readonly revoke: (subject: string) => Promise<unknown>
  readonly stop: () => Promise<void>
}

export const startInstances = async (count: number, issuer: string, redis: number): Promise<Instances> => {
  const { ask, first, stop } = await Child.program<Ports, Question>("Instance.ts", [`${count}`, issuer, `${redis}`])
  return { ports: first, cpu: () => ask("cpu"), revoke: (subject) => ask({ revoke: subject }), stop }
}

/** Sends each token once, on 32 connections, and returns the statuses and the time of the slowest response in milliseconds. */
const burst = async (port: number, tokens: ReadonlyArray<string>) => {
  const began = performance.now()
  const { statuses } = await Load.run(port, tokens.map(Load.get), { until: (sent) => sent >= tokens.length })
  return { statuses: Object.keys(statuses).join(", "), milliseconds: performance.now() - began }
}

interface Reached {
  /** Until each process rejects the token, in milliseconds since the start of the revocation. */
  readonly requests: number
  /** Until the open stream of the token at each process has ended. */
  readonly streams: number
}

/** Measures how long a revocation takes to reach the requests and the open streams of each process. */
const reach = async ({ ports, revoke }: Instances, token: string, subject: string): Promise<Reached> => {
  const admitted = await Promise.all(ports.own.map((port) => burst(port, [token])))
  if (admitted.some(({ statuses }) => statuses !== "200")) throw new Error("a good token was rejected")
  const signal = AbortSignal.timeout(10_000)
  const streams = await Promise.all(
    ports.own.map((port) =>
      fetch(`http://127.0.0.1:${port}/stream`, { headers: { authorization: `Bearer ${token}` }, signal })
    )
  )
  const began = performance.now()
  const ended = Promise.all(streams.map((stream) => stream.text())).then(() => performance.now() - began)
  await revoke(subject)
  for (const port of ports.own) {
    while ((await burst(port, [token])).statuses !== "401") {
      if (performance.now() - began > 10_000) throw new Error("a revocation did not reach every process")
    }
  }
  return { requests: performance.now() - began, streams: await ended }
}

const subjectOf = (token: string): string => JSON.parse(Buffer.from(token.split(".")[1]!, "base64url").toString()).sub

export const instances = async ({ issuer, quick }: Settings): Promise<Level> => {
  if (spawnSync("redis-server", ["--version"]).status !== 0) {
    console.log("  redis-server is not installed")
    return { tables: [], goals: [] }
  }
  const tokens = await issuer.mint("RS256", 1000)
  const [revoked, ...others] = tokens as [string, ...Array<string>]
  const requests = others.map(Load.get)
  const redis = await SharedRedis.start()
  const counts = [1, 2, 4] as const
  const milliseconds = quick ? 700 : 3000
  const rates = new Map<number, Array<number>>(counts.map((count) => [count, []]))
  const costs = new Map<number, Array<number>>(counts.map((count) => [count, []]))
  try {
    for (let round = 0; round < (quick ? 1 : 5); round++) {
      for (const count of shuffled(counts)) {
        const running = await startInstances(count, issuer.url, redis.port)
        await Load.run(running.ports.shared, requests, { until: (_, passed) => passed > milliseconds })
        const { measured, statuses } = await Load.run(running.ports.shared, requests, {
          measure: { after: 100, cpu: running.cpu },
          until: (_, passed) => passed > milliseconds
        })
        if (Object.keys(statuses).join() !== "200") throw new Error(`statuses ${JSON.stringify(statuses)}`)
        rates.get(count)!.push(measured!.count / measured!.seconds)
        costs.get(count)!.push(measured!.cpu / measured!.count)
        await running.stop()
      }
    }

    const running = await startInstances(4, issuer.url, redis.port)
    const reached = await reach(running, revoked, subjectOf(revoked))
    const few = others.slice(0, 64)
    const usual = await burst(running.ports.shared, few)
    redis.slowDown(100)
    const slow = await burst(running.ports.shared, few)
    redis.slowDown(0)
    redis.cutOff()
    const outage = await burst(running.ports.shared, few)
    redis.restore()
    const restored = performance.now()
    let after = await burst(running.ports.shared, few)
    while (after.statuses !== "200" && performance.now() - restored < 30_000) {
      after = await burst(running.ports.shared, few)
    }
    const recovery = performance.now() - restored
    await running.stop()
    return {
      tables: [
        {
          title: "Instances",
          text:
            "Processes of Node behind one port. Each request is checked against revocations and quotas in one Redis. As a ratio to one " +
            "process; on a machine with two cores, which also run the load and Redis, the rate cannot double.",
          columns: ["processes", "requests per second", "CPU per request"],
          rows: counts.map((count) => [
            `${count}`,
            withQuartiles(ratio(rates.get(count)!, rates.get(1)!)),
            withQuartiles(ratio(costs.get(count)!, costs.get(1)!))
          ])
        },
        {
          title: "Faults of the shared Redis",
          text: "64 requests on 32 connections to four processes: their statuses, and the time until all are answered.",
          columns: ["Redis", "statuses", "milliseconds"],
          rows: [
            ["works", usual.statuses, number(usual.milliseconds)],
            ["answers 100 ms late", slow.statuses, number(slow.milliseconds)],
            ["cut off", outage.statuses, number(outage.milliseconds)],
            ["back: until all are admitted again", after.statuses, number(recovery)],
            ["a revocation by one process, until all reject", "401", number(reached.requests)],
            ["the same, until the open streams at all processes end", "–", number(reached.streams)]
          ]
        }
      ],
      goals: [{
        id: "instances/revocation",
        what: "time from a revocation by one process until all processes reject the token",
        reach: { atMost: 1000 },
        found: spread([reached.requests]),
        unit: "ms"
      }, {
        id: "instances/streams",
        what:
          "time from a revocation until its open streams at all processes end, with `revocationInterval: \"1 second\"`",
        reach: { atMost: 2000 },
        found: spread([reached.streams]),
        unit: "ms"
      }]
    }
  } finally {
    await redis.stop()
  }
}
