/** Tests which security schemes the tools of a list have, on each kind of server that knows its tools. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Policy } from "effect-mcp-auth"
import { ask, bearer } from "./cases.ts"
import { makeIssuer } from "./Host.ts"
import { policyServers, type PolicyTool, type ServerSettings } from "./policyServers.ts"

/** The fields that the documents below define for a tool of a list, and the examples in them. */
const published = {
  /** The day on which they were compared. */
  comparedOn: "2026-11-30",
  documents: [
    "https://developers.openai.com/apps-sdk/build/auth",
    "https://developers.openai.com/apps-sdk/reference",
    "https://github.com/modelcontextprotocol/modelcontextprotocol/issues/1488"
  ],
  field: "securitySchemes",
  /** For clients that read only `_meta`. */
  mirror: ["_meta", "securitySchemes"],
  types: ["noauth", "oauth2"],
  examples: {
    /** A tool that admits anonymous callers, and gives more to callers who sign in. */
    optional: [{ type: "noauth" }, { type: "oauth2", scopes: ["search.read"] }],
    required: [{ type: "oauth2", scopes: ["docs.write"] }],
    public: [{ type: "noauth" }]
  }
} as const

const { client, issuer } = await makeIssuer()
const token = await Effect.runPromise(issuer.mint({ scopes: ["read", "admin"] }))

const settings: ServerSettings = {
  scopes: { baseline: ["read"], stepUp: ["write", "admin"] },
  anonymous: "allow-unscoped"
}

const noauth = { type: "noauth" }
const oauth2 = (...scopes: ReadonlyArray<string>) => ({ type: "oauth2", scopes })

describe.each(policyServers)("$name", ({ name: server, start }) => {
  const list = async (
    tools: ReadonlyArray<PolicyTool>,
    changes: Partial<ServerSettings> = {}
  ) => {
    const running = await start(tools, { ...settings, ...changes }, issuer.issuer, client)
    try {
      const { body, status } = await running.send(ask(changes.anonymous === "deny" ? bearer(token) : [], "tools/list"))
      assert.strictEqual(status, 200, body)
      const data = body.split("\n").map((line) => line.replace(/^data: /, "")).find((line) => line.startsWith("{"))
      return JSON.parse(data!).result.tools as ReadonlyArray<Record<string, any>>
    } finally {
      await running.stop()
    }
  }
  const schemesOf = async (tool: Omit<PolicyTool, "name">, changes?: Partial<ServerSettings>) => {
    const [listed] = await list([{ name: "tool", ...tool }], changes)
    assert.deepStrictEqual(listed!["_meta"]?.["securitySchemes"], listed!["securitySchemes"])
    return listed!["securitySchemes"] as unknown
  }

  it(`the fields are those of the documents of ${published.comparedOn}`, async () => {
    const [optional, open] = await list([
      { name: "search", policy: Policy.optional(Policy.scopes("search.read")) },
      { name: "free", policy: Policy.anyone }
    ], { scopes: { baseline: ["search.read"], stepUp: [] } })
    const [required] = await list([{ name: "create_doc", scopes: ["docs.write"] }], {
      scopes: { baseline: ["docs.write"], stepUp: [] }
    })
    const { examples, field, mirror: [meta, member], types } = published
    for (
      const [tool, example] of [[optional, examples.optional], [required, examples.required], [
        open,
        examples.public
      ]] as const
    ) {
      assert.deepStrictEqual(tool![field], example)
      assert.deepStrictEqual(tool![meta][member], example)
      assert.includeMembers([...types], tool![field].map(({ type }: { readonly type: string }) => type))
    }
  })

  const cases: ReadonlyArray<
    readonly [title: string, tool: Omit<PolicyTool, "name">, schemes: unknown, changes?: Partial<ServerSettings>]
  > = [
    ["a tool that requires nothing", {}, [noauth]],
    ["a tool with scopes", { scopes: ["write"] }, [oauth2("read", "write")]],
    ["a tool with a policy", { policy: Policy.anyOf(Policy.scopes("admin"), Policy.scopes("write")) }, [
      oauth2("read", "write")
    ]],
    ["a tool with a role", { policy: Policy.role("admin") }, [oauth2("read")]],
    ["a tool that answers without a challenge", { scopes: ["write"], unauthorized: "deny" }, [oauth2("read")]],
    ["a hidden tool that the caller can see", { scopes: ["admin"], unauthorized: "hide" }, [oauth2("read")], {
      anonymous: "deny"
    }],
    ["a tool that requires nothing, on a server without anonymous callers", {}, [oauth2("read")], {
      anonymous: "deny"
    }],
    ["an open policy, on a server without anonymous callers", { policy: Policy.anyone }, [oauth2("read")], {
      anonymous: "deny"
    }],
    ["an open policy, on a server that rejects unlisted tools", { policy: Policy.anyone }, [noauth], {
      unlisted: "deny"
    }],
    ["a tool that requires nothing, on a server that rejects unlisted tools", {}, undefined, { unlisted: "deny" }],
    ["a server without scopes", { policy: Policy.role("admin") }, [oauth2()], { scopes: [] as never }],
    ["the option omit", { scopes: ["write"] }, undefined, { securitySchemes: "omit" }],
    [
      "a tool with a policy whose author wrote other schemes",
      { scopes: ["write"], meta: { securitySchemes: [noauth] } },
      [oauth2("read", "write")]
    ]
  ]

  for (const [title, tool, schemes, changes] of cases) {
    it(`name for ${title} what an anonymous caller must do`, async () => {
      assert.deepStrictEqual(await schemesOf(tool, changes), schemes)
    })
  }

  it("name for scopes that depend on the arguments those that are known", async () => {
    const known = server === "Effect" ? [oauth2("read", "write")] : [oauth2("read")]
    assert.deepStrictEqual(await schemesOf({ scopes: ["write"], isConditional: true }), known)
  })

  it("name for a tool of the stock functions what the gate enforces", async () => {
    // On the SDKs, a tool that the SDK itself registered needs a caller. Effect has one kind of tools.
    const enforced = server === "Effect" ? [noauth] : [oauth2("read")]
    const tools = [{ name: "stock", isStock: true }, { name: "own", policy: Policy.anyone }]
    const stockOf = async (changes?: Partial<ServerSettings>) =>
      (await list(tools, changes)).find(({ name }) => name === "stock")!["securitySchemes"] as unknown
    assert.deepStrictEqual(await stockOf(), enforced)
    assert.deepStrictEqual(await stockOf({ unlisted: "deny" }), undefined)
  })

  it("keep what the author wrote for a tool without scopes and without a policy, and other members of _meta", async () => {
    const written = [oauth2("admin")]
    const [stock, own] = await list([
      { name: "own", meta: { securitySchemes: written } },
      { name: "stock", isStock: true, meta: { securitySchemes: written } }
    ])
    for (const tool of [stock, own]) assert.deepStrictEqual(tool!["_meta"], { securitySchemes: written })
    const [described] = await list([{ name: "described", meta: { icon: "📝" } }])
    assert.deepStrictEqual(described!["_meta"], { icon: "📝", securitySchemes: [noauth] })
  })
})
