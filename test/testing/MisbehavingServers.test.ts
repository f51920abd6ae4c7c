import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { McpAuthClient } from "effect-mcp-auth/client"
import { AuthorizationCode } from "effect-mcp-auth/sign-in"
import { MemoryStore } from "effect-mcp-auth/store"
import { MisbehavingServers, TestBrowser } from "effect-mcp-auth/testing"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"

const redirectUri = "http://127.0.0.1:13316/callback"

/** A client of this library that signs in at the servers, and its calls of tools. */
const start = async (options: MisbehavingServers.Options = {}) => {
  const servers = await MisbehavingServers.start(options)
  const browser = TestBrowser.make({ fetch: servers.fetch })
  const auth = await McpAuthClient.make({
    resource: servers.resource,
    fetch: servers.fetch,
    grant: AuthorizationCode.grant({
      client: { name: "test" },
      store: MemoryStore.make(),
      redirect: {
        redirectUris: [redirectUri],
        listen: Effect.succeed({
          redirectUri,
          open: (url, complete) => Effect.flatMap(Effect.orDie(browser.signIn(url)), (callback) => complete(callback))
        })
      }
    })
  })
  const call = async (name = "list_todos"): Promise<string> => {
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name } })
    try {
      const response = await auth.fetch(servers.resource, { method: "POST", body })
      return response.ok ? (await response.json()).result.content[0].text : String(response.status)
    } catch (error) {
      return (error as { readonly _tag: string })._tag
    }
  }
  return { auth, call, servers }
}

/** The end of the first call, and of a call of `add_todo`, of the client of this library with each fault. */
const results: Readonly<Record<MisbehavingServers.Fault, readonly [first: string, second: string]>> = {
  "challenge-names-foreign-metadata": ["list_todos is done", "add_todo is done"],
  "token-endpoint-in-private-network": ["DiscoveryError", "DiscoveryError"],
  "redirects-resource-metadata": ["DiscoveryError", "DiscoveryError"],
  "redirects-issuer-metadata": ["DiscoveryError", "DiscoveryError"],
  "redirects-token-requests": ["Mismatch", "Mismatch"],
  "redirects-registrations": ["Mismatch", "Mismatch"],
  "endless-metadata": ["DiscoveryError", "DiscoveryError"],
  "stalled-metadata": ["DiscoveryError", "DiscoveryError"],
  "deep-metadata": ["DiscoveryError", "DiscoveryError"],
  "metadata-of-another-server": ["Mismatch", "Mismatch"],
  "metadata-of-a-shorter-name": ["Mismatch", "Mismatch"],
  "metadata-of-the-origin": ["list_todos is done", "add_todo is done"],
  "metadata-of-another-issuer": ["DiscoveryError", "DiscoveryError"],
  "names-foreign-issuer-first": ["DiscoveryError", "DiscoveryError"],
  "changes-issuer-during-sign-in": ["list_todos is done", "add_todo is done"],
  "html-at-first-well-known-url": ["list_todos is done", "add_todo is done"],
  "metadata-outage": ["Unavailable", "Unavailable"],
  "script-as-authorization-endpoint": ["DiscoveryError", "DiscoveryError"],
  "file-as-authorization-endpoint": ["DiscoveryError", "DiscoveryError"],
  "no-metadata": ["DiscoveryError", "DiscoveryError"],
  "omits-issuer-in-callback": ["AuthorizationDenied", "AuthorizationDenied"],
  "foreign-issuer-in-callback": ["AuthorizationDenied", "AuthorizationDenied"],
  "command-in-authorization-endpoint": ["list_todos is done", "add_todo is done"],
  "changes-state": ["AuthorizationDenied", "AuthorizationDenied"],
  "denies-access": ["AuthorizationDenied", "AuthorizationDenied"],
  "forgets-clients": ["list_todos is done", "add_todo is done"],
  "registers-with-status-200": ["list_todos is done", "add_todo is done"],
  "registers-other-redirect-uris": ["Mismatch", "Mismatch"],
  "no-registration": ["DiscoveryError", "DiscoveryError"],
  "accepts-secrets-in-body-only": ["list_todos is done", "add_todo is done"],
  "rejects-refresh-tokens": ["list_todos is done", "add_todo is done"],
  "token-outage": ["Unavailable", "Unavailable"],
  "token-rate-limit": ["Unavailable", "Unavailable"],
  "refreshes-without-details": ["list_todos is done", "add_todo is done"],
  "rejects-fresh-tokens": ["AuthorizationDenied", "AuthorizationDenied"],
  "unknown-token-type": ["Mismatch", "Mismatch"],
  "token-endpoint-at-another-origin": ["list_todos is done", "add_todo is done"],
  "metadata-of-a-sibling": ["Mismatch", "Mismatch"],
  "redirects-requests": ["Mismatch", "Mismatch"],
  "redirects-requests-to-a-sibling": ["Mismatch", "Mismatch"],
  "asks-for-granted-scopes": ["list_todos is done", "403"],
  "asks-for-no-scopes": ["list_todos is done", "403"],
  "asks-for-ever-more-scopes": ["list_todos is done", "AuthorizationDenied"],
  "grants-fewer-scopes": ["list_todos is done", "ScopeRefused"],
  "malformed-challenge": ["list_todos is done", "403"],
  "giant-challenge": ["list_todos is done", "403"],
  "requires-dpop-nonces": ["list_todos is done", "add_todo is done"],
  "changes-dpop-nonces": ["list_todos is done", "add_todo is done"],
  "issues-bearer-for-proof": ["list_todos is done", "add_todo is done"],
  "issues-expired-tokens": ["AuthorizationDenied", "AuthorizationDenied"]
}

