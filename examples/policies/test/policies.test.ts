import { afterAll, assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Redacted } from "effect"
import { ApiKeys } from "effect-mcp-auth/api-keys"
import { expectAdmitted, expectChallenge, expectRejected, TestClient, TestIssuer } from "effect-mcp-auth/testing"
import { FetchHttpClient, HttpRouter } from "effect/http"
import * as EffectServer from "../EffectServer.ts"
import * as SdkServer from "../SdkServer.ts"

const resource = "https://articles.example.com/mcp"
const issuer = await TestIssuer.start({ resource })
const decisions = TestClient.decisions()
const { key, record } = await Effect.runPromise(
  ApiKeys.generate({ subject: "nightly-export", scopes: [], roles: ["exporter"] })
)
const options = { resource, authorizationServers: [issuer.issuer], keys: ApiKeys.memory([record]) } as const

const onEffect = HttpRouter.toWebHandler(EffectServer.layer(options).pipe(Layer.provide(decisions.layer)), {
  disableLogger: true
})
// oxlint-disable-next-line no-restricted-properties -- this `fetch` requests only TestIssuer
const network = Context.make(FetchHttpClient.Fetch, issuer.fetch)
const onSdk = await SdkServer.make({ ...options, fetch: issuer.fetch, layer: decisions.layer })

afterAll(() => Promise.all([onEffect.dispose(), onSdk.dispose()]))

const alice = { subject: "alice", scopes: ["articles:write"] }
const bob = { subject: "bob", scopes: ["articles:write"] }
const editor = { subject: "erin", scopes: ["articles:write"], claims: { roles: ["editor"] } }
const admin = { subject: "ada", scopes: ["articles:write"], claims: { roles: ["admin"] } }
const cronJob = { headers: { "x-api-key": Redacted.value(key) } }
const wrongKey = { headers: { "x-api-key": "guessed" } }

const servers = [
  { name: "Effect", handler: (request: Request) => onEffect.handler(request, network) },
  { name: "SDK v2", handler: onSdk.fetch }
]

describe.each(servers)("the policies on $name", ({ handler }) => {
  const client = TestClient.start({ issuer, handler, decisions })
  const write = (title: string) =>
    client.as(alice).callTool("write_article", { title }).then(({ value }: any) => value.articles[0])
  const sees = (caller: TestClient.TestCaller, tool: string) =>
    client.as(caller).listTools().then(({ result }: any) => result.tools.some(({ name }: any) => name === tool))

  it("a public tool needs no sign-in", async () => {
    expectAdmitted(await client.callTool("list_articles"))
  })

  it("any other tool asks for a sign-in", async () => {
    expectChallenge({ status: 401, scope: ["articles:write"] })(await client.callTool("write_article", { title: "a" }))
  })

  it("a scope or a role lists drafts, and the challenge names the scope", async () => {
    expectAdmitted(await client.as({ subject: "ray", scopes: ["articles:review"] }).callTool("list_drafts"))
    expectAdmitted(await client.as(editor).callTool("list_drafts"))
    expectChallenge({ status: 403, scope: ["articles:review"] })(await client.as(alice).callTool("list_drafts"))
  })

  it("only an editor publishes, and no sign-in is proposed to others", async () => {
    const { id } = await write("a")
    expectRejected("denied")(await client.as(alice).callTool("publish_article", { id }))
    expectAdmitted(await client.as(editor).callTool("publish_article", { id }))
  })

  it("only the author renames an article, and an unknown article gets the same answer", async () => {
    const { id } = await write("b")
    expectAdmitted(await client.as(alice).callTool("rename_article", { id, title: "c" }))
    const foreign = expectRejected("denied")(await client.as(bob).callTool("rename_article", { id, title: "d" }))
    const unknown = await client.as(bob).callTool("rename_article", { id: "unknown", title: "d" })
    assert.strictEqual(foreign.body, unknown.body)
  })

  it("the tool of administrators does not exist for others", async () => {
    const { id } = await write("e")
    assert.deepStrictEqual([await sees(editor, "erase_article"), await sees(admin, "erase_article")], [false, true])
    const hidden = await client.as(editor).callTool("erase_article", { id })
    assert.strictEqual(hidden.error?.code, (await client.as(editor).callTool("no_such_tool", { id })).error?.code)
    expectAdmitted(await client.as(admin).callTool("erase_article", { id }))
  })

  it("only the key of the cron job exports articles", async () => {
    expectAdmitted(await client.as(cronJob).callTool("export_articles"))
    expectRejected("denied")(await client.as(admin).callTool("export_articles"))
    expectRejected("api-key-malformed")(await client.as(wrongKey).callTool("export_articles"))
  })
})
