import { afterEach, assert, it } from "@effect/vitest"
import { signIn } from "../../authorization-server/test/signIn.ts"
import { UserAgent } from "../../authorization-server/UserAgent.ts"
import { callTool } from "../../shared/test/callTool.ts"
import { type Program, start } from "../../shared/test/Program.ts"

let program: Program | undefined
afterEach(() => program?.interrupt())

it("returns the identity of callers", async () => {
  program = start("whoami/main.ts", { PORT: "0" })
  const url = (await program.firstLine).replace("listening on ", "")
  const metadata = await fetch(url.replace("/mcp", "/.well-known/oauth-protected-resource/mcp"))
  const { authorization_servers: [issuer], resource } = await metadata.json()
  const userAgent = new UserAgent({ username: "carol" })
  const { access_token } = await signIn({ issuer, resource, scope: "read:profile", userAgent })
  const clientId = userAgent.log[0]?.url.searchParams.get("client_id")

  const { result, status } = await callTool(url, access_token, "whoami")
  assert.strictEqual(status, 200)
  assert.deepStrictEqual(result?.structuredContent, { subject: "carol", clientId, scopes: ["read:profile"], issuer })
})
