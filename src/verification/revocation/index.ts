/**
 * Rejects tokens that were revoked, although they have not expired.
 *
 * @since 0.1.0
 */
export * as Revocations from "./Revocations.ts"
