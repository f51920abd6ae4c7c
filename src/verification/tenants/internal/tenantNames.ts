import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as base64url from "../../../crypto/Base64Url.ts"
import * as compactJws from "../../../crypto/CompactJws.ts"
import type { InvalidToken } from "../../../protocol/AuthError.ts"
import * as ConfigOption from "../../../protocol/ConfigOption.ts"
import * as OptionValue from "../../../protocol/OptionValue.ts"
import * as WellKnown from "../../../protocol/WellKnown.ts"
import * as Claims from "../../claims/Claims.ts"
import type { PublishedAt } from "../../tokens/Presentation.ts"
import { isJwt, type PresentedRequest } from "../../TokenVerifier.ts"

/* Reads the tenant that a request names, and computes the resource of a tenant. */

/** Describes where a request names its tenant. */
export type TenantId =
  | { readonly _tag: "Route"; readonly pattern: string }
  | { readonly _tag: "Path"; readonly pattern: string }
  | { readonly _tag: "Header"; readonly name: string }
  | { readonly _tag: "Claim"; readonly name: string }

/** `Malformed` is an invalid name, or a path that does not match the pattern. It is rejected, and never counts as absent. */
export type Named =
  | { readonly _tag: "Tenant"; readonly name: string }
  | { readonly _tag: "Absent" }
  | { readonly _tag: "Malformed" }

export interface TenantNames {
  /** Returns the tenant that a request with this token names. */
  readonly ofRequest: (token: Redacted.Redacted, request: PresentedRequest | undefined) => Named
  /** Returns the tenant that a request without a token names. With `fromClaim`, such a request names no tenant. */
  readonly ofUnauthenticated: (request: PresentedRequest) => Named
  /** Returns the tenant whose protected resource metadata is at a path, or `undefined` if tenants have no metadata there. */
  readonly ofMetadataPath: (path: string, request: PresentedRequest) => Named | undefined
  /** Returns the resource identifier of a tenant. */
  readonly resourceOf: (tenant: string) => string
  /** The pattern of the metadata paths, if the path of a request names its tenant. */
  readonly metadataPattern: MetadataPattern | undefined
  /** The name of the header that selects the metadata, in lower case. `undefined` if no header selects it. */
  readonly vary: string | undefined
}

/** The resource of the layer: its identifier, its public paths, and the paths and the URL of its metadata. */
export interface PublishedResource extends Pick<PublishedAt, "resource"> {
  readonly toPublicPath: NonNullable<PublishedAt["toPublicPath"]>
  readonly metadataPaths: ReadonlyArray<string>
  readonly metadataUrl: string
}

/** A path with one variable segment. */
export interface MetadataPattern {
  readonly before: string
  readonly parameter: string
  readonly after: string
}

const absent: Named = { _tag: "Absent" }
const malformed: Named = { _tag: "Malformed" }

const maximumLength = 256

const named = (value: unknown, grammar: RegExp): Named =>
  typeof value === "string" && value.length <= maximumLength && grammar.test(value)
    ? { _tag: "Tenant", name: value }
    : malformed

// Visible ASCII without the comma, because several header lines with one name are joined with commas.
const inHeader = /^[\x21-\x2b\x2d-\x7e]+$/
const inClaim = /^[\x21-\x7e]+$/
// Unreserved characters (RFC 3986 §2.3), which have only one spelling. `.` and `..` have a special meaning in paths.
const inPath = /^(?!\.{1,2}$)[A-Za-z0-9\-._~]+$/

/** Creates the functions that read and use names. Throws `AuthConfigError` if the header, claim or pattern is invalid. */
export const make = (id: TenantId, resource: PublishedResource): TenantNames => {
  switch (id?._tag) {
    case "Header":
      return inHeaders(id.name, resource)
    case "Claim":
      return inClaims(id.name, resource.resource)
    case "Path":
    case "Route":
      return inPaths(id, resource)
    default:
      throw ConfigOption.invalid(
        "tenants",
        id,
        "a source of tenant names",
        "Call Tenants.fromRoute, fromPath, fromHeader or fromClaim, such as Tenants.fromPath(\"/t/:tenant/mcp\")"
      )
  }
}

const inHeaders = (header: unknown, { metadataPaths, resource }: PublishedResource): TenantNames => {
  if (typeof header !== "string" || !/^[a-z0-9-]+$/i.test(header)) {
    throw ConfigOption.invalid("tenants", header, "a header name", "Write one such as Tenants.fromHeader(\"x-tenant\")")
  }
  const name = header.toLowerCase()
  const ofUnauthenticated = (request: PresentedRequest | undefined) => {
    const value = request?.header(name)
    return value === undefined ? absent : named(value, inHeader)
  }
  return {
    ofRequest: (_, request) => ofUnauthenticated(request),
    ofUnauthenticated,
    ofMetadataPath: (path, request) =>
      metadataPaths.includes(path) || path === WellKnown.protectedResourceMetadataRoot
        ? ofUnauthenticated(request)
        : undefined,
    resourceOf: () => resource,
    metadataPattern: undefined,
    vary: name
  }
}

