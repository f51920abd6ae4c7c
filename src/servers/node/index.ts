/**
 * The gate as `(req, res, next?)`: `node:http`, Connect, Express.
 *
 * @since 0.1.0
 */
export * as McpAuthNode from "./McpAuthNode.ts"
