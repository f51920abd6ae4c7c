/**
 * `npm run new:host -- <name>`: an adapter for a host with `Request` and `Response`, its entry point and floor, and its entry in the table
 * of hosts on which all cases run. It is a copy of the adapter for fetch handlers, so it is always complete.
 */
import { camel, type Files, pascal, wordsOf } from "./Files.ts"

const from = { module: "McpAuthFetch", folder: "src/servers/fetch" }

/** Adds the host, and returns what remains to do. */
export const addHost = (files: Files, [name]: ReadonlyArray<string>): ReadonlyArray<string> => {
  const words = wordsOf(name, "lambda")
  const module = `McpAuth${pascal(words)}`
  const folder = `src/servers/${name}`
  const rename = (text: string) =>
    text.replaceAll(from.module, module).replaceAll("effect-mcp-auth/fetch", `effect-mcp-auth/${name}`)

  files.add(`${folder}/index.ts`, rename(files.read(`${from.folder}/index.ts`)))
  files.add(`${folder}/${module}.ts`, rename(files.read(`${from.folder}/${from.module}.ts`)))
  files.insertBefore(
    "package.json",
    `    "./sdk-v1": {`,
    `    "./${name}": {
      "effect-mcp-auth/source": "./${folder}/index.ts",
      "types": "./dist/servers/${name}/index.d.ts",
      "module": "./dist/servers/${name}/index.js",
      "node": "./dist/node/${name}.js",
      "default": "./dist/servers/${name}/index.js"
    },
`
  )
  const floor = `...["servers/node", "servers/fetch"`
  files.replace("tools/floors.ts", `${floor}].map((folder)`, `${floor}, "servers/${name}"].map((folder)`)

  const hosts = "test/servers/hosts/hosts.ts"
  const text = files.read(hosts)
  const start = text.indexOf("const fetchWrapper: Adapter = {")
  const adapter = text.slice(start, text.indexOf("\n}\n", start) + 3)
  files.insertBefore(
    hosts,
    `import { McpAuth } from "effect-mcp-auth/mcp"`,
    `import { ${module} } from "effect-mcp-auth/${name}"\n`
  )
  files.insertBefore(
    hosts,
    "const hono: Adapter = {",
    `${
      rename(adapter).replace("const fetchWrapper", `const ${camel(words)}Host`).replace(
        `name: "fetch"`,
        `name: "${name}"`
      )
    }\n`
  )
  files.replace(hosts, "  fetchWrapper,\n", `  fetchWrapper,\n  ${camel(words)}Host,\n`)
  files.add(
    `test/servers/${name}/${module}.test.ts`,
    `import { assert, describe, it } from "@effect/vitest"
import { ${module} } from "effect-mcp-auth/${name}"

const auth = await ${module}.make({
  resource: "https://todos.example.com/mcp",
  authorizationServers: ["https://auth.example.com"],
  scopes: ["todos:read"]
})

describe("${module}", () => {
  it("runs no handler without a token, and names the metadata in the challenge", async () => {
    const handle = auth.protect(() => new Response("ran"), { metadata: true })
    const response = await handle(new Request("https://todos.example.com/mcp", { method: "POST" }))
    assert.strictEqual(response.status, 401)
    assert.match(response.headers.get("www-authenticate")!, /^Bearer scope="todos:read", resource_metadata="https:/)
    const document = await handle(new Request("https://todos.example.com/.well-known/oauth-protected-resource/mcp"))
    assert.strictEqual((await document.json()).resource, "https://todos.example.com/mcp")
  })
})
`
  )
  return [
    `Change ${folder}/${module}.ts to the requests and responses of the host. It decides no status and writes no challenge itself.`,
    `Let the adapter in ${hosts} start a real server. All cases run against it:`,
    `  npx vitest run --project unit test/servers/hosts/hosts.test.ts -t "${name}"`,
    "Add the functions to tools/options/Functions.ts, and the entry to test/start.test.ts and test/package.test.ts.",
    "Run npm run docs and npm run change. Describe the host in the README."
  ]
}
