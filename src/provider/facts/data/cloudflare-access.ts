import type { Fact } from "../Fact.ts"

export const cloudflareAccess: Fact = {
  id: "cloudflare-access",
  name: "Cloudflare Access Managed OAuth",
  kind: "service",
  profile: null,
  asOf: "2026-11",
  tokens: {
    format: "opaque",
    note: "oauth:…, resolved at the edge; the origin receives the header Cf-Access-Jwt-Assertion, an RS256 JWT",
    typ: null,
    algorithms: ["RS256"],
    issuer: "https://{team}.cloudflareaccess.com",
    audience: "the AUD tag",
    scopes: "none",
    clientId: null,
    machineSubject: null
  },
  resourceAudience: "yes",
  audienceSetup: "accept the AUD tag of the application",
  resourceIndicators: "unknown",
  dynamicRegistration: "unknown",
  clientIdMetadataDocuments: "unknown",
  introspection: "unknown",
  evidence: [{ kind: "code", source: "public integrations" }],
  quirks: [
    "The endpoints are under /cdn-cgi/access/oauth/.",
    "Its opaque tokens do not follow the grammar of RFC 6750.",
    "No document was found."
  ],
  documents: []
}
