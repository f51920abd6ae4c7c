/**
 * Mixed traffic while keys rotate and the provider fails a third of the time: no good token refused (a 503 counts as
 * refused), no bad one admitted, memory flat. Everything on real sockets and in real time.
 */
import { NodeHttpServer } from "@effect/platform-node"
import { Context, Duration, Effect, Exit, Layer, References, Scope } from "effect"
import { AuthLayer, Freshness, Principal } from "effect-mcp-auth"
import { FaultProxy, TestIssuer } from "effect-mcp-auth/testing"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { Agent, createServer, request as nodeRequest } from "node:http"
import type { AddressInfo } from "node:net"

export interface Options {
  /** In seconds, as all of these. */
  readonly duration: number
  /** A new key is published this often, and its tokens come one rotation later: no sooner than the refresh interval. */
  readonly rotation: number
  readonly refresh: number
  readonly requestsPerSecond: number
}

export interface Outcome {
  readonly sent: number
  readonly good: number
  readonly goodRefused: ReadonlyArray<string>
  readonly badAdmitted: ReadonlyArray<string>
  readonly keys: number
  readonly providerRequests: number
  readonly providerFailures: number
  /** Heap in use after a collection, in MiB: a third into the run, and at its end. */
  readonly heap: readonly [number, number]
  readonly slowest: number
}

const resource = "https://todos.example.com/mcp"

const faults: ReadonlyArray<FaultProxy.Fault> = [
  { _tag: "Status", status: 503 },
  { _tag: "Hang" },
  { _tag: "Reset" },
  { _tag: "Truncate" },
  { _tag: "Replace", body: "<html>", contentType: "text/html" },
  { _tag: "Latency", by: "200 millis" }
]

const heap = (): number => {
  ;(globalThis as { readonly gc?: () => void }).gc?.()
  return Math.round(process.memoryUsage().heapUsed / 1024 / 102.4) / 10
}

