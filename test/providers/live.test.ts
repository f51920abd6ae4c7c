/** Compares the list of providers with the results of `check` for each server that the tests run. */
import { describe, it, layer } from "@effect/vitest"
import { Effect } from "effect"
import * as AuthorizationServer from "../../examples/authorization-server/AuthorizationServer.ts"
import { start } from "../../examples/shared/test/Program.ts"
import { runs } from "../program.ts"
import * as BetterAuth from "./betterAuth.ts"
import { Glewlwyd, layer as glewlwyd } from "./glewlwyd.ts"
import { assertListed } from "./listed.ts"
import * as OAuth2MockServer from "./oauth2MockServer.ts"
import * as OpenAuth from "./openauth.ts"
import * as SdkDemo from "./sdkDemo.ts"
import * as WorkersOAuthProvider from "./workersOAuthProvider.ts"

describe("a running server has the result in the list", () => {
  it.live.each(["RS256", "ES256", "PS256", "Ed25519"] as const)(
    "oidc-provider with the algorithm %s",
    (signingAlgorithm) =>
      Effect.gen(function*() {
        const { issuer } = yield* AuthorizationServer.make({ signingAlgorithm, scopes: ["a"] })
        yield* assertListed("oidc-provider", issuer)
      })
  )

  it.live("oidc-provider with opaque tokens", () =>
    Effect.gen(function*() {
      const { issuer } = yield* AuthorizationServer.make({ accessTokenFormat: "opaque", scopes: ["a"] })
      yield* assertListed("oidc-provider", issuer)
    }))

  it.live("oidc-provider in the todo manager", () =>
    Effect.acquireUseRelease(
      Effect.promise(async () => {
        const program = start("todo-manager/main.ts", { PORT: "0" })
        const url = (await program.firstLine).replace("listening on ", "")
        const metadata = await fetch(new URL("/.well-known/oauth-protected-resource/mcp", url))
        const { authorization_servers } = (await metadata.json()) as { authorization_servers: [string] }
        return { program, issuer: authorization_servers[0] }
      }),
      ({ issuer }) => assertListed("oidc-provider", issuer),
      ({ program }) =>
        Effect.promise(() => {
          program.interrupt()
          return program.ended
        })
    ))

  it.live.each(["RS256", "ES256", "PS256", "EdDSA"] as const)(
    "better-auth with the algorithm %s",
    (algorithm) =>
      Effect.gen(function*() {
        const { issuer } = yield* BetterAuth.make({ resource: "http://127.0.0.1:9/mcp", scopes: ["a"], algorithm })
        yield* assertListed("better-auth", issuer)
      })
  )

  it.live.each(OAuth2MockServer.algorithms)(
    "oauth2-mock-server with the algorithm %s",
    (algorithm) =>
      Effect.gen(function*() {
        const server = yield* OAuth2MockServer.make(algorithm)
        yield* assertListed("oauth2-mock-server", server.issuer.url!)
      })
  )

  it.live("the demo server of the SDK", () =>
    Effect.gen(function*() {
      yield* assertListed("mcp-sdk-demo", (yield* SdkDemo.make({ resource: "http://127.0.0.1:9/mcp" })).issuer)
    }))

  it.live("workers-oauth-provider in workerd", () =>
    Effect.gen(function*() {
      const { issuer } = yield* WorkersOAuthProvider.make({ resources: ["http://127.0.0.1:9/mcp"], scopes: ["a"] })
      yield* assertListed("workers-oauth-provider", issuer)
    }))

  it.live("OpenAuth without additions to its metadata", () =>
    Effect.gen(function*() {
      yield* assertListed("openauth", (yield* OpenAuth.make({ scopes: [] })).issuer)
    }))
})

describe.skipIf(!runs("glewlwyd"))("Glewlwyd has the result in the list (skipped if it is not installed)", () => {
  layer(glewlwyd({ resources: ["http://127.0.0.1:9/mcp"], scopes: ["a"] }), {
    excludeTestServices: true,
    timeout: "1 minute"
  })((it) => {
    it.effect.each(["RS256", "EdDSA"] as const)("with the algorithm %s", (algorithm) =>
      Effect.gen(function*() {
        yield* assertListed("glewlwyd", (yield* Glewlwyd).realm(algorithm).issuer)
      }))
  })
})
