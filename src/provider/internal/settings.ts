import type { Fact } from "../Fact.ts"
import type { Rule } from "../Rule.ts"

/** What the general advice of a rule is called at a provider. */
const settings: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  auth0: {
    "dynamic-registration": "Auth0: switch OIDC Dynamic Application Registration on in the settings of the tenant",
    "resource-indicators":
      "Auth0: make an API whose identifier is the resource, and switch the Resource Parameter Compatibility Profile on",
    "public-clients": "Auth0: give the application the type Native or Single Page, whose authentication method is None"
  },
  keycloak: {
    "dynamic-registration": "Keycloak: allow your clients in the client registration policies of the realm",
    "cors-token": "Keycloak: add the origins of browser clients to the web origins of the client",
    "resource-indicators": "Keycloak: add an audience mapper for the resource to a client scope",
    "endpoints-https": "Keycloak: set hostname to the public https URL",
    "issuer-url": "Keycloak: set hostname to the public https URL"
  },
  entra: {
    "pkce-s256":
      "Entra ID does PKCE and does not say so: put a proxy in front that adds the field to the metadata, or take clients that do not ask",
    "client-id-metadata-documents": "Entra ID: register each client as an application by hand",
    "unknown-clients": "Entra ID: register each client as an application by hand, and give it its client id",
    "dynamic-registration": "Entra ID: register each client as an application by hand",
    "issuer-url":
      "Entra ID: write the GUID of the tenant instead of common or {tenantid}; for several see Profiles.entraMultiTenant"
  },
  okta: {
    "dynamic-registration": "Okta: registration needs an API token; make an app integration for each client instead",
    "resource-indicators":
      "Okta: make a custom authorization server for the resource, and set its audience to the resource"
  },
  google: {
    "unknown-clients": "Google: make an OAuth client for each client by hand",
    "tokens-verifiable": "Google: its access tokens are opaque; Profiles.google asks Google about each"
  },
  cognito: {
    "pkce-s256":
      "Cognito does PKCE and does not say so: put a proxy in front that adds the field to the metadata, or take clients that do not ask",
    "unknown-clients": "Cognito: make an app client for each client by hand"
  },
  authkit: {
    "client-id-metadata-documents": "WorkOS: switch Client ID Metadata Document on under Connect, Configuration",
    "dynamic-registration": "WorkOS: switch Dynamic Client Registration on under Connect, Configuration"
  }
}

/** What to change at this very provider. */
export const settingOf = (provider: Fact | undefined, rule: Rule): string | undefined =>
  provider === undefined ? undefined : settings[provider.id]?.[rule.id]
