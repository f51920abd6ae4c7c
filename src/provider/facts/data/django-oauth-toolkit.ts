import type { Fact } from "../Fact.ts"

export const djangoOauthToolkit: Fact = {
  id: "django-oauth-toolkit",
  name: "Django OAuth Toolkit",
  kind: "library",
  profile: null,
  asOf: "2026-11-30",
  tokens: {
    format: "opaque",
    note: "30 characters",
    typ: null,
    algorithms: [],
    issuer: null,
    audience: "none",
    scopes: "introspection",
    clientId: "introspection",
    machineSubject: "none"
  },
  resourceAudience: "no",
  audienceSetup: "not possible: introspection names no resource",
  resourceIndicators: "no",
  dynamicRegistration: "no",
  clientIdMetadataDocuments: "no",
  introspection: "yes",
  lookUp: "POST {issuer}/introspect/ with the credentials of a confidential application",
  evidence: [{ kind: "run", source: "1.7.0, Debian's package", test: "test/providers/debian/django.test.ts" }],
  quirks: [
    "Discovery redirects (301) to a URL with a final slash, which official clients follow.",
    "The metadata has neither introspection_endpoint nor a PKCE field. Official clients accept that, although MCP forbids it.",
    "Introspection names the user in username, and returns no iss, aud or sub.",
    "If the introspection endpoint rejects the credentials, it returns 403 with an empty body."
  ],
  absent: ["oauth-authorization-server"],
  documents: [{
    kind: "openid-configuration",
    url: "http://localhost:8000/o/.well-known/openid-configuration",
    issuer: "same",
    observed: "2026-11-30",
    source: "1.7.0, run",
    complete: true,
    jwksUri: true,
    registrationEndpoint: false,
    introspectionEndpoint: false,
    offlineAccess: false,
    tokenEndpointAuthMethods: ["client_secret_post", "client_secret_basic"]
  }]
}
