import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, pipe, Schema } from "effect"
import { AuthError, AuthLayer, Policy, Principal, requireScopes } from "effect-mcp-auth"
import { McpAuth } from "effect-mcp-auth/mcp"
import { Tool, Toolkit } from "effect/ai"
import { principal } from "./support.ts"

const as = (scopes: ReadonlyArray<string>) => <A, E>(self: Effect.Effect<A, E, Principal | Scopes>) =>
  Effect.provideService(self as Effect.Effect<A, E, Principal>, Principal, principal({ scopes }))

type Scopes = Policy.RequiredScopesOf<"a" | "b" | "c">

const scopesOf = (tool: Tool.Any): ReadonlyArray<string> => Context.get(tool.annotations, Policy.RequiredScopes)

describe("requireScopes on an effect", () => {
  it.effect.each<{ title: string; granted: ReadonlyArray<string>; runs: boolean }>([
    { title: "SCOPE-07 rejects a caller with one of two scopes", granted: ["b", "c"], runs: false },
    { title: "SCOPE-09 rejects a caller with the other of two scopes", granted: ["a"], runs: false },
    { title: "SCOPE-09 rejects a caller without scopes", granted: [], runs: false },
    { title: "admits a caller with all scopes", granted: ["a", "b"], runs: true },
    { title: "admits a caller with all scopes in another order, and more", granted: ["c", "b", "a"], runs: true },
    { title: "rejects a caller with a part of a scope", granted: ["aa", "bb", "ab"], runs: false }
  ])("$title", ({ granted, runs }) =>
    Effect.gen(function*() {
      let ran = 0
      const guarded = requireScopes("a", "b")(Effect.sync(() => ++ran))
      const exit = yield* Effect.result(guarded.pipe(as(granted)))
      assert.strictEqual(exit._tag, runs ? "Success" : "Failure")
      assert.strictEqual(ran, runs ? 1 : 0)
      if (exit._tag === "Failure") {
        assert.deepStrictEqual(
          exit.failure,
          new AuthError.InsufficientScope({ reason: "missing-scope", required: ["a", "b"] })
        )
      }
    }))

  it.effect("SCOPE-10 two layers around one effect require the union in one challenge", () =>
    Effect.gen(function*() {
      const guarded = requireScopes("c")(requireScopes("a", "b")(requireScopes("a")(Effect.void)))
      for (const granted of [[], ["a"], ["c"], ["a", "b"]]) {
        const error = yield* Effect.flip(guarded.pipe(as(granted)))
        assert.deepStrictEqual([...error.required].sort(), ["a", "b", "c"])
      }
      yield* guarded.pipe(as(["a", "b", "c"]))
    }))

  it.effect("wrapping does not change the wrapped effect", () =>
    Effect.gen(function*() {
      const inner = requireScopes("a")(Effect.succeed(1))
      requireScopes("b")(inner)
      assert.strictEqual(yield* inner.pipe(as(["a"])), 1)
    }))

  it.effect("SCOPE-15 effects built from a guarded effect keep its requirement", () =>
    Effect.gen(function*() {
      const guarded = requireScopes("a")(Effect.succeed(1))
      const built = [
        Effect.map(guarded, (_) => _ + 1),
        Effect.flatMap(Effect.void, () => guarded),
        guarded.pipe(Effect.delay(0)),
        pipe(guarded, Effect.withSpan("alias")),
        Effect.suspend(() => guarded)
      ]
      for (const effect of built) assert.deepStrictEqual((yield* Effect.flip(effect.pipe(as([])))).required, ["a"])
    }))

  it.effect("decides when the effect runs, not when it is made", () =>
    Effect.gen(function*() {
      const guarded = requireScopes("a")(Effect.succeed(1))
      yield* Effect.flip(guarded.pipe(as([])))
      assert.strictEqual(yield* guarded.pipe(as(["a"])), 1)
      yield* Effect.flip(guarded.pipe(as(["b"])))
    }))

  it.effect("runs under a mock whose types offer the scopes", () =>
    Effect.gen(function*() {
      const whoami = requireScopes("a")(Effect.map(Principal, ({ subject }) => subject))
      const alice = yield* Effect.provide(whoami, AuthLayer.mock({ subject: "alice", scopes: ["a"] }))
      assert.strictEqual(alice, "alice")
      const less = AuthLayer.mock({ subject: "alice", scopes: ["a"], granted: [] })
      assert.deepStrictEqual((yield* Effect.flip(Effect.provide(whoami, less))).required, ["a"])
    }))
})

