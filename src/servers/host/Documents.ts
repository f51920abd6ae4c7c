import * as Effect from "effect/Effect"
import * as Caller from "../../authorization/Caller.ts"
import type { Gate, Request } from "../../authorization/Gate.ts"
import type { ProtectedResource } from "../../authorization/ProtectedResource.ts"
import type { Rejection } from "../../authorization/Rejection.ts"
import type { AuthError } from "../../protocol/AuthError.ts"
import * as WellKnown from "../../protocol/WellKnown.ts"

/* The public documents of a resource, and their response to each method. */

/** A response, independent of the host. Header names are in lower case. */
export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** The part of a request on which a document may depend, apart from the path. */
export type MetadataRequest = Pick<Request, "header">

/** The second path of the metadata of the first resource of a server (RFC 9728 §3). */
export const rootPath = WellKnown.protectedResourceMetadataRoot

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

/** Returns the response of a document to a method. The host omits the body of the response to HEAD. */
export type Document = (method: string) => Effect.Effect<Answer>

const document = (get: Effect.Effect<Answer>): Document => {
  const options = Effect.succeed(preflight)
  const others = Effect.succeed(notAllowed)
  return (method) => method === "GET" || method === "HEAD" ? get : method === "OPTIONS" ? options : others
}

/** The response for a path without a document. */
export const notFound: Document = () => Effect.succeed({ status: 404, headers: open, body: "" })

/** Returns the metadata of the protected resource. */
export const resourceMetadata = ({ resource }: Gate): Document =>
  document(Effect.succeed(json(resource.metadata, 3600)))

/** In seconds. The servers of a tenant are cached for the same time by default. */
const tenantMaxAge = 300

/** Returns the metadata of the tenant that a request names, or `undefined` if no tenant has metadata at its path. */
export const tenantMetadata = (gate: Gate, path: string, request: MetadataRequest): Document | undefined => {
  const { tenants } = gate.published
  const found = tenants?.publishedAt(path, { header: request.header, path })
  if (tenants === undefined || found === undefined) return undefined
  const { vary } = tenants
  // Several tenants have their metadata at one URL, so a shared cache must not store it.
  const headers = vary === undefined ? {} : { vary, "cache-control": `private, max-age=${tenantMaxAge}` }
  const answer = (published: ProtectedResource | "default" | "not-found"): Answer =>
    published === "not-found"
      ? { status: 404, headers: { ...open, ...headers, "cache-control": "no-store" }, body: "" }
      : json((published === "default" ? gate.resource : published).metadata, tenantMaxAge, headers)
  return document(orRejection(gate, Effect.map(found, answer)))
}

/** Turns an error into the response that the gate gives to it. */
const orRejection = (gate: Gate, answer: Effect.Effect<Answer, AuthError>): Effect.Effect<Answer> =>
  answer.pipe(
    Effect.catch((error) => Effect.withFiber((fiber) => gate.reject(Caller.unknown(fiber), error))),
    Effect.catch((rejection: Rejection) => Effect.succeed({ ...rejection, headers: { ...open, ...rejection.headers } }))
  )

/** Returns the mirrored metadata of the authorization server, or `undefined` if it is not configured. */
export const authorizationServerMetadata = (gate: Gate): Document | undefined => {
  const { authorizationServerMetadata: metadata } = gate.published
  if (metadata === undefined) return undefined
  return document(orRejection(gate, Effect.map(metadata, (metadata) => json(metadata, 300))))
}

/** Returns every document of a resource by its path, except those of tenants (see `tenantMetadata`). */
export const byPath = (gate: Gate): ReadonlyMap<string, Document> => {
  const metadata = resourceMetadata(gate)
  const mirrored = authorizationServerMetadata(gate)
  return new Map([
    [gate.resource.metadataPath, metadata],
    [rootPath, metadata],
    ...(mirrored === undefined ? [] : [[mirroredPath, mirrored] as const])
  ])
}
