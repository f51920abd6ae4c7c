/** A process that increments a counter in a store: reads it, and writes the next number if no other process was faster. */
import { Effect } from "effect"
import { Lease, RecordStore } from "effect-mcp-auth/store"
import { stores } from "./ProcessStores.ts"

const [kind = "", place = "", increments = "0", leased = "0"] = process.argv.slice(2)

const lifetime = "1 hour"

const increment = (store: RecordStore.Store): Effect.Effect<void, RecordStore.RecordStoreUnavailable> =>
  Effect.gen(function*() {
    while (true) {
      const found = yield* store.get("counter")
      const next = `${Number(found?.value ?? 0) + 1}`
      const expected = found?.version ?? "absent"
      if ((yield* store.put("counter", next, { lifetime, expected })) !== undefined) return
    }
  })

/** Without the lease, this loses increments: it removes the record that another process has written meanwhile. */
const incrementUnderLease = (store: RecordStore.Store) =>
  Effect.gen(function*() {
    const found = yield* store.get("leased")
    yield* Effect.sleep("2 millis")
    yield* store.remove("leased")
    yield* store.put("leased", `${Number(found?.value ?? 0) + 1}`, { lifetime, expected: "absent" })
  }).pipe(Lease.withLease(store, "lease", { lifetime: "20 seconds" }))

const main = Effect.gen(function*() {
  const store = yield* RecordStore.RecordStore
  for (let time = 0; time < Number(increments); time++) yield* increment(store)
  for (let time = 0; time < Number(leased); time++) yield* incrementUnderLease(store)
  return [Number((yield* store.get("counter"))?.value), Number((yield* store.get("leased"))?.value)]
})

console.log(JSON.stringify(await Effect.runPromise(Effect.provide(main, await stores[kind]!(place)))))
