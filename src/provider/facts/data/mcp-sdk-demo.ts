import type { Fact } from "../Fact.ts"

export const mcpSdkDemo: Fact = {
  id: "mcp-sdk-demo",
  name: "The demo server of the MCP SDK",
  kind: "library",
  profile: null,
  asOf: "2026-11",
  tokens: {
    format: "opaque",
    note: "a UUID",
    typ: null,
    algorithms: [],
    issuer: "always ends with a slash",
    audience: "introspection",
    scopes: "introspection",
    clientId: "introspection",
    machineSubject: null
  },
  resourceAudience: "yes",
  audienceSetup: "send the resource parameter",
  resourceIndicators: "yes",
  dynamicRegistration: "unknown",
  clientIdMetadataDocuments: "unknown",
  introspection: "yes",
  evidence: [{ kind: "run", source: "@modelcontextprotocol/sdk" }],
  quirks: ["Introspection of an inactive token returns 401 with active: false."],
  documents: []
}
