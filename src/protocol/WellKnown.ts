/**
 * Where metadata documents live: authorization servers (RFC 8414 §3, OpenID Connect Discovery §4) and protected
 * resources (RFC 9728 §3).
 *
 * @since 0.1.0
 */

/**
 * The URLs at which a client looks for the metadata of an issuer, in the order of the MCP text.
 *
 * **Details**
 *
 * With a path: RFC 8414 insertion, OpenID insertion, OpenID appending. Without one: the first two. RFC 8414 §3.1 drops a
 * final slash of the issuer's path.
 *
 * **Example** (An issuer with a path)
 *
 * ```ts
 * import { WellKnown } from "effect-mcp-auth/protocol"
 * import assert from "node:assert/strict"
 *
 * assert.deepStrictEqual(WellKnown.authorizationServerMetadata(new URL("https://auth.example.com/acme")), [
 *   "https://auth.example.com/.well-known/oauth-authorization-server/acme",
 *   "https://auth.example.com/.well-known/openid-configuration/acme",
 *   "https://auth.example.com/acme/.well-known/openid-configuration"
 * ])
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const authorizationServerMetadata = (issuer: URL): ReadonlyArray<string> => {
  const path = issuer.pathname.replace(/\/$/, "")
  const inserted = [
    `${issuer.origin}/.well-known/oauth-authorization-server${path}`,
    `${issuer.origin}/.well-known/openid-configuration${path}`
  ]
  return path === "" ? inserted : [...inserted, `${issuer.origin}${path}/.well-known/openid-configuration`]
}

/**
 * The path at which a resource without a path of its own publishes its metadata, and with which those of all others begin
 * (RFC 9728 §3).
 *
 * @category constants
 * @since 0.1.0
 */
export const protectedResourceMetadataRoot = "/.well-known/oauth-protected-resource"

/**
 * The path, with the query if there is one, at which a resource publishes its metadata (RFC 9728 §3.1).
 *
 * **Details**
 *
 * Only the slash that directly follows the host is dropped: `/api/` and `/api` are different resources.
 *
 * @category constructors
 * @since 0.1.0
 */
export const protectedResourceMetadataPath = (resource: URL): string =>
  `${protectedResourceMetadataRoot}${resource.pathname === "/" ? "" : resource.pathname}${resource.search}`

/**
 * The URL at which a resource publishes its metadata.
 *
 * **Example** (A resource with a path)
 *
 * ```ts
 * import { WellKnown } from "effect-mcp-auth/protocol"
 * import assert from "node:assert/strict"
 *
 * assert.strictEqual(
 *   WellKnown.protectedResourceMetadata(new URL("https://todos.example.com/mcp")),
 *   "https://todos.example.com/.well-known/oauth-protected-resource/mcp"
 * )
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const protectedResourceMetadata = (resource: URL): string =>
  `${resource.origin}${protectedResourceMetadataPath(resource)}`
