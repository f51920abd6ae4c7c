import type { Fact } from "../Fact.ts"

export const workersOauthProvider: Fact = {
  id: "workers-oauth-provider",
  name: "workers-oauth-provider",
  kind: "library",
  profile: null,
  asOf: "2026-11",
  tokens: {
    format: "opaque",
    note: "user:grant:secret",
    typ: null,
    algorithms: [],
    issuer: "exact",
    audience: "one resource",
    scopes: "internal",
    clientId: "internal",
    machineSubject: "the grant is not supported"
  },
  resourceAudience: "yes",
  audienceSetup: "send the resource parameter",
  resourceIndicators: "yes",
  dynamicRegistration: "yes",
  clientIdMetadataDocuments: "unknown",
  introspection: "no",
  evidence: [{ kind: "run", source: "a local worker" }],
  quirks: [
    "The RFC 8414 document is the only one, without jwks_uri and introspection. Only validateToken() verifies tokens.",
    "A new grant revokes the old one."
  ],
  documents: []
}
