import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Forgery } from "effect-mcp-auth/testing"
import { verifying } from "./support.ts"

describe.each(["ES256", "ES384", "RS256", "PS256", "EdDSA"] as const)("forgeries of %s tokens", (algorithm) => {
  it.effect("each is refused for the reason in the table, and the token that they forge is accepted", () =>
    Effect.gen(function*() {
      const { issuer, judge } = yield* verifying({ algorithm })
      const answers = yield* Effect.forEach(Forgery.kinds, (kind) =>
        Effect.gen(function*() {
          const answer = yield* judge(yield* issuer.mintBroken(kind, { scopes: ["todos:read"] }))
          return [kind, answer] as const
        }))
      assert.deepStrictEqual(
        Object.fromEntries(answers),
        Object.fromEntries(Forgery.kinds.map((kind) => [kind, Forgery.forgeries[kind].reason as string]))
      )
      assert.strictEqual(yield* judge(yield* issuer.mint({ scopes: ["todos:read"] })), "accepted")
      const strangers = (yield* issuer.requests).filter(({ url }) => !url.startsWith(issuer.issuer))
      assert.deepStrictEqual(strangers, [])
    }))
})

it("the table names every forgery once, in one line", () => {
  const titles = Forgery.kinds.map((kind) => Forgery.forgeries[kind].title)
  assert.isAtLeast(titles.length, 50)
  assert.strictEqual(new Set(titles).size, titles.length)
  assert.deepStrictEqual(titles.filter((title) => title.includes("\n") || title === ""), [])
})
