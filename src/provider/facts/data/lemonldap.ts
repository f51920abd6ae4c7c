import type { Fact } from "../Fact.ts"

export const lemonldap: Fact = {
  id: "lemonldap",
  name: "LemonLDAP::NG",
  kind: "server",
  profile: "lemonldap",
  asOf: "2026-11-30",
  tokens: {
    format: "both",
    note: "a JWT or 64 hexadecimal digits, by a setting of the relying party; keys have no alg",
    typ: "JWT",
    algorithms: ["RS256"],
    issuer: "exact",
    audience: "[client id, additional audiences of the relying party]; that of ID tokens is the same",
    scopes: "scope",
    clientId: "client_id; azp in ID tokens",
    machineSubject: "the client id"
  },
  resourceAudience: "yes",
  audienceSetup:
    "add the resource to the additional audiences of each relying party: the parameter resource has no effect",
  resourceIndicators: "no",
  dynamicRegistration: "setting",
  clientIdMetadataDocuments: "no",
  introspection: "yes",
  evidence: [{ kind: "run", source: "2.16.1, Debian's package", test: "test/providers/debian/lemonldap.test.ts" }],
  quirks: [
    "An authorization request without the scope openid gets an error page.",
    "The RFC 8414 URL returns 401 to clients that accept JSON, and 200 with HTML to browsers.",
    "PKCE is verified only if the relying party requires it.",
    "The response of registration, if enabled, has members of wrong types, and both official clients reject it.",
    "The introspection response has no aud.",
    "No endpoint revokes access tokens. After the user signs out, introspection returns active: false, but a JWT is valid " +
    "until it expires."
  ],
  absent: ["oauth-authorization-server"],
  documents: [{
    kind: "openid-configuration",
    url: "http://localhost:8080/.well-known/openid-configuration",
    issuer: "same",
    observed: "2026-11-30",
    source: "2.16.1, run",
    complete: true,
    jwksUri: true,
    registrationEndpoint: false,
    introspectionEndpoint: true,
    offlineAccess: false,
    codeChallengeMethods: ["plain", "S256"],
    tokenEndpointAuthMethods: ["client_secret_post", "client_secret_basic"]
  }]
}
