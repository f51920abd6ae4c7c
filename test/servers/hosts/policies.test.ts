/** Tests policies that combine: every server adapter gives the same response to the same request. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { TestIssuer } from "effect-mcp-auth/testing"
import { ask, bearer, callOf, metadata, noCredentials } from "./cases.ts"
import { type Host, makeIssuer, optionsOf, type Running, type Sent, startAll } from "./Host.ts"
import { hosts } from "./hosts.ts"
import { type Registration, registrations } from "./policies.ts"

const mint = (issuer: TestIssuer.TestIssuer["Service"]) =>
  Effect.runPromise(Effect.all({
    reader: issuer.mint({ scopes: ["todos:read"] }),
    writer: issuer.mint({ scopes: ["todos:read", "todos:write"] }),
    none: issuer.mint({ scopes: [] }),
    staff: issuer.mint({ scopes: ["todos:read"], claims: { staff: true } }),
    admin: issuer.mint({ scopes: ["todos:read"], claims: { roles: ["admin"] } }),
    bob: issuer.mint({ scopes: ["todos:read", "todos:write"], subject: "bob" })
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
  | { readonly ran: string | ReadonlyArray<string> }
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
  } else if ("ran" in outcome) {
    assert.deepStrictEqual([status, challenge, ran], [200, undefined, [outcome.ran].flat()], body)
  } else if ("requests" in outcome) {
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

/* Resources, templates, prompts, completions and subscriptions */

const kinds = ["resource", "template", "prompt", "completion of a template", "completion of a prompt"] as const

type Kind = typeof kinds[number] | "subscription"

/** Returns the method and the parameters of a request. `name` is the name in `policies.ts`. */
const requestOf = (
  kind: Kind,
  name: string,
  id: string
): readonly [method: string, params: Record<string, unknown>] => {
  const argument = { name: "id", value: "" }
  switch (kind) {
    case "resource":
      return ["resources/read", { uri: `todo://${name}` }]
    case "template":
      return ["resources/read", { uri: `item://${name}/${id}` }]
    case "prompt":
      return ["prompts/get", { name, arguments: { id } }]
    case "completion of a template":
      return ["completion/complete", { ref: { type: "ref/resource", uri: `item://${name}/{id}` }, argument }]
    case "completion of a prompt":
      return ["completion/complete", { ref: { type: "ref/prompt", name }, argument }]
    case "subscription":
      return ["resources/subscribe", { uri: `item://${name}/${id}` }]
  }
}

/** The outcome of an operation that its handler serves, if the caller is admitted. */
type OtherOutcome = "runs" | "unknown" | Exclude<Outcome, { readonly ran: unknown }>

interface Row {
  readonly title: string
  readonly who: Who
  readonly name: Registration
  readonly id?: string
  readonly outcome: OtherOutcome
  /** The kinds of operations with another outcome: those without arguments, and resources without an id. */
  readonly except?: Partial<Record<Kind, OtherOutcome>>
}

const askForWrite: Outcome & OtherOutcome = { requests: "todos:write" }
/** A completion has no arguments, so checks of the call count as passed. */
const completes: Row["except"] = { "completion of a template": "runs", "completion of a prompt": "runs" }

