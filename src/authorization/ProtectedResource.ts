/**
 * Describes this server as a resource: its identifier, its metadata document (RFC 9728) and the scopes that it offers.
 *
 * @since 0.1.0
 */
import { identity } from "effect/Function"
import * as Predicate from "effect/Predicate"
import type * as Result from "effect/Result"
import type { AuthConfigError } from "../protocol/AuthError.ts"
import * as ConfigOption from "../protocol/ConfigOption.ts"
import * as OptionValue from "../protocol/OptionValue.ts"
import type { ProtectedResourceMetadata } from "../protocol/ProtectedResourceMetadata.ts"
import * as UrlOption from "../protocol/UrlOption.ts"
import * as WellKnown from "../protocol/WellKnown.ts"
import type { Published } from "../verification/tokens/Presentation.ts"
import { checkScopeList } from "./policy/ScopeList.ts"
import * as ScopeHierarchy from "./ScopeHierarchy.ts"

/**
 * The scopes that a server offers.
 *
 * **Details**
 *
 * Clients request all scopes of a plain list at sign-in. With `baseline` and `stepUp`, the 401 challenge and the metadata name
 * only the baseline. A 403 challenge names a step-up scope when an operation requires it.
 *
 * The empty list means that the server has no scopes: any valid token for this resource is enough. The challenge has no `scope`,
 * the metadata have no `scopes_supported`, and no operation can require a scope.
 *
 * @category models
 * @since 0.1.0
 */
export type Scopes =
  | readonly []
  | readonly [string, ...ReadonlyArray<string>]
  | {
    /** The scopes that clients request at sign-in. */
    readonly baseline: readonly [string, ...ReadonlyArray<string>]
    /** The scopes that a 403 challenge names when an operation requires them. Default: none. */
    readonly stepUp?: ReadonlyArray<string> | undefined
  }

/**
 * The union of the offered scopes.
 *
 * @category utility types
 * @since 0.1.0
 */
export type OfferedOf<S extends Scopes> = S extends ReadonlyArray<string> ? S[number]
  : S extends { readonly baseline: ReadonlyArray<infer B extends string> }
    ? B | (S extends { readonly stepUp: ReadonlyArray<infer U extends string> } ? U : never)
  : never

/**
 * The options of a resource.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The resource identifier. The scheme must be https, except on loopback. */
  readonly resource: string
  /** How requests for the resource reach the server. Default: the server receives them as the client sent them. */
  readonly address?: Omit<Address, "url"> | undefined
  /** The scopes that the server offers. */
  readonly scopes: Scopes
  /** Maps a scope to the scopes that it includes. Default: no scope includes another one. */
  readonly scopeHierarchy?: ScopeHierarchy.ScopeHierarchy | undefined
  /** Whether clients can or must bind tokens to a key (DPoP), and the algorithms of the proofs. Default: they cannot. */
  readonly dpop?: Published | undefined
  /** Whether callers can have roles, which a claim or a record of theirs contains. If it is missing, they can. */
  readonly hasRoles?: boolean | undefined
  /** The name that clients show to people (`resource_name`). Default: none. */
  readonly resourceName?: string | undefined
  /** The URL of a page for developers (`resource_documentation`). Default: none. */
  readonly resourceDocumentation?: string | undefined
}

/**
 * How requests for the URL of a resource reach the server. `PublicUrl` creates such values.
 *
 * @category models
 * @since 0.1.0
 */
export interface Address {
  /** The resource identifier. */
  readonly url: string
  /**
   * Returns the path of the public URL for a path that the server received. Returns `undefined` if no public URL has this path,
   * because the request did not come through the proxy.
   */
  readonly toPublicPath: (path: string) => string | undefined
  /** The URL of the metadata in challenges, and the path of the document on this server. Default: the well-known URL. */
  readonly metadata?: { readonly url: string; readonly path: string } | undefined
  /** Whether the URL may be http on a host that is not loopback. */
  readonly allowsHttp?: boolean | undefined
  /** A danger of the URL, which the gate logs when the server starts. */
  readonly warning?: string | undefined
}

/**
 * A checked resource, with the values that requests need.
 *
 * @category models
 * @since 0.1.0
 */
