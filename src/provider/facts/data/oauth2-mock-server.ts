import type { Fact } from "../Fact.ts"

export const oauth2MockServer: Fact = {
  id: "oauth2-mock-server",
  name: "oauth2-mock-server",
  kind: "library",
  profile: null,
  asOf: "2026-11",
  tokens: {
    format: "jwt",
    note: "claims are set by a listener of beforeTokenSigning; no claim distinguishes ID tokens",
    typ: "JWT",
    algorithms: ["RS256", "ES256", "PS256", "EdDSA"],
    issuer: "http://localhost:{port}",
    audience: "none, unless a listener sets one",
    scopes: "scope",
    clientId: null,
    machineSubject: "none"
  },
  resourceAudience: "yes",
  audienceSetup: "set aud in a listener of beforeTokenSigning: the server ignores resource and audience of a request",
  resourceIndicators: "no",
  dynamicRegistration: "no",
  clientIdMetadataDocuments: "no",
  introspection: "yes",
  evidence: [{ kind: "run", source: "9.3.0" }],
  quirks: [
    "The token endpoint issues a token for every request, without authentication.",
    "The OpenID document is the only one. The RFC 8414 URL returns 404."
  ],
  absent: ["oauth-authorization-server"],
  documents: [{
    kind: "openid-configuration",
    url: "http://localhost:8080/.well-known/openid-configuration",
    issuer: "same",
    observed: "2026-11",
    source: "9.3.0, run",
    complete: true,
    jwksUri: true,
    registrationEndpoint: false,
    introspectionEndpoint: true,
    offlineAccess: false,
    codeChallengeMethods: ["plain", "S256"],
    tokenEndpointAuthMethods: ["none"]
  }]
}
