import { assert, describe, layer } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { UserAgent } from "../../../examples/authorization-server/UserAgent.ts"
import { doorkeeper } from "../../../examples/providers/doorkeeper.ts"
import { runs } from "../../program.ts"
import { clients } from "../officialClients.ts"
import * as TodoManager from "../todoManager.ts"
import * as Doorkeeper from "./doorkeeper.ts"
import { getFailures } from "./failures.ts"
import { alice, expiredToken, knownToken, type OpaqueServer } from "./opaqueServer.ts"

class Server extends Context.Service<Server, OpaqueServer>()("test/Doorkeeper") {}

/** Starts the todo manager with the program of the page. */
const serve = Effect.gen(function*() {
  const server = yield* Server
  const reserved = yield* TodoManager.reserve
  const authorizationServers = [doorkeeper({ issuer: server.issuer, clientIds: ["mcp", "program"] })] as const
  const todos = yield* TodoManager.serve(reserved, { authorizationServers }, TodoManager.stepwise)
  return { ...server, resource: reserved.resource, todos }
})

describe.skipIf(!runs("doorkeeper"))("Doorkeeper (skipped if it is not installed)", () => {
  layer(Layer.effect(Server, Doorkeeper.make({ hasAdmins: false })), {
    excludeTestServices: true,
    timeout: "2 minutes"
  })((it) => {
    it.effect("signs in users of both official clients", () =>
      Effect.gen(function*() {
        const { resource } = yield* serve
        for (const { name, signIn } of clients) {
          const browse = (url: URL) => new UserAgent(alice).authorize(url)
          const signedIn = yield* Effect.promise(() => signIn({ url: resource, clientId: "mcp", browse }))
          assert.match(signedIn.tokens.access_token, /^[\w-]{43}$/, name)
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
        assert.strictEqual(yield* TodoManager.createdBy(todos, token), "1")
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

    it.effect("fails only one MUST of check, because its metadata does not mention PKCE", () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* getFailures((yield* Server).issuer), ["pkce-s256"])
      }))
  })

  layer(Layer.effect(Server, Doorkeeper.make({ hasAdmins: true })), {
    excludeTestServices: true,
    timeout: "2 minutes"
  })(
    "with users of two classes",
    (it) => {
      it.effect("distinguishes a user from an admin with the same id", () =>
        Effect.gen(function*() {
          const { todos } = yield* serve
          assert.strictEqual(yield* TodoManager.createdBy(todos, knownToken), "User:1")
          assert.strictEqual(yield* TodoManager.createdBy(todos, Doorkeeper.adminToken), "Admin:1")
        }))
    }
  )
})
