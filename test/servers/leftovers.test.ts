import { NodeHttpServer } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, type Scope } from "effect"
import { TestIssuer } from "effect-mcp-auth/testing"
import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import * as Load from "../../bench/speed/Load.ts"
import { servers } from "../../bench/speed/servers.ts"
import { resource, scopes } from "../../bench/speed/Subject.ts"

setFlagsFromString("--expose-gc")
const collect = runInNewContext("gc") as (options?: { readonly type: "minor" }) => void

const listening = (name: string, issuer: string): Effect.Effect<number, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.promise(async () => {
        const server: Server = await servers[name]!(issuer, resource)
        if (!server.listening) await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve))
        return server
      }),
      (server) => Effect.sync(() => void server.close().closeAllConnections())
    ),
    (server) => (server.address() as AddressInfo).port
  )

/**
 * Returns the bytes that one request leaves on the heap after collections of young objects. It measures eleven turns and
 * takes their median, since a turn in which V8 compiles code leaves that code on the heap, too.
 */
const leftBy = async (port: number, requests: ReadonlyArray<Buffer>): Promise<number> => {
  const send = (count: number) => Load.run(port, requests, { connections: 4, until: (sent) => sent >= count })
  const turn = async () => {
    await send(400)
    // Two collections, because objects that survive the first one are still young.
    collect({ type: "minor" })
    collect({ type: "minor" })
    return process.memoryUsage().heapUsed
  }
  await send(4000)
  await turn()
  collect()
  let before = await turn()
  const grown: Array<number> = []
  for (let turns = 0; turns < 11; turns++) {
    const after = await turn()
    grown.push((after - before) / 400)
    before = after
  }
  return grown.sort((one, other) => one - other)[5]!
}

/** The limit, in bytes per request. A request that stays on the heap takes 800 or more, and compiled code takes 100. */
const mostOfAnObject = 600

// If an object of a request has a field with a function, the object can stay on the heap until a full collection, which a
// server runs rarely. A snapshot of reachable objects does not show this object, so this test measures the heap.
describe("a request leaves no objects that only a full collection removes", () => {
  it.live.each([
    { guarded: "effect + effect-mcp-auth", open: "effect" },
    { guarded: "node:http + effect-mcp-auth", open: "node:http" },
    { guarded: "express + effect-mcp-auth", open: "node:http" }
  ])("$guarded", ({ guarded, open }) =>
    Effect.gen(function*() {
      const issuer = yield* TestIssuer.TestIssuer
      const tokens = yield* Effect.all(Array.from({ length: 20 }, () => issuer.mint({ scopes })))
      const good = tokens.map(Load.get)
      const bad = tokens.map((_, index) => Load.get(`garbage${index}${"x".repeat(700)}`))
      const [port, openPort] = [yield* listening(guarded, issuer.issuer), yield* listening(open, issuer.issuer)]
      const base = yield* Effect.promise(() => leftBy(openPort, good))
      const admitted = yield* Effect.promise(() => leftBy(port, good))
      const rejected = yield* Effect.promise(() => leftBy(port, bad))
      assert.isBelow(admitted - base, mostOfAnObject)
      assert.isBelow(rejected - base, mostOfAnObject)
    }).pipe(
      Effect.scoped,
      Effect.provide(
        TestIssuer.serve({ resource, algorithm: "ES256" }).pipe(
          Layer.provide(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" }))
        )
      )
    ), 180_000)
})
