/** The behavior of the clients of both official SDKs when a caller has used up its quota, as the page Operations describes it. */
import { assert, describe, it } from "@effect/vitest"
import { Client as ClientV2, StreamableHTTPClientTransport as TransportV2 } from "@modelcontextprotocol/client"
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js"
import { StreamableHTTPClientTransport as TransportV1 } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import { Effect } from "effect"
import * as Functions from "../../servers/hosts/functions.ts"
import { makeIssuer, optionsOf, resource } from "../../servers/hosts/Host.ts"
import { inProcess } from "../../servers/hosts/hosts.ts"

const clients = [
  {
    name: "SDK v1",
    connect: async (fetch: typeof globalThis.fetch) => {
      const client = new ClientV1({ name: "test", version: "1.0.0" })
      await client.connect(new TransportV1(new URL(resource), { fetch }) as never)
      return { call: () => client.callTool({ name: "list_todos", arguments: {} }), close: () => client.close() }
    }
  },
  {
    name: "SDK v2",
    connect: async (fetch: typeof globalThis.fetch) => {
      const client = new ClientV2({ name: "test", version: "1.0.0" })
      await client.connect(new TransportV2(new URL(resource), { fetch }))
      return { call: () => client.callTool({ name: "list_todos", arguments: {} }), close: () => client.close() }
    }
  }
]

describe.each(clients)("the client of $name", ({ connect }) => {
  it("fails with an error that names the status 429, and neither waits nor repeats the request", async () => {
    const { client: http, issuer } = await makeIssuer()
    const host = inProcess.find(({ name }) => name === "SDK v1 on the web transport")!
    const served = await host.start(
      Functions.written(optionsOf(issuer.issuer, { quotas: { requests: { limit: 20, window: "1 day" } } })),
      http,
      Functions.make("none")
    )
    const token = await Effect.runPromise(issuer.mint({ scopes: ["todos:read"] }))
    const statuses: Array<number> = []
    const fetch = async (input: string | URL | Request, init?: RequestInit) => {
      const request = new Request(input, init)
      request.headers.set("authorization", `Bearer ${token}`)
      // The clients open a stream, which would not end in this test.
      // The clients open a stream, which would not end in this test.
      if (request.method === "GET") return new Response(null, { status: 405 })
      const { body, headers, status } = await served.send({
        method: request.method,
        path: "/mcp",
        headers: [...request.headers],
        body: await request.text()
      })
      statuses.push(status)
      return new Response([202, 204].includes(status) ? null : body, { status, headers })
    }
    const { call, close } = await connect(fetch as typeof globalThis.fetch)
    const callUntilFailure = async (left: number): Promise<unknown> => {
      if (left === 0) return undefined
      const failure = await call().then(() => undefined, (error: unknown) => error)
      return failure ?? callUntilFailure(left - 1)
    }
    const failure = await callUntilFailure(30)
    assert.instanceOf(failure, Error)
    assert.include(`${String(failure)} ${JSON.stringify(failure)}`, "429")
    assert.lengthOf(statuses.filter((status) => status === 429), 1)
    assert.lengthOf(statuses, 21)
    await close()
    await served.stop()
  })
})
