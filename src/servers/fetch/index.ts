/**
 * Protects any function from `Request` to `Response` with the gate.
 *
 * @since 0.1.0
 */
export * as McpAuthFetch from "./McpAuthFetch.ts"
