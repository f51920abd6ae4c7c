/** Compares the list of providers with the results of `check` for each server that the tests run. */
import { assert, describe, it, layer } from "@effect/vitest"
import { Effect } from "effect"
import { Facts } from "effect-mcp-auth/provider"
import { readFileSync } from "node:fs"
import * as AuthorizationServer from "../../examples/authorization-server/AuthorizationServer.ts"
import { start } from "../../examples/shared/test/Program.ts"
import * as ProviderList from "../../src/cli/format/providerList.ts"
import { runs } from "../program.ts"
import * as BetterAuth from "./betterAuth.ts"
import { Glewlwyd, layer as glewlwyd } from "./glewlwyd.ts"
import { checkRunning } from "./list.ts"
import * as OAuth2MockServer from "./oauth2MockServer.ts"
import * as OpenAuth from "./openauth.ts"
import * as SdkDemo from "./sdkDemo.ts"
import * as WorkersOAuthProvider from "./workersOAuthProvider.ts"

const list = readFileSync(new URL("../../PROVIDERS.md", import.meta.url), "utf8").split("\n")

/** Returns the cells of the row of a provider. */
const getCells = (name: string): ReadonlyArray<string> =>
  list.find((line) => line.startsWith(`| ${name} `))!.split("|").slice(1, -1).map((_) => _.trim())

const assertSameEntry = Effect.fnUntraced(function*(id: string, issuer: string) {
  const fact = Facts.get(id)!
  const { needs, supports } = ProviderList.makeEntry(fact, yield* checkRunning(issuer))
  const [, newest, middle, oldest] = getCells(fact.name)
  assert.deepStrictEqual(supports, { "2026-07-28": newest, "2025-11-25": middle, "2025-06-18": oldest })
  assert.strictEqual(needs, getCells(fact.name).at(-1))
})

describe("a running server has the result in the list", () => {
  it.live.each(["RS256", "ES256", "PS256", "Ed25519"] as const)(
    "oidc-provider with the algorithm %s",
    (signingAlgorithm) =>
      Effect.gen(function*() {
        const { issuer } = yield* AuthorizationServer.make({ signingAlgorithm, scopes: ["a"] })
        yield* assertSameEntry("oidc-provider", issuer)
      })
  )

  it.live("oidc-provider with opaque tokens", () =>
    Effect.gen(function*() {
      const { issuer } = yield* AuthorizationServer.make({ accessTokenFormat: "opaque", scopes: ["a"] })
      yield* assertSameEntry("oidc-provider", issuer)
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
      ({ issuer }) => assertSameEntry("oidc-provider", issuer),
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
        yield* assertSameEntry("better-auth", issuer)
      })
  )

  it.live.each(OAuth2MockServer.algorithms)(
    "oauth2-mock-server with the algorithm %s",
    (algorithm) =>
      Effect.gen(function*() {
        const server = yield* OAuth2MockServer.make(algorithm)
        yield* assertSameEntry("oauth2-mock-server", server.issuer.url!)
      })
  )

  it.live("the demo server of the SDK", () =>
    Effect.gen(function*() {
      yield* assertSameEntry("mcp-sdk-demo", (yield* SdkDemo.make({ resource: "http://127.0.0.1:9/mcp" })).issuer)
    }))

  it.live("workers-oauth-provider in workerd", () =>
    Effect.gen(function*() {
      const { issuer } = yield* WorkersOAuthProvider.make({ resources: ["http://127.0.0.1:9/mcp"], scopes: ["a"] })
      yield* assertSameEntry("workers-oauth-provider", issuer)
    }))

  it.live("OpenAuth without additions to its metadata", () =>
    Effect.gen(function*() {
      yield* assertSameEntry("openauth", (yield* OpenAuth.make({ scopes: [] })).issuer)
    }))
})

describe.skipIf(!runs("glewlwyd"))("Glewlwyd has the result in the list (skipped if it is not installed)", () => {
  layer(glewlwyd({ resources: ["http://127.0.0.1:9/mcp"], scopes: ["a"] }), {
    excludeTestServices: true,
    timeout: "1 minute"
  })((it) => {
    it.effect.each(["RS256", "EdDSA"] as const)("with the algorithm %s", (algorithm) =>
      Effect.gen(function*() {
        yield* assertSameEntry("glewlwyd", (yield* Glewlwyd).realm(algorithm).issuer)
      }))
  })
})
