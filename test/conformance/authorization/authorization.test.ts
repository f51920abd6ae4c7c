import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as AuthorizationConformance from "./AuthorizationConformance.ts"

describe("the OAuth proxy in the official conformance suite", () => {
  it.live.each(
    [
      { form: "github", login: "silent" },
      { form: "google", login: "page" },
      { form: "entra", login: "page" }
    ] as const
  )("passes every check of an authorization server, with an upstream like $form", (options) =>
    Effect.gen(function*() {
      const result = yield* AuthorizationConformance.run(options)
      assert.deepStrictEqual(
        AuthorizationConformance.passed(result).toSorted(),
        AuthorizationConformance.required,
        result.output
      )
      assert.lengthOf(result.checks, AuthorizationConformance.required.length)
      assert.strictEqual(result.exitCode, 0)
    }).pipe(Effect.provide(NodeServices.layer)))

  it.live("requires the checks of each scenario that the suite has", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(
        (yield* AuthorizationConformance.listScenarios).toSorted(),
        [...new Set(AuthorizationConformance.required.map((name) => name.split("/")[0]))]
      )
    }).pipe(Effect.provide(NodeServices.layer)))
})
