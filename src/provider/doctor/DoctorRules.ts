/**
 * Defines the rules for an MCP server, checked from outside.
 *
 * **Details**
 *
 * The quotations of MCP are from revisions 2025-06-18, 2025-11-25 and 2026-07-28.
 *
 * @since 0.1.0
 */
import type { Rule } from "../report/Rule.ts"

/**
 * @category rules
 * @since 0.1.0
 */
export const endpoint: Rule = {
  id: "mcp-endpoint",
  title: "The URL is the endpoint of an MCP server",
  level: "MUST",
  standard: "MCP transports, Streamable HTTP",
  sentence: {
    "2026-07-28":
      "The server MUST provide a single HTTP endpoint path (hereafter referred to as the MCP endpoint) that supports POST.",
    "2025-11-25":
      "The server MUST provide a single HTTP endpoint path (hereafter referred to as the MCP endpoint) that supports both POST and GET methods.",
    "2025-06-18":
      "The server MUST provide a single HTTP endpoint path (hereafter referred to as the MCP endpoint) that supports both POST and GET methods."
  },
  change: "Write the URL of the MCP endpoint, with its path, such as https://todos.example.com/mcp"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const endpointDirect: Rule = {
  id: "mcp-endpoint-direct",
  title: "The endpoint responds without a redirect",
  level: "SHOULD",
  derived: true,
  standard: "RFC 9110 §15.4; @modelcontextprotocol/sdk 1.x, @modelcontextprotocol/client 2.x",
  sentence:
    "If a Location header field […] is provided, the user agent MAY automatically redirect its request to the URI referenced by the Location field value",
  change: "Give clients the URL that responds without a redirect"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const rejects: Rule = {
  id: "rejects-without-token",
  title: "A request without a token gets 401",
  level: "MUST",
  standard: "MCP authorization, error handling",
  sentence:
    "Servers MUST return appropriate HTTP status codes for authorization errors: […] Authorization required or token invalid",
  change: "Check the token in front of the whole MCP endpoint, before the body is read"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const everyMethod: Rule = {
  id: "rejects-every-method",
  title: "GET and DELETE without a token are rejected as well",
  level: "MUST",
  standard: "MCP authorization, token requirements",
  sentence: "Note that authorization MUST be included in every HTTP request from client to server",
  change: "Check the token for all methods, not only for POST"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const challenge: Rule = {
  id: "challenge",
  title: "The 401 has a Bearer challenge",
  level: "MUST",
  standard: "RFC 9110 §15.5.2, RFC 6750 §3",
  sentence:
    "The server generating a 401 response MUST send a WWW-Authenticate header field containing at least one challenge applicable to the target resource.",
  change: "Send WWW-Authenticate: Bearer resource_metadata=\"…\""
}

/**
 * @category rules
 * @since 0.1.0
 */
export const challengeReadable: Rule = {
  id: "challenge-readable",
  title: "Both official clients read the challenge correctly",
  level: "SHOULD",
  derived: true,
  standard:
    "MCP authorization, protected resource metadata discovery; @modelcontextprotocol/sdk 1.x, @modelcontextprotocol/client 2.x",
  sentence:
    "MCP clients MUST be able to parse WWW-Authenticate headers and respond appropriately to HTTP 401 Unauthorized responses from the MCP server.",
  change: "Begin with Bearer and one space, quote all values, and write error_description last and without = signs"
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
  sentence:
    "If the request lacks any authentication information […], the resource server SHOULD NOT include an error code or other error information.",
  change:
    "Leave out error and error_description if the request has no token. Clients relate an error to their token, and may discard a valid one"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const challengeScope: Rule = {
  id: "challenge-scope",
  title: "The challenge names the scopes to request",
  level: { "2026-07-28": "SHOULD", "2025-11-25": "SHOULD" },
  standard: "MCP authorization, scope selection strategy",
  sentence:
    "MCP servers SHOULD include a scope parameter in the WWW-Authenticate header as defined in RFC 6750 Section 3 to indicate the scopes required for accessing the resource.",
  change: "Add scope=\"…\" with the scopes for basic use"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const challengeMetadata: Rule = {
  id: "challenge-resource-metadata",
  title: "The challenge names the URL of the metadata",
  level: { "2026-07-28": "MAY", "2025-11-25": "MAY", "2025-06-18": "MUST" },
  derived: true,
  standard: "MCP authorization, protected resource metadata discovery; RFC 9728 §5.1",
  sentence: {
    "2026-07-28":
      "MCP servers MUST implement one of the following discovery mechanisms […] Include the resource metadata URL in the WWW-Authenticate HTTP header under resource_metadata when returning 401 Unauthorized responses […] Serve metadata at a well-known URI",
    "2025-11-25":
      "MCP servers MUST implement one of the following discovery mechanisms […] Include the resource metadata URL in the WWW-Authenticate HTTP header under resource_metadata when returning 401 Unauthorized responses […] Serve metadata at a well-known URI",
    "2025-06-18":
      "MCP servers MUST use the HTTP header WWW-Authenticate when returning a 401 Unauthorized to indicate the location of the resource server metadata URL"
  },
  change: "Add resource_metadata=\"https://…/.well-known/oauth-protected-resource/…\""
}

/**
 * @category rules
 * @since 0.1.0
 */
export const metadata: Rule = {
  id: "resource-metadata",
  title: "Clients find the protected resource metadata",
  level: "MUST",
  standard: "MCP authorization, authorization server location; RFC 9728 §3",
  sentence:
    "MCP servers MUST implement the OAuth 2.0 Protected Resource Metadata (RFC9728) specification to indicate the locations of authorization servers.",
  change:
    "Serve the document at /.well-known/oauth-protected-resource, followed by the path of the server, without a token"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const metadataPlaces: Rule = {
  id: "resource-metadata-places",
  title: "Every URL that clients request serves the same metadata",
  level: "SHOULD",
  derived: true,
  standard: "RFC 9728 §3; MCP authorization, protected resource metadata discovery",
  sentence: {
    "2026-07-28":
      "MCP clients MUST support both discovery mechanisms and use the resource metadata URL from the parsed WWW-Authenticate headers when present; otherwise, they MUST fall back to constructing and requesting the well-known URIs",
    "2025-11-25":
      "MCP clients MUST support both discovery mechanisms and use the resource metadata URL from the parsed WWW-Authenticate headers when present; otherwise, they MUST fall back to constructing and requesting the well-known URIs",
    "2025-06-18":
      "Protected resources supporting metadata MUST make a JSON document containing metadata as specified in Section 2 available at a URL formed by inserting a well-known URI string into the protected resource's resource identifier"
  },
  change: "Serve one document at the well-known URL with the path, and name this URL in the challenge"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const metadataDirect: Rule = {
  id: "resource-metadata-direct",
  title: "The metadata are served without a redirect",
  level: "SHOULD",
  derived: true,
  standard: "RFC 9728 §3.2",
  sentence:
    "A successful response MUST use the 200 OK HTTP status code and return a JSON object using the application/json content type",
  change: "Serve the document at the well-known URL itself. Clients that follow no redirect do not find it"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const resource: Rule = {
  id: "resource-identical",
  title: "The metadata name this server as the resource",
  level: "MUST",
  standard: "RFC 9728 §3.3",
  sentence:
    "The \"resource\" value returned MUST be identical to the protected resource's resource identifier value into which the well-known URI path suffix was inserted […] If these values are not identical, the data contained in the response MUST NOT be used.",
  change: "Write resource exactly as clients write the URL of the server, including the final slash or its absence"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const servers: Rule = {
  id: "authorization-servers",
  title: "The metadata name an authorization server that passes its check",
  level: "MUST",
  standard: "MCP authorization, authorization server location",
  sentence:
    "The Protected Resource Metadata document returned by the MCP server MUST include the authorization_servers field containing at least one authorization server.",
  change: "Name the issuer of your authorization server, exactly as in its metadata"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const offlineAccess: Rule = {
  id: "no-offline-access",
  title: "The server does not request refresh tokens",
  level: { "2026-07-28": "SHOULD" },
  standard: "MCP authorization, refresh tokens",
  sentence:
    "MCP Servers (Protected Resources) SHOULD NOT include offline_access in WWW-Authenticate scope or Protected Resource Metadata scopes_supported, as refresh tokens are not a resource requirement.",
  change: "Remove offline_access. Clients that need refresh tokens request it from the authorization server"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const rejectsGarbage: Rule = {
  id: "rejects-invalid-token",
  title: "An invalid token gets 401",
  level: "MUST",
  standard: "MCP authorization, token handling",
  sentence: "Invalid or expired tokens MUST receive a HTTP 401 response.",
  change: "Return 401 for every failed verification. 5xx is for outages, 403 for scopes"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const namesInvalidToken: Rule = {
  id: "names-invalid-token",
  title: "The 401 for an invalid token has the error invalid_token",
  level: "SHOULD",
  standard: "RFC 6750 §3",
  sentence:
    "If the protected resource request included an access token and failed authentication, the resource server SHOULD include the \"error\" attribute to provide the client with the reason why the access request was declined.",
  change: "Add error=\"invalid_token\" to the challenge: clients then get a new token"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const rejectsForgery: Rule = {
  id: "rejects-forged-token",
  title: "A forged token is rejected",
  level: "MUST",
  standard: "MCP authorization, token handling; RFC 8725 §3.1",
  sentence: "MCP servers […] MUST validate access tokens as described in OAuth 2.1 Section 5.2.",
  change:
    "Verify the signature with the key set of the issuer, and allow only its algorithms: anyone can write such a token"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const rejectsForeignToken: Rule = {
  id: "rejects-foreign-token",
  title: "A token for another server is rejected",
  level: "MUST",
  standard: "MCP authorization, token handling",
  sentence: "MCP servers MUST validate that access tokens were issued specifically for them as the intended audience",
  change:
    "Compare aud of the token with the resource identifier of this server. If your authorization server cannot write " +
    "it, require an audience that no other server accepts"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const malformed: Rule = {
  id: "malformed-credentials",
  title: "Malformed credentials get 400",
  level: "SHOULD",
  standard: "RFC 6750 §3.1",
  sentence:
    "invalid_request: The request […] is otherwise malformed. The resource server SHOULD respond with the HTTP 400 (Bad Request) status code.",
  change: "Return 400 invalid_request for Bearer without a token"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const hygiene: Rule = {
  id: "error-hygiene",
  title: "Errors reveal no internals and no token",
  level: "MUST",
  derived: true,
  standard: "OWASP ASVS 5.0 16.5.1",
  sentence:
    "a generic message is returned to the consumer when an unexpected or security-sensitive error occurs, ensuring no exposure of sensitive internal system data such as stack traces, queries, secret keys, and tokens.",
  change: "Catch all errors of verification, and respond from a closed set of errors"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const corsPreflight: Rule = {
  id: "cors-preflight",
  title: "A preflight without a token is accepted",
  level: "SHOULD",
  derived: true,
  standard: "WHATWG Fetch, CORS protocol",
  sentence: "A CORS-preflight request never includes credentials.",
  change: "Put CORS in front of the token check"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const corsChallenge: Rule = {
  id: "cors-challenge",
  title: "Browser clients can read the challenge",
  level: "SHOULD",
  derived: true,
  standard: "WHATWG Fetch, CORS protocol",
  sentence:
    "Access-Control-Expose-Headers indicates which headers can be exposed as part of the response by listing their names.",
  change: "Add Access-Control-Allow-Origin and Access-Control-Expose-Headers: WWW-Authenticate, also to the 401"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const corsMetadata: Rule = {
  id: "cors-resource-metadata",
  title: "Browser clients can read the metadata",
  level: "SHOULD",
  derived: true,
  standard: "WHATWG Fetch, CORS protocol",
  sentence: "Access-Control-Allow-Origin indicates whether the response can be shared",
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
  derived: true,
  standard: "MCP authorization, token handling",
  sentence: "MCP servers MUST validate that access tokens were issued specifically for them as the intended audience",
  change: "Compare the token with what the server expects: effect-mcp-auth check --token - --resource URL"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const stepUp: Rule = {
  id: "step-up",
  title: "A missing scope gets 403 with the required scopes",
  level: "SHOULD",
  standard: "MCP authorization, scope challenge handling; RFC 6750 §3.1",
  sentence: {
    "2026-07-28":
      "When a client makes a request with an access token with insufficient scope during runtime operations, the server SHOULD respond with: […] HTTP 403 Forbidden […] error=\"insufficient_scope\" […] scope […] resource_metadata",
    "2025-11-25":
      "When a client makes a request with an access token with insufficient scope during runtime operations, the server SHOULD respond with: […] HTTP 403 Forbidden […] error=\"insufficient_scope\" […] scope […] resource_metadata",
    "2025-06-18":
      "insufficient_scope: The request requires higher privileges than provided by the access token. The resource server SHOULD respond with the HTTP 403 (Forbidden) status code"
  },
  change: "Return 403 with the whole challenge. A tool error with status 200 starts no step-up authorization"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const session: Rule = {
  id: "session-binding",
  title: "A session id without a token grants nothing",
  level: "MUST",
  standard: "MCP security best practices",
  sentence: "MCP servers that implement authorization MUST verify all inbound requests.",
  change: "Check the token on every request, and bind the session to its owner"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const batch: Rule = {
  id: "batch-bypass",
  title: "Every message of a batch is authorized",
  level: "MUST",
  standard: "MCP 2025-03-26, batching; MCP authorization, access token privilege restriction",
  sentence:
    "MCP servers MUST validate access tokens before processing the request […] and take all necessary steps to ensure no data is returned to unauthorized parties.",
  change: "Authorize every message of a batch before any of them runs, or reject batches"
}
