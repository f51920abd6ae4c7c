/**
 * Signs people in at MCP servers, with the authorization code grant and PKCE or with the device authorization grant.
 *
 * @since 0.1.0
 */
export * as AuthorizationCode from "./AuthorizationCode.ts"
export * as Connections from "./Connections.ts"
export * as DeviceAuthorization from "./DeviceAuthorization.ts"
