import type { Fact } from "../Fact.ts"

export const auth0: Fact = {
  id: "auth0",
  name: "Auth0",
  kind: "service",
  profile: "auth0",
  asOf: "2026-11",
  tokens: {
    format: "both",
    note: "a JWT if the request has an API audience, else opaque (32 characters)",
    typ: "JWT, or at+jwt with the profile of RFC 9068",
    algorithms: ["RS256", "HS256"],
    issuer: "https://{tenant}/ with a final slash",
    audience: "a string, or [api, https://{tenant}/userinfo]",
    scopes: "scope; permissions with role-based access control",
    clientId: "azp, or client_id with the profile of RFC 9068",
    machineSubject: "{client id}@clients"
  },
  resourceAudience: "yes",
  audienceSetup:
    "create an API whose identifier is the resource; then use audience=, a default audience of the tenant, or the Resource Parameter Compatibility Profile for resource=",
  resourceIndicators: "setting",
  dynamicRegistration: "setting",
  clientIdMetadataDocuments: "guarded",
  introspection: "no",
  evidence: [{
    kind: "token",
    source: "a token without a user, in redpanda-data/redpanda jwt_test.cc",
    issued: "2023-09",
    shape: "auth0"
  }, {
    kind: "documentation",
    source: "auth0.com/docs, access token profiles, resource parameter compatibility profile, CIMD overview"
  }, { kind: "code", source: "PrefectHQ/fastmcp auth0.py" }],
  quirks: [
    "Documents of 2018 and 2019 lack the PKCE field.",
    "Client metadata documents must be imported from their URL. Support for documents without an import is experimental."
  ],
  documents: [{
    kind: "openid-configuration",
    url: "https://{tenant}.us.auth0.com/.well-known/openid-configuration",
    issuer: "same",
    observed: "2023-09",
    source: "redpanda-data/redpanda src/v/security/tests/jwt_test.cc",
    complete: true,
    jwksUri: true,
    registrationEndpoint: true,
    introspectionEndpoint: false,
    offlineAccess: true,
    codeChallengeMethods: ["S256", "plain"],
    tokenEndpointAuthMethods: ["client_secret_basic", "client_secret_post", "private_key_jwt"]
  }, {
    kind: "openid-configuration",
    url: "https://{tenant}.eu.auth0.com/.well-known/openid-configuration",
    issuer: "same",
    observed: "2019",
    source: "alerta/alerta tests/test_providers.py",
    complete: true,
    jwksUri: true,
    registrationEndpoint: true,
    introspectionEndpoint: false,
    offlineAccess: true,
    tokenEndpointAuthMethods: ["client_secret_basic", "client_secret_post"]
  }, {
    kind: "openid-configuration",
    url: "https://{tenant}.eu.auth0.com/.well-known/openid-configuration",
    issuer: "same",
    observed: "2018",
    source: "micronaut-security test resources",
    complete: true,
    jwksUri: true,
    registrationEndpoint: true,
    introspectionEndpoint: false,
    offlineAccess: true,
    tokenEndpointAuthMethods: ["client_secret_basic", "client_secret_post"]
  }]
}
