/**
 * What this server says about itself: its identifier, its metadata document (RFC 9728), the scopes it offers.
 *
 * @since 0.1.0
 */
import * as Result from "effect/Result"
import { AuthConfigError } from "../protocol/AuthError.ts"
import * as HttpUri from "../protocol/HttpUri.ts"
import * as OptionValue from "../protocol/OptionValue.ts"
import type { ProtectedResourceMetadata } from "../protocol/ProtectedResourceMetadata.ts"
import * as ScopeToken from "../protocol/ScopeToken.ts"
import * as WellKnown from "../protocol/WellKnown.ts"
import type { Published } from "../verification/tokens/Presentation.ts"
import * as ScopeHierarchy from "./ScopeHierarchy.ts"

/**
 * The scopes that a server offers.
 *
 * **Details**
 *
 * A plain list is asked for at sign-in as a whole. With `baseline` and `stepUp` a 401 and the metadata name the baseline
 * only; the rest is asked for by a 403 when an operation needs it.
 *
 * @category models
 * @since 0.1.0
 */
export type Scopes =
  | readonly [string, ...ReadonlyArray<string>]
  | {
    readonly baseline: readonly [string, ...ReadonlyArray<string>]
    readonly stepUp?: ReadonlyArray<string> | undefined
  }

/**
 * The union of the scopes offered.
 *
 * @category utility types
 * @since 0.1.0
 */
export type OfferedOf<S extends Scopes> = S extends ReadonlyArray<string> ? S[number]
  : S extends { readonly baseline: ReadonlyArray<infer B extends string> }
    ? B | (S extends { readonly stepUp: ReadonlyArray<infer U extends string> } ? U : never)
  : never

/**
 * What can be configured.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly resource: string
  readonly scopes: Scopes
  readonly scopeHierarchy?: ScopeHierarchy.ScopeHierarchy | undefined
  /** Whether clients may, or must, bind their tokens to a key, and what they may prove it with. Default: they cannot. */
  readonly dpop?: Published | undefined
  readonly resourceName?: string | undefined
  readonly resourceDocumentation?: string | undefined
}

/**
 * A resource, checked, with everything prepared that a request could ask for.
 *
 * @category models
 * @since 0.1.0
 */
export interface ProtectedResource {
  /** The resource identifier, as configured. */
  readonly resource: string
  /** Its origin, such as `https://todos.example.com`. */
  readonly origin: string
  readonly baseline: ReadonlyArray<string>
  readonly offered: ReadonlySet<string>
  readonly metadata: ProtectedResourceMetadata
  readonly metadataUrl: string
  /** The path of the metadata on this server. */
  readonly metadataPath: string
  readonly dpop: Published
  readonly effectiveScopes: (granted: ReadonlySet<string>) => ReadonlySet<string>
  readonly requestedScopes: RequestedScopes
}

