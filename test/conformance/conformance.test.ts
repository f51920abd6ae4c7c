import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Conformance from "./Conformance.ts"

/** What Effect 4.1 does not pass by itself: over HTTP it has no subscriptions for revisions with sessions. */
const shortfall: Record<Conformance.Revision, ReadonlyArray<string>> = {
  "2025-11-25": ["resources-subscribe/resources-subscribe", "resources-unsubscribe/resources-unsubscribe"],
  "2026-07-28": []
}

describe("conformance", () => {
  it.live(
    "the official suite cannot tell a server behind the gate from the same server without one",
    () =>
      Effect.gen(function*() {
        const { comparisons, requests, withoutToken } = yield* Conformance.compare

        // Else both servers would be the same one.
        assert.strictEqual(withoutToken.status, 401)
        assert.match(withoutToken.challenge ?? "", /^Bearer .*resource_metadata="/)
        assert.strictEqual(requests.inFront.withCredentials, 0)
        assert.strictEqual(requests.behind.withoutCredentials, 0)
        assert.strictEqual(requests.behind.withCredentials, requests.inFront.withoutCredentials)

        assert.deepStrictEqual(comparisons.map(({ revision }) => revision), [...Conformance.revisions])
        for (const { behind, differences, inFront, revision } of comparisons) {
          // Else the two could be equally broken.
          assert.deepStrictEqual(Conformance.shortfall(inFront), shortfall[revision], revision)
          assert.deepStrictEqual(differences, [], revision)
          assert.deepStrictEqual([behind.passed, behind.failed], [inFront.passed, inFront.failed], revision)
        }
      }).pipe(Effect.provide(NodeServices.layer)),
    60_000
  )
})
