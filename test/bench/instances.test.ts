/** Processes of one server behind one port, which share revocations, sessions and quotas in a real Redis. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestIssuer } from "effect-mcp-auth/testing"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { startInstances } from "../../bench/speed/Instances.ts"
import * as SharedRedis from "../../bench/speed/SharedRedis.ts"
import { resource } from "../../bench/speed/Subject.ts"
import { runs } from "../program.ts"

const issuer = Effect.gen(function*() {
  const server = createServer((req, res) => issuer.listener(req, res))
  yield* Effect.promise(() => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve)))
  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      server.close()
      server.closeAllConnections()
    })
  )
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const issuer = yield* Effect.promise(() => TestIssuer.start({ issuer: url, resource }))
  return issuer
})

const world = Effect.gen(function*() {
  const { issuer: url, mint } = yield* issuer
  const redis = yield* Effect.acquireRelease(
    Effect.promise(() => SharedRedis.start()),
    (redis) => Effect.promise(() => redis.stop())
  )
  const instances = yield* Effect.acquireRelease(
    Effect.promise(() => startInstances(2, url, redis.port)),
    (instances) => Effect.promise(() => instances.stop())
  )
  const token = (subject: string) => Effect.promise(() => mint({ subject, scopes: ["todos:read"] }))
  const get = (port: number, token: string, path = "/mcp") =>
    Effect.promise(() => fetch(`http://127.0.0.1:${port}${path}`, { headers: { authorization: `Bearer ${token}` } }))
  return { redis, instances, token, get, ports: instances.ports.own }
})

describe.skipIf(!runs("redis-server"))("two processes that share a Redis", () => {
  it.live(
    "reject a token with the next request after one of them has revoked it, and end its streams",
    () =>
      Effect.gen(function*() {
        const { get, instances, ports, token } = yield* world
        const [alice, bob] = [yield* token("alice"), yield* token("bob")]
        const statuses = (token: string) =>
          Effect.forEach(ports, (port) => Effect.map(get(port, token), (_) => _.status))
        assert.deepStrictEqual(yield* statuses(alice), [200, 200])
        const streams = yield* Effect.forEach(ports, (port) => get(port, alice, "/stream"))
        yield* Effect.promise(() => instances.revoke("alice"))
        assert.deepStrictEqual(yield* statuses(alice), [401, 401])
        assert.deepStrictEqual(yield* statuses(bob), [200, 200])
        // The option `revocationInterval` is one second. The test waits for the end of the streams, not for a time.
        for (const stream of streams) assert.strictEqual(yield* Effect.promise(() => stream.text()), ": open\n\n")
      }),
    60_000
  )

  it.live(
    "answer 503 while Redis cannot be reached, wait for a slow one, and admit again afterwards",
    () =>
      Effect.gen(function*() {
        const { get, ports, redis, token } = yield* world
        const alice = yield* token("alice")
        const answers = Effect.forEach(ports, (port) => get(port, alice))
        const statuses = Effect.map(answers, (_) => _.map(({ status }) => status))
        assert.deepStrictEqual(yield* statuses, [200, 200])
        redis.slowDown(50)
        assert.deepStrictEqual(yield* statuses, [200, 200])
        redis.slowDown(0)
        redis.cutOff()
        for (const answer of yield* answers) {
          assert.strictEqual(answer.status, 503)
          assert.isAtLeast(Number(answer.headers.get("retry-after")), 1)
        }
        redis.restore()
        yield* Effect.repeat(statuses, { until: (_) => _.every((status) => status === 200) })
      }),
    60_000
  )
})
