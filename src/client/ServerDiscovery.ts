import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as AddressGuard from "../outbound/AddressGuard.ts"
import type { Discovery, Source } from "../outbound/Discovery.ts"
import type { Fetcher } from "../outbound/Fetcher.ts"
import { type DocumentError, fetchDocument } from "../outbound/JsonDocument.ts"
import type { AuthorizationServerMetadata } from "../protocol/AuthorizationServerMetadata.ts"
import * as HttpUri from "../protocol/HttpUri.ts"
import * as ResourceMetadata from "../protocol/ProtectedResourceMetadata.ts"
import * as ResourceIdentifier from "../protocol/ResourceIdentifier.ts"
import * as WellKnown from "../protocol/WellKnown.ts"
import { type Attempt, type ClientError, DiscoveryError, Mismatch, Unavailable } from "./ClientError.ts"

/* Finds the authorization server of an MCP server, from the MCP server's metadata (RFC 9728). */

/** An MCP server, and one of its authorization servers. */
export interface Found {
  /** The resource identifier, as the metadata write it. */
  readonly resource: string
  readonly issuer: string
  readonly server: AuthorizationServerMetadata
  readonly scopesSupported: ReadonlyArray<string> | undefined
  /** The source of the authorization server or of its endpoints. Default: the metadata of the MCP server. */
  readonly by?: "origin-metadata" | "default-endpoints"
}

/** The authorization servers to which a client may send its credentials. The first one that the MCP server names is used. */
export type AllowedIssuers = readonly [string, ...ReadonlyArray<string>] | "any"

/**
 * Finds the authorization server of a resource. `challengeUrl` is the metadata URL in the challenge of the MCP server. `stored` is
 * the issuer of the stored token. If the MCP server still names it among others, the client stays with it.
 */
export type Discover = (
  challengeUrl: string | undefined,
  stored: string | undefined
) => Effect.Effect<Found, ClientError>

/** The largest document of metadata, in bytes. Unknown parties name the servers. Known documents have at most 8 KiB. */
export const maximumBytes = 64 * 1024

/** Describes an authorization server for discovery. */
export const sourceOf = (issuer: string): Source => ({
  issuer,
  metadataUrls: WellKnown.authorizationServerMetadata(new URL(issuer)),
  metadata: undefined,
  allowInsecureHttp: false,
  allowPrivateEndpoints: false,
  maximumBytes
})

/** Fetches the metadata of an authorization server that has a token endpoint. */
export const fetchServer = (
  discovery: Discovery["Service"],
  source: Source,
  trail: ReadonlyArray<Attempt>
): Effect.Effect<AuthorizationServerMetadata, ClientError> =>
  Effect.mapError(
    discovery.metadata(source, "token_endpoint"),
    (error): ClientError =>
      error._tag === "AuthorizationServerUnavailable"
        ? new Unavailable({ detail: error.message, retryAfter: error.retryAfter })
        : new DiscoveryError({ detail: error.message, trail })
  )

/** The authorization servers of a client. `Discovery` caches metadata by the objects that it returns. */
export interface Sources {
  readonly sourceFor: (issuer: string) => Source
}

/** The number of authorization servers whose metadata are cached. */
const maximumSources = 64

/** Creates the authorization servers of a client. Clients with many resources share them. */
export const makeSources = (): Sources => {
  const sources = new Map<string, Source>()
  return {
    sourceFor: (issuer) => {
      const known = sources.get(issuer)
      if (known !== undefined) return known
      const source = sourceOf(issuer)
      if (sources.size >= maximumSources) sources.clear()
      sources.set(issuer, source)
      return source
    }
  }
}

/** Creates the function for one resource. */
export const make = (
  fetcher: Fetcher["Service"],
  discovery: Discovery["Service"],
  resource: URL,
  allowed: AllowedIssuers,
  { sourceFor }: Sources = makeSources()
): Discover =>
  Effect.fnUntraced(function*(challengeUrl, stored) {
    const trail: Array<Attempt> = []
    const metadata = yield* findResource(fetcher, resource, challengeUrl, trail)
    const issuer = yield* selectIssuer(metadata.authorization_servers, allowed, stored, trail)
    if (allowed === "any") yield* checkIssuer(issuer, resource, trail)
    const server = yield* fetchServer(discovery, sourceFor(issuer), trail)
    return { resource: metadata.resource, issuer, server, scopesSupported: metadata.scopes_supported }
  })

