import type { Fact } from "../Fact.ts"

export const authkit: Fact = {
  id: "authkit",
  name: "WorkOS AuthKit",
  kind: "service",
  profile: "authkit",
  asOf: "2026-11",
  tokens: {
    format: "jwt",
    note: "",
    typ: null,
    algorithms: ["RS256"],
    issuer: "https://{tenant}.authkit.app",
    audience: "the resource, if it is registered; else the client id of the environment",
    scopes: "scope as granted; no scopes of resources; permissions and roles as lists",
    clientId: "client_id",
    machineSubject: "the client id"
  },
  resourceAudience: "yes",
  audienceSetup: "register the resource as a resource indicator",
  resourceIndicators: "setting",
  dynamicRegistration: "setting",
  clientIdMetadataDocuments: "yes",
  introspection: "yes",
  evidence: [
    { kind: "document", source: "public fixture files" },
    { kind: "documentation", source: "workos.com/docs, access token claims" },
    { kind: "code", source: "PrefectHQ/fastmcp workos.py" },
    { kind: "code", source: "skybridge" }
  ],
  quirks: [
    "The OpenID document lacks the PKCE, registration and client metadata fields; the RFC 8414 document has them."
  ],
  documents: [{
    kind: "oauth-authorization-server",
    url: "https://{tenant}.authkit.app/.well-known/oauth-authorization-server",
    issuer: "same",
    observed: "2026-09-21",
    source: "a public repository's probe log",
    complete: true,
    jwksUri: true,
    registrationEndpoint: true,
    introspectionEndpoint: true,
    offlineAccess: true,
    codeChallengeMethods: ["S256"],
    tokenEndpointAuthMethods: ["none", "client_secret_post", "client_secret_basic"],
    clientIdMetadataDocuments: true
  }, {
    kind: "openid-configuration",
    url: "https://{tenant}.authkit.app/.well-known/openid-configuration",
    issuer: "same",
    observed: "2026-09-21",
    source: "a public repository's probe log",
    complete: true,
    jwksUri: true,
    registrationEndpoint: false,
    introspectionEndpoint: true,
    offlineAccess: true,
    tokenEndpointAuthMethods: ["none", "client_secret_basic", "client_secret_post"]
  }, {
    kind: "oauth-authorization-server",
    url: "https://{tenant}.authkit.app/.well-known/oauth-authorization-server",
    issuer: "same",
    observed: "2026",
    source: "api-evangelist/antimetal",
    complete: true,
    jwksUri: true,
    registrationEndpoint: true,
    introspectionEndpoint: true,
    offlineAccess: true,
    codeChallengeMethods: ["S256"],
    tokenEndpointAuthMethods: ["none", "client_secret_post", "client_secret_basic"],
    clientIdMetadataDocuments: true
  }, {
    kind: "oauth-authorization-server",
    url: "https://signin.workos.com/.well-known/oauth-authorization-server",
    issuer: "same",
    observed: "2026",
    source: "api-evangelist/workos",
    complete: true,
    jwksUri: true,
    registrationEndpoint: true,
    introspectionEndpoint: true,
    offlineAccess: true,
    codeChallengeMethods: ["S256"],
    tokenEndpointAuthMethods: ["none", "client_secret_post", "client_secret_basic"],
    clientIdMetadataDocuments: true
  }]
}
