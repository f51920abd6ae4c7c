/**
 * Verifies tokens that are bound to a key of the client (DPoP, RFC 9449).
 *
 * @since 0.1.0
 */
export * as Dpop from "./Dpop.ts"
