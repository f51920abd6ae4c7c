/**
 * The gate around any function from `Request` to `Response`.
 *
 * @since 0.1.0
 */
export * as McpAuthFetch from "./McpAuthFetch.ts"
