import { assert, describe, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("../..", import.meta.url))

/** Runs a program in another process, with these environment variables only. Returns its output or its error. */
const run = (entry: string, module: string, env: Readonly<Record<string, string>>): string => {
  const program = `
    import { ${module} } from "effect-mcp-auth/${entry}"
    const options = ${module}.fromEnvironment()
    const auth = await ${module}.make({ ...options, scopes: ["todos:read"] })
    console.log(JSON.stringify(options))
    await auth.dispose()`
  const { stderr, stdout } = spawnSync(
    process.execPath,
    ["--no-warnings", "--conditions=effect-mcp-auth/source", "--input-type=module", "--eval", program],
    { cwd: root, encoding: "utf8", env }
  )
  return stdout + stderr
}

const required = {
  MCP_AUTH_RESOURCE: "https://todos.example.com/mcp",
  MCP_AUTH_AUTHORIZATION_SERVERS: "https://one.example.com, https://two.example.com/tenant,"
}

describe.each([
  ["node", "McpAuthNode"],
  ["fetch", "McpAuthFetch"],
  ["sdk-v1", "McpAuthSdk"],
  ["sdk-v2", "McpAuthSdk"]
])("the environment variables of a process with the host %s", (entry, module) => {
  it("become options of make", () => {
    const output = run(entry, module, {
      ...required,
      MCP_AUTH_ALLOWED_ORIGINS: "https://app.example.com",
      MCP_AUTH_ALLOWED_HOSTS: "internal.example.com"
    })
    assert.deepStrictEqual(JSON.parse(output), {
      resource: "https://todos.example.com/mcp",
      authorizationServers: ["https://one.example.com", "https://two.example.com/tenant"],
      allowedOrigins: ["https://app.example.com"],
      allowedHosts: ["internal.example.com"]
    })
  })

  it("are all in one error if they are missing or malformed, without their values", () => {
    const missing = run(entry, module, { MCP_AUTH_RESOURCE: "" })
    assert.include(missing, "AuthConfigError")
    assert.include(missing, "MCP_AUTH_RESOURCE (resource) is not set")
    assert.include(missing, "MCP_AUTH_AUTHORIZATION_SERVERS (authorizationServers) is not set")
    const malformed = run(entry, module, { ...required, MCP_AUTH_RESOURCE: "user:hunter2/mcp" })
    assert.include(malformed, "MCP_AUTH_RESOURCE (resource) is not an absolute https URL")
    assert.notInclude(malformed, "hunter2")
    for (const name of ["MCP_AUTH_ALLOWED_ORIGINS", "MCP_AUTH_ALLOWED_HOSTS"]) {
      const output = run(entry, module, { ...required, [name]: "https://user:hunter2@app.example.com" })
      assert.include(output, "AuthConfigError")
      assert.notInclude(output, "hunter2")
    }
    const query = run(entry, module, { ...required, MCP_AUTH_RESOURCE: "https://todos.example.com/mcp?key=hunter2" })
    assert.include(query, "has a query")
    assert.notInclude(query, "hunter2")
    const relative = run(entry, module, { MCP_AUTH_RESOURCE: "/hunter2" })
    assert.include(relative, "MCP_AUTH_RESOURCE (resource) is not an absolute https URL")
    assert.notInclude(relative, "hunter2")
  })
})
