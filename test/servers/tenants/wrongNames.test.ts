import { assert, describe, it } from "@effect/vitest"
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js"
import { Effect, Layer, Logger } from "effect"
import { McpAuthFetch } from "effect-mcp-auth/fetch"
import { McpAuthNode } from "effect-mcp-auth/node"
import { McpAuthSdk as SdkV1 } from "effect-mcp-auth/sdk-v1"
import { Tenants } from "effect-mcp-auth/tenants"
import mocks from "node-mocks-http"

/* Tests the option `tenant` with functions that return something else than a name. */

const pattern = "/t/:tenant/mcp"

const options = (lines: Array<string>) => ({
  resource: "https://server.test/mcp",
  authorizationServers: ["https://own.test"],
  scopes: ["todos:read"],
  tenants: Tenants.fromRoute(pattern, { authorizationServers: () => Effect.succeed([]) }),
  layer: Layer.mergeAll(Logger.layer([Logger.map(Logger.formatJson, (line) => void lines.push(line))]))
} as const)

const headers = { authorization: "Bearer garbage", host: "server.test", "content-type": "application/json" }
const body = { jsonrpc: "2.0", id: 1, method: "ping" }

type Send = (tenant: () => never) => Promise<number>

const onNode = (
  guardOf: (tenant: () => never, lines: Array<string>) => Promise<(...args: ReadonlyArray<unknown>) => Promise<unknown>>
) =>
(lines: Array<string>): Send =>
async (tenant) => {
  const guard = await guardOf(tenant, lines)
  const res = mocks.createResponse()
  await guard(mocks.createRequest({ method: "POST", url: "/t/acme/mcp", headers, body }), res, () => assert.fail("ran"))
  return res.statusCode
}

const request = () =>
  new Request("https://server.test/t/acme/mcp", { method: "POST", headers, body: JSON.stringify(body) })

const hosts: Readonly<Record<string, (lines: Array<string>) => Send>> = {
  "protect of node": onNode(async (tenant, lines) =>
    (await McpAuthNode.make(options(lines))).protect({ tenant }) as never
  ),
  "protectRoute of node": onNode(async (tenant, lines) =>
    (await McpAuthNode.make(options(lines))).protectRoute({ tenant }) as never
  ),
  "protect of SDK v1": onNode(async (tenant, lines) => {
    const auth = await SdkV1.make(options(lines))
    return auth.protect(new McpServer({ name: "test", version: "1.0.0" }), { tenant }) as never
  }),
  "protect of fetch": (lines) => async (tenant) =>
    (await (await McpAuthFetch.make(options(lines))).protect(() => new Response("ran"), { tenant })(request())).status,
  "protectRoute of fetch": (lines) => async (tenant) =>
    (await (await McpAuthFetch.make(options(lines))).protectRoute(() => new Response("ran"), { tenant })(request()))
      .status,
  "protectFetch of SDK v1": (lines) => async (tenant) => {
    const auth = await SdkV1.make(options(lines))
    const server = new McpServer({ name: "test", version: "1.0.0" })
    return (await auth.protectFetch(server, () => new Response("ran"))(request(), { tenant: tenant() })).status
  }
}

describe.each(Object.entries(hosts))("the option tenant, %s", (_, start) => {
  it.each([
    ["a promise that resolves", () => Promise.resolve("acme"), "a promise is not the name of a tenant"],
    ["a promise that rejects", () => Promise.reject(new Error("late")), "a promise is not the name of a tenant"],
    ["an effect", () => Effect.succeed("acme"), "an Effect is not the name of a tenant"],
    ["a number", () => 1, "1 is not the name of a tenant"]
  ])("a function that returns %s leads to 500, and the log names the option", async (_, tenant, expected) => {
    const lines: Array<string> = []
    assert.strictEqual(await start(lines)(tenant as () => never), 500)
    assert.strictEqual(
      lines.filter((line) => line.includes("tenant: ") && line.includes(expected)).length,
      1,
      lines.join()
    )
  })
})
