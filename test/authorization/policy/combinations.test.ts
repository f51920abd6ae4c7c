/** Requirements of one tool that contradict each other are errors, in each order. */
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { Policy, requirePolicy, requireScopes } from "effect-mcp-auth"
import { Tool } from "effect/ai"
import { policyOf } from "../../../src/authorization/RequirePolicy.ts"

const tool = Tool.make("edit", { parameters: Schema.Struct({ all: Schema.Boolean }), success: Schema.Void })

const conditional = (self: typeof tool) =>
  Policy.requireScopesOf(self, ["todos:read", "todos:admin"], ({ all }) => [all ? "todos:admin" : "todos:read"])

const admin = requirePolicy(Policy.role("admin"))
const anyone = requirePolicy(Policy.anyone)
const read = requireScopes("todos:read")

const conflicts: Record<string, () => unknown> = {
  "requirePolicy, then requireScopesOf": () => conditional(admin(tool) as never),
  "requireScopesOf, then requirePolicy": () => admin(conditional(tool) as never),
  "requireScopes, then requirePolicy, then requireScopesOf": () => conditional(admin(read(tool)) as never),
  "an open policy, then requireScopes": () => read(anyone(tool)),
  "requireScopes, then an open policy": () => anyone(read(tool) as never),
  "an open policy, then requireScopesOf": () => conditional(anyone(tool) as never),
  "an open policy, then another policy": () => admin(anyone(tool) as never),
  "another policy, then an open policy": () => anyone(admin(tool) as never)
}

describe("a tool", () => {
  it.each(Object.keys(conflicts))("rejects %s", (name) => {
    assert.throws(() => conflicts[name]!(), /requirePolicy.*the tool edit/)
  })

  it("rejects annotations that contradict each other when its policy is read", () => {
    const annotated = (conditional(tool) as unknown as typeof tool).annotate(
      Policy.RequiredPolicy,
      Policy.role("admin")
    )
    assert.throws(() => policyOf(annotated.annotations as never), /requireScopesOf/)
  })

  it("combines scopes and a policy, in each order", () => {
    for (const both of [admin(read(tool)), read(admin(tool))]) {
      assert.deepStrictEqual(policyOf(both.annotations as never)?.scopes, ["todos:read"])
    }
  })
})
