/**
 * Rules for the access tokens of an authorization server: keys, introspection, audiences, scopes, refresh tokens and key
 * binding.
 *
 * **Details**
 *
 * The quotations of MCP are from revisions 2025-06-18, 2025-11-25 and 2026-07-28. The quotations of OAuth 2.1 are from draft
 * 13, which all three revisions cite.
 *
 * @since 0.1.0
 */
import type { Rule } from "../report/Rule.ts"

/**
 * @category rules
 * @since 0.1.0
 */
export const verifiable: Rule = {
  id: "tokens-verifiable",
  title: "Other servers can verify its tokens",
  level: "MUST",
  derived: true,
  standard: "MCP authorization, token handling",
  sentence:
    "MCP servers, acting in their role as an OAuth 2.1 resource server, MUST validate access tokens as described in OAuth 2.1 Section 5.2.",
  change: "Publish jwks_uri and issue JWTs, or offer introspection to your server"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const keySet: Rule = {
  id: "key-set",
  title: "The key set is usable",
  level: "MUST",
  derived: true,
  standard: "RFC 8414 §2",
  sentence:
    "jwks_uri OPTIONAL. URL of the authorization server's JWK Set document. The referenced document contains the signing key(s) the client uses to validate signatures from the authorization server.",
  change: "Publish at least one public signing key: RSA of 2048 bits or more, P-256, P-384, P-521 or Ed25519"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const keySetPublic: Rule = {
  id: "key-set-public",
  title: "The key set contains public keys only",
  level: "MUST",
  standard: "RFC 7517 §9.2",
  sentence: "Private and symmetric keys MUST be protected from disclosure to unintended parties.",
  change: "Withdraw these keys now and sign with new ones: anyone with a copy of the set can make tokens"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const keySetTidy: Rule = {
  id: "key-set-tidy",
  title: "Every key states its id, algorithm and use",
  level: "SHOULD",
  standard: "RFC 7517 §4.5, RFC 8414 §2",
  sentence:
    "When \"kid\" values are used within a JWK Set, different keys within the JWK Set SHOULD use distinct \"kid\" values. […] When both signing and encryption keys are made available, a \"use\" (public key use) parameter value is REQUIRED for all keys",
  change: "Add kid, alg and use: \"sig\" to each key, and remove weak keys"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const introspection: Rule = {
  id: "introspection",
  title: "The server offers introspection",
  level: "MAY",
  standard: "RFC 8414 §2, RFC 7662 §2",
  sentence: "introspection_endpoint OPTIONAL. URL of the authorization server's OAuth 2.0 introspection endpoint.",
  change: "Nothing, if JWTs are short-lived"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const resourceIndicators: Rule = {
  id: "resource-indicators",
  title: "Tokens are issued for the requested resource",
  level: "SHOULD",
  standard: "RFC 8707 §2; MCP authorization, token audience binding",
  sentence:
    "The authorization server SHOULD audience-restrict issued access tokens to the resource(s) indicated by the \"resource\" parameter.",
  change: "Configure an audience at the authorization server, and accept it: Audience.oneOf([…])"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const audience: Rule = {
  id: "tokens-bound",
  title: "Tokens name their audience",
  level: "MUST",
  derived: true,
  standard: "MCP authorization, token handling",
  sentence: "MCP servers MUST validate that access tokens were issued specifically for them as the intended audience",
  change: "Put an authorization server in front that issues separate tokens for the resource"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const scopes: Rule = {
  id: "scopes",
  title: "The metadata list the scopes",
  level: "SHOULD",
  standard: "RFC 8414 §2",
  sentence:
    "scopes_supported RECOMMENDED. JSON array containing a list of the OAuth 2.0 \"scope\" values that this authorization server supports.",
  change: "List the scopes of your MCP server"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const refresh: Rule = {
  id: "offline-access",
  title: "Clients can get refresh tokens",
  level: "MAY",
  standard: "MCP authorization, refresh tokens; before 2026-07-28: OpenID Connect Core §11",
  sentence: {
    "2026-07-28":
      "MCP Clients that desire refresh tokens: […] MAY add offline_access to the scope parameter […] when the Authorization Server metadata contains it in scopes_supported",
    "2025-11-25": "offline_access OPTIONAL. This scope value requests that an OAuth 2.0 Refresh Token be issued",
    "2025-06-18": "offline_access OPTIONAL. This scope value requests that an OAuth 2.0 Refresh Token be issued"
  },
  change: "Allow the refresh_token grant, with rotation for public clients, and list offline_access"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const dpop: Rule = {
  id: "dpop",
  title: "The server can bind tokens to a key",
  level: "MAY",
  derived: true,
  standard: "RFC 9449 §5.1",
  sentence:
    "dpop_signing_alg_values_supported: A JSON array containing a list of the JWS alg values […] supported by the authorization server for DPoP proof JWTs.",
  change: "Nothing: all clients support bearer tokens"
}
