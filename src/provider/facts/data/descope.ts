import type { Fact } from "../Fact.ts"

export const descope: Fact = {
  id: "descope",
  name: "Descope",
  kind: "service",
  profile: "descope",
  asOf: "2026-11",
  tokens: {
    format: "jwt",
    note: "",
    typ: null,
    algorithms: ["RS256"],
    issuer: "https://api.descope.com/v1/apps/{project}, or that of the MCP server",
    audience: "the resource for an MCP server registered there, else the project id",
    scopes: "scope",
    clientId: null,
    machineSubject: null
  },
  resourceAudience: "yes",
  audienceSetup: "register the MCP server; clients without a user send audience=",
  resourceIndicators: "yes",
  dynamicRegistration: "yes",
  clientIdMetadataDocuments: "yes",
  introspection: "unknown",
  evidence: [{ kind: "documentation", source: "docs.descope.com, gateways" }, { kind: "code", source: "skybridge" }, {
    kind: "code",
    source: "agentgateway"
  }],
  quirks: ["Each MCP server has a separate discovery URL.", "No document was found."],
  documents: []
}
