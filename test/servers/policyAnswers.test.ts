/** Compares the table of answers in docs/policies.md with the answers of servers on Effect and on both SDKs. */
import { assert, describe, it } from "@effect/vitest"
import { Policy } from "effect-mcp-auth/policy"
import { TestClient, TestIssuer } from "effect-mcp-auth/testing"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { type AnyPolicy, policyServers, resource } from "./policyServers.ts"

const columns = ["challenge", "deny", "hide"] as const

interface Situation {
  /** The name of the row. */
  readonly title: string
  /** The policies with which every server must give the same answer. */
  readonly policies: ReadonlyArray<AnyPolicy>
  readonly caller: TestClient.TestUser | undefined
  readonly anonymous?: "deny" | "allow-unscoped"
}

const alice = { subject: "alice", scopes: ["todos:read"], claims: { roles: ["reader"], org: "acme" } }

const fails = () => {
  throw new Error("the database is down")
}

const situations: ReadonlyArray<Situation> = [
  { title: "scopes are missing", policies: [Policy.scopes("todos:write")], caller: alice },
  {
    title: "a role, a claim or a check of the caller fails",
    policies: [
      Policy.role("admin"),
      Policy.claim("org", (org) => org === "bolt"),
      Policy.checkCaller("active", () => false)
    ],
    caller: alice
  },
  {
    title: "a check of the call fails",
    policies: [Policy.check("owner", (_, { arguments: { id } }: Policy.Call<{ readonly id: string }>) => id === "2")],
    caller: alice
  },
  {
    title: "no credentials",
    policies: [Policy.scopes("todos:write"), Policy.role("admin"), Policy.checkCaller("active", fails)],
    caller: undefined
  },
  {
    title: "no credentials, with `anonymous: \"allow-unscoped\"`",
    policies: [Policy.scopes("todos:write"), Policy.anyOf(Policy.scopes("todos:write"), Policy.role("admin"))],
    caller: undefined,
    anonymous: "allow-unscoped"
  },
  {
    title: "a check of the caller or a predicate throws",
    policies: [Policy.checkCaller("active", fails), Policy.claim("org", fails)],
    caller: alice
  },
  { title: "a check of the call throws", policies: [Policy.check("owner", fails)], caller: alice }
]

const scopesOf = ({ challenge }: TestClient.TestResponse): string | undefined => challenge?.parameters.get("scope")

/** Returns what a client can see of an answer, without the name of the tool. */
const answerWithout = ({ error, headers, result, status }: TestClient.TestResponse, name: string) =>
  JSON.parse(JSON.stringify([status, headers["www-authenticate"], error, result]).replaceAll(name, ""))

/** Describes an answer in the words of the table. */
const describeAnswer = (answer: TestClient.TestResponse): string => {
  if (answer.status === 401 && scopesOf(answer) === "todos:read") return "401 with the baseline"
  if (answer.status === 401 && scopesOf(answer) === "todos:read todos:write") {
    return "401 with the baseline and these scopes"
  }
  if (answer.status === 403) {
    return scopesOf(answer)?.includes("todos:write") === true ? "403 that asks for scopes" : "403 without a challenge"
  }
  return answer.challenge === undefined ? String(answer.status) : "another answer"
}

const issuer = await TestIssuer.start({ resource })

/** Returns a row of the table, as a server answers. */
const observe = async (
  { protocol, start }: (typeof policyServers)[number],
  { anonymous = "deny", caller, policies }: Situation
) => {
  const ran: Array<string> = []
  const tools = policies.flatMap((policy, index) =>
    columns.map((unauthorized) => {
      const name = `${unauthorized}_${index}`
      return { name, policy, unauthorized, run: () => void ran.push(name) }
    })
  )
  const { dispose, handler } = await start({ issuer, tools, anonymous })
  const client = TestClient.start({ issuer, handler, protocol }).as(caller)
  const { result } = await client.listTools()
  const listed = (result?.["tools"] as ReadonlyArray<{ readonly name: string }> | undefined)?.map(({ name }) => name)
  const cells = []
  for (const column of columns) {
    const answers = new Set<string>()
    for (const { name, unauthorized } of tools) {
      if (unauthorized !== column) continue
      const answer = await client.callTool(name, { id: "1" })
      assert.notInclude(answer.body, "database")
      if (listed === undefined || listed.includes(name)) answers.add(describeAnswer(answer))
      else {
        const unknownName = "x".repeat(name.length)
        const unknown = await client.callTool(unknownName, { id: "1" })
        assert.deepStrictEqual(answerWithout(answer, name), answerWithout(unknown, unknownName))
        answers.add("an unknown tool, not in the list")
      }
    }
    cells.push([...answers].join(" or "))
  }
  assert.deepStrictEqual(ran, [])
  await dispose()
  return cells
}

const page = readFileSync(join(import.meta.dirname, "../../docs/policies.md"), "utf8")
const section = /^## What clients receive\n+((?:\|.*\n)+)/m.exec(page)?.[1] ?? ""
const table = section.trim().split("\n").map((line) => line.split("|").slice(1, -1).map((cell) => cell.trim()))
const [heading, , ...rows] = table

describe("the table of answers in docs/policies.md", () => {
  it("has a row for each situation and a column for each value of unauthorized", () => {
    assert.deepStrictEqual(heading?.slice(1), ["`\"challenge\"` (default)", "`\"deny\"`", "`\"hide\"`"])
    assert.deepStrictEqual(rows.map(([title]) => title), situations.map(({ title }) => title))
  })

  describe.each(policyServers)("on $name", (server) => {
    it.each(situations)("states what a client receives if $title", async (situation) => {
      const row = rows.find(([title]) => title === situation.title)
      assert.deepStrictEqual(row?.slice(1), await observe(server, situation))
    })
  })
})
