import { assert, layer } from "@effect/vitest"
import { Effect, Layer, Stream } from "effect"
import { AuthLayer } from "effect-mcp-auth"
import { expectAdmitted, expectChallenge, expectRejected, TestClient, TestIssuer } from "effect-mcp-auth/testing"
import { App, claims, issuer, resource, scopes, Server, Tools, ToolsLive } from "./Notes.ts"

const Test = TestClient.layer(Server).pipe(Layer.provideMerge(TestIssuer.layer({ issuer, resource })))

const alice = { subject: "alice", scopes: ["notes:read", "notes:write"], claims: { tenant: "acme" } }

layer(Test)("by client", (it) => {
  it.effect("with the scope, a note is added", () =>
    Effect.gen(function*() {
      const client = yield* TestClient.TestClient
      const { value } = yield* client.callTool("add_note", { text: "milk" }).pipe(TestClient.as(alice), expectAdmitted)
      assert.deepStrictEqual(value, { note: "alice: milk" })
    }))

  it.effect("without it, the challenge names the scope", () =>
    Effect.gen(function*() {
      const client = yield* TestClient.TestClient
      const reader = { ...alice, scopes: ["notes:read"] }
      const call = client.callTool("add_note", { text: "milk" }).pipe(TestClient.as(reader))
      yield* call.pipe(expectChallenge({ status: 403, error: "insufficient_scope", scope: ["notes:write"] }))
    }))

  it.effect("a custom claim decides whose notes are listed", () =>
    Effect.gen(function*() {
      const client = yield* TestClient.TestClient
      const other = { ...alice, claims: { tenant: "umbrella" } }
      const { value } = yield* client.callTool("list_notes").pipe(TestClient.as(other), expectAdmitted)
      assert.deepStrictEqual(value, { notes: [] })
    }))

  it.effect("without that claim, a token is rejected", () =>
    Effect.gen(function*() {
      const client = yield* TestClient.TestClient
      yield* client.callTool("list_notes").pipe(TestClient.as({ ...alice, claims: {} }), expectRejected("claims"))
    }))
})

layer(Test)("by fault", (it) => {
  it.effect("an expired token is rejected", () =>
    Effect.gen(function*() {
      const client = yield* TestClient.TestClient
      const late = { ...alice, expiresIn: "-1 second" } as const
      yield* client.callTool("list_notes").pipe(TestClient.as(late), expectRejected("expired"))
    }))

  it.effect("a rotated key is found", () =>
    Effect.gen(function*() {
      const client = yield* TestClient.TestClient
      const { rotateKeys } = yield* TestIssuer.TestIssuer
      yield* rotateKeys
      yield* client.callTool("list_notes").pipe(TestClient.as(alice), expectAdmitted)
    }))

  it.effect("a forged token is rejected, and the log contains the reason", () =>
    Effect.gen(function*() {
      const client = yield* TestClient.TestClient
      const { mintBroken } = yield* TestIssuer.TestIssuer
      const forged = yield* mintBroken("hmac-with-public-key", alice)
      yield* client.callTool("list_notes").pipe(TestClient.as(forged), expectRejected("algorithm"))
    }))
})

layer(Test)("an outage", (it) => {
  it.effect("from the start does not require a new sign-in", () =>
    Effect.gen(function*() {
      const client = yield* TestClient.TestClient
      const { goDown } = yield* TestIssuer.TestIssuer
      yield* goDown()
      const { challenge } = yield* client.callTool("list_notes").pipe(TestClient.as(alice), expectRejected("network"))
      assert.isUndefined(challenge)
    }))
})

layer(Test)("by answer", (it) => {
  it.effect("an overloaded issuer gets one request", () =>
    Effect.gen(function*() {
      const client = yield* TestClient.TestClient
      const { jwksUri, requests, respondWith } = yield* TestIssuer.TestIssuer
      yield* respondWith("/jwks", () => new Response("busy", { status: 429 }))
      yield* client.callTool("list_notes").pipe(TestClient.as(alice), expectRejected("server-error"))
      assert.lengthOf((yield* requests).filter(({ url }) => url === jwksUri), 1)
    }))
})

const tenant = { claims: { tenant: "acme" }, claimsService: claims }

layer(ToolsLive.pipe(Layer.merge(AuthLayer.mock({ subject: "bob", scopes, ...tenant }))))("by layer", (it) => {
  it.effect("a tool runs without a server", () =>
    Effect.gen(function*() {
      const tools = yield* Tools
      const results = yield* tools.handle("add_note", { text: "milk" }).pipe(Effect.flatMap(Stream.runCollect))
      assert.deepStrictEqual(results.map(({ result }) => result), [{ note: "bob: milk" }])
    }))
})

const Reader = App.pipe(Layer.provide(AuthLayer.mock({ scopes, granted: ["notes:read"], resource, ...tenant })))

layer(TestClient.layer(Reader).pipe(Layer.provide(TestIssuer.layer({ resource }))))("by layer and client", (it) => {
  it.effect("a server runs without tokens", () =>
    Effect.gen(function*() {
      const client = yield* TestClient.TestClient
      yield* client.callTool("list_notes").pipe(expectAdmitted)
      yield* client.callTool("add_note", { text: "milk" }).pipe(expectRejected("missing-scope"))
    }))
})
