import type { Fact } from "../Fact.ts"

export const salesforce: Fact = {
  id: "salesforce",
  name: "Salesforce",
  kind: "service",
  profile: null,
  asOf: "2026-11",
  tokens: {
    format: "opaque",
    note: "00D… (not confirmed)",
    typ: null,
    algorithms: [],
    issuer: null,
    audience: "not known",
    scopes: "not known",
    clientId: null,
    machineSubject: null
  },
  resourceAudience: "unknown",
  audienceSetup: "not known",
  resourceIndicators: "unknown",
  dynamicRegistration: "yes",
  clientIdMetadataDocuments: "no",
  introspection: "yes",
  evidence: [{ kind: "document", source: "api-evangelist/salesforce" }],
  quirks: [
    "The document of api.salesforce.com names the issuer login.salesforce.com.",
    "The protected resource metadata names the resource and its authorization server with :443.",
    "The OpenID document has no PKCE field."
  ],
  documents: [{
    kind: "openid-configuration",
    url: "https://login.salesforce.com/.well-known/openid-configuration",
    issuer: "same",
    observed: "2026-08-13",
    source: "api-evangelist/salesforce",
    complete: true,
    jwksUri: true,
    registrationEndpoint: true,
    introspectionEndpoint: true,
    offlineAccess: true,
    tokenEndpointAuthMethods: ["client_secret_post", "client_secret_basic", "private_key_jwt"]
  }, {
    kind: "oauth-authorization-server",
    url: "https://api.salesforce.com/.well-known/oauth-authorization-server",
    issuer: "other",
    observed: "2026-08-13",
    source: "api-evangelist/salesforce",
    complete: true,
    jwksUri: true,
    registrationEndpoint: false,
    introspectionEndpoint: false,
    offlineAccess: false,
    codeChallengeMethods: ["S256"],
    tokenEndpointAuthMethods: ["client_secret_post"]
  }]
}
