/**
 * Serves tenants that each have authorization servers of their own.
 *
 * @since 0.1.0
 */
export * as Tenants from "./Tenants.ts"
