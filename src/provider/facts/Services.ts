/**
 * Providers that one signs up with.
 *
 * @since 0.1.0
 */
import type { Fact } from "./Fact.ts"

/**
 * @category facts
 * @since 0.1.0
 */
export const services: ReadonlyArray<Fact> = [
  {
    id: "auth0",
    name: "Auth0",
    kind: "service",
    profile: "auth0",
    asOf: "2026-11",
    tokens: {
      format: "both",
      note: "a JWT once an API audience is asked for, else opaque (32 characters)",
      typ: "JWT, or at+jwt with the profile of RFC 9068",
      algorithms: ["RS256", "HS256"],
      issuer: "https://{tenant}/ with a final slash",
      audience: "a string, or [api, https://{tenant}/userinfo]",
      scopes: "scope; permissions with role-based access control",
      clientId: "azp, or client_id with the profile of RFC 9068",
      subjectOfPrograms: "{client id}@clients"
    },
    audienceHow:
      "make an API whose identifier is the resource; then audience=, a default audience of the tenant, or the Resource Parameter Compatibility Profile for resource=",
    resourceIndicators: "setting",
    dynamicRegistration: "setting",
    clientIdMetadataDocuments: "guarded",
    introspection: "no",
    evidence: [{ kind: "token", source: "a program's own token" }, {
      kind: "documentation",
      source: "auth0.com/docs, access token profiles, resource parameter compatibility profile, CIMD overview"
    }, { kind: "code", source: "PrefectHQ/fastmcp auth0.py" }],
    quirks: [
      "Documents of 2018 and 2019 lack the PKCE field.",
      "A client metadata document has to be imported from its URL; that clients bring their own is being tried out."
    ],
    documents: [{
      kind: "openid-configuration",
      url: "https://{tenant}.us.auth0.com/.well-known/openid-configuration",
      issuer: "same",
      observed: "2023-09",
      source: "redpanda-data/redpanda src/v/security/tests/jwt_test.cc",
      complete: true,
      jwksUri: true,
      registrationEndpoint: true,
      introspectionEndpoint: false,
      offlineAccess: true,
      codeChallengeMethods: ["S256", "plain"],
      tokenEndpointAuthMethods: ["client_secret_basic", "client_secret_post", "private_key_jwt"]
    }, {
      kind: "openid-configuration",
      url: "https://{tenant}.eu.auth0.com/.well-known/openid-configuration",
      issuer: "same",
      observed: "2019",
      source: "alerta/alerta tests/test_providers.py",
      complete: true,
      jwksUri: true,
      registrationEndpoint: true,
      introspectionEndpoint: false,
      offlineAccess: true,
      tokenEndpointAuthMethods: ["client_secret_basic", "client_secret_post"]
    }, {
      kind: "openid-configuration",
      url: "https://{tenant}.eu.auth0.com/.well-known/openid-configuration",
      issuer: "same",
      observed: "2018",
      source: "micronaut-security test resources",
      complete: true,
      jwksUri: true,
      registrationEndpoint: true,
      introspectionEndpoint: false,
      offlineAccess: true,
      tokenEndpointAuthMethods: ["client_secret_basic", "client_secret_post"]
    }]
  },
  {
    id: "okta",
    name: "Okta",
    kind: "service",
    profile: "okta",
    asOf: "2026-11",
    tokens: {
      format: "jwt",
      note: "of a custom authorization server; those of the organization's own server only Okta may verify",
      typ: null,
      algorithms: ["RS256"],
      issuer: "https://{domain}/oauth2/{server} without a slash",
      audience: "a string, fixed for each authorization server (api://default)",
      scopes: "scp, a list",
      clientId: "cid",
      subjectOfPrograms: "the client id"
    },
    audienceHow: "have a custom authorization server of its own for the resource, and set its audience to the resource",
    resourceIndicators: "unknown",
    dynamicRegistration: "guarded",
    clientIdMetadataDocuments: "guarded",
    introspection: "yes",
    evidence: [{ kind: "token", source: "a program's own token" }, {
      kind: "documentation",
      source: "developer.okta.com, custom and organization authorization servers"
    }, { kind: "documentation", source: "apollographql auth-okta guide" }],
    quirks: [
      "Dynamic registration needs an API token; a client metadata document works once its URL was registered."
    ],
    documents: [{
      kind: "openid-configuration",
      url: "https://{tenant}.okta.com/oauth2/default/.well-known/openid-configuration",
      issuer: "same",
      observed: "2023-11",
      source: "redpanda-data/redpanda src/v/security/tests/jwt_test.cc",
      complete: true,
      jwksUri: true,
      registrationEndpoint: true,
      introspectionEndpoint: true,
      offlineAccess: true,
      codeChallengeMethods: ["S256"],
      tokenEndpointAuthMethods: [
        "client_secret_basic",
        "client_secret_post",
        "client_secret_jwt",
        "private_key_jwt",
        "none"
      ]
    }, {
      kind: "openid-configuration",
      url: "https://{tenant}.okta.com/oauth2/default/.well-known/openid-configuration",
      issuer: "same",
      observed: "2019",
      source: "alerta/alerta tests/test_providers.py",
      complete: true,
      jwksUri: true,
      registrationEndpoint: true,
      introspectionEndpoint: true,
      offlineAccess: true,
      codeChallengeMethods: ["S256"],
      tokenEndpointAuthMethods: [
        "client_secret_basic",
        "client_secret_post",
        "client_secret_jwt",
        "private_key_jwt",
        "none"
      ]
    }, {
      kind: "openid-configuration",
      url: "https://{tenant}.oktapreview.com/oauth2/default/.well-known/openid-configuration",
      issuer: "same",
      observed: "2018",
      source: "micronaut-security test resources",
      complete: true,
      jwksUri: true,
      registrationEndpoint: true,
      introspectionEndpoint: true,
      offlineAccess: true,
      codeChallengeMethods: ["S256"],
      tokenEndpointAuthMethods: [
        "client_secret_basic",
        "client_secret_post",
        "client_secret_jwt",
        "private_key_jwt",
        "none"
      ]
    }]
  },
  {
    id: "okta-org",
    name: "Okta, the organization's own server",
    kind: "service",
    profile: null,
    asOf: "2026-11",
    tokens: {
      format: "jwt",
      note: "for Okta's own interfaces: nobody else is to verify them",
      typ: null,
      algorithms: ["RS256"],
      issuer: "https://{domain} without a slash",
      audience: "the domain",
      scopes: "scp, a list",
      clientId: "cid",
      subjectOfPrograms: "the client id"
    },
    audienceHow: "cannot be: take a custom authorization server, whose issuer has the path /oauth2/{server}",
    resourceIndicators: "no",
    dynamicRegistration: "guarded",
    clientIdMetadataDocuments: "guarded",
    introspection: "yes",
    evidence: [{
      kind: "documentation",
      source: "developer.okta.com, custom and organization authorization servers"
    }],
    quirks: ["Its document looks like that of a custom authorization server; its tokens are of no use to others."],
    documents: [{
      kind: "openid-configuration",
      url: "https://{tenant}.okta.com/.well-known/openid-configuration",
      issuer: "same",
      observed: "2026-10-03",
      source: "api-evangelist/okta well-known/",
      complete: true,
      jwksUri: true,
      registrationEndpoint: true,
      introspectionEndpoint: true,
      offlineAccess: true,
      codeChallengeMethods: ["S256"],
      tokenEndpointAuthMethods: [
        "client_secret_basic",
        "client_secret_post",
        "client_secret_jwt",
        "private_key_jwt",
        "none"
      ],
      dpopAlgorithms: ["RS256", "RS384", "RS512", "ES256", "ES384", "ES512"]
    }]
  },
  {
    id: "entra",
    name: "Microsoft Entra ID",
    kind: "service",
    profile: "entra",
    asOf: "2026-11",
    tokens: {
      format: "jwt",
      note: "version 1.0 or 2.0, as the application's manifest says; keys have no alg, and an issuer",
      typ: "JWT",
      algorithms: ["RS256"],
      issuer: "https://login.microsoftonline.com/{tid}/v2.0, or https://sts.windows.net/{tid}/ for version 1.0",
      audience: "the application id (version 2.0), or its URI (version 1.0)",
      scopes: "scp, a string, short form; roles, a list, for programs",
      clientId: "azp (version 2.0), appid (version 1.0)",
      subjectOfPrograms: "the service principal's object id"
    },
    audienceHow: "scopes are asked for as api://{application}/scope: the audience follows from them",
    resourceIndicators: "no",
    dynamicRegistration: "no",
    clientIdMetadataDocuments: "unknown",
    introspection: "no",
    evidence: [{ kind: "token", source: "a program's own token, version 1.0" }, {
      kind: "documentation",
      source: "access token claims reference"
    }, { kind: "code", source: "PrefectHQ/fastmcp azure.py" }],
    quirks: [
      "The metadata has no PKCE field: clients that follow the MCP text to the letter reject it.",
      "A token of version 1.0 comes also under a document of version 2.0.",
      "The document for several tenants names the issuer {tenantid}.",
      "There is no RFC 8414 document."
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
  },
  {
    id: "google",
    name: "Google",
    kind: "service",
    profile: "google",
    asOf: "2026-11",
    tokens: {
      format: "opaque",
      note: "ya29.…, about 140 characters; ID tokens are JWTs of the same issuer",
      typ: null,
      algorithms: [],
      issuer: null,
      audience: "none; tokeninfo names the client",
      scopes: "tokeninfo",
      clientId: "tokeninfo",
      subjectOfPrograms: "unknown"
    },
    audienceHow: "cannot be: a token is bound to the client",
    resourceIndicators: "no",
    dynamicRegistration: "no",
    clientIdMetadataDocuments: "unknown",
    introspection: "no",
    evidence: [{ kind: "token", source: "an access token" }, {
      kind: "documentation",
      source: "developers.google.com"
    }],
    quirks: ["Judged by tokeninfo."],
    documents: [{
      kind: "openid-configuration",
      url: "https://accounts.google.com/.well-known/openid-configuration",
      issuer: "same",
      observed: "2025",
      source: "modelcontextprotocol/go-sdk oauthex/testdata",
      complete: true,
      jwksUri: true,
      registrationEndpoint: false,
      introspectionEndpoint: false,
      offlineAccess: false,
      codeChallengeMethods: ["plain", "S256"],
      tokenEndpointAuthMethods: ["client_secret_post", "client_secret_basic"]
    }, {
      kind: "openid-configuration",
      url: "https://accounts.google.com/.well-known/openid-configuration",
      issuer: "same",
      observed: "2023",
      source: "redpanda-data/redpanda src/v/security/tests/jwt_test.cc",
      complete: true,
      jwksUri: true,
      registrationEndpoint: false,
      introspectionEndpoint: false,
      offlineAccess: false,
      codeChallengeMethods: ["plain", "S256"],
      tokenEndpointAuthMethods: ["client_secret_post", "client_secret_basic"]
    }, {
      kind: "openid-configuration",
      url: "https://accounts.google.com/.well-known/openid-configuration",
      issuer: "same",
      observed: "2019",
      source: "alerta/alerta tests/test_providers.py",
      complete: true,
      jwksUri: true,
      registrationEndpoint: false,
      introspectionEndpoint: false,
      offlineAccess: false,
      codeChallengeMethods: ["plain", "S256"],
      tokenEndpointAuthMethods: ["client_secret_post", "client_secret_basic"]
    }]
  },
  {
    id: "github",
    name: "GitHub",
    kind: "service",
    profile: "github",
    asOf: "2026-11",
    tokens: {
      format: "opaque",
      note: "gho_… (OAuth apps), ghu_… (GitHub Apps)",
      typ: null,
      algorithms: [],
      issuer: null,
      audience: "none",
      scopes: "the X-OAuth-Scopes header, or the answer of POST /applications/{client_id}/token",
      clientId: "the answer of the same call",
      subjectOfPrograms: null
    },
    audienceHow: "cannot be: a token is bound to the application",
    resourceIndicators: "no",
    dynamicRegistration: "no",
    clientIdMetadataDocuments: "unknown",
    introspection: "unknown",
    evidence: [{ kind: "code", source: "skybridge guide" }],
    quirks: ["No key set, no OpenID document; judged by POST /applications/{client_id}/token."],
    documents: []
  },
  {
    id: "cognito",
    name: "Amazon Cognito",
    kind: "service",
    profile: "cognito",
    asOf: "2026-11",
    tokens: {
      format: "jwt",
      note: "the header has kid and alg only; kid is base64 with =, / and +",
      typ: null,
      algorithms: ["RS256"],
      issuer: "https://cognito-idp.{region}.amazonaws.com/{pool}; the endpoints are on another host",
      audience: "none; the resource, where one was asked for (resource binding, not confirmed)",
      scopes: "scope, as resource-server/scope",
      clientId: "client_id",
      subjectOfPrograms: "the client id (not confirmed)"
    },
    audienceHow:
      "list the clients, and take the scopes of a resource server; the plans Essentials and Plus write the resource of an authorization request into aud",
    resourceIndicators: "setting",
    dynamicRegistration: "no",
    clientIdMetadataDocuments: "unknown",
    introspection: "no",
    evidence: [{ kind: "token", source: "an access token" }, { kind: "code", source: "PrefectHQ/fastmcp aws.py" }, {
      kind: "documentation",
      source: "Verified Permissions"
    }, {
      kind: "documentation",
      source: "AWS, Amazon Cognito now supports resource indicators"
    }],
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
  },
  {
    id: "logto",
    name: "Logto",
    kind: "service",
    profile: "logto",
    asOf: "2026-11",
    tokens: {
      format: "both",
      note: "a JWT for a registered API resource, else opaque",
      typ: "at+jwt (not confirmed)",
      algorithms: ["ES384"],
      issuer: "https://{tenant}.logto.app/oidc",
      audience: "the API resource",
      scopes: "scope",
      clientId: "client_id",
      subjectOfPrograms: "the client id (not confirmed)"
    },
    audienceHow: "register an API resource whose identifier is the resource, or mark one as the default",
    resourceIndicators: "yes",
    dynamicRegistration: "unknown",
    clientIdMetadataDocuments: "setting",
    introspection: "yes",
    evidence: [{ kind: "documentation", source: "docs.logto.io, API resources, opaque tokens and dynamic apps" }, {
      kind: "unconfirmed",
      source: "typ, algorithm and sub"
    }],
    quirks: ["Built on oidc-provider. No document was found."],
    documents: []
  },
  {
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
      audience: "the resource, once it is registered; else the client id of the environment",
      scopes: "scope as granted; no scopes of resources; permissions and roles as lists",
      clientId: "client_id",
      subjectOfPrograms: "the client id"
    },
    audienceHow: "register the resource as a resource indicator",
    resourceIndicators: "setting",
    dynamicRegistration: "setting",
    clientIdMetadataDocuments: "yes",
    introspection: "yes",
    evidence: [
      { kind: "document", source: "fixtures" },
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
  },
  {
    id: "stytch",
    name: "Stytch Connected Apps",
    kind: "service",
    profile: "stytch",
    asOf: "2026-11",
    tokens: {
      format: "jwt",
      note: "",
      typ: null,
      algorithms: ["RS256"],
      issuer: "https://{project domain}, or stytch.com/{project id}",
      audience: "[project id], or a custom audience",
      scopes: "scope",
      clientId: "client_id; none for programs",
      subjectOfPrograms: "the client id"
    },
    audienceHow: "set a custom audience; by default the audience is the project",
    resourceIndicators: "unknown",
    dynamicRegistration: "setting",
    clientIdMetadataDocuments: "yes",
    introspection: "unknown",
    evidence: [{ kind: "documentation", source: "stytch.com/docs, connected app access token" }, {
      kind: "code",
      source: "skybridge"
    }],
    quirks: ["The page at authorization_endpoint is your own.", "No document was found."],
    documents: []
  },
  {
    id: "descope",
    name: "Descope",
    kind: "service",
    profile: "descope",
    asOf: "2026-11",
    tokens: {
      format: "jwt",
      note: "",
      typ: null,
      algorithms: ["RS256"],
      issuer: "https://api.descope.com/v1/apps/{project}, or the MCP server's own",
      audience: "the resource for an MCP server registered there, else the project id",
      scopes: "scope",
      clientId: null,
      subjectOfPrograms: null
    },
    audienceHow: "register the MCP server; programs ask with audience=",
    resourceIndicators: "yes",
    dynamicRegistration: "yes",
    clientIdMetadataDocuments: "yes",
    introspection: "unknown",
    evidence: [{ kind: "documentation", source: "docs.descope.com, gateways" }, { kind: "code", source: "skybridge" }, {
      kind: "code",
      source: "agentgateway"
    }],
    quirks: ["Each MCP server has a discovery URL of its own.", "No document was found."],
    documents: []
  },
  {
    id: "scalekit",
    name: "Scalekit",
    kind: "service",
    profile: "scalekit",
    asOf: "2026-11",
    tokens: {
      format: "jwt",
      note: "",
      typ: null,
      algorithms: [],
      issuer: "the environment, or {environment}/resources/{resource id}: both are live during a migration",
      audience: "a list that holds the resource id (res_…), not the URL",
      scopes: "scope or scopes (not confirmed)",
      clientId: "client_id (not confirmed)",
      subjectOfPrograms: "the client"
    },
    audienceHow: "register the MCP server; its id is the audience",
    resourceIndicators: "unknown",
    dynamicRegistration: "yes",
    clientIdMetadataDocuments: "yes",
    introspection: "unknown",
    evidence: [{ kind: "code", source: "mcp-use scalekit.ts" }],
    quirks: ["An authorization server document for each resource; keys at /keys.", "No document was found."],
    documents: []
  },
  {
    id: "clerk",
    name: "Clerk",
    kind: "service",
    profile: "clerk",
    asOf: "2026-11",
    tokens: {
      format: "both",
      note: "JWTs once they are switched on, else opaque (oat_…, not confirmed)",
      typ: null,
      algorithms: [],
      issuer: "https://{frontend api}",
      audience: "none",
      scopes: "scope; org_permissions",
      clientId: null,
      subjectOfPrograms: null
    },
    audienceHow: "cannot be by aud: list the clients",
    resourceIndicators: "no",
    dynamicRegistration: "yes",
    clientIdMetadataDocuments: "unknown",
    introspection: "yes",
    evidence: [{ kind: "code", source: "mcp-use clerk.ts" }, { kind: "code", source: "skybridge" }, {
      kind: "code",
      source: "PrefectHQ/fastmcp clerk.py"
    }],
    quirks: ["Introspection at /oauth/token_info, registration at /oauth/register.", "No document was found."],
    documents: []
  },
  {
    id: "supabase",
    name: "Supabase Auth",
    kind: "service",
    profile: "supabase",
    asOf: "2026-11",
    tokens: {
      format: "jwt",
      note: "HS256 with the shared secret of older projects",
      typ: "JWT",
      algorithms: ["ES256", "HS256"],
      issuer: "https://{project}.supabase.co/auth/v1",
      audience: "always authenticated",
      scopes: "none; role",
      clientId: "client_id, in OAuth tokens alone",
      subjectOfPrograms: null
    },
    audienceHow: "cannot be by itself: list the clients, or write an audience in a token hook",
    resourceIndicators: "no",
    dynamicRegistration: "setting",
    clientIdMetadataDocuments: "unknown",
    introspection: "unknown",
    evidence: [{ kind: "documentation", source: "supabase.com/docs, token security" }, {
      kind: "code",
      source: "PrefectHQ/fastmcp supabase.py"
    }],
    quirks: [
      "Registration at /auth/v1/oauth/clients/register.",
      "The RFC 8414 document is found both inserted and appended.",
      "No document of a project's Auth was found."
    ],
    documents: []
  },
  {
    id: "zitadel",
    name: "Zitadel",
    kind: "service",
    profile: "zitadel",
    asOf: "2026-11",
    tokens: {
      format: "both",
      note: "opaque by default; JWTs per application",
      typ: null,
      algorithms: [],
      issuer: "https://{instance}.zitadel.cloud",
      audience: "a list of project and client ids, never a URL",
      scopes: "none; urn:zitadel:iam:org:project:roles, an object",
      clientId: "azp; client_id in introspection",
      subjectOfPrograms: "the user id"
    },
    audienceHow: "the scope urn:zitadel:iam:org:project:id:{id}:aud adds the project",
    resourceIndicators: "no",
    dynamicRegistration: "no",
    clientIdMetadataDocuments: "unknown",
    introspection: "yes",
    evidence: [{ kind: "documentation", source: "zitadel.com/docs, claims and scopes" }, {
      kind: "document",
      source: "fixture"
    }],
    quirks: ["Introspection wants Basic with form-encoded credentials, or private_key_jwt."],
    documents: [{
      kind: "openid-configuration",
      url: "https://{instance}.zitadel.cloud/.well-known/openid-configuration",
      issuer: "same",
      observed: "2026",
      source: "api-evangelist/aescape",
      complete: true,
      jwksUri: true,
      registrationEndpoint: false,
      introspectionEndpoint: true,
      offlineAccess: true,
      codeChallengeMethods: ["S256"],
      tokenEndpointAuthMethods: ["none", "client_secret_basic", "client_secret_post", "private_key_jwt"]
    }]
  },
  {
    id: "pingone",
    name: "PingOne",
    kind: "service",
    profile: "pingone",
    asOf: "2026-11",
    tokens: {
      format: "jwt",
      note: "no typ until 2027-03-02, then at+jwt",
      typ: null,
      algorithms: ["RS256"],
      issuer: "https://auth.pingone.{region}/{environment}/as",
      audience: "the audience of a custom resource",
      scopes: "scope",
      clientId: "client_id",
      subjectOfPrograms: "none"
    },
    audienceHow: "make a custom resource whose audience is the resource",
    resourceIndicators: "unknown",
    dynamicRegistration: "unknown",
    clientIdMetadataDocuments: "unknown",
    introspection: "yes",
    evidence: [{ kind: "documentation", source: "developer.pingidentity.com, token claims" }],
    quirks: ["Tokens of programs have neither auth_time nor acr."],
    documents: [{
      kind: "openid-configuration",
      url: "https://auth.pingone.com/{environment}/as/.well-known/openid-configuration",
      issuer: "same",
      observed: "2024-11",
      source: "API note of a public repository",
      complete: false,
      jwksUri: true,
      registrationEndpoint: false,
      introspectionEndpoint: true,
      offlineAccess: false
    }]
  },
  {
    id: "gitlab",
    name: "GitLab",
    kind: "service",
    profile: null,
    asOf: "2026-11",
    tokens: {
      format: "opaque",
      note: "64 hexadecimal digits",
      typ: null,
      algorithms: [],
      issuer: null,
      audience: "none",
      scopes: "introspection",
      clientId: "introspection",
      subjectOfPrograms: "none"
    },
    audienceHow: "cannot be: introspection names no resource",
    resourceIndicators: "unknown",
    dynamicRegistration: "yes",
    clientIdMetadataDocuments: "unknown",
    introspection: "yes",
    evidence: [{ kind: "document", source: "api-evangelist/gitlab" }, { kind: "token", source: "an access token" }, {
      kind: "run",
      source: "Doorkeeper, its engine"
    }],
    quirks: ["Only the RFC 8414 document has registration_endpoint.", "It knows the scope mcp."],
    documents: [{
      kind: "oauth-authorization-server",
      url: "https://gitlab.com/.well-known/oauth-authorization-server",
      issuer: "same",
      observed: "2026-06-20",
      source: "api-evangelist/gitlab",
      complete: true,
      jwksUri: true,
      registrationEndpoint: true,
      introspectionEndpoint: true,
      offlineAccess: false,
      codeChallengeMethods: ["plain", "S256"],
      tokenEndpointAuthMethods: ["client_secret_basic", "client_secret_post"]
    }, {
      kind: "openid-configuration",
      url: "https://gitlab.com/.well-known/openid-configuration",
      issuer: "same",
      observed: "2026-06-20",
      source: "api-evangelist/gitlab",
      complete: true,
      jwksUri: true,
      registrationEndpoint: false,
      introspectionEndpoint: true,
      offlineAccess: false,
      codeChallengeMethods: ["plain", "S256"],
      tokenEndpointAuthMethods: ["client_secret_basic", "client_secret_post"]
    }, {
      kind: "openid-configuration",
      url: "https://gitlab.com/.well-known/openid-configuration",
      issuer: "same",
      observed: "2019",
      source: "alerta/alerta tests/test_providers.py",
      complete: true,
      jwksUri: true,
      registrationEndpoint: false,
      introspectionEndpoint: false,
      offlineAccess: false,
      tokenEndpointAuthMethods: ["client_secret_basic", "client_secret_post"]
    }]
  },
  {
    id: "salesforce",
    name: "Salesforce",
    kind: "service",
    profile: null,
    asOf: "2026-11",
    tokens: {
      format: "opaque",
      note: "00D… (not confirmed)",
      typ: null,
      algorithms: [],
      issuer: null,
      audience: "not known",
      scopes: "not known",
      clientId: null,
      subjectOfPrograms: null
    },
    audienceHow: "not known",
    resourceIndicators: "unknown",
    dynamicRegistration: "yes",
    clientIdMetadataDocuments: "unknown",
    introspection: "yes",
    evidence: [{ kind: "document", source: "api-evangelist/salesforce" }],
    quirks: [
      "The document of api.salesforce.com names the issuer login.salesforce.com.",
      "The protected resource metadata names the resource and its authorization server with :443.",
      "The OpenID document has no PKCE field."
    ],
    documents: [{
      kind: "openid-configuration",
      url: "https://login.salesforce.com/.well-known/openid-configuration",
      issuer: "same",
      observed: "2026-08-13",
      source: "api-evangelist/salesforce",
      complete: true,
      jwksUri: true,
      registrationEndpoint: true,
      introspectionEndpoint: true,
      offlineAccess: true,
      tokenEndpointAuthMethods: ["client_secret_post", "client_secret_basic", "private_key_jwt"]
    }, {
      kind: "oauth-authorization-server",
      url: "https://api.salesforce.com/.well-known/oauth-authorization-server",
      issuer: "other",
      observed: "2026-08-13",
      source: "api-evangelist/salesforce",
      complete: true,
      jwksUri: true,
      registrationEndpoint: false,
      introspectionEndpoint: false,
      offlineAccess: false,
      codeChallengeMethods: ["S256"],
      tokenEndpointAuthMethods: ["client_secret_post"]
    }]
  },
  {
    id: "cloudflare-access",
    name: "Cloudflare Access Managed OAuth",
    kind: "service",
    profile: null,
    asOf: "2026-11",
    tokens: {
      format: "opaque",
      note: "oauth:…, resolved at the edge; the origin gets the header Cf-Access-Jwt-Assertion, an RS256 JWT",
      typ: null,
      algorithms: ["RS256"],
      issuer: "https://{team}.cloudflareaccess.com",
      audience: "the AUD tag",
      scopes: "none",
      clientId: null,
      subjectOfPrograms: null
    },
    audienceHow: "the AUD tag of the application",
    resourceIndicators: "unknown",
    dynamicRegistration: "unknown",
    clientIdMetadataDocuments: "unknown",
    introspection: "unknown",
    evidence: [{ kind: "code", source: "public integrations" }],
    quirks: [
      "The endpoints are under /cdn-cgi/access/oauth/.",
      "Its opaque tokens leave the grammar of RFC 6750.",
      "No document was found."
    ],
    documents: []
  },
  {
    id: "vercel",
    name: "Vercel",
    kind: "service",
    profile: null,
    asOf: "2026-11",
    tokens: {
      format: "unknown",
      note: "not known",
      typ: null,
      algorithms: [],
      issuer: null,
      audience: "not known",
      scopes: "not known",
      clientId: null,
      subjectOfPrograms: null
    },
    audienceHow: "not known",
    resourceIndicators: "unknown",
    dynamicRegistration: "yes",
    clientIdMetadataDocuments: "unknown",
    introspection: "no",
    evidence: [{ kind: "document", source: "a public fixture file" }],
    quirks: [],
    documents: [{
      kind: "oauth-authorization-server",
      url: "https://vercel.com/.well-known/oauth-authorization-server",
      issuer: "same",
      observed: "2026-09-25",
      source: "a public fixture file",
      complete: true,
      jwksUri: true,
      registrationEndpoint: true,
      introspectionEndpoint: false,
      offlineAccess: true,
      codeChallengeMethods: ["S256"],
      tokenEndpointAuthMethods: ["client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt"]
    }]
  },
  {
    id: "supabase-platform",
    name: "Supabase platform",
    kind: "service",
    profile: null,
    asOf: "2026-11",
    tokens: {
      format: "unknown",
      note: "not known",
      typ: null,
      algorithms: [],
      issuer: null,
      audience: "not known",
      scopes: "not known",
      clientId: null,
      subjectOfPrograms: null
    },
    audienceHow: "not known",
    resourceIndicators: "unknown",
    dynamicRegistration: "yes",
    clientIdMetadataDocuments: "unknown",
    introspection: "no",
    evidence: [{ kind: "document", source: "api-evangelist/supabase" }],
    quirks: ["The document has no jwks_uri."],
    documents: [{
      kind: "oauth-authorization-server",
      url: "https://api.supabase.com/.well-known/oauth-authorization-server",
      issuer: "same",
      observed: "2026",
      source: "api-evangelist/supabase",
      complete: true,
      jwksUri: false,
      registrationEndpoint: true,
      introspectionEndpoint: false,
      offlineAccess: false,
      codeChallengeMethods: ["S256", "plain"],
      tokenEndpointAuthMethods: ["client_secret_basic", "client_secret_post"]
    }]
  }
]
