/**
 * The rules for an access token.
 *
 * @since 0.1.0
 */
import type { Rule } from "../report/Rule.ts"

/**
 * @category rules
 * @since 0.1.0
 */
export const readable: Rule = {
  id: "token-readable",
  title: "The token is a JWT that can be read",
  level: "MUST",
  derived: true,
  standard: "RFC 7519 §7.2",
  sentence:
    "Verify that the resulting octet sequence is a UTF-8-encoded representation of a completely valid JSON object […]; let the JOSE Header be this JSON object.",
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
  standard: "RFC 9068 §2.1",
  sentence: "JWT access tokens MUST be signed. […] JWT access tokens MUST NOT use \"none\" as the signing algorithm.",
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
  standard: "RFC 8725 §3.12",
  sentence:
    "If more than one kind of JWT can be issued by the same issuer, the validation rules for those JWTs MUST be written such that they are mutually exclusive, rejecting JWTs of the wrong kind.",
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
  sentence: "Therefore, the \"typ\" value used SHOULD be \"at+jwt\".",
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
  standard: "RFC 9068 §4",
  sentence: "The issuer identifier for the authorization server […] MUST exactly match the value of the \"iss\" claim.",
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
  standard: "MCP authorization, access token privilege restriction; RFC 9068 §4",
  sentence:
    "MCP servers MUST only accept tokens specifically intended for themselves and MUST reject tokens that do not include them in the audience claim or otherwise verify that they are the intended recipient of the token.",
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
  standard: "RFC 9068 §4",
  sentence: "The current time MUST be before the time represented by the \"exp\" claim.",
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
  standard: "MCP authorization, token theft",
  sentence: "Authorization servers SHOULD issue short-lived access tokens to reduce the impact of leaked tokens.",
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
  derived: true,
  standard: "RFC 9068 §2.2",
  sentence: "sub REQUIRED […] client_id REQUIRED",
  change:
    "Let the server write sub, or name the claim that identifies a user with subjectClaims in a profile; for tokens of programs without sub, name machineMarks"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const scope: Rule = {
  id: "token-scope",
  title: "It carries scopes",
  level: "SHOULD",
  standard: "RFC 9068 §2.2.3",
  sentence:
    "If an authorization request includes a scope parameter, the corresponding issued JWT access token SHOULD include a \"scope\" claim",
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
  standard: "RFC 9449 §7.2",
  sentence: "such a protected resource MUST reject a DPoP-bound access token received as a bearer token",
  change: "Send a DPoP proof with it and switch DPoP on at your server, or take a client without DPoP"
}
