import type { Fact } from "../Fact.ts"

export const sentryMcp: Fact = {
  id: "sentry-mcp",
  name: "Sentry MCP",
  kind: "mcp-server",
  profile: null,
  asOf: "2026-11",
  tokens: {
    format: "opaque",
    note: "",
    typ: null,
    algorithms: [],
    issuer: null,
    audience: "not known",
    scopes: "not known",
    clientId: null,
    machineSubject: null
  },
  resourceAudience: "no",
  audienceSetup: "not possible for other servers: the MCP server is its own authorization server",
  resourceIndicators: "unknown",
  dynamicRegistration: "yes",
  clientIdMetadataDocuments: "yes",
  introspection: "no",
  evidence: [{ kind: "document", source: "a public fixture file" }],
  quirks: ["The document has no jwks_uri.", "Its protected resource metadata is only at the URL with the path."],
  documents: [{
    kind: "oauth-authorization-server",
    url: "https://mcp.sentry.dev/.well-known/oauth-authorization-server",
    issuer: "same",
    observed: "2026-09-20",
    source: "a public fixture file",
    complete: true,
    jwksUri: false,
    registrationEndpoint: true,
    introspectionEndpoint: false,
    offlineAccess: false,
    codeChallengeMethods: ["S256"],
    tokenEndpointAuthMethods: ["client_secret_basic", "client_secret_post", "none"],
    clientIdMetadataDocuments: true,
    issParameter: true
  }]
}
