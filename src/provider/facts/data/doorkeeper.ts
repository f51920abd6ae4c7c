import type { Fact } from "../Fact.ts"

export const doorkeeper: Fact = {
  id: "doorkeeper",
  name: "Doorkeeper",
  kind: "library",
  profile: null,
  asOf: "2026-11-30",
  tokens: {
    format: "opaque",
    note: "43 characters",
    typ: null,
    algorithms: [],
    issuer: null,
    audience: "none",
    scopes: "introspection, or /oauth/token/info",
    clientId: "introspection, or /oauth/token/info",
    machineSubject: "none"
  },
  resourceAudience: "no",
  audienceSetup: "not possible: introspection names no resource",
  resourceIndicators: "no",
  dynamicRegistration: "no",
  clientIdMetadataDocuments: "no",
  introspection: "yes",
  evidence: [{
    kind: "run",
    source: "5.5.0 with doorkeeper-openid_connect 1.8.0, Debian's packages",
    test: "test/providers/debian/doorkeeper.test.ts"
  }],
  quirks: [
    "Without doorkeeper-openid_connect, the server has no metadata.",
    "The metadata has no PKCE field. Official clients accept that, although MCP forbids it.",
    "Introspection returns no iss, aud or sub. /oauth/token/info names the user in resource_owner_id.",
    "The users of several classes can have the same resource_owner_id. Then resource_owner_type distinguishes them."
  ],
  absent: ["oauth-authorization-server"],
  documents: [{
    kind: "openid-configuration",
    url: "http://localhost:3000/.well-known/openid-configuration",
    issuer: "same",
    observed: "2026-11-30",
    source: "5.5.0 with doorkeeper-openid_connect 1.8.0, run",
    complete: true,
    jwksUri: true,
    registrationEndpoint: false,
    introspectionEndpoint: true,
    offlineAccess: false,
    tokenEndpointAuthMethods: ["client_secret_basic", "client_secret_post"]
  }]
}
