/** Attacks on policies, against servers on Effect and on both SDKs. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { AuthError, requirePolicy, requireScopes } from "effect-mcp-auth"
import { Policy } from "effect-mcp-auth/policy"
import { expectAdmitted, expectChallenge, expectRejected, TestClient, TestIssuer } from "effect-mcp-auth/testing"
import { Tool } from "effect/ai"
import { policyServers, resource, type TestTool } from "../servers/policyServers.ts"

const { allOf, anyOf, check, checkCaller, claim, role, scopes } = Policy

type Call = Policy.Call<{ readonly id: string }>

const issuer = await TestIssuer.start({ resource })

const alice = { subject: "alice", scopes: ["todos:read"] }
const bob = { ...alice, subject: "bob" }
const withClaims = (claims: Record<string, unknown>) => ({ ...alice, claims })
const admin = withClaims({ roles: ["admin"] })

/** Returns the parts of an answer that a client sees, without the name of the tool. */
const seen = ({ error, headers, result, status }: TestClient.TestResponse, name: string) =>
  JSON.parse(JSON.stringify([status, headers["www-authenticate"], error, result]).replaceAll(name, ""))

describe.each(policyServers)("on $name", ({ protocol, start }) => {
  /** Starts a server. `ran` records the handlers that ran, with their argument. */
  const serve = async (...tools: ReadonlyArray<TestTool>) => {
    const ran: Array<string> = []
    const decisions = TestClient.decisions()
    const served = await start({
      issuer,
      layer: decisions.layer,
      tools: tools.map((tool) => ({ ...tool, run: (id) => void ran.push(`${tool.name} ${id}`) }))
    })
    const client = TestClient.start({ issuer, protocol, decisions, handler: served.handler })
    return { client, ran, [Symbol.asyncDispose]: served.dispose }
  }

  it("T-POL-01 conditions that share a function or a name are separate", async () => {
    const isYes = (value: unknown) => value === "yes"
    const isFirst = (_: unknown, { arguments: { id } }: Call) => id === "1"
    await using server = await serve(
      { name: "both", policy: allOf(claim("a", isYes), claim("b", isYes)) },
      { name: "either", policy: anyOf(claim("a", isYes), claim("b", isYes)) },
      { name: "same_name", policy: allOf(check("owner", isFirst), check("owner", () => false)) }
    )
    for (const claims of [{ a: "yes", b: "no" }, { a: "no", b: "yes" }]) {
      const caller = server.client.as(withClaims(claims))
      await expectRejected("denied")(caller.callTool("both", { id: "1" }))
      await expectRejected("denied")(caller.callTool("same_name", { id: "1" }))
      await expectAdmitted(caller.callTool("either", { id: "1" }))
    }
    assert.deepStrictEqual(server.ran, ["either 1", "either 1"])
  })

  it("T-POL-02 a check reads the arguments as the handler receives them", async () => {
    const read: Array<unknown> = []
    const isFirst = check("first", (_, call: Call) => {
      read.push(call.arguments)
      return call.arguments.id === "1"
    })
    await using server = await serve({ name: "edit", policy: isFirst })
    const caller = server.client.as(alice)
    await expectAdmitted(caller.callTool("edit", { id: " 1 ", other: "2" }))
    assert.deepStrictEqual([read, server.ran], [[{ id: "1" }], ["edit 1"]])
    const hostile = ["{}", "{\"id\":1}", "{\"id\":[\"1\"]}", "{\"__proto__\":{\"id\":\"1\"}}", "[]", "\"1\""]
    for (const given of hostile) {
      const { error, result, status } = await caller.callTool("edit", JSON.parse(given))
      assert.isTrue(error !== undefined || result?.isError === true || status === 400, given)
    }
    assert.deepStrictEqual([read.length, server.ran.length], [1, 1])
  })

  it("T-POL-11 no message with a member __proto__ reaches a check or a handler", async () => {
    const read: Array<unknown> = []
    const isFirst = check("first", (_, call: Call) => read.push(call) > 0)
    await using server = await serve({ name: "edit", policy: isFirst })
    const caller = server.client.as(alice)
    const hostile = [
      `{"name":"edit","arguments":{"id":"1"},"__proto__":{"arguments":{"id":"2"}}}`,
      `{"name":"edit","__proto__":{"arguments":{"id":"2"}}}`,
      `{"__proto__":{"name":"edit","arguments":{"id":"1"}}}`,
      `{"name":"edit","arguments":{"id":"1","__proto__":{"id":"2"}}}`
    ]
    for (const params of hostile) {
      await expectRejected("prototype")(caller.request("tools/call", JSON.parse(params)))
    }
    assert.deepStrictEqual([read, server.ran], [[], []])
  })

  it("T-POL-03 a check that fails, or answers with anything but true, admits no call", async () => {
    const failures: ReadonlyArray<() => unknown> = [
      () => {
        throw new Error("secret")
      },
      () => Promise.reject(new Error("secret")),
      () => Effect.die(new Error("secret")),
      () => Effect.fail(new Error("secret")),
      () => Effect.interrupt
    ]
    const answers: ReadonlyArray<() => unknown> = [
      () => 1,
      () => "true",
      () => ({}),
      () => undefined,
      async () => 1,
      () => Effect.succeed({})
    ]
    const toolsOf = (name: string, tests: ReadonlyArray<() => unknown>) =>
      tests.flatMap((test, index) => [
        { name: `${name}_call_${index}`, policy: check("c", test as () => boolean) },
        { name: `${name}_caller_${index}`, policy: checkCaller("c", test as () => boolean) }
      ])
    const [broken, odd] = [toolsOf("broken", failures), toolsOf("odd", answers)]
    await using server = await serve(...broken, ...odd)
    const caller = server.client.as(alice)
    for (const { name } of broken) {
      const { body, challenge, status } = await caller.callTool(name, { id: "1" })
      assert.deepStrictEqual([status, challenge, body.includes("secret")], [500, undefined, false], name)
    }
    for (const { name } of odd) await expectRejected("denied")(caller.callTool(name, { id: "1" }))
    assert.deepStrictEqual(server.ran, [])
  })

  it("T-POL-04 a hidden tool cannot be distinguished from one that does not exist", async () => {
    const ran: Array<string> = []
    const isOwner = check("owner", () => ran.push("owner") > 0)
    await using server = await serve(
      { name: "hidden_a", policy: role("admin"), unauthorized: "hide" },
      { name: "hidden_b", policy: allOf(scopes("todos:write"), isOwner), unauthorized: "hide" },
      { name: "hidden_c", policy: checkCaller("down", () => Effect.die("down")), unauthorized: "hide" },
      { name: "hidden_d", policy: checkCaller("stopped", () => Effect.interrupt), unauthorized: "hide" },
      { name: "open_one", policy: Policy.authenticated }
    )
    for (const caller of [alice, undefined, { ...alice, scopes: [] }]) {
      const client = server.client.as(caller)
      for (const args of [{ id: "1" }, { id: 1 }, {}]) {
        const unknown = seen(await client.callTool("hidden_x", args), "hidden_x")
        for (const name of ["hidden_a", "hidden_b", "hidden_c", "hidden_d"]) {
          assert.deepStrictEqual(
            seen(await client.callTool(name, args), name),
            unknown,
            `${name} ${JSON.stringify(args)}`
          )
        }
      }
      const { body } = await client.listTools()
      assert.notInclude(body, "hidden")
      if (caller !== undefined) assert.include(body, "open_one")
    }
    assert.deepStrictEqual([ran, server.ran], [[], []])
    await expectAdmitted(server.client.as(admin).callTool("hidden_a", { id: "1" }))
  })

  it("T-POL-05 a rejection reveals neither the data nor the condition", async () => {
    const owners = new Map([["1", "alice"], ["2", "bob"]])
    const isOwner = check("owner of the file", ({ subject }, call: Call) => owners.get(call.arguments.id) === subject)
    await using server = await serve({ name: "read", policy: isOwner }, { name: "purge", policy: role("root") })
    const [foreign, missing] = [
      await server.client.as(alice).callTool("read", { id: "2" }),
      await server.client.as(alice).callTool("read", { id: "no such file" })
    ]
    const visible = ({ body, headers, status }: TestClient.TestResponse) => [status, body, headers]
    assert.deepStrictEqual(visible(foreign), visible(missing))
    const purge = await server.client.as(alice).callTool("purge", { id: "1" })
    for (const answer of [foreign, purge]) {
      assert.isUndefined(answer.challenge)
      assert.notMatch(JSON.stringify(visible(answer)), /owner|file|root|role|check/)
    }
    const failed = [foreign, purge].map(({ decisions }) => decisions.at(-1)?.failedConditions)
    assert.deepStrictEqual(failed, [["check owner of the file"], ["role root"]])
  })

  it("T-POL-07 only entries of the configured claims are roles", async () => {
    await using server = await serve(
      ...["admin", "__proto__", "constructor", "0", "length"].map((name) => ({
        name: `needs_${name}`,
        policy: role(name)
      }))
    )
    const others: ReadonlyArray<string> = [
      "{\"role\":\"admin\",\"groups\":[\"admin\"],\"realm_access\":{\"roles\":[\"admin\"]}}",
      "{\"__proto__\":{\"roles\":[\"admin\"]}}",
      "{\"roles\":{\"admin\":true,\"0\":\"admin\",\"length\":1}}",
      "{\"roles\":[[\"admin\"],{\"name\":\"admin\"},1,true,null]}",
      "{\"roles\":\"admin editor\"}",
      "{\"roles\":\"editor,admin\"}",
      "{\"roles\":[\"Admin\",\" admin\",\"admin \",\"administrator\"]}"
    ]
    for (const claims of others) {
      for (const name of ["admin", "__proto__", "constructor", "0", "length"]) {
        const caller = server.client.as(withClaims(JSON.parse(claims)))
        await expectRejected("denied")(caller.callTool(`needs_${name}`, { id: "1" }))
      }
    }
    assert.deepStrictEqual(server.ran, [])
    await expectAdmitted(server.client.as(admin).callTool("needs_admin", { id: "1" }))
  })

  it("T-POL-08 a call runs with the one decision about this call and this caller", async () => {
    const grants: Array<string> = []
    /** Grants the first evaluation for each caller and each argument. */
    const isFirst = check("first", async ({ subject }, { arguments: { id } }: Call) => {
      await new Promise((resolve) => setImmediate(resolve))
      const key = `${subject} ${id}`
      grants.push(key)
      return grants.filter((known) => known === key).length === 1
    })
    const isAlice = checkCaller("alice", async ({ subject }) => {
      await new Promise((resolve) => setImmediate(resolve))
      return subject === "alice"
    })
    await using server = await serve({ name: "once", policy: isFirst }, { name: "alice_only", policy: isAlice })
    await expectAdmitted(server.client.as(alice).callTool("once", { id: "1" }))
    await expectRejected("denied")(server.client.as(alice).callTool("once", { id: "1" }))
    await expectAdmitted(server.client.as(alice).callTool("once", { id: "2" }))
    await expectAdmitted(server.client.as(bob).callTool("once", { id: "1" }))
    assert.deepStrictEqual(grants, ["alice 1", "alice 1", "alice 2", "bob 1"])
    const both = await Promise.all(
      [alice, bob, alice, bob].map((caller) => server.client.as(caller).callTool("alice_only", { id: "1" }))
    )
    assert.deepStrictEqual(both.map(({ status }) => status), [200, 403, 200, 403])
  })

  it("T-POL-09 a check runs once for each call, and a check of the caller once for each list", async () => {
    const runs: Array<string> = []
    const isCaller = checkCaller("caller", () => Effect.sync(() => runs.push("caller") > 0))
    const isCall = check("call", async () => runs.push("call") > 0)
    await using server = await serve(
      { name: "visible", policy: allOf(isCaller, isCall) },
      { name: "hidden", policy: allOf(isCaller, isCall), unauthorized: "hide" }
    )
    const caller = server.client.as(alice)
    // The first request can open a session, so that the list below is one request.
    await caller.callTool("unknown")
    for (const name of ["visible", "hidden"]) {
      runs.length = 0
      await expectAdmitted(caller.callTool(name, { id: "1" }))
      assert.deepStrictEqual(runs, ["caller", "call"], name)
    }
    runs.length = 0
    await expectAdmitted(caller.listTools())
    assert.deepStrictEqual(runs, ["caller"])
  })

  it("T-POL-10 scopes that a batch asks for admit none of its operations", async () => {
    await using server = await serve(
      { name: "write", policy: scopes("todos:write") },
      { name: "either", policy: anyOf(scopes("todos:write"), role("admin")) },
      { name: "read", policy: scopes("todos:read") }
    )
    for (const names of [["write", "either"], ["either", "write"], ["read", "either", "write"], ["write", "read"]]) {
      const token = await issuer.mint(alice)
      const answer = await server.client.send(
        new Request(resource, {
          method: "POST",
          headers: {
            authorization: `Bearer ${token}`,
            accept: "application/json, text/event-stream",
            "content-type": "application/json"
          },
          body: JSON.stringify(names.map((name, id) => ({
            jsonrpc: "2.0",
            id,
            method: "tools/call",
            params: { name, arguments: { id: "1" } }
          })))
        })
      )
      expectChallenge({ status: 403, error: "insufficient_scope" })(answer)
      assert.include(answer.challenge?.parameters.get("scope"), "todos:write")
    }
    assert.deepStrictEqual(server.ran, [])
  })
})

describe("an open policy", () => {
  const tool = Tool.make("hello")
  const combinations: ReadonlyArray<readonly [title: string, make: () => unknown]> = [
    ["anyOf with anyone", () => anyOf(Policy.anyone as never, role("admin"))],
    ["allOf with anyone", () => allOf(role("admin"), Policy.anyone as never)],
    ["anyOf with optional", () => anyOf(Policy.optional(scopes("a")) as never, role("admin"))],
    ["allOf with optional", () => allOf(Policy.optional(scopes("a")) as never, role("admin"))],
    ["optional of anyone", () => Policy.optional(Policy.anyone as never)],
    ["requireScopes and anyone", () => requireScopes("a")(requirePolicy(Policy.anyone)(tool))],
    ["anyone and requireScopes", () => requirePolicy(Policy.anyone)(requireScopes("a")(tool))],
    ["a role and anyone", () => requirePolicy(Policy.anyone)(requirePolicy(role("admin"))(tool))],
    ["anyone for an effect", () => requirePolicy(Policy.anyone)(Effect.void as never)]
  ]

  it.each(combinations)("T-POL-06 cannot be combined: %s", (_, make) => {
    assert.throws(make, AuthError.AuthConfigError)
  })
})
