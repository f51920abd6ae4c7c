import type { Fact } from "../Fact.ts"

export const zitadel: Fact = {
  id: "zitadel",
  name: "Zitadel",
  kind: "service",
  profile: "zitadel",
  asOf: "2026-11",
  tokens: {
    format: "both",
    note: "opaque by default; JWTs per application",
    typ: null,
    algorithms: [],
    issuer: "https://{instance}.zitadel.cloud",
    audience: "a list of project and client ids, never a URL",
    scopes: "none; urn:zitadel:iam:org:project:roles, an object",
    clientId: "azp; client_id in introspection",
    machineSubject: "the user id"
  },
  resourceAudience: "yes",
  audienceSetup: "request the scope urn:zitadel:iam:org:project:id:{id}:aud, which adds the project",
  resourceIndicators: "no",
  dynamicRegistration: "no",
  clientIdMetadataDocuments: "no",
  introspection: "yes",
  evidence: [{ kind: "documentation", source: "zitadel.com/docs, claims and scopes" }, {
    kind: "document",
    source: "a public fixture file"
  }],
  quirks: ["Introspection requires Basic with form-encoded credentials, or private_key_jwt."],
  documents: [{
    kind: "openid-configuration",
    url: "https://{instance}.zitadel.cloud/.well-known/openid-configuration",
    issuer: "same",
    observed: "2026",
    source: "api-evangelist/aescape",
    complete: true,
    jwksUri: true,
    registrationEndpoint: false,
    introspectionEndpoint: true,
    offlineAccess: true,
    codeChallengeMethods: ["S256"],
    tokenEndpointAuthMethods: ["none", "client_secret_basic", "client_secret_post", "private_key_jwt"]
  }]
}
