import type { Fact } from "../Fact.ts"

export const casdoor: Fact = {
  id: "casdoor",
  name: "Casdoor",
  kind: "server",
  profile: null,
  asOf: "2026-11",
  tokens: {
    format: "jwt",
    note: "the claim tokenType is access-token; refresh tokens are JWTs as well",
    typ: "JWT",
    algorithms: ["RS256", "RS512", "ES256", "ES384", "ES512"],
    issuer: "the origin of the server",
    audience: "a list: the requested resource, or the client id",
    scopes: "scope",
    clientId: "azp",
    machineSubject: null
  },
  resourceAudience: "yes",
  audienceSetup: "send the resource parameter",
  resourceIndicators: "yes",
  dynamicRegistration: "yes",
  clientIdMetadataDocuments: "unknown",
  introspection: "yes",
  evidence: [{ kind: "code", source: "casdoor/casdoor object/token_jwt.go, object/dcr.go" }],
  quirks: ["Access tokens contain the nonce of the request, if it has one.", "Tokens contain the profile of the user."],
  documents: []
}
