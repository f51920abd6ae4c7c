import type { Fact } from "../Fact.ts"

export const mcpSdkDemo: Fact = {
  id: "mcp-sdk-demo",
  name: "The demo server of the MCP SDK",
  kind: "library",
  profile: null,
  asOf: "2026-11-30",
  tokens: {
    format: "opaque",
    note: "a UUID, valid for one hour",
    typ: null,
    algorithms: [],
    issuer: "http://{host}:{port}/ with a final slash",
    audience: "in the introspection response: the resource, or none if the client sent no resource",
    scopes: "in the introspection response: every requested scope",
    clientId: "client_id in the introspection response",
    machineSubject: "the grant is not supported"
  },
  resourceAudience: "yes",
  audienceSetup: "send the resource parameter",
  resourceIndicators: "yes",
  dynamicRegistration: "yes",
  clientIdMetadataDocuments: "no",
  introspection: "yes",
  lookUp: "POST {issuer}introspect without credentials",
  evidence: [{ kind: "run", source: "@modelcontextprotocol/sdk 1.32.2", test: "test/providers/sdkDemo.test.ts" }],
  quirks: [
    "The introspection endpoint is not in the metadata. It needs no credentials, and names no user.",
    "Introspection of an inactive token returns 401 with active: false, which clients of RFC 7662 read as rejected credentials.",
    "Each request for authorization is granted at once, without a page. Refreshing a token is not implemented.",
    "The server listens on all network interfaces, and nothing stops it except the end of its process or thread."
  ],
  absent: ["openid-configuration"],
  documents: [{
    kind: "oauth-authorization-server",
    url: "http://localhost:3001/.well-known/oauth-authorization-server",
    issuer: "same",
    observed: "2026-11-30",
    source: "1.32.2, run",
    complete: true,
    jwksUri: false,
    registrationEndpoint: true,
    introspectionEndpoint: false,
    offlineAccess: false,
    codeChallengeMethods: ["S256"],
    tokenEndpointAuthMethods: ["client_secret_post", "none"]
  }]
}
