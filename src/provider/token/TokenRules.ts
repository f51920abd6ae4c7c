/**
 * Defines the rules for an access token.
 *
 * @since 0.1.0
 */
import type { Rule } from "../report/Rule.ts"

/**
 * @category rules
 * @since 0.1.0
 */
export const accepted: Rule = {
  id: "token-accepted",
  title: "A server accepts the token",
  level: "MUST",
  derived: true,
  standard: "MCP authorization, token handling",
  sentence:
    "MCP servers, acting in their role as an OAuth 2.1 resource server, MUST validate access tokens as described in OAuth 2.1 Section 5.2.",
  change: "Correct the rules below that fail"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const readable: Rule = {
  id: "token-readable",
  title: "The token is a readable JWT",
  level: "MUST",
  derived: true,
  standard: "RFC 7519 §7.2",
  sentence:
    "Verify that the resulting octet sequence is a UTF-8-encoded representation of a completely valid JSON object […]; let the JOSE Header be this JSON object.",
  change:
    "Request the token with the resource (or audience) parameter, or use introspection: an opaque token contains no claims"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const algorithm: Rule = {
  id: "token-algorithm",
  title: "The token is signed with a public-key algorithm",
  level: "MUST",
  standard: "RFC 9068 §2.1",
  sentence: "JWT access tokens MUST be signed. […] JWT access tokens MUST NOT use \"none\" as the signing algorithm.",
  change: "Set the signing algorithm of the API to RS256, ES256 or another public-key algorithm"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const signature: Rule = {
  id: "token-signature",
  title: "A key of the issuer signed the token",
  level: "MUST",
  standard: "RFC 9068 §4",
  sentence: "The resource server MUST validate the signature of all incoming JWT access tokens according to [RFC7515]",
  change: "Get a token from this authorization server, and publish the key with which it signs in its key set"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const kind: Rule = {
  id: "token-type",
  title: "The token is an access token",
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
  title: "The type of the token is at+jwt",
  level: "SHOULD",
  standard: "RFC 9068 §2.1",
  sentence: "Therefore, the \"typ\" value used SHOULD be \"at+jwt\".",
  change: "Enable the profile of RFC 9068 if the authorization server supports it"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const issuer: Rule = {
  id: "token-issuer",
  title: "The token names its issuer",
  level: "MUST",
  standard: "RFC 9068 §4",
  sentence: "The issuer identifier for the authorization server […] MUST exactly match the value of the \"iss\" claim.",
  change:
    "Name the issuer in authorizationServers exactly as in the token. Use tokenIssuers only if the provider documents that its tokens name another issuer than its metadata"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const audience: Rule = {
  id: "token-audience",
  title: "The token is issued for this resource",
  level: "MUST",
  standard: "MCP authorization, access token privilege restriction; RFC 9068 §4",
  sentence:
    "MCP servers MUST only accept tokens specifically intended for themselves and MUST reject tokens that do not include them in the audience claim or otherwise verify that they are the intended recipient of the token.",
  change:
    "Configure the authorization server to write the resource into aud. If another value means your server alone, check again with --audience. If tokens have no audience, check with --client for each client that you control"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const expiry: Rule = {
  id: "token-expiry",
  title: "The token is valid now",
  level: "MUST",
  standard: "RFC 9068 §4",
  sentence: "The current time MUST be before the time represented by the \"exp\" claim.",
  change: "Get a new token. If a new token is expired or not valid yet, compare the clocks"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const lifetime: Rule = {
  id: "token-lifetime",
  title: "The token is short-lived",
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
  title: "The token names its subject and its client",
  level: "MUST",
  derived: true,
  standard: "RFC 9068 §2.2",
  sentence: "sub REQUIRED […] client_id REQUIRED",
  change:
    "Configure the authorization server to write sub, or name the claim that identifies a user in subjectClaims of a profile. For client tokens without sub, set machineMarks"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const scope: Rule = {
  id: "token-scope",
  title: "The token has scopes",
  level: "SHOULD",
  standard: "RFC 9068 §2.2.3",
  sentence:
    "If an authorization request includes a scope parameter, the corresponding issued JWT access token SHOULD include a \"scope\" claim",
  change: "Request the scopes of your server during sign-in, or name their claim in a profile"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const bearer: Rule = {
  id: "token-bearer",
  title: "The token is usable as a bearer token",
  level: "MUST",
  standard: "RFC 9449 §7.2",
  sentence: "such a protected resource MUST reject a DPoP-bound access token received as a bearer token",
  change: "Send a DPoP proof with it and enable DPoP at your server, or use a client without DPoP"
}
