/**
 * Protects servers of `@modelcontextprotocol/sdk`.
 *
 * @since 0.1.0
 */
export * as McpAuthSdk from "./McpAuthSdk.ts"
