import type { Fact } from "../Fact.ts"

export const supabasePlatform: Fact = {
  id: "supabase-platform",
  name: "Supabase platform",
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
  evidence: [{ kind: "document", source: "api-evangelist/supabase" }],
  quirks: ["The document has no jwks_uri."],
  documents: [{
    kind: "oauth-authorization-server",
    url: "https://api.supabase.com/.well-known/oauth-authorization-server",
    issuer: "same",
    observed: "2026",
    source: "api-evangelist/supabase",
    complete: true,
    jwksUri: false,
    registrationEndpoint: true,
    introspectionEndpoint: false,
    offlineAccess: false,
    codeChallengeMethods: ["S256", "plain"],
    tokenEndpointAuthMethods: ["client_secret_basic", "client_secret_post"]
  }]
}
