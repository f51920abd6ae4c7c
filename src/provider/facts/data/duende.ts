import type { Fact } from "../Fact.ts"

export const duende: Fact = {
  id: "duende",
  name: "Duende IdentityServer",
  kind: "library",
  profile: "duende",
  asOf: "2026-11",
  tokens: {
    format: "both",
    note: "JWTs by default; opaque with AccessTokenType.Reference",
    typ: "at+jwt",
    algorithms: [],
    issuer: "exact",
    audience: "the names of the API resources of the scopes, a string or a list; none without one",
    scopes: "scope, a list; a string with EmitScopesAsSpaceDelimitedStringInJwt",
    clientId: "client_id",
    machineSubject: "none"
  },
  resourceAudience: "yes",
  audienceSetup: "add an ApiResource whose name is the resource, with the scopes",
  resourceIndicators: "setting",
  dynamicRegistration: "setting",
  clientIdMetadataDocuments: "unknown",
  introspection: "yes",
  evidence: [{ kind: "code", source: "DuendeSoftware/products, TokenExtensions.cs" }, {
    kind: "documentation",
    source: "docs.duendesoftware.com, API resources, authorization based on scopes"
  }],
  quirks: ["The audience is missing if no scope of the token belongs to an API resource."],
  documents: []
}
