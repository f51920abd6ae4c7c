import * as Effect from "effect/Effect"
import * as Caller from "../../authorization/Caller.ts"
import type { Gate, Request } from "../../authorization/Gate.ts"
import type { ProtectedResource } from "../../authorization/ProtectedResource.ts"
import type { Rejection } from "../../authorization/Rejection.ts"
import type { AuthError } from "../../protocol/AuthError.ts"
import * as WellKnown from "../../protocol/WellKnown.ts"

/* Creates the responses for the public documents of a resource. */

/** A response in a form that does not depend on the platform. Header names are in lower case. */
export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** The parts of a request, other than its path, on which a document can depend. */
export type MetadataRequest = Pick<Request, "header" | "host">

/**
 * The well-known path without the path of a resource (RFC 9728 §3). The metadata of the resource is available there as well. If
 * several resources share a router of Effect, this path returns the metadata of the first resource only.
 */
export const rootPath = WellKnown.protectedResourceMetadataRoot

/**
 * Returns the path under which a document is known. Some clients append the path of `https://host/`, which is a slash, to the
 * well-known path.
 */
const toPath = (path: string): string => path === `${rootPath}/` ? rootPath : path

/** The path at which clients of MCP 2025-03-26 fetch the metadata of the authorization server. */
export const mirroredPath = "/.well-known/oauth-authorization-server"

const open = { "access-control-allow-origin": "*" }
const allow = "GET, HEAD, OPTIONS"

const preflight: Answer = {
  status: 204,
  headers: {
    ...open,
    allow,
    "access-control-allow-methods": "GET, HEAD",
    "access-control-allow-headers": "*",
    "access-control-max-age": "86400"
  },
  body: ""
}

const notAllowed: Answer = { status: 405, headers: { ...open, allow }, body: "" }

const json = (document: unknown, maxAge: number, headers: Answer["headers"] = {}): Answer => ({
  status: 200,
  headers: {
    ...open,
    "content-type": "application/json",
    "cache-control": `public, max-age=${maxAge}`,
    ...headers
  },
  body: JSON.stringify(document)
})

/** A public document: returns its response to a request with this method. For `HEAD`, the adapter omits the body. */
export type Document = (method: string) => Effect.Effect<Answer>

const document = (get: Effect.Effect<Answer>): Document => {
  const onOptions = Effect.succeed(preflight)
  const others = Effect.succeed(notAllowed)
  return (method) => method === "GET" || method === "HEAD" ? get : method === "OPTIONS" ? onOptions : others
}

/** The response for a path without a document. */
export const notFound: Document = () => Effect.succeed({ status: 404, headers: open, body: "" })

const resourceMetadata = (resource: ProtectedResource): Document =>
  document(Effect.succeed(json(resource.metadata, 3600)))

/**
 * How long caches may keep the metadata of a tenant, in seconds. By default, `Tenants` caches the servers of a tenant equally
 * long.
 */
const tenantMaxAge = 300

/** Returns the metadata of the tenant that a request names, or `undefined` if tenants have no metadata at the path. */
const tenantMetadata = (gate: Gate, path: string, request: MetadataRequest): Document | undefined => {
  const { tenants } = gate.published
  const found = tenants?.publishedAt(path, { header: request.header, path })
  if (tenants === undefined || found === undefined) return undefined
  const { vary } = tenants
  // If `vary` is set, all tenants have their metadata at one URL. A shared cache must not store it then.
  const headers = vary === undefined ? {} : { vary, "cache-control": `private, max-age=${tenantMaxAge}` }
  const answer = (published: ProtectedResource | "default" | "not-found"): Answer =>
    published === "not-found"
      ? { status: 404, headers: { ...open, ...headers, "cache-control": "no-store" }, body: "" }
      : json((published === "default" ? gate.resource : published).metadata, tenantMaxAge, headers)
  return document(orRejection(gate, Effect.map(found, answer)))
}

/** Turns an error into a response with the status and headers of the gate's rejection. */
const orRejection = (gate: Gate, answer: Effect.Effect<Answer, AuthError>): Effect.Effect<Answer> =>
  answer.pipe(
    Effect.catch((error) => Effect.withFiber((fiber) => gate.reject(Caller.unknown(fiber), error))),
    Effect.catch((rejection: Rejection) => Effect.succeed({ ...rejection, headers: { ...open, ...rejection.headers } }))
  )

/** Returns this server's copy of the metadata of the authorization server, or `undefined` if that copy is not configured. */
const authorizationServerMetadata = (gate: Gate): Document | undefined => {
  const { authorizationServerMetadata: metadata } = gate.published
  if (metadata === undefined) return undefined
  return document(orRejection(gate, Effect.map(metadata, (metadata) => json(metadata, 300))))
}

/** Finds the document for a path and a request. Returns `undefined` if there is none. */
export type Find = (path: string, request: MetadataRequest) => Document | undefined

/** Returns the paths of the documents of a gate, and the function that finds them. Its tenants have more paths. */
export const make = (gate: Gate): { readonly paths: ReadonlySet<string>; readonly find: Find } => {
  const { resourceAt, resources = [gate.resource] } = gate.published
  const mirrored = authorizationServerMetadata(gate)
  const byResource = new Map(resources.map((resource) => {
    const metadata = resourceMetadata(resource)
    return [
      resource,
      new Map([
        ...[...resource.metadataPaths, rootPath].map((path) => [path, metadata] as const),
        ...(mirrored === undefined ? [] : [[mirroredPath, mirrored] as const])
      ])
    ] as const
  }))
  return {
    paths: new Set([...byResource.values()].flatMap((documents) => [...documents.keys()])),
    find: (path, request) => {
      const resource = resourceAt === undefined ? gate.resource : resourceAt(request.host ?? [])
      const known = toPath(path)
      return tenantMetadata(gate, known, request) ??
        (resource === undefined ? undefined : byResource.get(resource)!.get(known))
    }
  }
}
