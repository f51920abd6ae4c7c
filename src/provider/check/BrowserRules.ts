/**
 * Rules for clients that run in a browser.
 *
 * **Details**
 *
 * The quotations are from draft 13 of OAuth 2.1, which all revisions of MCP cite.
 *
 * @since 0.1.0
 */
import type { Rule } from "../report/Rule.ts"

const sentence =
  "Authorization servers that wish to support browser-based applications […] will need to ensure the token endpoint supports the necessary CORS headers […] additional endpoints […], such as metadata URLs, dynamic client registration […] will also need to have the CORS headers defined to allow access."

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
  sentence,
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
  sentence,
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
  sentence,
  change: "Accept the preflight of the registration endpoint, and allow the header content-type"
}
