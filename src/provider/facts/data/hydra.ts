import type { Fact } from "../Fact.ts"

export const hydra: Fact = {
  id: "hydra",
  name: "Ory Hydra",
  kind: "server",
  profile: "hydra",
  asOf: "2026-11",
  tokens: {
    format: "both",
    note: "opaque (ory_at_…) by default; JWTs with the strategy jwt",
    typ: null,
    algorithms: [],
    issuer: "https://{host}/ with a final slash",
    audience: "a list from audience=; empty if none was requested (not confirmed)",
    scopes: "scp, a list, by default",
    clientId: "client_id",
    machineSubject: "the client id (not confirmed)"
  },
  resourceAudience: "yes",
  audienceSetup: "send audience= with a value from the list of the client",
  resourceIndicators: "unknown",
  dynamicRegistration: "setting",
  clientIdMetadataDocuments: "unknown",
  introspection: "guarded",
  evidence: [{ kind: "document", source: "a public fixture file" }, {
    kind: "documentation",
    source: "Hydra, advanced; pull request 3531"
  }, {
    kind: "documentation",
    source: "ory/hydra, pull request 2909: the setting oidc.dynamic_client_registration.enabled, off by default"
  }],
  quirks: ["The metadata names no introspection_endpoint: it is on the admin port."],
  documents: [{
    kind: "openid-configuration",
    url: "http://{host}:4444/.well-known/openid-configuration",
    issuer: "other",
    observed: "2023-11-30",
    source: "a public program that quotes the response",
    complete: true,
    jwksUri: true,
    registrationEndpoint: false,
    introspectionEndpoint: false,
    offlineAccess: true,
    codeChallengeMethods: ["plain", "S256"],
    tokenEndpointAuthMethods: ["client_secret_post", "client_secret_basic", "private_key_jwt", "none"]
  }]
}