export interface ProtectedResource {
  /** The resource identifier, as configured. */
  readonly resource: string
  /** The origin of the resource, such as `https://todos.example.com`. */
  readonly origin: string
  readonly baseline: ReadonlyArray<string>
  readonly offered: ReadonlySet<string>
  readonly metadata: ProtectedResourceMetadata
  readonly metadataUrl: string
  /** The paths of the metadata on this server. The first one is the well-known path of the resource identifier. */
  readonly metadataPaths: readonly [string, ...ReadonlyArray<string>]
  readonly toPublicPath: Address["toPublicPath"]
  readonly dpop: Published
  readonly effectiveScopes: (granted: ReadonlySet<string>) => ReadonlySet<string>
  /** Whether callers can have roles. A policy that no caller can satisfy without roles is then an error. Default: `true`. */
  readonly hasRoles?: boolean | undefined
  readonly requestedScopes: RequestedScopes
}

/**
 * Returns the names under which clients request scopes from an authorization server. `issuer` is the issuer of the caller's
 * token. Before sign-in it is `undefined`, and the names are those of the first authorization server of the resource.
 *
 * @category models
 * @since 0.1.0
 */
export type RequestedScopes = (scopes: ReadonlyArray<string>, issuer: string | undefined) => ReadonlyArray<string>

/**
 * Checks and prepares a resource.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (
  options: Options,
  issuers: readonly [string, ...ReadonlyArray<string>],
  requestedScopes: RequestedScopes = (scopes) => scopes
): Result.Result<ProtectedResource, AuthConfigError> =>
  ConfigOption.attempt(() => {
    ConfigOption.check(options, "", table, "Give one with resource and scopes")
    const { address } = options
    const url = checkResource(options.resource, "resource", address?.allowsHttp)
    const { baseline, stepUp } = checkScopes(options.scopes)
    const hierarchy = checkHierarchy(options.scopeHierarchy ?? {})
    const { resourceDocumentation, resourceName } = options
    const requested = requestedScopes(baseline, undefined)
    const dpop = options.dpop ?? { mode: "off", algorithms: [] }
    const metadata: ProtectedResourceMetadata = {
      resource: options.resource,
      authorization_servers: [...issuers],
      ...(requested.length === 0 ? {} : { scopes_supported: requested }),
      bearer_methods_supported: ["header"],
      ...(dpop.mode === "off" ? {} : { dpop_signing_alg_values_supported: dpop.algorithms }),
      ...(dpop.mode === "required" ? { dpop_bound_access_tokens_required: true } : {}),
      ...(resourceName === undefined ? {} : { resource_name: resourceName }),
      ...(resourceDocumentation === undefined ? {} : { resource_documentation: resourceDocumentation })
    }
    return {
      resource: options.resource,
      origin: url.origin,
      baseline,
      offered: new Set([...baseline, ...stepUp]),
      metadata,
      metadataUrl: address?.metadata?.url ?? WellKnown.protectedResourceMetadata(url),
      metadataPaths: [
        WellKnown.protectedResourceMetadataPath(url),
        ...(address?.metadata === undefined ? [] : [address.metadata.path])
      ],
      toPublicPath: address?.toPublicPath ?? identity,
      dpop,
      effectiveScopes: ScopeHierarchy.compile(hierarchy),
      hasRoles: options.hasRoles,
      requestedScopes
    }
  })

/**
 * The members in which the resource of a tenant differs from the resource of the layer.
 *
 * @category models
 * @since 0.1.0
 */
export interface TenantOptions {
  readonly resource: string
  readonly issuers: readonly [string, ...ReadonlyArray<string>]
  readonly requestedScopes: RequestedScopes
}

/**
 * Makes the resource of a tenant. It is a copy of the resource of the layer, with the tenant's identifier, authorization
 * servers and scope names.
 *
 * @category constructors
 * @since 0.1.0
 */
export const ofTenant = (
  base: ProtectedResource,
  { issuers, requestedScopes, resource }: TenantOptions
): ProtectedResource => {
  const { scopes_supported: _, ...metadata } = base.metadata
  const requested = requestedScopes(base.baseline, undefined)
  const url = new URL(resource)
  return {
    ...base,
    resource,
    metadata: {
      ...metadata,
      resource,
      authorization_servers: issuers,
      ...(requested.length === 0 ? {} : { scopes_supported: requested })
    },
    ...(resource === base.resource ? undefined : {
      metadataUrl: WellKnown.protectedResourceMetadata(url),
      metadataPaths: [WellKnown.protectedResourceMetadataPath(url)] as const
    }),
    requestedScopes
  }
}

