import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import { AuthLayer } from "effect-mcp-auth"
import { Introspection } from "effect-mcp-auth/introspection"
import { Profiles } from "effect-mcp-auth/provider"
import type { AuthorizationServer as Configured } from "effect-mcp-auth/verification"
import { FetchHttpClient } from "effect/http"
import * as AuthorizationServer from "../../examples/authorization-server/AuthorizationServer.ts"
import { signIn } from "../../examples/authorization-server/test/signIn.ts"
import { gateLayer } from "../servers/gates.ts"
import { authenticateToken } from "./harness.ts"

const resource = "http://127.0.0.1:9/mcp"

const makeGate = (input: Configured.Input) =>
  Effect.gen(function*() {
    const services = yield* Layer.build(
      gateLayer({ authorizationServers: [input], resource, scopes: ["a"] }).pipe(
        Layer.provide(FetchHttpClient.layer)
      )
    )
    return yield* Effect.provide(AuthLayer.AuthLayer, services)
  })

// A real oidc-provider issues the tokens, and the tests sign in as an MCP client does.
describe("the profile of oidc-provider, with a running server", () => {
  it.live.each(["RS256", "ES256", "PS256", "Ed25519"] as const)(
    "admits access tokens with %s, and rejects ID tokens and tokens for another resource (T-CLAIM-05, T-CLAIM-07)",
    (signingAlgorithm) =>
      Effect.gen(function*() {
        const { issuer } = yield* AuthorizationServer.make({ signingAlgorithm, scopes: ["a", "b"] })
        const gate = yield* makeGate({ profile: Profiles.oidcProvider({ issuer }) })
        const tokens = yield* Effect.promise(() => signIn({ issuer, resource, scope: "openid a" }))
        const caller = yield* authenticateToken(gate, tokens.access_token)
        assert.isObject(caller)
        assert.deepStrictEqual(typeof caller === "string" ? caller : [caller.subject, caller.scopes], ["alice", ["a"]])
        assert.strictEqual(yield* authenticateToken(gate, tokens.id_token ?? "no ID token"), "token-type")
        const elsewhere = yield* Effect.promise(() =>
          signIn({ issuer, resource: "http://localhost:9/other", scope: "a" })
        )
        assert.strictEqual(yield* authenticateToken(gate, elsewhere.access_token), "audience")
      })
  )

  it.live("admits opaque tokens if introspection has valid credentials", () =>
    Effect.gen(function*() {
      const { issuer, service } = yield* AuthorizationServer.make({ accessTokenFormat: "opaque", scopes: ["a"] })
      const profile = Profiles.oidcProvider({ issuer })
      const { clientId, clientSecret } = service
      const gate = yield* makeGate({ profile, introspection: Introspection.make({ clientId, clientSecret }) })
      const tokens = yield* Effect.promise(() => signIn({ issuer, resource, scope: "a" }))
      const caller = yield* authenticateToken(gate, tokens.access_token)
      assert.deepStrictEqual(typeof caller === "string" ? caller : [caller.subject, caller.scopes], ["alice", ["a"]])
      const wrong = yield* makeGate({
        profile,
        introspection: Introspection.make({ clientId, clientSecret: Redacted.make("wrong") })
      })
      assert.strictEqual(yield* authenticateToken(wrong, tokens.access_token), "client-rejected")
    }))
})
