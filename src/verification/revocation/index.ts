/**
 * Rejects tokens that were revoked before they expire.
 *
 * @since 0.1.0
 */
export * as Revocations from "./Revocations.ts"
