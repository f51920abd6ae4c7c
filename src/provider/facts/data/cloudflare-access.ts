import type { Fact } from "../Fact.ts"

export const cloudflareAccess: Fact = {
  id: "cloudflare-access",
  name: "Cloudflare Access",
  kind: "service",
  profile: "cloudflareAccess",
  asOf: "2026-11",
  tokens: {
    format: "jwt",
    note:
      "clients of Managed OAuth receive oauth:…, which the edge resolves; the server receives a JWT in the header Cf-Access-Jwt-Assertion",
    typ: "JWT",
    algorithms: ["RS256"],
    issuer: "https://{team}.cloudflareaccess.com",
    audience: "the AUD tag",
    scopes: "none",
    clientId: "common_name, only for service tokens",
    machineSubject: "empty"
  },
  resourceAudience: "yes",
  audienceSetup: "accept the AUD tag of the application",
  resourceIndicators: "unknown",
  dynamicRegistration: "unknown",
  clientIdMetadataDocuments: "unknown",
  introspection: "unknown",
  evidence: [
    { kind: "documentation", source: "developers.cloudflare.com, application token and validate JWTs" },
    { kind: "code", source: "public integrations" }
  ],
  quirks: [
    "The endpoints are under /cdn-cgi/access/oauth/.",
    "Its opaque tokens do not follow the grammar of RFC 6750.",
    "No document was found."
  ],
  documents: []
}
