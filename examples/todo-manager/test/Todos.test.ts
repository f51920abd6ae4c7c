import { assert, describe, layer } from "@effect/vitest"
import { Effect, Layer, References } from "effect"
import { signIn } from "../../authorization-server/test/signIn.ts"
import { UserAgent } from "../../authorization-server/UserAgent.ts"
import * as Serving from "../../shared/Serving.ts"
import { callTool } from "../../shared/test/callTool.ts"
import { issuer, servers } from "./servers.ts"

/** Signs a person in with these scopes, and returns a function that calls tools with their token. */
const person = Effect.fnUntraced(function*(modern: boolean, username: string, scope: string) {
  const { authorizationServers: [issuer], resource, url } = yield* Serving.Endpoint
  const { access_token } = yield* Effect.promise(() =>
    signIn({ issuer, resource, scope, userAgent: new UserAgent({ username }) })
  )
  return (name: string, args?: object) =>
    Effect.promise(() => callTool(url, access_token, name, args, modern ? "2026-07-28" : "2025-11-25"))
})

// Hides the log entries of rejections, which these tests cause on purpose.
const Quiet = Layer.succeed(References.MinimumLogLevel, "Warn")

describe.each(servers)("$name", ({ layer: Server, modern }) => {
  layer(Server.pipe(Layer.provide([issuer, Quiet])), { excludeTestServices: true })("todos", (it) => {
    it.effect("are visible to all callers with read:todos, and only their owner deletes them", () =>
      Effect.gen(function*() {
        const alice = yield* person(modern, "alice", "create:todos read:todos delete:todos")
        const bob = yield* person(modern, "bob", "create:todos")
        const carol = yield* person(modern, "carol", "offline_access")

        const milk = (yield* alice("create_todo", { title: "milk" })).result?.structuredContent
        const bread = (yield* bob("create_todo", { title: "bread" })).result?.structuredContent
        assert.deepStrictEqual(milk, { id: 1, title: "milk", by: "alice" })
        assert.deepStrictEqual(bread, { id: 2, title: "bread", by: "bob" })
        assert.deepStrictEqual((yield* alice("list_todos")).result?.structuredContent, { todos: [milk, bread] })
        assert.deepStrictEqual((yield* bob("list_todos")).result?.structuredContent, { todos: [bread] })
        assert.deepStrictEqual((yield* carol("list_todos")).result?.structuredContent, { todos: [] })

        const others = yield* alice("delete_todo", { id: 2 })
        assert.strictEqual(others.status, 200)
        assert.strictEqual(others.result?.isError, true)
        assert.deepStrictEqual(others.result?.content, [{ type: "text", text: "You have no todo 2" }])
        assert.deepStrictEqual((yield* alice("delete_todo", { id: 1 })).result?.structuredContent, milk)
        assert.deepStrictEqual((yield* alice("list_todos")).result?.structuredContent, { todos: [bread] })
      }))

    it.effect("are neither created nor deleted without the scope for it", () =>
      Effect.gen(function*() {
        const dave = yield* person(modern, "dave", "read:todos")
        for (
          const [tool, scope, args] of [
            ["create_todo", "create:todos", { title: "eggs" }],
            ["delete_todo", "delete:todos", { id: 1 }]
          ] as const
        ) {
          const { challenge, status } = yield* dave(tool, args)
          assert.strictEqual(status, 403)
          // Clients of MCP 2026-07-28 add the scopes of a challenge to their own, so the challenge names only the required
          // scope. Older clients replace their scopes, so the challenge also repeats the granted scope.
          assert.include(challenge, `error="insufficient_scope", scope="${modern ? scope : `${scope} read:todos`}"`)
        }
      }))
  })
})
