import type { Fact } from "../Fact.ts"

export const google: Fact = {
  id: "google",
  name: "Google",
  kind: "service",
  profile: "google",
  asOf: "2026-11",
  tokens: {
    format: "opaque",
    note: "ya29.…, about 140 characters; ID tokens are JWTs of the same issuer",
    typ: null,
    algorithms: [],
    issuer: null,
    audience: "none; tokeninfo names the client",
    scopes: "tokeninfo",
    clientId: "tokeninfo",
    machineSubject: "unknown"
  },
  resourceAudience: "no",
  audienceSetup: "not possible: a token is bound to the client",
  resourceIndicators: "no",
  dynamicRegistration: "no",
  clientIdMetadataDocuments: "no",
  introspection: "no",
  evidence: [{ kind: "token", source: "an access token" }, {
    kind: "documentation",
    source: "developers.google.com"
  }],
  quirks: ["Tokens are verified through tokeninfo."],
  documents: [{
    kind: "openid-configuration",
    url: "https://accounts.google.com/.well-known/openid-configuration",
    issuer: "same",
    observed: "2025",
    source: "modelcontextprotocol/go-sdk oauthex/testdata",
    complete: true,
    jwksUri: true,
    registrationEndpoint: false,
    introspectionEndpoint: false,
    offlineAccess: false,
    codeChallengeMethods: ["plain", "S256"],
    tokenEndpointAuthMethods: ["client_secret_post", "client_secret_basic"]
  }, {
    kind: "openid-configuration",
    url: "https://accounts.google.com/.well-known/openid-configuration",
    issuer: "same",
    observed: "2023",
    source: "redpanda-data/redpanda src/v/security/tests/jwt_test.cc",
    complete: true,
    jwksUri: true,
    registrationEndpoint: false,
    introspectionEndpoint: false,
    offlineAccess: false,
    codeChallengeMethods: ["plain", "S256"],
    tokenEndpointAuthMethods: ["client_secret_post", "client_secret_basic"]
  }, {
    kind: "openid-configuration",
    url: "https://accounts.google.com/.well-known/openid-configuration",
    issuer: "same",
    observed: "2019",
    source: "alerta/alerta tests/test_providers.py",
    complete: true,
    jwksUri: true,
    registrationEndpoint: false,
    introspectionEndpoint: false,
    offlineAccess: false,
    codeChallengeMethods: ["plain", "S256"],
    tokenEndpointAuthMethods: ["client_secret_post", "client_secret_basic"]
  }]
}
