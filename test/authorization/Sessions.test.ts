import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Schema } from "effect"
import { Sessions } from "effect-mcp-auth/host"
import { principal } from "./support.ts"

const alice = principal()

describe("Sessions", () => {
  const others = [
    { title: "another subject of the same client", other: principal({ subject: "bob" }) },
    { title: "another client of the same subject", other: principal({ clientId: "client-2" }) },
    { title: "the same names at another issuer", other: principal({ issuer: "https://other.test" }) },
    { title: "a caller without a subject", other: principal({ subject: undefined }) },
    { title: "a caller without a client", other: principal({ clientId: undefined }) },
    { title: "names that join to the same text as another pair", other: principal({ subject: "alice\",\"x" }) }
  ]

  it.each(others)("SESS-02 a session does not exist for $title", ({ other }) => {
    const sessions = Sessions.make()
    sessions.bind("s", alice)
    assert.strictEqual(sessions.access("s", other), "foreign")
    assert.strictEqual(sessions.access("s", alice), "own")
  })

  it("a session belongs to its owner with any token of the same issuer, subject and client", () => {
    const sessions = Sessions.make()
    sessions.bind("s", alice)
    assert.strictEqual(sessions.access("s", principal({ scopes: ["a"], expiresAt: 1 })), "own")
  })

  it("a session that was not opened does not exist", () => {
    const sessions = Sessions.make()
    for (const name of ["s", "", "__proto__", "constructor"]) {
      assert.strictEqual(sessions.access(name, alice), "foreign")
    }
  })

  it("a session that was released does not exist any more", () => {
    const sessions = Sessions.make()
    sessions.bind("s", alice)
    sessions.release("s")
    assert.strictEqual(sessions.access("s", alice), "foreign")
    sessions.release("s")
  })

  it("the number of sessions is bounded: the least recently used session is evicted first", () => {
    const sessions = Sessions.make({ capacity: 3 })
    for (const name of ["a", "b", "c"]) sessions.bind(name, alice)
    sessions.access("a", alice)
    sessions.bind("d", alice)
    assert.deepStrictEqual(["a", "b", "c", "d"].map((name) => sessions.access(name, alice)), [
      "own",
      "foreign",
      "own",
      "own"
    ])
  })

  it("a request of another caller does not keep a session alive", () => {
    const sessions = Sessions.make({ capacity: 2 })
    sessions.bind("a", alice)
    sessions.bind("b", alice)
    sessions.access("a", principal({ subject: "bob" }))
    sessions.bind("c", alice)
    assert.strictEqual(sessions.access("a", alice), "foreign")
  })

  it.prop(
    "never keeps more sessions than the capacity, and always keeps the latest",
    { names: Arbitrary.array(Arbitrary.schema(Schema.Literals(["a", "b", "c", "d", "e", "f"])), { minLength: 1 }) },
    ({ names }) => {
      const sessions = Sessions.make({ capacity: 3 })
      for (const name of names) sessions.bind(name, alice)
      const known = [...new Set(names)].filter((name) => sessions.access(name, alice) === "own")
      assert.isAtMost(known.length, 3)
      assert.include(known, names.at(-1))
    }
  )

  const open = (sessions: Sessions.Sessions, names: ReadonlyArray<string>, caller?: ReturnType<typeof principal>) => {
    for (const name of names) sessions.bind(name, caller)
    return (caller: ReturnType<typeof principal> | undefined) =>
      names.filter((name) => sessions.access(name, caller) === "own")
  }
  const names = (prefix: string, count: number) => Array.from({ length: count }, (_, index) => `${prefix}${index}`)
  const bob = principal({ subject: "bob" })

  it("[T-AUD-20] a caller who opens too many sessions loses the oldest of them, and no other caller does", () => {
    const sessions = Sessions.make({ capacity: 1000, perCaller: 3 })
    const ofAlice = open(sessions, ["a", "b"], alice)
    const ofBob = open(sessions, names("bob", 100_001), bob)
    assert.deepStrictEqual(ofAlice(alice), ["a", "b"])
    assert.deepStrictEqual(ofBob(bob), ["bob99998", "bob99999", "bob100000"])
  })

  it("[T-AUD-20] the least recently used session of a caller is evicted first", () => {
    const sessions = Sessions.make({ perCaller: 2 })
    const ofAlice = open(sessions, ["a", "b"], alice)
    sessions.access("a", alice)
    sessions.bind("c", alice)
    assert.deepStrictEqual(ofAlice(alice), ["a"])
    assert.strictEqual(sessions.access("c", alice), "own")
  })

  it("[T-AUD-20] anonymous callers evict only anonymous sessions", () => {
    const sessions = Sessions.make({ capacity: 5, anonymous: 2 })
    const ofAlice = open(sessions, names("alice", 5), alice)
    const ofAnonymous = open(sessions, names("anonymous", 1000))
    assert.lengthOf(ofAlice(alice), 5)
    assert.deepStrictEqual(ofAnonymous(undefined), ["anonymous998", "anonymous999"])
  })

  it("[T-AUD-20] anonymous sessions that are claimed count as sessions of their owner", () => {
    const sessions = Sessions.make({ perCaller: 2, anonymous: 3 })
    open(sessions, ["a", "b", "c"])
    const claimed = () => ["a", "b", "c"].filter((name) => sessions.access(name, bob) === "own")
    assert.deepStrictEqual(claimed(), ["a", "b", "c"])
    assert.deepStrictEqual(["a", "b", "c"].map((name) => sessions.access(name, alice)), [
      "foreign",
      "foreign",
      "foreign"
    ])
    assert.deepStrictEqual(claimed(), ["b", "c"])
    // The claimed sessions no longer count as anonymous, so three more anonymous sessions fit.
    assert.lengthOf(open(sessions, ["d", "e", "f"])(undefined), 3)
  })

  it("[T-AUD-20] a session that is released makes room", () => {
    const sessions = Sessions.make({ perCaller: 2 })
    const ofAlice = open(sessions, ["a", "b"], alice)
    sessions.release("a")
    sessions.release("a")
    sessions.bind("c", alice)
    assert.deepStrictEqual(ofAlice(alice), ["b"])
    sessions.bind("d", alice)
    assert.deepStrictEqual(ofAlice(alice), ["b"])
    assert.strictEqual(sessions.access("c", alice), "foreign")
  })

  // Session ids can repeat, and some servers let clients choose them. A later binding of the same id must not give the session
  // to another caller.
  it("[T-AUD-20c] a session that is bound again keeps its first owner until that owner releases it", () => {
    const sessions = Sessions.make()
    sessions.bind("s", alice)
    for (const later of [bob, undefined]) {
      sessions.bind("s", later)
      assert.strictEqual(sessions.access("s", alice), "own")
    }
    assert.strictEqual(sessions.access("s", bob), "foreign")
    assert.strictEqual(sessions.access("s", undefined), "needs-credentials")
    sessions.release("s")
    sessions.bind("s", bob)
    assert.strictEqual(sessions.access("s", bob), "own")
    assert.strictEqual(sessions.access("s", alice), "foreign")
  })

  it("[T-AUD-20c] an anonymous session that is bound again is still claimed by the first principal that uses it", () => {
    const sessions = Sessions.make()
    sessions.bind("s", undefined)
    sessions.bind("s", alice)
    assert.strictEqual(sessions.access("s", undefined), "own")
    assert.strictEqual(sessions.access("s", alice), "own")
    assert.strictEqual(sessions.access("s", undefined), "needs-credentials")
  })
})
