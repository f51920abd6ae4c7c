/**
 * Exports one function for each provider. It creates the profile, which describes the access tokens of the provider. To switch
 * to another provider, change one line.
 *
 * **Example** (The profile of Okta)
 *
 * ```ts
 * import { AuthLayer } from "effect-mcp-auth"
 * import { Profiles } from "effect-mcp-auth/provider"
 *
 * const Auth = AuthLayer.make({
 *   authorizationServers: [Profiles.okta({ domain: "acme.okta.com", server: "todos" })],
 *   resource: "https://todos.example.com/mcp",
 *   scopes: ["todos:read"]
 * })
 * ```
 *
 * @since 0.1.0
 */
export { anyTenant } from "../../verification/issuers/Profile.ts"
export { adfs, type AdfsOptions } from "./Adfs.ts"
export { auth0, type Auth0Options } from "./Auth0.ts"
export { authentik, type AuthentikOptions } from "./Authentik.ts"
export { authkit, type AuthKitOptions } from "./AuthKit.ts"
export { clerk, type ClerkOptions } from "./Clerk.ts"
export { cloudflareAccess, type CloudflareAccessOptions } from "./CloudflareAccess.ts"
export { cognito, type CognitoOptions } from "./Cognito.ts"
export { descope, type DescopeOptions } from "./Descope.ts"
export { duende, type DuendeOptions } from "./Duende.ts"
export {
  entra,
  type EntraApplication,
  entraMultiTenant,
  type EntraMultiTenantOptions,
  type EntraOptions
} from "./Entra.ts"
export { github, type GitHubOptions } from "./GitHub.ts"
export { google, type GoogleOptions } from "./Google.ts"
export { googleIap, type GoogleIapOptions } from "./GoogleIap.ts"
export { hydra, type HydraOptions } from "./Hydra.ts"
export type { Audiences } from "./internal/readOptions.ts"
export { keycloak, type KeycloakOptions } from "./Keycloak.ts"
export { logto, type LogtoOptions } from "./Logto.ts"
export { okta, type OktaOptions } from "./Okta.ts"
export { pingone, type PingOneOptions } from "./PingOne.ts"
export { scalekit, type ScalekitOptions } from "./Scalekit.ts"
export {
  betterAuth,
  glewlwyd,
  lemonldap,
  oidcProvider,
  openauth,
  type OpenAuthOptions,
  type SelfHostedOptions
} from "./SelfHosted.ts"
export {
  springAuthorizationServer,
  type SpringAuthorizationServerBinding,
  type SpringAuthorizationServerIssuer,
  type SpringAuthorizationServerOptions
} from "./Spring.ts"
export { stytch, type StytchOptions } from "./Stytch.ts"
export { supabase, type SupabaseBinding, type SupabaseOptions, type SupabaseProject } from "./Supabase.ts"
export { zitadel, type ZitadelOptions } from "./Zitadel.ts"
