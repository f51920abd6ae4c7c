/**
 * Tests tenants with every server adapter. For every spelling of a path that a router accepts, the gate and the handler must
 * find the same tenant.
 */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { bearer } from "../hosts/cases.ts"
import type { TenantOptions } from "../hosts/functions.ts"
import type { Answer, Sent } from "../hosts/Host.ts"
import * as Keys from "../hosts/keys.ts"
import { guardOfAll, hosts, pattern, resource, type Running, startAll, world } from "./hosts.ts"

/** Paths that resemble `/t/acme/mcp`. Some routers treat some of these paths as other spellings of `/t/acme/mcp`. */
const spellings = [
  "/T/acme/mcp",
  "/t/acme/MCP",
  "/t/acme/mcp/",
  "/t/acme/mcp//",
  "//t/acme/mcp",
  "/t//acme/mcp",
  "/t/acme//mcp",
  "/t/acme/%6Dcp",
  "/t/acme/%6dcp",
  "/%74/acme/mcp",
  "/t/ac%6de/mcp",
  "/t/%61cme/mcp",
  "/t/acme/mcp;x",
  "/t/acme;x/mcp",
  "/t/acme/mcp%20",
  "/t/acme/mcp%00",
  "/t/acme%00/mcp",
  "/t/acme%2fmcp",
  "/t/acme%2Fx/mcp",
  "/t/x/..%2Facme/mcp",
  "/t%2Facme/mcp",
  "/t/./acme/mcp",
  "/t/x/../acme/mcp",
  "/t/%2e%2e/mcp",
  "/t/acme%CC%81/mcp",
  "/t/acm%C3%A9/mcp",
  "/t/%EF%BD%81cme/mcp",
  "/t/acme%/mcp",
  "/t/ACME/mcp",
  "/t/Acme/mcp",
  "/t/acme/mcp/.",
  "http://server.test/T/acme/mcp",
  "http://evil.test//t/acme/mcp",
  "/t/bolt/../acme/mcp",
  "/t/acme,bolt/mcp",
  "/t/acme@x/mcp",
  "/t/__proto__/mcp",
  "/t/constructor/mcp"
]

/** Request targets whose path is exactly `/t/acme/mcp`. */
const exact = ["/t/acme/mcp", "/t/acme/mcp?x=/T/bolt/mcp", "http://server.test/t/acme/mcp"]

const ids = { fromRoute: ["fromRoute", pattern], fromPath: ["fromPath", pattern] } as const

const withoutTenant = "default-servers"

/** The options of the servers that each host starts. */
const variants = {
  fromRoute: { by: ids.fromRoute },
  fromPath: { by: ids.fromPath },
  "fromRoute with default servers": { by: ids.fromRoute, withoutTenant },
  "fromPath with default servers": { by: ids.fromPath, withoutTenant },
  fromHeader: { by: ["fromHeader", "x-tenant"] },
  fromClaim: { by: ["fromClaim", "org"] }
} as const satisfies Record<string, TenantOptions>

type Variant = keyof typeof variants

const names = Object.keys(variants) as ReadonlyArray<Variant>

type World = Awaited<ReturnType<typeof world>>

const getFrom = (running: Running) => (path: string, token?: string) =>
  running.send({ method: "GET", path, headers: token === undefined ? [] : [...bearer(token)] })

const challengeOf = ({ headers }: Answer) => headers["www-authenticate"] ?? ""
const metadataOf = (answer: Answer) => /resource_metadata="([^"]*)"/.exec(challengeOf(answer))?.[1]

