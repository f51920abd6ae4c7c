/** Tests resources without a path, for which `https://host` and `https://host/` are the same URL (RFC 3986 §6.2.3). */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { bearer, call } from "./cases.ts"
import { makeIssuer, optionsOf, type Running, startAll } from "./Host.ts"
import { hosts } from "./hosts.ts"

const origin = "https://server.test"

const resources = [origin, `${origin}/`, `${origin}/mcp`] as const

type Resource = typeof resources[number]

const audiences: ReadonlyArray<string | ReadonlyArray<string>> = [
  origin,
  `${origin}/`,
  [`${origin}/`, "https://other.test"],
  [origin, `${origin}/`]
]

const foreign: ReadonlyArray<string> = [
  `${origin}//`,
  `${origin}/.`,
  `${origin}/?`,
  `${origin}#`,
  `${origin}:443`,
  `${origin}:443/`,
  "https://SERVER.test/",
  "HTTPS://server.test",
  "http://server.test/",
  "https://server.test./",
  " https://server.test/",
  "https://server.test/ ",
  "https://server.test\\",
  "server.test/",
  "https://server.tes",
  "https://server.test.evil.test/"
]

describe.each(hosts)("resources without a path, $name", (host) => {
  let servers: ReadonlyMap<Resource, Running>
  let issuer: Awaited<ReturnType<typeof makeIssuer>>["issuer"]
  beforeAll(async () => {
    const made = await makeIssuer()
    issuer = made.issuer
    const running = await startAll(
      host,
      resources.map((resource) => ({ options: optionsOf(issuer.issuer, {}, resource), functions: "none" as const })),
      made.client
    )
    servers = new Map(resources.map((resource, index) => [resource, running[index]!]))
  })
  afterAll(() => Promise.all([...servers.values()].map((_) => _.stop())))

  const statusOf = async (resource: Resource, audience: string | ReadonlyArray<string>) => {
    const token = await Effect.runPromise(issuer.mint({ scopes: ["todos:read"], audience: audience as string }))
    return (await servers.get(resource)!.send(call(bearer(token), "list_todos"))).status
  }

  it.each([origin, `${origin}/`] as const)(
    "[T-AUD-31b] %s accepts aud with and without the slash",
    async (resource) => {
      for (const audience of audiences) {
        assert.strictEqual(await statusOf(resource, audience), 200, JSON.stringify(audience))
      }
    }
  )

  it.each([origin, `${origin}/`] as const)("[T-AUD-31b] %s rejects every other spelling in aud", async (resource) => {
    for (const audience of [...foreign, `${origin}/mcp`]) {
      assert.strictEqual(await statusOf(resource, audience), 401, JSON.stringify(audience))
    }
  })

  it("[T-AUD-31b] a resource with a path has one spelling", async () => {
    assert.strictEqual(await statusOf(`${origin}/mcp`, `${origin}/mcp`), 200)
    for (const audience of [`${origin}/mcp/`, `${origin}//mcp`, origin, `${origin}/`]) {
      assert.strictEqual(await statusOf(`${origin}/mcp`, audience), 401, audience)
    }
  })

  it.each([origin, `${origin}/`] as const)("PRM-01 PRM-02 %s has its metadata at the root", async (resource) => {
    const path = "/.well-known/oauth-protected-resource"
    const { send } = servers.get(resource)!
    const { body, status } = await send({ method: "GET", path, headers: [] })
    assert.deepStrictEqual([status, JSON.parse(body).resource], [200, resource])
    const challenge = (await send(call([], "list_todos"))).headers["www-authenticate"]
    assert.include(challenge, `resource_metadata="${origin}${path}"`)
    const withSlash = await send({ method: "GET", path: `${path}/`, headers: [] })
    assert.deepStrictEqual([withSlash.status, withSlash.body], [200, body])
  })
})
