/**
 * OAuth 2.1 for MCP servers, as Effect layers.
 *
 * @since 0.1.0
 */
export * as Decision from "./authorization/Decision.ts"
export { requirePolicy, requireScopes } from "./authorization/Policy.ts"
export * as Policy from "./authorization/Policy.ts"
export * as RequestState from "./authorization/RequestState.ts"
export * as AuthError from "./protocol/AuthError.ts"
export * as AuthLayer from "./servers/effect/AuthLayer.ts"
export * as Audience from "./verification/claims/Audience.ts"
export * as TokenType from "./verification/claims/TokenType.ts"
export * as Profile from "./verification/issuers/Profile.ts"
export { Principal } from "./verification/Principal.ts"
export * as TokenVerifier from "./verification/TokenVerifier.ts"
