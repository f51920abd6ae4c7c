/**
 * Checks that a store of records keeps its contract. Run every check against a custom store.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type { RecordStoreUnavailable, Store, Version } from "../store/records/RecordStore.ts"

/**
 * One rule of the contract. `check` fails with `ContractViolated` if the store breaks it.
 *
 * `wait` lets the time of the store pass: `Effect.sleep` for a database, `TestClock.adjust` for a store that uses the clock of
 * Effect. It is called with at most 300 milliseconds.
 *
 * @category models
 * @since 0.1.0
 */
export interface Rule {
  readonly title: string
  readonly check: (
    store: Store,
    wait: (milliseconds: number) => Effect.Effect<void>
  ) => Effect.Effect<void, ContractViolated | RecordStoreUnavailable>
}

/**
 * Reports that a store breaks a rule of the contract.
 *
 * @category errors
 * @since 0.1.0
 */
export class ContractViolated extends Error {
  readonly _tag = "ContractViolated"
  override readonly name = "ContractViolated"
}

const expectThat = (holds: boolean, what: string): Effect.Effect<void, ContractViolated> =>
  holds ? Effect.void : Effect.fail(new ContractViolated(what))

const lifetime = "1 minute"

/** Each rule uses new keys, so rules can run at the same time and more than once. */
const newKey = Effect.sync(() => `contract:${crypto.randomUUID()}`)

/**
 * The rules of the contract.
 *
 * **Example** (A custom store)
 *
 * ```ts
 * import { MemoryStore } from "effect-mcp-auth/store"
 * import { RecordStoreContract } from "effect-mcp-auth/testing"
 * import { Effect } from "effect"
 *
 * const check = Effect.gen(function*() {
 *   const store = yield* MemoryStore.make()
 *   for (const { check, title } of RecordStoreContract.rules) {
 *     yield* check(store, (milliseconds) => Effect.sleep(milliseconds))
 *     console.log(`The store ${title}`)
 *   }
 * })
 * ```
 *
 * @category testing
 * @since 0.1.0
 */
