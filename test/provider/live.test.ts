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
import { judge } from "./harness.ts"

const resource = "http://127.0.0.1:9/mcp"

const gateOf = (input: Configured.Input) =>
  Effect.gen(function*() {
    const services = yield* Layer.build(
      gateLayer({ authorizationServers: [input], resource, scopes: ["a"] }).pipe(
        Layer.provide(FetchHttpClient.layer)
      )
    )
    return yield* Effect.provide(AuthLayer.AuthLayer, services)
  })

// Tokens of a real oidc-provider, obtained as an MCP client obtains them.
describe("the profile of oidc-provider, at one that runs", () => {
  it.live.each(["RS256", "ES256", "PS256", "Ed25519"] as const)(
    "%s: its access token and no other (T-CLAIM-05, T-CLAIM-07)",
    (signingAlgorithm) =>
      Effect.gen(function*() {
        const { issuer } = yield* AuthorizationServer.make({ signingAlgorithm, scopes: ["a", "b"] })
        const gate = yield* gateOf({ profile: Profiles.oidcProvider({ issuer }) })
        const tokens = yield* Effect.promise(() => signIn({ issuer, resource, scope: "openid a" }))
        const caller = yield* judge(gate, tokens.access_token)
        assert.isObject(caller)
        assert.deepStrictEqual(typeof caller === "string" ? caller : [caller.subject, caller.scopes], ["alice", ["a"]])
        assert.strictEqual(yield* judge(gate, tokens.id_token ?? "no ID token"), "token-type")
        const elsewhere = yield* Effect.promise(() =>
          signIn({ issuer, resource: "http://localhost:9/other", scope: "a" })
        )
        assert.strictEqual(yield* judge(gate, elsewhere.access_token), "audience")
      })
  )

  it.live("opaque tokens, with the credentials of introspection beside the profile", () =>
    Effect.gen(function*() {
      const { issuer, service } = yield* AuthorizationServer.make({ accessTokenFormat: "opaque", scopes: ["a"] })
      const profile = Profiles.oidcProvider({ issuer })
      const { clientId, clientSecret } = service
      const gate = yield* gateOf({ profile, introspection: Introspection.make({ clientId, clientSecret }) })
      const tokens = yield* Effect.promise(() => signIn({ issuer, resource, scope: "a" }))
      const caller = yield* judge(gate, tokens.access_token)
      assert.deepStrictEqual(typeof caller === "string" ? caller : [caller.subject, caller.scopes], ["alice", ["a"]])
      const wrong = yield* gateOf({
        profile,
        introspection: Introspection.make({ clientId, clientSecret: Redacted.make("wrong") })
      })
      assert.strictEqual(yield* judge(wrong, tokens.access_token), "client-rejected")
    }))
})
