/**
 * Distinguishes access tokens from other JWTs (RFC 9068 §4, RFC 8725 §3.11). An ID token of the same issuer must never be
 * accepted as an access token.
 *
 * @since 0.1.0
 */
import * as ConfigOption from "../../protocol/ConfigOption.ts"

/**
 * Describes a rule for the `typ` header and for the claims that mark an access token.
 *
 * @category models
 * @since 0.1.0
 */
export type TokenType =
  | { readonly _tag: "Strict" }
  | {
    readonly _tag: "Standard"
    /** The claims that mark an access token. */
    readonly accessTokenClaims: ReadonlyArray<string>
    /** The claims that mark an ID token or a logout token. */
    readonly idTokenClaims: ReadonlyArray<string>
  }

/**
 * Accepts only the `typ` `at+jwt`, as RFC 9068 §4 requires. A token whose claims name another kind (for example
 * `token_use: "refresh"`) is rejected even if its `typ` is `at+jwt`.
 *
 * **When to use**
 *
 * Use it if the authorization server writes `at+jwt` into the header of every access token. Then no other token is accepted.
 *
 * **Example** (Only tokens of RFC 9068)
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
 * assert.strictEqual(TokenType.checkKind(TokenType.strict, "JWT", { scope: "todos:read" }), "token-type")
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const strict: TokenType = { _tag: "Strict" }

/**
 * Accepts the `typ` `at+jwt`. Also accepts `JWT` or no `typ`, because half of the providers do not write `at+jwt`. A token with
 * `JWT` or without `typ` must have a mark of an access token and no mark of an ID token.
 *
 * **Details**
 *
 * Marks of an access token are the claims `scope`, `scp`, `client_id`, `cid` and those in `also`, and a claim that names the
 * kind, such as `token_use: "access"` or `typ: "Bearer"` (see `kindOf`). The claims `nonce`, `at_hash`, `c_hash`, `s_hash` and
 * `events` are marks of an ID token or a logout token. A token whose claims name another kind is rejected regardless of its
 * marks.
 *
 * **Example** (A claim of a provider)
 *
 * ```ts
 * import { TokenType } from "effect-mcp-auth"
 * import assert from "node:assert/strict"
 *
 * const rule = TokenType.standard()
 *
 * assert.strictEqual(TokenType.checkKind(rule, "at+jwt", {}), undefined)
 * assert.strictEqual(TokenType.checkKind(rule, "JWT", { scope: "todos:read", client_id: "web-app" }), undefined)
 * assert.strictEqual(TokenType.checkKind(rule, "JWT", { nonce: "n-0S6_WzA2Mj" }), "id-token")
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const standard = (also: ReadonlyArray<string> = []): TokenType => {
  checkClaims(also, "TokenType.standard")
  return {
    _tag: "Standard",
    accessTokenClaims: ["scope", "scp", "client_id", "cid", ...also],
    idTokenClaims: ["nonce", "at_hash", "c_hash", "s_hash", "events"]
  }
}

const checkClaims = ConfigOption.listOf((claim) => claim !== "", {
  entry: "the name of a claim",
  entries: "claims that mark access tokens",
  advice: "Write the name of a claim that only access tokens have",
  example: "azp"
})

/**
 * Accepts every JWT of the issuer whose `typ` and claims do not name another kind, so it also accepts ID tokens.
 *
 * **When to use**
 *
 * Use it only if the provider issues access tokens that cannot be distinguished from its ID tokens, such as Dex. Set it for the
 * profile of this provider and not for all authorization servers.
 *
 * **Gotchas**
 *
 * Anyone who has an ID token of an accepted audience can call your server as its user. Clients show and forward ID tokens more
 * freely than access tokens: to browsers, to logs and to other services. So accept an audience that no other program has: a
 * client that only MCP clients of this server use. Logout tokens, and JWTs that name another kind (`token_use: "refresh"`), are
 * still rejected.
 *
 * **Example** (Dex)
 *
 * ```ts
 * import { Audience, Profile, TokenType } from "effect-mcp-auth"
 * import assert from "node:assert/strict"
 *
 * const profile = Profile.make({
 *   id: "dex",
 *   name: "Dex",
 *   issuer: "https://dex.example.com",
 *   audience: Audience.oneOf(["todos"]),
 *   tokenType: TokenType.allowIdTokens
 * })
 *
 * assert.strictEqual(TokenType.checkKind(profile.tokenType, undefined, { iss: "https://dex.example.com", at_hash: "h" }), undefined)
 * ```
 *
 * @category unsafe
 * @since 0.1.0
 */
