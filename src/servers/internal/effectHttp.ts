import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import type * as Gate from "../../authorization/Gate.ts"
import type { Refusal } from "../../authorization/Refusal.ts"
import type { Principal } from "../../verification/Principal.ts"
import type { Answer } from "./documents.ts"
import * as headerLines from "./headerLines.ts"
import * as requestPath from "./requestPath.ts"

/** What the gate sees of an Effect request. */
export const toGateRequest = (request: HttpServerRequest.HttpServerRequest): Gate.Request => ({
  method: request.method,
  header: (name) => request.headers[name],
  authorization: linesOf(request, "authorization"),
  // Only those who ask pay for these.
  get path() {
    return pathOf(request)
  },
  get dpop() {
    return linesOf(request, "dpop")
  }
})

/**
 * The lines of a header as they came in. Node drops all but the first `Authorization` from its headers and keeps the
 * truth in `rawHeaders`; fetch joins several lines.
 */
const linesOf = (request: HttpServerRequest.HttpServerRequest, name: string): ReadonlyArray<string> => {
  const raw = (request.source as { readonly rawHeaders?: unknown }).rawHeaders
  if (Array.isArray(raw)) return headerLines.ofRaw(raw, name)
  const line = request.headers[name]
  return line === undefined ? [] : headerLines.split(line)
}

/**
 * The path as it came in. Effect's own `url` is cut by routers with a prefix, and its `originalUrl` begins with whatever
 * `Host` says, which may hold a path. Frameworks around Node's requests shorten `url` below a mount point.
 */
const pathOf = (request: HttpServerRequest.HttpServerRequest): string => {
  const { originalUrl, url } = request.source as { readonly originalUrl?: unknown; readonly url?: unknown }
  const target = typeof originalUrl === "string" ? originalUrl : url
  return requestPath.of(typeof target === "string" ? target : request.url)
}

/**
 * The principal of a request that needs no second look: no `Origin`, one `Authorization` line, a token verified lately.
 * Looks at the raw headers, since Effect and Node copy all of them for whoever asks for one.
 */
export const recall = (
  gate: Gate.Gate,
  request: HttpServerRequest.HttpServerRequest,
  now: number
): Principal["Service"] | undefined => {
  const { headers, rawHeaders } = request.source as { readonly headers?: unknown; readonly rawHeaders?: unknown }
  if (Array.isArray(rawHeaders)) {
    const line = headerLines.soleOfRaw(rawHeaders, "authorization", "origin")
    return line === undefined ? undefined : gate.recall(line, now)
  }
  if (!(headers instanceof Headers) || headers.has("origin")) return undefined
  const line = headers.get("authorization")
  return line === null ? undefined : gate.recall(line, now)
}

/** An answer of the gate, or a document, as Effect writes it. */
export const fromRefusal = ({ body, headers, status }: Refusal | Answer): HttpServerResponse.HttpServerResponse => {
  if (body === "") return HttpServerResponse.empty({ status, headers })
  const { "content-type": contentType, ...others } = headers
  return HttpServerResponse.text(body, { status, headers: others, contentType: contentType ?? "application/json" })
}

/** The revision of MCP that a request names. */
export const protocolVersion = (request: HttpServerRequest.HttpServerRequest): string | undefined =>
  request.headers["mcp-protocol-version"]

/**
 * The handlers that decide about anonymous requests themselves: the middleware of the MCP server marks what it returns,
 * and the outer middleware lets an anonymous request through to nothing else. Whatever stands between the two loses the
 * mark, so a mistake refuses.
 */
export const decidesAboutAnonymous = new WeakSet<object>()
