/**
 * Serves tenants, each with separate authorization servers.
 *
 * @since 0.1.0
 */
export * as Tenants from "./Tenants.ts"
