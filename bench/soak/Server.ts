/**
 * The protected server. It runs in a separate process, so that its heap can be measured: `node --expose-gc Server.ts <issuer>
 * <resource> <refresh in seconds> <host>`. It sends its port to the parent process at the start, and answers each `Question`.
 */
import { Duration, Effect, Layer } from "effect"
import { Freshness } from "effect-mcp-auth/verification"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { type Host, hosts } from "./Hosts.ts"

export interface State {
  /** Heap in use after a garbage collection, in MiB. */
  readonly heap: number
  /** CPU time since the start of the process, in seconds. */
  readonly cpu: number
}

/** `"state"`: sends the state. `"end"`: disposes the gate and closes the server, without a forced end of the process. */
export type Question = "state" | "end"

const [issuer = "", resource = "", refresh = "", host = ""] = process.argv.slice(2)
const seconds = Duration.seconds(Number(refresh))

// The cooldown is in proportion to the refresh interval, and backoffs are short, so that a short run has as many refreshes as a
// long run.
const times = Layer.effect(
  Freshness.Freshness,
  Effect.map(Freshness.Freshness, (usual) => ({
    ...usual,
    refresh: seconds,
    shortest: seconds,
    longest: seconds,
    unknownKidCooldown: Duration.seconds(Math.max(0.25, Number(refresh) / 10)),
    minBackoff: Duration.millis(100),
    maxBackoff: Duration.millis(400)
  }))
)

// Keeps idle connections open. If the server closed one while the client writes, the test would count a failed request.
const node = createServer({ keepAliveTimeout: 0 })
node.on("listening", () => process.send!((node.address() as AddressInfo).port))

process.on("message", async (question: Question) => {
  if (question === "end") {
    process.removeAllListeners("disconnect")
    await dispose()
    node.close()
    node.closeAllConnections()
    // From now on, the process ends by itself, unless a timer, a listener or a socket is left.
    return process.disconnect()
  }
  const { gc } = globalThis as { readonly gc?: () => void }
  gc!()
  const { system, user } = process.cpuUsage()
  const state: State = { heap: process.memoryUsage().heapUsed / 1024 / 1024, cpu: (user + system) / 1_000_000 }
  return process.send!(state)
})
process.on("disconnect", () => process.exit())

const dispose = await hosts[host as Host](node, { issuer, resource, times })
