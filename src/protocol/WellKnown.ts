/**
 * Builds the URLs of metadata documents: of authorization servers (RFC 8414 §3, OpenID Connect Discovery §4) and of
 * protected resources (RFC 9728 §3).
 *
 * @since 0.1.0
 */

/**
 * Returns the URLs at which a client looks for the metadata of an issuer, in the order of the MCP specification.
 *
 * **Details**
 *
 * If the issuer has a path, the order is: RFC 8414 with path insertion, OpenID with path insertion, OpenID with path
 * appending. Otherwise only the first two apply. A final slash of the issuer's path is dropped (RFC 8414 §3.1).
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
 * Returns the issuer of the metadata that a well-known URL names. Returns `undefined` for any other URL. The issuer in the
 * document itself is decisive: it may end in a slash, which the URL does not show.
 *
 * **Example** (The URL of a realm of Keycloak)
 *
 * ```ts
 * import { WellKnown } from "effect-mcp-auth/protocol"
 * import assert from "node:assert/strict"
 *
 * const url = new URL("https://auth.example.com/realms/acme/.well-known/openid-configuration")
 * assert.strictEqual(WellKnown.issuerOfMetadata(url), "https://auth.example.com/realms/acme")
 * ```
 *
 * @category getters
 * @since 0.1.0
 */
export const issuerOfMetadata = ({ origin, pathname }: URL): string | undefined => {
  const parts = /^(.*?)\/\.well-known\/[^/]+(\/.*)?$/.exec(pathname)
  return parts === null ? undefined : `${origin}${parts[1]}${parts[2] ?? ""}`
}

/**
 * The path at which a resource without a path publishes its metadata. The metadata paths of all other resources begin
 * with it (RFC 9728 §3).
 *
 * @category constants
 * @since 0.1.0
 */
export const protectedResourceMetadataRoot = "/.well-known/oauth-protected-resource"

/**
 * Returns the path at which a resource publishes its metadata (RFC 9728 §3.1). If the resource has a query, the query follows
 * the path.
 *
 * **Details**
 *
 * Only a path that is a single slash is dropped: `/api/` and `/api` are different resources.
 *
 * @category constructors
 * @since 0.1.0
 */
export const protectedResourceMetadataPath = (resource: URL): string =>
  `${protectedResourceMetadataRoot}${resource.pathname === "/" ? "" : resource.pathname}${resource.search}`

/**
 * Returns the URL at which a resource publishes its metadata (RFC 9728 §3.1).
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
