import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { AuthError, AuthLayer, Principal, Profile } from "effect-mcp-auth"
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

  it.effect("are those of the other sources if a source breaks, which is logged once", () =>
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

  const url = "https://auth.example.com"
  const ofProject = (name: string) => `urn:zitadel:iam:org:project:${name}`
  const zitadel = Profiles.zitadel({ url, projectId: "2718" })
  // The claims are those of the documents and tokens that the facts about each provider name.
  const profiles: ReadonlyArray<
    readonly [title: string, profile: Profile.Profile, given: Record<string, unknown>, roles: ReadonlyArray<string>]
  > = [
    ["realm_access.roles of Keycloak", Profiles.keycloak({ url, realm: "acme" }), claims, ["user", "editor"]],
    [
      "realm_access.roles and resource_access of Keycloak",
      Profiles.keycloak({ url, realm: "acme", clientRoles: "todos" }),
      claims,
      ["user", "editor", "owner"]
    ],
    ["permissions of Auth0", Profiles.auth0({ domain: "acme.auth0.com" }), { permissions: ["todos:read"] }, [
      "todos:read"
    ]],
    ["groups of Okta", Profiles.okta({ domain: "acme.okta.com", server: "todos" }), { groups: ["Everyone"] }, [
      "Everyone"
    ]],
    [
      "cognito:groups of Amazon Cognito",
      Profiles.cognito({ region: "eu-west-1", userPoolId: "eu-west-1_Example", clientIds: ["client-1"] }),
      { "cognito:groups": ["eu"] },
      ["eu"]
    ],
    [
      "roles of Entra ID",
      Profiles.entra({
        tenant: "72f988bf-86f1-41af-91ab-2d7cd011db47",
        applicationId: "6731de76-14a6-49ae-97bc-6eba6914391e"
      }),
      { roles: ["Todos.Admin"] },
      ["Todos.Admin"]
    ],
    ["groups of authentik", Profiles.authentik({ url, slug: "todos", clientId: "c" }), { groups: ["staff"] }, [
      "staff"
    ]],
    ["role of WorkOS AuthKit", Profiles.authkit({ domain: "acme.authkit.app" }), { role: "admin" }, ["admin"]],
    ["roles of WorkOS AuthKit", Profiles.authkit({ domain: "acme.authkit.app" }), { roles: ["admin", "member"] }, [
      "admin",
      "member"
    ]],
    ["the project of the client at Zitadel", zitadel, { [ofProject("roles")]: { admin: { "1": "acme" } } }, ["admin"]],
    [
      "the project of the server at Zitadel, without those of the project of the client",
      zitadel,
      {
        [ofProject("roles")]: { admin: {} },
        [ofProject("2718:roles")]: { reader: {} },
        [ofProject("1:roles")]: { x: {} }
      },
      ["reader"]
    ],
    ["no claim of Zitadel that is not an object", zitadel, { [ofProject("roles")]: "admin" }, []],
    ["no claim of Zitadel", zitadel, {}, []]
  ]

  it.each(profiles)("come from %s, with its profile", (_, { roles = [] }, given, expected) => {
    const reports: Array<string> = []
    assert.deepStrictEqual([...readRoles(given, roles, (_) => reports.push(_))], expected)
    assert.deepStrictEqual(reports, [])
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
