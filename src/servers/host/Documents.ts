import * as Effect from "effect/Effect"
import * as Caller from "../../authorization/Caller.ts"
import type { Gate, Request } from "../../authorization/Gate.ts"
import type { ProtectedResource } from "../../authorization/ProtectedResource.ts"
import type { Rejection } from "../../authorization/Rejection.ts"
import * as WellKnown from "../../protocol/WellKnown.ts"

/** The public documents of a resource, and how each of them answers each method. */

/** An answer in no host's words; header names are in lower case. */
export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** The part of a request that a document may depend on, apart from the path. */
export type MetadataRequest = Pick<Request, "header">

/** The second path of the metadata of the first resource of a server (RFC 9728 §3). */
export const rootPath = WellKnown.protectedResourceMetadataRoot

/** Where clients of MCP 2025-03-26 look for the metadata of the authorization server. */
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

/** A document as it answers: GET and HEAD alike, a host leaves the body of HEAD out. */
export type Document = (method: string) => Effect.Effect<Answer>

const document = (get: Effect.Effect<Answer>): Document => {
  const options = Effect.succeed(preflight)
  const others = Effect.succeed(notAllowed)
  return (method) => method === "GET" || method === "HEAD" ? get : method === "OPTIONS" ? options : others
}

/** There is none. */
export const notFound: Document = () => Effect.succeed({ status: 404, headers: open, body: "" })

/** The metadata of the protected resource. */
export const resourceMetadata = ({ resource }: Gate): Document =>
  document(Effect.succeed(json(resource.metadata, 3600)))

/** As long as the servers of a tenant are cached by default. */
const tenantMaxAge = 300

/** The metadata of the tenant that a request names; `undefined` if no tenant has metadata at its path. */
export const tenantMetadata = (gate: Gate, path: string, request: MetadataRequest): Document | undefined => {
  const { tenants } = gate.published
  const found = tenants?.publishedAt(path, { header: request.header, path })
  if (tenants === undefined || found === undefined) return undefined
  const { vary } = tenants
  // One URL has the metadata of several tenants: a shared cache must not give one tenant's to another.
  const headers = vary === undefined ? {} : { vary, "cache-control": `private, max-age=${tenantMaxAge}` }
  const answer = (published: ProtectedResource | "default" | "not-found"): Answer =>
    published === "not-found"
      ? { status: 404, headers: { ...open, ...headers, "cache-control": "no-store" }, body: "" }
      : json((published === "default" ? gate.resource : published).metadata, tenantMaxAge, headers)
  return document(found.pipe(
    Effect.map(answer),
    Effect.catch((error) => Effect.withFiber((fiber) => gate.reject(Caller.unknown(fiber), error))),
    Effect.catch((rejection: Rejection) => Effect.succeed({ ...rejection, headers: { ...open, ...rejection.headers } }))
  ))
}

/** The mirrored metadata of the authorization server; `undefined` if it is not configured. */
export const authorizationServerMetadata = (gate: Gate): Document | undefined => {
  const { authorizationServerMetadata: metadata } = gate.published
  return metadata === undefined ? undefined : document(
    metadata.pipe(
      Effect.map((metadata) => json(metadata, 300)),
      Effect.catch((error) => Effect.withFiber((fiber) => gate.reject(Caller.unknown(fiber), error))),
      Effect.catch((rejection: Rejection) =>
        Effect.succeed({ ...rejection, headers: { ...open, ...rejection.headers } })
      )
    )
  )
}

/** Every document of a host that serves one resource, by path. Those of tenants are apart: see `tenantMetadata`. */
export const byPath = (gate: Gate): ReadonlyMap<string, Document> => {
  const metadata = resourceMetadata(gate)
  const mirrored = authorizationServerMetadata(gate)
  return new Map([
    [gate.resource.metadataPath, metadata],
    [rootPath, metadata],
    ...(mirrored === undefined ? [] : [[mirroredPath, mirrored] as const])
  ])
}
