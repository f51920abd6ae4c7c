/** Tests which origins of web pages, extensions and desktop applications may call a server. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { bearer, call } from "./cases.ts"
import type { Name } from "./functions.ts"
import { makeIssuer, type Options, optionsOf, type Running, startAll } from "./Host.ts"
import { hosts } from "./hosts.ts"

/** The origins that browsers, extensions and frameworks for desktop applications send. */
const applications = [
  "chrome-extension://aapbdbdomjkkjkaonfhkkikfgjllcleb",
  "moz-extension://6f6ab0d5-3d5e-4ab6-9d3b-5a1c4e4ad0b2",
  "safari-web-extension://F4C8A7E2-13B5-4A0C-9C40-0B0C5C4F2E11",
  "vscode-webview://0hnjh3qcvtg9u5fhnhbh0m1l8sjtuoaupf8emh2c5lhf3v9q1r2k",
  "tauri://localhost",
  "http://tauri.localhost",
  "app://obsidian.md",
  "app://.",
  "capacitor://localhost",
  "ionic://localhost",
  "http://localhost:5173",
  "https://app.test"
]

const foreign = [
  "https://evil.test",
  "https://app.test.evil.test",
  "https://app.test:8443",
  "https://app.test/",
  "https://APP.test",
  "http://app.test",
  "tauri://localhost.evil.test",
  "tauri://localhost:1",
  "Tauri://localhost",
  "chrome-extension://aapbdbdomjkkjkaonfhkkikfgjllcleb/page.html",
  "app://",
  "*",
  "null"
]

/** Texts that are no origin, and that `functions.ts` would accept by their end. The function must not receive them. */
const malformed = [
  "https://evil.test, https://a.partner.test",
  "https://evil.test https://a.partner.test",
  "https://evil.test/.partner.test",
  "https://evil.test\\.partner.test",
  "https://evil.test?.partner.test",
  "https://evil.test#.partner.test",
  "https://user@a.partner.test",
  "a.partner.test",
  "//a.partner.test",
  `https://${"a".repeat(600)}.partner.test`
]

const servers = {
  listed: { functions: "none", options: { allowedOrigins: applications } },
  nullable: { functions: "none", options: { allowNullOrigin: true } },
  matching: { functions: "a function for origins", options: {} },
  both: { functions: "a function for origins", options: { allowNullOrigin: true } },
  throwing: { functions: "a function for origins that throws", options: {} },
  async: { functions: "a function for origins that returns a promise", options: {} },
  failing: { functions: "a function for origins that returns a promise that fails", options: {} },
  empty: { functions: "a function for origins that returns nothing", options: {} },
  truthy: { functions: "a function for origins that returns a text", options: {} }
} as const satisfies Record<string, { readonly functions: Name; readonly options: object }>

type Server = keyof typeof servers

const names = Object.keys(servers) as ReadonlyArray<Server>

describe.each(hosts)("origins, $name", (host) => {
  let running: ReadonlyMap<Server, Running>
  let token: string
  beforeAll(async () => {
    const { client, issuer } = await makeIssuer()
    token = await Effect.runPromise(issuer.mint({ scopes: ["todos:read"] }))
    const started = await startAll(
      host,
      names.map((name) => ({
        options: { ...optionsOf(issuer.issuer, {}), ...servers[name].options } as Options,
        functions: servers[name].functions
      })),
      client
    )
    running = new Map(names.map((name, index) => [name, started[index]!]))
  })
  afterAll(() => Promise.all([...running.values()].map((_) => _.stop())))

  const get = (name: Server) => running.get(name)!

  /** Sends a call with a token, a call without one, and a preflight, and checks that all of them have the same outcome. */
  const expectOutcome = async (name: Server, origin: string, outcome: "allowed" | 403 | 500) => {
    const server = get(name)
    await server.ran()
    const line = ["origin", origin] as const
    const called = await server.send(call(bearer(token), "list_todos", [line]))
    const challenged = await server.send(call([], "list_todos", [line]))
    const preflight = await server.send({
      method: "OPTIONS",
      path: "/mcp",
      headers: [line, ["access-control-request-method", "POST"]]
    })
    const ran = await server.ran()
    const statuses = [called, challenged, preflight].map((_) => _.status)
    if (outcome === "allowed") {
      assert.deepStrictEqual([statuses, ran], [[200, 401, 204], ["list_todos alice"]], origin)
      for (const { headers } of [challenged, preflight]) {
        assert.strictEqual(headers["access-control-allow-origin"], origin)
        assert.include(headers["vary"], "Origin")
      }
      assert.include(challenged.headers["access-control-expose-headers"], "WWW-Authenticate")
    } else {
      assert.deepStrictEqual([statuses, ran], [[outcome, outcome, outcome], []], origin)
      for (const { headers } of [called, challenged, preflight]) {
        assert.notProperty(headers, "access-control-allow-origin")
        assert.notProperty(headers, "www-authenticate")
      }
    }
  }

  it("[T-AUD-02c] extensions and desktop applications are allowed as they are listed", async () => {
    for (const origin of applications) await expectOutcome("listed", origin, "allowed")
    for (const origin of foreign) await expectOutcome("listed", origin, 403)
  })

  it("[T-AUD-02c] the origin null is allowed only by allowNullOrigin", async () => {
    await expectOutcome("nullable", "null", "allowed")
    await expectOutcome("nullable", "https://app.test", "allowed")
    for (const origin of ["NULL", "null, null", "https://evil.test", "file://"]) {
      await expectOutcome("nullable", origin, 403)
    }
    await expectOutcome("matching", "null", 403)
    await expectOutcome("both", "null", "allowed")
  })

  it("[T-AUD-02c] a function decides about origins, and receives only well-formed ones", async () => {
    for (const origin of ["https://a.partner.test", "https://a.partner.test:8443", "https://server.test"]) {
      await expectOutcome("matching", origin, "allowed")
    }
    for (const origin of ["https://evil.test", "https://partner.test.evil.test", ...malformed]) {
      await expectOutcome("matching", origin, 403)
    }
  })

  it.each(["throwing", "async", "failing", "empty", "truthy"] as const)(
    "[T-AUD-02c] a broken function rejects every origin that it receives: %s",
    async (name) => {
      await expectOutcome(name, "https://a.partner.test", 500)
      await expectOutcome(name, "null", 403)
      // The origin of the resource is allowed without the function, and so are requests without an origin.
      await expectOutcome(name, "https://server.test", "allowed")
      assert.strictEqual((await get(name).send(call(bearer(token), "list_todos"))).status, 200)
    }
  )

  it("[T-AUD-02c] every origin may read the public metadata, which need no token", async () => {
    const path = "/.well-known/oauth-protected-resource/mcp"
    for (const origin of [...applications, ...foreign]) {
      const read = await get("listed").send({ method: "GET", path, headers: [["origin", origin]] })
      const preflight = await get("listed").send({
        method: "OPTIONS",
        path,
        headers: [["origin", origin], ["access-control-request-method", "GET"]]
      })
      assert.deepStrictEqual([read.status, preflight.status], [200, 204], origin)
      for (const { headers } of [read, preflight]) assert.strictEqual(headers["access-control-allow-origin"], "*")
    }
  })
})
