import type { Fact } from "../Fact.ts"

export const stripeMcp: Fact = {
  id: "stripe-mcp",
  name: "Stripe MCP",
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
  evidence: [{ kind: "document", source: "api-evangelist/stripe" }],
  quirks: ["The document has no jwks_uri."],
  documents: [{
    kind: "oauth-authorization-server",
    url: "https://access.stripe.com/.well-known/oauth-authorization-server/mcp",
    issuer: "same",
    observed: "2026",
    source: "api-evangelist/stripe",
    complete: true,
    jwksUri: false,
    registrationEndpoint: true,
    introspectionEndpoint: false,
    offlineAccess: false,
    codeChallengeMethods: ["S256"],
    tokenEndpointAuthMethods: ["none"]
  }]
}
