/**
 * Rules for the issuer, the metadata documents and the endpoints of an authorization server.
 *
 * **Details**
 *
 * The quotations of MCP are from revisions 2025-06-18, 2025-11-25 and 2026-07-28. The quotations of OAuth 2.1 are from draft
 * 13, which all three revisions cite.
 *
 * @since 0.1.0
 */
import type { Rule } from "../report/Rule.ts"

const eitherDocument =
  "MCP authorization servers MUST provide at least one of the following discovery mechanisms: […] OAuth 2.0 Authorization Server Metadata […] OpenID Connect Discovery 1.0"

const rfc8414Document = "Authorization servers MUST provide OAuth 2.0 Authorization Server Metadata (RFC8414)."

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
  sentence: { "2026-07-28": eitherDocument, "2025-11-25": eitherDocument, "2025-06-18": rfc8414Document },
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
  sentence: { "2026-07-28": eitherDocument, "2025-11-25": eitherDocument, "2025-06-18": rfc8414Document },
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
  sentence: eitherDocument,
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
export const metadataDirect: Rule = {
  id: "metadata-direct",
  title: "The metadata are served without a redirect",
  level: "SHOULD",
  derived: true,
  standard: "RFC 8414 §3.2",
  sentence:
    "A successful response MUST use the 200 OK HTTP status code and return a JSON object using the \"application/json\" content type",
  change: "Serve the document at the well-known URL itself. Resource servers that follow no redirect do not find it"
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
