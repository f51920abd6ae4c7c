import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { AuthError, AuthLayer, Principal } from "effect-mcp-auth"
import { Profiles } from "effect-mcp-auth/provider"
import { readRoles } from "../../../src/verification/claims/Roles.ts"
import { authenticate } from "../../authorization/steps.ts"
import { bearer, gate, listening } from "../../authorization/support.ts"

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
    ["one text that a function returns", [() => "staff members"], ["staff members"]],
    ["a set that a function returns", [() => new Set(["a", "b"])], ["a", "b"]],
    ["no source", [], []]
  ]

  it.each(cases)("come from %s", (_, sources, roles) => {
    assert.deepStrictEqual([...readRoles(claims, sources)], roles)
  })

  const secret = "a secret of the author's function"
  function* failing() {
    yield "admin"
    throw new Error(secret)
  }
  const broken: ReadonlyArray<readonly [title: string, source: unknown, message: string]> = [
    ["a function that throws", function rolesOf() {
      throw new Error(secret)
    }, "Roles from the function rolesOf: the function failed, so callers have no role from it"],
    [
      "a list that fails after its first entry",
      failing,
      "Roles from the function failing: the function failed, so callers have no role from it"
    ],
    ["a promise", async function later() {
      return ["admin"]
    }, "Roles from the function later: the value is a promise, not a list of texts, so callers have no role from it"],
    ["a promise that fails", async function later() {
      throw new Error(secret)
    }, "Roles from the function later: the value is a promise, not a list of texts, so callers have no role from it"],
    [
      "nothing",
      function nothing() {},
      "Roles from the function nothing: the value is undefined, not a list of texts, so callers have no role from it"
    ],
    [
      "an object",
      ["permissions"],
      "Roles from the claim permissions: the value is an object, not a list of texts, so callers have no role from it"
    ],
    [
      "a number",
      ["level"],
      "Roles from the claim level: the value is a number, not a list of texts, so callers have no role from it"
    ]
  ]

  it.each(broken)("do not come from %s, which is reported", (_, source, message) => {
    const reports: Array<string> = []
    const sources = [source, ["cognito:groups"]] as Parameters<typeof readRoles>[1]
    assert.deepStrictEqual([...readRoles({ ...claims, level: 9 }, sources, (_) => reports.push(_))], ["eu"])
    assert.deepStrictEqual(reports, [message])
  })

  it.effect("that come from a broken source are logged once, and the other roles of the caller remain", () =>
    Effect.gen(function*() {
      const { layer, lines } = listening()
      const sources = [...broken.map(([, source]) => source), ["roles"]] as AuthLayer.Common<["a"]>["roles"]
      const roles = yield* Effect.gen(function*() {
        const { gate: made, issuer } = yield* gate({ roles: sources })
        const callers = yield* Effect.forEach(["alice", "bob", "carol"], (subject) =>
          Effect.flatMap(
            issuer.mint({ subject, scopes: ["todos:read"], claims: { ...claims, level: 9 } }),
            (token) => authenticate(made, bearer(token))
          ))
        return callers.map((caller) => [...(caller as Principal).roles])
      }).pipe(Effect.provide(layer))
      assert.deepStrictEqual(roles, [["Admin"], ["Admin"], ["Admin"]])
      const logged = lines.map(({ message: [message] }) => String(message)).filter((_) => _.startsWith("Roles"))
      const messages = new Set(broken.map(([, , message]) => message))
      assert.deepStrictEqual(logged, [
        ...messages,
        "Roles from the claim roles: an entry of the list is not a text, and is ignored"
      ])
    }))

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
