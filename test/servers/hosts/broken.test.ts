import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { bearer, call, mint } from "./cases.ts"
import * as Functions from "./functions.ts"
import { makeIssuer, optionsOf, type Running } from "./Host.ts"
import { hosts } from "./hosts.ts"

/** Returns the reason in the decision: `malformed` for a verifier that returns an invalid value, otherwise `broken`. */
const reasonOf = (name: Functions.Name) =>
  /^a verifier that (?:returns|succeeds with) /.test(name) ? "malformed" : "broken"

describe.each(hosts)("$name", (host) => {
  const breaking: ReadonlyArray<Functions.Name> = [
    ...Functions.brokenNames,
    ...(host.hasPolicy === true ? Functions.brokenOptionNames : [])
  ]
  let begin: (name: Functions.Name) => Promise<Running>
  let token: string
  let all: ReadonlyArray<Running> = []
  beforeAll(async () => {
    const { client, issuer } = await makeIssuer()
    const options = optionsOf(issuer.issuer, {})
    const names = [...breaking, ...Functions.rejectingNames]
    token = (await mint(issuer)).reader
    all = await host.startAll?.(names.map((functions) => ({ options, functions })), client) ?? []
    begin = async (name) => all[names.indexOf(name)] ?? host.start(options, client, Functions.make(name))
  })
  afterAll(() => Promise.all(all.map((_) => _.stop())))

  it.each(breaking)("[T-AUD-22a] %s is the same 500 on every host, and nothing runs", async (name) => {
    const running = await begin(name)
    const { body, headers, status } = await running.send(call(bearer(token), "list_todos", [["x-tenant", "acme"]]))
    assert.deepStrictEqual([status, await running.ran()], [500, []])
    assert.deepStrictEqual(JSON.parse(body), {
      error: "server_error",
      error_description: "The server cannot check access tokens because of an internal error"
    })
    assert.deepStrictEqual(
      [headers["content-type"], headers["cache-control"], headers["www-authenticate"]],
      ["application/json", "no-store", undefined]
    )
    const decisions = (await running.decisions()).map(({ reason, status }) => [reason, status])
    if (!all.includes(running)) await running.stop()
    // A broken listener records no decision.
    assert.deepStrictEqual(decisions, name.startsWith("a decision listener") ? [] : [[reasonOf(name), 500]])
  })
  it.each(Functions.rejectingNames)("[T-AUD-22a] %s rejects the token", async (name) => {
    const running = await begin(name)
    const { headers, status } = await running.send(call(bearer(token), "list_todos"))
    assert.deepStrictEqual([status, await running.ran()], [401, []])
    assert.include(headers["www-authenticate"], "error=\"invalid_token\"")
    if (!all.includes(running)) await running.stop()
  })
})
