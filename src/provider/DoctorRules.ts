/**
 * The rules for an MCP server, seen from outside.
 *
 * @since 0.1.0
 */
import type { Rule } from "./Rule.ts"

/**
 * @category rules
 * @since 0.1.0
 */
export const refuses: Rule = {
  id: "refuses-without-token",
  title: "A request without a token is answered 401",
  level: "MUST",
  standard: "MCP authorization, error handling; RFC 6750 §3",
  sentence: "Authorization required or token invalid is 401.",
  change: "Put the check in front of the whole MCP endpoint, before the body is read"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const everyMethod: Rule = {
  id: "refuses-every-method",
  title: "So are GET and DELETE",
  level: "MUST",
  standard: "MCP authorization, token requirements",
  sentence: "Authorization is part of every HTTP request, also within a session.",
  change: "Guard the path for all methods, not POST alone"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const challenge: Rule = {
  id: "challenge",
  title: "The 401 has a Bearer challenge",
  level: "MUST",
  standard: "RFC 6750 §3, RFC 9110 §15.5.2",
  sentence: "A 401 includes WWW-Authenticate with a challenge that applies to the resource.",
  change: "Send WWW-Authenticate: Bearer resource_metadata=\"…\""
}

/**
 * @category rules
 * @since 0.1.0
 */
export const challengeReadable: Rule = {
  id: "challenge-readable",
  title: "Both official clients read it as it is meant",
  level: "MUST",
  standard: "RFC 9110 §11.6.1; @modelcontextprotocol/sdk 1.x, @modelcontextprotocol/client 2.x",
  sentence: "Clients take the first name=value anywhere in the header, whichever parameter it stands in.",
  change: "Begin with Bearer and one space, quote values, put error_description last and without = signs"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const challengeNoError: Rule = {
  id: "challenge-without-error",
  title: "Without a token the challenge names no error",
  level: "SHOULD",
  standard: "RFC 6750 §3.1",
  sentence: "A request without any authentication information is answered without an error code.",
  change:
    "Leave error and error_description out when there was no token: it is no invalid_token, and clients may drop a good one"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const challengeScope: Rule = {
  id: "challenge-scope",
  title: "The challenge says which scopes to ask for",
  level: { "2026-07-28": "SHOULD", "2025-11-25": "SHOULD" },
  standard: "MCP authorization, scope selection strategy; RFC 6750 §3",
  sentence: "MCP servers include scope in the challenge of a 401.",
  change: "Add scope=\"…\" with the scopes of basic use"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const challengeMetadata: Rule = {
  id: "challenge-resource-metadata",
  title: "The challenge leads to the metadata",
  level: { "2026-07-28": "SHOULD", "2025-11-25": "SHOULD", "2025-06-18": "MUST" },
  standard: "RFC 9728 §5.1; MCP authorization, protected resource metadata discovery",
  sentence: "resource_metadata in WWW-Authenticate is the URL of the protected resource metadata.",
  change: "Add resource_metadata=\"https://…/.well-known/oauth-protected-resource/…\""
}

/**
 * @category rules
 * @since 0.1.0
 */
export const metadata: Rule = {
  id: "resource-metadata",
  title: "A client finds the protected resource metadata",
  level: "MUST",
  standard: "MCP authorization, authorization server location; RFC 9728 §3",
  sentence: "MCP servers implement RFC 9728; the document stands where the challenge says, or at the well-known URL.",
  change:
    "Serve the document at /.well-known/oauth-protected-resource, followed by the path of the server, without a token"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const metadataPlaces: Rule = {
  id: "resource-metadata-places",
  title: "It stands at every place where clients look, and is the same there",
  level: "SHOULD",
  standard: "RFC 9728 §3.1, MCP authorization, protected resource metadata discovery",
  sentence: "Clients try the URL of the challenge, then the well-known URL with the path, then the one at the root.",
  change: "Serve one document at the well-known URL with the path, and name that one in the challenge"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const resource: Rule = {
  id: "resource-identical",
  title: "The metadata are about this server",
  level: "MUST",
  standard: "RFC 9728 §3.3",
  sentence: "resource is identical to the URL that the client used; else the metadata must not be used.",
  change: "Write resource exactly as clients write the URL of the server, without a slash that they do not write"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const servers: Rule = {
  id: "authorization-servers",
  title: "The metadata name an authorization server that fits",
  level: "MUST",
  standard: "MCP authorization, authorization server location; RFC 9728 §2",
  sentence: "authorization_servers holds at least one issuer. Both official clients take the first.",
  change: "Name the issuer of your authorization server, exactly as its own metadata do"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const refusesGarbage: Rule = {
  id: "refuses-invalid-token",
  title: "An invalid token is answered 401 invalid_token",
  level: "MUST",
  standard: "RFC 6750 §3.1, MCP authorization, error handling",
  sentence: "Invalid or expired tokens are answered 401, with error=\"invalid_token\".",
  change: "Map every failure of verification to 401 invalid_token; 5xx is for outages, 403 for scopes"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const refusesForgery: Rule = {
  id: "refuses-forged-token",
  title: "A forged token is refused",
  level: "MUST",
  standard: "RFC 8725 §3.1, §3.2; OAuth 2.1 §5.2",
  sentence: "Signatures are verified with keys of the authorization server, and alg none is none.",
  change: "Verify the signature with the key set of the issuer, and fix the algorithms: anybody can write such a token"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const malformed: Rule = {
  id: "malformed-credentials",
  title: "Malformed credentials are answered 400",
  level: "SHOULD",
  standard: "RFC 6750 §3.1",
  sentence: "A request that is malformed is answered 400, with error=\"invalid_request\".",
  change: "Answer 400 invalid_request to Bearer without a token"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const hygiene: Rule = {
  id: "error-hygiene",
  title: "Errors tell nothing that is none of a stranger's business",
  level: "MUST",
  standard: "OAuth 2.1 §7.1; OWASP ASVS 16.5",
  sentence: "No stack trace, no path of the machine, no token in an answer; and no 5xx for what a client did wrong.",
  change: "Catch what verification throws, and answer from a closed set of errors"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const corsPreflight: Rule = {
  id: "cors-preflight",
  title: "A preflight passes without a token",
  level: "SHOULD",
  standard: "WHATWG Fetch, CORS protocol",
  sentence: "A preflight carries no credentials, and allows authorization, content-type and mcp-protocol-version.",
  change: "Put CORS in front of the token check"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const corsChallenge: Rule = {
  id: "cors-challenge",
  title: "Browsers may read the challenge",
  level: "SHOULD",
  standard: "WHATWG Fetch, CORS protocol",
  sentence: "A page reads WWW-Authenticate only if Access-Control-Expose-Headers names it.",
  change: "Add Access-Control-Allow-Origin and Access-Control-Expose-Headers: WWW-Authenticate, also to the 401"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const corsMetadata: Rule = {
  id: "cors-resource-metadata",
  title: "Browsers may read the metadata",
  level: "SHOULD",
  standard: "RFC 9728 §3.1, WHATWG Fetch",
  sentence: "A page of another origin reads only what Access-Control-Allow-Origin lets it.",
  change: "Send Access-Control-Allow-Origin: * with the metadata"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const accepts: Rule = {
  id: "accepts-token",
  title: "The token is accepted",
  level: "MUST",
  standard: "MCP authorization, token handling",
  sentence: "A valid token that was made for this server is accepted.",
  change: "Compare the token with what the server expects: effect-mcp-auth check --token - --resource URL"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const stepUp: Rule = {
  id: "step-up",
  title: "A missing scope is answered 403 with the scopes that are needed",
  level: "SHOULD",
  standard: "MCP authorization, scope challenge handling; RFC 6750 §3.1",
  sentence: "403 with error=\"insufficient_scope\", scope and resource_metadata, before anything runs.",
  change: "Answer 403 with the whole challenge; an error of the tool over status 200 starts no step-up"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const session: Rule = {
  id: "session-binding",
  title: "A session id opens nothing by itself",
  level: "MUST",
  standard: "MCP security best practices, session hijacking",
  sentence: "Servers verify all inbound requests and do not use sessions for authentication.",
  change: "Check the token on every request, and bind the session to who opened it"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const batch: Rule = {
  id: "batch-bypass",
  title: "A batch is judged by all that it holds",
  level: "MUST",
  standard: "MCP 2025-03-26, batching; MCP authorization, access token privilege restriction",
  sentence: "An operation is authorized whatever it travels with.",
  change: "Authorize every message of a batch before any of them runs, or refuse batches"
}
