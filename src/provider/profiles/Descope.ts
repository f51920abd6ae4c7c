/**
 * Descope.
 *
 * @since 0.1.0
 */
import * as Audience from "../../verification/claims/Audience.ts"
import * as Profile from "../../verification/issuers/Profile.ts"
import { audience, type Audiences, read } from "./internal/given.ts"

/**
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Such as `P2…`. */
  readonly projectId: string
  /**
   * The issuer of the MCP server, as Descope shows it ("Issuer URL"). Its tokens are for the resource alone; those of the
   * project are for all that the project protects.
   */
  readonly mcpServerIssuer?: string | undefined
  /** The base URL, where it is not `https://api.descope.com`. */
  readonly baseUrl?: string | undefined
  /** The audience, if it is neither the resource (with `mcpServerIssuer`) nor the project (without). */
  readonly audience?: Audiences | undefined
}

/**
 * Descope: an MCP server registered there, or a whole project.
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
export const descope = (options: Options): Profile.Profile => {
  const given = read("descope", options, { projectId: true, mcpServerIssuer: true, baseUrl: true, audience: true })
  const project = given.id("projectId", options.projectId, "the project id, such as P2abc")
  const base = given.url("baseUrl", options.baseUrl ?? "https://api.descope.com", "https://api.descope.com")
  const server = options.mcpServerIssuer
  return Profile.make({
    id: "descope",
    name: "Descope",
    issuer: server === undefined
      ? `${base}/v1/apps/${project}`
      : given.url("mcpServerIssuer", server, `${base}/v1/apps/agentic/${project}/MS2abc`),
    jwksUri: `${base}/${project}/.well-known/jwks.json`,
    audience: options.audience === undefined && server === undefined
      ? Audience.oneOf([project])
      : audience(options.audience),
    // A session of the project has its refresh token as a JWT of the same issuer.
    idTokenMarks: [{ claim: "drn", values: ["DSR"] }],
    boundTo: options.audience === undefined && server === undefined ? "project" : "resource",
    confirmed: false,
    notes: [
      "No real token was seen: issuer, audience, scope and key set are those of Descope's documentation.",
      "Each MCP server has a discovery URL of its own, with dynamic registration and client metadata documents."
    ],
    issues: given.issues
  })
}
