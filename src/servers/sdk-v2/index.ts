/**
 * Protects servers of `@modelcontextprotocol/server`.
 *
 * @since 0.1.0
 */
export * as McpAuthSdk from "./McpAuthSdk.ts"
