import type { Fact } from "../Fact.ts"

export const oktaOrg: Fact = {
  id: "okta-org",
  name: "Okta organization server",
  kind: "service",
  profile: null,
  asOf: "2026-11",
  tokens: {
    format: "jwt",
    note: "for the APIs of Okta: other servers must not verify them",
    typ: null,
    algorithms: ["RS256"],
    issuer: "https://{domain} without a slash",
    audience: "the domain",
    scopes: "scp, a list",
    clientId: "cid",
    machineSubject: "the client id"
  },
  resourceAudience: "no",
  audienceSetup: "not possible: use a custom authorization server, whose issuer has the path /oauth2/{server}",
  resourceIndicators: "no",
  dynamicRegistration: "guarded",
  clientIdMetadataDocuments: "guarded",
  introspection: "yes",
  evidence: [{
    kind: "documentation",
    source: "developer.okta.com, custom and organization authorization servers"
  }],
  quirks: ["Its document resembles that of a custom authorization server, but other servers cannot use its tokens."],
  documents: [{
    kind: "openid-configuration",
    url: "https://{tenant}.okta.com/.well-known/openid-configuration",
    issuer: "same",
    observed: "2026-10-03",
    source: "api-evangelist/okta well-known/",
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
    ],
    dpopAlgorithms: ["RS256", "RS384", "RS512", "ES256", "ES384", "ES512"]
  }]
}
