/** Tests MCP servers with a URL for each tenant: the handler of a tool receives the tenant that the gate verified. */
import { assert, describe, it } from "@effect/vitest"
import { McpServer } from "@modelcontextprotocol/server"
import { Effect, Layer, Schema } from "effect"
import { AuthError, Principal, requireScopes } from "effect-mcp-auth"
import { McpAuthFetch } from "effect-mcp-auth/fetch"
import { McpAuth } from "effect-mcp-auth/mcp"
import { McpAuthNode } from "effect-mcp-auth/node"
import { McpAuthSdk as SdkV1 } from "effect-mcp-auth/sdk-v1"
import { McpAuthSdk } from "effect-mcp-auth/sdk-v2"
import { McpProtocol, Tool, Toolkit } from "effect/ai"
import { HttpRouter } from "effect/http"
import { inMemory } from "../../verification/tenants/servers.ts"
import { authLayer, withFetcher } from "../gates.ts"
import { ask, bearer } from "../hosts/cases.ts"
import { type TenantOptions, tenantsOf } from "../hosts/functions.ts"
import { pattern, resource, world } from "./hosts.ts"

const options = (by: TenantOptions["by"]) => ({
  resource,
  authorizationServers: ["https://own.test"] as const,
  scopes: ["todos:read"] as const,
  tenants: tenantsOf({ by })
})

/** A request that calls the tool at the URL of a tenant. */
const whichTenant = (tenant: string, token: string) => {
  const { body, headers } = ask(bearer(token), "tools/call", { name: "which_tenant", arguments: {} })
  return new Request(`https://server.test/t/${tenant}/mcp`, {
    method: "POST",
    headers: headers.map(([name, value]) => [name, value] as [string, string]),
    body: body as string
  })
}

describe("the tenant of a tool", () => {
  it("[T-AUD-01a] on Effect's MCP server is the tenant of its route", async () => {
    const { client, token } = await world()
    const Tools = Toolkit.make(requireScopes("todos:read")(Tool.make("which_tenant", { success: Schema.String })))
    const server = McpAuth.layerHttp({
      name: "tenants",
      version: "1.0.0",
      path: pattern,
      protocols: [McpProtocol.v2026_07_28],
      registrations: McpAuth.toolkit(Tools).pipe(
        Layer.provide(Tools.toLayer({ which_tenant: () => Effect.map(Principal, (_) => `for ${_.tenant}`) }))
      )
    }).pipe(Layer.provide(authLayer(options(["fromRoute", pattern]))), Layer.provide(inMemory(client)))
    const { dispose, handler } = HttpRouter.toWebHandler(server, { disableLogger: true })
    for (const tenant of ["acme", "bolt"] as const) {
      const response = await handler(whichTenant(tenant, await token(tenant)))
      assert.strictEqual(response.status, 200)
      assert.include(await response.text(), `for ${tenant}`)
    }
    assert.strictEqual((await handler(whichTenant("bolt", await token("acme")))).status, 401)
    assert.strictEqual((await handler(whichTenant("acme", await token("own")))).status, 401)
    await dispose()
  })

  it("[T-AUD-01a] on the SDK v2 is the tenant that the host passes", async () => {
    const { client, token } = await world()
    const auth = await McpAuthSdk.make({ ...options(["fromRoute", pattern]), layer: withFetcher(inMemory(client)) })
    const handler = auth.createMcpHandler(() => {
      const server = new McpServer({ name: "tenants", version: "1.0.0" })
      auth.registerTool(server, "which_tenant", { scopes: ["todos:read"] }, ({ http, principal }) => ({
        content: [{
          type: "text",
          text: `for ${principal.tenant} at ${http?.authInfo?.resource?.href} ${http?.authInfo?.extra?.["tenant"]}`
        }]
      }))
      return server
    })
    for (const tenant of ["acme", "bolt"] as const) {
      const response = await handler.fetch(whichTenant(tenant, await token(tenant)), { tenant })
      assert.strictEqual(response.status, 200)
      assert.include(await response.text(), `for ${tenant} at https://server.test/t/${tenant}/mcp ${tenant}`)
    }
    const acme = await token("acme")
    for (const given of [{}, { tenant: "bolt" }, { tenant: "" }, { tenant: undefined }]) {
      assert.strictEqual((await handler.fetch(whichTenant("acme", acme), given)).status, 401)
    }
    await auth.dispose()
  })
})

describe("the option tenant of a host", () => {
  it("[T-AUD-22a] causes the same 500 on fetch hosts as on Node if it throws", async () => {
    const { client, token } = await world()
    const auth = await McpAuthFetch.make({ ...options(["fromRoute", pattern]), layer: withFetcher(inMemory(client)) })
    const tenant = (): string => {
      throw new Error("no such route")
    }
    const acme = await token("acme")
    let ran = false
    const handler = () => {
      ran = true
      return new Response()
    }
    for (const handle of [auth.protect(handler, { tenant }), auth.protectRoute(handler, { tenant })]) {
      const response = await handle(whichTenant("acme", acme))
      assert.deepStrictEqual([response.status, await response.json()], [500, {
        error: "server_error",
        error_description: "The server cannot check access tokens because of an internal error"
      }])
    }
    assert.isFalse(ran)
    await auth.dispose()
  })

  it("is an AuthConfigError unless tenants come from routes", async () => {
    const { client } = await world()
    for (const by of [["fromPath", pattern], ["fromHeader", "x-tenant"], ["fromClaim", "tid"]] as const) {
      const given = { ...options(by), layer: withFetcher(inMemory(client)) }
      const [fetch, node, v1] = [
        await McpAuthFetch.make(given),
        await McpAuthNode.make(given),
        await SdkV1.make(given)
      ]
      const tenant = { tenant: () => "acme" }
      const attempts = [
        () => fetch.protect(() => new Response(), tenant),
        () => fetch.protectRoute(() => new Response(), tenant),
        () => node.protect(tenant),
        () => node.protectRoute(tenant),
        () => v1.protect(() => undefined, tenant)
      ]
      for (const attempt of attempts) assert.throws(attempt, AuthError.AuthConfigError, "Tenants.fromRoute")
      await Promise.all([fetch.dispose(), node.dispose(), v1.dispose()])
    }
    const node = await McpAuthNode.make({
      ...options(["fromRoute", pattern]),
      layer: withFetcher(inMemory(client))
    })
    assert.throws(() => node.protect({ tenant: "acme" as never }), AuthError.AuthConfigError, "function")
    await node.dispose()
  })
})
