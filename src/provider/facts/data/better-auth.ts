import type { Fact } from "../Fact.ts"

export const betterAuth: Fact = {
  id: "better-auth",
  name: "better-auth",
  kind: "library",
  profile: "betterAuth",
  asOf: "2026-11",
  tokens: {
    format: "both",
    note: "a JWT for a resource, else opaque; the key has no use",
    typ: "at+jwt",
    algorithms: ["EdDSA", "RS256", "ES256", "PS256"],
    issuer: "https://{host}/api/auth, with a path",
    audience: "the resource; [resource, …/oauth2/userinfo] when openid was granted",
    scopes: "scope",
    clientId: "client_id and azp",
    machineSubject: "the client id"
  },
  resourceAudience: "yes",
  audienceSetup: "send the resource parameter",
  resourceIndicators: "yes",
  dynamicRegistration: "setting",
  clientIdMetadataDocuments: "setting",
  introspection: "yes",
  evidence: [{ kind: "run", source: "1.7.5", test: "test/providers/providers.test.ts" }, {
    kind: "documentation",
    source: "better-auth.com/docs, OAuth provider and client ID metadata documents"
  }],
  quirks: [
    "Introspection returns active: false to clients other than the client of the token and those linked to the resource.",
    "Registration returns no CORS headers."
  ],
  documents: []
}