/**
 * Makes a resource whose challenges answer requests for an unknown tenant: the tenant is not cached, its look-up failed, or its
 * look-up found nothing. The challenges contain the URL of the tenant's metadata and no baseline scopes. Do not publish the
 * metadata of this resource, because it names the authorization servers of the layer.
 *
 * @category constructors
 * @since 0.1.0
 */
export const ofUnknownTenant = (base: ProtectedResource, resource: string): ProtectedResource =>
  ofTenant({ ...base, baseline: [] }, {
    resource,
    issuers: base.metadata.authorization_servers,
    requestedScopes: (scopes) => scopes
  })

/**
 * Checks a resource identifier. `option` is its path in errors. Throws `AuthConfigError`.
 *
 * @category guards
 * @since 0.1.0
 */
export const checkResource = (resource: unknown, option: string, allowsHttp = false): URL => {
  const url = UrlOption.check(resource, option, {
    allowsHttp,
    allowsQuery: false,
    advice: "Write the URL at which clients reach the server, such as https://todos.example.com/mcp",
    adviceOnHttp: "Write the https URL at which clients reach the server (in a closed network, see PublicUrl)",
    adviceOnParts: "Write it without user, query and fragment (RFC 8707 §2)"
  })
  const described = WellKnown.issuerOfMetadata(url)
  if (described !== undefined) {
    throw ConfigOption.error(
      option,
      `${
        UrlOption.describe(resource)
      } is the URL of a document. Write the value of "resource" in that document, which is usually ` +
        described
    )
  }
  if (url.hostname.includes("*")) throw ConfigOption.error(option, `${url.href} has * in its host. Write one host name`)
  if (url.pathname.includes("*")) throw ConfigOption.error(option, `${url.href} has * in its path. Remove it`)
  // Resources are compared as strings, so a resource that a URL parser would write differently never matches a token.
  const canonical = url.pathname === "/" ? [url.href, url.origin] : [url.href]
  if (canonical.includes(resource as string)) return url
  throw ConfigOption.error(option, `${resource} is not in canonical form. Write ${canonical.at(-1)}`)
}

const table: ConfigOption.Table<keyof Options> = {
  resource: true,
  address: true,
  scopes: true,
  hasRoles: true,
  scopeHierarchy: true,
  dpop: true,
  resourceDocumentation: ConfigOption.rule(
    (url) => typeof url === "string" && URL.canParse(url),
    "an absolute URL",
    "Write one such as https://example.com/docs"
  ),
  resourceName: ConfigOption.rule(Predicate.isString, "text", "Write a name for people, such as \"Todos\"")
}

const checkScopes = (scopes: unknown): { baseline: Array<string>; stepUp: Array<string> } => {
  const isList = Array.isArray(scopes) || !OptionValue.isObject(scopes)
  if (!isList) ConfigOption.check(scopes, "scopes", scopesTable)
  const { baseline, stepUp = [] } = (isList ? { baseline: scopes } : scopes) as {
    readonly baseline?: unknown
    readonly stepUp?: unknown
  }
  const checked = checkTokens(baseline, isList ? "scopes" : "scopes.baseline")
  if (checked.length === 0 && !isList) {
    throw ConfigOption.error(
      "scopes.baseline",
      "the list is empty; expected at least one scope that clients request at sign-in. Write one such as [\"todos:read\"], " +
        "or scopes: [] if any valid token is enough",
      "missing"
    )
  }
  return { baseline: checked, stepUp: checkTokens(stepUp, "scopes.stepUp") }
}

const scopesTable: ConfigOption.Table<"baseline" | "stepUp"> = { baseline: true, stepUp: true }

const checkTokens = (scopes: unknown, option: string): Array<string> => {
  checkScopeList(scopes, option)
  const tokens = scopes as ReadonlyArray<string>
  if (tokens.includes("offline_access")) {
    throw ConfigOption.error(
      option,
      "offline_access is not a scope of a resource. Remove it: clients request it from the authorization server"
    )
  }
  return [...new Set(tokens)]
}

const checkHierarchy = (hierarchy: ScopeHierarchy.ScopeHierarchy): ScopeHierarchy.ScopeHierarchy => {
  for (const [scope, implied] of Object.entries(hierarchy)) {
    checkTokens([scope], "scopeHierarchy")
    checkTokens(implied, `scopeHierarchy["${scope}"]`)
  }
  return hierarchy
}
