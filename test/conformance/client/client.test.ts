import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as ClientConformance from "./ClientConformance.ts"
import { scenarios } from "./scenarios.ts"

describe("the client in the official conformance suite", () => {
  it.live("passes the scenarios of the extensions for machine clients, organizations and workloads, and rejects wrong metadata", () =>
    Effect.gen(function*() {
      const chosen = ClientConformance.required.filter(({ name }) => name.startsWith("auth/"))
      const results = yield* Effect.forEach(chosen, ClientConformance.run, { concurrency: 3 })
      assert.deepStrictEqual(results.filter(({ isAccepted }) => !isAccepted), [])
      assert.deepStrictEqual(results.map(({ scenario }) => scenario.name), [
        "auth/client-credentials-basic",
        "auth/client-credentials-jwt",
        "auth/enterprise-managed-authorization",
        "auth/wif-jwt-bearer",
        "auth/metadata-issuer-mismatch",
        "auth/resource-mismatch"
      ])
    }).pipe(Effect.provide(NodeServices.layer)))

  it.live("has a required result or a reason for each scenario of authorization and of revision 2026-07-28", () =>
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
