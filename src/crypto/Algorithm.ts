/**
 * Lists the signature algorithms of access tokens (RFC 7518 §3.1, RFC 8037, RFC 9864).
 *
 * @since 0.1.0
 */

/**
 * Names a signature algorithm. All of them are asymmetric. `EdDSA` and `Ed25519` are two names of the same algorithm.
 *
 * @category models
 * @since 0.1.0
 */
export type Algorithm = typeof all[number]

/**
 * Lists every algorithm. All of them are accepted, unless the option `algorithms` of an authorization server lists fewer.
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
 * Checks that a value names an algorithm of this list. HMAC algorithms and `none` are not in it.
 *
 * @category guards
 * @since 0.1.0
 */
export const isAlgorithm = (value: unknown): value is Algorithm => typeof value === "string" && names.has(value)