describe.each(hosts)("$name", (host) => {
  let servers: ReadonlyMap<Variant, Running>
  let token: World["token"]
  let issuers: World["issuers"]
  beforeAll(async () => {
    const made = await world()
    ;({ issuers, token } = made)
    const running = await startAll(host, Object.values(variants), made.client)
    servers = new Map(names.map((name, index) => [name, running[index]!]))
  })
  afterAll(() => Promise.all([...servers.values()].map((_) => _.stop())))

  describe.each(["fromRoute", "fromPath"] as const)("%s", (kind) => {
    const get = (path: string, token?: string) => getFrom(servers.get(kind)!)(path, token)

    it("[T-AUD-01a] the tenant's URL accepts only its tokens", async () => {
      for (const path of exact) {
        // workerd answers 500 if the target of a request is an absolute URL.
        if (host.name === "workerd" && path.startsWith("http")) continue
        const admitted = await get(path, await token("acme"))
        assert.deepStrictEqual([admitted.status, admitted.body], [200, "acme"], path)
        for (const other of ["own", "bolt"] as const) {
          for (const audience of [undefined, resource, "https://server.test/t/acme/mcp"]) {
            const { status } = await get(path, await token(other, audience))
            assert.strictEqual(status, 401, `${path} ${other} ${audience}`)
          }
        }
      }
    })

    it("[T-AUD-01a] no spelling of it admits a token of another tenant or of the default server", async () => {
      for (const path of spellings) {
        for (const other of ["own", "bolt"] as const) {
          for (const audience of [undefined, resource, "https://server.test/t/acme/mcp"]) {
            const { body, status } = await get(path, await token(other, audience))
            assert.isTrue(status >= 400, `${path} ${other} ${audience}: ${status} ${body}`)
          }
        }
      }
    })

    it("[T-AUD-01a] a request with another spelling runs for the tenant of the token", async () => {
      for (const path of spellings) {
        const { body, status } = await get(path, await token("acme"))
        if (status === 200) assert.strictEqual(body, "acme", path)
        // The URL parser of fetch normalizes some spellings before a server receives them.
        const isSame = new URL(path, resource).href === "https://server.test/t/acme/mcp"
        if (kind === "fromPath" && !isSame) assert.notStrictEqual(status, 200, path)
      }
    })

    it("[T-AUD-01b] a request that names no tenant is rejected", async () => {
      for (const path of ["/mcp", "/MCP", "/mcp/"]) {
        for (const name of ["own", "acme"] as const) {
          const { status } = await get(path, await token(name, resource))
          assert.include([401, 404], status, path)
        }
      }
    })

    it("[T-AUD-01c] a tenant's tokens are issued for its URL, not for the resource of the layer", async () => {
      const { status } = await get("/t/acme/mcp", await token("acme", resource))
      assert.strictEqual(status, 401)
    })

    it("[T-AUD-01d] the challenge names the tenant's metadata, which names its authorization servers", async () => {
      for (const [name, issuer] of [["acme", "https://acme.test"], ["bolt", "https://bolt.test"]] as const) {
        const rejected = await get(`/t/${name}/mcp`)
        assert.strictEqual(rejected.status, 401)
        assert.include(challengeOf(rejected), "scope=\"todos:read\"")
        const url = metadataOf(rejected)
        assert.strictEqual(url, `https://server.test/.well-known/oauth-protected-resource/t/${name}/mcp`)
        const { body, headers, status } = await get(new URL(url!).pathname)
        assert.strictEqual(status, 200)
        assert.deepStrictEqual(JSON.parse(body), {
          resource: `https://server.test/t/${name}/mcp`,
          authorization_servers: [issuer],
          scopes_supported: ["todos:read"],
          bearer_methods_supported: ["header"]
        })
        assert.strictEqual(headers["access-control-allow-origin"], "*")
        assert.strictEqual(headers["cache-control"], "public, max-age=300")
        // The challenge after a rejected token names the same metadata.
        assert.strictEqual(metadataOf(await get(`/t/${name}/mcp`, await token("own"))), url)
      }
    })

    it("[T-AUD-01d] an unknown tenant has no metadata", async () => {
      const rejected = await get("/t/nobody/mcp")
      assert.strictEqual(rejected.status, 401)
      assert.strictEqual(
        metadataOf(rejected),
        "https://server.test/.well-known/oauth-protected-resource/t/nobody/mcp"
      )
      const document = await get("/.well-known/oauth-protected-resource/t/nobody/mcp")
      assert.deepStrictEqual([document.status, document.body], [404, ""])
      for (
        const path of ["/T/acme/mcp", "/t/acme/mcp/", "/t/ac%6de/mcp", "/t/acme/MCP", "//t/acme/mcp", "/t/a@b/mcp"]
      ) {
        const { body, status } = await get(`/.well-known/oauth-protected-resource${path}`)
        assert.isTrue(status === 404 || status === 401, `${path}: ${status}`)
        assert.notInclude(body, "acme.test")
      }
    })

    it("[T-AUD-01d] the metadata of the layer is served if no tenant is named", async () => {
      for (const path of ["", "/mcp"]) {
        const { body, status } = await get(`/.well-known/oauth-protected-resource${path}`)
        assert.strictEqual(status, 200)
        assert.deepStrictEqual(JSON.parse(body).authorization_servers, ["https://own.test"])
      }
    })
  })

  describe.each(["fromRoute", "fromPath"] as const)("%s with default servers", (kind) => {
    const get = (path: string, token?: string) => getFrom(servers.get(`${kind} with default servers`)!)(path, token)

    it("[T-AUD-01b] the default server verifies tokens only at the path of the resource", async () => {
      const own = await token("own")
      assert.strictEqual((await get("/mcp", own)).status, 200)
      for (const path of ["/MCP", "/mcp/", "//mcp", "/%6Dcp", ...exact, ...spellings]) {
        // The URL parser of fetch turns `/t/%2e%2e/mcp` into `/mcp` before a server receives it.
        if (/fetch|Hono|web handler|workerd/.test(host.name) && new URL(path, resource).href === resource) continue
        assert.isTrue((await get(path, own)).status >= 400, path)
      }
    })
  })

  describe("API keys", () => {
    const withKey = (variant: Variant, path: string, key: string, headers: Sent["headers"] = []) =>
      servers.get(variant)!.send({ method: "GET", path, headers: [["x-api-key", key], ...headers] })

    const rejected = "The API key is malformed, unknown, expired or revoked"

    it.each(["fromRoute", "fromPath"] as const)(
      "[T-APIKEY-13] a key opens only the URL of its tenant, with %s",
      async (kind) => {
        const admitted = await withKey(kind, "/t/acme/mcp", Keys.ofAcme)
        assert.deepStrictEqual([admitted.status, admitted.body], [200, "acme"])
        for (const key of [Keys.ofBolt, Keys.reader, Keys.ofUnknownTenant, Keys.forged]) {
          const answer = await withKey(kind, "/t/acme/mcp", key)
          assert.deepStrictEqual([answer.status, JSON.parse(answer.body).error_description], [401, rejected])
          const metadata = "https://server.test/.well-known/oauth-protected-resource/t/acme/mcp"
          assert.strictEqual(metadataOf(answer), metadata)
        }
        assert.strictEqual((await withKey(kind, "/t/nobody/mcp", Keys.ofUnknownTenant)).status, 401)
        for (const path of spellings) {
          for (const key of [Keys.ofBolt, Keys.reader, Keys.ofUnknownTenant]) {
            const { body, status } = await withKey(kind, path, key)
            assert.isTrue(status >= 400, `${path}: ${status} ${body}`)
          }
        }
      }
    )

    it.each(["fromRoute with default servers", "fromPath with default servers"] as const)(
      "[T-APIKEY-13] no key opens the URL without a tenant, %s",
      async (variant) => {
        for (const key of [Keys.ofAcme, Keys.reader, Keys.ofUnknownTenant]) {
          assert.strictEqual((await withKey(variant, "/mcp", key)).status, 401)
        }
        assert.strictEqual((await withKey(variant, "/t/acme/mcp", Keys.ofAcme)).status, 200)
      }
    )

    it("[T-APIKEY-13] a key requires the header of its tenant", async () => {
      const statusOf = async (key: string, tenant: string | undefined) =>
        (await withKey("fromHeader", "/mcp", key, tenant === undefined ? [] : [["x-tenant", tenant]])).status
      assert.strictEqual(await statusOf(Keys.ofAcme, "acme"), 200)
      for (const tenant of [undefined, "", "bolt", "ACME", "acme, bolt", "nobody"]) {
        assert.strictEqual(await statusOf(Keys.ofAcme, tenant), 401, tenant)
      }
      for (const tenant of [undefined, "acme", "nobody"]) {
        assert.strictEqual(await statusOf(Keys.reader, tenant), 401, tenant)
        assert.strictEqual(await statusOf(Keys.ofUnknownTenant, tenant), 401, tenant)
      }
    })

    it("[T-APIKEY-13] the record of a key names the tenant where the claim of a token does", async () => {
      const statusOf = async (key: string) => (await withKey("fromClaim", "/mcp", key)).status
      assert.deepStrictEqual(await Promise.all([Keys.ofAcme, Keys.ofBolt].map(statusOf)), [200, 200])
      assert.deepStrictEqual(
        await Promise.all([Keys.reader, Keys.ofUnknownTenant, Keys.forged].map(statusOf)),
        [401, 401, 401]
      )
    })
  })

  describe("fromHeader", () => {
    const send = (method: string, path: string, headers: Sent["headers"]) =>
      servers.get("fromHeader")!.send({ method, path, headers })

    it("[T-AUD-01d] the metadata is that of the tenant in the header, and not cacheable in shared caches", async () => {
      for (const path of ["/.well-known/oauth-protected-resource/mcp", "/.well-known/oauth-protected-resource"]) {
        const get = (tenant: string | undefined, method = "GET") =>
          send(method, path, tenant === undefined ? [] : [["x-tenant", tenant]])
        for (const [tenant, issuer] of [["acme", "acme"], ["bolt", "bolt"], [undefined, "own"]] as const) {
          const { body, headers, status } = await get(tenant)
          assert.strictEqual(status, 200)
          const { authorization_servers, resource: named } = JSON.parse(body)
          assert.deepStrictEqual([authorization_servers, named], [[`https://${issuer}.test`], resource])
          assert.deepStrictEqual([headers["vary"], headers["cache-control"]], ["x-tenant", "private, max-age=300"])
        }
        for (const tenant of ["nobody", "", "acme, bolt"]) {
          const { headers, status } = await get(tenant)
          assert.deepStrictEqual([status, headers["vary"], headers["cache-control"]], [404, "x-tenant", "no-store"])
        }
        assert.strictEqual((await get("acme", "POST")).status, 405)
        const head = await get("acme", "HEAD")
        assert.deepStrictEqual([head.status, head.body], [200, ""])
      }
    })

    it("[T-AUD-01b] a request without the header is rejected, as is a token of another tenant", async () => {
      const statusOf = async (name: "acme" | "bolt" | "own", tenant: string | undefined) => {
        const headers = [...bearer(await token(name, resource)), ...tenant === undefined ? [] : [["x-tenant", tenant]]]
        return (await send("GET", "/mcp", headers as Sent["headers"])).status
      }
      assert.strictEqual(await statusOf("acme", "acme"), 200)
      for (const name of ["own", "bolt"] as const) assert.strictEqual(await statusOf(name, "acme"), 401, name)
      for (const tenant of [undefined, "", "acme, bolt", "nobody", "a b"]) {
        for (const name of ["own", "acme"] as const) {
          assert.strictEqual(await statusOf(name, tenant), 401, `${name} ${tenant}`)
        }
      }
    })

    it("[T-AUD-01d] the challenge names the metadata of the tenant", async () => {
      const rejected = await send("GET", "/mcp", [["x-tenant", "acme"]])
      assert.strictEqual(rejected.status, 401)
      assert.strictEqual(metadataOf(rejected), "https://server.test/.well-known/oauth-protected-resource/mcp")
    })
  })

  describe("fromClaim", () => {
    it("[T-AUD-01b] a token without the claim is rejected, as is one that names the tenant of another issuer", async () => {
      const statusOf = async (name: "acme" | "bolt" | "own", claims: Readonly<Record<string, unknown>>) => {
        const minted = await Effect.runPromise(issuers[name].mint({ audience: resource, claims }))
        return (await getFrom(servers.get("fromClaim")!)("/mcp", minted)).status
      }
      assert.strictEqual(await statusOf("acme", { org: "acme" }), 200)
      for (const name of ["own", "bolt"] as const) {
        assert.strictEqual(await statusOf(name, { org: "acme" }), 401, name)
      }
      for (const claims of [{}, { org: "" }, { org: 1 }, { org: ["acme"] }, { org: null }]) {
        for (const name of ["own", "acme"] as const) {
          assert.strictEqual(await statusOf(name, claims), 401, `${name} ${JSON.stringify(claims)}`)
        }
      }
    })
  })
})

describe("a gate without a route", () => {
  it("[T-AUD-01a] rejects every request with fromRoute, and reads the path with fromPath", async () => {
    for (const [kind, status] of [["fromRoute", 401], ["fromPath", 200]] as const) {
      const { client, token } = await world()
      const running = await guardOfAll.start({ by: ids[kind], withoutTenant }, client)
      const get = getFrom(running)
      assert.strictEqual((await get("/t/acme/mcp", await token("acme"))).status, status)
      for (const path of [...exact, ...spellings]) {
        assert.isTrue((await get(path, await token("own"))).status >= 400, path)
      }
      await running.stop()
    }
  })
})
