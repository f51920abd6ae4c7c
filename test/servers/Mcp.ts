/**
 * MCP requests as clients send them.
 */
import type { Received, Sent } from "./Host.ts"

type Headers = ReadonlyArray<readonly [name: string, value: string]>

export interface Options {
  readonly token?: string | undefined
  readonly headers?: Headers | undefined
  /** The names of headers that are not sent, in lower case. */
  readonly without?: ReadonlyArray<string> | undefined
  readonly path?: string | undefined
}

export const bearer = (token: string | undefined): Headers =>
  token === undefined ? [] : [["authorization", `Bearer ${token}`]]

const accept: Headers = [["content-type", "application/json"], ["accept", "application/json, text/event-stream"]]

/** Encodes a name as `=?base64?…?=` if a header cannot contain it (MCP 2026-07-28, "Standard request headers"). */
export const encodeName = (name: string): string =>
  /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(name) && !name.startsWith("=?base64?")
    ? name
    : `=?base64?${Buffer.from(name).toString("base64")}?=`

const meta = {
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "io.modelcontextprotocol/clientCapabilities": {},
  "io.modelcontextprotocol/clientInfo": { name: "client", version: "1.0.0" }
}

const post = (body: unknown, headers: Headers, options: Options): Sent => ({
  method: "POST",
  path: options.path ?? "/mcp",
  headers: [...accept, ...headers, ...bearer(options.token)]
    .filter(([name]) => options.without?.includes(name) !== true && !options.headers?.some(([_]) => _ === name))
    .concat(options.headers ?? []),
  body: typeof body === "string" ? body : JSON.stringify(body)
})

/** A request of MCP 2026-07-28. */
export const modern = (method: string, params: Readonly<Record<string, unknown>> = {}, options: Options = {}): Sent => {
  const name = method === "resources/read" ? params["uri"] : params["name"]
  return post(
    { jsonrpc: "2.0", id: 1, method, params: { ...params, _meta: { ...meta, ...params["_meta"] as object } } },
    [
      ["mcp-protocol-version", "2026-07-28"],
      ["mcp-method", method],
      ...(typeof name === "string" ? [["mcp-name", encodeName(name)] as const] : [])
    ],
    options
  )
}

/** A tool call of MCP 2026-07-28. */
export const call = (name: string, options: Options & { readonly arguments?: unknown } = {}): Sent =>
  modern("tools/call", { name, arguments: options.arguments ?? {} }, options)

/** A POST with any body, without the headers of a revision. */
export const raw = (body: unknown, options: Options = {}): Sent => post(body, [], options)

/** A request of an earlier revision, in a session if one is given. */
export const legacy = (
  session: string | undefined,
  body: unknown,
  options: Options & { readonly version?: string } = {}
): Sent =>
  post(
    body,
    [
      ["mcp-protocol-version", options.version ?? "2025-11-25"],
      ...(session === undefined ? [] : [["mcp-session-id", session] as const])
    ],
    options
  )

export const initialize = (version: string, options: Options = {}): Sent =>
  raw({
    jsonrpc: "2.0",
    id: 0,
    method: "initialize",
    params: { protocolVersion: version, capabilities: {}, clientInfo: { name: "client", version: "1.0.0" } }
  }, options)

export const message = (method: string, params: unknown = {}, id: number | string = 1) => ({
  jsonrpc: "2.0",
  id,
  method,
  params
})

export const notification = (method: string, params: unknown = {}) => ({ jsonrpc: "2.0", method, params })

/** One JSON-RPC answer, whether it came as JSON or as the only event of a stream. */
export interface Answer {
  readonly id?: unknown
  readonly result?: any
  readonly error?: { readonly code: number; readonly message: string; readonly data?: unknown }
}

export const answer = ({ body, headers }: Received): Answer =>
  JSON.parse(
    headers["content-type"]?.startsWith("text/event-stream") === true
      ? body.split("\n").findLast((line) => line.startsWith("data: "))!.slice("data: ".length)
      : body
  )

/** The text of a tool's answer. */
export const text = (received: Received): unknown => answer(received).result?.content?.[0]?.text
