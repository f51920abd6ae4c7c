import type { Fact } from "../Fact.ts"

export const workersOauthProvider: Fact = {
  id: "workers-oauth-provider",
  name: "workers-oauth-provider",
  kind: "library",
  profile: null,
  asOf: "2026-11-30",
  tokens: {
    format: "opaque",
    note: "user:grant:secret, whose colons are not in the grammar of RFC 6750",
    typ: null,
    algorithms: [],
    issuer: "https://auth.example.com, the option issuer",
    audience: "audience of validateToken: one resource",
    scopes: "scope of validateToken, a list",
    clientId: "clientId of validateToken",
    machineSubject: "the grant is not supported"
  },
  resourceAudience: "yes",
  audienceSetup: "list the resource in the option resources; clients send the resource parameter",
  resourceIndicators: "yes",
  dynamicRegistration: "setting",
  clientIdMetadataDocuments: "setting",
  introspection: "no",
  lookUp: "validateToken, through a service binding",
  evidence: [{ kind: "run", source: "1.2.3, in workerd", test: "test/providers/workersOAuthProvider.test.ts" }, {
    kind: "documentation",
    source: "docs/authorization-server.md and docs/resource-servers.md of the package"
  }],
  quirks: [
    "The metadata has neither jwks_uri nor introspection_endpoint. Only validateToken of the Worker verifies tokens.",
    "A new grant revokes the old grants of the same user, client and resource.",
    "Client metadata documents also need the compatibility flag global_fetch_strictly_public.",
    "The lifetime of an access token is at least 60 seconds."
  ],
  absent: ["openid-configuration"],
  documents: [{
    kind: "oauth-authorization-server",
    url: "http://127.0.0.1:8787/.well-known/oauth-authorization-server",
    issuer: "same",
    observed: "2026-11-30",
    source: "1.2.3, run",
    complete: true,
    jwksUri: false,
    registrationEndpoint: true,
    introspectionEndpoint: false,
    offlineAccess: false,
    codeChallengeMethods: ["S256"],
    tokenEndpointAuthMethods: ["client_secret_basic", "client_secret_post", "none"],
    clientIdMetadataDocuments: false,
    issParameter: true
  }]
}
