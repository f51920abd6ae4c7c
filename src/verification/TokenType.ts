/**
 * Which JWTs are access tokens (RFC 9068 §4, RFC 8725 §3.11): an ID token of the same issuer must never pass for one.
 *
 * @since 0.1.0
 */

/**
 * A rule for the `typ` header and the marks in the claims.
 *
 * @category models
 * @since 0.1.0
 */
export type TokenType =
  | { readonly _tag: "Strict" }
  | { readonly _tag: "Standard"; readonly accessTokenClaims: ReadonlyArray<string> }

/**
 * `at+jwt` alone, as RFC 9068 §4 asks.
 *
 * **When to use**
 *
 * The authorization server writes `at+jwt` into the header of every access token. Then no other token can pass for one.
 *
 * **Example** (RFC 9068 alone)
 *
 * ```ts
 * import { AuthLayer, TokenType } from "effect-mcp-auth"
 * import assert from "node:assert/strict"
 *
 * const Auth = AuthLayer.make({
 *   resource: "https://todos.example.com/mcp",
 *   authorizationServers: ["https://auth.example.com"],
 *   tokenType: TokenType.strict,
 *   scopes: ["todos:read"]
 * })
 *
 * assert.strictEqual(TokenType.judge(TokenType.strict, "JWT", { scope: "todos:read" }), "token-type")
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const strict: TokenType = { _tag: "Strict" }

/**
 * `at+jwt`; besides, since half of the providers do not write it, `JWT` or no `typ` for a token that bears no mark of an
 * ID token and a positive mark of an access token.
 *
 * **Details**
 *
 * Marks of an access token are `scope`, `scp`, `client_id`, `cid`, `token_use: "access"`, the claim `typ: "Bearer"`, and
 * the claims named by `also`.
 *
 * **Example** (A mark of a provider)
 *
 * ```ts
 * import { TokenType } from "effect-mcp-auth"
 * import assert from "node:assert/strict"
 *
 * const rule = TokenType.standard()
 *
 * assert.strictEqual(TokenType.judge(rule, "at+jwt", {}), undefined)
 * assert.strictEqual(TokenType.judge(rule, "JWT", { scope: "todos:read", client_id: "web-app" }), undefined)
 * assert.strictEqual(TokenType.judge(rule, "JWT", { nonce: "n-0S6_WzA2Mj" }), "id-token")
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const standard = (also: ReadonlyArray<string> = []): TokenType => ({
  _tag: "Standard",
  accessTokenClaims: ["scope", "scp", "client_id", "cid", ...also]
})

const idTokenClaims = ["nonce", "at_hash", "c_hash", "s_hash", "events"]

/**
 * Judges a token: `undefined` when it is an access token, else the reason.
 *
 * @category decisions
 * @since 0.1.0
 */
export const judge = (
  rule: TokenType,
  typ: unknown,
  claims: Readonly<Record<string, unknown>>
): "token-type" | "id-token" | undefined => {
  if (typ !== undefined && typeof typ !== "string") return "token-type"
  // RFC 7515 §4.1.9: a media type, case-insensitive, whose prefix `application/` may be left out.
  const type = typ?.toLowerCase().replace(/^application\//, "")
  if (type === "at+jwt") return undefined
  if (rule._tag === "Strict" || (type !== undefined && type !== "jwt")) return "token-type"
  const has = (name: string) => Object.hasOwn(claims, name)
  const is = (name: string, value: string) => has(name) && claims[name] === value
  if (idTokenClaims.some(has) || is("token_use", "id") || is("typ", "ID")) return "id-token"
  return rule.accessTokenClaims.some(has) || is("token_use", "access") || is("typ", "Bearer")
    ? undefined
    : "token-type"
}
