/**
 * Providers, each with what its access tokens are like: switching the provider is one line.
 *
 * **Example** (Okta today)
 *
 * ```ts
 * import { AuthLayer } from "effect-mcp-auth"
 * import { Profiles } from "effect-mcp-auth/provider"
 *
 * const Auth = AuthLayer.make({
 *   profile: Profiles.okta({ domain: "acme.okta.com", server: "todos" }),
 *   resource: "https://todos.example.com/mcp",
 *   scopes: ["todos:read"]
 * })
 * ```
 *
 * @since 0.1.0
 */
export { anyTenant } from "../verification/Profile.ts"
export { adfs } from "./profiles/Adfs.ts"
export { auth0 } from "./profiles/Auth0.ts"
export { authentik } from "./profiles/Authentik.ts"
export { authkit } from "./profiles/AuthKit.ts"
export { clerk } from "./profiles/Clerk.ts"
export { cognito } from "./profiles/Cognito.ts"
export { descope } from "./profiles/Descope.ts"
export { entra, entraMultiTenant } from "./profiles/Entra.ts"
export { github } from "./profiles/GitHub.ts"
export { google } from "./profiles/Google.ts"
export { hydra } from "./profiles/Hydra.ts"
export { keycloak } from "./profiles/Keycloak.ts"
export { logto } from "./profiles/Logto.ts"
export { okta } from "./profiles/Okta.ts"
export { pingone } from "./profiles/PingOne.ts"
export { scalekit } from "./profiles/Scalekit.ts"
export { betterAuth, glewlwyd, lemonldap, oidcProvider, openauth } from "./profiles/SelfHosted.ts"
export { stytch } from "./profiles/Stytch.ts"
export { supabase } from "./profiles/Supabase.ts"
export { zitadel } from "./profiles/Zitadel.ts"