/** Returns the URLs at which the metadata of a resource can be, in the order of the MCP specification. */
const metadataUrls = (resource: URL, challengeUrl: string | undefined): ReadonlyArray<string> => {
  // A server must not direct the client to documents of other servers, which it could attack or impersonate in this way.
  const isOwn = challengeUrl !== undefined && URL.canParse(challengeUrl) &&
    new URL(challengeUrl).origin === resource.origin
  const root = `${resource.origin}${WellKnown.protectedResourceMetadataRoot}`
  return [...new Set([...(isOwn ? [challengeUrl] : []), WellKnown.protectedResourceMetadata(resource), root])]
}

const findResource = Effect.fnUntraced(function*(
  fetcher: Fetcher["Service"],
  resource: URL,
  challengeUrl: string | undefined,
  trail: Array<Attempt>
): Effect.fn.Return<ResourceMetadata.ProtectedResourceMetadata, ClientError> {
  let outage: DocumentError | undefined
  for (const url of metadataUrls(resource, challengeUrl)) {
    const document = yield* Effect.result(
      fetchDocument(fetcher, url, { issuer: resource.href, allowInsecureHttp: false, maximumBytes })
    )
    if (Result.isFailure(document)) {
      if (document.failure._tag === "AuthorizationServerUnavailable") outage = document.failure
      trail.push({ url, result: document.failure.message })
      continue
    }
    const decoded = ResourceMetadata.decode(document.success.json)
    if (Result.isFailure(decoded)) {
      trail.push({ url, result: `is not metadata of a protected resource: ${decoded.failure}` })
      continue
    }
    const metadata = decoded.success
    // A document for another resource ends the search: a token for that resource must not be sent here.
    if (!covers(metadata.resource, resource)) {
      return yield* new Mismatch({ what: "resource", expected: resource.href, found: metadata.resource })
    }
    return metadata
  }
  return yield* outage?._tag === "AuthorizationServerUnavailable"
    ? new Unavailable({ detail: outage.message, retryAfter: outage.retryAfter })
    : new DiscoveryError({
      detail: `No metadata of the MCP server ${resource.href} was found, so its authorization server is unknown`,
      trail
    })
})

/** Tells whether a resource identifier denotes the URL of a server, or a part of that server which contains the URL. */
const covers = (identifier: string, url: URL): boolean => {
  if (ResourceIdentifier.isSame(identifier, url.href)) return true
  const parsed = HttpUri.parse(identifier)
  if (Result.isFailure(parsed) || parsed.success.origin !== url.origin) return false
  const { pathname } = parsed.success
  return pathname === url.pathname || url.pathname.startsWith(pathname.endsWith("/") ? pathname : `${pathname}/`)
}

const selectIssuer = (
  named: ReadonlyArray<string>,
  allowed: AllowedIssuers,
  stored: string | undefined,
  trail: ReadonlyArray<Attempt>
): Effect.Effect<string, ClientError> => {
  if (stored !== undefined && named.includes(stored) && (allowed === "any" || allowed.includes(stored))) {
    return Effect.succeed(stored)
  }
  if (allowed !== "any") {
    // In the order of the author. The order of the document would let the MCP server choose.
    const issuer = allowed.find((each) => named.includes(each))
    return issuer === undefined
      ? Effect.fail(new Mismatch({ what: "issuer", expected: allowed.join(" or "), found: named.join(", ") }))
      : Effect.succeed(issuer)
  }
  return named.length === 1
    ? Effect.succeed(named[0]!)
    : Effect.fail(
      new DiscoveryError({
        detail: `The MCP server names several authorization servers: ${
          named.join(", ")
        }. Name one of them as the issuer`,
        trail
      })
    )
}

/** Checks an issuer that only the MCP server names. */
const checkIssuer = Effect.fnUntraced(function*(
  issuer: string,
  resource: URL,
  trail: ReadonlyArray<Attempt>
): Effect.fn.Return<void, ClientError> {
  const reject = (why: string) =>
    new DiscoveryError({ detail: `The MCP server names the authorization server ${issuer}, which ${why}`, trail })
  const parsed = HttpUri.parse(issuer)
  if (Result.isFailure(parsed)) return yield* reject(parsed.failure)
  if (!HttpUri.isSecure(parsed.success)) return yield* reject("is not https")
  if (parsed.success.hostname === resource.hostname) return
  // A public MCP server must not direct requests to machines in the network of the client (RFC 9728 §7.7).
  const reach = yield* AddressGuard.reach(parsed.success.hostname)
  if (reach !== "public" && (yield* AddressGuard.reach(resource.hostname)) === "public") {
    return yield* reject("is not on a public address")
  }
})
