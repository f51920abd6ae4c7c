import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import type * as Gate from "../../authorization/Gate.ts"
import type { Refusal } from "../../authorization/Refusal.ts"

/** What the gate sees of an Effect request. */
export const toGateRequest = (request: HttpServerRequest.HttpServerRequest): Gate.Request => ({
  method: request.method,
  header: (name) => request.headers[name],
  authorization: authorizationLines(request)
})

/**
 * The `Authorization` lines as they came in. Node drops all but the first from its headers and keeps the truth in
 * `rawHeaders`, a flat list of names and values; fetch joins several lines by a comma, which no token can contain.
 */
const authorizationLines = (request: HttpServerRequest.HttpServerRequest): ReadonlyArray<string> => {
  const raw = (request.source as { readonly rawHeaders?: unknown }).rawHeaders
  if (Array.isArray(raw)) {
    const lines: Array<string> = []
    for (let i = 0; i + 1 < raw.length; i += 2) {
      if (String(raw[i]).toLowerCase() === "authorization") lines.push(String(raw[i + 1]))
    }
    return lines
  }
  const line = request.headers["authorization"]
  return line === undefined ? [] : [line]
}

/** The gate's answer as Effect writes it. */
export const fromRefusal = ({ body, headers, status }: Refusal): HttpServerResponse.HttpServerResponse => {
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
