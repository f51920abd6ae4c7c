/**
 * Verifies API keys, for callers without an authorization server, such as cron jobs.
 *
 * @since 0.1.0
 */
export * as ApiKeys from "./ApiKeys.ts"
