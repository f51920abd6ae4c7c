/**
 * Rules for how clients register and sign in at an authorization server.
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
