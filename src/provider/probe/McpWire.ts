/**
 * The wire format of MCP over HTTP, for the command `doctor` and the test client.
 *
 * @since 0.1.0
 */
import { base64, isObject, member, parseJson } from "../report/Json.ts"

/** A JSON-RPC message of a client. A notification has no id. */
export interface Message {
  readonly id?: number
  readonly method: string
  readonly params?: Readonly<Record<string, unknown>>
}

/** A JSON-RPC message that a server sends in reply to a message of a client. */
export interface Reply {
  readonly id?: unknown
  readonly result?: unknown
  readonly error?: { readonly code: number; readonly message: string; readonly data?: unknown }
}

/** The name and the version of a client, as a message contains them. */
export interface ClientInfo {
  readonly name: string
  readonly version: string
}

/** The first revision without sessions. Each message contains the values that a session stores in earlier revisions. */
export const statelessRevision = "2026-07-28"

/** The first revision with Streamable HTTP. It has no header that names the revision. */
export const firstRevision = "2025-03-26"

/** Creates a message of the stateless revision. */
export const toStateless = (
  { id, method, params }: Message & { readonly id: number },
  clientInfo: ClientInfo
): Message => ({
  id,
  method,
  params: {
    ...params,
    _meta: {
      "io.modelcontextprotocol/protocolVersion": statelessRevision,
      "io.modelcontextprotocol/clientCapabilities": {},
      "io.modelcontextprotocol/clientInfo": clientInfo,
      ...params?.["_meta"] as object | undefined
    }
  }
})

/** Creates the message that opens a session. The stateless revision has no such message. */
export const initialize = (id: number, protocolVersion: string, clientInfo: ClientInfo): Message => ({
  id,
  method: "initialize",
  params: { protocolVersion, capabilities: {}, clientInfo }
})

/** The headers of every message. */
export const contentHeaders: Readonly<Record<string, string>> = {
  accept: "application/json, text/event-stream",
  "content-type": "application/json"
}

/** Returns the headers of the stateless revision, which repeat parts of the message. */
export const getStatelessHeaders = ({ method, params }: Message): Readonly<Record<string, string>> => {
  const name = params?.["name"] ?? params?.["uri"]
  return {
    "mcp-protocol-version": statelessRevision,
    "mcp-method": method,
    ...(typeof name === "string" ? { "mcp-name": encodeHeader(name) } : {})
  }
}

/** Returns the headers of revisions with sessions. */
export const getSessionHeaders = (
  protocolVersion: string,
  session: string | undefined
): Readonly<Record<string, string>> => ({
  ...(protocolVersion === firstRevision ? {} : { "mcp-protocol-version": protocolVersion }),
  ...(session === undefined ? {} : { "mcp-session-id": session })
})

/** Encodes text as Base64 if the value of a header cannot contain it. */
const encodeHeader = (text: string): string =>
  /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(text) && !text.startsWith("=?base64?")
    ? text
    : `=?base64?${base64(text)}?=`

/** Writes a message, or a batch of messages. */
export const encode = (message: Message | ReadonlyArray<Message>): string =>
  JSON.stringify(
    Array.isArray(message)
      ? message.map((one: Message) => ({ jsonrpc: "2.0", ...one }))
      : { jsonrpc: "2.0", ...message }
  )

/** Tells whether a content type is that of an event stream. */
export const isEventStream = (contentType: string | null | undefined): boolean =>
  (contentType ?? "").startsWith("text/event-stream")

/** Returns the data of each event in the text of a stream. */
export const getEvents = (text: string): ReadonlyArray<string> => text.split(/\r?\n\r?\n/).map(getData)

const getData = (event: string): string =>
  event.split(/\r?\n/).filter((line) => line.startsWith("data:")).map((line) => line.slice(5).trimStart()).join("\n")

/**
 * Returns the first reply in a JSON text, which can be a batch. A reply names JSON-RPC 2.0, which clients require: the JSON of
 * other services can have a `result` or an `error` as well. If `id` is set, ignores replies with another id, but not those
 * without an id: a server that cannot read a message does not know its id.
 */
export const findReply = (text: string, id?: number): Reply | undefined => {
  const json = parseJson(text)
  const messages: ReadonlyArray<unknown> = Array.isArray(json) ? json : [json]
  return messages.find((message): message is Reply =>
    isObject(message) && member(message, "jsonrpc") === "2.0" &&
    (member(message, "result") !== undefined || isError(member(message, "error"))) &&
    (id === undefined || message["id"] === id || message["id"] === null || message["id"] === undefined)
  )
}

/**
 * Distinguishes an error of JSON-RPC, which is an object with a code, from the `error` of an OAuth response, which is a string.
 */
const isError = (error: unknown): boolean => isObject(error) && Object.hasOwn(error, "code")