export const allowIdTokens: TokenType = {
  _tag: "Standard",
  // Every JWT of an issuer has `iss`.
  accessTokenClaims: ["iss"],
  idTokenClaims: ["events"]
}

/** Claims that name the kind of a token. Cognito, Hydra, Django Simple JWT, Casdoor and Keycloak write one of them. */
const kindClaims = ["token_use", "tokenUse", "token_type", "tokenType", "typ"]

/**
 * Claims that name the kind at some issuers and have another meaning at others. In these claims, only a value that names a kind
 * other than an access token has an effect.
 */
const ambiguousKindClaims = ["use", "type"]

const accessKinds = new Set(["access", "accesstoken", "bearer", "bearertoken", "dpop", "atjwt"])
const idKinds = new Set(["id", "idtoken", "serializedid"])

/** Values that name the format of a token and not its kind. */
const neutralKinds = new Set(["jwt"])

const otherKind = /refresh|offline|logout|registration|initialaccess|authorizationcode|devicecode/

/** Converts a name to lower case and removes separators, so that names can be compared. Keeps only the last part of a URN. */
const normalize = (value: string): string =>
  value.toLowerCase().replace(/^application\//, "").replace(/^.*:/, "").replace(/[^a-z0-9]/g, "")

/**
 * Describes a claim that tells the kind of a token, and the values of the claim that mark the token as an access token.
 *
 * @category models
 * @since 0.1.0
 */
export interface KindMark {
  readonly claim: string
  readonly values?: ReadonlyArray<string> | undefined
}

/**
 * Returns the kind of token that the claims of a JWT or of an introspection answer name.
 *
 * **Details**
 *
 * In the claims `token_use`, `tokenUse`, `token_type`, `tokenType` and `typ`, the values `access`, `access_token`, `Bearer`,
 * `DPoP` and `at+jwt` name an access token, regardless of case. The values `id`, `id_token` and `serialized_id` result in
 * `"id"`. `JWT` names no kind. Every other value, including one that is not a string, results in `"other"`. The claims `use`
 * and `type` have other meanings as well. In these two claims, only the following values have an effect: the names of ID,
 * refresh, offline, logout, registration and initial access tokens, and the names of authorization codes and device codes. If
 * the claims name several kinds, the result is never `"access"`. `also` lists further values that name an access token, such as
 * the `accessTokenMarks` of a profile.
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
 * Checks the kind of a token. Returns `undefined` for an access token, otherwise the reason for the rejection. `also` lists
 * further values that name an access token (see `kindOf`).
 *
 * @category decisions
 * @since 0.1.0
 */
export const checkKind = (
  rule: TokenType,
  typ: unknown,
  claims: Readonly<Record<string, unknown>>,
  also: ReadonlyArray<KindMark> = []
): "token-type" | "id-token" | undefined => {
  if (typ !== undefined && typeof typ !== "string") return "token-type"
  // `typ` is a case-insensitive media type, whose prefix `application/` may be omitted (RFC 7515 §4.1.9).
  const type = typ?.toLowerCase().replace(/^application\//, "")
  const isTyped = type === "at+jwt"
  if (!isTyped && (rule._tag === "Strict" || (type !== undefined && type !== "jwt"))) return "token-type"
  const kind = kindOf(claims, also)
  if (kind === "id" || kind === "other") return kind === "id" ? "id-token" : "token-type"
  if (isTyped || rule._tag === "Strict") return undefined
  const has = (name: string) => Object.hasOwn(claims, name)
  if (rule.idTokenClaims.some(has)) return "id-token"
  return kind === "access" || rule.accessTokenClaims.some(has) ? undefined : "token-type"
}
