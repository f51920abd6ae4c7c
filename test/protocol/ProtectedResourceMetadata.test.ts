import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { ProtectedResourceMetadata } from "effect-mcp-auth/protocol"

const decodes = (document: unknown) => Result.isSuccess(ProtectedResourceMetadata.decode(document))

describe("ProtectedResourceMetadata", () => {
  // The example of RFC 9728 §3.2, with an unknown member.
  const document = {
    resource: "https://resource.example.com",
    authorization_servers: ["https://as1.example.com", "https://as2.example.net"],
    bearer_methods_supported: ["header", "body"],
    scopes_supported: ["profile", "email", "phone"],
    resource_documentation: "https://resource.example.com/resource_documentation.html",
    "resource_name#de": "Ein Dienst",
    "x-vendor": { nested: [1, null] }
  }

  it("keeps every member, known and unknown, unchanged", () => {
    assert.deepStrictEqual<unknown>(Result.getOrThrow(ProtectedResourceMetadata.decode(document)), document)
  })

  it.each<[title: string, document: unknown]>([
    ["PRM-18 without authorization servers", { resource: "https://r.test" }],
    ["PRM-18 with an empty list of them", { resource: "https://r.test", authorization_servers: [] }],
    ["with one that is not a string", { resource: "https://r.test", authorization_servers: [1] }],
    ["without a resource", { authorization_servers: ["https://a.test"] }],
    ["with scopes in one string", {
      resource: "https://r.test",
      authorization_servers: ["https://a.test"],
      scopes_supported: "a b"
    }],
    ["that is null", null],
    ["that is a list", []]
  ])("rejects a document %s", (_, document) => {
    assert.isFalse(decodes(document))
  })

  it("accepts a document with the two members that MCP requires", () => {
    assert.isTrue(decodes({ resource: "https://r.test", authorization_servers: ["https://a.test"] }))
  })
})
