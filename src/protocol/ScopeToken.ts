/**
 * Parses and formats scope tokens and scope strings (RFC 6749 §3.3).
 *
 * @since 0.1.0
 */

// scope-token = 1*( %x21 / %x23-5B / %x5D-7E ): printable ASCII without space, quote and backslash.
const grammar = /^[\x21\x23-\x5B\x5D-\x7E]+$/

/**
 * Tells whether a string is a single scope token.
 *
 * @category guards
 * @since 0.1.0
 */
export const isScopeToken = (value: string): boolean => grammar.test(value)

/**
 * Splits a scope string at its spaces.
 *
 * **Details**
 *
 * Keeps the order. Drops empty parts, duplicates, and parts that violate the grammar. An invalid part can neither be required
 * nor be sent in a challenge.
 *
 * **Example** (A list of scopes)
 *
 * ```ts
 * import { ScopeToken } from "effect-mcp-auth/protocol"
 * import assert from "node:assert/strict"
 *
 * assert.deepStrictEqual(ScopeToken.parse("todos:read todos:write"), ["todos:read", "todos:write"])
 * ```
 *
 * @category decoding
 * @since 0.1.0
 */
export const parse = (value: string): ReadonlyArray<string> => unique(value.split(" ").filter(isScopeToken))

/**
 * Joins scope tokens with spaces, as in `scope` parameters and claims. Drops duplicates.
 *
 * @category encoding
 * @since 0.1.0
 */
export const format = (tokens: Iterable<string>): string => unique(tokens).join(" ")

/**
 * Returns the distinct tokens in the order of their first appearance.
 *
 * @category combinators
 * @since 0.1.0
 */
export const unique = (tokens: Iterable<string>): ReadonlyArray<string> => [...new Set(tokens)]