const otherRows: ReadonlyArray<Row> = [
  { title: "a scope is missing", who: "reader", name: "any_of", outcome: askForWrite },
  { title: "the caller has the scope", who: "writer", name: "any_of", outcome: "runs" },
  { title: "the caller has the claim", who: "staff", name: "any_of", outcome: "runs" },
  {
    title: "there is no caller, and a scope is needed",
    who: "anonymous",
    name: "any_of",
    outcome: {
      signIn: "todos:read todos:write"
    }
  },
  { title: "the role is missing", who: "writer", name: "role", outcome: "denied" },
  { title: "the caller has the role", who: "admin", name: "role", outcome: "runs" },
  {
    title: "there is no caller, and a role is needed",
    who: "anonymous",
    name: "role",
    outcome: { signIn: "todos:read" }
  },
  { title: "a check of the caller fails", who: "bob", name: "alice", outcome: "denied" },
  { title: "a check of the caller passes", who: "none", name: "alice", outcome: "runs" },
  {
    title: "a check of the call passes",
    who: "reader",
    name: "edit",
    outcome: "runs",
    except: { resource: askForWrite }
  },
  { title: "a check of the call fails", who: "reader", name: "edit", id: "2", outcome: askForWrite, except: completes },
  { title: "a scope is enough, and the check would die", who: "writer", name: "edit", id: "dies", outcome: "runs" },
  {
    title: "a check of the call dies",
    who: "reader",
    name: "edit",
    id: "dies",
    outcome: "error",
    except: {
      ...completes,
      resource: askForWrite
    }
  },
  {
    title: "a check of the call fails, and the answer is to deny",
    who: "reader",
    name: "deny_edit",
    id: "2",
    outcome: "denied",
    except: completes
  },
  { title: "a scope is missing, and the answer is to deny", who: "none", name: "deny_edit", outcome: "denied" },
  { title: "it is hidden without the role", who: "writer", name: "secret", outcome: "unknown" },
  { title: "it is hidden from anonymous callers", who: "anonymous", name: "secret", outcome: "unknown" },
  { title: "it is hidden from others, and the caller has the role", who: "admin", name: "secret", outcome: "runs" },
  {
    title: "it is hidden without the role, and there is a check of the call",
    who: "writer",
    name: "secret_edit",
    outcome: "unknown"
  },
  {
    title: "it is hidden from others, and the check of the call passes",
    who: "admin",
    name: "secret_edit",
    outcome: "runs",
    except: { resource: "denied" }
  },
  {
    title: "it is hidden from others, and the check of the call fails",
    who: "admin",
    name: "secret_edit",
    id: "2",
    outcome: "denied",
    except: completes
  },
  { title: "its policy is open", who: "none", name: "open", outcome: "runs" },
  { title: "its policy is open, and there is no caller", who: "anonymous", name: "open", outcome: "runs" }
]

const subjectOf = (who: Who): string => who === "anonymous" ? "nobody" : who === "bob" ? "bob" : "alice"

/** The operations that the handlers of a host report if the operation runs. */
const linesOf = (host: Host, kind: Kind, { id = "1", name, who }: Row): ReadonlyArray<string> => {
  const caller = subjectOf(who)
  if (host.hasPolicy === true) {
    const { name: target, uri = target } = requestOf(kind, name, id)[1]
    return uri === undefined ? [] : [`${uri} ${caller}`]
  }
  if (kind === "subscription") return [`subscribe item://${name}/${id}`]
  return [kind.startsWith("completion") ? `complete ${name}` : `${kind} ${name} ${caller}`]
}

const authorizationOf = (tokens: Tokens, who: Who) => who === "anonymous" ? [] : bearer(tokens[who])

/** Checks that the answer is the one for an operation that does not exist. */
const checkUnknown = async (running: Running, kind: Kind, tokens: Tokens, { id = "1", name, who }: Row) => {
  const send = (name: string) => observe(running, ask(authorizationOf(tokens, who), ...requestOf(kind, name, id)))
  const replaced = "x".repeat(name.length)
  const [{ body, ...answer }, missing] = [await send(name), await send(replaced)]
  assert.deepStrictEqual({ ...answer, body: body.replaceAll(name, replaced) }, missing)
  assert.deepStrictEqual(answer.ran, [])
}

