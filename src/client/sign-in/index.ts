/**
 * Signs people in at MCP servers, with the authorization code grant and PKCE.
 *
 * @since 0.1.0
 */
export * as AuthorizationCode from "./AuthorizationCode.ts"
export * as Connections from "./Connections.ts"
