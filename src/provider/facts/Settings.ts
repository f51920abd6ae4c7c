import type { Rule } from "../report/Rule.ts"
import type { Fact } from "./Fact.ts"

const byHand = (provider: string, what: string) =>
  `${provider}: make ${what} for each client by hand, and give it its client id`

/** What the general advice of a rule is called at a provider, by its documentation. */
const settings: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  auth0: {
    // auth0.com/ai/docs, dynamic-client-registration
    "dynamic-registration": "Auth0: switch Dynamic Client Registration on in the dashboard, under Settings, Advanced",
    // auth0.com/docs, cimd-overview
    "client-id-metadata-documents": "Auth0: import the client from the URL of its metadata document",
    // auth0.com/ai/docs, resource-param-compatibility-profile
    "resource-indicators":
      "Auth0: make an API whose identifier is the resource, and switch the Resource Parameter Compatibility Profile on, under Settings, Advanced",
    "iss-parameter": "Auth0: switch Include Issuer in Authorization Responses on, under Settings, Advanced",
    // auth0.com/docs, dynamic-client-registration: token_endpoint_auth_method
    "public-clients":
      "Auth0: let the application be Native or Single Page, without authentication at the token endpoint"
  },
  keycloak: {
    // keycloak.org, securing applications, client registration service
    "dynamic-registration": "Keycloak: let your clients through the Trusted Hosts policy of Client registration",
    // keycloak.org, server administration, web origins of a client
    "cors-token": "Keycloak: add the origins of browser clients to the Web origins of the client",
    // keycloak.org, securing applications, MCP authorization server
    "resource-indicators": "Keycloak: add an audience mapper for the resource to a client scope",
    // keycloak.org, server, hostname (v2)
    "endpoints-https": "Keycloak: set the option hostname to the public https URL",
    "issuer-url": "Keycloak: set the option hostname to the public https URL"
  },
  entra: {
    // learn.microsoft.com, v2-oauth2-auth-code-flow; questions 218113
    "pkce-s256":
      "Entra ID does PKCE and does not say so: take clients that do not ask, or put an authorization server of your own in front, which signs people in by Entra ID",
    "client-id-metadata-documents": byHand("Entra ID", "an app registration"),
    "unknown-clients": byHand("Entra ID", "an app registration"),
    "dynamic-registration": byHand("Entra ID", "an app registration"),
    "issuer-url":
      "Entra ID: write the GUID of the tenant instead of common or {tenantid}; for several see Profiles.entraMultiTenant"
  },
  okta: {
    "dynamic-registration": "Okta: registration needs an API token; make an app integration for each client instead",
    // help.okta.com, api-config-auth-server
    "resource-indicators":
      "Okta: make an authorization server for the resource under Security, API, and write the resource as its Audience"
  },
  google: {
    "unknown-clients": byHand("Google", "an OAuth client"),
    "tokens-verifiable": "Google: its access tokens are opaque; Profiles.google asks Google about each"
  },
  cognito: {
    // docs.aws.amazon.com/cognito, using-pkce-in-authorization-code
    "pkce-s256":
      "Cognito does PKCE and does not say so: take clients that do not ask, or put an authorization server of your own in front, which signs people in by Cognito",
    "unknown-clients": byHand("Cognito", "an app client")
  },
  authkit: {
    // workos.com/docs/authkit/mcp; PrefectHQ/fastmcp examples/auth/authkit
    "client-id-metadata-documents":
      "WorkOS: switch Client ID Metadata Document on under Connect, Configuration, MCP Auth",
    "dynamic-registration": "WorkOS: switch Dynamic Client Registration on under Connect, Configuration, MCP Auth",
    "resource-indicators": "WorkOS: add the resource to the MCP resource indicators under Connect, Configuration"
  }
}

/** What to change at this very provider. */
export const settingOf = (provider: Fact | undefined, rule: Rule): string | undefined =>
  provider === undefined ? undefined : settings[provider.id]?.[rule.id]
