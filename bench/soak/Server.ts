/**
 * The protected server. It runs in a separate process, so that its heap can be measured: `node --expose-gc Server.ts <issuers, in
 * JSON> <resource> <refresh in seconds> <host>`. It sends its port to the parent process at the start, and answers each `Question`.
 */
import { Duration, Effect, Layer, Redacted } from "effect"
import { Dpop } from "effect-mcp-auth/dpop"
import { Revocations } from "effect-mcp-auth/revocation"
import { Freshness } from "effect-mcp-auth/verification"
import { createServer, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { type Host, hosts, type Serving } from "./Hosts.ts"
import { streamHeader } from "./Streams.ts"

export interface State {
  /** Heap in use after a garbage collection, in MiB. */
  readonly heap: number
  /** CPU time since the start of the process, in seconds. */
  readonly cpu: number
}

/**
 * `"state"`: sends the state. `"end"`: disposes the gate and closes the server, without a forced end of the process. `revoke`: revokes
 * a token. `reload`: replaces the gate by one with or without the partner, and sends whether the new gate was ready.
 */
export type Question = "state" | "end" | { readonly revoke: string } | { readonly reload: boolean }

const [issuers = "", resource = "", refresh = "", host = ""] = process.argv.slice(2)
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

const revocations = Effect.runSync(Effect.provide(Revocations.Revocations, Revocations.layerMemory))
const replay = Effect.runSync(Dpop.memory())

/** A protected server, its requests in progress and its open streams. */
interface Current extends Serving {
  readonly requests: Set<ServerResponse>
  readonly streams: Set<ServerResponse>
}

const make = async (hasPartner: boolean): Promise<Current> => ({
  ...await hosts[host as Host]({
    issuers: JSON.parse(issuers),
    resource,
    hasPartner,
    times,
    revocations,
    replay
  }),
  requests: new Set(),
  streams: new Set()
})

const closed = (response: ServerResponse) => new Promise<void>((resolve) => void response.once("close", resolve))

/** Replaces the gate as `docs/operations.md` describes it. */
const reload = async (hasPartner: boolean): Promise<boolean> => {
  const next = await make(hasPartner)
  try {
    await next.ready()
  } catch {
    await next.dispose()
    return false
  }
  const previous = current
  current = next
  await Promise.all(Array.from(previous.requests, closed))
  for (const stream of previous.streams) stream.destroy()
  await previous.dispose()
  return true
}

let current = await make(false)

// Keeps idle connections open. If the server closed one while the client writes, the test would count a failed request.
const node = createServer({ keepAliveTimeout: 0 }, (request, response) => {
  const { listener, requests, streams } = current
  const under = request.headers[streamHeader] === undefined ? requests : streams
  under.add(response)
  response.once("close", () => under.delete(response))
  listener(request, response)
})

process.on("message", async (question: Question) => {
  if (question === "end") {
    process.removeAllListeners("disconnect")
    await current.dispose()
    node.close()
    node.closeAllConnections()
    // From now on, the process ends by itself, unless a timer, a listener or a socket is left.
    return process.disconnect()
  }
  if (question === "state") {
    const { gc } = globalThis as { readonly gc?: () => void }
    gc!()
    const { system, user } = process.cpuUsage()
    const state: State = { heap: process.memoryUsage().heapUsed / 1024 / 1024, cpu: (user + system) / 1_000_000 }
    return process.send!(state)
  }
  if ("reload" in question) return process.send!(await reload(question.reload))
  await Effect.runPromise(revocations.revoke({ token: Redacted.make(question.revoke) }))
  return process.send!(true)
})
process.on("disconnect", () => process.exit())

node.listen(0, "127.0.0.1", () => process.send!((node.address() as AddressInfo).port))
