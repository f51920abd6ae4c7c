/** Interrupted requests lose no token, and leave nothing behind. */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Scope } from "effect"
import { AuthorizationCode, Connections } from "effect-mcp-auth/sign-in"
import { RecordStore } from "effect-mcp-auth/store"
import { keyOf } from "../../src/client/sign-in/SignInRecords.ts"
import { Sharing } from "../../src/outbound/Sharing.ts"
import { application, options, type People, people, redirectUri } from "./people.ts"
import { clientOf, resource } from "./world.ts"

/** A client of one person, who signs in at once. Counts the sign-ins. */
const tool = (world: People, shares: boolean) =>
  Effect.gen(function*() {
    let signIns = 0
    const grant = AuthorizationCode.grant({
      client: { name: "Test" },
      redirect: {
        redirectUris: [redirectUri],
        listen: Effect.succeed({
          redirectUri,
          open: (url, complete) => Effect.suspend(() => (signIns++, complete(world.approve(url).url)))
        })
      },
      store: Effect.succeed(world.store),
      allowIssuers: [world.issuer.issuer]
    })
    const { send } = yield* Effect.provideService(clientOf({ fetch: world.fetch, grant }), Sharing, shares)
    return { send, signIns: () => signIns }
  })

/** Writes the token of the person as if it had expired. */
const expire = (world: People) =>
  Effect.gen(function*() {
    const key = yield* keyOf("token", "local", resource)
    const { value, version } = (yield* world.store.get(key))!
    const expired = JSON.stringify({ ...JSON.parse(value), renewAt: 1, expiresAt: 1 })
    yield* world.store.put(key, expired, { lifetime: "1 hour", expected: version })
  })

describe("a refresh whose request is interrupted after the authorization server has rotated the token", () => {
  it.live.each(
    [
      ["the request, where requests share no work", false],
      ["the client, which is disposed", true]
    ] as const
  )("33: stores the new refresh token, and releases the lease: %s", ([, shares]) =>
    Effect.gen(function*() {
      const world = yield* people
      yield* (yield* tool(world, shares)).send()
      yield* expire(world)
      const scope = yield* Scope.make()
      const { send } = yield* Effect.provideService(tool(world, shares), Scope.Scope, scope)
      let interrupt: () => void = () => assert.fail("no request")
      const interrupted = yield* Deferred.make<void>()
      world.people.token = () => {
        interrupt()
        Deferred.doneUnsafe(interrupted, Exit.void)
        // The usual response: the server rotates the token.
        return undefined
      }
      const fiber = yield* Effect.forkChild(Effect.exit(send()))
      interrupt = () => {
        if (shares) Effect.runFork(Scope.close(scope, Exit.void))
        else fiber.interruptUnsafe()
      }
      yield* Deferred.await(interrupted)
      yield* Fiber.await(fiber)
      yield* Scope.close(scope, Exit.void)
      world.people.token = () => undefined
      const next = yield* tool(world, shares)
      assert.strictEqual((yield* Effect.timeout(next.send(), "5 seconds")).status, 200)
      assert.strictEqual(next.signIns(), 0)
      assert.lengthOf(yield* world.forms("refresh_token"), 1)
    }))
})

describe("the scope of connections", () => {
  /** The number of finalizers of a scope. */
  const finalizers = (scope: Scope.Scope) => scope.state._tag === "Open" ? scope.state.finalizers?.size ?? 0 : 0

  it.live("has no more finalizers after many accounts, requests, refreshes and failures", () =>
    Effect.gen(function*() {
      const world = yield* people
      const scope = yield* Scope.make()
      const connections = yield* Connections.make(options(world)).pipe(
        Effect.provideService(RecordStore.RecordStore, world.store),
        Effect.provideService(Scope.Scope, scope)
      )
      const before = finalizers(scope)
      const other = yield* application(world)
      for (let account = 0; account < 20; account++) {
        yield* other.signIn(`account-${account}`)
        for (let turn = 0; turn < 2; turn++) {
          yield* Effect.promise(() => connections.fetch({ account: `account-${account}`, resource })(resource))
          const key = yield* keyOf("token", `account-${account}`, resource)
          const { value, version } = (yield* world.store.get(key))!
          const expired = JSON.stringify({ ...JSON.parse(value), renewAt: 1, expiresAt: 1 })
          yield* world.store.put(key, expired, { lifetime: "1 hour", expected: version })
        }
        yield* connections.disconnect({ account: `account-${account}` })
      }
      assert.isAbove((yield* world.forms("authorization_code")).length, 19)
      assert.strictEqual(finalizers(scope), before)
      yield* Scope.close(scope, Exit.void)
    }))
})