describe.each(hosts)("$name", (host) => {
  let closed: Running
  let open: Running
  let broken: Running
  let tokens: Tokens
  beforeAll(async () => {
    const { client, issuer } = await makeIssuer()
    tokens = await mint(issuer)
    const functions = "policies that combine"
    const given = [
      { options: optionsOf(issuer.issuer, {}), functions },
      { options: optionsOf(issuer.issuer, { anonymous: "allow-unscoped" }), functions },
      { options: optionsOf(issuer.issuer, {}), functions: "policies with broken roles" }
    ] as const
    ;[closed, open, broken] = await startAll(host, given, client) as [Running, Running, Running]
  })
  afterAll(() => Promise.all([closed.stop(), open.stop(), broken.stop()]))

  it.each(rows)("%s", async (_title, who, tool, id, outcome) => {
    check(await observe(who === "anonymous" ? open : closed, sentBy(tokens, who, tool, id)), outcome)
  })

  it("a caller does not have the roles of a source that breaks", async () => {
    check(await observe(broken, sentBy(tokens, "admin", "role", undefined)), "denied")
    check(await observe(broken, sentBy(tokens, "admin", "all_of", undefined)), { requests: "todos:read todos:write" })
    check(await observe(broken, sentBy(tokens, "admin", "first", "1")), { ran: "first alice" })
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

  /** The rows of the registrations that the host can have: the option `policy` neither hides nor denies. */
  const rowsOfHost = otherRows.filter(({ name }) =>
    host.hasPolicy === undefined || registrations[name].unauthorized === "challenge"
  )
  // The option `policy` returns a policy for each operation, so its checks run for completions as well.
  const runsForCompletions = (row: Row) => host.hasPolicy === true && row.name === "edit"
  const cases = rowsOfHost.flatMap((row) =>
    kinds.filter((kind) => !kind.startsWith("completion") || !runsForCompletions(row)).map((kind) => ({ ...row, kind }))
  )
  it.each(cases)("a $kind, if $title", async ({ kind, ...row }) => {
    const { except, id = "1", who } = row
    const outcome = except?.[kind] ?? row.outcome
    const running = who === "anonymous" ? open : closed
    if (outcome === "unknown") return checkUnknown(running, kind, tokens, row)
    const observed = await observe(running, ask(authorizationOf(tokens, who), ...requestOf(kind, row.name, id)))
    check(observed, outcome === "runs" ? { ran: linesOf(host, kind, row) } : outcome)
  })

  /** Opens a subscription, and returns the first event of its stream. */
  const firstEvent = async (running: Running, who: Who, resourceSubscriptions: ReadonlyArray<string>) => {
    const sent = ask(authorizationOf(tokens, who), "subscriptions/listen", {
      notifications: { resourceSubscriptions }
    })
    const { ended, first, status } = await running.open(sent)
    // The stream is open until the server stops.
    ended.catch(() => {})
    assert.strictEqual(status, 200, first)
    return first
  }

  const subscriptions = rowsOfHost.flatMap((row) => {
    const { outcome } = row
    return outcome === "unknown" ? [] : [{ ...row, outcome }]
  })
  it.each(subscriptions)("a subscription, if $title", async (row) => {
    const { id = "1", name, outcome, who } = row
    const running = who === "anonymous" ? open : closed
    const authorization = authorizationOf(tokens, who)
    if (host.streams === "GET") {
      const observed = await observe(running, ask(authorization, ...requestOf("subscription", name, id)))
      return check(observed, outcome === "runs" ? { ran: linesOf(host, "subscription", row) } : outcome)
    }
    if (outcome === "runs") {
      const uri = `item://${name}/${id}`
      assert.include(await firstEvent(running, who, [uri]), `"resourceSubscriptions":["${uri}"]`)
    } else {
      const notifications = { resourceSubscriptions: [`item://${name}/${id}`] }
      check(await observe(running, ask(authorization, "subscriptions/listen", { notifications })), outcome)
    }
  })

  if (host.hasPolicy === true) {
    it("a check of the call runs for a completion, which has no arguments", async () => {
      for (const kind of ["completion of a template", "completion of a prompt"] as const) {
        check(await observe(closed, ask(bearer(tokens.reader), ...requestOf(kind, "edit", "1"))), askForWrite)
      }
    })
  }

  if (host.hasPolicy === undefined) {
    it("lists of resources, templates and prompts contain what the caller could use", async () => {
      const list = async (who: Who) => {
        const names = async (method: string, pattern: (name: string) => string) => {
          const { body } = await observe(who === "anonymous" ? open : closed, ask(authorizationOf(tokens, who), method))
          return ["secret", "secret_edit", "role", "open"].filter((name) => body.includes(pattern(name)))
        }
        return {
          resources: await names("resources/list", (name) => `"uri":"todo://${name}"`),
          templates: await names("resources/templates/list", (name) => `"uriTemplate":"item://${name}/{id}"`),
          prompts: await names("prompts/list", (name) => `"name":"${name}"`)
        }
      }
      const same = (names: ReadonlyArray<string>) => ({ resources: names, templates: names, prompts: names })
      assert.deepStrictEqual(await list("writer"), same(["role", "open"]))
      assert.deepStrictEqual(await list("anonymous"), same(["role", "open"]))
      assert.deepStrictEqual(await list("admin"), same(["secret", "secret_edit", "role", "open"]))
    })

    it("a subscription to a hidden resource is answered as one to a resource that does not exist", async () => {
      const uris = ["todo://secret", "item://secret/1", "item://secret_edit/1"]
      if (host.streams === "GET") {
        for (const uri of uris) {
          const missing = uri.replace("secret", "xxxxxx")
          const [hidden, unknown] = [
            await observe(closed, ask(bearer(tokens.writer), "resources/subscribe", { uri })),
            await observe(closed, ask(bearer(tokens.writer), "resources/subscribe", { uri: missing }))
          ]
          assert.deepStrictEqual({ ...hidden, body: hidden.body.replaceAll(uri, missing) }, unknown)
          assert.deepStrictEqual(hidden.ran, [])
        }
        return
      }
      const visible = "item://open/1"
      const first = await firstEvent(closed, "writer", [...uris, visible, "todo://missing"])
      assert.include(first, `"resourceSubscriptions":["${visible}"]`)
    })
  }

  const schemesIn = async (running: Running, token: string) => {
    const { body } = await observe(running, ask(bearer(token), "tools/list"))
    const data = body.split("\n").map((line) => line.replace(/^data: /, "")).find((line) => line.startsWith("{"))
    const { tools = [] } = JSON.parse(data!).result as { readonly tools?: ReadonlyArray<Record<string, unknown>> }
    return Object.fromEntries(tools.map(({ name, securitySchemes }) => [name, securitySchemes]))
  }

  it("a list has security schemes if the host knows its tools", async () => {
    const closedSchemes = await schemesIn(closed, tokens.admin)
    const openSchemes = await schemesIn(open, tokens.admin)
    if (host.hasPolicy === true) return assert.deepStrictEqual([closedSchemes, openSchemes], [{}, {}])
    const oauth2 = (...scopes: ReadonlyArray<string>) => [{ type: "oauth2", scopes }]
    const expected = {
      any_of: oauth2("todos:read", "todos:write"),
      choice: oauth2("todos:read"),
      role: oauth2("todos:read"),
      edit: oauth2("todos:read"),
      deny_write: oauth2("todos:read"),
      secret: oauth2("todos:read"),
      list_todos: oauth2("todos:read"),
      add_todo: oauth2("todos:read", "todos:write")
    }
    assert.deepInclude(closedSchemes, { ...expected, open: oauth2("todos:read"), whoami: oauth2("todos:read") })
    assert.deepInclude(openSchemes, { ...expected, open: [{ type: "noauth" }], whoami: [{ type: "noauth" }] })
  })

  it("a batch asks for one scope that suffices for all of its operations", async () => {
    check(await observe(closed, batchOf(tokens.none, "choice", "write")), { requests: "todos:write" })
  })

  it("a batch is denied if one of its operations is", async () => {
    check(await observe(closed, batchOf(tokens.none, "write", "role")), "denied")
  })
})
