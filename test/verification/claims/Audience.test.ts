import { assert, describe, it } from "@effect/vitest"
import { Effect, Result, Schema } from "effect"
import { Audience } from "effect-mcp-auth"
import * as ConfigOption from "../../../src/protocol/ConfigOption.ts"

const resource = "https://server.test/mcp"

const holds = (rule: Audience.Audience, claims: Readonly<Record<string, unknown>>, clientId?: string) =>
  Audience.compile(rule, resource)({ claims, clientId })

/** Values of `aud` that are invalid: neither a non-empty string nor a non-empty list of strings. */
const foreign = [null, 1, true, {}, { 0: resource, length: 1 }, [], [1], [null], [[resource]], [resource, 1], [
  resource,
  null
], ""]

describe("resource", () => {
  it.each([
    [resource, true],
    [[resource], true],
    [["x", resource, "y"], true],
    [[resource, resource], true],
    ["https://server.test/mcp/", false],
    ["https://server.test", false],
    ["https://SERVER.test/mcp", false],
    ["https://server.test:443/mcp", false],
    [`${resource} `, false],
    [`x ${resource}`, false],
    ["*", false]
  ])("aud %j: %j", (aud, is) => assert.strictEqual(holds(Audience.resource, { aud }), is))

  it.each(foreign)("rejects aud %j", (aud) => assert.isFalse(holds(Audience.resource, { aud })))

  it("rejects a token without aud, or with an inherited one", () => {
    assert.isFalse(holds(Audience.resource, {}))
    assert.isFalse(holds(Audience.resource, Object.create({ aud: resource })))
    assert.isFalse(holds(Audience.resource, { resource, azp: resource }, resource))
  })
})

describe("a resource without a path", () => {
  const origin = "https://server.test"
  const slashed = `${origin}/`
  const rules: ReadonlyArray<readonly [name: string, rule: Audience.Audience, clientId: string | undefined]> = [
    ["resource", Audience.resource, undefined],
    ["introspector", Audience.introspector, undefined],
    ["all", Audience.all([Audience.resource]), undefined],
    ["clientIds", Audience.clientIds(["client-1"]), "client-1"]
  ]

  it.each(rules)("[T-AUD-31b] is named by both spellings with the rule %s, and by no other", (_, rule, clientId) => {
    for (const resource of [origin, slashed]) {
      const accepts = Audience.compile(rule, resource)
      for (const aud of [origin, slashed, [origin], ["x", slashed]]) {
        assert.isTrue(accepts({ claims: { aud }, clientId }), `${resource} ${JSON.stringify(aud)}`)
      }
      for (const aud of [`${slashed}/`, `${slashed}mcp`, `${origin}:443`, `${origin}?`, "https://SERVER.test/", ""]) {
        assert.isFalse(accepts({ claims: { aud }, clientId }), `${resource} ${aud}`)
      }
    }
  })

  it("[T-AUD-31b] has one spelling in the lists of values of a rule", () => {
    const accepts = Audience.compile(Audience.oneOf([origin]), origin)
    assert.isTrue(accepts({ claims: { aud: origin }, clientId: undefined }))
    assert.isFalse(accepts({ claims: { aud: slashed }, clientId: undefined }))
  })
})

describe("oneOf", () => {
  const rule = Audience.oneOf(["api://a", "api://b"])

  it("accepts each of the values, and no other", () => {
    assert.isTrue(holds(rule, { aud: "api://a" }))
    assert.isTrue(holds(rule, { aud: ["x", "api://b"] }))
    assert.isFalse(holds(rule, { aud: "api://c" }))
    assert.isFalse(holds(rule, { aud: resource }), "the resource counts only where it is named")
    assert.isFalse(holds(rule, {}))
  })

  it.each(foreign)("rejects aud %j", (aud) => assert.isFalse(holds(rule, { aud })))
})

describe("clientIds", () => {
  const rule = Audience.clientIds(["client-1", "client-2"])

  it("accepts each of the clients", () => {
    assert.isTrue(holds(rule, {}, "client-1"))
    assert.isTrue(holds(rule, {}, "client-2"))
    assert.isFalse(holds(rule, {}, "client-3"))
    assert.isFalse(holds(rule, {}))
  })

  it("an aud that is present must contain an accepted value", () => {
    assert.isTrue(holds(rule, { aud: resource }, "client-1"))
    assert.isTrue(holds(rule, { aud: "client-1" }, "client-1"))
    assert.isTrue(holds(rule, { aud: ["x", "client-2"] }, "client-1"))
    assert.isFalse(holds(rule, { aud: "https://other.test" }, "client-1"))
    for (const aud of foreign) assert.isFalse(holds(rule, { aud }, "client-1"))
  })

  it("an aud that names the client does not replace the client", () => {
    assert.isFalse(holds(rule, { aud: "client-1" }, "client-3"))
    assert.isFalse(holds(rule, { aud: "client-1" }))
  })
})

