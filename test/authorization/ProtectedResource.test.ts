import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { ProtectedResource } from "effect-mcp-auth/host"
import { ProtectedResourceMetadata } from "effect-mcp-auth/protocol"

const make = (options: Partial<Record<keyof ProtectedResource.Options, unknown>> = {}) =>
  ProtectedResource.make(
    { resource: "https://h.test/mcp", scopes: ["a"], ...options } as unknown as ProtectedResource.Options,
    ["https://issuer.test", "https://second.test/"]
  )

describe("ProtectedResource", () => {
  it("PRM-08 PRM-18 the metadata names the resource and the issuers exactly as configured", () => {
    const { metadata } = Result.getOrThrow(make())
    assert.deepStrictEqual<unknown>({ ...metadata }, {
      resource: "https://h.test/mcp",
      authorization_servers: ["https://issuer.test", "https://second.test/"],
      scopes_supported: ["a"],
      bearer_methods_supported: ["header"]
    })
    assert.isTrue(Result.isSuccess(ProtectedResourceMetadata.decode(metadata)))
  })

  it("PRM-09 the metadata contains name and documentation if they are configured", () => {
    const { metadata } = Result.getOrThrow(
      make({ resourceName: "Todos", resourceDocumentation: "https://h.test/docs" })
    )
    assert.strictEqual(metadata.resource_name, "Todos")
    assert.strictEqual(metadata.resource_documentation, "https://h.test/docs")
  })

  it("SCOPE-20 PRM-20 the metadata lists the baseline scopes, and the other scopes are offered as well", () => {
    const { baseline, metadata, offered } = Result.getOrThrow(
      make({ scopes: { baseline: ["a", "b", "a"], stepUp: ["b", "c"] } })
    )
    assert.deepStrictEqual(metadata.scopes_supported, ["a", "b"])
    assert.deepStrictEqual(baseline, ["a", "b"])
    assert.deepStrictEqual([...offered], ["a", "b", "c"])
  })

  it("without scopes, the metadata have no scopes_supported, and no scope is offered", () => {
    const { baseline, metadata, offered } = Result.getOrThrow(make({ scopes: [] }))
    assert.notProperty(metadata, "scopes_supported")
    assert.deepStrictEqual([baseline, [...offered]], [[], []])
  })

  it.each<[id: string, resource: string, url: string]>([
    ["PRM-01", "https://example.com", "https://example.com/.well-known/oauth-protected-resource"],
    ["PRM-02", "https://example.com/", "https://example.com/.well-known/oauth-protected-resource"],
    ["PRM-04", "http://localhost:3000/foo", "http://localhost:3000/.well-known/oauth-protected-resource/foo"],
    ["PRM-05", "https://example.com/api/v1/", "https://example.com/.well-known/oauth-protected-resource/api/v1/"]
  ])("%s resource %s is kept as written, and its metadata is at %s", (_, resource, url) => {
    const made = Result.getOrThrow(make({ resource }))
    assert.strictEqual(made.resource, resource)
    assert.strictEqual(made.metadata.resource, resource)
    assert.strictEqual(made.metadataUrl, url)
    assert.deepStrictEqual(made.metadataPaths.map((path) => made.origin + path), [url])
  })

  const wrong: ReadonlyArray<
    readonly [title: string, options: Parameters<typeof make>[0], option: string, reason: string]
  > = [
    ["PRM-06 a fragment", { resource: "https://h.test/mcp#a" }, "resource", "malformed"],
    ["PRM-06 an empty fragment", { resource: "https://h.test/mcp#" }, "resource", "malformed"],
    ["[T-AUD-31] an empty query", { resource: "https://h.test/mcp?" }, "resource", "malformed"],
    ["[T-AUD-31] an empty user", { resource: "https://@h.test/mcp" }, "resource", "malformed"],
    ["[T-AUD-31] an empty port", { resource: "https://h.test:/mcp" }, "resource", "malformed"],
    ["[T-AUD-31] a line break", { resource: "https://h.test/m\ncp" }, "resource", "malformed"],
    ["[T-AUD-31] dot segments", { resource: "https://h.test/%2e%2e/mcp" }, "resource", "malformed"],
    ["PRM-06 a query", { resource: "https://h.test/mcp?a=1" }, "resource", "malformed"],
    ["PRM-06 an empty query", { resource: "https://h.test/mcp?" }, "resource", "malformed"],
    ["a relative resource", { resource: "/mcp" }, "resource", "malformed"],
    ["no resource", { resource: undefined }, "resource", "malformed"],
    ["a resource that is not a string", { resource: 1 }, "resource", "malformed"],
    ["plain http", { resource: "http://h.test/mcp" }, "resource", "insecure"],
    ["user and password", { resource: "https://a:b@h.test/mcp" }, "resource", "malformed"],
    ["a host in capitals", { resource: "https://H.test/mcp" }, "resource", "malformed"],
    ["a default port", { resource: "https://h.test:443/mcp" }, "resource", "malformed"],
    ["dots in the path", { resource: "https://h.test/a/../mcp" }, "resource", "malformed"],
    ["a space around it", { resource: " https://h.test/mcp" }, "resource", "malformed"],
    ["a wildcard", { resource: "https://h.test/*" }, "resource", "malformed"],
    ["a wildcard in the host", { resource: "https://*.h.test/mcp" }, "resource", "malformed"],
    [
      "the URL of a document",
      { resource: "https://h.test/.well-known/oauth-protected-resource/mcp" },
      "resource",
      "malformed"
    ],
    ["SCOPE-18 scopes that are not set", { scopes: undefined }, "scopes", "malformed"],
    ["SCOPE-18 no baseline", { scopes: { baseline: [], stepUp: ["a"] } }, "scopes.baseline", "missing"],
    ["a misspelled group of scopes", { scopes: { baseline: ["a"], stepup: ["b"] } }, "scopes.stepup", "malformed"],
    ["a scope that is undefined", { scopes: ["a", undefined] }, "scopes", "malformed"],
    ["a name that is not a string", { resourceName: 1 }, "resourceName", "malformed"],
    ["documentation without a URL", { resourceDocumentation: "docs" }, "resourceDocumentation", "malformed"],
    ["scopes in one string", { scopes: "a b" }, "scopes", "malformed"],
    ["a scope with a space", { scopes: ["a b"] }, "scopes", "malformed"],
    ["a step-up scope with a quote", { scopes: { baseline: ["a"], stepUp: ["\""] } }, "scopes.stepUp", "malformed"],
    ["PRM-20 offline_access", { scopes: ["a", "offline_access"] }, "scopes", "malformed"],
    [
      "PRM-20 offline_access as step-up",
      { scopes: { baseline: ["a"], stepUp: ["offline_access"] } },
      "scopes.stepUp",
      "malformed"
    ],
    ["a hierarchy with a string", { scopeHierarchy: { a: "b" } }, "scopeHierarchy[\"a\"]", "malformed"],
    ["a hierarchy with a wrong key", { scopeHierarchy: { "a b": ["c"] } }, "scopeHierarchy", "malformed"]
  ]

  it.each(wrong)("fails for %s, and names the option", (_, options, option, reason) => {
    const result = make(options)
    assert.isTrue(Result.isFailure(result))
    if (Result.isFailure(result)) {
      assert.deepStrictEqual([result.failure._tag, result.failure.option, result.failure.reason], [
        "AuthConfigError",
        option,
        reason
      ])
      assert.isAbove(result.failure.fix.length, 10)
    }
  })

  it("a hierarchy adds implied scopes over several steps and around cycles", () => {
    const { effectiveScopes } = Result.getOrThrow(
      make({ scopeHierarchy: { admin: ["write"], write: ["read"], read: ["read", "write"] } })
    )
    assert.deepStrictEqual([...effectiveScopes(new Set(["admin"]))].sort(), ["admin", "read", "write"])
    assert.deepStrictEqual([...effectiveScopes(new Set(["read"]))].sort(), ["read", "write"])
    assert.deepStrictEqual([...effectiveScopes(new Set(["other"]))], ["other"])
    assert.deepStrictEqual([...effectiveScopes(new Set())], [])
    assert.deepStrictEqual([...effectiveScopes(new Set(["constructor"]))], ["constructor"])
  })
})