/** Runs it. `progress` hears a line now and then. */
export const run = (options: Options, progress: (line: string) => void = () => {}): Effect.Effect<Outcome> =>
  Effect.scoped(Effect.gen(function*() {
    const scope = yield* Scope.make()
    // A connection that the server closes as idle while the client writes would look like a refusal.
    const nodes = [createServer(), createServer({ keepAliveTimeout: 60_000 })] as const
    const agent = new Agent({ keepAlive: true, maxSockets: 64, timeout: 30_000 })
    yield* Effect.addFinalizer(() => {
      agent.destroy()
      for (const node of nodes) node.closeAllConnections()
      return Scope.close(scope, Exit.void)
    })
    const build = <A, E>(layer: Layer.Layer<A, E>) => Effect.orDie(Scope.provide(Layer.build(layer), scope))
    const host = (node: typeof nodes[0]) =>
      NodeHttpServer.layer(() => node, { port: 0, host: "127.0.0.1", gracefulShutdownTimeout: "1 second" })
    const quiet = Layer.succeed(References.MinimumLogLevel, "None")

    const provider = yield* build(
      FaultProxy.serve({ resource }).pipe(Layer.provide(host(nodes[0])), Layer.provideMerge(quiet))
    )
    const issuer = Context.get(provider, TestIssuer.TestIssuer)
    const proxy = Context.get(provider, FaultProxy.FaultProxy)
    const usual = yield* Freshness.Freshness
    const seconds = Duration.seconds(options.refresh)
    yield* build(
      HttpRouter.serve(
        HttpRouter.add("GET", "/mcp", Effect.map(Principal, (_) => HttpServerResponse.text(_.owner))).pipe(
          Layer.provide(AuthLayer.make({ resource, authorizationServers: [issuer.issuer], scopes: ["todos:read"] }))
        ),
        { disableLogger: true, disableListenLog: true }
      ).pipe(
        Layer.provide(host(nodes[1])),
        Layer.provide(Layer.succeed(Freshness.Freshness, {
          ...usual,
          refresh: seconds,
          shortest: seconds,
          longest: seconds,
          unknownKey: Duration.seconds(Math.max(0.25, options.refresh / 10)),
          pause: Duration.millis(100),
          longestPause: Duration.millis(400)
        })),
        Layer.provideMerge(quiet)
      )
    )
    const port = (nodes[1].address() as AddressInfo).port

    const send = (token: string): Promise<string> =>
      new Promise((resolve) => {
        const request = nodeRequest(
          {
            host: "127.0.0.1",
            port,
            path: "/mcp",
            agent,
            headers: { authorization: `Bearer ${token}` },
            timeout: 15_000
          },
          (response) => response.resume().on("end", () => resolve(String(response.statusCode)))
        )
        request.on("timeout", () => request.destroy(new Error("timeout"))).on(
          "error",
          (error) => resolve(error.message)
        )
        request.end()
      })

    const mint = (of: TestIssuer.TokenOptions = {}) =>
      Effect.runPromise(issuer.mint({ scopes: ["todos:read"], expiresIn: "1 hour", ...of }))
    const bad: ReadonlyArray<readonly [string, () => Promise<string>]> = [
      ["expired", () => mint({ expiresIn: "-1 seconds" })],
      ["another audience", () => mint({ audience: "https://other.example.com" })],
      ["another issuer", () => mint({ claims: { iss: "https://evil.example.com" } })],
      ["a changed signature", async () => `${(await mint()).slice(0, -6)}AAAAAA`],
      ["an unknown key", () => mint({ header: { kid: `unknown-${Math.random()}` } })],
      ["no expiry", () => mint({ claims: { exp: undefined } })],
      ["an ID token", () => mint({ header: { typ: "JWT" }, claims: { nonce: "n" } })],
      ["garbage", async () => "garbage"]
    ]

    return yield* Effect.promise(async (): Promise<Outcome> => {
      const began = performance.now()
      const elapsed = () => (performance.now() - began) / 1000
      const goodRefused: Array<string> = []
      const badAdmitted: Array<string> = []
      let sent = 0
      let good = 0
      let keys = 1
      let failures = 0
      let slowest = 0
      const state = { stopped: false }
      const pause = (millis: number) => new Promise((resolve) => setTimeout(resolve, millis))

      // The first tokens come while all is well: what a cold server does is the matter of `npm run faults`.
      // What is bad stays bad. Made beforehand, since the issuer remembers every token that it made.
      const strangers = await Promise.all(
        bad.flatMap(([kind, make]) => Array.from({ length: 40 }, async () => [kind, await make()] as const))
      )
      let pool = await Promise.all(Array.from({ length: 50 }, (_, i) => mint({ subject: `person-${i}` })))
      await send(pool[0]!)

      // A request that hangs takes its five seconds.
      const usable = faults.filter(({ _tag }) => _tag !== "Hang" || options.refresh >= 40)
      const provide = async () => {
        for (let turn = 0; !state.stopped; turn++) {
          // A third of the time. A turn and a request that hangs must fit into the last quarter of an interval, in which
          // keys are fetched again; by default that quarter is two and a half minutes.
          const failing = turn % 3 === 2
          await Effect.runPromise(proxy.clear)
          if (failing) {
            failures++
            await Effect.runPromise(proxy.set(usable[Math.floor(turn / 3) % usable.length]!))
          }
          await pause(options.refresh * 1000 / 8)
        }
      }
      const rotate = async () => {
        let next: ReadonlyArray<string> = []
        while (!state.stopped) {
          await pause(options.rotation * 1000)
          if (state.stopped) return
          // A key that was published one refresh interval ago begins to sign, and the next one is published.
          pool = [...pool.slice(next.length), ...next]
          await Effect.runPromise(issuer.rotateKeys)
          keys++
          next = await Promise.all(Array.from({ length: 25 }, (_, i) => mint({ subject: `person-${i}` })))
        }
      }
      const traffic = async () => {
        const interval = 1000 / options.requestsPerSecond
        const under = new Set<Promise<void>>()
        for (let next = performance.now(); !state.stopped; next += interval) {
          const wait = next - performance.now()
          if (wait > 1) await pause(wait)
          if (under.size > 200) await Promise.race(under)
          const is = Math.random() < 0.8
          const one = (async () => {
            const [kind, token] = is
              ? ["good", pool[Math.floor(Math.random() * pool.length)]!] as const
              : strangers[Math.floor(Math.random() * strangers.length)]!
            const at = performance.now()
            const status = await send(token)
            slowest = Math.max(slowest, (performance.now() - at) / 1000)
            sent++
            if (is) {
              good++
              if (status !== "200") goodRefused.push(`${status} after ${elapsed().toFixed(1)} s`)
            } else if (status === "200" || !/^\d{3}$/.test(status)) badAdmitted.push(`${kind}: ${status}`)
          })()
          under.add(one)
          void one.finally(() => under.delete(one))
        }
        await Promise.all(under)
      }
      const measure = async () => {
        await pause(options.duration * 1000 / 3)
        const early = heap()
        for (let left = options.duration * 2 / 3; left > 0; left -= 60) {
          await pause(Math.min(left, 60) * 1000)
          progress(
            `${
              elapsed().toFixed(0)
            } s: ${sent} sent, ${goodRefused.length} good refused, ${badAdmitted.length} bad admitted, heap ${heap()} MiB`
          )
        }
        state.stopped = true
        return early
      }
      const [early] = await Promise.all([measure(), provide(), rotate(), traffic()])
      const providerRequests = (await Effect.runPromise(proxy.received)).length
      return {
        sent,
        good,
        goodRefused,
        badAdmitted,
        keys,
        providerRequests,
        providerFailures: failures,
        heap: [early, heap()],
        slowest
      }
    })
  }))
