/** Tests the behavior of each store of records beyond the common contract. */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Redacted } from "effect"
import { Lease, MemoryStore, RecordStore, RedisStore, SealedStore } from "effect-mcp-auth/store"
import { FileStore, SqliteStore } from "effect-mcp-auth/store-node"
import { Redis } from "effect/persistence"
import { TestClock } from "effect/testing"
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const lifetime = "1 minute"

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "records-"))),
  (made) => Effect.sync(() => rmSync(made, { recursive: true, force: true }))
)

const failureOf = <A, E>(effect: Effect.Effect<A, E>) => Effect.flip(effect)

describe("the store in memory", () => {
  it.effect("fails when it is full, and has room again when a record expires", () =>
    Effect.gen(function*() {
      const store = yield* MemoryStore.make(2)
      yield* store.put("a", "1", { lifetime: "1 second", expected: "absent" })
      const version = yield* store.put("b", "1", { lifetime, expected: "absent" })
      const failure = yield* failureOf(store.put("c", "1", { lifetime, expected: "absent" }))
      assert.strictEqual(failure.reason, "full")
      assert.isDefined(yield* store.put("b", "2", { lifetime, expected: version! }))
      yield* TestClock.adjust("1 second")
      assert.isDefined(yield* store.put("c", "1", { lifetime, expected: "absent" }))
    }))

  it.effect.each([0, 1.5, -1, Number.NaN, "10"])("rejects the capacity %s", (capacity) =>
    Effect.gen(function*() {
      const failure = yield* failureOf(MemoryStore.make(capacity as number))
      assert.include(failure.message, "capacity")
    }))
})

describe("the sealed store", () => {
  const first = Redacted.make("0123456789abcdef0123456789abcdef")
  const second = Redacted.make("fedcba9876543210fedcba9876543210")

  it.effect("writes no value in plain text", () =>
    Effect.gen(function*() {
      const plain = yield* MemoryStore.make()
      const store = SealedStore.make(plain, SealedStore.withSecrets(first))
      yield* store.put("a", "marker", { lifetime, expected: "absent" })
      assert.notInclude((yield* plain.get("a"))!.value, "marker")
    }))

  it.effect("treats a value that was moved to another key as absent, and replaces it", () =>
    Effect.gen(function*() {
      const plain = yield* MemoryStore.make()
      const store = SealedStore.make(plain, SealedStore.withSecrets(first))
      yield* store.put("alice", "token of alice", { lifetime, expected: "absent" })
      const moved = (yield* plain.get("alice"))!.value
      yield* plain.put("bob", moved, { lifetime, expected: "absent" })
      assert.isUndefined(yield* store.get("bob"))
      assert.isDefined(yield* store.put("bob", "token of bob", { lifetime, expected: "absent" }))
      assert.strictEqual((yield* store.get("bob"))?.value, "token of bob")
      assert.isUndefined(yield* store.put("bob", "again", { lifetime, expected: "absent" }))
    }))

  it.effect("opens values of every listed secret, and treats those of a removed secret as absent", () =>
    Effect.gen(function*() {
      const plain = yield* MemoryStore.make()
      const before = SealedStore.make(plain, SealedStore.withSecrets(first))
      const during = SealedStore.make(plain, SealedStore.withSecrets(second, first))
      const after = SealedStore.make(plain, SealedStore.withSecrets(second))
      yield* before.put("a", "1", { lifetime, expected: "absent" })
      assert.strictEqual((yield* during.get("a"))?.value, "1")
      assert.isUndefined(yield* after.get("a"))
      yield* during.put("b", "2", { lifetime, expected: "absent" })
      assert.strictEqual((yield* after.get("b"))?.value, "2")
    }))
})

describe("the store in Redis", () => {
  it.effect("fails when Redis is down, answers something else or does not answer within two seconds", () =>
    Effect.gen(function*() {
      const answering = (answer: Effect.Effect<unknown, Redis.RedisError>) =>
        RedisStore.make({ send: (() => answer) as unknown as Redis.Redis["Service"]["send"] })
      const down = answering(Effect.fail(new Redis.RedisError({ cause: new Error("closed") })))
      assert.strictEqual((yield* failureOf(down.get("a"))).reason, "down")
      for (const answer of [7, "short", {}]) {
        assert.strictEqual((yield* failureOf(answering(Effect.succeed(answer)).get("a"))).reason, "down")
        assert.strictEqual((yield* failureOf(answering(Effect.succeed(answer)).remove("a"))).reason, "down")
      }
      const waiting = yield* Effect.forkChild(failureOf(answering(Effect.never).get("a")))
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual((yield* Fiber.join(waiting)).reason, "down")
    }))
})

const kinds = { FileStore, SqliteStore }

