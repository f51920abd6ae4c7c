import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Schema } from "effect"
import { AuthError, AuthLayer, Principal } from "effect-mcp-auth"
import { McpAuth } from "effect-mcp-auth/mcp"
import { Policy } from "effect-mcp-auth/policy"
import { McpProtocol, McpSchema } from "effect/ai"
import { HttpRouter } from "effect/http"
import { modern, request } from "../sdk/rpc.ts"

class Db extends Context.Service<Db, { readonly ownerOf: (id: string) => string }>()("test/Db") {}
class Tenant extends Context.Service<Tenant, { readonly tenant: string }>()("test/Tenant") {}

/** The arguments and URIs that checks received. */
const seen: Array<unknown> = []

const isOwner = Policy.check(
  "owner",
  (caller, { arguments: { id } }: Policy.Call<{ readonly id: string }>) =>
    Effect.map(Db, ({ ownerOf }) => {
      seen.push(id)
      return ownerOf(id) === caller.subject
    })
)
const isOwnerOfUri = Policy.check(
  "owner of the URI",
  (caller, { arguments: given, target }) =>
    Effect.map(Db, ({ ownerOf }) => {
      seen.push(target, given)
      return ownerOf(target.slice("todo://".length)) === caller.subject
    })
)
const isOurs = Policy.claims(Tenant, ({ tenant }) => tenant === "acme")

const who = Effect.map(Principal, ({ subject }) => `for ${subject}`)
const id = McpSchema.param("id", Schema.String)

/** It rejects one file, so another spelling of its URI must not be another file. */
const isNotSecret = Policy.check(
  "not the secret file",
  (_, { target }) => seen.push(target) > 0 && target !== "files://9/a"
)
const parameters = [McpSchema.param("folder", Schema.FiniteFromString), McpSchema.param("file", Schema.Trim)] as const

const registrations = Layer.mergeAll(
  McpAuth.resource`files://${parameters[0]}/${parameters[1]}`({
    name: "file",
    policy: isNotSecret,
    content: (_, folder, file) => Effect.succeed(`${folder} ${file}`)
  }),
  McpAuth.prompt({ name: "edit", policy: isOwner, parameters: { id: Schema.Trim }, content: () => who }),
  McpAuth.resource`todo://${id}`({ name: "todo", policy: isOwnerOfUri, content: () => who }),
  McpAuth.resource({ uri: "ours://all", name: "ours", policy: isOurs, content: who })
)

const options = { name: "todos", version: "1.0.0", path: "/mcp", protocols: [McpProtocol.v2026_07_28] } as const

/** Starts a server with a caller whose tenant is `tenant`. `owner` owns the todo 1. */
const start = (owner: string, tenant = "acme") => {
  const { dispose, handler } = HttpRouter.toWebHandler(
    McpAuth.layerHttp({ ...options, registrations }).pipe(
      Layer.provide(AuthLayer.mock({
        subject: "alice",
        resource: "https://server.test/mcp",
        scopes: ["read"],
        claims: { tenant },
        claimsService: { service: Tenant, schema: Schema.Struct({ tenant: Schema.String }) }
      })),
      Layer.provide(Layer.succeed(Db, { ownerOf: (id) => id === "1" ? owner : "bob" }))
    ),
    { disableLogger: true }
  )
  const ask = async (method: string, params: Readonly<Record<string, unknown>>) => {
    seen.length = 0
    const { body, headers } = modern(request(method, params))
    const response = await handler(
      new Request("https://server.test/mcp", {
        method: "POST",
        headers: {
          accept: "application/json, text/event-stream",
          "content-type": "application/json",
          authorization: "Bearer any",
          ...headers
        },
        body: JSON.stringify(body)
      })
    )
    return { status: response.status, text: await response.text() }
  }
  return { ask, dispose }
}

