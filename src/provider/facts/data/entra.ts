import type { Fact } from "../Fact.ts"

export const entra: Fact = {
  id: "entra",
  name: "Microsoft Entra ID",
  kind: "service",
  profile: "entra",
  asOf: "2026-11",
  tokens: {
    format: "jwt",
    note: "version 1.0 or 2.0, set in the application's manifest; keys have an issuer and no alg",
    typ: "JWT",
    algorithms: ["RS256"],
    issuer: "https://login.microsoftonline.com/{tid}/v2.0, or https://sts.windows.net/{tid}/ for version 1.0",
    audience: "the application id (version 2.0), or its URI (version 1.0)",
    scopes: "scp, a string, short form; roles, a list, for tokens without a user",
    clientId: "azp (version 2.0), appid (version 1.0)",
    machineSubject: "the service principal's object id"
  },
  resourceAudience: "yes",
  audienceSetup: "request scopes as api://{application}/scope, which determine the audience",
  resourceIndicators: "no",
  dynamicRegistration: "no",
  clientIdMetadataDocuments: "unknown",
  introspection: "no",
  evidence: [{
    kind: "token",
    source: "a token without a user, version 1.0, with its key set, in redpanda-data/redpanda jwt_test.cc",
    issued: "2023-11",
    shape: "entra-v1"
  }, {
    kind: "documentation",
    source: "access token claims reference"
  }, { kind: "code", source: "PrefectHQ/fastmcp azure.py" }],
  quirks: [
    "The metadata has no PKCE field, so clients that follow the MCP text strictly reject the server.",
    "Tokens of version 1.0 are issued under documents of version 2.0 as well.",
    "The document for several tenants names the issuer {tenantid}.",
    "The server has no RFC 8414 document."
  ],
  absent: ["oauth-authorization-server"],
  documents: [{
    kind: "openid-configuration",
    url: "https://login.microsoftonline.com/{tid}/v2.0/.well-known/openid-configuration",
    issuer: "same",
    observed: "2023-11",
    source: "redpanda-data/redpanda src/v/security/tests/jwt_test.cc",
    complete: true,
    jwksUri: true,
    registrationEndpoint: false,
    introspectionEndpoint: false,
    offlineAccess: true,
    tokenEndpointAuthMethods: ["client_secret_post", "private_key_jwt", "client_secret_basic"]
  }, {
    kind: "openid-configuration",
    url: "https://login.microsoftonline.com/common/v2.0/.well-known/openid-configuration",
    issuer: "template",
    observed: "2019",
    source: "alerta/alerta tests/test_providers.py",
    complete: true,
    jwksUri: true,
    registrationEndpoint: false,
    introspectionEndpoint: false,
    offlineAccess: true,
    tokenEndpointAuthMethods: ["client_secret_post", "private_key_jwt", "client_secret_basic"]
  }, {
    kind: "openid-configuration",
    url: "https://sts.windows.net/{tid}/.well-known/openid-configuration",
    issuer: "same",
    observed: "2019",
    source: "alerta/alerta tests/test_providers.py",
    complete: true,
    jwksUri: true,
    registrationEndpoint: false,
    introspectionEndpoint: false,
    offlineAccess: false,
    tokenEndpointAuthMethods: ["client_secret_post", "private_key_jwt", "client_secret_basic"]
  }]
}
