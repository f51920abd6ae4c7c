/** Sends forged requests to a server, as fast as it answers or at a fixed rate, for the level "forged". Runs in a separate process. */
import { setTimeout as delay } from "node:timers/promises"
import * as Connections from "../soak/Connections.ts"
import * as Load from "./Load.ts"

export interface Work {
  readonly port: number
  readonly requests: ReadonlyArray<Uint8Array>
  readonly milliseconds: number
  /** Requests per second. `undefined`: as many as the server answers, over 32 connections. */
  readonly rate: number | undefined
}

export interface Flooded {
  /** Requests per second that the server answered. */
  readonly rate: number
  /** The number of requests that the server admitted. */
  readonly admitted: number
}

const flood = async ({ milliseconds, port, rate, requests }: Work): Promise<Flooded> => {
  const began = performance.now()
  const passed = () => performance.now() - began
  let count = 0
  let admitted = 0
  if (rate === undefined) {
    const outcome = await Load.run(port, requests, { until: (_, passed) => passed > milliseconds })
    count = outcome.count
    admitted = outcome.statuses["200"] ?? 0
  } else {
    const connections = Connections.make(port, 32)
    const waiting = new Set<Promise<unknown>>()
    while (passed() < milliseconds) {
      for (; count < passed() / 1000 * rate && waiting.size < 32; count++) {
        const response = connections.send(requests[count % requests.length]!)
        waiting.add(response)
        void response.then((status) => {
          waiting.delete(response)
          if (status === "200") admitted++
        })
      }
      await delay(1)
    }
    await Promise.all(waiting)
    connections.close()
  }
  return { rate: count / (passed() / 1000), admitted }
}

process.on("message", (work: Work) => void flood(work).then((flooded) => process.send!(flooded)))
process.on("disconnect", () => process.exit())
process.send!("ready")
