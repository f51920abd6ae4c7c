/**
 * Which operations an MCP request asks for, read from its JSON-RPC body.
 *
 * @since 0.1.0
 */
import * as Result from "effect/Result"
import { MalformedRequest } from "./AuthError.ts"
import { isRecord, own } from "./Json.ts"

/**
 * One JSON-RPC message with a method.
 *
 * **Details**
 *
 * `target` is the tool or prompt name, the resource URI, or for `completion/complete` the prompt name or the URI template
 * whose argument is completed; `undefined` where the method or the message has none. A notification counts as an operation: some servers execute it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Operation {
  readonly method: string
  readonly target: string | undefined
  readonly kind: "tool" | "prompt" | "resource" | undefined
  readonly params: unknown
  readonly isNotification: boolean
}

/**
 * The number of operations that one body may hold unless a host is configured otherwise.
 *
 * @category constants
 * @since 0.1.0
 */
export const defaultMaximum = 100

/**
 * The longest target of an operation that is authorized, in UTF-16 code units. Servers compare a URI with the pattern of
 * each template, which takes time that grows with its length.
 *
 * @category constants
 * @since 0.1.0
 */
export const maximumTarget: number = 8192

/**
 * Lists the operations of a parsed body: one JSON-RPC 2.0 message, or a legacy batch of them.
 *
 * **Details**
 *
 * A `subscriptions/listen` is one operation, and one more for each resource that it watches. A response has none.
 *
 * Fails with `MalformedRequest`: with the reason `not-json-rpc` for everything that is not JSON-RPC 2.0, and with
 * `too-many-operations` for a batch or a subscription of more than `maximum` entries (default: 100). A message holds the
 * members `jsonrpc`, `id`, `method`, `params`, `result` and `error` and no others (JSON-RPC 2.0 §4 and §5): some servers
 * read further members as HTTP headers, trace context or control messages. The reason is `name-not-text` if the target of an
 * operation is not a string: some servers find a tool by `["name"]`, too.
 *
 * **Gotchas**
 *
 * Pass the very value that the server executes. A second parse, a header or a routing hint can say something else.
 *
 * **Example** (A tool call)
 *
 * ```ts
 * import { Result } from "effect"
 * import { Operation } from "effect-mcp-auth/protocol"
 * import assert from "node:assert/strict"
 *
 * const body = { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "add_todo", arguments: {} } }
 * const operations = Result.getOrThrow(Operation.fromBody(body))
 *
 * assert.deepStrictEqual(operations.map(({ method, target }) => [method, target]), [["tools/call", "add_todo"]])
 * ```
 *
 * @category decoding
 * @since 0.1.0
 */
export const fromBody = (
  body: unknown,
  maximum: number = defaultMaximum
): Result.Result<ReadonlyArray<Operation>, MalformedRequest> => {
  if (!Array.isArray(body)) return isMessage(body) ? operationsOf([body], maximum) : notJsonRpc
  // Counted before any entry is checked, so that the work is bounded as well.
  if (body.length > maximum) return tooMany
  // Not `every`, which passes over gaps.
  for (const entry of body) if (!isMessage(entry)) return notJsonRpc
  return body.length > 0 ? operationsOf(body, maximum) : notJsonRpc
}

/** A message whose members have been checked. */
type Message = { readonly [Name in typeof members[number]]?: unknown }

const notJsonRpc = Result.fail(new MalformedRequest({ reason: "not-json-rpc" }))
const nameNotText = Result.fail(new MalformedRequest({ reason: "name-not-text" }))
const tooMany = Result.fail(new MalformedRequest({ reason: "too-many-operations" }))

const operationsOf = (
  messages: ReadonlyArray<Message>,
  maximum: number
): Result.Result<ReadonlyArray<Operation>, MalformedRequest> => {
  const operations: Array<Operation> = []
  let count = messages.length
  for (const message of messages) {
    const { id, method, params } = message
    if (typeof method !== "string") continue // a response to the server's own request
    const isNotification = id === undefined
    const [kind, target] = targetOf(method, params)
    if (target !== undefined && typeof target !== "string") return nameNotText
    operations.push({ method, kind, target, params, isNotification })
    const watched = watchedBy(method, params)
    count += watched.length
    if (count > maximum) return tooMany
    for (const uri of watched) {
      if (typeof uri !== "string") return nameNotText
      operations.push({ method, kind: "resource", target: uri, params, isNotification })
    }
  }
  return Result.succeed(operations)
}

