/**
 * The profile of Descope.
 *
 * @since 0.1.0
 */
import * as Audience from "../../verification/claims/Audience.ts"
import * as Profile from "../../verification/issuers/Profile.ts"
import { type Audiences, readOptions, toAudience } from "./internal/readOptions.ts"

/**
 * The options of `Profiles.descope`.
 *
 * @category models
 * @since 0.1.0
 */
export interface DescopeOptions {
  /** The project id, such as `P2…`. */
  readonly projectId: string
  /**
   * The issuer of the MCP server ("Issuer URL" at Descope). If you set it, only tokens for the resource are accepted by
   * default. Otherwise, every token of the project is accepted by default.
   */
  readonly mcpServerIssuer?: string | undefined
  /** The base URL of Descope. Default: `https://api.descope.com`. */
  readonly baseUrl?: string | undefined
  /** The audience. Default: the resource if `mcpServerIssuer` is set, otherwise the project. */
  readonly audience?: Audiences | undefined
}

/**
 * Creates the profile of Descope, either for one registered MCP server or for a whole project.
 *
 * **Example** (Its issuer)
 *
 * ```ts
 * import { Profiles } from "effect-mcp-auth/provider"
 * import assert from "node:assert/strict"
 *
 * const profile = Profiles.descope({ projectId: "P2abcdefghijklmnopqrstuvwxyz" })
 *
 * assert.strictEqual(profile.issuer, "https://api.descope.com/v1/apps/P2abcdefghijklmnopqrstuvwxyz")
 * ```
 *
 * @category profiles
 * @since 0.1.0
 */
export const descope = (options: DescopeOptions): Profile.Profile => {
  const reader = readOptions("descope", options, {
    projectId: true,
    mcpServerIssuer: true,
    baseUrl: true,
    audience: true
  })
  const project = reader.id("projectId", options.projectId, "the project id, such as P2abc")
  const base = reader.url("baseUrl", options.baseUrl ?? "https://api.descope.com", "https://api.descope.com")
  const server = options.mcpServerIssuer
  return Profile.make({
    id: "descope",
    name: "Descope",
    issuer: server === undefined
      ? `${base}/v1/apps/${project}`
      : reader.url("mcpServerIssuer", server, `${base}/v1/apps/agentic/${project}/MS2abc`),
    jwksUri: `${base}/${project}/.well-known/jwks.json`,
    audience: options.audience === undefined && server === undefined
      ? Audience.oneOf([project])
      : toAudience(options.audience),
    // Rejects refresh tokens of project sessions, which are JWTs of the same issuer.
    idTokenMarks: [{ claim: "drn", values: ["DSR"] }],
    boundTo: options.audience === undefined && server === undefined ? "project" : "resource",
    confirmed: false,
    notes: [
      "No real token was seen. Issuer, audience, scope and key set are those of Descope's documentation.",
      "Each MCP server has a separate discovery URL, with dynamic registration and client metadata documents."
    ],
    issues: reader.issues
  })
}
