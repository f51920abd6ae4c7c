import type { Fact } from "../Fact.ts"

export const gitlab: Fact = {
  id: "gitlab",
  name: "GitLab",
  kind: "service",
  profile: null,
  asOf: "2026-11",
  tokens: {
    format: "opaque",
    note: "64 hexadecimal digits",
    typ: null,
    algorithms: [],
    issuer: null,
    audience: "none",
    scopes: "introspection",
    clientId: "introspection",
    machineSubject: "none"
  },
  resourceAudience: "no",
  audienceSetup: "not possible: introspection names no resource",
  resourceIndicators: "unknown",
  dynamicRegistration: "yes",
  clientIdMetadataDocuments: "no",
  introspection: "yes",
  evidence: [{ kind: "document", source: "api-evangelist/gitlab" }, { kind: "token", source: "an access token" }, {
    kind: "run",
    source: "Doorkeeper, its engine"
  }],
  quirks: ["Only the RFC 8414 document has registration_endpoint.", "The server supports the scope mcp."],
  documents: [{
    kind: "oauth-authorization-server",
    url: "https://gitlab.com/.well-known/oauth-authorization-server",
    issuer: "same",
    observed: "2026-06-20",
    source: "api-evangelist/gitlab",
    complete: true,
    jwksUri: true,
    registrationEndpoint: true,
    introspectionEndpoint: true,
    offlineAccess: false,
    codeChallengeMethods: ["plain", "S256"],
    tokenEndpointAuthMethods: ["client_secret_basic", "client_secret_post"]
  }, {
    kind: "openid-configuration",
    url: "https://gitlab.com/.well-known/openid-configuration",
    issuer: "same",
    observed: "2026-06-20",
    source: "api-evangelist/gitlab",
    complete: true,
    jwksUri: true,
    registrationEndpoint: false,
    introspectionEndpoint: true,
    offlineAccess: false,
    codeChallengeMethods: ["plain", "S256"],
    tokenEndpointAuthMethods: ["client_secret_basic", "client_secret_post"]
  }, {
    kind: "openid-configuration",
    url: "https://gitlab.com/.well-known/openid-configuration",
    issuer: "same",
    observed: "2019",
    source: "alerta/alerta tests/test_providers.py",
    complete: true,
    jwksUri: true,
    registrationEndpoint: false,
    introspectionEndpoint: false,
    offlineAccess: false,
    tokenEndpointAuthMethods: ["client_secret_basic", "client_secret_post"]
  }]
}
