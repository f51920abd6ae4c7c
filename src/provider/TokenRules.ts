/**
 * The rules for an access token.
 *
 * @since 0.1.0
 */
import type { Rule } from "./Rule.ts"

/**
 * @category rules
 * @since 0.1.0
 */
export const readable: Rule = {
  id: "token-readable",
  title: "The token is a JWT that can be read",
  level: "MUST",
  standard: "RFC 7519 §7.2, RFC 9068 §2",
  sentence: "Three segments of canonical base64url, of which the first two are JSON objects.",
  change:
    "Ask for the token with the resource (or audience) parameter, or use introspection: an opaque token tells nothing by itself"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const algorithm: Rule = {
  id: "token-algorithm",
  title: "It is signed with a public-key algorithm",
  level: "MUST",
  standard: "RFC 8725 §3.1, RFC 9068 §2.1",
  sentence: "Access tokens are signed, never with none, and by keys that the resource server need not keep secret.",
  change: "Set the signing algorithm of the API to RS256, ES256 or another public-key algorithm"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const kind: Rule = {
  id: "token-type",
  title: "It is an access token",
  level: "MUST",
  standard: "RFC 9068 §4, RFC 8725 §3.11",
  sentence: "A token of another kind, an ID token above all, is not accepted as an access token.",
  change: "Send the access_token of the token response, not the id_token"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const typed: Rule = {
  id: "token-at-jwt",
  title: "Its type says so",
  level: "SHOULD",
  standard: "RFC 9068 §2.1",
  sentence: "The header typ is at+jwt.",
  change: "Switch the profile of RFC 9068 on, where the server has it"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const issuer: Rule = {
  id: "token-issuer",
  title: "It names its issuer",
  level: "MUST",
  standard: "RFC 9068 §2.2, §4",
  sentence: "iss is identical to the issuer of the authorization server.",
  change: "Name the issuer in authorizationServers exactly as the token has it, or add it to tokenIssuers"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const audience: Rule = {
  id: "token-audience",
  title: "It is made for this resource",
  level: "MUST",
  standard: "MCP authorization, token audience binding; RFC 9068 §4",
  sentence: "MCP servers accept only tokens that name them in the audience.",
  change:
    "Have the authorization server put the resource into aud, or accept a value that only your server has: Audience.oneOf([…])"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const expiry: Rule = {
  id: "token-expiry",
  title: "It is valid now",
  level: "MUST",
  standard: "RFC 7519 §4.1.4, §4.1.5; RFC 9068 §2.2",
  sentence: "exp is required and in the future, nbf and iat are not.",
  change: "Get a fresh token; if a fresh one is late or early, look at the clocks"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const lifetime: Rule = {
  id: "token-lifetime",
  title: "It is short-lived",
  level: "SHOULD",
  standard: "MCP authorization, token theft; OAuth 2.1 §7.1.3.5",
  sentence: "Authorization servers issue short-lived access tokens.",
  change: "Set the lifetime of access tokens to an hour or less"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const subject: Rule = {
  id: "token-subject",
  title: "It names its subject and its client",
  level: "MUST",
  standard: "RFC 9068 §2.2",
  sentence: "sub says on whose behalf, client_id through whom.",
  change: "Let the server write sub; for tokens without a person a profile may have subject: \"optional\""
}

/**
 * @category rules
 * @since 0.1.0
 */
export const scope: Rule = {
  id: "token-scope",
  title: "It carries scopes",
  level: "SHOULD",
  standard: "RFC 9068 §2.2.3, RFC 8693 §4.2",
  sentence: "scope is a string of space-separated scopes.",
  change: "Ask for the scopes of your server when signing in, or name where they are by a profile"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const bearer: Rule = {
  id: "token-bearer",
  title: "It may be used as a bearer token",
  level: "MUST",
  standard: "RFC 9449 §7.2, RFC 8705 §3",
  sentence: "A token that names a key in cnf is worth nothing without a proof of that key.",
  change: "Send a DPoP proof with it and switch DPoP on at your server, or take a client without DPoP"
}
