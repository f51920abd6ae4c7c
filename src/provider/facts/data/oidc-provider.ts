import type { Fact } from "../Fact.ts"

export const oidcProvider: Fact = {
  id: "oidc-provider",
  name: "oidc-provider",
  kind: "library",
  profile: "oidcProvider",
  asOf: "2026-11",
  tokens: {
    format: "both",
    note: "configured per resource",
    typ: "at+jwt",
    algorithms: ["RS256", "ES256", "PS256", "EdDSA", "Ed25519"],
    issuer: "exact",
    audience: "the resource, a string",
    scopes: "scope; absent when none was granted",
    clientId: "client_id",
    machineSubject: "the client id"
  },
  resourceAudience: "yes",
  audienceSetup: "send the resource parameter",
  resourceIndicators: "yes",
  dynamicRegistration: "setting",
  clientIdMetadataDocuments: "setting",
  introspection: "setting",
  evidence: [{ kind: "run", source: "9.13.3", test: "test/providers/providers.test.ts" }],
  quirks: [
    "Introspection of a JWT returns 400 unsupported_token_type.",
    "Introspection of an opaque token without a user returns no sub.",
    "Registration returns no CORS headers."
  ],
  documents: []
}
