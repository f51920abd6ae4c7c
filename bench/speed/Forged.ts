/**
 * The level "forged": how long good requests take while clients send forged tokens and replay DPoP proofs. Good tokens are one in a
 * hundred, and are sent at a fixed rate on separate connections, from this process. A second process sends the others.
 */
import { connect } from "node:net"
import { setTimeout as delay } from "node:timers/promises"
import * as Child from "./Child.ts"
import type { Flooded, Work } from "./Flood.ts"
import * as Load from "./Load.ts"
import { type Goal, type Level, type Settings, withQuartiles } from "./Report.ts"
import { ratio, shuffled } from "./Stats.ts"

/** The server that also gets replays of DPoP proofs. */
const withProofs = "node:http + effect-mcp-auth, DPoP"

const own = ["effect + effect-mcp-auth", "express + effect-mcp-auth", withProofs] as const

const contenders = ["effect", ...own, "express + mcp-auth"]

/** The number of proofs. Each is good for its first use, and each further use is a replay (RFC 9449 §11.1). */
const proofs = 100

const isOwn = (name: string) => own.some((other) => other === name)

const segment = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url")

/** Creates forged tokens of every kind from good tokens. Each good token gives one of each kind. */
const forge = (good: ReadonlyArray<string>): ReadonlyArray<string> =>
  good.flatMap((token, index) => {
    const [header, claims, signature] = token.split(".") as [string, string, string]
    const parsed = JSON.parse(Buffer.from(claims, "base64url").toString())
    return [
      `garbage-${index}-${"x".repeat(700)}`,
      `${segment({ alg: "RS256", typ: "at+jwt", kid: `unknown-${index}` })}.${claims}.${signature}`,
      `${header}.${segment({ ...parsed, iss: "https://foreign.example.com" })}.${signature}`,
      `${header}.${segment({ ...parsed, sub: `forged-${index}` })}.${signature}`,
      // The signature of another token, as in a token that was put together from two.
      `${header}.${claims}.${"A".repeat(20)}${signature.slice(20)}`
    ]
  })

/** Sends requests at a fixed rate on one connection, and returns the time of each response in milliseconds. */
const latencies = async (
  port: number,
  requests: ReadonlyArray<Buffer>,
  { every, seconds }: { readonly every: number; readonly seconds: number }
): Promise<ReadonlyArray<number>> => {
  const socket = connect(port, "127.0.0.1").setNoDelay(true)
  await new Promise((resolve, reject) => socket.once("connect", resolve).once("error", reject))
  const times: Array<number> = []
  const end = performance.now() + seconds * 1000
  try {
    for (let index = 0; performance.now() < end; index++) {
      const began = performance.now()
      const text = await new Promise<string>((resolve, reject) => {
        socket.once("data", (chunk) => resolve(chunk.toString("latin1")))
        socket.once("error", reject)
        socket.write(requests[index % requests.length]!)
      })
      times.push(performance.now() - began)
      if (!text.startsWith("HTTP/1.1 200")) throw new Error(`a good token got ${text.slice(9, 12)}`)
      socket.removeAllListeners("error")
      await delay(Math.max(0, began + every - performance.now()))
    }
  } finally {
    socket.destroy()
  }
  return times
}

const percentile = (times: ReadonlyArray<number>, part: number): number =>
  times.toSorted((a, b) => a - b)[Math.min(times.length - 1, Math.floor(part * times.length))]!

export const forged = async ({ issuer, quick }: Settings): Promise<Level> => {
  const good = await issuer.mint("RS256", 200)
  const requests = good.map(Load.get)
  const forgeries = forge(good).map(Load.get)
  const seconds = quick ? 1 : 2.5
  const names = quick ? ["effect", ...own] : contenders
  const idle = new Map<string, Array<number>>(names.map((name) => [name, []]))
  const half = new Map<string, Array<number>>(names.map((name) => [name, []]))
  const full = new Map<string, Array<number>>(names.map((name) => [name, []]))
  const rates = new Map<string, number>()
  for (let round = 0; round < 3; round++) {
    for (const name of shuffled(names)) {
      const server = await Child.server(name, issuer.url)
      try {
        // New proofs for each flood, because a proof expires after a minute.
        const flood = async (): Promise<ReadonlyArray<Buffer>> =>
          name === withProofs
            ? [...(await issuer.proofs(proofs)).map(Load.getWithProof), ...forgeries.slice(0, proofs * 5)]
            : forgeries
        // Compiles the code of both kinds of requests.
        for (const warm of [requests, await flood()]) {
          await Load.run(server.port, warm, {
            until: (sent, passed) => sent > (quick ? 4_000 : 20_000) || passed > 3000
          })
        }
        const p99 = async () => percentile(await latencies(server.port, requests, { every: 5, seconds }), 0.99)
        const under = async (rate: number | undefined): Promise<number> => {
          const work: Work = { port: server.port, requests: await flood(), milliseconds: seconds * 1000 + 500, rate }
          const flooded = Child.work<Flooded>("Flood.ts", work)
          await delay(250)
          const found = await p99()
          const { admitted, rate: reached } = await flooded
          if (isOwn(name) && admitted > (name === withProofs ? proofs : 0)) {
            throw new Error(`${name} admitted ${admitted} forged or replayed requests`)
          }
          if (rate === undefined) rates.set(name, reached)
          return found
        }
        idle.get(name)!.push(await p99())
        full.get(name)!.push(await under(undefined))
        half.get(name)!.push(await under(rates.get(name)! / 2))
      } finally {
        await server.stop()
      }
    }
  }
  const toIdle = (of: Map<string, Array<number>>, name: string) => ratio(of.get(name)!, idle.get(name)!)
  const goals = own.map((name): Goal => ({
    id: `forged/${name}`,
    what: `p99 of good requests beside forged ones at half of the maximum rate, to the idle server: ${name}`,
    reach: { atMost: 2 },
    found: toIdle(half, name)
  }))
  return {
    tables: [{
      title: "Forged tokens",
      text:
        "The time in which 99 % of the requests with good tokens are answered while another client sends garbage, unknown `kid`s, " +
        "a foreign issuer, changed claims and changed signatures, as a multiple of the time on the idle server; less is better. " +
        "With DPoP, every sixth of these requests has a good token and replays a proof. " +
        "At full load, 32 requests are always waiting, so each good request waits for up to 32 others on any server of one thread.",
      columns: ["server", "half of the maximum rate", "full load"],
      rows: names.map((name) => [name, withQuartiles(toIdle(half, name)), withQuartiles(toIdle(full, name))])
    }],
    goals
  }
}
