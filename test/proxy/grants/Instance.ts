/**
 * An instance of a proxy: a process that redeems codes and refreshes tokens in a store that it shares with others. It reads commands
 * from its standard input, one JSON object per line, and writes one line for each result.
 */
import { Deferred, Effect, Layer } from "effect"
import { PostgresStore, RecordStore, RedisStore } from "effect-mcp-auth/store"
import { SqliteStore } from "effect-mcp-auth/store-node"
import { createInterface } from "node:readline"
import type { GrantRejected } from "../../../src/proxy/grants/Grants.ts"
import * as RecordKeys from "../../../src/proxy/keys/RecordKeys.ts"
import { alice, approved, issuer, makeWorld, secretA, secretB, toTokens, type World } from "./world.ts"

/**
 * A command. `copy` returns the record of a grant, and `restore` puts it back, as a store does that loses its last writes. `crash` ends
 * the process before or after the write with this number.
 */
export type Command =
  | { readonly id: number; readonly do: "issue" }
  | { readonly id: number; readonly do: "copy"; readonly grant: string }
  | { readonly id: number; readonly do: "restore"; readonly grant: string; readonly value: string }
  | { readonly id: number; readonly do: "redeem"; readonly code: string; readonly crash?: Crash }
  | {
    readonly id: number
    readonly do: "refresh"
    readonly token: string
    readonly times: number
    readonly crash?: Crash
  }

export interface Crash {
  readonly write: number
  readonly when: "before" | "after"
}

/** The result of a command: codes, refresh tokens, or the reasons of rejections. */
export interface Result {
  readonly id: number
  readonly values: ReadonlyArray<string>
  readonly events: ReadonlyArray<string>
}

const [kind = "", place = "", order = "ab", retryWindow = "10 minutes"] = process.argv.slice(2)

/** Each process loads only the client that it needs, because loading one takes longer than the rest of the work. */
const stores: Record<string, () => Promise<Layer.Layer<RecordStore.RecordStore, unknown>>> = {
  sqlite: async () => SqliteStore.layer({ file: place }),
  redis: async () => {
    const NodeRedis = await import("@effect/platform-node/NodeRedis")
    const { Redis } = await import("effect/persistence/Redis")
    const store = Layer.effect(RecordStore.RecordStore, Effect.map(Redis, (redis) => RedisStore.make(redis)))
    return Layer.provide(store, NodeRedis.layer({ url: place }))
  },
  postgres: async () => {
    const { clientOf } = await import("../../postgres.ts")
    const { SqlClient } = await import("effect/sql/SqlClient")
    const store = Layer.effect(RecordStore.RecordStore, Effect.flatMap(SqlClient, (sql) => PostgresStore.make(sql)))
    return Layer.provide(store, clientOf(Number(place)))
  }
}

/** Ends the process at a write, as a crash does. */
let crash: Crash | undefined
let writes = 0

const crashing = (store: RecordStore.Store): RecordStore.Store => ({
  ...store,
  put: (key, value, options) =>
    Effect.suspend(() => {
      const here = crash !== undefined && writes++ === crash.write ? crash.when : undefined
      const die = Effect.sync(() => process.kill(process.pid, "SIGKILL"))
      if (here === "before") return Effect.andThen(die, Effect.never)
      const write = store.put(key, value, options)
      return here === "after" ? Effect.andThen(Effect.andThen(write, die), Effect.never) : write
    })
})

const outcome = <E>(tokens: Effect.Effect<{ readonly refresh: string }, E>): Effect.Effect<string> =>
  Effect.match(tokens, {
    onSuccess: ({ refresh }) => refresh,
    onFailure: (error) => `rejected: ${(error as unknown as GrantRejected).reason ?? String(error)}`
  })

const keyOf = (grant: string) => Effect.flatMap(RecordKeys.make(issuer), (keyFor) => keyFor("grant", grant))

const run = (world: World, command: Command): Effect.Effect<ReadonlyArray<string>, unknown> => {
  switch (command.do) {
    case "issue":
      return Effect.map(world.grants.issueCode(approved, alice, "upstream-key"), (code) => [code])
    case "copy":
      return Effect.gen(function*() {
        const found = yield* world.store.get(yield* keyOf(command.grant))
        return [found!.value]
      })
    case "restore":
      return Effect.gen(function*() {
        const key = yield* keyOf(command.grant)
        yield* world.store.remove(key)
        yield* world.store.put(key, command.value, { lifetime: "1 hour", expected: "absent" })
        return []
      })
    case "redeem":
      return Effect.map(outcome(Effect.map(world.redeem(command.code), toTokens)), (value) => [value])
    case "refresh":
      // All refreshes of the process check the upstream before the first of them writes.
      return Effect.flatMap(Deferred.make<void>(), (checked) => {
        let waiting = command.times
        const check = () =>
          Effect.suspend(() => {
            if (--waiting === 0) Deferred.doneUnsafe(checked, Effect.void)
            return Effect.as(
              Effect.raceFirst(Deferred.await(checked), Effect.sleep("20 millis")),
              {
                outcome: "alive"
              } as const
            )
          })
        const request = { refreshToken: command.token, clientId: approved.clientId }
        return Effect.forEach(
          Array.from({ length: command.times }),
          () => outcome(Effect.map(world.grants.refresh(request, check), toTokens)),
          { concurrency: "unbounded" }
        )
      })
  }
}

const main = Effect.gen(function*() {
  const store = yield* RecordStore.RecordStore
  const secret = order === "ab" ? [secretA, secretB] : [secretB, secretA]
  const world = yield* makeWorld({
    store: crashing(store),
    secret,
    options: { retryWindow: retryWindow as "10 minutes" }
  })
  const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
  console.log("ready")
  while (true) {
    const line = yield* Effect.promise(() => lines.next())
    if (line.done === true) return
    const command: Command = JSON.parse(line.value)
    crash = "crash" in command ? command.crash : undefined
    writes = 0
    const values = yield* run(world, command)
    const result: Result = { id: command.id, values, events: world.events.splice(0).map(({ type }) => type) }
    console.log(JSON.stringify(result))
  }
})

await Effect.runPromise(Effect.scoped(Effect.provide(main, await stores[kind]!())))
process.exit(0)
