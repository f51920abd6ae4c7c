import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { MemoryStore } from "effect-mcp-auth/store"
import { MisbehavingServers, TestBrowser } from "effect-mcp-auth/testing"
import * as Agent from "./Agent.ts"

/** The servers, the agent, and a call of a tool for which Alice signs in as often as the agent asks her, at most five times. */
const start = (fault?: MisbehavingServers.Fault) =>
  Effect.gen(function*() {
    const servers = yield* MisbehavingServers.make({ fault })
    const fetch = yield* servers.fetch
    const agent = yield* Agent.make({ resource: servers.resource, issuer: servers.issuer, fetch })
    const alice = TestBrowser.make({ username: "alice", fetch })
    const signIn = (url: string) => Effect.flatMap(alice.signIn(url), (callback) => agent.callback("alice", callback))
    const call = (name: string) =>
      agent.callTool("alice", name).pipe(
        Effect.tapError((error) => error._tag === "SignInRequired" ? signIn(error.url) : Effect.void),
        Effect.retry({ times: 5, while: ({ _tag }) => _tag === "SignInRequired" })
      )
    const signIns = Effect.map(alice.visits, ({ length }) => length)
    return { ...servers, call, signIns }
  }).pipe(Effect.provide(MemoryStore.layer()))

describe("the agent", () => {
  it.effect("signs Alice in, and once more for a tool that requires another scope", () =>
    Effect.gen(function*() {
      const { call, signIns } = yield* start()
      assert.deepStrictEqual([yield* call("list_todos"), yield* call("add_todo")], [200, 200])
      assert.strictEqual(yield* signIns, 2)
    }))

  it.effect("refreshes after an outage, without Alice", () =>
    Effect.gen(function*() {
      const { call, expireTokens, setFault, signIns } = yield* start()
      yield* call("list_todos")
      yield* Effect.andThen(expireTokens, setFault("token-outage"))
      assert.strictEqual((yield* Effect.flip(call("list_todos")))._tag, "Unavailable")
      yield* setFault(undefined)
      assert.deepStrictEqual([yield* call("list_todos"), yield* signIns], [200, 1])
    }))

  // The stalled document ends after ten seconds, so a test of it would move the test clock.
  it.effect.each(MisbehavingServers.faultNames.filter((fault) => fault !== "stalled-metadata"))(
    "sends no token to an attacker with the fault %s",
    (fault) =>
      Effect.gen(function*() {
        const { call, elsewhere, requests } = yield* start(fault)
        yield* Effect.ignore(Effect.andThen(call("list_todos"), call("add_todo")))
        const stolen = (yield* requests).filter(({ headers, url }) =>
          url.startsWith(elsewhere) && headers["authorization"] !== undefined
        )
        assert.deepStrictEqual(stolen, [])
      })
  )
})
