import { assert, describe, layer } from "@effect/vitest"
import { Context, Effect, Layer, Redacted } from "effect"
import { UserAgent } from "../../../examples/authorization-server/UserAgent.ts"
import { djangoOauthToolkit } from "../../../examples/providers/django-oauth-toolkit.ts"
import { runs } from "../../program.ts"
import { clients } from "../officialClients.ts"
import * as TodoManager from "../todoManager.ts"
import * as Django from "./django.ts"
import { getDocumentFailures } from "./failures.ts"
import { alice, expiredToken, knownToken, type OpaqueServer } from "./opaqueServer.ts"

class Server extends Context.Service<Server, OpaqueServer>()("test/Django") {}

/** Starts the todo manager with the program of the page. */
const serve = Effect.gen(function*() {
  const server = yield* Server
  const reserved = yield* TodoManager.reserve
  const authorizationServers = [djangoOauthToolkit({ ...server, clientIds: ["mcp", "program"] })] as const
  const todos = yield* TodoManager.serve(reserved, { authorizationServers }, TodoManager.stepwise)
  return { ...server, resource: reserved.resource, todos }
})

describe.skipIf(!runs("django-oauth-toolkit"))("Django OAuth Toolkit (skipped if it is not installed)", () => {
  layer(Layer.effect(Server, Django.make), { excludeTestServices: true, timeout: "2 minutes" })((it) => {
    it.effect("signs in users of both official clients", () =>
      Effect.gen(function*() {
        const { resource } = yield* serve
        for (const { name, signIn } of clients) {
          const browse = (url: URL) => new UserAgent(alice).authorize(url)
          const signedIn = yield* Effect.promise(() => signIn({ url: resource, clientId: "mcp", browse }))
          assert.match(signedIn.tokens.access_token, /^[A-Za-z0-9]{30}$/, name)
          const created = yield* Effect.promise(() => signedIn.callTool("create_todo", { title: "Read RFC 7662" }))
          assert.isNotTrue(created["isError"])
          yield* Effect.promise(signedIn.close)
        }
      }))

    it.effect("admits tokens of users and clients, and rejects expired, revoked and invented tokens and those of other clients", () =>
      Effect.gen(function*() {
        const { mint, mintForProgram, revoke, todos } = yield* serve
        const token = yield* mint("mcp")
        yield* TodoManager.assertAdmitted(todos, token)
        assert.strictEqual(yield* TodoManager.createdBy(todos, token), "alice")
        const ownToken = yield* mintForProgram
        yield* TodoManager.assertAdmitted(todos, ownToken)
        assert.strictEqual(yield* TodoManager.createdBy(todos, ownToken), "a program")
        yield* TodoManager.assertRejected(todos, yield* mint("elsewhere"))
        yield* TodoManager.assertAdmitted(todos, knownToken)
        yield* TodoManager.assertRejected(todos, expiredToken)
        yield* TodoManager.assertRejected(todos, "garbage")

        const revoked = yield* mint("mcp")
        yield* revoke(revoked)
        yield* TodoManager.assertRejected(todos, revoked)
      }))

    it.effect("causes an outage, not an invalid token, if it rejects the client secret", () =>
      Effect.gen(function*() {
        const { introspector, issuer, mint } = yield* Server
        const reserved = yield* TodoManager.reserve
        const wrong = { clientId: introspector.clientId, clientSecret: Redacted.make("wrong") }
        const authorizationServers = [djangoOauthToolkit({ issuer, introspector: wrong, clientIds: ["mcp"] })] as const
        const todos = yield* TodoManager.serve(reserved, { authorizationServers })
        const { challenge, status } = yield* todos.create(yield* mint("mcp"))
        assert.strictEqual(status, 503)
        assert.isNull(challenge)
      }))

    it.effect("has metadata behind a redirect, without PKCE and the introspection endpoint", () =>
      Effect.gen(function*() {
        const { issuer } = yield* Server
        const { headers, status } = yield* Effect.promise(() =>
          fetch(`${issuer}/.well-known/openid-configuration`, { redirect: "manual" })
        )
        assert.strictEqual(status, 301)
        assert.strictEqual(headers.get("location"), `${new URL(issuer).pathname}/.well-known/openid-configuration/`)
        const failures = yield* getDocumentFailures(`${issuer}/.well-known/openid-configuration`)
        assert.deepStrictEqual(failures, ["pkce-s256"])
      }))
  })
})
