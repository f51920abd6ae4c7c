/** Tests policies that combine: every server adapter gives the same response to the same request. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { TestIssuer } from "effect-mcp-auth/testing"
import { ask, bearer, callOf, metadata, noCredentials } from "./cases.ts"
import * as Functions from "./functions.ts"
import { makeIssuer, optionsOf, type Running, type Sent } from "./Host.ts"
import { hosts } from "./hosts.ts"

const mint = (issuer: TestIssuer.TestIssuer["Service"]) =>
  Effect.runPromise(Effect.all({
    reader: issuer.mint({ scopes: ["todos:read"] }),
    writer: issuer.mint({ scopes: ["todos:read", "todos:write"] }),
    none: issuer.mint({ scopes: [] }),
    staff: issuer.mint({ scopes: ["todos:read"], claims: { staff: true } }),
    admin: issuer.mint({ scopes: ["todos:read"], claims: { roles: ["admin"] } })
  }))

type Tokens = Awaited<ReturnType<typeof mint>>
type Who = keyof Tokens | "anonymous"

/** Returns the status, the challenge and the operations that ran. */
const observe = async (running: Running, sent: Sent) => {
  await running.ran()
  const { body, headers, status } = await running.send(sent)
  return { status, challenge: headers["www-authenticate"], ran: await running.ran(), body }
}

const challengeFor = (scope: string) =>
  `Bearer error="insufficient_scope", scope="${scope}", ${metadata}, ` +
  `error_description="The access token lacks a scope that this operation needs"`

const signIn = (scope: string) => `Bearer scope="${scope}", ${metadata}`

type Outcome =
  | { readonly ran: string }
  /** A 403 that names these scopes. */
  | { readonly requests: string }
  | { readonly signIn: string }
  | "denied"
  | "error"

const denied = JSON.stringify({
  error: "access_denied",
  error_description: "The caller is not allowed to run this operation"
})

const check = ({ body, challenge, ran, status }: Awaited<ReturnType<typeof observe>>, outcome: Outcome) => {
  if (outcome === "denied") assert.deepStrictEqual([status, challenge, ran, body], [403, undefined, [], denied])
  else if (outcome === "error") {
    assert.deepStrictEqual([status, challenge, ran], [500, undefined, []])
    assert.notInclude(body, "secret")
  } else if ("ran" in outcome) assert.deepStrictEqual([status, challenge, ran], [200, undefined, [outcome.ran]], body)
  else if ("requests" in outcome) {
    assert.deepStrictEqual([status, challenge, ran], [403, challengeFor(outcome.requests), []])
  } else assert.deepStrictEqual([status, challenge, ran], [401, signIn(outcome.signIn), []])
}

const rows: ReadonlyArray<readonly [title: string, who: Who, tool: string, id: string | undefined, outcome: Outcome]> =
  [
    ["any-of admits a caller with the scope", "writer", "any_of", undefined, { ran: "any_of alice" }],
    ["any-of admits a caller with the claim", "staff", "any_of", undefined, { ran: "any_of alice" }],
    ["any-of asks for the scope", "reader", "any_of", undefined, { requests: "todos:write" }],
    ["any-of asks for the scope of the baseline first", "none", "choice", undefined, { requests: "todos:read" }],
    ["any-of asks an anonymous caller for the scope", "anonymous", "any_of", undefined, {
      signIn: "todos:read todos:write"
    }],
    ["all-of admits a caller with all scopes", "writer", "all_of", undefined, { ran: "all_of alice" }],
    ["all-of asks for all scopes", "none", "all_of", undefined, { requests: "todos:read todos:write" }],
    ["a role admits its holder", "admin", "role", undefined, { ran: "role alice" }],
    ["a role denies others without a challenge", "writer", "role", undefined, "denied"],
    ["a role asks an anonymous caller to sign in", "anonymous", "role", undefined, { signIn: "todos:read" }],
    ["a claim admits its holder", "staff", "staff", undefined, { ran: "staff alice" }],
    ["a claim denies others without a challenge", "writer", "staff", undefined, "denied"],
    ["a check of the arguments admits the owner", "reader", "edit", "1", { ran: "edit alice" }],
    ["a check of the arguments asks others for a scope", "reader", "edit", "2", { requests: "todos:write" }],
    ["a check does not run if scopes are enough", "writer", "edit", "dies", { ran: "edit alice" }],
    ["a check that dies answers 500", "reader", "edit", "dies", "error"],
    ["a check that returns a promise admits", "none", "first", "1", { ran: "first alice" }],
    ["a check that returns false denies without a challenge", "none", "first", "2", "denied"],
    ["a check that rejects answers 500", "none", "first", "rejects", "error"],
    ["an open policy admits a caller", "none", "open", undefined, { ran: "open alice" }]
  ]

