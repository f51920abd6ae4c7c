import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Schema } from "effect"
import { Sessions } from "effect-mcp-auth"
import { principal } from "./support.ts"

const alice = principal()

describe("Sessions", () => {
  const others = [
    { title: "another subject of the same client", other: principal({ subject: "bob" }) },
    { title: "another client of the same subject", other: principal({ clientId: "client-2" }) },
    { title: "the same names at another issuer", other: principal({ issuer: "https://other.test" }) },
    { title: "a caller without a subject", other: principal({ subject: undefined }) },
    { title: "a caller without a client", other: principal({ clientId: undefined }) },
    { title: "names that look like another pair when joined", other: principal({ subject: "alice\",\"x" }) }
  ]

  it.each(others)("SESS-02 a session does not exist for $title", ({ other }) => {
    const sessions = Sessions.make()
    sessions.bind("s", alice)
    assert.strictEqual(sessions.judge("s", other), "foreign")
    assert.strictEqual(sessions.judge("s", alice), "own")
  })

  it("belongs to its owner whatever token is used, as long as the three names are the same", () => {
    const sessions = Sessions.make()
    sessions.bind("s", alice)
    assert.strictEqual(sessions.judge("s", principal({ scopes: ["a"], expiresAt: 1 })), "own")
  })

  it("one that nobody opened does not exist", () => {
    const sessions = Sessions.make()
    for (const name of ["s", "", "__proto__", "constructor"]) assert.strictEqual(sessions.judge(name, alice), "foreign")
  })

  it("one that was released does not exist any more", () => {
    const sessions = Sessions.make()
    sessions.bind("s", alice)
    sessions.release("s")
    assert.strictEqual(sessions.judge("s", alice), "foreign")
    sessions.release("s")
  })

  it("are bounded: the one that was not used for the longest time goes first", () => {
    const sessions = Sessions.make(3)
    for (const name of ["a", "b", "c"]) sessions.bind(name, alice)
    sessions.judge("a", alice)
    sessions.bind("d", alice)
    assert.deepStrictEqual(["a", "b", "c", "d"].map((name) => sessions.judge(name, alice)), [
      "own",
      "foreign",
      "own",
      "own"
    ])
  })

  it("a stranger who asks for a session does not keep it alive", () => {
    const sessions = Sessions.make(2)
    sessions.bind("a", alice)
    sessions.bind("b", alice)
    sessions.judge("a", principal({ subject: "bob" }))
    sessions.bind("c", alice)
    assert.strictEqual(sessions.judge("a", alice), "foreign")
  })

  it.prop(
    "never more than the capacity, and always the latest",
    { names: Arbitrary.array(Arbitrary.schema(Schema.Literals(["a", "b", "c", "d", "e", "f"])), { minLength: 1 }) },
    ({ names }) => {
      const sessions = Sessions.make(3)
      for (const name of names) sessions.bind(name, alice)
      const known = [...new Set(names)].filter((name) => sessions.judge(name, alice) === "own")
      assert.isAtMost(known.length, 3)
      assert.include(known, names.at(-1))
    }
  )
})
