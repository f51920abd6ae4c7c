import { assert, layer } from "@effect/vitest"
import { Effect, Layer, Stream } from "effect"
import { AuthLayer } from "effect-mcp-auth"
import { expectAdmitted, expectChallenge, expectRejected, TestClient, TestIssuer } from "effect-mcp-auth/testing"
import * as WhoAmI from "../WhoAmI.ts"

const issuer = "https://auth.example.com"
const resource = "https://whoami.example.com/mcp"

const Test = TestClient.layer(WhoAmI.layer({ resource, authorizationServers: [issuer] })).pipe(
  Layer.provideMerge(TestIssuer.layer({ issuer, resource }))
)

const carol = { subject: "carol", clientId: "inspector", scopes: ["read:profile"] }

layer(WhoAmI.ToolsLive.pipe(Layer.merge(AuthLayer.mock({ ...carol, scopes: WhoAmI.scopes, issuer }))))(
  "by layer",
  (it) => {
    it.effect("returns the claims of the principal", () =>
      Effect.gen(function*() {
        const tools = yield* WhoAmI.Tools
        const results = yield* tools.handle("whoami", {}).pipe(Effect.flatMap(Stream.runCollect))
        assert.deepStrictEqual(results.map(({ result }) => result), [{ ...carol, issuer }])
      }))
  }
)

layer(Test)("by client", (it) => {
  it.effect("returns the claims of the token", () =>
    Effect.gen(function*() {
      const client = yield* TestClient.TestClient
      const { value } = yield* client.callTool("whoami").pipe(TestClient.as(carol), expectAdmitted)
      assert.deepStrictEqual(value, { ...carol, issuer })
    }))

  it.effect("requires its scope, at sign-in and afterwards", () =>
    Effect.gen(function*() {
      const client = yield* TestClient.TestClient
      const required = { scope: ["read:profile"] }
      yield* client.callTool("whoami").pipe(expectChallenge({ ...required, error: null }))
      yield* client.callTool("whoami").pipe(
        TestClient.as({ ...carol, scopes: ["write:profile"] }),
        expectChallenge({ ...required, error: "insufficient_scope" })
      )
    }))
})

layer(Test)("by fault", (it) => {
  it.effect("a withdrawn key admits no token any more", () =>
    Effect.gen(function*() {
      const client = yield* TestClient.TestClient
      const { mint, withdrawKey } = yield* TestIssuer.TestIssuer
      const stolen = yield* mint(carol)
      yield* withdrawKey()
      yield* client.callTool("whoami").pipe(TestClient.as(stolen), expectRejected("unknown-key"))
      yield* client.callTool("whoami").pipe(TestClient.as(carol), expectAdmitted)
    }))

  it.effect("an ID token is not an access token", () =>
    Effect.gen(function*() {
      const client = yield* TestClient.TestClient
      const { mintBroken } = yield* TestIssuer.TestIssuer
      const idToken = yield* mintBroken("id-token", carol)
      yield* client.callTool("whoami").pipe(TestClient.as(idToken), expectRejected("id-token"))
    }))
})
