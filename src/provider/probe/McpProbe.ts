import { isObject, member } from "../report/Json.ts"
import type { Revision } from "../report/Rule.ts"
import * as McpWire from "./McpWire.ts"
import type { Exchange, ProbeRequest } from "./Probe.ts"

const clientInfo = { name: "effect-mcp-auth", version: "0.1.0" }

/** The revision of MCP and the additional headers of a client's requests. */
export interface Client {
  readonly revision: Revision
  readonly headers: Readonly<Record<string, string>>
}

const toRequest = (
  message: McpWire.Message | ReadonlyArray<McpWire.Message>,
  headers: Readonly<Record<string, string>>
): ProbeRequest => ({
  method: "POST",
  headers: { ...McpWire.contentHeaders, ...headers },
  body: McpWire.encode(message)
})

/** The newest revision with sessions. */
const sessionRevision: Revision = "2025-11-25"

/** Returns the revision to use for a session: `revision`, or the newest revision with sessions if `revision` has none. */
export const getSessionRevision = (revision: Revision): Revision =>
  revision === McpWire.statelessRevision ? sessionRevision : revision

/** Creates a request with one message, as a client of the revision sends it. */
export const post = (
  { headers, revision }: Client,
  method: string,
  params: Readonly<Record<string, unknown>> = {}
): ProbeRequest => {
  if (revision === McpWire.statelessRevision) {
    const message = McpWire.toStateless({ id: 1, method, params }, clientInfo)
    return toRequest(message, { ...McpWire.getStatelessHeaders(message), ...headers })
  }
  return toRequest({ id: 1, method, params }, { ...McpWire.getSessionHeaders(revision, undefined), ...headers })
}

/** Creates the request that opens a session. */
export const initialize = ({ headers, revision }: Client): ProbeRequest =>
  toRequest(McpWire.initialize(1, getSessionRevision(revision), clientInfo), headers)

/**
 * Returns the parameters of a call that no tool can run, because its arguments are not an object. A server that checks scopes
 * first rejects the call for its missing scopes. Any other server reports the invalid arguments.
 */
export const harmlessCall = (name: string): Readonly<Record<string, unknown>> => ({ name, arguments: "none" })

/** Returns the names of the tools in a response to `tools/list`. */
export const getTools = (exchange: Exchange): ReadonlyArray<string> => {
  if (exchange._tag === "NoResponse") return []
  const texts = McpWire.isEventStream(exchange.headers["content-type"])
    ? McpWire.getEvents(exchange.body)
    : [exchange.body]
  const reply = texts.map((text) => McpWire.findReply(text)).find((_) => _ !== undefined)
  const tools = isObject(reply?.result) ? member(reply.result, "tools") : undefined
  return Array.isArray(tools)
    ? tools.flatMap((tool) => isObject(tool) && typeof tool["name"] === "string" ? [tool["name"]] : [])
    : []
}

/** Creates a request with a notification, which has no reply. */
export const notify = ({ headers, revision }: Client, method: string): ProbeRequest =>
  toRequest({ method }, { ...McpWire.getSessionHeaders(revision, undefined), ...headers })

/** Creates a batch of two messages: a request for the list of tools, and a call that the server rejects outside of a batch. */
export const batch = ({ headers }: Client, name: string): ProbeRequest =>
  toRequest([
    { id: 1, method: "tools/list", params: {} },
    { id: 2, method: "tools/call", params: harmlessCall(name) }
  ], headers)
