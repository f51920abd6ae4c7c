import { afterEach, assert, describe, it } from "@effect/vitest"
import { type Program, start } from "./Program.ts"
import { comparable, shownOutput } from "./readme.ts"

const programs = [
  { example: "express", main: "main.ts", scopes: ["notes:read"] },
  { example: "whoami", main: "main.ts", scopes: ["read:profile"] },
  ...["main.ts", "sdk-v1/main.ts", "sdk-v2/main.ts", "hono/main.ts"].map((main) => ({
    example: "todo-manager",
    main,
    scopes: ["create:todos", "read:todos"]
  }))
]

let program: Program | undefined
afterEach(() => program?.interrupt())

const listening = async (line: Promise<string>) => {
  const url = /^listening on (\S+)$/.exec(await line)?.[1]
  assert(url !== undefined)
  return url
}

const metadataOf = async (challenge: string | null) => {
  const metadataUrl = /resource_metadata="([^"]+)"/.exec(challenge ?? "")?.[1]
  assert(metadataUrl !== undefined)
  const response = await fetch(metadataUrl)
  assert.strictEqual(response.status, 200)
  return await response.json() as Record<string, unknown>
}

describe.each(programs)("$example/$main", ({ example, main, scopes }) => {
  it("serves with an embedded authorization server, until it is interrupted", async () => {
    program = start(`${example}/${main}`, { PORT: "0" })
    const url = await listening(program.firstLine)
    const response = await fetch(url, { method: "POST" })
    assert.strictEqual(response.status, 401)
    const challenge = response.headers.get("www-authenticate")
    assert.include(shownOutput(example), comparable(`listening on ${url}`))
    assert.strictEqual(response.headers.get("cache-control"), "no-store")
    const metadataUrl = new URL("/.well-known/oauth-protected-resource/mcp", url)
    assert.strictEqual(challenge, `Bearer scope="${scopes.join(" ")}", resource_metadata="${metadataUrl}"`)

    const { authorization_servers, resource, scopes_supported } = await metadataOf(challenge)
    assert.strictEqual(resource, url)
    assert.deepStrictEqual(scopes_supported, scopes)
    assert(Array.isArray(authorization_servers) && authorization_servers.length === 1)
    const discovered = await fetch(`${authorization_servers[0]}/.well-known/oauth-authorization-server`)
    assert.strictEqual((await discovered.json()).issuer, authorization_servers[0])

    program.interrupt()
    assert.deepStrictEqual(await program.ended, { code: 0, stdout: `listening on ${url}\n`, stderr: "" })
  })

  it("reads its issuers and its public URL from the environment", async () => {
    const given = ["https://a.example.com", "https://b.example.com/tenant"]
    program = start(`${example}/${main}`, {
      PORT: "0",
      RESOURCE_URL: "https://mcp.example.com/mcp",
      AUTHORIZATION_SERVERS: given.join(", ")
    })
    const url = new URL(await listening(program.firstLine))
    const response = await fetch(url, { method: "POST" })
    assert.strictEqual(response.status, 401)
    assert.include(
      response.headers.get("www-authenticate"),
      "resource_metadata=\"https://mcp.example.com/.well-known/oauth-protected-resource/mcp\""
    )
    const metadata = await fetch(new URL("/.well-known/oauth-protected-resource/mcp", url))
    const { authorization_servers, resource } = await metadata.json()
    assert.deepStrictEqual(authorization_servers, given)
    assert.strictEqual(resource, "https://mcp.example.com/mcp")
  })

  it("starts no embedded authorization server for a server that others can reach", async () => {
    const { code, stderr, stdout } = await start(`${example}/${main}`, {
      PORT: "0",
      RESOURCE_URL: "https://mcp.example.com/mcp"
    }).ended
    assert.strictEqual(code, 1)
    assert.strictEqual(stdout, "")
    assert.include(stderr, "name your issuers in AUTHORIZATION_SERVERS")
  })
})