describe.each(["FileStore", "SqliteStore"] as const)("%s", (kind) => {
  const { make } = kinds[kind]

  it.live("creates its file and its folder for the owner only, and keeps records when it is opened again", () =>
    Effect.gen(function*() {
      const file = join(yield* folder, "new", "records")
      yield* Effect.scoped(Effect.gen(function*() {
        const store = yield* make({ file })
        yield* store.put("a", "1", { lifetime, expected: "absent" })
        for (const name of readdirSync(join(file, ".."))) {
          assert.strictEqual(lstatSync(join(file, "..", name)).mode & 0o077, 0, name)
        }
      }))
      assert.strictEqual(lstatSync(join(file, "..")).mode & 0o077, 0)
      const again = yield* make({ file })
      assert.strictEqual((yield* again.get("a"))?.value, "1")
    }))

  it.live("rejects a file that other users can read, a link, and a folder in which they can replace files", () =>
    Effect.gen(function*() {
      const made = yield* folder
      const open = join(made, "open")
      writeFileSync(open, "")
      chmodSync(open, 0o644)
      symlinkSync(open, join(made, "link"))
      mkdirSync(join(made, "shared"))
      chmodSync(join(made, "shared"), 0o777)
      for (const file of [open, join(made, "link"), join(made, "shared", "records"), made]) {
        const failure = yield* failureOf(Effect.scoped(make({ file })))
        assert.instanceOf(failure, RecordStore.RecordStoreUnavailable)
        assert.strictEqual(failure.reason, "unsafe", file)
        assert.include(failure.message, made)
      }
    }))

  it.live.each([undefined, {}, { file: "" }, { file: 1 }, { path: "x" }])(
    "rejects the options %j",
    (options) =>
      Effect.gen(function*() {
        const failure = yield* failureOf(Effect.scoped(make(options as never)))
        assert.strictEqual(failure._tag, "AuthConfigError")
      })
  )
})

describe("the store in a file", () => {
  it.live.each([
    "",
    "{",
    "[]",
    "null",
    "[\"effect-mcp-auth records 0\",[]]",
    "[\"effect-mcp-auth records 1\",[[1,2],[\"a\",{}]]]"
  ])(
    "treats a file that contains %j as empty, and replaces it",
    (content) =>
      Effect.gen(function*() {
        const file = join(yield* folder, "records")
        writeFileSync(file, content, { mode: 0o600 })
        const store = yield* FileStore.make({ file })
        assert.isUndefined(yield* store.get("a"))
        yield* store.put("a", "1", { lifetime, expected: "absent" })
        assert.strictEqual((yield* store.get("a"))?.value, "1")
      })
  )

  it.live("breaks the lock of a process that has ended", () =>
    Effect.gen(function*() {
      const file = join(yield* folder, "records")
      const store = yield* FileStore.make({ file })
      yield* store.put("a", "1", { lifetime, expected: "absent" })
      // No process has this id: the largest one of Linux is 4194304.
      const { hostname } = yield* Effect.promise(() => import("node:os"))
      writeFileSync(`${file}.lock`, `${hostname()} 99999999`)
      assert.isDefined(yield* store.put("b", "2", { lifetime, expected: "absent" }))
      assert.deepStrictEqual(readdirSync(join(file, "..")), ["records"])
    }))

  it.live("writes no half of a file when its caller is interrupted", () =>
    Effect.gen(function*() {
      const file = join(yield* folder, "records")
      const store = yield* FileStore.make({ file })
      const fibers = yield* Effect.forEach(
        Array.from({ length: 20 }, (_, index) => index),
        (index) => Effect.forkChild(store.put(`k${index}`, "x".repeat(10_000), { lifetime, expected: "absent" }))
      )
      yield* Effect.sleep(5)
      yield* Fiber.interruptAll(fibers)
      JSON.parse(readFileSync(file, "utf8"))
      assert.deepStrictEqual(readdirSync(join(file, "..")), ["records"])
    }))
})

describe("a lease", () => {
  it.effect("lets one holder run at a time, and ends when the holder fails or is interrupted", () =>
    Effect.gen(function*() {
      const store = yield* MemoryStore.make()
      const leased = Lease.withLease(store, "lease", { lifetime })
      const entered = yield* Deferred.make<void>()
      const holder = yield* Effect.forkChild(leased(Effect.andThen(Deferred.succeed(entered, undefined), Effect.never)))
      yield* Deferred.await(entered)
      let ran = false
      const waiting = yield* Effect.forkChild(leased(Effect.sync(() => void (ran = true))))
      yield* TestClock.adjust("1 second")
      assert.isFalse(ran)
      yield* Fiber.interrupt(holder)
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(waiting)
      assert.isTrue(ran)
      assert.strictEqual(yield* failureOf(leased(Effect.fail("failed"))), "failed")
      assert.strictEqual(yield* leased(Effect.succeed(1)), 1)
    }))

  it.effect("passes to another holder after its lifetime", () =>
    Effect.gen(function*() {
      const store = yield* MemoryStore.make()
      const entered = yield* Deferred.make<void>()
      const stuck = Effect.andThen(Deferred.succeed(entered, undefined), Effect.never)
      yield* Effect.forkChild(Lease.withLease(store, "lease", { lifetime: "5 seconds" })(stuck))
      yield* Deferred.await(entered)
      const next = yield* Effect.forkChild(Lease.withLease(store, "lease", { lifetime })(Effect.succeed(1)))
      yield* TestClock.adjust("6 seconds")
      assert.strictEqual(yield* Fiber.join(next), 1)
    }))

  it.effect("can be interrupted while it waits", () =>
    Effect.gen(function*() {
      const store = yield* MemoryStore.make()
      yield* store.put("lease", "", { lifetime, expected: "absent" })
      const waiting = yield* Effect.forkChild(Lease.withLease(store, "lease", { lifetime })(Effect.void))
      yield* TestClock.adjust("1 second")
      yield* Fiber.interrupt(waiting)
      assert.isDefined(yield* store.get("lease"))
    }))
})
