import type { Fact } from "../Fact.ts"

export const scalekit: Fact = {
  id: "scalekit",
  name: "Scalekit",
  kind: "service",
  profile: "scalekit",
  asOf: "2026-11",
  tokens: {
    format: "jwt",
    note: "",
    typ: null,
    algorithms: [],
    issuer: "the environment, or {environment}/resources/{resource id}; both are valid during a migration",
    audience: "a list with the resource id (res_…), not the URL",
    scopes: "scope or scopes (not confirmed)",
    clientId: "client_id (not confirmed)",
    machineSubject: "the client"
  },
  resourceAudience: "yes",
  audienceSetup: "register the MCP server; its id is the audience",
  resourceIndicators: "unknown",
  dynamicRegistration: "yes",
  clientIdMetadataDocuments: "yes",
  introspection: "unknown",
  evidence: [{ kind: "code", source: "mcp-use scalekit.ts" }],
  quirks: ["Each resource has an authorization server document. Keys are at /keys.", "No document was found."],
  documents: []
}
