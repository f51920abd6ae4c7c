import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { signIn as getTokens } from "../../examples/authorization-server/test/signIn.ts"
import { clients } from "./officialClients.ts"
import * as TodoManager from "./todoManager.ts"
import * as WorkersOAuthProvider from "./workersOAuthProvider.ts"

const scopes = ["create:todos", "read:todos", "delete:todos"]
const scope = "create:todos read:todos"
const elsewhere = "http://127.0.0.1:9/mcp"

/** Starts the authorization server, and a todo manager that looks tokens up there. */
const serve = Effect.fnUntraced(function*(tokenGrammar: "token68" | "visible-ascii" = "visible-ascii") {
  const reserved = yield* TodoManager.reserve
  const { resource } = reserved
  const provider = yield* WorkersOAuthProvider.make({ resources: [resource, elsewhere], scopes })
  const { issuer } = provider
  const todos = yield* TodoManager.serve(reserved, {
    authorizationServers: [{ issuer, introspection: WorkersOAuthProvider.lookUp(provider, resource) }],
    tokenGrammar
  }, TodoManager.stepwise)
  const token = (resource: string) =>
    Effect.map(Effect.promise(() => getTokens({ issuer, resource, scope })), (_) => _.access_token)
  return { ...provider, resource, todos, token }
})

describe("a server with workers-oauth-provider", () => {
  it.live.each(clients)("admits the client of $name, which registers itself", ({ signIn }) =>
    Effect.gen(function*() {
      const { resource: url } = yield* serve()
      yield* Effect.promise(async () => {
        const { callTool, close, tokens } = await signIn({ url })
        assert.strictEqual(tokens.scope, scope)
        assert.isNotTrue((await callTool("create_todo", { title: "Read RFC 7662" }))["isError"])
        await close()
      })
    }))

  it.live("admits opaque tokens for the resource, until the client revokes its grant", () =>
    Effect.gen(function*() {
      const { issuer, resource: url, todos } = yield* serve()
      const { clientId, close, tokens } = yield* Effect.promise(() => clients[0]!.signIn({ url }))
      yield* Effect.promise(close)
      const { access_token, refresh_token = "" } = tokens
      assert.match(access_token, /^alice:[\w-]+:[\w-]+$/)
      yield* TodoManager.assertAdmitted(todos, access_token)
      const body = new URLSearchParams({ client_id: clientId, token: refresh_token })
      const revoked = yield* Effect.promise(() => fetch(`${issuer}/oauth/token`, { method: "POST", body }))
      assert.strictEqual(revoked.status, 200)
      yield* TodoManager.assertRejected(todos, access_token)
    }))

  it.live("rejects expired tokens, tokens for another resource or of another server, changed tokens, and text", () =>
    Effect.gen(function*() {
      const { moveClock, resource, todos, token } = yield* serve()
      yield* TodoManager.assertRejected(todos, yield* token(elsewhere))
      const { issuer } = yield* WorkersOAuthProvider.make({ resources: [resource], scopes })
      const foreign = yield* Effect.promise(() => getTokens({ issuer, resource, scope }))
      yield* TodoManager.assertRejected(todos, foreign.access_token)
      yield* TodoManager.assertRejected(todos, "garbage")
      const opaque = yield* token(resource)
      yield* TodoManager.assertRejected(todos, opaque.replace(/.$/, (last) => last === "a" ? "b" : "a"))
      yield* TodoManager.assertAdmitted(todos, opaque)
      yield* moveClock(3_601_000)
      yield* TodoManager.assertRejected(todos, opaque)
    }))

  it.live("admits no token without the option tokenGrammar, because the tokens contain colons", () =>
    Effect.gen(function*() {
      const { resource, todos, token } = yield* serve("token68")
      assert.strictEqual((yield* todos.create(yield* token(resource))).status, 400)
    }))
})
