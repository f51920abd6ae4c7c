/**
 * Serves the recipe `serve.ts` of `examples/hosts` with the server of Bun or Deno, and sends requests over the network. Prints
 * `passed` and its count, or fails.
 */
import { TestIssuer } from "effect-mcp-auth/testing"
import assert from "node:assert/strict"
import { createServer } from "node:http"

let issuer
const issuerServer = createServer((req, res) => issuer.listener(req, res))
const issuerUrl = await new Promise((resolve) =>
  issuerServer.listen(0, "127.0.0.1", () => resolve(`http://127.0.0.1:${issuerServer.address().port}`))
)
const resource = "http://127.0.0.1:3000/mcp"
issuer = await TestIssuer.start({ issuer: issuerUrl, resource })

process.env.AUTHORIZATION_SERVER = issuerUrl
process.env.RESOURCE_URL = resource
const { default: { fetch: handler } } = await import("./hosts/serve.ts")

const serve = () => {
  if (globalThis.Bun !== undefined) {
    const server = globalThis.Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: handler })
    return { port: server.port, stop: () => server.stop(true) }
  }
  const server = globalThis.Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, handler)
  return { port: server.addr.port, stop: () => server.shutdown() }
}
const { port, stop } = serve()

const call = async (name, token) => {
  const response = await fetch(`http://127.0.0.1:${port}/mcp`, {
    method: "POST",
    headers: {
      accept: "application/json, text/event-stream",
      "content-type": "application/json",
      "mcp-protocol-version": "2026-07-28",
      "mcp-method": "tools/call",
      "mcp-name": name,
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` })
    },
    body: JSON.stringify({
      jsonrpc: "2.0",
      id: 1,
      method: "tools/call",
      params: {
        name,
        arguments: {},
        _meta: {
          "io.modelcontextprotocol/protocolVersion": "2026-07-28",
          "io.modelcontextprotocol/clientCapabilities": {},
          "io.modelcontextprotocol/clientInfo": { name: "client", version: "1.0.0" }
        }
      }
    })
  })
  return { status: response.status, challenge: response.headers.get("www-authenticate"), body: await response.text() }
}

const token = await issuer.mint({ subject: "carol", scopes: ["notes:read"] })

const metadata = await fetch(`http://127.0.0.1:${port}/.well-known/oauth-protected-resource/mcp`)
assert.equal((await metadata.json()).resource, resource)
const anonymous = await call("list_notes")
assert.equal(anonymous.status, 401)
assert.match(anonymous.challenge, /^Bearer scope="notes:read", resource_metadata="/)
assert.match((await call("list_notes", token)).body, /The notes of carol/)
assert.equal((await call("list_notes", "wrong")).status, 401)
assert.equal((await call("add_note", token)).status, 403)

await stop()
issuerServer.close()
issuerServer.closeAllConnections?.()
console.log("passed 5 requests to the recipe")
