/**
 * The tests of `Notes.test.ts` with `node:test` and promises. Servers on an SDK are tested in the same way: pass their handler.
 */
import { Context } from "effect"
import { expectAdmitted, expectChallenge, expectRejected, TestClient, TestIssuer } from "effect-mcp-auth/testing"
import { FetchHttpClient, HttpRouter } from "effect/http"
import assert from "node:assert/strict"
import { after, beforeEach, test } from "node:test"
import { issuer as url, resource, Server } from "./Notes.ts"

const issuer = await TestIssuer.start({ issuer: url, resource })
const server = HttpRouter.toWebHandler(Server, { disableLogger: true })
// oxlint-disable-next-line no-restricted-properties -- this `fetch` requests only TestIssuer
const network = Context.make(FetchHttpClient.Fetch, issuer.fetch)
const client = TestClient.start({ issuer, handler: (request) => server.handler(request, network) })

const alice = { subject: "alice", scopes: ["notes:read", "notes:write"], claims: { tenant: "acme" } }

beforeEach(() => issuer.recover())
after(() => server.dispose())

test("with the scope, a note is added", async () => {
  const answer = await client.as(alice).callTool("add_note", { text: "milk" })
  assert.deepEqual(expectAdmitted(answer).value, { note: "alice: milk" })
})

test("without it, the challenge names the scope", async () => {
  const answer = await client.as({ ...alice, scopes: ["notes:read"] }).callTool("add_note", { text: "milk" })
  expectChallenge({ status: 403, error: "insufficient_scope", scope: ["notes:write"] })(answer)
})

test("an expired token is rejected", async () => {
  const token = await issuer.mint({ ...alice, expiresIn: "-1 second" })
  await expectRejected("expired")(client.as(token).callTool("list_notes"))
})

test("a failed assertion shows the expected value", async () => {
  const answer = await client.callTool("list_notes")
  assert.throws(() => expectAdmitted(answer), {
    name: "AssertionError",
    message: /^expected the request to be admitted, got 401, WWW-Authenticate: Bearer scope="notes:read"/
  })
})
