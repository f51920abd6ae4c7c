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
export { auth0 } from "./profiles/Auth0.ts"
export { cognito } from "./profiles/Cognito.ts"
export { entra, entraMultiTenant } from "./profiles/Entra.ts"
export { keycloak } from "./profiles/Keycloak.ts"
export { logto } from "./profiles/Logto.ts"
export { okta } from "./profiles/Okta.ts"
