import type { Fact } from "../Fact.ts"

export const asanaMcp: Fact = {
  id: "asana-mcp",
  name: "Asana MCP",
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
  clientIdMetadataDocuments: "no",
  introspection: "no",
  evidence: [{ kind: "document", source: "api-evangelist/asana" }],
  quirks: ["The document has no jwks_uri.", "The server offers the PKCE methods S256 and plain."],
  documents: [{
    kind: "oauth-authorization-server",
    url: "https://mcp.asana.com/.well-known/oauth-authorization-server",
    issuer: "same",
    observed: "2026",
    source: "api-evangelist/asana",
    complete: true,
    jwksUri: false,
    registrationEndpoint: true,
    introspectionEndpoint: false,
    offlineAccess: false,
    codeChallengeMethods: ["plain", "S256"],
    tokenEndpointAuthMethods: ["client_secret_basic", "client_secret_post", "none"]
  }]
}
