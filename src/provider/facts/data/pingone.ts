import type { Fact } from "../Fact.ts"

export const pingone: Fact = {
  id: "pingone",
  name: "PingOne",
  kind: "service",
  profile: "pingone",
  asOf: "2026-11",
  tokens: {
    format: "jwt",
    note: "no typ until 2027-03-02, then at+jwt",
    typ: null,
    algorithms: ["RS256"],
    issuer: "https://auth.pingone.{region}/{environment}/as",
    audience: "the audience of a custom resource",
    scopes: "scope",
    clientId: "client_id",
    machineSubject: "none"
  },
  resourceAudience: "yes",
  audienceSetup: "create a custom resource whose audience is the resource",
  resourceIndicators: "unknown",
  dynamicRegistration: "unknown",
  clientIdMetadataDocuments: "unknown",
  introspection: "yes",
  evidence: [{ kind: "documentation", source: "developer.pingidentity.com, token claims" }],
  quirks: ["Tokens without a user have neither auth_time nor acr."],
  documents: [{
    kind: "openid-configuration",
    url: "https://auth.pingone.com/{environment}/as/.well-known/openid-configuration",
    issuer: "same",
    observed: "2024-11",
    source: "API note of a public repository",
    complete: false,
    jwksUri: true,
    registrationEndpoint: false,
    introspectionEndpoint: true,
    offlineAccess: false
  }]
}
