/** Clients sign in at two instances that share one Redis. The balancer sends each request to the other instance than the one before. */
import { afterAll, assert, beforeAll, beforeEach, describe, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import * as oauth from "oauth4webapi"
import { runs } from "../../program.ts"
import { clients } from "../../providers/officialClients.ts"
import { register } from "../oauth4webapi.ts"
import { makePerson } from "../server.ts"
import { type Hop, type Instances, startTwo } from "./instances.ts"

const textOf = (result: Readonly<Record<string, unknown>>) => (result["content"] as [{ readonly text: string }])[0].text

/** The requests of a sign-in, of which none may be answered by the instance that answered the one before. */
const steps = (form: string) => ["/register", "/authorize", "/consent", `/callback/${form}`, "/token"]

/** Fails if the requests of a sign-in are not all there, or if one instance answered two of them in a row. */
const assertAlternation = (hops: ReadonlyArray<Hop>, form: string) => {
  const taken = hops.filter(({ path }) => steps(form).includes(path))
  assert.deepStrictEqual(taken.map(({ path }) => path), steps(form))
  for (const [index, { instance, path }] of taken.entries()) {
    assert.notStrictEqual(instance, taken[index - 1]?.instance, path)
  }
}

for (const form of ["github", "google", "entra"] as const) {
  describe.skipIf(!runs("redis-server"))(`two instances on one Redis, with an upstream like ${form}`, () => {
    const scope = Scope.makeUnsafe()
    let instances: Instances
    beforeAll(async () => {
      instances = await Effect.runPromise(Scope.provide(startTwo(form), scope))
    })
    afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))
    beforeEach(() => void instances.takeHops())

    it.each(clients)(
      "the client of $name signs in, calls a tool and refreshes, and each request reaches the other instance",
      async ({ signIn }) => {
        const { resource, takeHops } = instances
        let hasExpired = false
        /** The `fetch` of the client. Once the token has expired, the next request has a token that the server rejects. */
        const send: typeof fetch = (input, init) => {
          if (!hasExpired || String(input) !== resource) return fetch(input, init)
          hasExpired = false
          const headers = new Headers(init?.headers)
          headers.set("authorization", "Bearer expired")
          return fetch(input, { ...init, headers })
        }
        const { callTool, close } = await signIn({ url: resource, browse: makePerson(), fetch: send })
        assertAlternation(takeHops(), form)
        const notes = textOf(await callTool("list_notes", {}))
        assert.match(notes, new RegExp(`^The notes of ${form}`))

        takeHops()
        hasExpired = true
        assert.strictEqual(textOf(await callTool("list_notes", {})), notes)
        const hops = takeHops()
        assert.deepInclude(hops.find(({ path }) => path === "/token"), { status: 200 })
        const calls = hops.filter(({ path }) => path === "/mcp")
        assert.deepStrictEqual(calls.map(({ status }) => status), [401, 200])
        assert.notStrictEqual(calls[0]!.instance, calls[1]!.instance)
        // The tool of either instance gets the token of the upstream.
        assert.strictEqual(
          textOf(await callTool("upstream_token", {})),
          textOf(await callTool("upstream_token", {}))
        )
        await close()
      }
    )

    it("oauth4webapi signs in, refreshes at both instances at once, calls a tool, and revokes", async () => {
      const { callTool, client, insecure, refresh, server, signIn } = await register(instances)
      const tokens = await signIn("notes:read notes:write")
      assert.strictEqual(tokens.scope, "notes:read notes:write")
      assertAlternation(instances.takeHops(), form)

      const answers = await Promise.all(
        [1, 2].map(async () => oauth.processRefreshTokenResponse(server, client, await refresh(tokens.refresh_token!)))
      )
      assert.deepStrictEqual(instances.takeHops().map(({ instance }) => instance).toSorted(), [0, 1])
      assert.strictEqual(answers[0]!.refresh_token, answers[1]!.refresh_token)
      /** The results of a tool, with both access tokens at both instances. */
      const callAll = async () => {
        const results: Array<Awaited<ReturnType<typeof callTool>>> = []
        for (const { access_token } of answers) {
          for (let time = 0; time < 2; time++) results.push(await callTool(access_token, "list_notes"))
        }
        assert.deepStrictEqual(instances.takeHops().map(({ instance }) => instance).toSorted(), [0, 0, 1, 1])
        return results
      }
      for (const { status, text } of await callAll()) {
        assert.strictEqual(status, 200)
        assert.include(text, `The notes of ${form}`)
      }
      await oauth.processRevocationResponse(
        await oauth.revocationRequest(server, client, oauth.None(), answers[0]!.refresh_token!, insecure)
      )
      instances.takeHops()
      assert.deepStrictEqual((await callAll()).map(({ status }) => status), [401, 401, 401, 401])
    })
  })
}
