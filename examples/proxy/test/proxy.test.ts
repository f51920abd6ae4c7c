import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { TestBrowser } from "effect-mcp-auth/testing"
import { clients } from "../../../test/providers/officialClients.ts"
import { type Program, start } from "../../shared/test/Program.ts"

let program: Program
let url: string
beforeAll(async () => {
  program = start("proxy/main.ts", { PORT: "0", ISSUER_PORT: "0" })
  url = (await program.firstLine).replace("listening on ", "")
})
afterAll(async () => {
  program.interrupt()
  await program.ended
})

/** Signs a person in, and returns the callback and the headings of the pages. */
const browserOf = (person: string) => {
  const browser = TestBrowser.start()
  return {
    browse: async (authorizationUrl: URL) =>
      new URL(await browser.signIn(authorizationUrl, { button: `Sign in as ${person}` })),
    headings: async () => (await browser.visits()).flatMap(({ heading }) => heading ?? [])
  }
}

const textOf = (result: Readonly<Record<string, unknown>>) =>
  JSON.parse((result["content"] as [{ readonly text: string }])[0].text)

describe.each(clients)("the client of $name", ({ signIn }) => {
  it("registers itself, and calls tools with a person of the organization", async () => {
    const { browse, headings } = browserOf("alice")
    const { callTool, close, tokens } = await signIn({ url, browse })
    assert.deepStrictEqual(textOf(await callTool("list_todos", {})), { todos: [] })
    assert.deepStrictEqual(textOf(await callTool("github_account", {})), { login: "alice" })
    assert.strictEqual(tokens.scope, "todos:read")
    assert.match((await headings())[0]!, /Allow .* to use Todos\?/)
    await close()
  })

  it("receives access_denied for a person outside the organization", async () => {
    const error: unknown = await signIn({ url, browse: browserOf("mallory").browse }).then(() => undefined, (_) => _)
    assert.match(String(error), /access_denied/)
  })
})
