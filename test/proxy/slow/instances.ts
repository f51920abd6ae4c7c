/**
 * Starts two instances of an MCP server with its proxy, behind a balancer. Of the requests of a sign-in, and of the requests to the MCP
 * server, each reaches the other instance than the one before.
 */
import { Effect, type Scope } from "effect"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { request, type RequestListener } from "node:http"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { server as redisServer } from "../../redis.ts"
import { close, listen, startUpstream } from "../server.ts"
import type { UpstreamForm } from "../upstreams.ts"
import type { Instance } from "./InstanceServer.ts"

/** A request that the balancer has forwarded. */
export interface Hop {
  readonly method: string
  readonly path: string
  /** The number of the instance. */
  readonly instance: number
  readonly status: number
}

/** Two instances behind their balancer. */
export interface Instances {
  readonly origin: string
  readonly resource: string
  /** Returns the requests since the last call, in the order in which they were answered. */
  readonly takeHops: () => ReadonlyArray<Hop>
}

/** The kinds of requests, which alternate separately: a client can fetch metadata at any time. */
const kindOf = (path: string) => path === "/mcp" ? "server" : path.startsWith("/.well-known/") ? "metadata" : "sign-in"

const startInstance = (instance: Instance): Effect.Effect<string, never, Scope.Scope> =>
  Effect.gen(function*() {
    const file = join(import.meta.dirname, "InstanceServer.ts")
    const args = ["--no-warnings", "--conditions=effect-mcp-auth/source", file, JSON.stringify(instance)]
    const child = yield* Effect.acquireRelease(
      Effect.sync(() => spawn(process.execPath, args, { stdio: ["pipe", "pipe", "inherit"] })),
      (child) =>
        Effect.promise(async () => {
          if (child.exitCode !== null || child.signalCode !== null) return
          child.stdin.end()
          await once(child, "exit")
        })
    )
    return yield* Effect.promise(async () => {
      const lines = createInterface({ input: child.stdout })
      // The lines before it are the log of the proxy.
      const origin = new Promise<string>((resolve) =>
        lines.on("line", (line) => line.startsWith("http://") ? resolve(line) : undefined)
      )
      return await Promise.race([
        origin,
        once(child, "exit").then(([code]) => Promise.reject(new Error(`the instance ended with ${code}`)))
      ])
    })
  })

/** Starts the upstream, Redis, the instances and the balancer, until the scope closes. */
export const startTwo = (form: UpstreamForm): Effect.Effect<Instances, never, Scope.Scope> =>
  Effect.gen(function*() {
    const redis = yield* redisServer
    const { upstream } = yield* Effect.acquireRelease(
      Effect.promise(() => startUpstream({ form })),
      ({ stop }) => Effect.promise(stop)
    )
    const balancer = yield* Effect.acquireRelease(
      Effect.promise(() => listen()),
      ({ server }) => Effect.promise(() => close(server))
    )
    const { clientId, clientSecret, origin: upstreamOrigin, tenant } = upstream
    const instance: Instance = {
      origin: balancer.origin,
      redis: redis.url,
      form,
      upstream: { clientId, clientSecret, origin: upstreamOrigin, tenant }
    }
    const targets = yield* Effect.all([startInstance(instance), startInstance(instance)], { concurrency: 2 })
    let hops: Array<Hop> = []
    const counts = new Map<string, number>()
    const forward: RequestListener = (req, res) => {
      const { headers, method = "GET", url = "/" } = req
      const path = url.split("?")[0]!
      const kind = kindOf(path)
      const count = counts.get(kind) ?? 0
      counts.set(kind, count + 1)
      const number = count % targets.length
      const forwarded = request(new URL(url, targets[number]), { method, headers }, (answer) => {
        hops.push({ method, path, instance: number, status: answer.statusCode! })
        res.writeHead(answer.statusCode!, answer.rawHeaders)
        answer.pipe(res)
      })
      forwarded.once("error", () => res.writeHead(502).end())
      req.pipe(forwarded)
    }
    balancer.server.on("request", forward)
    return {
      origin: balancer.origin,
      resource: `${balancer.origin}/mcp`,
      takeHops: () => {
        const taken = hops
        hops = []
        return taken
      }
    }
  })
