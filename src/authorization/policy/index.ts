/**
 * Describes what operations require of their callers: scopes, roles, claims and checks, as values that combine.
 *
 * @since 0.1.0
 */
export * as Policy from "./Policy.ts"