/* ---------------------------------------------------------------------------------------------------------------------
 * JSON-RPC 2.0
 * ------------------------------------------------------------------------------------------------------------------ */

const isMessage = (value: unknown): value is Message => {
  if (!isRecord(value) || !hasOnlyMembers(value)) return false
  const { error, id, jsonrpc, method, params, result } = value as Message
  if (jsonrpc !== "2.0") return false
  const hasId = typeof id === "string" || Number.isFinite(id)
  if (method !== undefined) {
    // A null id is for errors alone (MCP, base protocol: the id of a request must not be null).
    return typeof method === "string" && (hasId || id === undefined) && result === undefined && error === undefined &&
      (params === undefined || (typeof params === "object" && params !== null))
  }
  if (params !== undefined) return false
  if (error === undefined) return result !== undefined && hasId
  // An error whose request could not be read has no id, or null (JSON-RPC 2.0 §5).
  return result === undefined && isError(error) && (hasId || id === undefined || id === null)
}

const hasOnlyMembers = (value: object): boolean => {
  // Not `Object.keys`, which makes a list for each message; inherited members are rejected below.
  for (const name in value) if (!isMember(name)) return false
  // What a body parser left can inherit members, which some servers see and others do not.
  return Object.getPrototypeOf(value) === Object.prototype ||
    members.every((name) => !(name in value) || Object.hasOwn(value, name))
}

const members = ["jsonrpc", "id", "method", "params", "result", "error"] as const

const isMember = (name: string): boolean => {
  switch (name) {
    case "jsonrpc":
    case "id":
    case "method":
    case "params":
    case "result":
    case "error":
      return true
    default:
      return false
  }
}

// Effect reads `_tag` of an error as a defect or a whole cause.
const isError = (value: unknown): boolean =>
  isRecord(value) && Number.isSafeInteger(value["code"]) && typeof value["message"] === "string" &&
  Object.keys(value).every((name) => name === "code" || name === "message" || name === "data")

/* ---------------------------------------------------------------------------------------------------------------------
 * Targets
 * ------------------------------------------------------------------------------------------------------------------ */

type Target = readonly [kind: Operation["kind"], target: unknown]

const targetOf = (method: string, params: unknown): Target => {
  switch (method) {
    case "tools/call":
      return ["tool", own(params, "name")]
    case "prompts/get":
      return ["prompt", own(params, "name")]
    case "resources/read":
    case "resources/subscribe":
    case "resources/unsubscribe":
      return ["resource", own(params, "uri")]
    case "completion/complete": {
      const reference = own(params, "ref")
      return own(reference, "type") === "ref/prompt"
        ? ["prompt", own(reference, "name")]
        : ["resource", own(reference, "uri")]
    }
    default:
      return [undefined, undefined]
  }
}

/**
 * The method that opens a subscription (MCP 2026-07-28).
 *
 * @category constants
 * @since 0.1.0
 */
export const listen: string = "subscriptions/listen"

const watchedBy = (method: string, params: unknown): ReadonlyArray<unknown> => {
  const uris = method === listen ? own(own(params, "notifications"), "resourceSubscriptions") : undefined
  return Array.isArray(uris) ? uris : []
}

/**
 * Removes resources from the subscriptions of a parsed body, in place: what the server executes is the value that was
 * authorized.
 *
 * @category combinators
 * @since 0.1.0
 */
export const withoutWatched = (uris: ReadonlySet<unknown>) => (body: unknown): void => {
  for (const message of Array.isArray(body) ? body : [body]) {
    if (own(message, "method") !== listen) continue
    const notifications = own(own(message, "params"), "notifications")
    const watched = own(notifications, "resourceSubscriptions")
    if (!Array.isArray(watched)) continue
    ;(notifications as { resourceSubscriptions: unknown }).resourceSubscriptions = watched.filter((_) => !uris.has(_))
  }
}
