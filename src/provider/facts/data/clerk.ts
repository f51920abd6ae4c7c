import type { Fact } from "../Fact.ts"

export const clerk: Fact = {
  id: "clerk",
  name: "Clerk",
  kind: "service",
  profile: "clerk",
  asOf: "2026-11",
  tokens: {
    format: "both",
    note: "JWTs if enabled, else opaque (oat_…, not confirmed)",
    typ: null,
    algorithms: [],
    issuer: "https://{frontend api}",
    audience: "none",
    scopes: "scope; org_permissions",
    clientId: null,
    machineSubject: null
  },
  resourceAudience: "no",
  audienceSetup: "not possible through aud: list the clients",
  resourceIndicators: "no",
  dynamicRegistration: "yes",
  clientIdMetadataDocuments: "unknown",
  introspection: "yes",
  evidence: [{ kind: "code", source: "mcp-use clerk.ts" }, { kind: "code", source: "skybridge" }, {
    kind: "code",
    source: "PrefectHQ/fastmcp clerk.py"
  }],
  quirks: ["Introspection is at /oauth/token_info, registration at /oauth/register.", "No document was found."],
  documents: []
}
