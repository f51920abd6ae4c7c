/** Tests the option `structuredDenials` for the callers of `local`, on both SDKs. */
import { assert, describe, it } from "@effect/vitest"
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import {
  InMemoryTaskMessageQueue,
  InMemoryTaskStore
} from "@modelcontextprotocol/sdk/experimental/tasks/stores/in-memory.js"
import { InMemoryTransport } from "@modelcontextprotocol/sdk/inMemory.js"
import * as V1 from "@modelcontextprotocol/sdk/server/mcp.js"
import * as V2 from "@modelcontextprotocol/server"
import { type Layer, Logger } from "effect"
import { Policy } from "effect-mcp-auth/policy"
import { McpAuthSdk as SdkV1 } from "effect-mcp-auth/sdk-v1"
import { McpAuthSdk as SdkV2 } from "effect-mcp-auth/sdk-v2"
import { z } from "zod"
import { envelope } from "../hosts/challengeCases.ts"

const requirements = {
  read: { scopes: ["read"] },
  write: { scopes: ["write"] },
  deny_write: { scopes: ["write"], unauthorized: "deny" },
  dynamic: { scopes: () => ["write"] },
  admin: { policy: Policy.role("admin") },
  check: { policy: Policy.check("a secret name", () => false) },
  dies: {
    policy: Policy.check("dies", () => {
      throw new Error("a secret")
    })
  },
  hidden: { policy: Policy.role("admin"), unauthorized: "hide" }
} as const
const names = [...Object.keys(requirements), "missing"]

/** The tools that are denied to a caller with the scope `read` and without roles. */
const denied = ["write", "deny_write", "dynamic", "admin", "check"]

const info = { name: "test", version: "1.0.0" }

const options = (structuredDenials: boolean) => ({
  resource: "https://a.example/mcp",
  authorizationServers: ["https://as.example"] as const,
  scopes: ["read", "write"] as const,
  layer: Logger.layer([]) as Layer.Layer<never>,
  structuredDenials
})

type Auth = SdkV1.McpAuthSdk<"read" | "write", Readonly<Record<string, unknown>>, never, "deny">

/** Runs `body` with a client of a server in memory. `ran` has the tools that ran. */
const use = async (
  sdk: "v1" | "v2",
  structuredDenials: boolean,
  body: (client: Client, ran: ReadonlyArray<string>) => Promise<void>
) => {
  const auth = await (sdk === "v1" ? SdkV1 : SdkV2).make(options(structuredDenials)) as unknown as Auth
  const ran: Array<string> = []
  const tasks = { tasks: { requests: { tools: { call: {} } } } }
  const server = sdk === "v2" ? new V2.McpServer(info) as unknown as V1.McpServer : new V1.McpServer(info, {
    capabilities: tasks,
    taskStore: new InMemoryTaskStore(),
    taskMessageQueue: new InMemoryTaskMessageQueue()
  })
  for (const [name, required] of Object.entries(requirements)) {
    auth.registerTool(server, name, required as typeof requirements.read, () => {
      ran.push(name)
      return { content: [] }
    })
  }
  if (sdk === "v1") {
    const config = { policy: Policy.role("admin"), execution: { taskSupport: "optional" } } as const
    auth.registerToolTask(server, "task", config, () => {
      ran.push("task")
      throw new Error("it created no task")
    })
  }
  const [near, far] = InMemoryTransport.createLinkedPair()
  await auth.local({ subject: "alice", scopes: ["read"] })(server).connect(far)
  const client = new Client(info)
  await client.connect(near)
  try {
    await body(client, ran)
  } finally {
    await client.close()
    await auth.dispose()
  }
}

/** Calls each tool, and returns its result, or the error. */
const callAll = async (sdk: "v1" | "v2", structuredDenials: boolean) => {
  const answers: Record<string, Record<string, unknown>> = {}
  await use(sdk, structuredDenials, async (client, ran) => {
    for (const name of names) {
      answers[name] = await client.callTool({ name, arguments: {} }).catch(({ code, message }) => ({ code, message }))
    }
    assert.deepStrictEqual(ran, ["read"])
  })
  return answers
}

describe.each(["v1", "v2"] as const)("SDK %s", (sdk) => {
  it("[T-DENY-01] [T-DENY-03] the result of a denied call differs by the envelope alone, and no other answer changes", async () => {
    const [without, structured] = [await callAll(sdk, false), await callAll(sdk, true)]
    for (const name of names) {
      const expected = without[name]!
      assert.deepStrictEqual(
        structured[name],
        denied.includes(name) ? { ...expected, _meta: envelope("undisclosed") } : expected,
        name
      )
      if (denied.includes(name)) {
        assert.deepStrictEqual([expected["isError"], expected["_meta"]], [true, undefined], name)
      }
    }
  })
})

describe("Tasks of SDK v1", () => {
  it.each([["a task", { task: {} }], ["no task", {}]] as const)(
    "[T-DENY-02] a denied call of a tool that creates tasks has the same answer with and without the option: %s",
    async (_, added) => {
      const answerOf = async (structuredDenials: boolean) => {
        let answer: unknown
        await use("v1", structuredDenials, async (client, ran) => {
          answer = await client.request({ method: "tools/call", params: { name: "task", ...added } }, z.looseObject({}))
            .catch(({ code, message }) => ({ code, message }))
          assert.deepStrictEqual(ran, [])
        })
        return answer as Record<string, unknown>
      }
      const answer = await answerOf(false)
      assert.isTrue(answer["isError"] === true || answer["code"] === -32602)
      assert.deepStrictEqual(await answerOf(true), answer)
    }
  )
})
