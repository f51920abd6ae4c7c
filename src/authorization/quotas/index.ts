/**
 * Limits the rates of requests, sessions, streams and proofs of each caller.
 *
 * @since 0.1.0
 */
export * as Quotas from "./Quotas.ts"
