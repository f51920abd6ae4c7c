/** Creates the list of providers from the facts, and from checks of servers that it starts. */
import { Effect } from "effect"
import { Check, Facts, type Report, type Rule } from "effect-mcp-auth/provider"
import { FetchHttpClient } from "effect/http"
import * as AuthorizationServer from "../../examples/authorization-server/AuthorizationServer.ts"
import * as ProviderList from "../../src/cli/format/providerList.ts"
import * as BetterAuth from "./betterAuth.ts"

const scopes = ["create:todos", "read:todos"]

/** Checks a running server, for each revision. */
export const checkRunning = (issuer: string): Effect.Effect<Readonly<Record<Rule.Revision, Report.Report>>> =>
  Effect.all({
    "2026-07-28": Check.run(issuer, { revision: "2026-07-28" }),
    "2025-11-25": Check.run(issuer, { revision: "2025-11-25" }),
    "2025-06-18": Check.run(issuer, { revision: "2025-06-18" })
  }).pipe(Effect.provide(FetchHttpClient.layer), Effect.orDie)

/** Starts the servers, checks them, and returns the rows of the list of providers. */
export const entries: Effect.Effect<ReadonlyArray<ProviderList.Entry>> = Effect.gen(function*() {
  const oidcProvider = yield* Effect.orDie(AuthorizationServer.make({ scopes }))
  const betterAuth = yield* BetterAuth.make({ resource: "http://127.0.0.1:9/mcp", scopes, algorithm: "EdDSA" })
  const live: Readonly<Record<string, Readonly<Record<Rule.Revision, Report.Report>>>> = {
    "oidc-provider": yield* checkRunning(oidcProvider.issuer),
    "better-auth": yield* checkRunning(betterAuth.issuer)
  }
  return Facts.all.map((fact) => ProviderList.makeEntry(fact, live[fact.id]))
}).pipe(Effect.scoped)

/** Returns the list of providers as Markdown. */
export const markdown: Effect.Effect<string> = Effect.map(entries, ProviderList.toMarkdown)
