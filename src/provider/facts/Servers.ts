/**
 * Authorization servers that one runs, or builds into a program, oneself.
 *
 * @since 0.1.0
 */
import type { Fact } from "./Fact.ts"

/**
 * @category facts
 * @since 0.1.0
 */
export const servers: ReadonlyArray<Fact> = [
  {
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
      scopes: "scope",
      clientId: "appid",
      subjectOfPrograms: "none"
    },
    audienceHow: "make a relying party whose identifier is the resource",
    resourceIndicators: "unknown",
    dynamicRegistration: "no",
    clientIdMetadataDocuments: "unknown",
    introspection: "no",
    evidence: [{ kind: "token", source: "a program's own token" }],
    quirks: ["The metadata has no PKCE field."],
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
  },
  {
    id: "keycloak",
    name: "Keycloak",
    kind: "server",
    profile: "keycloak",
    asOf: "2026-11",
    tokens: {
      format: "jwt",
      note: "the claim typ says Bearer; that of ID tokens says ID",
      typ: "JWT",
      algorithms: ["RS256"],
      issuer: "https://{host}/realms/{realm}",
      audience: "account, or none at all (26.8)",
      scopes: "scope; realm_access.roles, resource_access.{client}.roles",
      clientId: "azp",
      subjectOfPrograms: "the id of the service account's user"
    },
    audienceHow: "an audience mapper on a client scope",
    resourceIndicators: "experimental",
    dynamicRegistration: "yes",
    clientIdMetadataDocuments: "experimental",
    introspection: "yes",
    evidence: [{ kind: "token", source: "an access token" }, {
      kind: "documentation",
      source: "keycloak.org, MCP authorization server"
    }, { kind: "documentation", source: "phasetwo.io mcp-server-auth (26.8.0, 2026-10-12)" }],
    quirks: [
      "The key set also holds a key for encryption (RSA-OAEP).",
      "resource works with --features=resource-indicators; client metadata documents from 26.6."
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
  },
  {
    id: "authentik",
    name: "authentik",
    kind: "server",
    profile: "authentik",
    asOf: "2026-11",
    tokens: {
      format: "jwt",
      note: "the claim uid is in access tokens alone; HS256 without a signing key",
      typ: null,
      algorithms: ["RS256", "HS256"],
      issuer:
        "https://{host}/application/o/{slug}/ with a final slash, one for each application; the endpoints are shared",
      audience: "the client id",
      scopes: "scope (not confirmed)",
      clientId: "azp",
      subjectOfPrograms: null
    },
    audienceHow: "cannot be: the audience is the client",
    resourceIndicators: "no",
    dynamicRegistration: "no",
    clientIdMetadataDocuments: "unknown",
    introspection: "yes",
    evidence: [
      { kind: "document", source: "fixture" },
      { kind: "code", source: "goauthentik/authentik, id_token.py" },
      { kind: "unconfirmed", source: "scope" }
    ],
    quirks: ["There is no RFC 8414 document."],
    absent: ["oauth-authorization-server"],
    documents: [{
      kind: "openid-configuration",
      url: "https://{host}/application/o/{slug}/.well-known/openid-configuration",
      issuer: "same",
      observed: "2024",
      source: "a public configuration that embeds it",
      complete: true,
      jwksUri: true,
      registrationEndpoint: false,
      introspectionEndpoint: true,
      offlineAccess: true,
      codeChallengeMethods: ["plain", "S256"],
      tokenEndpointAuthMethods: ["client_secret_post", "client_secret_basic"]
    }]
  },
  {
    id: "hydra",
    name: "Ory Hydra",
    kind: "server",
    profile: "hydra",
    asOf: "2026-11",
    tokens: {
      format: "both",
      note: "opaque (ory_at_…) by default; JWTs by strategy",
      typ: null,
      algorithms: [],
      issuer: "https://{host}/ with a final slash",
      audience: "a list from audience=; empty when none was asked for (not confirmed)",
      scopes: "scp, a list, by default",
      clientId: "client_id",
      subjectOfPrograms: "the client id (not confirmed)"
    },
    audienceHow: "audience=, from a list that each client has",
    resourceIndicators: "unknown",
    dynamicRegistration: "unknown",
    clientIdMetadataDocuments: "unknown",
    introspection: "guarded",
    evidence: [{ kind: "document", source: "fixture" }, {
      kind: "documentation",
      source: "Hydra, advanced; pull request 3531"
    }],
    quirks: ["The metadata names no introspection_endpoint: it is on the admin port."],
    documents: [{
      kind: "openid-configuration",
      url: "http://{host}:4444/.well-known/openid-configuration",
      issuer: "other",
      observed: "2023-11-30",
      source: "a public program that quotes the answer",
      complete: true,
      jwksUri: true,
      registrationEndpoint: false,
      introspectionEndpoint: false,
      offlineAccess: true,
      codeChallengeMethods: ["plain", "S256"],
      tokenEndpointAuthMethods: ["client_secret_post", "client_secret_basic", "private_key_jwt", "none"]
    }]
  },
  {
    id: "oidc-provider",
    name: "oidc-provider",
    kind: "library",
    profile: "oidcProvider",
    asOf: "2026-11",
    tokens: {
      format: "both",
      note: "as each resource says",
      typ: "at+jwt",
      algorithms: ["RS256", "ES256", "PS256", "EdDSA", "Ed25519"],
      issuer: "exact",
      audience: "the resource, a string",
      scopes: "scope; absent when none was granted",
      clientId: "client_id",
      subjectOfPrograms: "the client id"
    },
    audienceHow: "the resource parameter",
    resourceIndicators: "yes",
    dynamicRegistration: "setting",
    clientIdMetadataDocuments: "setting",
    introspection: "setting",
    evidence: [{ kind: "run", source: "9.13.3" }],
    quirks: ["Introspecting a JWT answers 400 unsupported_token_type.", "Registration sends no CORS headers."],
    documents: []
  },
  {
    id: "better-auth",
    name: "better-auth",
    kind: "library",
    profile: "betterAuth",
    asOf: "2026-11",
    tokens: {
      format: "both",
      note: "a JWT for a resource, else opaque; the key has no use",
      typ: "at+jwt",
      algorithms: ["EdDSA", "RS256", "ES256", "PS256"],
      issuer: "https://{host}/api/auth, with a path",
      audience: "the resource; [resource, …/oauth2/userinfo] when openid was granted",
      scopes: "scope",
      clientId: "client_id and azp",
      subjectOfPrograms: "the client id"
    },
    audienceHow: "the resource parameter",
    resourceIndicators: "yes",
    dynamicRegistration: "setting",
    clientIdMetadataDocuments: "setting",
    introspection: "yes",
    evidence: [{ kind: "run", source: "1.7.5" }, {
      kind: "documentation",
      source: "better-auth.com/docs, OAuth provider and client ID metadata documents"
    }],
    quirks: [
      "Introspection answers active: false to a client that is neither the token's nor linked to the resource.",
      "Registration sends no CORS headers."
    ],
    documents: []
  },
  {
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
      subjectOfPrograms: "the client id"
    },
    audienceHow: "the resource parameter",
    resourceIndicators: "yes",
    dynamicRegistration: "setting",
    clientIdMetadataDocuments: "unknown",
    introspection: "yes",
    evidence: [{ kind: "run", source: "2.7.5, Debian's package" }],
    quirks: [
      "Only the OpenID document, appended to the issuer.",
      "Registration, once it is switched on, answers 200 instead of 201; clients without a secret are of no use.",
      "Debian's default external_url gives // in endpoints.",
      "Introspection answers active: false about tokens of other clients, until the plugin names a scope for it.",
      "Introspection can answer as a signed JWT, addressed to the audience of the token; for an inactive one it is 400."
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
  },
  {
    id: "oauth2-mock-server",
    name: "oauth2-mock-server",
    kind: "library",
    profile: null,
    asOf: "2026-11",
    tokens: {
      format: "jwt",
      note: "whatever a listener of beforeTokenSigning makes of them; ID tokens have no mark of their own",
      typ: "JWT",
      algorithms: ["RS256", "ES256", "PS256", "EdDSA"],
      issuer: "http://localhost:{port}",
      audience: "none, until a listener writes one",
      scopes: "scope",
      clientId: null,
      subjectOfPrograms: "none"
    },
    audienceHow: "write aud in a listener of beforeTokenSigning: resource and audience of a request are not heeded",
    resourceIndicators: "no",
    dynamicRegistration: "no",
    clientIdMetadataDocuments: "no",
    introspection: "yes",
    evidence: [{ kind: "run", source: "9.3.0" }],
    quirks: [
      "It authenticates nobody: the token endpoint gives a token to every request.",
      "Only the OpenID document; the RFC 8414 URL answers 404."
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
  },
  {
    id: "lemonldap",
    name: "LemonLDAP::NG",
    kind: "server",
    profile: "lemonldap",
    asOf: "2026-11",
    tokens: {
      format: "both",
      note: "a JWT or 64 hexadecimal digits; keys have no alg",
      typ: "JWT",
      algorithms: ["RS256"],
      issuer: "exact",
      audience: "[client id, resource]; that of ID tokens is the same",
      scopes: "scope",
      clientId: "client_id; azp in ID tokens",
      subjectOfPrograms: "the client id"
    },
    audienceHow: "the resource parameter",
    resourceIndicators: "yes",
    dynamicRegistration: "unknown",
    clientIdMetadataDocuments: "unknown",
    introspection: "yes",
    evidence: [{ kind: "run", source: "a server of it" }],
    quirks: ["The RFC 8414 URL answers 200 with HTML.", "The answer of introspection has no aud."],
    documents: []
  },
  {
    id: "django-oauth-toolkit",
    name: "Django OAuth Toolkit",
    kind: "library",
    profile: null,
    asOf: "2026-11",
    tokens: {
      format: "opaque",
      note: "30 characters",
      typ: null,
      algorithms: [],
      issuer: null,
      audience: "none",
      scopes: "introspection",
      clientId: "introspection, with username",
      subjectOfPrograms: "none"
    },
    audienceHow: "cannot be: introspection names no resource",
    resourceIndicators: "unknown",
    dynamicRegistration: "unknown",
    clientIdMetadataDocuments: "unknown",
    introspection: "yes",
    evidence: [{ kind: "run", source: "a server of it" }],
    quirks: [
      "Discovery answers 301 to a final slash.",
      "The metadata has neither introspection_endpoint nor a PKCE field.",
      "Introspection has no iss, aud and sub; rejected credentials are 403 with an empty body."
    ],
    documents: []
  },
  {
    id: "doorkeeper",
    name: "Doorkeeper",
    kind: "library",
    profile: null,
    asOf: "2026-11",
    tokens: {
      format: "opaque",
      note: "43 characters",
      typ: null,
      algorithms: [],
      issuer: null,
      audience: "none",
      scopes: "introspection",
      clientId: "introspection",
      subjectOfPrograms: null
    },
    audienceHow: "cannot be: introspection names no resource",
    resourceIndicators: "unknown",
    dynamicRegistration: "unknown",
    clientIdMetadataDocuments: "unknown",
    introspection: "yes",
    evidence: [{ kind: "run", source: "a server of it" }],
    quirks: ["Introspection has no iss, aud and sub.", "The metadata has no PKCE field (1.8)."],
    documents: []
  },
  {
    id: "workers-oauth-provider",
    name: "workers-oauth-provider",
    kind: "library",
    profile: null,
    asOf: "2026-11",
    tokens: {
      format: "opaque",
      note: "user:grant:secret",
      typ: null,
      algorithms: [],
      issuer: "exact",
      audience: "one resource",
      scopes: "internal",
      clientId: "internal",
      subjectOfPrograms: "no such grant"
    },
    audienceHow: "the resource parameter",
    resourceIndicators: "yes",
    dynamicRegistration: "yes",
    clientIdMetadataDocuments: "unknown",
    introspection: "no",
    evidence: [{ kind: "run", source: "a worker with it" }],
    quirks: [
      "Only an RFC 8414 document, without jwks_uri and introspection: only validateToken() can tell.",
      "A new grant revokes the old one."
    ],
    documents: []
  },
  {
    id: "mcp-sdk-demo",
    name: "The demo server of the MCP SDK",
    kind: "library",
    profile: null,
    asOf: "2026-11",
    tokens: {
      format: "opaque",
      note: "a UUID",
      typ: null,
      algorithms: [],
      issuer: "always ends with a slash",
      audience: "introspection",
      scopes: "introspection",
      clientId: "introspection",
      subjectOfPrograms: null
    },
    audienceHow: "the resource parameter",
    resourceIndicators: "yes",
    dynamicRegistration: "unknown",
    clientIdMetadataDocuments: "unknown",
    introspection: "yes",
    evidence: [{ kind: "run", source: "@modelcontextprotocol/sdk" }],
    quirks: ["An inactive token is answered 401 with active: false."],
    documents: []
  },
  {
    id: "openauth",
    name: "OpenAuth",
    kind: "library",
    profile: "openauth",
    asOf: "2026-11",
    tokens: {
      format: "jwt",
      note: "mode: access; no iat, scope and client claim",
      typ: "JWT",
      algorithms: ["ES256"],
      issuer: "the origin of the request's Host",
      audience: "the client id",
      scopes: "none",
      clientId: "aud",
      subjectOfPrograms: "its own id"
    },
    audienceHow: "cannot be: the audience is the client",
    resourceIndicators: "unknown",
    dynamicRegistration: "unknown",
    clientIdMetadataDocuments: "unknown",
    introspection: "unknown",
    evidence: [{ kind: "run", source: "a server of it" }],
    quirks: ["The metadata has no PKCE field; the token response no token_type."],
    documents: []
  }
]
