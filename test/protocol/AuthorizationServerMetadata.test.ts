import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { AuthorizationServerMetadata } from "effect-mcp-auth/protocol"

const decodes = (document: unknown) => Result.isSuccess(AuthorizationServerMetadata.decode(document))

describe("AuthorizationServerMetadata", () => {
  // The example of RFC 8414 §3.2, with members of OpenID Connect Discovery 1.0.
  const document = {
    issuer: "https://server.example.com",
    authorization_endpoint: "https://server.example.com/authorize",
    token_endpoint: "https://server.example.com/token",
    token_endpoint_auth_methods_supported: ["client_secret_basic", "private_key_jwt"],
    token_endpoint_auth_signing_alg_values_supported: ["RS256", "ES256"],
    userinfo_endpoint: "https://server.example.com/userinfo",
    jwks_uri: "https://server.example.com/jwks.json",
    registration_endpoint: "https://server.example.com/register",
    scopes_supported: ["openid", "profile"],
    response_types_supported: ["code", "code token"],
    service_documentation: "http://server.example.com/service_documentation.html",
    ui_locales_supported: ["en-US", "en-GB"],
    subject_types_supported: ["public"],
    claims_parameter_supported: false,
    "x-vendor": { nested: [1, null, { a: "b" }] }
  }

  it("keeps every member, known and unknown, unchanged", () => {
    assert.deepStrictEqual<unknown>(Result.getOrThrow(AuthorizationServerMetadata.decode(document)), document)
  })

  it("requires an issuer and no other member", () => {
    assert.isTrue(decodes({ issuer: "https://a.test" }))
    assert.isFalse(decodes({}))
    assert.isFalse(decodes({ issuer: 1 }))
    assert.isFalse(decodes({ issuer: null }))
  })

  it.each<[title: string, document: unknown]>([
    ["null", null],
    ["a list", [{ issuer: "https://a.test" }]],
    ["a string", "https://a.test"],
    ["an endpoint that is not a string", { issuer: "https://a.test", jwks_uri: 1 }],
    ["an endpoint that is null", { issuer: "https://a.test", jwks_uri: null }],
    ["a list that is a string", { issuer: "https://a.test", code_challenge_methods_supported: "S256" }],
    ["a list with a number", { issuer: "https://a.test", scopes_supported: ["a", 1] }],
    ["a flag that is a string", { issuer: "https://a.test", client_id_metadata_document_supported: "true" }]
  ])("rejects %s", (_, document) => {
    assert.isFalse(decodes(document))
  })

  it("ignores members of Object.prototype", () => {
    assert.isFalse(decodes(JSON.parse("{\"__proto__\": {\"issuer\": \"https://a.test\"}}")))
  })
})
