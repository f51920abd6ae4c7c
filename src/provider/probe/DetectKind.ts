import * as Effect from "effect/Effect"
import type * as HttpClient from "effect/http/HttpClient"
import * as WellKnown from "../../protocol/WellKnown.ts"
import { shown, text, withoutFinalSlashes } from "../report/Json.ts"
import type { Revision } from "../report/Rule.ts"
import * as McpWire from "./McpWire.ts"
import { negotiate } from "./Negotiate.ts"
import type * as Probe from "./Probe.ts"
import { fetchDocument, getRedirect } from "./Redirect.ts"

export type Kind = "authorization-server" | "mcp-server"

/** The detected kind of a URL, or the reason why it has none. `detail` is the second part of a sentence that begins with the URL. */
export type Detected =
  | { readonly _tag: "Kind"; readonly kind: Kind }
  | { readonly _tag: "Neither"; readonly detail: string }
  | { readonly _tag: "NoResponse"; readonly detail: string }

const kind = (kind: Kind): Detected => ({ _tag: "Kind", kind })

/**
 * Detects whether a URL is an MCP server or an authorization server. Compares the URL with the published metadata first. If no
 * document names this URL, sends requests as MCP clients do. If the responses are not those of an MCP server, metadata of
 * another URL of the host decide. Follows as many `redirects` as MCP clients do.
 */
export const detectKind = (
  target: URL,
  revision: Revision,
  redirects = 5
): Effect.Effect<Detected, never, HttpClient.HttpClient> =>
  Effect.gen(function*() {
    const read = (url: string) =>
      Effect.map(fetchDocument(url, { "mcp-protocol-version": revision }), ({ reading }) => reading)
    const [resource, servers] = yield* Effect.all([
      read(WellKnown.protectedResourceMetadata(target)),
      Effect.forEach(WellKnown.authorizationServerMetadata(target), read, { concurrency: "unbounded" })
    ], { concurrency: "unbounded" })
    const here = withoutFinalSlashes(target.href)
    const named = (reading: Probe.Reading, member: "resource" | "issuer"): string | undefined =>
      reading._tag === "Json" ? text(reading.json, member) : undefined
    const resourceNamed = named(resource, "resource")
    const issuers = servers.flatMap((reading) => named(reading, "issuer") ?? [])
    if (resourceNamed !== undefined && withoutFinalSlashes(resourceNamed) === here) return kind("mcp-server")
    if (issuers.some((issuer) => withoutFinalSlashes(issuer) === here)) return kind("authorization-server")

    const all = [resource, ...servers]
    const unreached = all.filter((_) => _._tag === "NoDocument" && _.kind === "no-response")
    if (unreached.length === all.length) {
      const [first] = unreached
      return { _tag: "NoResponse", detail: first?._tag === "NoDocument" ? first.detail : "cannot be reached" }
    }
    const { exchange } = yield* negotiate(target.href, revision, {})
    if (isMcp(exchange)) return kind("mcp-server")
    if (issuers.length > 0) return kind("authorization-server")
    if (resourceNamed !== undefined) return kind("mcp-server")
    const redirect = getRedirect(exchange, "POST")
    if (redirect === undefined) return { _tag: "Neither", detail: describeNeither(exchange) }
    if (redirect.isFollowed && redirects > 0) {
      const found = yield* detectKind(new URL(redirect.target), revision, redirects - 1)
      if (found._tag === "Kind" && found.kind === "mcp-server") return found
    }
    return { _tag: "Neither", detail: `redirects to ${shown(redirect.target, 200)}. Check that URL` }
  })

/**
 * Tells whether a response is that of an MCP server: a JSON-RPC message, or 401. Servers that are not MCP servers rarely require
 * authorization for a POST request, and `doctor` reports a missing challenge.
 */
const isMcp = (exchange: Probe.Exchange): boolean => {
  if (exchange._tag === "NoResponse") return false
  const { body, headers, status } = exchange
  if (status === 401) return true
  const texts = McpWire.isEventStream(headers["content-type"]) ? McpWire.getEvents(body) : [body]
  return texts.some((text) => McpWire.findReply(text) !== undefined)
}

const describeNeither = (exchange: Probe.Exchange): string =>
  `${
    exchange._tag === "NoResponse"
      ? exchange.detail
      : `returns ${exchange.status} for a request of MCP, and not a message of MCP`
  }. It publishes no metadata at a well-known URL`
