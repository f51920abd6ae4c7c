/**
 * Protects Effect's own MCP server.
 *
 * @since 0.1.0
 */
export * as McpAuth from "./McpAuth.ts"
