/**
 * Signs requests to MCP servers in, as an OAuth client.
 *
 * @since 0.1.0
 */
export * as ClientAuthentication from "../outbound/ClientAuthentication.ts"
export * as ClientError from "./ClientError.ts"
export * as DpopKeys from "./DpopKeys.ts"
export * as Grant from "./Grant.ts"
export * as McpAuthClient from "./McpAuthClient.ts"
