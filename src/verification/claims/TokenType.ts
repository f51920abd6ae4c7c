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
 * `at+jwt` alone, as RFC 9068 §4 requires. A token whose claims name another kind (`token_use: "refresh"`) is rejected all the
 * same.
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
 * Marks of an access token are `scope`, `scp`, `client_id`, `cid`, the claims named by `also`, and a claim that names the
 * kind, such as `token_use: "access"` or `typ: "Bearer"` (see `kindOf`). A token whose claims name any other kind is
 * rejected, whatever its marks.
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

/** Claims in which issuers name the kind of a token: Cognito, Hydra; Django Simple JWT; Casdoor; Keycloak. */
const kindClaims = ["token_use", "tokenUse", "token_type", "tokenType", "typ"]

/** Claims in which some issuers name it, and others something else. Only the name of another kind counts. */
const ambiguousKindClaims = ["use", "type"]

const accessKinds = new Set(["access", "accesstoken", "bearer", "bearertoken", "dpop", "atjwt"])
const idKinds = new Set(["id", "idtoken", "serializedid"])

/** A form, and no kind. */
const neutralKinds = new Set(["jwt"])

const otherKind = /refresh|offline|logout|registration|initialaccess|authorizationcode|devicecode/

/** Compares names without regard to case and separators. Of a URN the last part counts. */
const normalize = (value: string): string =>
  value.toLowerCase().replace(/^application\//, "").replace(/^.*:/, "").replace(/[^a-z0-9]/g, "")

/**
 * A claim that names an access token with one of these values.
 *
 * @category models
 * @since 0.1.0
 */
export interface KindMark {
  readonly claim: string
  readonly values?: ReadonlyArray<string> | undefined
}

/**
 * Returns the kind of token that claims name, of a JWT or of an introspection answer.
 *
 * **Details**
 *
 * The claims `token_use`, `tokenUse`, `token_type`, `tokenType` and `typ` name an access token with `access`,
 * `access_token`, `Bearer`, `DPoP` or `at+jwt`, without regard to case. Any other value, and one that is not a string, is
 * `"other"`, and that of an ID token is `"id"`. `JWT` names no kind. In `use` and `type`, which may hold anything, only names
 * of ID, refresh, offline, logout and registration tokens count. If claims name several kinds, an access token is not among
 * them. `also` are further values that name an access token, such as the `accessTokenMarks` of a profile.
 *
 * **Example** (A refresh token)
 *
 * ```ts
 * import { TokenType } from "effect-mcp-auth"
 * import assert from "node:assert/strict"
 *
 * assert.strictEqual(TokenType.kindOf({ scope: "todos:read", typ: "Refresh" }), "other")
 * assert.strictEqual(TokenType.kindOf({ scope: "todos:read", token_use: "access" }), "access")
 * assert.strictEqual(TokenType.kindOf({ scope: "todos:read" }), undefined)
 * ```
 *
 * @category decisions
 * @since 0.1.0
 */
export const kindOf = (
  claims: Readonly<Record<string, unknown>>,
  also: ReadonlyArray<KindMark> = []
): "access" | "id" | "other" | undefined => {
  let kind: "access" | undefined
  for (const name of kindClaims) {
    if (!Object.hasOwn(claims, name)) continue
    const value = claims[name]
    const named = typeof value === "string" ? normalize(value) : ""
    if (neutralKinds.has(named)) continue
    if (
      !accessKinds.has(named) && !also.some((mark) => mark.claim === name && mark.values?.includes(value as string))
    ) {
      return idKinds.has(named) ? "id" : "other"
    }
    kind = "access"
  }
  for (const name of ambiguousKindClaims) {
    if (!Object.hasOwn(claims, name)) continue
    for (const value of [claims[name]].flat()) {
      const named = typeof value === "string" ? normalize(value) : ""
      if (idKinds.has(named)) return "id"
      if (otherKind.test(named)) return "other"
    }
  }
  return kind
}

/**
 * Checks the kind of a token: `undefined` if it is an access token, else the reason. `also` are further values that name an
 * access token (see `kindOf`).
 *
 * @category decisions
 * @since 0.1.0
 */
export const judge = (
  rule: TokenType,
  typ: unknown,
  claims: Readonly<Record<string, unknown>>,
  also: ReadonlyArray<KindMark> = []
): "token-type" | "id-token" | undefined => {
  if (typ !== undefined && typeof typ !== "string") return "token-type"
  // RFC 7515 §4.1.9: a media type, case-insensitive, whose prefix `application/` may be left out.
  const type = typ?.toLowerCase().replace(/^application\//, "")
  const isTyped = type === "at+jwt"
  if (!isTyped && (rule._tag === "Strict" || (type !== undefined && type !== "jwt"))) return "token-type"
  const kind = kindOf(claims, also)
  if (kind === "id" || kind === "other") return kind === "id" ? "id-token" : "token-type"
  if (isTyped || rule._tag === "Strict") return undefined
  const has = (name: string) => Object.hasOwn(claims, name)
  if (idTokenClaims.some(has)) return "id-token"
  return kind === "access" || rule.accessTokenClaims.some(has) ? undefined : "token-type"
}
