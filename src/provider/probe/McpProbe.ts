import { base64, isObject, type Json, member, parseJson } from "../report/Json.ts"
import type { Revision } from "../report/Rule.ts"
import type { Asking, Exchange } from "./Probe.ts"

const accept = "application/json, text/event-stream"
const clientInfo = { name: "effect-mcp-auth", version: "0.1.0" }

export interface Wire {
  readonly revision: Revision
  readonly headers: Readonly<Record<string, string>>
}

/** One JSON-RPC message, or a batch as text, as a client of the revision posts it. */
export const post = (
  { headers, revision }: Wire,
  method: string,
  params: Readonly<Record<string, unknown>> = {}
): Asking => {
  const stateless = revision === "2026-07-28"
  const meta = stateless
    ? {
      _meta: {
        "io.modelcontextprotocol/protocolVersion": revision,
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": clientInfo
      }
    }
    : {}
  const name = params["name"]
  return {
    method: "POST",
    headers: {
      accept,
      "content-type": "application/json",
      ...(method === "initialize" ? {} : { "mcp-protocol-version": revision }),
      ...(stateless
        ? { "mcp-method": method, ...(typeof name === "string" ? { "mcp-name": encoded(name) } : {}) }
        : {}),
      ...headers
    },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params: { ...params, ...meta } })
  }
}

const encoded = (text: string): string =>
  /^[\x21-\x7e]+$/.test(text) && !text.startsWith("=?base64?")
    ? text
    : `=?base64?${base64(text)}?=`

export const initialize = (wire: Wire): Asking =>
  post({ ...wire, revision: wire.revision === "2026-07-28" ? "2025-11-25" : wire.revision }, "initialize", {
    protocolVersion: wire.revision === "2026-07-28" ? "2025-11-25" : wire.revision,
    capabilities: {},
    clientInfo
  })

/**
 * A call that no tool can run: its arguments are no object. Whoever looks at scopes first says so; whoever lets it through
 * answers that the arguments are wrong.
 */
export const harmlessCall = (name: string): Readonly<Record<string, unknown>> => ({ name, arguments: "none" })

/** The JSON-RPC answer, also out of the first event of a stream. */
export const replyOf = (exchange: Exchange): Json | undefined => {
  if (exchange._tag === "NotReached") return undefined
  const text = (exchange.headers["content-type"] ?? "").startsWith("text/event-stream")
    ? exchange.body.split(/\r?\n/).filter((line) => line.startsWith("data:")).map((line) => line.slice(5).trim()).join(
      ""
    )
    : exchange.body
  const json = parseJson(text)
  return isObject(json) ? json : undefined
}

/** The names of the tools that an answer to `tools/list` holds. */
export const toolsOf = (exchange: Exchange): ReadonlyArray<string> => {
  const result = member(replyOf(exchange) ?? {}, "result")
  const tools = isObject(result) ? member(result, "tools") : undefined
  return Array.isArray(tools)
    ? tools.flatMap((tool) => isObject(tool) && typeof tool["name"] === "string" ? [tool["name"]] : [])
    : []
}

/** A message that nobody answers. */
export const notify = ({ headers, revision }: Wire, method: string): Asking => ({
  method: "POST",
  headers: { accept, "content-type": "application/json", "mcp-protocol-version": revision, ...headers },
  body: JSON.stringify({ jsonrpc: "2.0", method })
})

/** A harmless list, and behind it a call that was denied by itself. */
export const batch = ({ headers }: Wire, name: string): Asking => ({
  method: "POST",
  headers: { accept, "content-type": "application/json", ...headers },
  body: JSON.stringify([
    { jsonrpc: "2.0", id: 1, method: "tools/list", params: {} },
    { jsonrpc: "2.0", id: 2, method: "tools/call", params: harmlessCall(name) }
  ])
})
