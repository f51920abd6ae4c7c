/**
 * Protects servers of `node:http`, Connect and Express.
 *
 * @since 0.1.0
 */
export * as McpAuthNode from "./McpAuthNode.ts"
