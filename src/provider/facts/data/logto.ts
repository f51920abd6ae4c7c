import type { Fact } from "../Fact.ts"

export const logto: Fact = {
  id: "logto",
  name: "Logto",
  kind: "service",
  profile: "logto",
  asOf: "2026-11",
  tokens: {
    format: "both",
    note: "a JWT for a registered API resource, else opaque",
    typ: "at+jwt (not confirmed)",
    algorithms: ["ES384"],
    issuer: "https://{tenant}.logto.app/oidc",
    audience: "the API resource",
    scopes: "scope",
    clientId: "client_id",
    machineSubject: "the client id (not confirmed)"
  },
  resourceAudience: "yes",
  audienceSetup: "register an API resource whose identifier is the resource, or mark one as the default",
  resourceIndicators: "yes",
  dynamicRegistration: "unknown",
  clientIdMetadataDocuments: "setting",
  introspection: "yes",
  evidence: [{ kind: "documentation", source: "docs.logto.io, API resources, opaque tokens and dynamic apps" }, {
    kind: "unconfirmed",
    source: "typ, algorithm and sub"
  }],
  quirks: ["Built on oidc-provider. No document was found."],
  documents: []
}
