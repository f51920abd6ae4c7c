import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Forgery } from "effect-mcp-auth/testing"
import * as Running from "./Running.ts"

describe("the table of the testing kit, over HTTP", () => {
  it.effect("T-JOSE-01 T-JOSE-02 T-JOSE-04 T-JOSE-05 T-JOSE-06 T-JOSE-08 T-CLAIM-02 T-CLAIM-03 T-CLAIM-04 T-CLAIM-05 T-CLAIM-09: answers 401 to each forgery, with its reason in the decision", () =>
    Effect.gen(function*() {
      const server = yield* Running.start()
      for (const kind of Forgery.kinds) {
        const before = server.decisions.length
        const token = yield* server.issuer.mintBroken(kind, { scopes: ["todos:read"] })
        Running.assertInvalidToken(server, yield* server.call("list_todos", Running.bearer(token)))
        const reasons = server.decisions.slice(before).map(({ reason }) => reason)
        assert.deepStrictEqual(reasons, [Forgery.forgeries[kind].reason], kind)
      }
      const good = yield* server.issuer.mint({ scopes: ["todos:read"] })
      Running.resultOf(yield* server.call("list_todos", Running.bearer(good)))
      const foreign = (yield* server.issuer.requests).filter(({ url }) => !url.startsWith(server.issuer.issuer))
      assert.deepStrictEqual(foreign, [], "a host that a token names got a request")
    }))
})
