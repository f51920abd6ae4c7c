import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as ClientConformance from "./ClientConformance.ts"
import { scenarios } from "./scenarios.ts"

/** `npm run conformance:client` runs all scenarios, which takes longer. */
const representatives: ReadonlyArray<string> = [
  "auth/2025-03-26-oauth-endpoint-fallback",
  "auth/2025-03-26-oauth-metadata-backcompat",
  "auth/client-credentials-basic",
  "auth/client-credentials-jwt",
  "auth/enterprise-managed-authorization",
  "auth/wif-jwt-bearer",
  "auth/dpop",
  "auth/dpop-nonce",
  "auth/metadata-issuer-mismatch",
  "auth/resource-mismatch",
  "auth/authorization-server-migration",
  "auth/basic-cimd",
  "auth/iss-wrong-issuer",
  "auth/pre-registration",
  "auth/scope-step-up"
]

describe("the client in the official conformance suite", () => {
  it.live(
    "passes the scenarios of all extensions, and one scenario of each kind with a person",
    () =>
      Effect.gen(function*() {
        const chosen = scenarios.filter(({ name }) => representatives.includes(name))
        const results = yield* Effect.forEach(chosen, ClientConformance.run, { concurrency: 3 })
        assert.deepStrictEqual(results.filter(({ isAccepted }) => !isAccepted), [])
        assert.lengthOf(results, representatives.length)
      }).pipe(Effect.provide(NodeServices.layer)),
    120_000
  )

  it.live("requires each scenario of authorization and of revision 2026-07-28", () =>
    Effect.gen(function*() {
      const listed = yield* ClientConformance.listScenarios
      const relevant = listed.filter(({ name, revisions }) =>
        name.startsWith("auth/") || revisions.includes("2026-07-28")
      )
      assert.isAbove(relevant.length, 30)
      assert.deepStrictEqual(
        scenarios.map(({ name }) => name).toSorted(),
        relevant.map(({ name }) => name).toSorted()
      )
    }).pipe(Effect.provide(NodeServices.layer)))
})
