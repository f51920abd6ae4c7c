import * as Effect from "effect/Effect"
import type * as HttpClient from "effect/http/HttpClient"
import { isObject, text } from "../report/Json.ts"
import type { Revision } from "../report/Rule.ts"
import * as Mcp from "./McpProbe.ts"
import * as McpWire from "./McpWire.ts"
import * as Probe from "./Probe.ts"

/** The first exchange with a server, in the newest revision that the server accepts. */
export interface Negotiated {
  /** The revision that the server accepts. If the server accepts none, the newest that was tried. */
  readonly revision: Mcp.WireRevision
  readonly exchange: Probe.Exchange
  /** Whether the server returned a result. */
  readonly isAccepted: boolean
}

/**
 * Sends the first request of a client. If the server does not accept the revision, tries older ones, as clients do: the
 * stateless revision without a handshake, and then `initialize` with each older revision. Sends at most four requests, and
 * stops at the first result, at 401 and 403, at redirects and at outages.
 */
export const negotiate = (
  url: string,
  newest: Revision,
  headers: Readonly<Record<string, string>>
): Effect.Effect<Negotiated, never, HttpClient.HttpClient> =>
  Effect.gen(function*() {
    const send = (revision: Mcp.WireRevision) =>
      Effect.map(Probe.send(url, Mcp.hello({ revision, headers })), (exchange) => toNegotiated(revision, exchange))
    const first = yield* send(newest)
    if (isConclusive(first) || isOutage(first.exchange)) return first
    for (const revision of Mcp.wireRevisions.slice(Mcp.wireRevisions.indexOf(newest) + 1)) {
      const next = yield* send(revision)
      if (isConclusive(next)) return next
      if (next.exchange._tag === "NoResponse") break
    }
    return first
  })

const toNegotiated = (revision: Mcp.WireRevision, exchange: Probe.Exchange): Negotiated => {
  const isSuccess = exchange._tag === "Response" && exchange.status >= 200 && exchange.status < 300
  const result = isSuccess ? Mcp.getReply(exchange)?.result : undefined
  // A server selects the revision of a session: it can reply to `initialize` with another revision than the requested one.
  const selected = revision === McpWire.statelessRevision || !isObject(result)
    ? undefined
    : Mcp.wireRevisions.find((one) => one === text(result, "protocolVersion"))
  return { revision: selected ?? revision, exchange, isAccepted: result !== undefined }
}

const isConclusive = ({ exchange, isAccepted }: Negotiated): boolean =>
  isAccepted || (exchange._tag === "Response" && (exchange.status === 401 || exchange.status === 403))

const isOutage = (exchange: Probe.Exchange): boolean =>
  exchange._tag === "NoResponse" || exchange.status === 429 || exchange.status >= 500 ||
  (exchange.status >= 300 && exchange.status < 400)
