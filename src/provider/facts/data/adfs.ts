import type { Fact } from "../Fact.ts"

export const adfs: Fact = {
  id: "adfs",
  name: "Active Directory Federation Services",
  kind: "server",
  profile: "adfs",
  asOf: "2026-11",
  tokens: {
    format: "jwt",
    note: "",
    typ: "JWT",
    algorithms: ["RS256"],
    issuer: "access_token_issuer of the metadata (http://…/adfs/services/trust), which is not its issuer",
    audience: "the relying party's identifier, which may be a URL",
    scopes: "scp, a string",
    clientId: "appid",
    machineSubject: "none"
  },
  resourceAudience: "yes",
  audienceSetup: "create a relying party whose identifier is the resource",
  resourceIndicators: "unknown",
  dynamicRegistration: "no",
  clientIdMetadataDocuments: "unknown",
  introspection: "no",
  evidence: [
    {
      kind: "token",
      source: "a token that identifies no user, in redpanda-data/redpanda jwt_test.cc",
      issued: "2023-11",
      shape: "adfs"
    }
  ],
  quirks: [
    "The metadata has no PKCE field.",
    "The issuer in tokens is access_token_issuer of the metadata, with the scheme http."
  ],
  documents: [{
    kind: "openid-configuration",
    url: "https://{host}/adfs/.well-known/openid-configuration",
    issuer: "same",
    observed: "2023-11",
    source: "redpanda-data/redpanda src/v/security/tests/jwt_test.cc",
    complete: true,
    jwksUri: true,
    registrationEndpoint: false,
    introspectionEndpoint: false,
    offlineAccess: false,
    tokenEndpointAuthMethods: [
      "client_secret_post",
      "client_secret_basic",
      "private_key_jwt",
      "windows_client_authentication"
    ]
  }]
}
