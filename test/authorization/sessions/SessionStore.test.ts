/** The contract of a store of sessions, which every store passes, and the use of a store by gates. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { AuthError } from "effect-mcp-auth"
import { SessionStore } from "effect-mcp-auth/sessions"
import { Redis } from "effect/persistence"
import { runs } from "../../program.ts"
import { redis } from "../../redis.ts"

interface Limits {
  readonly capacity?: number
  readonly anonymous?: number
}

interface Subject {
  readonly name: string
  readonly isInstalled: boolean
  readonly make: (limits: Limits) => Effect.Effect<SessionStore.Store, AuthError.AuthConfigError, Scope.Scope>
}

const subjects: ReadonlyArray<Subject> = [
  { name: "in memory", isInstalled: true, make: (limits) => SessionStore.memory(limits) },
  {
    name: "in Redis",
    isInstalled: runs("redis-server"),
    make: (limits) => Effect.map(redis, (redis) => SessionStore.redis(redis, limits))
  }
]

const session = (id: string, owner: string | undefined, groups: ReadonlyArray<string> = ["all"], limit = 3) => ({
  id,
  owner,
  groups,
  limit
})

describe.each(subjects.filter(({ isInstalled }) => isInstalled))("the store $name", ({ make }) => {
  const test = (title: string, limits: Limits, run: (store: SessionStore.Store) => Effect.Effect<unknown, unknown>) =>
    it.live(title, () => Effect.scoped(Effect.flatMap(make(limits), run)))

  test("knows the owner of a session, and no other caller", {}, (store) =>
    Effect.gen(function*() {
      assert.strictEqual(yield* store.access(session("a", "alice")), "foreign")
      assert.isTrue(yield* store.open(session("a", "alice")))
      assert.strictEqual(yield* store.access(session("a", "alice")), "own")
      assert.strictEqual(yield* store.access(session("a", "bob")), "foreign")
      assert.strictEqual(yield* store.access(session("a", undefined)), "needs-credentials")
      assert.strictEqual(yield* store.access(session("b", "alice")), "foreign")
    }))

  test("does not take a session from its owner", {}, (store) =>
    Effect.gen(function*() {
      yield* store.open(session("a", "alice"))
      assert.isFalse(yield* store.open(session("a", "bob")))
      assert.isFalse(yield* store.open(session("a", undefined)))
      assert.isTrue(yield* store.open(session("a", "alice")))
      assert.strictEqual(yield* store.access(session("a", "alice")), "own")
      assert.strictEqual(yield* store.access(session("a", "bob")), "foreign")
    }))

  test("gives a session to one of many callers that open it at the same time", {}, (store) =>
    Effect.gen(function*() {
      const callers = Array.from({ length: 20 }, (_, index) => `caller ${index}`)
      const opened = yield* Effect.forEach(callers, (owner) => store.open(session("a", owner)), {
        concurrency: "unbounded"
      })
      assert.lengthOf(opened.filter((isOwn) => isOwn), 1)
      const access = yield* Effect.forEach(callers, (owner) => store.access(session("a", owner)))
      assert.deepStrictEqual(access.map((_) => _ === "own"), opened)
    }))

  test(
    "gives the session of an anonymous caller to the first principal that uses it",
    {},
    (store) =>
      Effect.gen(function*() {
        yield* store.open(session("a", undefined))
        assert.strictEqual(yield* store.access(session("a", undefined)), "own")
        const callers = ["alice", "bob", "carol"]
        const access = yield* Effect.forEach(callers, (owner) => store.access(session("a", owner, ["all", owner])), {
          concurrency: "unbounded"
        })
        assert.lengthOf(access.filter((_) => _ === "own"), 1)
        const owner = callers[access.indexOf("own")]!
        assert.strictEqual(yield* store.access(session("a", undefined)), "needs-credentials")
        yield* store.endAll("another group")
        assert.strictEqual(yield* store.access(session("a", owner)), "own")
        yield* store.endAll(owner)
        assert.strictEqual(yield* store.access(session("a", owner)), "foreign")
      })
  )

  test("ends a session", {}, (store) =>
    Effect.gen(function*() {
      yield* store.open(session("a", "alice"))
      yield* store.end("a")
      assert.strictEqual(yield* store.access(session("a", "alice")), "foreign")
      yield* store.end("a")
      yield* store.end("unknown")
      assert.isTrue(yield* store.open(session("a", "bob")))
    }))

  test(
    "[T-AUD-20] ends the session that an owner has not used for the longest time, and none of others",
    {},
    (store) =>
      Effect.gen(function*() {
        yield* store.open(session("other", "bob"))
        for (const id of ["a", "b", "c"]) yield* store.open(session(id, "alice"))
        yield* store.access(session("a", "alice"))
        yield* store.open(session("d", "alice"))
        const access = yield* Effect.forEach(["a", "b", "c", "d"], (id) => store.access(session(id, "alice")))
        assert.deepStrictEqual(access, ["own", "foreign", "own", "own"])
        assert.strictEqual(yield* store.access(session("other", "bob")), "own")
      })
  )

  test("never has more sessions than its capacity, and separates those of anonymous callers", {
    capacity: 2,
    anonymous: 2
  }, (store) =>
    Effect.gen(function*() {
      yield* store.open(session("x", "alice"))
      for (const id of ["a", "b", "c"]) yield* store.open(session(id, undefined))
      const access = yield* Effect.forEach(["a", "b", "c"], (id) => store.access(session(id, undefined)))
      assert.deepStrictEqual(access, ["foreign", "own", "own"])
      assert.strictEqual(yield* store.access(session("x", "alice")), "own")
      yield* store.open(session("y", "bob"))
      yield* store.open(session("z", "carol"))
      assert.strictEqual(yield* store.access(session("x", "alice")), "foreign")
      assert.strictEqual(yield* store.access(session("z", "carol")), "own")
    }))

  test("ends all sessions of a group, and none that is opened later", {}, (store) =>
    Effect.gen(function*() {
      yield* store.open(session("a", "alice", ["all", "subject-alice"]))
      yield* store.open(session("b", "alice", ["all", "subject-alice"]))
      yield* store.open(session("c", "bob", ["all", "subject-bob"]))
      yield* store.endAll("subject-alice")
      assert.strictEqual(yield* store.access(session("a", "alice")), "foreign")
      assert.strictEqual(yield* store.access(session("c", "bob")), "own")
      assert.isTrue(yield* store.open(session("b", "alice", ["all", "subject-alice"])))
      assert.strictEqual(yield* store.access(session("b", "alice")), "own")
      yield* store.endAll("all")
      assert.strictEqual(yield* store.access(session("b", "alice")), "foreign")
      assert.strictEqual(yield* store.access(session("c", "bob")), "foreign")
      // The id of a session that has ended belongs to the next caller that opens a session with it.
      assert.isTrue(yield* store.open(session("a", "carol")))
    }))
})

describe("the store in Redis", () => {
  const answering = (answer: Effect.Effect<unknown, Redis.RedisError>) => {
    const sent: Array<ReadonlyArray<string>> = []
    const send = (...command: ReadonlyArray<string>) => {
      sent.push(command)
      return answer
    }
    return { sent, store: SessionStore.redis({ send: send as Redis.Redis["Service"]["send"] }) }
  }

  const operations = [
    (store: SessionStore.Store) => store.open(session("a", "alice")),
    (store: SessionStore.Store) => store.access(session("a", "alice")),
    (store: SessionStore.Store) => store.end("a"),
    (store: SessionStore.Store) => store.endAll("all")
  ]

  it.effect("fails if Redis is down, or answers with anything else than the script does", () =>
    Effect.gen(function*() {
      const failures = [
        Effect.fail(new Redis.RedisError({ cause: new Error("closed") })),
        ...[null, undefined, "OK", 3, -1, 0.5].map((answer) => Effect.succeed(answer))
      ]
      for (const failure of failures) {
        for (const operation of operations) {
          const { reason } = yield* Effect.flip(operation(answering(failure).store))
          assert.strictEqual(reason, "session-store-down")
        }
      }
    }))

  it.effect("runs one script per operation", () =>
    Effect.gen(function*() {
      for (const operation of operations) {
        const { sent, store } = answering(Effect.succeed(1))
        yield* operation(store)
        assert.deepStrictEqual(sent.map(([command]) => command), ["EVAL"])
      }
    }))

  it.live.skipIf(!runs("redis-server"))(
    "keeps a session for the time `idle` after its last use, and no entry for longer",
    () =>
      Effect.gen(function*() {
        const connection = yield* redis
        const store = SessionStore.redis(connection, { idle: "1 hour", prefix: "{test}:" })
        yield* store.open(session("a", "alice", ["subject-alice"]))
        yield* store.open(session("b", undefined, ["all"]))
        yield* store.endAll("subject-bob")
        const keys = yield* connection.send<ReadonlyArray<string>>("KEYS", "*")
        assert.sameMembers([...keys], [
          "{test}:session:a",
          "{test}:session:b",
          "{test}:owner:alice",
          "{test}:owner:",
          "{test}:all",
          "{test}:clock",
          "{test}:ended:subject-bob"
        ])
        for (const key of keys) {
          const left = yield* connection.send<number>("PTTL", key)
          assert.isAbove(left, 3_500_000, key)
          assert.isAtMost(left, 3_600_000, key)
        }
        yield* connection.send("DEL", "{test}:session:a")
        assert.strictEqual(yield* store.access(session("a", "alice")), "foreign")
      })
  )

  it("rejects options that do not exist, and values outside their bounds", () => {
    const service = { send: () => Effect.succeed(1) } as never
    const failures: ReadonlyArray<readonly [options: unknown, option: string]> = [
      [{ capcity: 1 }, "SessionStore.redis.capcity"],
      [{ capacity: 0 }, "SessionStore.redis.capacity"],
      [{ anonymous: 1.5 }, "SessionStore.redis.anonymous"],
      [{ idle: "0 seconds" }, "SessionStore.redis.idle"],
      [{ prefix: "" }, "SessionStore.redis.prefix"]
    ]
    for (const [options, option] of failures) {
      let thrown: unknown
      try {
        SessionStore.redis(service, options as never)
      } catch (error) {
        thrown = error
      }
      assert.instanceOf(thrown, AuthError.AuthConfigError)
      assert.strictEqual((thrown as AuthError.AuthConfigError).option, option)
    }
  })
})
