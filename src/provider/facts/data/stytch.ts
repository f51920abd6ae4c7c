import type { Fact } from "../Fact.ts"

export const stytch: Fact = {
  id: "stytch",
  name: "Stytch Connected Apps",
  kind: "service",
  profile: "stytch",
  asOf: "2026-11",
  tokens: {
    format: "jwt",
    note: "",
    typ: null,
    algorithms: ["RS256"],
    issuer: "https://{project domain}, or stytch.com/{project id}",
    audience: "[project id], or a custom audience",
    scopes: "scope",
    clientId: "client_id; none for tokens without a user",
    machineSubject: "the client id"
  },
  resourceAudience: "yes",
  audienceSetup: "set a custom audience; by default the audience is the project",
  resourceIndicators: "unknown",
  dynamicRegistration: "setting",
  clientIdMetadataDocuments: "yes",
  introspection: "unknown",
  evidence: [{ kind: "documentation", source: "stytch.com/docs, connected app access token" }, {
    kind: "code",
    source: "skybridge"
  }],
  quirks: ["You provide the page at authorization_endpoint.", "No document was found."],
  documents: []
}
