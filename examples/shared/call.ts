/** Gets a token for carol from `issuer.ts`, and calls a tool with it: `node call.ts <scopes, or none> <tool> [arguments]`. */
import { TestClient } from "effect-mcp-auth/testing"

const { ISSUER = "http://127.0.0.1:4000", MCP_URL = "http://127.0.0.1:3000/mcp" } = process.env
const { RESOURCE_URL = MCP_URL } = process.env
const [scope = "none", tool = "", args = "{}"] = process.argv.slice(2)

/** Signs in with the client credentials of a program. A client with a user would open a sign-in page instead. */
const signIn = async (): Promise<string> => {
  const response = await fetch(`${ISSUER}/token`, {
    method: "POST",
    headers: { authorization: `Basic ${btoa("carol:carols-secret")}` },
    body: new URLSearchParams({ grant_type: "client_credentials", resource: RESOURCE_URL, scope })
  })
  return (await response.json()).access_token
}

const client = TestClient.start({ handler: fetch, url: MCP_URL, protocol: "2025-11-25" })
const answer = await client.as(scope === "none" ? undefined : await signIn()).callTool(tool, JSON.parse(args))
const { body, headers, result, status } = answer
console.log(status, headers["www-authenticate"] ?? JSON.stringify(result?.structuredContent ?? result?.content ?? body))
