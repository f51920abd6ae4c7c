import type { Fact } from "../Fact.ts"

export const openauth: Fact = {
  id: "openauth",
  name: "OpenAuth",
  kind: "library",
  profile: "openauth",
  asOf: "2026-11",
  tokens: {
    format: "jwt",
    note: "mode: access; no iat, scope and client claim",
    typ: "JWT",
    algorithms: ["ES256"],
    issuer: "the origin of the request's Host",
    audience: "the client id",
    scopes: "none",
    clientId: "aud",
    machineSubject: "the id of the client"
  },
  resourceAudience: "no",
  audienceSetup: "not possible: the audience is the client",
  resourceIndicators: "unknown",
  dynamicRegistration: "unknown",
  clientIdMetadataDocuments: "unknown",
  introspection: "unknown",
  evidence: [{ kind: "run", source: "a local server" }],
  quirks: ["The metadata has no PKCE field, and the token response has no token_type."],
  documents: []
}
