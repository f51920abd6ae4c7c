/**
 * Creates the upstreams of the OAuth proxy: the identity providers through which it signs people in.
 *
 * @since 0.1.0
 */
export { entra, type EntraOptions } from "./Entra.ts"
export { github, githubApp, type GitHubOptions, type ScopesWithoutUpstream } from "./GitHub.ts"
export { google, type GoogleOptions } from "./Google.ts"
export { oauth2, type OAuth2Options } from "./OAuth2.ts"
export { oidc, type OpenIdOptions } from "./OpenId.ts"
export type { CommonOptions, Kind, ScopeMap, Upstream, UpstreamIdentity } from "./Preset.ts"
