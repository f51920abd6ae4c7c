import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { Introspection } from "effect-mcp-auth/introspection"
import { signIn as getTokens } from "../../examples/authorization-server/test/signIn.ts"
import { clients } from "./officialClients.ts"
import * as SdkDemo from "./sdkDemo.ts"
import * as TodoManager from "./todoManager.ts"

const scope = "create:todos read:todos"

/** Starts the demo server, and a todo manager that looks tokens up there. */
const serve = Effect.gen(function*() {
  const reserved = yield* TodoManager.reserve
  const demo = yield* SdkDemo.make({ resource: reserved.resource })
  const todos = yield* TodoManager.serve(reserved, {
    authorizationServers: [{ issuer: demo.issuer, introspection: SdkDemo.lookUp(demo.issuer) }]
  }, TodoManager.stepwise)
  const token = (resource: string) =>
    Effect.map(Effect.promise(() => getTokens({ issuer: demo.issuer, resource, scope })), (_) => _.access_token)
  return { ...demo, ...reserved, todos, token }
})

describe("a server with the demo authorization server of the SDK", () => {
  it.live.each(clients)("admits the client of $name, which registers itself", ({ signIn }) =>
    Effect.gen(function*() {
      const { resource: url } = yield* serve
      yield* Effect.promise(async () => {
        const { callTool, close, tokens } = await signIn({ url })
        assert.strictEqual(tokens.scope, scope)
        assert.isNotTrue((await callTool("create_todo", { title: "Read RFC 7662" }))["isError"])
        await close()
      })
    }))

  it.live("admits opaque tokens for the resource, until they expire", () =>
    Effect.gen(function*() {
      const { moveClock, resource, todos, token } = yield* serve
      const opaque = yield* token(resource)
      assert.notInclude(opaque, ".")
      yield* TodoManager.assertAdmitted(todos, opaque)
      yield* moveClock(3_601_000)
      yield* TodoManager.assertRejected(todos, opaque)
    }))

  it.live("rejects tokens for another resource, tokens of another demo server, and text", () =>
    Effect.gen(function*() {
      const { resource, todos, token } = yield* serve
      yield* TodoManager.assertRejected(todos, yield* token("http://127.0.0.1:9/mcp"))
      yield* TodoManager.assertRejected(todos, yield* (yield* serve).token(resource))
      yield* TodoManager.assertRejected(todos, "garbage")
    }))

  it.live("causes an outage with standard introspection, because the demo server answers 401 for an inactive token", () =>
    Effect.gen(function*() {
      const { issuer, port: _, ...reserved } = yield* serve
      const { port } = yield* TodoManager.reserve
      const todos = yield* TodoManager.serve({ ...reserved, port }, {
        authorizationServers: [{
          issuer,
          introspection: Introspection.make({
            clientId: "todos",
            clientSecret: Redacted.make("not checked"),
            endpoint: `${issuer}introspect`
          })
        }]
      })
      assert.strictEqual((yield* todos.create("garbage")).status, 503)
    }))
})
