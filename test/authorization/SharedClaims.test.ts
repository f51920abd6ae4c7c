import { assert, describe, it, vi } from "@effect/vitest"
import { Context, Effect, Fiber, Schema } from "effect"
import type { Principal } from "effect-mcp-auth"
import { Introspection } from "effect-mcp-auth/introspection"
import { active, world } from "../verification/introspection/answers.ts"

class Roles extends Context.Service<Roles, any>()("test/Roles") {}

class RolesClass extends Schema.Class<RolesClass>("RolesClass")({ roles: Schema.Array(Schema.String) }) {}

const since = Schema.Struct({ since: Schema.DateFromMillis })

/** Returns the claims service of each of two requests with the same token. */
const ofTwoRequests = Effect.fnUntraced(function*(schema: unknown, claims: Readonly<Record<string, unknown>>) {
  const { endpoint, gate } = yield* world
  endpoint.answer = active(claims)
  const caller = yield* gate({
    claims: { service: Roles, decode: Schema.decodeUnknownResult(schema as never) } as never
  })
  const own = Effect.map(
    caller.present("a"),
    (_) => Context.getUnsafe(caller.gate.provideCaller(Context.empty(), _ as Principal) as Context.Context<any>, Roles)
  )
  return [yield* own, yield* own] as const
})

describe("values that requests with one token share", () => {
  it.effect.each<readonly [string, unknown]>([
    ["a struct", Schema.Struct({ roles: Schema.Array(Schema.String), more: Schema.optional(Schema.Unknown) })],
    ["a Schema.Class", RolesClass]
  ])(
    "[T-AUD-23a] the decoded claims of the author's schema cannot be changed: %s",
    ([, schema]) =>
      Effect.gen(function*() {
        const [first, second] = yield* ofTwoRequests(schema, { roles: ["reader"], more: { deep: ["x"] } })
        assert.strictEqual(first, second)
        assert.throws(() => first.roles.push("admin"), TypeError)
        assert.throws(() => {
          first.roles = ["admin"]
        }, TypeError)
        if (first.more !== undefined) assert.throws(() => first.more.deep.push("y"), TypeError)
        assert.deepStrictEqual(second.roles, ["reader"])
      })
  )

  it.effect("[T-AUD-23a] decoded claims that cannot be frozen are decoded for each request", () =>
    Effect.gen(function*() {
      const [first, second] = yield* ofTwoRequests(since, { since: 1000 })
      first.since.setTime(0)
      assert.strictEqual(second.since.getTime(), 1000)
    }))

  it.effect("[T-AUD-23b] requests that wait for one introspection response do not share its claims", () =>
    Effect.gen(function*() {
      const { endpoint, gate } = yield* world
      let release = (_: Response) => {}
      endpoint.answer = () => new Promise((resolve) => (release = resolve))
      const caller = yield* gate({ tokenCache: { capacity: 0 } })
      const fibers = yield* Effect.forEach([1, 2], () => Effect.forkChild(caller.present("a")))
      // A caller that came after the answer would send a second request.
      yield* Effect.promise(() => vi.waitUntil(() => endpoint.requests.length > 0))
      release(active({ realm: { roles: ["reader"] } })())
      const [first, second] = (yield* Effect.forEach(fibers, Fiber.join)) as Array<any>
      assert.lengthOf(endpoint.requests, 1)
      first.claims.realm.roles.push("admin")
      assert.deepStrictEqual(second.claims.realm.roles, ["reader"])
    }))

  it.effect("[T-AUD-23b] the object that a look-up returns is neither frozen nor changed", () =>
    Effect.gen(function*() {
      const { gate } = yield* world
      const answer: any = JSON.parse(
        `{ "active": true, "sub": "alice", "aud": "https://server.test/mcp", "exp": 1800000300, "__proto__": { "x": [1] } }`
      )
      answer.roles = ["reader"]
      answer.cycle = answer
      const caller = yield* gate({ server: { introspection: Introspection.lookUp(() => Effect.succeed(answer)) } })
      const { claims } = (yield* caller.present("a")) as Principal
      answer.roles.push("writer")
      assert.deepStrictEqual(claims["roles"], ["reader"])
      assert.isTrue(Object.isFrozen(claims["roles"]))
      assert.deepStrictEqual(Object.getOwnPropertyDescriptor(claims, "__proto__")?.value, { x: [1] })
    }))
})
