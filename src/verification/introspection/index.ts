/**
 * Verifies opaque tokens by introspection (RFC 7662, RFC 9701).
 *
 * @since 0.1.0
 */
export * as Introspection from "./Introspection.ts"
