/**
 * Exports a profile for each provider, which describes its access tokens. To switch the provider, change one line.
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
export { adfs } from "./Adfs.ts"
export { auth0 } from "./Auth0.ts"
export { authentik } from "./Authentik.ts"
export { authkit } from "./AuthKit.ts"
export { clerk } from "./Clerk.ts"
export { cognito } from "./Cognito.ts"
export { descope } from "./Descope.ts"
export { entra, entraMultiTenant } from "./Entra.ts"
export { github } from "./GitHub.ts"
export { google } from "./Google.ts"
export { hydra } from "./Hydra.ts"
export { keycloak } from "./Keycloak.ts"
export { logto } from "./Logto.ts"
export { okta } from "./Okta.ts"
export { pingone } from "./PingOne.ts"
export { scalekit } from "./Scalekit.ts"
export { betterAuth, glewlwyd, lemonldap, oidcProvider, openauth } from "./SelfHosted.ts"
export { stytch } from "./Stytch.ts"
export { supabase } from "./Supabase.ts"
export { zitadel } from "./Zitadel.ts"
