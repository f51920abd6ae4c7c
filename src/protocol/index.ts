/**
 * Reads and writes the data that MCP clients, MCP servers and authorization servers exchange: challenges, credentials, metadata
 * documents and MCP messages. Every function is pure.
 *
 * @since 0.1.0
 */
export * as AuthorizationServerMetadata from "./AuthorizationServerMetadata.ts"
export * as Challenge from "./Challenge.ts"
export * as Credentials from "./Credentials.ts"
export * as HttpUri from "./HttpUri.ts"
export * as Operation from "./Operation.ts"
export * as ProtectedResourceMetadata from "./ProtectedResourceMetadata.ts"
export * as RemoteText from "./RemoteText.ts"
export * as ScopeToken from "./ScopeToken.ts"
export * as WellKnown from "./WellKnown.ts"
