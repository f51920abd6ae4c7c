import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import type * as Gate from "../../authorization/Gate.ts"
import type { Refusal } from "../../authorization/Refusal.ts"
import type { Answer } from "./documents.ts"
import * as headerLines from "./headerLines.ts"

/** What the gate sees of an Effect request. */
export const toGateRequest = (request: HttpServerRequest.HttpServerRequest): Gate.Request => ({
  method: request.method,
  header: (name) => request.headers[name],
  authorization: authorizationLines(request),
  // Only those who ask pay for it.
  get path() {
    return pathOf(request.originalUrl)
  }
})

// Node gives path and query, fetch the whole URL.
const pathOf = (url: string): string | undefined =>
  URL.canParse(url, "http://localhost") ? new URL(url, "http://localhost").pathname : undefined

/**
 * The `Authorization` lines as they came in. Node drops all but the first from its headers and keeps the truth in
 * `rawHeaders`; fetch joins several lines.
 */
const authorizationLines = (request: HttpServerRequest.HttpServerRequest): ReadonlyArray<string> => {
  const raw = (request.source as { readonly rawHeaders?: unknown }).rawHeaders
  if (Array.isArray(raw)) return headerLines.ofRaw(raw, "authorization")
  const line = request.headers["authorization"]
  return line === undefined ? [] : headerLines.split(line)
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
