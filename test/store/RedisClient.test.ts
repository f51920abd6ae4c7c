import { assert, describe, it } from "@effect/vitest"
import { ApiKeys } from "effect-mcp-auth/api-keys"
import { Dpop } from "effect-mcp-auth/dpop"
import { SessionStore } from "effect-mcp-auth/sessions"
import { RedisStore } from "effect-mcp-auth/store"
import { Redis } from "effect/persistence"

describe.each(
  [
    ["ApiKeys.redis", ApiKeys.redis],
    ["Dpop.redis", Dpop.redis],
    ["SessionStore.redis", SessionStore.redis],
    ["RedisStore.make", RedisStore.make]
  ] as const
)("The store %s", (name, make) => {
  it.each([
    ["a URL", "redis://localhost"],
    ["no value", undefined],
    ["a client of another library", { sendCommand: () => {} }],
    ["the service itself", Redis.Redis]
  ])("rejects %s when it is made, and shows how to get a Redis", (_, redis) => {
    assert.throws(
      () => make(redis as never),
      new RegExp(`^Invalid configuration at ${name}: .* Redis of effect/persistence.*Effect\\.map\\(Redis\\.Redis`)
    )
  })
})
