/** Tests the function of the option `authChallenge`, and that the form of a challenge changes no decision, on every host. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { bearer, call, mint, type Tokens } from "./cases.ts"
import { type Given, makeIssuer, optionsOf, type Running, startAll } from "./Host.ts"
import { hosts } from "./hosts.ts"

const servers = (issuer: string) =>
  ({
    chosen: { options: optionsOf(issuer, {}), functions: "a function for challenges" },
    throwing: { options: optionsOf(issuer, {}), functions: "a function for challenges that throws" },
    silent: { options: optionsOf(issuer, {}), functions: "a function for challenges that returns nothing" }
  }) as const satisfies Record<string, Given>

type Servers = Readonly<Record<keyof ReturnType<typeof servers>, Running>>

describe.each(hosts)("The option authChallenge, $name", (host) => {
  let served: Servers
  let tokens: Tokens
  beforeAll(async () => {
    const { client, issuer } = await makeIssuer()
    const given = servers(issuer.issuer)
    const running = await startAll(host, Object.values(given), client)
    served = Object.fromEntries(Object.keys(given).map((name, index) => [name, running[index]!])) as unknown as Servers
    tokens = await mint(issuer)
  })
  afterAll(() => Promise.all(Object.values(served).map((_) => _.stop())))

  const callers = {
    "no credentials": () => call([], "add_todo"),
    "an expired token": () => call(bearer(tokens.expired), "add_todo"),
    "a token of another resource": () => call(bearer(tokens.foreign), "add_todo"),
    "a missing scope": () => call(bearer(tokens.reader), "add_todo")
  }

  it.each(Object.entries(callers))(
    "[T-LAZY-03] both forms have the same decision, and neither runs the tool: %s",
    async (_, sent) => {
      const { chosen } = served
      const send = async (form: string) => {
        const { headers, ...request } = sent()
        const { body, status, headers: received } = await chosen.send({
          ...request,
          headers: [...headers, ["x-form", form]]
        })
        return { body, status, challenge: received["www-authenticate"], decisions: await chosen.decisions() }
      }
      await chosen.decisions()
      const http = await send("http")
      const inResult = await send("tool-result")
      assert.deepStrictEqual(await chosen.ran(), [])
      assert.include([401, 403], http.status)
      assert.strictEqual(http.decisions.length, 1)
      assert.deepStrictEqual(inResult.decisions, http.decisions)
      assert.deepStrictEqual([inResult.status, inResult.challenge], [200, undefined])
      const { _meta, content, isError } = JSON.parse(inResult.body).result
      assert.deepStrictEqual([isError, content.length, Object.keys(_meta)], [true, 1, ["mcp/www_authenticate"]])
      // The two forms name the same scopes and the same metadata.
      const parameters = (challenge: string) => challenge.match(/(scope|resource_metadata)="[^"]*"/g)
      assert.deepStrictEqual(_meta["mcp/www_authenticate"].map(parameters), [parameters(http.challenge!)])
    }
  )

  it.each(["throwing", "silent"] as const)(
    "[T-LAZY-03] a broken function leaves the status of HTTP: %s",
    async (name) => {
      const running = served[name]
      const { body, headers, status } = await running.send(call([], "add_todo"))
      assert.deepStrictEqual([status, body, await running.ran()], [401, "", []])
      assert.include(headers["www-authenticate"], "Bearer scope=")
      assert.strictEqual((await running.decisions()).length, 1)
    }
  )

  it("[T-LAZY-03] the function is not called for an admitted request", async () => {
    const { throwing } = served
    const { status } = await throwing.send(call(bearer(tokens.writer), "add_todo"))
    assert.deepStrictEqual([status, await throwing.ran()], [200, ["add_todo alice"]])
  })
})
