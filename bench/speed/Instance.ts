/**
 * Several processes of one server behind one port (`node:cluster`), which share revocations, sessions, quotas and used DPoP proofs in
 * Redis: `node Instance.ts <count> <issuer> <port of Redis>`. Sends `Ports` to the parent process at the start, and answers each
 * `Question`.
 */
import * as NodeRedis from "@effect/platform-node/NodeRedis"
import { Effect, Layer, References } from "effect"
import { Dpop } from "effect-mcp-auth/dpop"
import { McpAuthNode } from "effect-mcp-auth/node"
import { Quotas } from "effect-mcp-auth/quotas"
import { Revocations } from "effect-mcp-auth/revocation"
import { SessionStore } from "effect-mcp-auth/sessions"
import { Persistence, RateLimiter, Redis } from "effect/persistence"
import cluster, { type Worker } from "node:cluster"
import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { answer, resource } from "./Subject.ts"

export interface Ports {
  /** The port behind which all processes answer. */
  readonly shared: number
  /** A further port of each process. */
  readonly own: ReadonlyArray<number>
}

/** `"cpu"`: returns the CPU time of all processes in microseconds. `revoke`: the first process revokes a subject. */
export type Question = "cpu" | { readonly revoke: string }

const [count = "", issuer = "", redisPort = ""] = process.argv.slice(2)

const cpu = () => {
  const { system, user } = process.cpuUsage()
  return user + system
}

const nextMessage = <A>(worker: Worker) => new Promise<A>((resolve) => void worker.once("message", resolve))

const runPrimary = async () => {
  const workers = Array.from({ length: Number(count) }, () => cluster.fork())
  const ports = await Promise.all(workers.map((worker) => nextMessage<{ shared: number; own: number }>(worker)))
  const ask = <A>(worker: Worker, question: Question): Promise<A> => {
    const answer = nextMessage<A>(worker)
    worker.send(question)
    return answer
  }
  process.on("message", async (question: Question) => {
    const chosen = question === "cpu" ? workers : workers.slice(0, 1)
    const answers = await Promise.all(chosen.map((worker) => ask<number>(worker, question)))
    process.send!(answers.reduce((sum, value) => sum + value, cpu()))
  })
  process.on("disconnect", () => {
    for (const worker of workers) worker.disconnect()
    process.exit()
  })
  const started: Ports = { shared: ports[0]!.shared, own: ports.map(({ own }) => own) }
  process.send!(started)
}

const listen = (server: Server, exclusive: boolean) =>
  new Promise<number>((resolve) => {
    server.listen({ port: 0, host: "127.0.0.1", exclusive }, () => resolve((server.address() as AddressInfo).port))
  })

const runWorker = async () => {
  const Store = NodeRedis.layer({ url: `redis://127.0.0.1:${redisPort}` })
  const List = Layer.effect(
    Revocations.Revocations,
    Effect.flatMap(Persistence.BackingPersistence, (stores) => Effect.map(stores.make("revocations"), Revocations.make))
  ).pipe(Layer.provide(Persistence.layerBackingRedis))
  const Limiter = RateLimiter.layer.pipe(Layer.provide(RateLimiter.layerStoreRedis({ prefix: "bench:" })))
  let revoke: (subject: string) => Promise<void>
  const Services = Layer.mergeAll(List, Limiter).pipe(
    Layer.provideMerge(Store),
    Layer.provideMerge(Layer.succeed(References.MinimumLogLevel, "None"))
  )
  const Revoking = Layer.effectDiscard(Effect.map(Revocations.Revocations, (list) => {
    revoke = (subject) => Effect.runPromise(list.revoke({ issuer, subject }))
  }))
  const auth = await McpAuthNode.make({
    resource,
    authorizationServers: [issuer],
    scopes: ["todos:read", "todos:write"],
    revocation: Revocations.stored,
    revocationInterval: "1 second",
    sessionStore: SessionStore.make(Effect.map(Redis.Redis, (redis) => SessionStore.redis(redis))),
    quotas: Quotas.make({
      requests: { limit: 1_000_000, window: "1 minute" },
      limiter: RateLimiter.RateLimiter,
      whenUnavailable: "reject"
    }),
    dpop: Dpop.optional({ replay: Effect.map(Redis.Redis, (redis) => Dpop.redis(redis)) }),
    layer: Revoking.pipe(Layer.provideMerge(Services))
  })
  const protect = auth.protectRoute({ scopes: ["todos:read"] })
  const handle = (...[request, response]: Parameters<Parameters<typeof createServer>[1] & {}>) =>
    void protect(request, response, () => {
      if (request.url !== "/stream") return response.end(answer)
      response.writeHead(200, { "content-type": "text/event-stream" })
      return response.write(": open\n\n")
    })
  const shared = await listen(createServer(handle), false)
  const own = await listen(createServer(handle), true)
  process.on("message", async (question: Question) => {
    if (question === "cpu") return process.send!(cpu())
    await revoke(question.revoke)
    return process.send!(0)
  })
  process.on("disconnect", () => process.exit())
  process.send!({ shared, own })
}

await (cluster.isPrimary ? runPrimary() : runWorker())
