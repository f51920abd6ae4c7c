import type { Fact } from "../Fact.ts"

export const cloudflareMcp: Fact = {
  id: "cloudflare-mcp",
  name: "Cloudflare MCP",
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
  evidence: [{ kind: "document", source: "api-evangelist/cloudflare" }],
  quirks: ["The document has no jwks_uri.", "Built on workers-oauth-provider."],
  documents: [{
    kind: "oauth-authorization-server",
    url: "https://observability.mcp.cloudflare.com/.well-known/oauth-authorization-server",
    issuer: "same",
    observed: "2026",
    source: "api-evangelist/cloudflare",
    complete: true,
    jwksUri: false,
    registrationEndpoint: true,
    introspectionEndpoint: false,
    offlineAccess: false,
    codeChallengeMethods: ["S256"],
    tokenEndpointAuthMethods: ["client_secret_basic", "client_secret_post", "none"],
    clientIdMetadataDocuments: false,
    issParameter: true
  }]
}
