/** Tests the methods of tasks on hosts without tasks, and the policies of tasks on hosts where the author writes the policy. */
import { assert, describe, it } from "@effect/vitest"
import { ask, bearer, message, mint, type Tokens } from "./cases.ts"
import * as Functions from "./functions.ts"
import { type Host, makeIssuer, optionsOf, type Running, withFunctions } from "./Host.ts"
import { inProcess } from "./hosts.ts"

const methods = ["tasks/get", "tasks/result", "tasks/cancel", "tasks/update", "tasks/list"]

const inThisProcess = inProcess.map(withFunctions)

const use = async (
  { start }: Host,
  functions: Functions.Functions,
  body: (running: Running, tokens: Tokens) => Promise<void>
) => {
  const { client, issuer } = await makeIssuer()
  const running = await start(optionsOf(issuer.issuer, {}), client, functions)
  try {
    await body(running, await mint(issuer))
  } finally {
    await running.stop()
  }
}

describe.each(inThisProcess.filter(({ hasPolicy }) => hasPolicy !== true))("$name", (host) => {
  it("[T-AUD-20e] answers that methods of tasks do not exist", () =>
    use(host, Functions.make("none"), async ({ ran, send }, { reader }) => {
      for (const method of methods) {
        // Effect's server answers requests of 2025-11-25 only in a session.
        for (const revision of host.name.startsWith("Effect") ? ["2026-07-28"] : ["2026-07-28", "2025-11-25"]) {
          const params = method === "tasks/list" ? {} : { taskId: "1" }
          const modern = ask(bearer(reader), method, params)
          const sent = revision === "2026-07-28" ? modern : {
            ...modern,
            headers: modern.headers.filter(([name]) => !name.startsWith("mcp-")),
            body: JSON.stringify(message(1, method, params))
          }
          const { body } = await send(sent)
          assert.include(body, "-32601", `${method} of ${revision}`)
        }
      }
      assert.deepStrictEqual(await ran(), [])
    }))
})

describe.each(inThisProcess.filter(({ hasPolicy }) => hasPolicy === true))("$name", (host) => {
  const policy: Functions.Functions["policy"] = ({ kind, target }) => {
    if (kind !== "task") return undefined
    return { scopes: target === "audit" ? ["todos:write"] : ["todos:read"] }
  }

  it("[T-AUD-20e] passes the task of an operation to the policy", () =>
    use(host, { ...Functions.make("none"), policy }, async ({ send }, { none, reader, writer }) => {
      for (const method of ["tasks/get", "tasks/result", "tasks/cancel", "tasks/update"]) {
        const statusOf = async (token: string, taskId: string) =>
          (await send(ask(bearer(token), method, { taskId }))).status
        assert.deepStrictEqual(
          await Promise.all([statusOf(none, "1"), statusOf(reader, "1"), statusOf(reader, "audit")]),
          [403, 200, 403],
          method
        )
        assert.strictEqual(await statusOf(writer, "audit"), 200, method)
      }
    }))
})