describe("requireScopes on a tool", () => {
  const Add = Tool.make("add", { parameters: Schema.Struct({ title: Schema.String }), success: Schema.String })

  it("annotates the tool, and does not change the original", () => {
    const guarded = requireScopes("a", "b")(Add)
    assert.deepStrictEqual(scopesOf(guarded), ["a", "b"])
    assert.deepStrictEqual(scopesOf(Add), [])
    assert.strictEqual(guarded.name, "add")
  })

  it("SCOPE-10 applied twice, requires each of the scopes once", () => {
    assert.deepStrictEqual(scopesOf(requireScopes("b", "c")(requireScopes("a", "b")(Add))), ["a", "b", "c"])
    assert.deepStrictEqual(scopesOf(requireScopes("a", "a")(Add)), ["a"])
  })

  it("SCOPE-15 tools built from a guarded tool keep its requirement", () => {
    const guarded = requireScopes("a")(Add)
    assert.deepStrictEqual(scopesOf(guarded.annotate(Tool.Title, "Add")), ["a"])
    assert.deepStrictEqual(scopesOf(guarded.annotate(Policy.Unauthorized, "hide")), ["a"])
    assert.deepStrictEqual(scopesOf(guarded.setParameters(Schema.Struct({ other: Schema.String }))), ["a"])
    assert.deepStrictEqual(scopesOf(guarded.setSuccess(Schema.Void)), ["a"])
    assert.deepStrictEqual(scopesOf(guarded.addDependency(Principal)), ["a"])
    // The required scopes are an annotation, so a tool that copies the annotations also requires the scopes.
    assert.deepStrictEqual(scopesOf(Tool.make("alias").annotateMerge(guarded.annotations)), ["a"])
    const merged = Toolkit.merge(Toolkit.make(guarded), Toolkit.make(Tool.make("other")))
    assert.deepStrictEqual(scopesOf(merged.tools.add), ["a"])
  })

  it("works on a dynamic tool", () => {
    const dynamic = Tool.dynamic("raw", { parameters: { type: "object" }, success: Schema.String })
    assert.deepStrictEqual(scopesOf(requireScopes("a")(dynamic)), ["a"])
  })
})

describe("SCOPE-18 a list of scopes in code", () => {
  const wrong: ReadonlyArray<readonly [title: string, scopes: ReadonlyArray<string>, reason: string]> = [
    ["is empty", [], "missing"],
    ["contains an empty string", [""], "malformed"],
    ["contains a space: two scopes in one string", ["a b"], "malformed"],
    ["contains a quote", ["a\""], "malformed"],
    ["contains a line break", ["a\nb"], "malformed"],
    ["contains a letter outside ASCII", ["é"], "malformed"],
    ["contains a value that is not a string", [1 as unknown as string], "malformed"],
    ["contains a list", [["a"] as unknown as string], "malformed"]
  ]

  it.each(wrong)("a list that %s fails when the effect is made", (_, scopes, reason) => {
    const error = thrown(() => (requireScopes as (...scopes: ReadonlyArray<string>) => unknown)(...scopes))
    assert.strictEqual(error.reason, reason)
    assert.strictEqual(error.option, "requireScopes")
    assert.include(error.message, "requireScopes")
  })

  it.each(wrong)("a list that %s fails when a prompt or a resource is declared", (_, scopes, reason) => {
    const declare = { name: "x", scopes: scopes as unknown as readonly ["a"] }
    const prompt = thrown(() => McpAuth.prompt({ ...declare, content: () => Effect.succeed("") }))
    assert.deepStrictEqual([prompt.option, prompt.reason], ["prompt.scopes", reason])
    const resource = thrown(() => McpAuth.resource({ ...declare, uri: "x://y", content: Effect.succeed("") }))
    assert.deepStrictEqual([resource.option, resource.reason], ["resource.scopes", reason])
  })
})

const thrown = (run: () => unknown): AuthError.AuthConfigError => {
  try {
    run()
  } catch (error) {
    if (error instanceof AuthError.AuthConfigError) return error
    throw error
  }
  return assert.fail("nothing was thrown")
}