const inClaims = (claim: unknown, resource: string): TenantNames => {
  if (typeof claim !== "string" || claim === "") {
    throw ConfigOption.invalid("tenants", claim, "a claim name", "Write one such as Tenants.fromClaim(\"tid\")")
  }
  return {
    ofRequest: (token) => {
      const text = Redacted.value(token)
      if (!isJwt(text)) return absent
      const claims = text.length > maximumToken ? undefined : base64url.decodeJsonObject(text.split(".", 2)[1]!)
      if (claims === undefined) return malformed
      return Object.hasOwn(claims, claim) ? named(claims[claim], inClaim) : absent
    },
    ofUnauthenticated: () => absent,
    ofMetadataPath: () => undefined,
    resourceOf: () => resource,
    metadataPattern: undefined,
    vary: undefined
  }
}

const maximumToken = 16 * 1024

const inPaths = (
  id: Extract<TenantId, { readonly _tag: "Path" | "Route" }>,
  { metadataUrl, resource, toPublicPath }: PublishedResource
): TenantNames => {
  const pattern = parsePattern(id.pattern)
  if (pattern === undefined) {
    throw ConfigOption.invalid(
      "tenants",
      id.pattern,
      "a path with one parameter",
      "Write one such as /t/:tenant/mcp, with letters, digits and - . _ ~ in all other segments"
    )
  }
  const url = new URL(resource)
  if (metadataUrl !== WellKnown.protectedResourceMetadata(url)) {
    throw ConfigOption.error(
      "tenants",
      "each tenant in a path has separate metadata, so metadataUrl of the resource cannot name one document for all. Remove " +
        "metadataUrl, and let the proxy forward /.well-known/oauth-protected-resource/",
      "conflict"
    )
  }
  const { after, before, parameter } = pattern
  // The path must match exactly, because the gate cannot know how a router interprets other spellings.
  const ofPath = (path: string): Named =>
    path.length <= before.length + maximumLength + after.length && path.startsWith(before) && path.endsWith(after)
      ? named(path.slice(before.length, path.length - after.length), inPath)
      : malformed
  if (ofPath(url.pathname)._tag === "Tenant") {
    throw ConfigOption.error(
      "tenants",
      `${resource} matches the pattern ${id.pattern} and would be the resource of a tenant. Change resource or the pattern`,
      "conflict"
    )
  }
  const root = WellKnown.protectedResourceMetadataRoot
  const ofUnauthenticated = (request: PresentedRequest | undefined): Named => {
    const path = request?.path === undefined ? undefined : toPublicPath(request.path)
    const parameterValue = OptionValue.ignoreFailure(request?.routeParameter?.(parameter))
    if (parameterValue !== undefined && typeof parameterValue !== "string") {
      throw ConfigOption.invalid(
        "tenant",
        parameterValue,
        "the name of a tenant or undefined, as the function must return",
        "Return the name itself. If it has to be looked up, look it up in authorizationServers of tenants"
      )
    }
    if (parameterValue === undefined && path === url.pathname) return absent
    if (id._tag === "Route") return named(parameterValue, inPath)
    const found = path === undefined ? malformed : ofPath(path)
    // The handler may read the tenant from the parameter of the router, so the parameter must name the tenant that the gate
    // checks.
    return found._tag === "Tenant" && parameterValue !== undefined && parameterValue !== found.name ? malformed : found
  }
  return {
    ofRequest: (_, request) => ofUnauthenticated(request),
    ofUnauthenticated,
    ofMetadataPath: (path) => {
      const found = path.startsWith(root) ? ofPath(path.slice(root.length)) : malformed
      return found._tag === "Tenant" ? found : undefined
    },
    resourceOf: (tenant) => `${url.origin}${before}${tenant}${after}`,
    metadataPattern: { before: root + before, parameter, after },
    vary: undefined
  }
}

const parsePattern = (pattern: unknown): MetadataPattern | undefined => {
  const [first, ...segments] = typeof pattern === "string" ? pattern.split("/") : []
  const index = segments.findIndex((_) => _.startsWith(":"))
  const parameter = segments[index]?.slice(1)
  if (first !== "" || parameter === undefined || !/^[A-Za-z_]\w*$/.test(parameter)) return undefined
  const others = segments.filter((_, at) => at !== index)
  if (!others.every((_) => inPath.test(_))) return undefined
  const joined = (part: ReadonlyArray<string>) => part.map((_) => `/${_}`).join("")
  return { before: `${joined(segments.slice(0, index))}/`, parameter, after: joined(segments.slice(index + 1)) }
}

/**
 * Checks the format, the algorithm and the times of a token, and that it has an issuer. The check runs before the look-up of
 * the tenant in a claim of the token. This avoids look-ups for tokens that would be rejected in any case.
 */
export const checkBeforeLookUp = (
  token: Redacted.Redacted,
  now: number,
  tolerance: Claims.Tolerance
): Result.Result<void, InvalidToken> => {
  const jws = compactJws.decode(Redacted.value(token))
  if (jws === undefined || jws.signature === "") return Claims.reject("malformed")
  const { claims, header } = jws
  const algorithm = Claims.own(header, "alg")
  if (typeof algorithm !== "string" || algorithm.toLowerCase() === "none") return Claims.reject("algorithm")
  if (typeof Claims.own(claims, "iss") !== "string") return Claims.reject("unknown-issuer")
  return Result.map(Claims.checkTimes(claims, now, tolerance), () => undefined)
}
