/** Tests with the clients of both SDKs that lists show what policies grant, and that calls agree with lists. */
import { assert, describe, it } from "@effect/vitest"
import { Client as ClientV2, StreamableHTTPClientTransport as TransportV2 } from "@modelcontextprotocol/client"
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js"
import { StreamableHTTPClientTransport as TransportV1 } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import { Effect } from "effect"
import { Policy } from "effect-mcp-auth/policy"
import { TestIssuer } from "effect-mcp-auth/testing"
import { policyServers, resource, type TestTool } from "./policyServers.ts"

const { allOf, anyOf, check, checkCaller, role, scopes } = Policy

const isFirst = check("first", (_, { arguments: { id } }: Policy.Call<{ readonly id: string }>) => id === "1")
const isAlice = checkCaller("alice", async ({ subject }) => subject === "alice")

/** Two tools for each policy. The name of the second one begins with `hidden`. */
const policies = {
  everyone: Policy.anyone,
  read: scopes("todos:read"),
  write: scopes("todos:write"),
  either: anyOf(scopes("todos:write"), role("editor")),
  editor: role("editor"),
  first: isFirst,
  alice: isAlice,
  alice_first: allOf(isAlice, isFirst),
  broken: checkCaller("broken", () => Effect.die("down"))
}

const tools: ReadonlyArray<TestTool> = Object.entries(policies).flatMap(([name, policy]) => [
  { name, policy },
  { name: `hidden_${name}`, policy, unauthorized: "hide" }
])

const all = Object.keys(policies)

/** The policies that admit each caller for the argument `1`. */
const callers = [
  { who: "a reader", subject: "bob", scopes: ["todos:read"], roles: [], admitted: ["everyone", "read", "first"] },
  {
    who: "a writer",
    subject: "bob",
    scopes: ["todos:read", "todos:write"],
    roles: [],
    admitted: ["everyone", "read", "write", "either", "first"]
  },
  {
    who: "an editor",
    subject: "alice",
    scopes: [],
    roles: ["editor"],
    admitted: ["everyone", "either", "editor", "first", "alice", "alice_first"]
  }
]

const clients = {
  "SDK v1": async (fetch: typeof globalThis.fetch) => {
    const client = new ClientV1({ name: "report", version: "1.0.0" })
    await client.connect(new TransportV1(new URL(resource), { fetch }) as never)
    return client
  },
  "SDK v2": async (fetch: typeof globalThis.fetch) => {
    const client = new ClientV2({ name: "report", version: "1.0.0" })
    await client.connect(new TransportV2(new URL(resource), { fetch }))
    return client
  }
}

const issuer = await TestIssuer.start({ resource })

describe.each(policyServers)("a server on $name", ({ start }) => {
  describe.each(["SDK v1", "SDK v2"] as const)("with the client of %s", (sdk) => {
    it.each(callers)(
      "shows $who what is granted and nothing that is hidden",
      async ({ admitted, roles, scopes, subject }) => {
        const { dispose, handler } = await start({ issuer, tools })
        const token = await issuer.mint({ subject, scopes, claims: { roles } })
        const client = await clients[sdk](async (input, init) => {
          const request = new Request(input, init)
          request.headers.set("authorization", `Bearer ${token}`)
          return handler(request)
        })
        const call = (name: string, id = "1"): Promise<unknown> =>
          client.callTool({ name, arguments: { id } }).catch((error: unknown) => error)
        const isAdmitted = (answer: unknown) => !(answer instanceof Error) && (answer as any).isError !== true
        const messageOf = (answer: unknown, name: string) =>
          String((answer as any).message ?? JSON.stringify(answer)).replaceAll(name, "")

        const listed = (await client.listTools()).tools.map(({ name }) => name)
        assert.sameMembers(listed, [...all, ...admitted.map((name) => `hidden_${name}`)])
        for (const name of all) {
          for (const tool of [name, `hidden_${name}`]) {
            assert.strictEqual(isAdmitted(await call(tool)), admitted.includes(name), tool)
          }
          const unknown = `hidden_${"x".repeat(name.length)}`
          const isUnknown = messageOf(await call(`hidden_${name}`), name) ===
            messageOf(await call(unknown), "x".repeat(name.length))
          assert.strictEqual(isUnknown, !listed.includes(`hidden_${name}`), name)
        }
        // The list shows the tool, because some calls are granted. This one is not.
        assert.isFalse(isAdmitted(await call("hidden_first", "2")))
        await client.close()
        await dispose()
      }
    )
  })
})
