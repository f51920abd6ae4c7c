import type { Fact } from "../Fact.ts"

export const notionMcp: Fact = {
  id: "notion-mcp",
  name: "Notion MCP",
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
  introspection: "yes",
  evidence: [{ kind: "document", source: "a public fixture file" }],
  quirks: ["The document has no jwks_uri.", "The server offers the PKCE methods S256 and plain."],
  documents: [{
    kind: "oauth-authorization-server",
    url: "https://mcp.notion.com/.well-known/oauth-authorization-server",
    issuer: "same",
    observed: "2026-09-20",
    source: "a public fixture file",
    complete: true,
    jwksUri: false,
    registrationEndpoint: true,
    introspectionEndpoint: true,
    offlineAccess: false,
    codeChallengeMethods: ["plain", "S256"],
    tokenEndpointAuthMethods: ["client_secret_basic", "client_secret_post", "none"],
    clientIdMetadataDocuments: true
  }, {
    kind: "oauth-authorization-server",
    url: "https://mcp.notion.com/.well-known/oauth-authorization-server",
    issuer: "same",
    observed: "2026-06-20",
    source: "api-evangelist/notion",
    complete: true,
    jwksUri: false,
    registrationEndpoint: true,
    introspectionEndpoint: true,
    offlineAccess: false,
    codeChallengeMethods: ["plain", "S256"],
    tokenEndpointAuthMethods: ["client_secret_basic", "client_secret_post", "none"],
    clientIdMetadataDocuments: true
  }]
}
