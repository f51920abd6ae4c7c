import { expectAdmitted, expectChallenge, TestClient, TestIssuer } from "effect-mcp-auth/testing"
import assert from "node:assert/strict"
import { once } from "node:events"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { after, test } from "node:test"
import { start } from "./Workerd.ts"

// The Worker runs in a separate process (workerd), so the issuer must listen on a real port.
const http = createServer((req, res) => issuer.listener(req, res)).listen(0, "127.0.0.1")
await once(http, "listening")
const { port } = http.address() as AddressInfo

const resource = "https://dice.example.com/mcp"
const issuer = await TestIssuer.start({ issuer: `http://127.0.0.1:${port}`, resource })
const worker = await start({ port: 0, bindings: { RESOURCE_URL: resource, ISSUER: issuer.issuer } })
const url = new URL("/mcp", await worker.ready).href
const client = TestClient.start({ issuer, handler: fetch, url })
const carol = { subject: "carol", scopes: ["dice:roll"] }

after(async () => {
  await worker.dispose()
  http.closeAllConnections()
  http.close()
})

test("a client without a token learns where to sign in", async () => {
  await expectChallenge({ status: 401, error: null, scope: ["dice:roll"] })(client.listTools())
})

test("the tool receives its caller", async () => {
  const answer = await client.as(carol).callTool("add_up", { dice: [3, 4] })
  assert.equal(expectAdmitted(answer).value, "carol: 7")
})

test("a key that was rotated is found", async () => {
  await issuer.rotateKeys()
  expectAdmitted(await client.as(carol).callTool("add_up", { dice: [1] }))
})

test("a forged token is rejected", async () => {
  const forged = await issuer.mintBroken("alg-none", carol)
  await expectChallenge({ status: 401, error: "invalid_token" })(client.as(forged).callTool("add_up", { dice: [6] }))
})
