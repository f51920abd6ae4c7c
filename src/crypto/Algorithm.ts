/**
 * The signature algorithms that an access token may have (RFC 7518 §3.1, RFC 8037, RFC 9864).
 *
 * @since 0.1.0
 */

/**
 * Asymmetric signatures only. `EdDSA` and `Ed25519` are two names of the same algorithm.
 *
 * @category models
 * @since 0.1.0
 */
export type Algorithm = typeof all[number]

/**
 * Every algorithm that can be used; all of them are accepted unless an authorization server is given fewer.
 *
 * @category constants
 * @since 0.1.0
 */
export const all = [
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
  "ES256",
  "ES384",
  "ES512",
  "EdDSA",
  "Ed25519"
] as const

const names: ReadonlySet<string> = new Set(all)

/**
 * Tells whether a value names one of them. HMAC and `none` are no algorithms here.
 *
 * @category guards
 * @since 0.1.0
 */
export const isAlgorithm = (value: unknown): value is Algorithm => typeof value === "string" && names.has(value)
