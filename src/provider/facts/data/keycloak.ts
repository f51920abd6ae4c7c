import type { Fact } from "../Fact.ts"

export const keycloak: Fact = {
  id: "keycloak",
  name: "Keycloak",
  kind: "server",
  profile: "keycloak",
  asOf: "2026-11",
  tokens: {
    format: "jwt",
    note: "the claim typ is Bearer in access tokens and ID in ID tokens",
    typ: "JWT",
    algorithms: ["RS256"],
    issuer: "https://{host}/realms/{realm}",
    audience: "account, or none at all (26.8)",
    scopes: "scope; realm_access.roles, resource_access.{client}.roles",
    clientId: "azp",
    machineSubject: "the id of the service account's user"
  },
  resourceAudience: "yes",
  audienceSetup: "add an audience mapper to a client scope",
  resourceIndicators: "experimental",
  dynamicRegistration: "yes",
  clientIdMetadataDocuments: "experimental",
  introspection: "yes",
  evidence: [{
    kind: "token",
    source: "the claims of a user's token, in charlescd-circle-matcher",
    issued: "2022-03",
    shape: "keycloak"
  }, {
    kind: "documentation",
    source: "keycloak.org, MCP authorization server"
  }, { kind: "documentation", source: "phasetwo.io mcp-server-auth (26.8.0, 2026-10-12)" }],
  quirks: [
    "The key set also has an encryption key (RSA-OAEP).",
    "The parameter resource works with --features=resource-indicators. Client metadata documents work from 26.6."
  ],
  documents: [{
    kind: "openid-configuration",
    url: "http://{host}/realms/{realm}/.well-known/openid-configuration",
    issuer: "same",
    observed: "2023-10",
    source: "redpanda-data/redpanda src/v/security/tests/jwt_test.cc",
    complete: true,
    jwksUri: true,
    registrationEndpoint: true,
    introspectionEndpoint: true,
    offlineAccess: true,
    codeChallengeMethods: ["plain", "S256"],
    tokenEndpointAuthMethods: [
      "private_key_jwt",
      "client_secret_basic",
      "client_secret_post",
      "tls_client_auth",
      "client_secret_jwt"
    ]
  }, {
    kind: "openid-configuration",
    url: "http://{host}/auth/realms/{realm}/.well-known/openid-configuration",
    issuer: "same",
    observed: "2019",
    source: "alerta/alerta tests/test_providers.py",
    complete: true,
    jwksUri: true,
    registrationEndpoint: true,
    introspectionEndpoint: true,
    offlineAccess: true,
    codeChallengeMethods: ["plain", "S256"],
    tokenEndpointAuthMethods: ["private_key_jwt", "client_secret_basic", "client_secret_post", "client_secret_jwt"]
  }]
}
