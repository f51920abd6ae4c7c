import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { ScopeHierarchy } from "effect-mcp-auth/host"

const expand = (hierarchy: ScopeHierarchy.ScopeHierarchy, ...granted: ReadonlyArray<string>) =>
  [...ScopeHierarchy.compile(hierarchy)(new Set(granted))].sort()

const todos: ScopeHierarchy.ScopeHierarchy = {
  "todos:admin": ["todos:write", "audit:read"],
  "todos:write": ["todos:read"]
}

describe("compile", () => {
  it("returns the granted scopes if there is no hierarchy", () => {
    const granted = new Set(["a", "b"])
    assert.strictEqual(ScopeHierarchy.compile({})(granted), granted)
  })

  it("adds the scopes that a scope implies, and those that they imply", () => {
    assert.deepStrictEqual(expand(todos, "todos:write"), ["todos:read", "todos:write"])
    assert.deepStrictEqual(expand(todos, "todos:admin"), ["audit:read", "todos:admin", "todos:read", "todos:write"])
  })

  it("adds no scope that implies a granted one", () => {
    assert.deepStrictEqual(expand(todos, "todos:read"), ["todos:read"])
    assert.deepStrictEqual(expand(todos, "audit:read", "todos:read"), ["audit:read", "todos:read"])
    assert.deepStrictEqual(expand(todos), [])
  })

  it("resolves cycles of scopes", () => {
    assert.deepStrictEqual(expand({ a: ["b"], b: ["c"], c: ["a"] }, "b"), ["a", "b", "c"])
    assert.deepStrictEqual(expand({ a: ["a"] }, "a"), ["a"])
  })

  it("does not change the set of granted scopes", () => {
    const granted = new Set(["todos:write"])
    ScopeHierarchy.compile(todos)(granted)
    assert.deepStrictEqual([...granted], ["todos:write"])
  })

  it.each(["constructor", "__proto__", "toString", "hasOwnProperty"])(
    "%s implies no scope unless the hierarchy lists it",
    (name) => assert.deepStrictEqual(expand(todos, name), [name])
  )

  const Name = Schema.Literals(["a", "b", "c", "d", "e"])
  const Scopes = Schema.Array(Name)

  it.effect.prop(
    "keeps granted scopes, is idempotent and monotonic",
    { hierarchy: Schema.Record(Name, Scopes), granted: Scopes, more: Scopes },
    ({ granted, hierarchy, more }) =>
      Effect.sync(() => {
        const effective = expand(hierarchy, ...granted)
        assert.includeMembers(effective, [...granted])
        assert.deepStrictEqual(expand(hierarchy, ...effective), effective)
        assert.includeMembers(expand(hierarchy, ...granted, ...more), effective)
        for (const scope of effective) assert.includeMembers(effective, [...(hierarchy[scope as "a"] ?? [])])
      })
  )
})