export const rules: ReadonlyArray<Rule> = [
  {
    title: "returns what was written, with the version of the write",
    check: (store) =>
      Effect.gen(function*() {
        const key = yield* newKey
        yield* expectThat((yield* store.get(key)) === undefined, "a key without a record has one")
        const value = "text with ä, 🔑, \u0001 and \n"
        const version = yield* store.put(key, value, { lifetime, expected: "absent" })
        yield* expectThat(version !== undefined, "a write to an absent record was lost")
        const found = yield* store.get(key)
        yield* expectThat(found?.value === value && found.version === version, "another record was returned")
      })
  },
  {
    title: "stores empty values and long ones",
    check: (store) =>
      Effect.gen(function*() {
        for (const value of ["", "x".repeat(65_536)]) {
          const key = yield* newKey
          yield* store.put(key, value, { lifetime, expected: "absent" })
          yield* expectThat((yield* store.get(key))?.value === value, `a value of ${value.length} characters changed`)
        }
      })
  },
  {
    title: "writes only if the record has the expected version",
    check: (store) =>
      Effect.gen(function*() {
        const key = yield* newKey
        const first = (yield* store.put(key, "1", { lifetime, expected: "absent" }))!
        yield* expectThat(
          (yield* store.put(key, "2", { lifetime, expected: "absent" })) === undefined,
          "a write that expects no record replaced one"
        )
        const second = (yield* store.put(key, "3", { lifetime, expected: first }))!
        yield* expectThat(second !== undefined && second !== first, "a write did not change the version")
        yield* expectThat(
          (yield* store.put(key, "4", { lifetime, expected: first })) === undefined,
          "a write that expects an old version replaced a newer one"
        )
        yield* expectThat((yield* store.get(key))?.value === "3", "a lost write changed the value")
        yield* expectThat(
          (yield* store.put(yield* newKey, "5", { lifetime, expected: first })) === undefined,
          "a write that expects a version created a record"
        )
      })
  },
  {
    title: "removes a record, or only the expected version of it",
    check: (store) =>
      Effect.gen(function*() {
        const key = yield* newKey
        yield* expectThat(!(yield* store.remove(key)), "an absent record was removed")
        const first = (yield* store.put(key, "1", { lifetime, expected: "absent" }))!
        const second = (yield* store.put(key, "2", { lifetime, expected: first }))!
        yield* expectThat(!(yield* store.remove(key, first)), "an old version was removed")
        yield* expectThat(yield* store.remove(key, second), "the version was not removed")
        yield* expectThat((yield* store.get(key)) === undefined, "a removed record was returned")
        yield* store.put(key, "3", { lifetime, expected: "absent" })
        yield* expectThat(yield* store.remove(key), "the record was not removed")
      })
  },
  {
    title: "gives a new version to a record that is created again with the same value",
    check: (store) =>
      Effect.gen(function*() {
        const key = yield* newKey
        const first = (yield* store.put(key, "1", { lifetime, expected: "absent" }))!
        yield* store.remove(key)
        const again = yield* store.put(key, "1", { lifetime, expected: "absent" })
        yield* expectThat(again !== undefined && again !== first, "the version was used before")
      })
  },
  {
    title: "treats an expired record as absent",
    check: (store, wait) =>
      Effect.gen(function*() {
        const key = yield* newKey
        const short = "100 millis"
        const first = (yield* store.put(key, "1", { lifetime: short, expected: "absent" }))!
        yield* wait(300)
        yield* expectThat((yield* store.get(key)) === undefined, "an expired record was returned")
        yield* expectThat(
          (yield* store.put(key, "2", { lifetime: short, expected: first })) === undefined,
          "an expired record was replaced"
        )
        yield* expectThat(!(yield* store.remove(key, first)), "an expired record was removed")
        const again = yield* store.put(key, "3", { lifetime, expected: "absent" })
        yield* expectThat(again !== undefined, "an expired record prevented a write")
        yield* wait(300)
        yield* expectThat((yield* store.get(key))?.value === "3", "a record expired before its time")
      })
  },
  {
    title: "lets one of many simultaneous writes win",
    check: (store) =>
      Effect.gen(function*() {
        const key = yield* newKey
        const write = (expected: "absent" | Version) => (value: number) =>
          store.put(key, `${value}`, { lifetime, expected })
        const many = Array.from({ length: 20 }, (_, value) => value)
        const created = yield* Effect.forEach(many, write("absent"), { concurrency: "unbounded" })
        yield* expectThat(created.filter((_) => _ !== undefined).length === 1, "several writes created one record")
        const version = created.find((_) => _ !== undefined)!
        const changed = yield* Effect.forEach(many, write(version), { concurrency: "unbounded" })
        yield* expectThat(changed.filter((_) => _ !== undefined).length === 1, "several writes replaced one version")
        const winner = changed.findIndex((_) => _ !== undefined)
        yield* expectThat((yield* store.get(key))?.value === `${winner}`, "another value than the winner's was stored")
      })
  },
  {
    title: "lets one of many simultaneous removals win",
    check: (store) =>
      Effect.gen(function*() {
        const key = yield* newKey
        const version = (yield* store.put(key, "1", { lifetime, expected: "absent" }))!
        const removals = Array.from({ length: 20 }, () => store.remove(key, version))
        const removed = yield* Effect.all(removals, { concurrency: "unbounded" })
        yield* expectThat(removed.filter((_) => _).length === 1, "several removals of one version succeeded")
      })
  },
  {
    title: "keeps records of different keys apart",
    check: (store) =>
      Effect.gen(function*() {
        const key = yield* newKey
        const keys = [key, `${key}:`, `${key}%`, `${key}*`, key.toUpperCase(), `${key}'"\\`]
        for (const each of keys) yield* store.put(each, each, { lifetime, expected: "absent" })
        for (const each of keys) {
          yield* expectThat((yield* store.get(each))?.value === each, `the record of ${each} belongs to another key`)
        }
      })
  },
  {
    title: "fails for keys and values beyond its limits",
    check: (store) =>
      Effect.gen(function*() {
        const key = yield* newKey
        for (const bad of ["", " ", "ä", "a\0b", "a\nb", "x".repeat(513)]) {
          const read = yield* Effect.exit(store.get(bad))
          const written = yield* Effect.exit(store.put(bad, "", { lifetime, expected: "absent" }))
          yield* expectThat(
            read._tag === "Failure" && written._tag === "Failure",
            "a key beyond the limits was accepted"
          )
        }
        for (const bad of ["x".repeat(262_145), "a\0b"]) {
          const written = yield* Effect.exit(store.put(key, bad, { lifetime, expected: "absent" }))
          yield* expectThat(written._tag === "Failure", "a value beyond the limits was accepted")
        }
      })
  }
]
