import type { Fact } from "../Fact.ts"

export const authentik: Fact = {
  id: "authentik",
  name: "authentik",
  kind: "server",
  profile: "authentik",
  asOf: "2026-11",
  tokens: {
    format: "jwt",
    note: "the claim uid is in access tokens only; HS256 without a signing key",
    typ: null,
    algorithms: ["RS256", "HS256"],
    issuer:
      "https://{host}/application/o/{slug}/ with a final slash, one for each application; the endpoints are shared",
    audience: "the client id",
    scopes: "scope (not confirmed)",
    clientId: "azp",
    machineSubject: null
  },
  resourceAudience: "no",
  audienceSetup: "not possible: the audience is the client",
  resourceIndicators: "no",
  dynamicRegistration: "no",
  clientIdMetadataDocuments: "unknown",
  introspection: "yes",
  evidence: [
    { kind: "document", source: "a public fixture file" },
    { kind: "code", source: "goauthentik/authentik, id_token.py" },
    { kind: "unconfirmed", source: "scope" }
  ],
  quirks: ["The server has no RFC 8414 document."],
  absent: ["oauth-authorization-server"],
  documents: [{
    kind: "openid-configuration",
    url: "https://{host}/application/o/{slug}/.well-known/openid-configuration",
    issuer: "same",
    observed: "2024",
    source: "a public configuration that embeds it",
    complete: true,
    jwksUri: true,
    registrationEndpoint: false,
    introspectionEndpoint: true,
    offlineAccess: true,
    codeChallengeMethods: ["plain", "S256"],
    tokenEndpointAuthMethods: ["client_secret_post", "client_secret_basic"]
  }]
}
