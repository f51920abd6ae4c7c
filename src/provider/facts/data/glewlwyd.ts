import type { Fact } from "../Fact.ts"

export const glewlwyd: Fact = {
  id: "glewlwyd",
  name: "Glewlwyd",
  kind: "server",
  profile: "glewlwyd",
  asOf: "2026-11",
  tokens: {
    format: "jwt",
    note: "the key has no use",
    typ: "at+jwt",
    algorithms: ["RS256", "ES256", "PS256", "EdDSA"],
    issuer: "https://{host}/api/oidc, with a path",
    audience: "the resource; without one the scope string",
    scopes: "scope",
    clientId: "client_id",
    machineSubject: "the client id"
  },
  resourceAudience: "yes",
  audienceSetup: "send the resource parameter",
  resourceIndicators: "yes",
  dynamicRegistration: "setting",
  clientIdMetadataDocuments: "no",
  introspection: "yes",
  evidence: [{ kind: "run", source: "2.7.5, Debian's package", test: "test/providers/glewlwyd.test.ts" }],
  quirks: [
    "The OpenID document is the only one, appended to the issuer.",
    "Registration, if enabled, returns 200 instead of 201. Clients without a secret do not work.",
    "The default external_url of Debian's package causes // in endpoints.",
    "Introspection returns active: false for tokens of other clients, unless the plugin names a scope for it.",
    "Introspection can return a signed JWT for the audience of the token, and 400 for an inactive token."
  ],
  absent: ["oauth-authorization-server"],
  documents: [{
    kind: "openid-configuration",
    url: "http://localhost:4593/api/oidc/.well-known/openid-configuration",
    issuer: "same",
    observed: "2026-11",
    source: "2.7.5, run",
    complete: true,
    jwksUri: true,
    registrationEndpoint: false,
    introspectionEndpoint: true,
    offlineAccess: false,
    codeChallengeMethods: ["S256"],
    tokenEndpointAuthMethods: ["client_secret_basic", "client_secret_post"]
  }]
}
