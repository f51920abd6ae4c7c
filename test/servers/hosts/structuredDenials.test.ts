/**
 * Tests the option `structuredDenials` with policies that combine: every host answers as without the option, except for denials of tool
 * calls.
 */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { ask, bearer, callOf, message } from "./cases.ts"
import { envelope, resultWith } from "./challengeCases.ts"
import { type Answer, type Host, makeIssuer, optionsOf, type Running, type Sent, startAll } from "./Host.ts"
import { hosts } from "./hosts.ts"

type Credentials = Sent["headers"]

const mint = async (
  issuer: Awaited<ReturnType<typeof makeIssuer>>["issuer"]
): Promise<Record<string, Credentials>> => ({
  anonymous: [],
  ...await Effect.runPromise(Effect.map(
    Effect.all({
      none: issuer.mint({ scopes: [] }),
      writer: issuer.mint({ scopes: ["todos:read", "todos:write"] }),
      admin: issuer.mint({ scopes: ["todos:read"], claims: { roles: ["admin"] } }),
      expired: issuer.mint({ scopes: ["todos:read"], expiresIn: "-1 hour" })
    }),
    (tokens) => Object.fromEntries(Object.entries(tokens).map(([name, token]) => [name, bearer(token)]))
  ))
})

const tools = [
  "any_of",
  "all_of",
  "choice",
  "role",
  "staff",
  "edit",
  "first",
  "deny_write",
  "secret",
  "secret_edit",
  "open"
]
const names = ["any_of", "role", "alice", "edit", "deny_edit", "secret", "secret_edit", "open"]
const argument = { name: "id", value: "" }

/** Calls of every tool, requests of the other kinds, and requests that are no single call. */
const requests = (authorization: Credentials): ReadonlyArray<Sent> => {
  const batch = (...calls: ReadonlyArray<object>): Sent => ({
    ...ask(authorization, "tools/call"),
    headers: [
      ...authorization,
      ["accept", "application/json, text/event-stream"],
      ["content-type", "application/json"]
    ],
    body: JSON.stringify(calls)
  })
  return [
    ...[...tools, "missing"].map((name) => ask(authorization, "tools/call", { name, arguments: { id: "2" } })),
    ask(authorization, "tools/call", { name: "edit", arguments: { id: "dies" } }),
    ...names.flatMap((name) => [
      ask(authorization, "resources/read", { uri: `todo://${name}` }),
      ask(authorization, "resources/read", { uri: `item://${name}/2` }),
      ask(authorization, "prompts/get", { name, arguments: { id: "2" } }),
      ask(authorization, "completion/complete", { ref: { type: "ref/prompt", name }, argument })
    ]),
    ask(authorization, "tools/list"),
    batch({ ...callOf("role"), id: 1 }),
    batch({ ...callOf("role"), id: 1 }, { ...callOf("any_of"), id: 2 }),
    batch(message(undefined, "tools/call", { name: "role", arguments: {} })),
    ask(authorization, "tools/call", { name: "role", arguments: {}, task: {} })
  ]
}

/** The members of an answer that depend on the decision. */
const shown = ({ body, headers, status }: Answer) => ({
  status,
  body,
  headers: ["www-authenticate", "content-type", "cache-control", "retry-after"].map((name) => headers[name])
})

const isDenial = ({ body, status }: Answer): boolean => status === 403 && body.includes("\"access_denied\"")

const parse = ({ body }: Sent) => JSON.parse(String(body)) as { readonly method?: string; readonly params?: object }

const deniedResult = resultWith("The caller is not allowed to run this operation", envelope("undisclosed"))

describe.each(hosts)("$name", (host: Host) => {
  let plain: Running
  let structured: Running
  let inResults: Running
  let challenges: Running
  let callers: Awaited<ReturnType<typeof mint>>
  beforeAll(async () => {
    const { client, issuer } = await makeIssuer()
    callers = await mint(issuer)
    const settings = [
      {},
      { structuredDenials: true },
      { authChallenge: "tool-result" },
      { structuredDenials: true, authChallenge: "tool-result" }
    ] as const
    const given = settings.map((added) => ({
      options: optionsOf(issuer.issuer, { anonymous: "allow-unscoped", ...added }),
      functions: "policies that combine" as const
    }))
    ;[plain, structured, challenges, inResults] = await startAll(host, given, client) as [
      Running,
      Running,
      Running,
      Running
    ]
  })
  afterAll(() => Promise.all([plain, structured, challenges, inResults].map((_) => _.stop())))

  const observe = async (running: Running, sent: Sent) => {
    await running.ran()
    return { answer: await running.send(sent), ran: await running.ran() }
  }

  it("[T-DENY-01] a denial of a tool call is a tool result with an envelope, and names nothing that the 403 does not name", async () => {
    const rows: ReadonlyArray<readonly [who: string, tool: string, id: string]> = [
      ["writer", "role", "1"],
      ["writer", "staff", "1"],
      ["none", "first", "2"],
      ...host.hasPolicy === true ? [] : [["none", "deny_write", "1"], ["admin", "secret_edit", "2"]] as const
    ]
    for (const [who, name, id] of rows) {
      const { answer, ran } = await observe(
        structured,
        ask(callers[who]!, "tools/call", { name, arguments: { id } })
      )
      assert.deepStrictEqual([answer.status, answer.body, ran], [200, deniedResult.body, []], name)
      assert.isUndefined(answer.headers["www-authenticate"])
    }
  })

  it("[T-DENY-02] [T-DENY-03] every other answer, and those for hidden operations, are the same to the byte", async () => {
    let denials = 0
    for (const authorization of Object.values(callers)) {
      for (const sent of requests(authorization)) {
        const [without, given] = [await observe(plain, sent), await observe(structured, sent)]
        const { method, params } = parse(sent)
        const where = String(sent.body)
        assert.deepStrictEqual(given.ran, without.ran, where)
        if (isDenial(without.answer) && method === "tools/call" && !("task" in params!)) {
          denials++
          assert.deepStrictEqual([given.answer.status, given.answer.body], [200, deniedResult.body], where)
        } else assert.deepStrictEqual(shown(given.answer), shown(without.answer), where)
      }
    }
    assert.isAtLeast(denials, 8)
  })

  it("[T-DENY-01] results with a challenge differ by the envelope alone", async () => {
    let results = 0
    for (const authorization of Object.values(callers)) {
      for (const name of tools) {
        const sent = ask(authorization, "tools/call", { name, arguments: { id: "2" } })
        const [without, given] = [await observe(challenges, sent), await observe(inResults, sent)]
        const where = String(sent.body)
        assert.deepStrictEqual(given.ran, without.ran, where)
        if (!without.answer.body.includes("mcp/www_authenticate")) continue
        results++
        const { result, ...rest } = JSON.parse(without.answer.body)
        assert.deepStrictEqual(shown(given.answer), {
          ...shown(without.answer),
          body: JSON.stringify({ ...rest, result: { ...result, _meta: { ...result._meta, ...envelope("available") } } })
        }, where)
      }
    }
    assert.isAtLeast(results, 10)
  })
})
