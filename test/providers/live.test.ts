/** The list, held against what `check` says of each server that the tests run. */
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
import { reports } from "./list.ts"
import * as OAuth2MockServer from "./oauth2MockServer.ts"

const list = readFileSync(new URL("../../PROVIDERS.md", import.meta.url), "utf8").split("\n")

/** The cells of a line. */
const lineOf = (name: string): ReadonlyArray<string> =>
  list.find((line) => line.startsWith(`| ${name} `))!.split("|").slice(1, -1).map((_) => _.trim())

const agrees = Effect.fnUntraced(function*(id: string, issuer: string) {
  const fact = Facts.get(id)!
  const { needs, supports } = ProviderList.makeEntry(fact, yield* reports(issuer))
  const [, newest, middle, oldest] = lineOf(fact.name)
  assert.deepStrictEqual(supports, { "2026-07-28": newest, "2025-11-25": middle, "2025-06-18": oldest })
  assert.strictEqual(needs, lineOf(fact.name).at(-1))
})

describe("a server that runs gets the verdict of the list", () => {
  it.live.each(["RS256", "ES256", "PS256", "Ed25519"] as const)(
    "oidc-provider, %s",
    (signingAlgorithm) =>
      Effect.gen(function*() {
        const { issuer } = yield* AuthorizationServer.make({ signingAlgorithm, scopes: ["a"] })
        yield* agrees("oidc-provider", issuer)
      })
  )

  it.live("oidc-provider, with opaque tokens", () =>
    Effect.gen(function*() {
      const { issuer } = yield* AuthorizationServer.make({ accessTokenFormat: "opaque", scopes: ["a"] })
      yield* agrees("oidc-provider", issuer)
    }))

  it.live("oidc-provider, within the todo manager", () =>
    Effect.acquireUseRelease(
      Effect.promise(async () => {
        const program = start("todo-manager/main.ts", { PORT: "0" })
        const url = (await program.firstLine).replace("listening on ", "")
        const metadata = await fetch(new URL("/.well-known/oauth-protected-resource/mcp", url))
        const { authorization_servers } = (await metadata.json()) as { authorization_servers: [string] }
        return { program, issuer: authorization_servers[0] }
      }),
      ({ issuer }) => agrees("oidc-provider", issuer),
      ({ program }) =>
        Effect.promise(() => {
          program.interrupt()
          return program.ended
        })
    ))

  it.live.each(["RS256", "ES256", "PS256", "EdDSA"] as const)("better-auth, %s", (algorithm) =>
    Effect.gen(function*() {
      const { issuer } = yield* BetterAuth.make({ resource: "http://127.0.0.1:9/mcp", scopes: ["a"], algorithm })
      yield* agrees("better-auth", issuer)
    }))

  it.live.each(OAuth2MockServer.algorithms)("oauth2-mock-server, %s", (algorithm) =>
    Effect.gen(function*() {
      const server = yield* OAuth2MockServer.make(algorithm)
      yield* agrees("oauth2-mock-server", server.issuer.url!)
    }))
})

describe.skipIf(!runs("glewlwyd"))("Glewlwyd, too (skipped where it is not installed)", () => {
  layer(glewlwyd({ resources: ["http://127.0.0.1:9/mcp"], scopes: ["a"] }), {
    excludeTestServices: true,
    timeout: "1 minute"
  })((it) => {
    it.effect.each(["RS256", "EdDSA"] as const)("%s", (algorithm) =>
      Effect.gen(function*() {
        yield* agrees("glewlwyd", (yield* Glewlwyd).realm(algorithm).issuer)
      }))
  })
})
