import type { Fact } from "../Fact.ts"

export const cognito: Fact = {
  id: "cognito",
  name: "Amazon Cognito",
  kind: "service",
  profile: "cognito",
  asOf: "2026-11-30",
  tokens: {
    format: "jwt",
    note: "the header has only kid and alg; kid is Base64 with =, / and +",
    typ: null,
    algorithms: ["RS256"],
    issuer: "https://cognito-idp.{region}.amazonaws.com/{pool}; the endpoints are on another host",
    audience: "none; the resource, if one was requested (resource binding, not confirmed)",
    scopes: "scope, as resource-server/scope",
    clientId: "client_id",
    machineSubject: "the client id (not confirmed)"
  },
  resourceAudience: "yes",
  audienceSetup:
    "list the clients, and use the scopes of a resource server; the plans Essentials and Plus write the resource of an authorization request into aud",
  resourceIndicators: "setting",
  dynamicRegistration: "no",
  clientIdMetadataDocuments: "unknown",
  introspection: "no",
  evidence: [
    { kind: "token", source: "the claims of a user's token, in a public program", issued: "2018-08", shape: "cognito" },
    { kind: "run", source: "cognito-local 5.3.0, an emulator", test: "test/providers/cognitoLocal.test.ts" },
    { kind: "code", source: "PrefectHQ/fastmcp aws.py" },
    {
      kind: "documentation",
      source: "Verified Permissions"
    },
    {
      kind: "documentation",
      source: "AWS, Amazon Cognito now supports resource indicators"
    }
  ],
  quirks: ["The metadata has ten members and no PKCE field; no document newer than 2019 was found."],
  documents: [{
    kind: "openid-configuration",
    url: "https://cognito-idp.eu-west-1.amazonaws.com/{pool}/.well-known/openid-configuration",
    issuer: "same",
    observed: "2019",
    source: "alerta/alerta tests/test_providers.py",
    complete: true,
    jwksUri: true,
    registrationEndpoint: false,
    introspectionEndpoint: false,
    offlineAccess: false,
    tokenEndpointAuthMethods: ["client_secret_basic", "client_secret_post"]
  }, {
    kind: "openid-configuration",
    url: "https://cognito-idp.eu-west-1.amazonaws.com/{pool}/.well-known/openid-configuration",
    issuer: "same",
    observed: "2018",
    source: "micronaut-security test resources",
    complete: true,
    jwksUri: true,
    registrationEndpoint: false,
    introspectionEndpoint: false,
    offlineAccess: false,
    tokenEndpointAuthMethods: ["client_secret_basic", "client_secret_post"]
  }]
}
