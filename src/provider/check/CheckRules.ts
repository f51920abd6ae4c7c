/**
 * Defines the rules for an authorization server.
 *
 * **Details**
 *
 * Sentences of MCP quote revisions 2025-06-18, 2025-11-25 and 2026-07-28. OAuth 2.1 is draft 13, which all three cite.
 *
 * @since 0.1.0
 */
import type { Rule } from "../report/Rule.ts"

/**
 * @category rules
 * @since 0.1.0
 */
export const issuerUrl: Rule = {
  id: "issuer-url",
  title: "The issuer is a plain https URL",
  level: "MUST",
  derived: true,
  standard: "RFC 8414 §2",
  sentence:
    "issuer REQUIRED. The authorization server's issuer identifier, which is a URL that uses the \"https\" scheme and has no query or fragment components.",
  change: "Use one https URL as the issuer, without port 443, query, fragment or placeholders"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const issuerSpelling: Rule = {
  id: "issuer-spelling",
  title: "URL libraries do not change the issuer",
  level: "SHOULD",
  derived: true,
  standard: "RFC 3986 §3.2.3",
  sentence:
    "URI producers and normalizers should omit the port component and its \":\" delimiter if port is empty or if its value would be the same as that of the scheme's default.",
  change: "Write the host name in lower case, and leave out port 443"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const metadata: Rule = {
  id: "metadata",
  title: "Clients find the metadata",
  level: "MUST",
  standard: "MCP authorization, overview",
  sentence: {
    "2026-07-28":
      "MCP authorization servers MUST provide at least one of the following discovery mechanisms: […] OAuth 2.0 Authorization Server Metadata […] OpenID Connect Discovery 1.0",
    "2025-11-25":
      "MCP authorization servers MUST provide at least one of the following discovery mechanisms: […] OAuth 2.0 Authorization Server Metadata […] OpenID Connect Discovery 1.0",
    "2025-06-18": "Authorization servers MUST provide OAuth 2.0 Authorization Server Metadata (RFC8414)."
  },
  change: "Serve the metadata as JSON with status 200 at one of the well-known URLs"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const rfc8414: Rule = {
  id: "rfc8414-document",
  title: "The server has an RFC 8414 document",
  level: { "2026-07-28": "MAY", "2025-11-25": "MAY", "2025-06-18": "MUST" },
  derived: true,
  standard: "MCP authorization, overview; RFC 8414 §3.1",
  sentence: {
    "2026-07-28":
      "MCP authorization servers MUST provide at least one of the following discovery mechanisms: […] OAuth 2.0 Authorization Server Metadata […] OpenID Connect Discovery 1.0",
    "2025-11-25":
      "MCP authorization servers MUST provide at least one of the following discovery mechanisms: […] OAuth 2.0 Authorization Server Metadata […] OpenID Connect Discovery 1.0",
    "2025-06-18": "Authorization servers MUST provide OAuth 2.0 Authorization Server Metadata (RFC8414)."
  },
  change:
    "Serve the document at /.well-known/oauth-authorization-server, followed by the path of the issuer. Clients request it first, and clients of 2025-06-18 request no other"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const openid: Rule = {
  id: "openid-document",
  title: "The server has an OpenID Connect document",
  level: { "2026-07-28": "MAY", "2025-11-25": "MAY" },
  derived: true,
  standard: "MCP authorization, overview; OpenID Connect Discovery 1.0 §4",
  sentence:
    "MCP authorization servers MUST provide at least one of the following discovery mechanisms: […] OAuth 2.0 Authorization Server Metadata […] OpenID Connect Discovery 1.0",
  change: "Nothing, if the server has an RFC 8414 document"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const wellKnown: Rule = {
  id: "well-known-answers",
  title: "Well-known URLs return the document or 404",
  level: "MUST",
  standard: "RFC 8414 §3.2",
  sentence:
    "A successful response MUST use the 200 OK HTTP status code and return a JSON object using the \"application/json\" content type […] An error response uses the applicable HTTP status code value.",
  change:
    "Return 404 if a well-known URL has no document. Both official clients stop at the first 200 without metadata, and at the first 500"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const wellKnownTidy: Rule = {
  id: "well-known-tidy",
  title: "No well-known URL misleads",
  level: "SHOULD",
  derived: true,
  standard: "RFC 8414 §3.2",
  sentence: "An error response uses the applicable HTTP status code value.",
  change: "Return 404, not a redirect or a web page, at well-known URLs without a document"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const issuerIdentical: Rule = {
  id: "issuer-identical",
  title: "The documents name the requested issuer",
  level: "MUST",
  standard: "RFC 8414 §3.3",
  sentence:
    "The \"issuer\" value returned MUST be identical to the authorization server's issuer identifier value into which the well-known URI string was inserted […] If these values are not identical, the data contained in the response MUST NOT be used.",
  change: "Write the issuer everywhere exactly as the document does, character by character"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const documentsAgree: Rule = {
  id: "documents-agree",
  title: "The documents agree",
  level: "SHOULD",
  derived: true,
  standard: "MCP authorization, server metadata discovery; 2025-06-18: overview",
  sentence: {
    "2026-07-28":
      "MCP clients MUST attempt multiple well-known endpoints when discovering authorization server metadata.",
    "2025-11-25":
      "MCP clients MUST attempt multiple well-known endpoints when discovering authorization server metadata.",
    "2025-06-18": "MCP clients MUST use the OAuth 2.0 Authorization Server Metadata."
  },
  change: "Serve the same members in each document, because clients read different ones"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const endpointsHttps: Rule = {
  id: "endpoints-https",
  title: "All endpoints are https",
  level: "MUST",
  standard: "MCP authorization, communication security; OAuth 2.1 §1.5",
  sentence: "All authorization server endpoints MUST be served over HTTPS.",
  change:
    "Serve every endpoint over https, with https URLs in the metadata (behind a proxy, configure the public URL of the server)"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const codeFlow: Rule = {
  id: "code-flow",
  title: "The server offers the authorization code flow",
  level: "MUST",
  derived: true,
  standard: "RFC 8414 §2",
  sentence:
    "response_types_supported REQUIRED. JSON array containing a list of the OAuth 2.0 \"response_type\" values that this authorization server supports.",
  change: "Enable the authorization code grant"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const pkce: Rule = {
  id: "pkce-s256",
  title: "PKCE with S256 is advertised",
  level: { "2026-07-28": "MUST", "2025-11-25": "MUST", "2025-06-18": "SHOULD" },
  standard: "MCP authorization, authorization code protection; before 2025-11-25: RFC 9700 §2.1.1",
  sentence: {
    "2026-07-28":
      "If code_challenge_methods_supported is absent, the authorization server does not support PKCE and MCP clients MUST refuse to proceed.", // prose: quotation
    "2025-11-25":
      "If code_challenge_methods_supported is absent, the authorization server does not support PKCE and MCP clients MUST refuse to proceed.", // prose: quotation
    "2025-06-18":
      "It is RECOMMENDED for authorization servers to publish the element code_challenge_methods_supported in their Authorization Server Metadata"
  },
  change: "Add \"code_challenge_methods_supported\": [\"S256\"] to the metadata"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const pkcePlain: Rule = {
  id: "pkce-plain",
  title: "The server does not offer PKCE without a hash",
  level: "MAY",
  derived: true,
  standard: "RFC 9700 §2.1.1, OAuth 2.1 §4.1.1",
  sentence:
    "When using PKCE, clients SHOULD use PKCE code challenge methods that do not expose the PKCE verifier in the authorization request. […] Currently, S256 is the only such method.",
  change: "Remove \"plain\" from code_challenge_methods_supported"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const publicClients: Rule = {
  id: "public-clients",
  title: "Public clients can authenticate",
  level: "SHOULD",
  derived: true,
  standard: "MCP authorization, overview; RFC 8414 §2",
  sentence:
    "Authorization servers MUST implement OAuth 2.1 with appropriate security measures for both confidential and public clients.",
  change: "List \"none\" in token_endpoint_auth_methods_supported, and allow clients without a secret to register"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const issParameter: Rule = {
  id: "iss-parameter",
  title: "Authorization responses name the issuer",
  level: { "2026-07-28": "SHOULD", "2025-11-25": "MAY", "2025-06-18": "MAY" },
  derived: true,
  standard: "MCP authorization, authorization response validation; before 2026-07-28: RFC 9207 §3",
  sentence: {
    "2026-07-28":
      "MCP authorization servers SHOULD include the iss parameter in authorization responses, including error responses, as defined in RFC9207 Section 2. Authorization servers that include the iss parameter MUST advertise this by setting authorization_response_iss_parameter_supported to true in their metadata",
    "2025-11-25":
      "authorization_response_iss_parameter_supported: Boolean parameter indicating whether the authorization server provides the iss parameter in the authorization response",
    "2025-06-18":
      "authorization_response_iss_parameter_supported: Boolean parameter indicating whether the authorization server provides the iss parameter in the authorization response"
  },
  change:
    "Enable RFC 9207 if the server supports it. It protects clients of several authorization servers from mix-up attacks"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const cimd: Rule = {
  id: "client-id-metadata-documents",
  title: "A client id can be the URL of a metadata document",
  level: { "2026-07-28": "SHOULD", "2025-11-25": "SHOULD" },
  standard: "MCP authorization, overview; draft-ietf-oauth-client-id-metadata-document-00",
  sentence:
    "Authorization servers and MCP clients SHOULD support OAuth Client ID Metadata Documents (draft-ietf-oauth-client-id-metadata-document-00).",
  change: "Enable client ID metadata documents if the server supports them"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const registration: Rule = {
  id: "dynamic-registration",
  title: "Clients can register themselves",
  level: { "2026-07-28": "MAY", "2025-11-25": "MAY", "2025-06-18": "SHOULD" },
  standard: "MCP authorization, overview; RFC 7591",
  sentence: {
    "2026-07-28":
      "Authorization servers and MCP clients MAY support the OAuth 2.0 Dynamic Client Registration Protocol (RFC7591).",
    "2025-11-25":
      "Authorization servers and MCP clients MAY support the OAuth 2.0 Dynamic Client Registration Protocol (RFC7591).",
    "2025-06-18":
      "Authorization servers and MCP clients SHOULD support the OAuth 2.0 Dynamic Client Registration Protocol (RFC7591)."
  },
  change: "Enable dynamic client registration, or give clients a client id"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const unknownClients: Rule = {
  id: "unknown-clients",
  title: "Clients without prior registration can sign in",
  level: "SHOULD",
  standard: "MCP authorization, overview",
  sentence: {
    "2026-07-28":
      "Authorization servers and MCP clients SHOULD support OAuth Client ID Metadata Documents. […] Authorization servers and MCP clients MAY support the OAuth 2.0 Dynamic Client Registration Protocol (RFC7591).",
    "2025-11-25":
      "Authorization servers and MCP clients SHOULD support OAuth Client ID Metadata Documents. […] Authorization servers and MCP clients MAY support the OAuth 2.0 Dynamic Client Registration Protocol (RFC7591).",
    "2025-06-18":
      "Authorization servers and MCP clients SHOULD support the OAuth 2.0 Dynamic Client Registration Protocol (RFC7591)."
  },
  change: "Support one of them, or register each client yourself and give it its client id"
}

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
export const corsMetadata: Rule = {
  id: "cors-metadata",
  title: "Browser clients can read the metadata",
  level: "SHOULD",
  derived: true,
  standard: "OAuth 2.1 §3.2",
  sentence:
    "Authorization servers that wish to support browser-based applications […] will need to ensure the token endpoint supports the necessary CORS headers […] additional endpoints […], such as metadata URLs, dynamic client registration […] will also need to have the CORS headers defined to allow access.",
  change: "Send Access-Control-Allow-Origin: * with the metadata, and allow the header mcp-protocol-version"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const corsToken: Rule = {
  id: "cors-token",
  title: "Browser clients can use the token endpoint",
  level: "SHOULD",
  derived: true,
  standard: "OAuth 2.1 §3.2",
  sentence:
    "Authorization servers that wish to support browser-based applications […] will need to ensure the token endpoint supports the necessary CORS headers […] additional endpoints […], such as metadata URLs, dynamic client registration […] will also need to have the CORS headers defined to allow access.",
  change: "Allow the origins of browser clients at the token endpoint (often a setting of each client: web origins)"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const corsRegistration: Rule = {
  id: "cors-registration",
  title: "Browser clients can register",
  level: "MAY",
  derived: true,
  standard: "OAuth 2.1 §3.2",
  sentence:
    "Authorization servers that wish to support browser-based applications […] will need to ensure the token endpoint supports the necessary CORS headers […] additional endpoints […], such as metadata URLs, dynamic client registration […] will also need to have the CORS headers defined to allow access.",
  change: "Accept the preflight of the registration endpoint, and allow the header content-type"
}

/**
 * Lists all rules, in the order of a report.
 *
 * @category rules
 * @since 0.1.0
 */
export const all: ReadonlyArray<Rule> = [
  issuerUrl,
  issuerSpelling,
  metadata,
  rfc8414,
  openid,
  wellKnown,
  wellKnownTidy,
  issuerIdentical,
  documentsAgree,
  endpointsHttps,
  codeFlow,
  pkce,
  pkcePlain,
  publicClients,
  unknownClients,
  cimd,
  registration,
  issParameter,
  verifiable,
  keySet,
  keySetPublic,
  keySetTidy,
  introspection,
  resourceIndicators,
  audience,
  scopes,
  refresh,
  dpop,
  corsMetadata,
  corsToken,
  corsRegistration
]
