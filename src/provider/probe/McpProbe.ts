import { isObject, member } from "../report/Json.ts"
import { type Revision, revisions } from "../report/Rule.ts"
import * as McpWire from "./McpWire.ts"
import type { Exchange, ProbeRequest } from "./Probe.ts"

const clientInfo = { name: "effect-mcp-auth", version: "0.1.0" }

/** A revision of MCP in which a client can write its requests. The rules of a check do not cover 2025-03-26. */
export type WireRevision = Revision | typeof McpWire.firstRevision

/** Lists the revisions of requests, the newest first. */
export const wireRevisions: ReadonlyArray<WireRevision> = [...revisions, McpWire.firstRevision]

/** The revision of MCP and the additional headers of a client's requests. */
export interface Client {
  readonly revision: WireRevision
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
const sessionRevision: WireRevision = "2025-11-25"

/** Returns the revision to use for a session: `revision`, or the newest revision with sessions if `revision` has none. */
export const getSessionRevision = (revision: WireRevision): WireRevision =>
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

/** Creates the first request of a client: the list of tools in the stateless revision, otherwise the request for a session. */
export const hello = (client: Client): ProbeRequest =>
  client.revision === McpWire.statelessRevision ? post(client, "tools/list") : initialize(client)

/**
 * A name that no server gives to a tool. A check calls no tool by its real name: a server that ignores invalid arguments would
 * run the tool.
 */
export const unknownTool = "effect-mcp-auth-doctor-unknown-tool"

/** Returns the first reply in a response, which can be JSON or an event stream. */
export const getReply = (exchange: Exchange): McpWire.Reply | undefined => {
  if (exchange._tag === "NoResponse") return undefined
  const texts = McpWire.isEventStream(exchange.headers["content-type"])
    // A stream can consist of very many events without data.
    ? McpWire.getEvents(exchange.body).filter((data) => data !== "")
    : [exchange.body]
  for (const text of texts) {
    const reply = McpWire.findReply(text)
    if (reply !== undefined) return reply
  }
  return undefined
}

/** Returns the names of the tools in a response to `tools/list`. */
export const getTools = (exchange: Exchange): ReadonlyArray<string> => {
  const result = getReply(exchange)?.result
  const tools = isObject(result) ? member(result, "tools") : undefined
  return Array.isArray(tools)
    ? tools.flatMap((tool) => isObject(tool) && typeof tool["name"] === "string" ? [tool["name"]] : [])
    : []
}

/** Creates a request with a notification, which has no reply. */
export const notify = ({ headers, revision }: Client, method: string): ProbeRequest =>
  toRequest({ method }, { ...McpWire.getSessionHeaders(revision, undefined), ...headers })

/** A method with its parameters. */
export interface Operation {
  readonly method: string
  readonly params: Readonly<Record<string, unknown>>
}

/**
 * Creates a batch of two messages: a request for the list of tools with the id 1, and another operation with the id 2. Names
 * no revision, because only 2025-03-26 has batches.
 */
export const batch = (headers: Readonly<Record<string, string>>, operation: Operation): ProbeRequest =>
  toRequest([{ id: 1, method: "tools/list", params: {} }, { id: 2, ...operation }], headers)
