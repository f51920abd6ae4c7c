import type { Fact } from "../Fact.ts"

export const kinde: Fact = {
  id: "kinde",
  name: "Kinde",
  kind: "service",
  profile: null,
  asOf: "2026-11",
  tokens: {
    format: "jwt",
    note: "",
    typ: "JWT",
    algorithms: ["RS256"],
    issuer: "https://{subdomain}.kinde.com",
    audience: "a list of the requested APIs; empty without one",
    scopes: "scp, a list; permissions, a list, for users",
    clientId: "azp",
    machineSubject: "none"
  },
  resourceAudience: "yes",
  audienceSetup: "register an API whose audience is the resource, and authorize the application for it",
  resourceIndicators: "unknown",
  dynamicRegistration: "unknown",
  clientIdMetadataDocuments: "unknown",
  introspection: "unknown",
  evidence: [{
    kind: "documentation",
    source: "docs.kinde.com, about access tokens, about ID tokens, claims of M2M applications"
  }],
  quirks: ["gty is a list.", "A token without a user has no sub."],
  documents: []
}