describe("the misbehaving servers", () => {
  it("let a correct client sign in, step up, and refresh, without a fault", async () => {
    const { auth, call, servers } = await start()
    assert.strictEqual(await call(), "list_todos is done")
    assert.strictEqual(await call("add_todo"), "add_todo is done")
    await servers.expireTokens()
    assert.strictEqual(await call("add_todo"), "add_todo is done")
    const grants = (await servers.requests()).filter(({ url }) => url.endsWith("/token")).map(({ body }) =>
      new URLSearchParams(body).get("grant_type")
    )
    assert.deepStrictEqual(grants, ["authorization_code", "authorization_code", "refresh_token"])
    await auth.dispose()
  })

  // The stalled document needs ten seconds of real time; test/client/destinations.test.ts has it with the test clock.
  it.each(MisbehavingServers.faultNames.filter((fault) => fault !== "stalled-metadata"))(
    "leave the client of this library safe with the fault %s",
    async (fault) => {
      const { auth, call, servers } = await start({ fault })
      assert.deepStrictEqual([await call(), await call("add_todo")], results[fault])
      const requests = await servers.requests()
      const expected = fault === "token-endpoint-at-another-origin" ? ["/token", "/token"] : []
      assert.deepStrictEqual(
        requests.filter(({ party }) => party === "elsewhere").map(({ url }) => new URL(url).pathname),
        expected
      )
      assert.isFalse(requests.some(({ party }) => party === "privateNetwork"))
      await auth.dispose()
    }
  )

  it("end a fault, so that the client goes on", async () => {
    const { auth, call, servers } = await start({ fault: "token-outage" })
    assert.strictEqual(await call(), "Unavailable")
    await servers.setFault(undefined)
    assert.strictEqual(await call(), "list_todos is done")
    await auth.dispose()
  })

  it("count the bytes of an endless document that a client reads", async () => {
    const servers = await MisbehavingServers.start({ fault: "endless-metadata" })
    const response = await servers.fetch("https://todos.test/.well-known/oauth-protected-resource/mcp")
    const reader = response.body!.getReader()
    for (let chunk = 0; chunk < 4; chunk++) await reader.read()
    assert.isAbove(await servers.sentBytes(), 3 * 65_536)
    await reader.cancel()
  })

  it("listen on real ports, and fail for requests to other origins", async () => {
    const server = createServer().listen(0, "127.0.0.1")
    await new Promise((resolve) => server.once("listening", resolve))
    const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const { fetch: inMemory, listeners } = await MisbehavingServers.start({ resource: `${origin}/mcp` })
    server.on("request", listeners.server)
    const response = await fetch(`${origin}/mcp`, { method: "POST", body: "{}" })
    assert.deepStrictEqual([response.status, response.headers.get("www-authenticate")], [
      401,
      `Bearer resource_metadata="${origin}/.well-known/oauth-protected-resource/mcp", scope="todos:read"`
    ])
    const error = await inMemory("https://other.test/").then(() => undefined, (thrown: Error) => thrown)
    assert.instanceOf(error, TypeError)
    server.close()
    server.closeAllConnections()
  })

  it("describe each fault, and reject unknown ones", async () => {
    for (const { client, server } of Object.values(MisbehavingServers.faults)) {
      assert.match(server, /^[A-Z].*\.$/)
      assert.match(client, /^[A-Z].*\.$/)
    }
    const error = await MisbehavingServers.start({ fault: "no-such-fault" as never }).then(
      () => undefined,
      (thrown: Error) => thrown
    )
    assert.include(error?.message, "MisbehavingServers.faultNames")
  })
})
