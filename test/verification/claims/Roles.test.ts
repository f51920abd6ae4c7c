import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { AuthError, AuthLayer, Principal } from "effect-mcp-auth"
import { Profiles } from "effect-mcp-auth/provider"
import { readRoles } from "../../../src/verification/claims/Roles.ts"
import { authenticate } from "../../authorization/steps.ts"
import { bearer, gate } from "../../authorization/support.ts"

const claims = {
  realm_access: { roles: ["user", "editor"] },
  resource_access: { todos: { roles: ["owner"] }, other: { roles: ["root"] } },
  roles: ["Admin", 7, "", null],
  groups: "staff members",
  "cognito:groups": ["eu"],
  permissions: { admin: true }
}

describe("the roles of a caller", () => {
  const cases: ReadonlyArray<
    readonly [title: string, sources: Parameters<typeof readRoles>[1], roles: ReadonlyArray<string>]
  > = [
    ["a list", [["cognito:groups"]], ["eu"]],
    ["a nested list", [["realm_access", "roles"]], ["user", "editor"]],
    ["one text, which is one role", [["groups"]], ["staff members"]],
    ["several claims together", [["realm_access", "roles"], ["resource_access", "todos", "roles"]], [
      "user",
      "editor",
      "owner"
    ]],
    ["the texts of a list with other values", [["roles"]], ["Admin"]],
    ["nothing of an object", [["permissions"]], []],
    ["nothing of an absent claim", [["absent", "roles"]], []],
    ["nothing of an inherited member", [["constructor", "name"], ["__proto__"]], []],
    ["a function", [(given) => Object.keys(given["permissions"] as object)], ["admin"]],
    ["no source", [], []]
  ]

  it.each(cases)("come from %s", (_, sources, roles) => {
    assert.deepStrictEqual([...readRoles(claims, sources)], roles)
  })

  it.effect("are on the principal, from the option roles", () =>
    Effect.gen(function*() {
      const { gate: made, issuer } = yield* gate({ roles: [["realm_access", "roles"], ["roles"]] })
      const token = yield* issuer.mint({ scopes: ["todos:read"], claims })
      const caller = yield* authenticate(made, bearer(token))
      assert.deepStrictEqual([...(caller as Principal).roles], ["user", "editor", "Admin"])
    }))

  it.effect("do not exist without a source", () =>
    Effect.gen(function*() {
      const { gate: made, issuer } = yield* gate()
      const caller = yield* authenticate(made, bearer(yield* issuer.mint({ scopes: ["todos:read"], claims })))
      assert.deepStrictEqual([...(caller as Principal).roles], [])
    }))

  it("have sources in the profiles of identity providers", () => {
    const keycloak = (clientRoles?: string) =>
      Profiles.keycloak({
        url: "https://sso.example.com",
        realm: "acme",
        ...(clientRoles === undefined ? {} : { clientRoles })
      })
    assert.deepStrictEqual([...readRoles(claims, keycloak().roles!)], ["user", "editor"])
    assert.deepStrictEqual([...readRoles(claims, keycloak("todos").roles!)], ["user", "editor", "owner"])
  })

  it.effect.each<readonly [title: string, roles: unknown]>([
    ["a text", "roles"],
    ["a list of texts", ["roles"]],
    ["an empty path", [[]]],
    ["a path with a number", [["roles", 1]]]
  ])("have no source that is %s", ([_, roles]) =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(gate({ roles: roles as AuthLayer.Common<["a"]>["roles"] }))
      assert.deepInclude(error as AuthError.AuthConfigError, { _tag: "AuthConfigError", option: "roles" })
    }))
})
