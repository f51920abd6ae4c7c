import { assert, describe, it } from "@effect/vitest"
import { freezePrincipal } from "../../../src/verification/claims/Frozen.ts"
import { principal } from "../../authorization/support.ts"

describe("an immutable principal", () => {
  it.each([
    ["a set", new Set(["todos:read"])],
    ["a set that the verifier froze, which leaves its members mutable", Object.freeze(new Set(["todos:read"]))]
  ])("cannot be changed through %s", (_, scopes) => {
    const frozen = freezePrincipal({ ...principal({ scopes: [] }), scopes, granted: scopes })
    const { granted } = frozen
    assert.throws(() => (frozen.scopes as Set<string>).add("todos:admin"), TypeError)
    assert.throws(() => (granted as Set<string>).clear(), TypeError)
    scopes.add("todos:admin")
    assert.deepStrictEqual([...frozen.scopes], ["todos:read"])
    assert.strictEqual(freezePrincipal(frozen).scopes, frozen.scopes)
  })
})