/**
 * The names under which clients request scopes: at the authorization server that issued the token, or, before sign-in, at
 * the first authorization server.
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
  Result.gen(function*() {
    const url = yield* checkResource(options.resource)
    const { baseline, stepUp } = yield* checkScopes(options.scopes)
    const hierarchy = yield* checkHierarchy(options.scopeHierarchy ?? {})
    yield* checkDocumentation(options)
    const requested = requestedScopes(baseline, undefined)
    const dpop = options.dpop ?? { mode: "off", algorithms: [] }
    const metadata: ProtectedResourceMetadata = {
      resource: options.resource,
      authorization_servers: [...issuers],
      ...(requested.length === 0 ? {} : { scopes_supported: requested }),
      bearer_methods_supported: ["header"],
      ...(dpop.mode === "off" ? {} : { dpop_signing_alg_values_supported: dpop.algorithms }),
      ...(dpop.mode === "required" ? { dpop_bound_access_tokens_required: true } : {}),
      ...(options.resourceName === undefined ? {} : { resource_name: options.resourceName }),
      ...(options.resourceDocumentation === undefined
        ? {}
        : { resource_documentation: options.resourceDocumentation })
    }
    return {
      resource: options.resource,
      origin: url.origin,
      baseline,
      offered: new Set([...baseline, ...stepUp]),
      metadata,
      metadataUrl: WellKnown.protectedResourceMetadata(url),
      metadataPath: WellKnown.protectedResourceMetadataPath(url),
      dpop,
      effectiveScopes: ScopeHierarchy.compile(hierarchy),
      requestedScopes
    }
  })

/**
 * The members in which a tenant's resource differs.
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
 * The resource of a tenant: as the layer's own, with the identifier, the authorization servers and the names of scopes of
 * the tenant.
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
    metadataUrl: WellKnown.protectedResourceMetadata(url),
    metadataPath: WellKnown.protectedResourceMetadataPath(url),
    requestedScopes
  }
}

/**
 * The resource of a tenant that was not looked up, for challenges: they say where its metadata would be, and name no scopes
 * of their own. Not to be published.
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

const checkResource = (resource: unknown): Result.Result<URL, AuthConfigError> => {
  const fail = (reason: AuthConfigError["reason"], fix: string) =>
    Result.fail(new AuthConfigError({ reason, option: "resource", fix }))
  if (typeof resource !== "string" || !URL.canParse(resource)) {
    return fail(
      "malformed",
      `${OptionValue.isNot(resource, "an absolute URL")}. Write the URL at which clients reach the server, such as ` +
        "https://todos.example.com/mcp"
    )
  }
  const url = new URL(resource)
  if (!HttpUri.isSecure(url)) {
    return fail(
      "insecure",
      `${
        resource.includes("@") ? "the URL" : resource
      } must be https; plain http is accepted on loopback only (RFC 9728 ` +
        "§1.2). Write the https URL at which clients reach the server"
    )
  }
  const parsed = HttpUri.parse(resource)
  if (Result.isFailure(parsed) && /[?#@]/.test(resource)) {
    return fail("malformed", `the URL ${parsed.failure} (RFC 8707 §2). Write it without user, query and fragment`)
  }
  if (url.pathname.includes("*")) return fail("malformed", `${resource} has * in its path. Remove it`)
  // Resources are compared as strings: one that a URL parser would write differently never matches a token.
  const canonical = url.pathname === "/" ? [url.href, url.origin] : [url.href]
  return canonical.includes(resource)
    ? Result.succeed(url)
    : fail("malformed", `${resource} is not in canonical form. Write ${canonical.at(-1)}`)
}

const checkDocumentation = (
  { resourceDocumentation, resourceName }: Pick<Options, "resourceDocumentation" | "resourceName">
): Result.Result<void, AuthConfigError> => {
  const fail = (option: string, fix: string) => Result.fail(new AuthConfigError({ reason: "malformed", option, fix }))
  if (resourceName !== undefined && typeof resourceName !== "string") {
    return fail("resourceName", `${OptionValue.isNot(resourceName, "text")}. Write a name for people, such as "Todos"`)
  }
  return resourceDocumentation === undefined ||
      (typeof resourceDocumentation === "string" && URL.canParse(resourceDocumentation))
    ? Result.succeed(undefined)
    : fail(
      "resourceDocumentation",
      `${OptionValue.isNot(resourceDocumentation, "an absolute URL")}. Write one such as https://example.com/docs`
    )
}

const checkScopes = (
  scopes: unknown
): Result.Result<{ baseline: Array<string>; stepUp: Array<string> }, AuthConfigError> =>
  Result.gen(function*() {
    if (typeof scopes !== "object" || scopes === null) yield* checkTokens(scopes, "scopes")
    const parts: { readonly baseline?: unknown; readonly stepUp?: unknown } = Array.isArray(scopes)
      ? { baseline: scopes }
      : scopes as object
    const unknown = Object.keys(parts).find((name) => name !== "baseline" && name !== "stepUp")
    if (unknown !== undefined) {
      return yield* Result.fail(
        new AuthConfigError({
          reason: "malformed",
          option: `scopes.${unknown}`,
          fix: OptionValue.noSuchOption(["baseline", "stepUp"])
        })
      )
    }
    const baseline = yield* checkTokens(parts.baseline, Array.isArray(scopes) ? "scopes" : "scopes.baseline")
    const stepUp = yield* checkTokens(parts.stepUp ?? [], "scopes.stepUp")
    if (baseline.length === 0) {
      return yield* Result.fail(
        new AuthConfigError({
          reason: "missing",
          option: Array.isArray(scopes) ? "scopes" : "scopes.baseline",
          fix: "the list is empty; expected at least one scope that clients request at sign-in. Write one such as " +
            "[\"todos:read\"]"
        })
      )
    }
    return { baseline, stepUp }
  })

const checkTokens = (scopes: unknown, option: string): Result.Result<Array<string>, AuthConfigError> => {
  const fail = (fix: string) => Result.fail(new AuthConfigError({ reason: "malformed", option, fix }))
  if (!Array.isArray(scopes)) {
    return fail(`${OptionValue.isNot(scopes, "a list of scopes")}. Write one such as ["todos:read"]`)
  }
  const foreign = scopes.findIndex((_) => typeof _ !== "string" || !ScopeToken.isScopeToken(_))
  if (foreign !== -1) {
    return fail(
      `${
        OptionValue.describe(scopes[foreign])
      } is not a scope. Write one scope per entry, in ASCII without space, quote and ` +
        "backslash"
    )
  }
  if (scopes.includes("offline_access")) {
    return fail(
      "offline_access is not a scope of a resource. Remove it: clients request it from the authorization server"
    )
  }
  return Result.succeed([...new Set<string>(scopes)])
}

const checkHierarchy = (
  hierarchy: ScopeHierarchy.ScopeHierarchy
): Result.Result<ScopeHierarchy.ScopeHierarchy, AuthConfigError> =>
  Result.gen(function*() {
    for (const [scope, implied] of Object.entries(hierarchy)) {
      yield* checkTokens([scope], "scopeHierarchy")
      yield* checkTokens(implied, `scopeHierarchy["${scope}"]`)
    }
    return hierarchy
  })
