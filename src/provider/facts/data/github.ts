import type { Fact } from "../Fact.ts"

export const github: Fact = {
  id: "github",
  name: "GitHub",
  kind: "service",
  profile: "github",
  asOf: "2026-11",
  tokens: {
    format: "opaque",
    note: "gho_… (OAuth apps), ghu_… (GitHub Apps)",
    typ: null,
    algorithms: [],
    issuer: null,
    audience: "none",
    scopes: "the X-OAuth-Scopes header, or the response of POST /applications/{client_id}/token",
    clientId: "in the response of the same call",
    machineSubject: null
  },
  resourceAudience: "no",
  audienceSetup: "not possible: a token is bound to the application",
  resourceIndicators: "no",
  dynamicRegistration: "no",
  clientIdMetadataDocuments: "unknown",
  introspection: "unknown",
  evidence: [{ kind: "code", source: "skybridge guide" }],
  quirks: [
    "The server has no key set and no OpenID document. Tokens are verified through POST /applications/{client_id}/token."
  ],
  documents: []
}
