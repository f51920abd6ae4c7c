import type { Fact } from "../Fact.ts"

export const openauth: Fact = {
  id: "openauth",
  name: "OpenAuth",
  kind: "library",
  profile: "openauth",
  asOf: "2026-11-30",
  tokens: {
    format: "jwt",
    note: "mode: access; no iat, scope and client claim",
    typ: "JWT",
    algorithms: ["ES256"],
    issuer: "the origin of the request's Host",
    audience: "the client id, which the client chooses",
    scopes: "properties.scopes, if your program writes them",
    clientId: "aud",
    machineSubject: "the subject that your program sets; by default the type and a hash of the properties"
  },
  resourceAudience: "no",
  audienceSetup: "not possible: the audience is the client",
  resourceIndicators: "no",
  dynamicRegistration: "no",
  clientIdMetadataDocuments: "no",
  introspection: "no",
  signInFault: "no token_type in the token response",
  evidence: [{ kind: "run", source: "0.4.3", test: "test/providers/openauth.test.ts" }],
  quirks: [
    "The token response has no token_type (RFC 6749 section 5.1), so both official clients end the sign-in with an error.",
    "The metadata has only the endpoints and jwks_uri: no PKCE field and no methods of client authentication.",
    "Each client id is accepted whose redirect URI the option allow accepts. PKCE is checked only if the client uses it.",
    "The parameters scope and resource are ignored, and the response does not name the granted scopes."
  ],
  absent: ["openid-configuration"],
  documents: [{
    kind: "oauth-authorization-server",
    url: "http://127.0.0.1:3000/.well-known/oauth-authorization-server",
    issuer: "same",
    observed: "2026-11-30",
    source: "0.4.3, run",
    complete: true,
    jwksUri: true,
    registrationEndpoint: false,
    introspectionEndpoint: false,
    offlineAccess: false
  }]
}
