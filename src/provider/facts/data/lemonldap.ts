import type { Fact } from "../Fact.ts"

export const lemonldap: Fact = {
  id: "lemonldap",
  name: "LemonLDAP::NG",
  kind: "server",
  profile: "lemonldap",
  asOf: "2026-11",
  tokens: {
    format: "both",
    note: "a JWT or 64 hexadecimal digits; keys have no alg",
    typ: "JWT",
    algorithms: ["RS256"],
    issuer: "exact",
    audience: "[client id, resource]; that of ID tokens is the same",
    scopes: "scope",
    clientId: "client_id; azp in ID tokens",
    machineSubject: "the client id"
  },
  resourceAudience: "yes",
  audienceSetup: "send the resource parameter",
  resourceIndicators: "yes",
  dynamicRegistration: "unknown",
  clientIdMetadataDocuments: "unknown",
  introspection: "yes",
  evidence: [{ kind: "token", source: "a token of a local server", issued: "2026-11", shape: "lemonldap" }],
  quirks: ["The RFC 8414 URL returns 200 with HTML.", "The introspection response has no aud."],
  documents: []
}
