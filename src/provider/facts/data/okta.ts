import type { Fact } from "../Fact.ts"

export const okta: Fact = {
  id: "okta",
  name: "Okta",
  kind: "service",
  profile: "okta",
  asOf: "2026-11",
  tokens: {
    format: "jwt",
    note: "of a custom authorization server; only Okta can verify tokens of the organization server",
    typ: null,
    algorithms: ["RS256"],
    issuer: "https://{domain}/oauth2/{server} without a slash",
    audience: "a string, fixed for each authorization server (api://default)",
    scopes: "scp, a list",
    clientId: "cid",
    machineSubject: "the client id"
  },
  resourceAudience: "yes",
  audienceSetup: "create a custom authorization server for the resource, and set its audience to the resource",
  resourceIndicators: "unknown",
  dynamicRegistration: "guarded",
  clientIdMetadataDocuments: "guarded",
  introspection: "yes",
  evidence: [{
    kind: "token",
    source: "a token without a user, in redpanda-data/redpanda jwt_test.cc",
    issued: "2023-11",
    shape: "okta"
  }, {
    kind: "documentation",
    source: "developer.okta.com, custom and organization authorization servers"
  }, { kind: "documentation", source: "apollographql auth-okta guide" }],
  quirks: [
    "Dynamic registration requires an API token. Client metadata documents work after their URL was registered."
  ],
  documents: [{
    kind: "openid-configuration",
    url: "https://{tenant}.okta.com/oauth2/default/.well-known/openid-configuration",
    issuer: "same",
    observed: "2023-11",
    source: "redpanda-data/redpanda src/v/security/tests/jwt_test.cc",
    complete: true,
    jwksUri: true,
    registrationEndpoint: true,
    introspectionEndpoint: true,
    offlineAccess: true,
    codeChallengeMethods: ["S256"],
    tokenEndpointAuthMethods: [
      "client_secret_basic",
      "client_secret_post",
      "client_secret_jwt",
      "private_key_jwt",
      "none"
    ]
  }, {
    kind: "openid-configuration",
    url: "https://{tenant}.okta.com/oauth2/default/.well-known/openid-configuration",
    issuer: "same",
    observed: "2019",
    source: "alerta/alerta tests/test_providers.py",
    complete: true,
    jwksUri: true,
    registrationEndpoint: true,
    introspectionEndpoint: true,
    offlineAccess: true,
    codeChallengeMethods: ["S256"],
    tokenEndpointAuthMethods: [
      "client_secret_basic",
      "client_secret_post",
      "client_secret_jwt",
      "private_key_jwt",
      "none"
    ]
  }, {
    kind: "openid-configuration",
    url: "https://{tenant}.oktapreview.com/oauth2/default/.well-known/openid-configuration",
    issuer: "same",
    observed: "2018",
    source: "micronaut-security test resources",
    complete: true,
    jwksUri: true,
    registrationEndpoint: true,
    introspectionEndpoint: true,
    offlineAccess: true,
    codeChallengeMethods: ["S256"],
    tokenEndpointAuthMethods: [
      "client_secret_basic",
      "client_secret_post",
      "client_secret_jwt",
      "private_key_jwt",
      "none"
    ]
  }]
}
