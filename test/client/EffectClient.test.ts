/**
 * Effect's MCP client acts for the accounts of an application, at the todo manager and a real authorization server. Numbers in titles
 * are those of the faults that clients of MCP servers had.
 */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Layer } from "effect"
import { Grant } from "effect-mcp-auth/client"
import { AuthorizedHttpClient } from "effect-mcp-auth/http-client"
import { Connections } from "effect-mcp-auth/sign-in"
import { MemoryStore } from "effect-mcp-auth/store"
import { McpClient, McpProtocol } from "effect/ai"
import { HttpClient } from "effect/http"
import { UserAgent } from "../../examples/authorization-server/UserAgent.ts"
import { serve } from "../clients/server.ts"

const redirectUri = "http://127.0.0.1:9/callback"

const world = (lazy: boolean) =>
  Effect.map(
    serve({ origin: "http://127.0.0.1:9", lazy, refreshTokens: "always" }),
    (resource) => {
      const layerFor = (account: string) =>
        McpClient.layerHttp({ name: "agent", version: "1.0.0", protocol: McpProtocol.v2026_07_28, url: resource }).pipe(
          Layer.provide(
            Layer.effect(HttpClient.HttpClient, AuthorizedHttpClient.forAccount({ account, resource }))
          )
        )
      return {
        resource,
        /** Runs an effect with Effect's MCP client of an account. */
        as: <A, E, R>(account: string, effect: Effect.Effect<A, E, R | McpClient.McpClient>) =>
          Effect.provide(effect, layerFor(account), { local: true })
      }
    }
  )

const call = (name: string, arguments_: Readonly<Record<string, unknown>> = {}) =>
  Effect.gen(function*() {
    const client = yield* McpClient.McpClient
    const tool = (yield* client.listTools()).find((each) => each.name === name)
    const { content } = yield* client.callTool({ tool: tool!, arguments: arguments_ })
    return content[0]?.type === "text" ? content[0].text : assert.fail("the result has no text")
  })

/** Signs a person in at the page that a request names. */
const signIn = (account: string, url: string) =>
  Effect.gen(function*() {
    const callback = yield* Effect.promise(() => new UserAgent({ username: account }).authorize(url))
    return yield* (yield* Connections.Connections).complete({ url: callback.href }, { account })
  })

const required = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.map(
    Effect.flip(effect),
    (error) => AuthorizedHttpClient.signInRequired(error) ?? assert.fail(`the error has no SignInRequired: ${error}`)
  )

const ConnectionsLive = Connections.layer({
  client: { name: "Agent" },
  redirectUri,
  allowIssuers: Grant.anyIssuer
}).pipe(Layer.provide(MemoryStore.layer()))

const provided = <A, E, R>(effect: Effect.Effect<A, E, R | Connections.Connections>) =>
  Effect.provide(effect, Layer.fresh(ConnectionsLive))

describe("Effect's MCP client for an account", () => {
  it.live("25: fails with the URL of the sign-in, opens nothing, and works after the sign-in", () =>
    provided(Effect.gen(function*() {
      const { as, resource } = yield* world(false)
      const error = yield* required(as("alice", call("list_todos")))
      assert.strictEqual(error.reason, "no-token")
      assert.strictEqual(error.account, "alice")
      yield* signIn("alice", error.url)
      const todos = yield* as(
        "alice",
        Effect.andThen(call("create_todo", { title: "Water plants" }), call("list_todos"))
      )
      assert.include(todos, "Water plants")
      assert.strictEqual(error.resource, resource)
    })))

  it.live("47: fails with the old and the new scopes if a tool needs more, and calls it after the sign-in", () =>
    provided(Effect.gen(function*() {
      const { as } = yield* world(false)
      yield* signIn("alice", (yield* required(as("alice", call("list_todos")))).url)
      yield* as("alice", call("create_todo", { title: "Water plants" }))
      const error = yield* required(as("alice", call("delete_todo", { id: 1 })))
      assert.strictEqual(error.reason, "scopes")
      assert.includeMembers([...error.scopes], ["create:todos", "read:todos", "delete:todos"])
      yield* signIn("alice", error.url)
      assert.include(yield* as("alice", call("delete_todo", { id: 1 })), "Water plants")
    })))

  it.live("45: sends the token of the account that it acts for", () =>
    provided(Effect.gen(function*() {
      const { as } = yield* world(false)
      yield* signIn("alice", (yield* required(as("alice", call("list_todos")))).url)
      const error = yield* required(as("bob", call("list_todos")))
      assert.strictEqual(error.account, "bob")
      yield* signIn("bob", error.url)
      assert.include(yield* as("alice", call("create_todo", { title: "of Alice" })), "alice")
      assert.include(yield* as("bob", call("create_todo", { title: "of Bob" })), "bob")
    })))

  it.live("59: names neither the URL of the sign-in nor a token in the rendered cause", () =>
    provided(Effect.gen(function*() {
      const { as } = yield* world(false)
      const exit = yield* Effect.exit(as("alice", call("list_todos")))
      const cause = Exit.isFailure(exit) ? exit.cause : assert.fail("the request succeeded")
      const url = new URL(AuthorizedHttpClient.signInRequired(cause)!.url)
      const rendered = `${Cause.pretty(cause)} ${JSON.stringify(cause)}`
      for (const name of ["state", "code_challenge"]) assert.notInclude(rendered, url.searchParams.get(name)!)
    })))
})