const sentBy = (tokens: Tokens, who: Who, tool: string, id: string | undefined): Sent =>
  ask(who === "anonymous" ? [] : bearer(tokens[who]), "tools/call", {
    name: tool,
    arguments: id === undefined ? {} : { id }
  })

const batchOf = (token: string, ...tools: ReadonlyArray<string>): Sent => ({
  ...ask(bearer(token), "tools/call"),
  headers: [...bearer(token), ["accept", "application/json, text/event-stream"], ["content-type", "application/json"]],
  body: JSON.stringify(tools.map((tool, index) => ({ ...callOf(tool), id: index })))
})

const withPolicies = hosts.filter(({ hasPolicy, name }) => hasPolicy === true || name.startsWith("SDK"))

describe.each(withPolicies)("$name", (host) => {
  let closed: Running
  let open: Running
  let tokens: Tokens
  beforeAll(async () => {
    const { client, issuer } = await makeIssuer()
    tokens = await mint(issuer)
    const functions = "policies that combine"
    const given = [
      { options: optionsOf(issuer.issuer, {}), functions },
      { options: optionsOf(issuer.issuer, { anonymous: "allow-unscoped" }), functions }
    ] as const
    ;[closed, open] = await (host.startAll?.(given, client) ??
      Promise.all(given.map(({ options }) => host.start(options, client, Functions.make(functions))))) as [
        Running,
        Running
      ]
  })
  afterAll(() => Promise.all([closed.stop(), open.stop()]))

  it.each(rows)("%s", async (_title, who, tool, id, outcome) => {
    check(await observe(who === "anonymous" ? open : closed, sentBy(tokens, who, tool, id)), outcome)
  })

  it("an open policy admits anonymous callers only if the server allows them", async () => {
    const sent = sentBy(tokens, "anonymous", "open", undefined)
    check(await observe(open, sent), { ran: "open nobody" })
    assert.strictEqual((await observe(closed, sent)).challenge, noCredentials.headers["www-authenticate"])
  })

  if (host.hasPolicy === undefined) {
    it("a registration that denies answers 403 without a challenge", async () => {
      check(await observe(closed, sentBy(tokens, "reader", "deny_write", undefined)), "denied")
      check(await observe(closed, sentBy(tokens, "writer", "deny_write", undefined)), { ran: "deny_write alice" })
    })

    it("a hidden registration is unknown to callers whose calls cannot be admitted", async () => {
      for (const name of ["secret", "secret_edit"]) {
        const hidden = await observe(closed, sentBy(tokens, "writer", name, "1"))
        const missing = await observe(closed, sentBy(tokens, "writer", "x".repeat(name.length), "1"))
        assert.deepStrictEqual(
          { ...hidden, body: hidden.body.replaceAll(name, "") },
          { ...missing, body: missing.body.replaceAll("x".repeat(name.length), "") }
        )
        assert.deepStrictEqual(hidden.ran, [])
      }
    })

    it("a hidden registration runs for callers who are admitted, and denies the others that see it", async () => {
      check(await observe(closed, sentBy(tokens, "admin", "secret", undefined)), { ran: "secret alice" })
      check(await observe(closed, sentBy(tokens, "admin", "secret_edit", "1")), { ran: "secret_edit alice" })
      check(await observe(closed, sentBy(tokens, "admin", "secret_edit", "2")), "denied")
    })

    it("a list contains a hidden registration if some of its calls could be admitted", async () => {
      const list = async (who: keyof Tokens) => {
        const { body } = await observe(closed, ask(bearer(tokens[who]), "tools/list"))
        return ["secret", "secret_edit", "role"].filter((name) => body.includes(`"name":"${name}"`))
      }
      assert.deepStrictEqual([await list("writer"), await list("admin")], [["role"], ["secret", "secret_edit", "role"]])
    })
  }

  it("a batch asks for one scope that suffices for all of its operations", async () => {
    check(await observe(closed, batchOf(tokens.none, "choice", "write")), { requests: "todos:write" })
  })

  it("a batch is denied if one of its operations is", async () => {
    check(await observe(closed, batchOf(tokens.none, "write", "role")), "denied")
  })
})
