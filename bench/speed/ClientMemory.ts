/** The second part of the level "client". It runs in a separate process with `--expose-gc`, and measures the heap of many accounts. */
import { Effect, Scope } from "effect"
import { Connections } from "effect-mcp-auth/sign-in"
import { MemoryStore, RecordStore } from "effect-mcp-auth/store"
import { TestClock } from "effect/testing"
import { issuer, redirectUri, servers } from "./ClientServers.ts"

export interface Work {
  readonly accounts: number
  readonly resources: number
}

const heap = Effect.promise(async () => {
  for (let turn = 0; turn < 3; turn++) {
    // Finalizers of the platform run between turns of the event loop.
    await new Promise((resolve) => setTimeout(resolve, 20))
    globalThis.gc!()
  }
  return process.memoryUsage().heapUsed / 2 ** 20
})

/** The length of what a memory store keeps, in MiB. The records are texts of ASCII. */
const sizeOf = (records: ReadonlyMap<string, string>) =>
  [...records].reduce((sum, [key, value]) => sum + key.length + value.length, 0) / 2 ** 20

const run = ({ accounts, resources }: Work) =>
  Effect.gen(function*() {
    const memory = yield* MemoryStore.make(10 * accounts * resources)
    const records = new Map<string, string>()
    const store: typeof memory = {
      ...memory,
      put: (key, value, options) => {
        records.set(key, value)
        return memory.put(key, value, options)
      },
      remove: (key, version) => {
        records.delete(key)
        return memory.remove(key, version)
      }
    }
    const connections = yield* Connections.make({
      client: { name: "bench" },
      redirectUri,
      allowIssuers: [issuer],
      fetch: servers()
    }).pipe(Effect.provideService(RecordStore.RecordStore, store))
    const all = Array.from({ length: accounts * resources }, (_, index) => ({
      account: `account-${Math.floor(index / resources)}`,
      resource: `https://server-${index % resources}.example.com/mcp`
    }))
    const call = (connection: Connections.Connection) =>
      Effect.promise(() =>
        connections.fetch(connection)(connection.resource, { method: "POST", body: "{}" }).then(
          () => undefined,
          (error: { readonly url: string }) => error.url
        )
      )
    const each = (effect: (connection: Connections.Connection) => Effect.Effect<unknown>) =>
      Effect.forEach(all, effect, { discard: true })

    const empty = yield* heap
    yield* each((connection) =>
      Effect.gen(function*() {
        const url = yield* call(connection)
        const state = new URL(url ?? "").searchParams.get("state")
        yield* Effect.orDie(
          connections.complete({ url: `${redirectUri}?code=code&state=${state}` }, connection)
        )
        yield* call(connection)
      })
    )
    const refresh = Effect.andThen(TestClock.adjust("2 hours"), Effect.andThen(each(call), each(call)))
    // The first refresh creates the parts of a connection that only refreshes need.
    yield* refresh
    const full = yield* heap
    const tokens = sizeOf(records)
    yield* Effect.repeat(refresh, { times: 2 })
    return { connections: all.length, empty, full, tokens, end: yield* heap }
  }).pipe(Effect.provide(TestClock.layer()), Effect.provideServiceEffect(Scope.Scope, Scope.make()))

/** The heap in MiB at three times: before the first sign-in, and after one and after four refreshes of each token. */
export type Measured = Effect.Success<ReturnType<typeof run>>

process.on("message", (work: Work) => void Effect.runPromise(run(work)).then((measured) => process.send!(measured)))
process.on("disconnect", () => process.exit())
process.send!("ready")
