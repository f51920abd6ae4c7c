import { assert, describe, it } from "@effect/vitest"
import { makePolicies } from "../../../src/servers/sdk/RegistrationPolicy.ts"
import { anonymousViewer } from "../../../src/servers/sdk/Visibility.ts"

describe("RegistrationPolicies", () => {
  it("a registration is hidden from an anonymous caller only if its policy says so", () => {
    const policies = makePolicies()
    const [open, challenged, hidden] = [{}, {}, {}]
    policies.set(challenged, { scopes: ["read"], unauthorized: "challenge" })
    assert.isFalse(policies.canHide())
    policies.set(hidden, { scopes: ["read"], unauthorized: "hide" })
    assert.isTrue(policies.canHide())
    assert.deepStrictEqual([open, challenged, hidden].map((_) => policies.isHidden(_, anonymousViewer)), [
      false,
      false,
      true
    ])
  })

  it("the policies of one program do not apply in another one", () => {
    const registration = {}
    makePolicies().set(registration, { scopes: ["read"], unauthorized: "hide" })
    assert.isUndefined(makePolicies().get(registration))
  })
})
