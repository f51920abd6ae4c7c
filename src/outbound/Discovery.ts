/**
 * Fetches the metadata of an issuer (RFC 8414 §3, OpenID Connect Discovery §4), in the order of the MCP specification.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import { AuthorizationServerUnavailable, InvalidMetadata } from "../protocol/AuthError.ts"
import * as Metadata from "../protocol/AuthorizationServerMetadata.ts"
import * as HttpUri from "../protocol/HttpUri.ts"
import { sanitize, sanitizeUrl } from "../protocol/RemoteText.ts"
import * as AddressGuard from "./AddressGuard.ts"
import { Fetcher } from "./Fetcher.ts"
import { type DocumentError, fetchDocument } from "./JsonDocument.ts"
import * as RefreshedDocument from "./RefreshedDocument.ts"
import { withTimeLimit } from "./TimeLimit.ts"

/**
 * Names the metadata member that a caller needs.
 *
 * @category models
 * @since 0.1.0
 */
export type Needed =
  | "jwks_uri"
  | "introspection_endpoint"
  | "authorization_endpoint"
  | "token_endpoint"
  | "userinfo_endpoint"
  | "revocation_endpoint"

/**
 * Describes an authorization server for discovery. The cache is keyed by this object, so keep the object for as long as you
 * use the authorization server.
 *
 * @category models
 * @since 0.1.0
 */
export interface Source {
  readonly issuer: string
  /** The URLs of its metadata, tried in this order. Empty if `metadata` is set. */
  readonly metadataUrls: ReadonlyArray<string>
  /** Its metadata. If set, nothing is fetched. */
  readonly metadata: Metadata.AuthorizationServerMetadata | undefined
  readonly allowInsecureHttp: boolean
  readonly allowPrivateEndpoints: boolean
  /** The largest document of metadata that is read, in bytes. Default: 1 MiB. */
  readonly maximumBytes?: number | undefined
}

/**
 * Fetches and caches the metadata of the configured authorization servers.
 *
 * **Details**
 *
 * Concurrent fetches of a document are coalesced. A document is refreshed in the background, and stays in use during an outage
 * (see `Freshness`). If a response is unusable (not 200, not JSON, not metadata, another issuer, or the needed member missing,
 * insecure or on a private address), the next URL is tried. If no URL has a usable document, the effect fails with
 * `AuthorizationServerUnavailable` if at least one URL is unavailable, and otherwise with `InvalidMetadata`. All URLs together
 * are tried for at most 8 seconds.
 *
 * @category services
 * @since 0.1.0
 */
export class Discovery extends Context.Service<Discovery, {
  readonly metadata: (
    server: Source,
    needed: Needed
  ) => Effect.Effect<Metadata.AuthorizationServerMetadata, AuthorizationServerUnavailable | InvalidMetadata>
}>()("effect-mcp-auth/Discovery") {}

const lookUp = (
  fetcher: Fetcher["Service"],
  server: Source,
  needed: Needed
): Effect.Effect<RefreshedDocument.Fetched<Metadata.AuthorizationServerMetadata>, DocumentError> =>
  Effect.gen(function*() {
    const errors: Array<DocumentError> = []
    for (const url of server.metadataUrls) {
      const found = yield* fetchDocument(fetcher, url, server).pipe(
        Effect.flatMap((document) =>
          Effect.fromResult(checkMetadata(server, needed, url, document.json)).pipe(
            Effect.tap((metadata) => checkEndpointHost(server, needed, url, metadata)),
            Effect.map((value) => ({ value, maxAge: document.maxAge }))
          )
        ),
        Effect.catch((error) => {
          errors.push(error)
          return Effect.undefined
        })
      )
      if (found !== undefined) return found
    }
    // Reports an outage first, because the unavailable URL may be the correct one. Of the other errors, a wrong status such as
    // 404 helps least.
    return yield* Effect.fail(
      errors.find((_) => _._tag === "AuthorizationServerUnavailable") ??
        errors.find((_) => _.reason !== "status") ??
        errors[0]!
    )
  }).pipe(withTimeLimit("8 seconds", server.issuer))

