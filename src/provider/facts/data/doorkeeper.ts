import type { Fact } from "../Fact.ts"

export const doorkeeper: Fact = {
  id: "doorkeeper",
  name: "Doorkeeper",
  kind: "library",
  profile: null,
  asOf: "2026-11",
  tokens: {
    format: "opaque",
    note: "43 characters",
    typ: null,
    algorithms: [],
    issuer: null,
    audience: "none",
    scopes: "introspection",
    clientId: "introspection",
    machineSubject: null
  },
  resourceAudience: "no",
  audienceSetup: "not possible: introspection names no resource",
  resourceIndicators: "unknown",
  dynamicRegistration: "unknown",
  clientIdMetadataDocuments: "unknown",
  introspection: "yes",
  evidence: [{ kind: "run", source: "a local server" }],
  quirks: ["Introspection returns no iss, aud or sub.", "The metadata has no PKCE field (1.8)."],
  documents: []
}