describe("a policy on a prompt or a resource of Effect's server", () => {
  it("gives checks the decoded arguments of a prompt", async () => {
    const { ask, dispose } = start("alice")
    const edit = (id: unknown) => ask("prompts/get", { name: "edit", arguments: { id } })
    assert.include((await edit(" 1 ")).text, "for alice")
    assert.deepStrictEqual(seen, ["1"])
    assert.strictEqual((await edit(" 2 ")).status, 403)
    const without = await ask("prompts/get", { name: "edit" })
    assert.include(without.text, "-32602")
    assert.deepStrictEqual(seen, [])
    await dispose()
  })

  it("gives checks the URI of a resource, and no arguments that a client adds", async () => {
    const { ask, dispose } = start("alice")
    const read = (uri: string) => ask("resources/read", { uri, arguments: { id: "1" } })
    assert.include((await read("todo://1")).text, "for alice")
    assert.deepStrictEqual(seen, ["todo://1", undefined])
    // The server ignores these differences, so the check and the handler read the same parameter.
    for (const uri of ["todo://%31", "todo://1/", "todo:///1", "todo://1?id=2", "todo://1#2", "todo://1;2"]) {
      assert.include((await read(uri)).text, "for alice", uri)
      assert.deepStrictEqual(seen, ["todo://1", undefined])
    }
    for (const uri of ["todo://2", "todo://%32", "todo://2?1", "todo://2/"]) {
      const { status, text } = await read(uri)
      assert.deepStrictEqual([status, seen], [403, ["todo://2", undefined]], text)
    }
    await dispose()
  })

  it("T-POL-02 gives checks the parameters of a template in one spelling, as the handler receives them", async () => {
    const { ask, dispose } = start("alice")
    const outcomes = new Map<string, string>()
    const uris = [
      "files://9/a",
      "files://09/a",
      "files://9/%61",
      "files://9/%20a?x",
      "files://%39/b%2Fa",
      "files://9/a%40b"
    ]
    for (const uri of [...uris, "files://x/a"]) {
      const { status, text } = await ask("resources/read", { uri })
      outcomes.set(uri, `${status} ${seen.join(" ")} ${/9 [^"]*/.exec(text)?.[0] ?? ""}`.trim())
    }
    assert.deepStrictEqual([...outcomes.values()], [
      "403 files://9/a",
      "403 files://9/a",
      "403 files://9/a",
      "403 files://9/a",
      "200 files://9/b%2Fa 9 b/a",
      "200 files://9/a@b 9 a@b",
      "403"
    ])
    await dispose()
  })

  it("reads the typed claims of the caller", async () => {
    for (const [tenant, status] of [["acme", 200], ["other", 403]] as const) {
      const { ask, dispose } = start("alice", tenant)
      assert.strictEqual((await ask("resources/read", { uri: "ours://all" })).status, status)
      await dispose()
    }
  })

  it("uses the services of each server, although both have the same layers of registrations", async () => {
    const [first, second] = [start("alice"), start("carol")]
    const read = async ({ ask }: typeof first) => (await ask("resources/read", { uri: "todo://1" })).status
    assert.deepStrictEqual([await read(first), await read(second)], [200, 403])
    await Promise.all([first.dispose(), second.dispose()])
  })
})

describe("the options of a prompt or a resource", () => {
  const cases: ReadonlyArray<readonly [title: string, given: object, option: string]> = [
    ["a policy beside scopes", { policy: isOurs, scopes: ["read"] }, "policy"],
    ["an object that is not a policy", { policy: { scopes: ["read"] } }, "policy"],
    ["a function as the policy", { policy: () => true }, "policy"],
    ["a policy that is null", { policy: null }, "policy"],
    ["neither scopes nor a policy", {}, "scopes"],
    ["a policy that is undefined", { policy: undefined }, "scopes"],
    ["an unknown answer", { policy: isOurs, unauthorized: "hidden" }, "unauthorized"]
  ]

  it.each(cases)("reject %s", (_, given, option) => {
    const content = () => Effect.succeed("")
    const makes: Readonly<Record<string, () => unknown>> = {
      prompt: () => McpAuth.prompt({ name: "p", content, ...given } as never),
      resource: () => McpAuth.resource({ uri: "a://b", name: "r", content: Effect.succeed(""), ...given } as never),
      template: () => McpAuth.resource`a://${id}`({ name: "r", content, ...given } as never)
    }
    for (const [kind, make] of Object.entries(makes)) {
      let thrown: unknown
      try {
        make()
      } catch (error) {
        thrown = error
      }
      assert.instanceOf(thrown, AuthError.AuthConfigError)
      const owner = kind === "prompt" ? "prompt" : "resource"
      assert.strictEqual((thrown as AuthError.AuthConfigError).option, `${owner}.${option}`)
    }
  })
})
