import type { Fact } from "../Fact.ts"

export const djangoOauthToolkit: Fact = {
  id: "django-oauth-toolkit",
  name: "Django OAuth Toolkit",
  kind: "library",
  profile: null,
  asOf: "2026-11",
  tokens: {
    format: "opaque",
    note: "30 characters",
    typ: null,
    algorithms: [],
    issuer: null,
    audience: "none",
    scopes: "introspection",
    clientId: "introspection, with username",
    machineSubject: "none"
  },
  resourceAudience: "no",
  audienceSetup: "not possible: introspection names no resource",
  resourceIndicators: "unknown",
  dynamicRegistration: "unknown",
  clientIdMetadataDocuments: "unknown",
  introspection: "yes",
  evidence: [{ kind: "run", source: "a local server" }],
  quirks: [
    "Discovery redirects (301) to a URL with a final slash.",
    "The metadata has neither introspection_endpoint nor a PKCE field.",
    "Introspection returns no iss, aud or sub, and 403 with an empty body for invalid credentials."
  ],
  documents: []
}
