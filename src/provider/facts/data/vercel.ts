import type { Fact } from "../Fact.ts"

export const vercel: Fact = {
  id: "vercel",
  name: "Vercel",
  kind: "service",
  profile: null,
  asOf: "2026-11",
  tokens: {
    format: "unknown",
    note: "not known",
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
  introspection: "no",
  evidence: [{ kind: "document", source: "a public fixture file" }],
  quirks: [],
  documents: [{
    kind: "oauth-authorization-server",
    url: "https://vercel.com/.well-known/oauth-authorization-server",
    issuer: "same",
    observed: "2026-09-25",
    source: "a public fixture file",
    complete: true,
    jwksUri: true,
    registrationEndpoint: true,
    introspectionEndpoint: false,
    offlineAccess: true,
    codeChallengeMethods: ["S256"],
    tokenEndpointAuthMethods: ["client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt"]
  }]
}
