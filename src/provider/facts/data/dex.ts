import type { Fact } from "../Fact.ts"

export const dex: Fact = {
  id: "dex",
  name: "Dex",
  kind: "server",
  profile: null,
  asOf: "2026-11",
  tokens: {
    format: "jwt",
    note: "an access token is an ID token with another at_hash",
    typ: null,
    algorithms: ["RS256"],
    issuer: "exact",
    audience: "the client id, or a list with the clients of cross-client scopes",
    scopes: "none",
    clientId: "aud, or azp if aud is a list",
    machineSubject: null
  },
  resourceAudience: "no",
  audienceSetup: "not possible: the audience is a client",
  resourceIndicators: "no",
  dynamicRegistration: "unknown",
  clientIdMetadataDocuments: "unknown",
  introspection: "yes",
  evidence: [{ kind: "code", source: "dexidp/dex server/tokens/issuer.go, server/oauth2.go" }],
  quirks: [
    "Access tokens cannot be distinguished from ID tokens: both have at_hash, and neither has a scope.",
    "Dex rejects requests without the scope openid, and requests with unknown scopes."
  ],
  documents: []
}
