import { expectAdmitted, expectChallenge, expectRejected, TestClient, TestIssuer } from "effect-mcp-auth/testing"
import assert from "node:assert/strict"
import { once } from "node:events"
import type { AddressInfo } from "node:net"
import { after, test } from "node:test"
import { makeApp } from "./app.ts"

const resource = "https://notes.example.com/mcp"
const issuer = await TestIssuer.start({ resource })
const decisions = TestClient.decisions()
const { app, dispose } = await makeApp({
  resource,
  authorizationServers: [issuer.issuer],
  fetch: issuer.fetch,
  layer: decisions.layer
})
const listening = app.listen(0, "127.0.0.1")
await once(listening, "listening")
const { port } = listening.address() as AddressInfo

const client = TestClient.start({
  issuer,
  handler: fetch,
  url: `http://127.0.0.1:${port}/mcp`,
  protocol: "2025-11-25",
  decisions
})
const carol = { subject: "carol", scopes: ["notes:read", "notes:write"] }
const dave = { subject: "dave", scopes: ["notes:read"] }

after(async () => {
  listening.close()
  listening.closeAllConnections()
  await dispose()
})

test("a client without a token learns where to sign in", async () => {
  await expectChallenge({ status: 401, error: null, scope: ["notes:read"] })(client.callTool("list_notes"))
})

test("notes belong to their owner", async () => {
  const added = await client.as(carol).callTool("add_note", { text: "milk" })
  assert.equal(expectAdmitted(added).value, "You have 1 notes")
  assert.deepEqual((await client.as(dave).callTool("list_notes")).result?.content, [])
})

test("read access does not allow writing", async () => {
  const answer = await client.as(dave).callTool("add_note", { text: "eggs" })
  expectChallenge({ status: 403, error: "insufficient_scope", scope: ["notes:write", "notes:read"] })(answer)
})

test("a token for another server is rejected", async () => {
  const foreign = { ...carol, audience: "https://other.example.com/mcp" }
  await expectRejected("audience")(client.as(foreign).callTool("list_notes"))
})

test("the session of another caller does not exist", async () => {
  const { headers } = await client.as(carol).openSession()
  await expectRejected("session")(client.as(dave).inSession(headers["mcp-session-id"]!).callTool("list_notes"))
})

test("a new key in an outage does not require a new sign-in", async () => {
  await issuer.rotateKeys()
  await issuer.goDown()
  await expectRejected("network")(client.as(carol).callTool("list_notes"))
})
