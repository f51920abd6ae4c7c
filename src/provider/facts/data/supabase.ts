import type { Fact } from "../Fact.ts"

export const supabase: Fact = {
  id: "supabase",
  name: "Supabase Auth",
  kind: "service",
  profile: "supabase",
  asOf: "2026-11",
  tokens: {
    format: "jwt",
    note: "HS256 with the shared secret of older projects",
    typ: "JWT",
    algorithms: ["ES256", "HS256"],
    issuer: "https://{project}.supabase.co/auth/v1",
    audience: "always authenticated",
    scopes: "none; role",
    clientId: "client_id, in OAuth tokens only",
    machineSubject: null
  },
  resourceAudience: "no",
  audienceSetup: "not possible by default: list the clients, or set an audience in a token hook",
  resourceIndicators: "no",
  dynamicRegistration: "setting",
  clientIdMetadataDocuments: "unknown",
  introspection: "unknown",
  evidence: [{ kind: "documentation", source: "supabase.com/docs, token security" }, {
    kind: "code",
    source: "PrefectHQ/fastmcp supabase.py"
  }],
  quirks: [
    "Registration is at /auth/v1/oauth/clients/register.",
    "The RFC 8414 document has two URLs, with the well-known path inserted and appended.",
    "No document of a project was found."
  ],
  documents: []
}