const checkMetadata = (
  server: Source,
  needed: Needed,
  url: string,
  json: unknown
): Result.Result<Metadata.AuthorizationServerMetadata, InvalidMetadata> => {
  const fail = (reason: InvalidMetadata["reason"], detail: string) =>
    Result.fail(new InvalidMetadata({ reason, issuer: server.issuer, detail: `${sanitizeUrl(url)} ${detail}` }))
  const decoded = Metadata.decode(json)
  if (Result.isFailure(decoded)) return fail("not-metadata", "is not authorization server metadata")
  const metadata = decoded.success
  if (metadata.issuer !== server.issuer) {
    return fail(
      "wrong-issuer",
      `names the issuer ${sanitize(metadata.issuer)}. If this issuer is correct, set it as the issuer`
    )
  }
  const location = metadata[needed]
  if (location === undefined) return fail("missing-member", `has no ${needed}`)
  // Checked before the document is cached, because a document with an unusable URL must not be kept.
  const parsed = HttpUri.parse(location, { query: true })
  if (Result.isFailure(parsed)) {
    return fail("insecure-url", `names ${sanitizeUrl(location)} as ${needed}, which ${sanitize(parsed.failure)}`)
  }
  const target = parsed.success
  return HttpUri.isSecure(target) || (server.allowInsecureHttp && target.protocol === "http:")
    ? Result.succeed(metadata)
    : fail("insecure-url", `names ${sanitizeUrl(location)} as ${needed}, which is not https`)
}

/**
 * Rejects a document that was fetched from a public host and names an endpoint on a loopback or private address (RFC 9728
 * §7.7): such a document could direct requests to any machine in this network. If the host name of the endpoint is not resolved
 * in time, the document is rejected as unavailable, because the addresses of the endpoint are unknown. But if the host name of
 * the document is not resolved in time either, the document is accepted, because then only a proxy resolves names.
 */
const checkEndpointHost = (
  server: Source,
  needed: Needed,
  url: string,
  metadata: Metadata.AuthorizationServerMetadata
): Effect.Effect<void, DocumentError> => {
  const source = new URL(url).hostname
  const { host, hostname } = new URL(metadata[needed]!)
  if (server.allowPrivateEndpoints || hostname === source) return Effect.void
  const { issuer } = server
  return Effect.flatMap(AddressGuard.reach(hostname), (reach) =>
    reach === "public" ? Effect.void : Effect.flatMap(
      AddressGuard.reach(source),
      (reachOfSource): Effect.Effect<void, DocumentError> => {
        // A server in a private network may name other private hosts.
        if (reachOfSource === "private") return Effect.void
        if (reach === "unknown") {
          return reachOfSource === "unknown"
            ? Effect.void
            : Effect.fail(new AuthorizationServerUnavailable({ reason: "timeout", issuer, retryAfter: 1 }))
        }
        return Effect.fail(
          new InvalidMetadata({
            reason: "private-address",
            issuer,
            detail:
              `${sanitizeUrl(url)} names ${
                sanitize(host)
              } as the host of its ${needed}, which is a loopback or private ` +
              "address; if that is intended, set [AuthLayer.allowPrivateEndpoints]: true on this server"
          })
        )
      }
    ))
}

/**
 * Creates the service. It fetches metadata with the `Fetcher`, and caches it until the scope closes.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make: Effect.Effect<Discovery["Service"], never, Fetcher | Scope.Scope> = Effect.gen(
  function*() {
    const fetcher = yield* Fetcher
    const remote = yield* RefreshedDocument.factory
    // Weak, because a client has authorization servers that MCP servers name, and evicts them.
    const documents = new WeakMap<
      Source,
      Map<Needed, RefreshedDocument.RefreshedDocument<Metadata.AuthorizationServerMetadata>>
    >()
    return Discovery.of({
      metadata: (server, needed) => {
        if (server.metadata !== undefined) {
          return server.metadata[needed] === undefined
            ? Effect.fail(
              new InvalidMetadata({
                reason: "missing-member",
                issuer: server.issuer,
                detail: `the configured metadata has no ${needed}`
              })
            )
            : Effect.succeed(server.metadata)
        }
        const documentsOfServer = documents.get(server) ??
          new Map<Needed, RefreshedDocument.RefreshedDocument<Metadata.AuthorizationServerMetadata>>()
        const known = documentsOfServer.get(needed)
        if (known !== undefined) return known.get
        const document = remote(
          { issuer: server.issuer, document: "metadata" },
          lookUp(fetcher, server, needed)
        )
        documents.set(server, documentsOfServer.set(needed, document))
        return document.get
      }
    })
  }
)

/**
 * Provides the service that `make` creates.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<Discovery, never, Fetcher> = Layer.effect(Discovery, make)
