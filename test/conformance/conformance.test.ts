import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Conformance from "./Conformance.ts"
import * as SdkServers from "./SdkServers.ts"

/** The checks that Effect 4.1 fails. Over HTTP, it has no subscriptions for revisions with sessions. */
const shortfall: Record<Conformance.Revision, ReadonlyArray<string>> = {
  "2025-11-25": ["resources-subscribe/resources-subscribe", "resources-unsubscribe/resources-unsubscribe"],
  "2026-07-28": []
}

/**
 * The checks that version 2 of the SDK fails. It serves clients of 2025-11-25 without sessions, so it cannot send requests to
 * them, and they cannot subscribe.
 */
const shortfallOfV2: Record<Conformance.Revision, ReadonlyArray<string>> = {
  "2025-11-25": [
    "elicitation-sep1034-defaults/elicitation-sep1034-general",
    "elicitation-sep1330-enums/elicitation-sep1330-general",
    "resources-subscribe/resources-subscribe",
    "resources-unsubscribe/resources-unsubscribe",
    "tools-call-elicitation/tools-call-elicitation",
    "tools-call-sampling/tools-call-sampling"
  ],
  "2026-07-28": []
}

const servers = [
  { name: "Effect's own", compare: Conformance.compare, revisions: [...Conformance.revisions], shortfall },
  {
    name: "@modelcontextprotocol/sdk",
    compare: Conformance.compareSdk(SdkServers.v1, ["2025-11-25"]),
    revisions: ["2025-11-25" as const],
    shortfall: { "2025-11-25": [], "2026-07-28": [] }
  },
  {
    name: "@modelcontextprotocol/server",
    compare: Conformance.compareSdk(SdkServers.v2, Conformance.revisions),
    revisions: [...Conformance.revisions],
    shortfall: shortfallOfV2
  }
]

describe("conformance", () => {
  it.live.each(servers)(
    "the official suite has the same results for a server with and without the gate: $name",
    ({ compare, revisions, shortfall }) =>
      Effect.gen(function*() {
        const { comparisons, requests, withoutToken } = yield* compare

        // These assertions show that one of the two servers has a gate and the other one does not.
        assert.strictEqual(withoutToken.status, 401)
        assert.match(withoutToken.challenge ?? "", /^Bearer .*resource_metadata="/)
        assert.strictEqual(requests.inFront.withCredentials, 0)
        assert.strictEqual(requests.behind.withoutCredentials, 0)
        assert.strictEqual(requests.behind.withCredentials, requests.inFront.withoutCredentials)

        assert.deepStrictEqual(comparisons.map(({ revision }) => revision), revisions)
        for (const { behind, differences, inFront, revision } of comparisons) {
          // Without this list of expected failures, two servers that fail the same checks would pass.
          assert.deepStrictEqual(Conformance.shortfall(inFront), shortfall[revision], revision)
          assert.deepStrictEqual(differences, [], revision)
          assert.deepStrictEqual([behind.passed, behind.failed], [inFront.passed, inFront.failed], revision)
        }
      }).pipe(Effect.provide(NodeServices.layer)),
    120_000
  )
})
