import type { Rule } from "../report/Rule.ts"
import type { Fact } from "./Facts.ts"

const registerManually = (provider: string, what: string) =>
  `${provider}: create ${what} for each client, and give the client its client id`

/**
 * The advice for a rule that fails, by the ids of the provider and the rule. It replaces the general advice of the rule. The
 * comments name the documentation from which it is taken.
 */
const settings: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  auth0: {
    // auth0.com/ai/docs, dynamic-client-registration
    "dynamic-registration": "Auth0: enable Dynamic Client Registration in the dashboard, under Settings, Advanced",
    // auth0.com/docs, cimd-overview
    "client-id-metadata-documents": "Auth0: import the client from the URL of its metadata document",
    // auth0.com/ai/docs, resource-param-compatibility-profile
    "resource-indicators":
      "Auth0: create an API whose identifier is the resource, and enable the Resource Parameter Compatibility Profile under Settings, Advanced",
    "iss-parameter": "Auth0: enable Include Issuer in Authorization Responses under Settings, Advanced",
    // auth0.com/docs, dynamic-client-registration: token_endpoint_auth_method
    "public-clients":
      "Auth0: create the application as Native or Single Page, without authentication at the token endpoint"
  },
  keycloak: {
    // keycloak.org, securing applications, client registration service
    "dynamic-registration": "Keycloak: allow your clients in the Trusted Hosts policy of Client registration",
    // keycloak.org, server administration, web origins of a client
    "cors-token": "Keycloak: add the origins of browser clients to the Web origins of the client",
    // keycloak.org, securing applications, MCP authorization server
    "resource-indicators": "Keycloak: add an audience mapper for the resource to a client scope",
    // keycloak.org, server, hostname (v2)
    "endpoints-https": "Keycloak: set the option hostname to the public https URL",
    "issuer-url": "Keycloak: set the option hostname to the public https URL"
  },
  entra: {
    // learn.microsoft.com, v2-oauth2-auth-code-flow; answers/questions/218113
    "pkce-s256":
      "Entra ID supports PKCE and does not publish it: use clients that do not check, or put your authorization server in front, which signs in users through Entra ID",
    "client-id-metadata-documents": registerManually("Entra ID", "an app registration"),
    "unknown-clients": registerManually("Entra ID", "an app registration"),
    "dynamic-registration": registerManually("Entra ID", "an app registration"),
    "issuer-url":
      "Entra ID: write the GUID of the tenant in place of common or {tenantid}. For several tenants see Profiles.entraMultiTenant"
  },
  okta: {
    "dynamic-registration":
      "Okta: registration requires an API token. Create an app integration for each client instead",
    // help.okta.com, api-config-auth-server
    "resource-indicators":
      "Okta: create an authorization server for the resource under Security, API, and set the resource as its Audience"
  },
  google: {
    "unknown-clients": registerManually("Google", "an OAuth client"),
    "tokens-verifiable": "Google: access tokens are opaque. Profiles.google verifies each of them at Google"
  },
  "workers-oauth-provider": {
    // cloudflare/workers-oauth-provider, docs/resource-servers.md
    "tokens-verifiable":
      "workers-oauth-provider: verify tokens with Introspection.lookUp and a service binding to validateToken",
    // cloudflare/workers-oauth-provider, docs/authorization-server.md
    "client-id-metadata-documents":
      "workers-oauth-provider: set clientIdMetadataDocumentEnabled, and add the compatibility flag global_fetch_strictly_public"
  },
  "django-oauth-toolkit": {
    "tokens-verifiable": "Django OAuth Toolkit: verify tokens with Introspection.lookUp at {issuer}/introspect/"
  },
  "mcp-sdk-demo": {
    "tokens-verifiable": "The demo server of the MCP SDK: verify tokens with Introspection.lookUp at {issuer}introspect"
  },
  cognito: {
    // docs.aws.amazon.com/cognito, using-pkce-in-authorization-code
    "pkce-s256":
      "Cognito supports PKCE and does not publish it: use clients that do not check, or put your authorization server in front, which signs in users through Cognito",
    "unknown-clients": registerManually("Cognito", "an app client")
  },
  authkit: {
    // workos.com/docs/authkit/mcp; PrefectHQ/fastmcp examples/auth/authkit
    "client-id-metadata-documents": "WorkOS: enable Client ID Metadata Document under Connect, Configuration, MCP Auth",
    "dynamic-registration": "WorkOS: enable Dynamic Client Registration under Connect, Configuration, MCP Auth",
    "resource-indicators": "WorkOS: add the resource to the MCP resource indicators under Connect, Configuration"
  }
}

/** Returns what to change at this provider if a rule fails. */
export const getSetting = (provider: Fact | undefined, rule: Rule): string | undefined =>
  provider === undefined ? undefined : settings[provider.id]?.[rule.id]