describe("claim", () => {
  const rule = Audience.claim("project", ["p1", "p2"])

  it("accepts a string or a list of strings that contains one of the values", () => {
    assert.isTrue(holds(rule, { project: "p1" }))
    assert.isTrue(holds(rule, { project: ["x", "p2"] }))
    assert.isFalse(holds(rule, { project: "p3" }))
    assert.isFalse(holds(rule, {}))
    for (const project of foreign) assert.isFalse(holds(rule, { project }))
  })

  it("an aud that is present must be the resource", () => {
    assert.isTrue(holds(rule, { project: "p1", aud: resource }))
    assert.isFalse(holds(rule, { project: "p1", aud: "https://other.test" }))
    assert.isFalse(holds(rule, { project: "p1", aud: "p1" }), "a value of another claim does not count as an audience")
  })

  it("the claim aud counts as aud", () => {
    assert.isTrue(holds(Audience.claim("aud", ["api://a"]), { aud: "api://a" }))
    assert.isFalse(holds(Audience.claim("aud", ["api://a"]), { aud: resource }))
  })

  it.each(["__proto__", "constructor", "toString"])("%s counts as a claim only if the token has it", (name) => {
    assert.isFalse(holds(Audience.claim(name, ["x"]), {}))
    assert.isTrue(holds(Audience.claim(name, ["x"]), JSON.parse(`{"${name}":"x"}`)))
  })
})

describe("introspector", () => {
  const answer = (claims: Readonly<Record<string, unknown>>, introspected = true) =>
    Audience.compile(Audience.introspector, resource)({ claims, clientId: undefined, introspected })

  it("accepts an answer without aud, and nothing else", () => {
    assert.isTrue(answer({}))
    assert.isTrue(answer({ aud: resource }))
    assert.isFalse(answer({ aud: "https://other.test" }))
    for (const aud of foreign) assert.isFalse(answer({ aud }))
  })

  it("does not accept a JWT without aud", () => {
    assert.isFalse(answer({}, false))
    assert.isTrue(answer({ aud: resource }, false))
    assert.isFalse(holds(Audience.introspector, {}))
  })
})

describe("all", () => {
  const rule = Audience.all([Audience.clientIds(["client-1"]), Audience.claim("project", ["p1"])])

  it("requires every rule", () => {
    assert.isTrue(holds(rule, { project: "p1" }, "client-1"))
    assert.isFalse(holds(rule, { project: "p1" }, "client-2"))
    assert.isFalse(holds(rule, { project: "p2" }, "client-1"))
    assert.isFalse(holds(rule, {}))
  })

  it("combines with the rule of the resource", () => {
    const both = Audience.all([Audience.resource, Audience.clientIds(["client-1"])])
    assert.isTrue(holds(both, { aud: resource }, "client-1"))
    assert.isFalse(holds(both, { aud: resource }, "client-2"))
    assert.isFalse(holds(both, { aud: "client-1" }, "client-1"))
    assert.isFalse(holds(both, {}, "client-1"))
  })

  it("combines with nested rules", () => {
    const nested = Audience.all([Audience.all([Audience.oneOf(["api://a"])]), Audience.clientIds(["client-1"])])
    assert.isTrue(holds(nested, { aud: "api://a" }, "client-1"))
    assert.isFalse(holds(nested, { aud: "api://a" }))
    assert.isFalse(holds(nested, {}, "client-1"))
  })
})

const other = "a value that is longer than those of the tokens"

it.effect.prop(
  "does not compare two claims of one token with each other",
  { value: Schema.String, client: Schema.String },
  ({ client, value }) =>
    Effect.sync(() => {
      const claims = { aud: value, client_id: value, azp: value, resource: value, project: value, sub: client }
      const rules = [
        Audience.resource,
        Audience.oneOf([other]),
        Audience.clientIds([other]),
        Audience.claim("project", [other]),
        Audience.all([Audience.clientIds([other]), Audience.resource])
      ]
      for (const rule of rules) assert.isFalse(holds(rule, claims, value))
    })
)

describe("check", () => {
  it.each<Audience.Audience>([
    Audience.resource,
    Audience.oneOf(["a"]),
    Audience.clientIds(["a"]),
    Audience.claim("p", ["a"]),
    Audience.all([Audience.resource, Audience.all([Audience.oneOf(["a"])])]),
    Audience.introspector
  ])("accepts %j", (rule) => assert.doesNotThrow(() => Audience.check(rule, "audience")))

  // The types forbid these values, but they can come from a file or from JavaScript.
  it.each([
    { _tag: "OneOf", values: [] },
    { _tag: "OneOf", values: [""] },
    { _tag: "OneOf", values: [1] },
    { _tag: "OneOf", values: "api://a" },
    { _tag: "OneOf" },
    { _tag: "ClientIds", values: [] },
    { _tag: "Claim", name: "p", values: [] },
    { _tag: "Claim", name: "", values: ["a"] },
    { _tag: "Claim", values: ["a"] },
    { _tag: "All", rules: [] },
    { _tag: "All" },
    { _tag: "All", rules: [{ _tag: "Resource" }, { _tag: "OneOf", values: [] }] },
    { _tag: "All", rules: [{ _tag: "All", rules: [] }] },
    { _tag: "Any" },
    {},
    null,
    "https://server.test/mcp",
    ["https://server.test/mcp"],
    false
  ])("rejects %j, which would check nothing, or not what its author means", (rule) => {
    const checked = ConfigOption.attempt(() => Audience.check(rule, "audience"))
    assert.isTrue(Result.isFailure(checked))
    if (Result.isFailure(checked)) {
      assert.strictEqual(checked.failure._tag, "AuthConfigError")
      assert.strictEqual(checked.failure.option, "audience")
      assert.match(
        checked.failure.fix,
        /with at least one value\. Write the URL of the server as resource, and any other/
      )
    }
  })
})
