/**
 * The rules for an authorization server.
 *
 * @since 0.1.0
 */
import type { Rule } from "./Rule.ts"

/**
 * @category rules
 * @since 0.1.0
 */
export const issuerUrl: Rule = {
  id: "issuer-url",
  title: "The issuer is a plain https URL",
  level: "MUST",
  standard: "RFC 8414 §2",
  sentence: "The issuer identifier is a URL of the https scheme without query and fragment.",
  change: "Name the server by one https URL, without port 443, query, fragment or placeholders"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const issuerSpelling: Rule = {
  id: "issuer-spelling",
  title: "The issuer is written as URL libraries write it",
  level: "SHOULD",
  standard: "RFC 3986 §6.2, RFC 8414 §4",
  sentence:
    "Issuers are compared character by character, while libraries write host names small and drop default ports.",
  change: "Write the host name in small letters, and no port 443"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const metadata: Rule = {
  id: "metadata",
  title: "A client finds the metadata",
  level: "MUST",
  standard: "MCP authorization, server metadata discovery; RFC 8414 §3",
  sentence: "Authorization servers provide RFC 8414 metadata or OpenID Connect Discovery at a well-known URL.",
  change: "Serve the metadata as JSON with status 200 at one of the well-known URLs"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const rfc8414: Rule = {
  id: "rfc8414-document",
  title: "There is an RFC 8414 document",
  level: { "2026-07-28": "SHOULD", "2025-11-25": "SHOULD", "2025-06-18": "MUST" },
  standard: "MCP authorization 2025-06-18, standards compliance; RFC 8414 §3.1",
  sentence: "The document stands at /.well-known/oauth-authorization-server, followed by the path of the issuer.",
  change: "Serve the document there as well: clients ask for it first, and those of 2025-06-18 for nothing else"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const openid: Rule = {
  id: "openid-document",
  title: "There is an OpenID Connect document",
  level: { "2026-07-28": "MAY", "2025-11-25": "MAY" },
  standard: "OpenID Connect Discovery 1.0 §4",
  sentence: "The document stands at /.well-known/openid-configuration below the issuer.",
  change: "Nothing, as long as there is an RFC 8414 document"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const wellKnown: Rule = {
  id: "well-known-answers",
  title: "Well-known URLs answer with the document or with 404",
  level: "MUST",
  standard: "RFC 8414 §3.2",
  sentence: "A successful response is 200 with application/json; an error uses the applicable HTTP status.",
  change:
    "Answer 404 where there is no document: both official clients give up at the first 200 that is no metadata, and at the first 500"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const wellKnownTidy: Rule = {
  id: "well-known-tidy",
  title: "No well-known URL misleads",
  level: "SHOULD",
  standard: "RFC 8414 §3.2, MCP authorization, server metadata discovery",
  sentence: "Where there is no document the answer is 404, without a detour.",
  change: "Answer 404, not a redirect or a page, at the well-known URLs without a document"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const issuerIdentical: Rule = {
  id: "issuer-identical",
  title: "The documents name the issuer that was asked for",
  level: "MUST",
  standard: "RFC 8414 §3.3",
  sentence: "The issuer in the document is identical to the one from which its URL was made; else it must not be used.",
  change: "Write the issuer everywhere exactly as the document does, character by character"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const documentsAgree: Rule = {
  id: "documents-agree",
  title: "The documents say the same",
  level: "SHOULD",
  standard: "RFC 8414 §5",
  sentence: "What several well-known documents of a server say about the same member should be consistent.",
  change: "Serve the same members in each: which of them a client reads depends on the client"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const endpointsHttps: Rule = {
  id: "endpoints-https",
  title: "All endpoints are https",
  level: "MUST",
  standard: "OAuth 2.1 §1.5",
  sentence: "All OAuth protocol URLs use https, loopback redirects excepted.",
  change: "Serve every endpoint by https, and say so in the metadata (behind a proxy: tell the server its public URL)"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const codeFlow: Rule = {
  id: "code-flow",
  title: "The authorization code flow is offered",
  level: "MUST",
  standard: "RFC 8414 §2; OAuth 2.1 §4.1",
  sentence: "Metadata name authorization_endpoint, token_endpoint and the response type code.",
  change: "Switch the authorization code grant on"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const pkce: Rule = {
  id: "pkce-s256",
  title: "PKCE with S256 is advertised",
  level: { "2026-07-28": "MUST", "2025-11-25": "MUST", "2025-06-18": "SHOULD" },
  standard: "MCP authorization, authorization code protection; RFC 8414 §2",
  sentence: "Clients refuse to go on where code_challenge_methods_supported is absent, and use S256.",
  change: "Add \"code_challenge_methods_supported\": [\"S256\"] to the metadata"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const pkcePlain: Rule = {
  id: "pkce-plain",
  title: "PKCE without a hash is not offered",
  level: "SHOULD",
  standard: "OAuth 2.1 §7.5.2, RFC 9700 §2.1.1",
  sentence: "Code challenge methods do not expose the verifier in the authorization request; S256 alone does that.",
  change: "Take \"plain\" out of code_challenge_methods_supported"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const publicClients: Rule = {
  id: "public-clients",
  title: "Public clients are welcome",
  level: "SHOULD",
  standard: "MCP authorization, overview; RFC 8414 §2",
  sentence:
    "Authorization servers serve confidential and public clients; what token_endpoint_auth_methods_supported leaves out is not supported.",
  change: "List \"none\" in token_endpoint_auth_methods_supported, and let clients without a secret register"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const issParameter: Rule = {
  id: "iss-parameter",
  title: "Authorization responses name the issuer",
  level: { "2026-07-28": "SHOULD", "2025-11-25": "MAY", "2025-06-18": "MAY" },
  standard: "MCP authorization, authorization response validation; RFC 9207 §2.3",
  sentence:
    "Servers put iss into authorization responses and say so by authorization_response_iss_parameter_supported.",
  change: "Switch RFC 9207 on, if the server has it: it protects clients of several servers from mix-up"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const cimd: Rule = {
  id: "client-id-metadata-documents",
  title: "A client may be the URL of its metadata document",
  level: { "2026-07-28": "SHOULD", "2025-11-25": "SHOULD" },
  standard: "MCP authorization, client registration; draft-ietf-oauth-client-id-metadata-document-00",
  sentence: "Servers support client ID metadata documents and say so by client_id_metadata_document_supported.",
  change: "Switch client ID metadata documents on, if the server has them"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const registration: Rule = {
  id: "dynamic-registration",
  title: "Clients can register themselves",
  level: { "2026-07-28": "MAY", "2025-11-25": "MAY", "2025-06-18": "SHOULD" },
  standard: "RFC 7591; deprecated in MCP 2026-07-28",
  sentence: "Metadata name a registration_endpoint.",
  change: "Switch dynamic client registration on, or give clients a client id"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const strangers: Rule = {
  id: "unknown-clients",
  title: "A client that nobody announced can sign in",
  level: "SHOULD",
  standard: "MCP authorization, client registration",
  sentence: "Clients and servers that do not know each other need metadata documents or dynamic registration.",
  change: "Offer one of both, or register each client by hand and give it its client id"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const verifiable: Rule = {
  id: "tokens-verifiable",
  title: "Somebody else can verify its tokens",
  level: "MUST",
  standard: "MCP authorization, token handling; RFC 9068 §4, RFC 7662",
  sentence: "MCP servers validate access tokens: by the keys of jwks_uri, or by asking the introspection endpoint.",
  change: "Publish jwks_uri and issue JWTs, or open an introspection endpoint for your server"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const keySet: Rule = {
  id: "key-set",
  title: "The key set can be used",
  level: "MUST",
  standard: "RFC 8414 §2, RFC 7517 §5, RFC 8725 §3",
  sentence: "jwks_uri gives the public keys with which the server signs.",
  change: "Publish at least one public signing key: RSA of 2048 bits or more, P-256, P-384, P-521 or Ed25519"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const keySetPublic: Rule = {
  id: "key-set-public",
  title: "The key set holds nothing secret",
  level: "MUST",
  standard: "RFC 7517 §9.2",
  sentence: "Private and symmetric keys are protected from disclosure to unintended parties.",
  change: "Withdraw these keys now and sign with new ones: whoever has read the set can make tokens"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const keySetTidy: Rule = {
  id: "key-set-tidy",
  title: "Every key says what it is for",
  level: "SHOULD",
  standard: "RFC 7517 §4, RFC 8414 §2",
  sentence: "Keys have a kid that occurs once, an alg, and a use where the set also holds keys for encryption.",
  change: "Give each key kid, alg and use: \"sig\", and take weak ones out"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const scopes: Rule = {
  id: "scopes",
  title: "Scopes are listed",
  level: "MAY",
  standard: "RFC 8414 §2",
  sentence: "scopes_supported lists scopes that clients can ask for.",
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
  standard: "MCP authorization, refresh tokens; OpenID Connect Core §11",
  sentence: "Where offline_access is among scopes_supported clients add it to what they ask for.",
  change: "Allow the refresh_token grant, with rotation for public clients, and list offline_access"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const introspection: Rule = {
  id: "introspection",
  title: "Tokens can be asked about",
  level: "MAY",
  standard: "RFC 7662 §2",
  sentence: "introspection_endpoint tells whether a token is still active, so that a revoked one ends at once.",
  change: "Nothing, as long as JWTs are short-lived"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const dpop: Rule = {
  id: "dpop",
  title: "Tokens can be bound to a key",
  level: "MAY",
  standard: "RFC 9449 §5.1",
  sentence: "dpop_signing_alg_values_supported lists the algorithms of DPoP proofs.",
  change: "Nothing: bearer tokens are what all clients speak"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const resourceIndicators: Rule = {
  id: "resource-indicators",
  title: "Tokens are made for the resource that was asked for",
  level: "SHOULD",
  standard: "RFC 8707 §2, MCP authorization, token audience binding",
  sentence: "Clients send resource; the server makes that the audience of the token.",
  change: "Configure the audience at the server, and accept that one: Audience.oneOf([…])"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const corsMetadata: Rule = {
  id: "cors-metadata",
  title: "Browsers may read the metadata",
  level: "SHOULD",
  standard: "WHATWG Fetch, CORS protocol; draft-ietf-oauth-browser-based-apps",
  sentence: "A page of another origin reads only what Access-Control-Allow-Origin lets it.",
  change: "Send Access-Control-Allow-Origin: * with the metadata, and allow the header mcp-protocol-version"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const corsToken: Rule = {
  id: "cors-token",
  title: "Browsers may use the token endpoint",
  level: "SHOULD",
  standard: "WHATWG Fetch, CORS protocol; draft-ietf-oauth-browser-based-apps",
  sentence: "A client in a browser posts to the token endpoint from another origin.",
  change: "Allow the origins of browser clients at the token endpoint (often a setting of the client: web origins)"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const corsRegistration: Rule = {
  id: "cors-registration",
  title: "Browsers may register",
  level: "MAY",
  standard: "WHATWG Fetch, CORS protocol",
  sentence: "A client in a browser posts JSON to the registration endpoint, after a preflight.",
  change: "Answer the preflight of the registration endpoint, and allow the header content-type"
}

/**
 * All of them, in the order of a report.
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
  strangers,
  cimd,
  registration,
  issParameter,
  verifiable,
  keySet,
  keySetPublic,
  keySetTidy,
  introspection,
  resourceIndicators,
  scopes,
  refresh,
  dpop,
  corsMetadata,
  corsToken,
  corsRegistration
]
