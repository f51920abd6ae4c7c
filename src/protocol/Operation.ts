/**
 * Lists the operations of an MCP request, from its JSON-RPC body.
 *
 * @since 0.1.0
 */
import * as Result from "effect/Result"
import { MalformedRequest } from "./AuthError.ts"
import { isRecord, own } from "./Json.ts"

/**
 * Describes one JSON-RPC message that has a method, or one resource that a `subscriptions/listen` message watches.
 *
 * **Details**
 *
 * `target` is the name of the tool or prompt, the URI of the resource, or the id of the task. For `completion/complete` it is the
 * prompt name or the URI template whose argument is completed. It is `undefined` if the method or the message has no target. A
 * notification counts as an operation, because some servers execute it.
 *
 * Every method that begins with `tasks/` has the kind `"task"`. Only `tasks/list` has no target. An operation of this kind
 * without a policy requires an authenticated caller, on every host.
 *
 * @category models
 * @since 0.1.0
 */
export interface Operation {
  readonly method: string
  readonly target: string | undefined
  readonly kind: "tool" | "prompt" | "resource" | "task" | undefined
  readonly params: unknown
  readonly isNotification: boolean
}

/**
 * The maximum number of operations in one body, unless the second argument of `fromBody` sets another limit.
 *
 * @category constants
 * @since 0.1.0
 */
export const defaultMaximum = 100

/**
 * The maximum length of the target of an operation, in UTF-16 code units. Servers match a URI against the pattern of each
 * template, and the time for this grows with the length of the URI.
 *
 * @category constants
 * @since 0.1.0
 */
export const maximumTarget: number = 8192

/**
 * Lists the operations of a parsed body: one JSON-RPC 2.0 message, or a legacy batch of messages.
 *
 * **Details**
 *
 * A `subscriptions/listen` message counts as one operation, plus one for each resource that it watches. A response has no
 * operation.
 *
 * Fails with `MalformedRequest`. Its reasons are:
 *
 * - `not-json-rpc`: the body is not JSON-RPC 2.0. A message may have only the members `jsonrpc`, `id`, `method`, `params`,
 *   `result` and `error` (JSON-RPC 2.0 §4 and §5), because some servers read other members as HTTP headers, trace context or
 *   control messages.
 * - `too-many-operations`: the messages of the body, and the resources that they watch, are together more than `maximum`
 *   (default: 100).
 * - `name-not-text`: the target of an operation is not a string. Some servers would convert `["name"]` to a string, and run the
 *   tool `name`.
 *
 * **Gotchas**
 *
 * Pass the same value that the server executes. A header, a routing hint or a second parse of the body can yield another value.
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
  // Compares the length before it checks any entry, so that a long batch causes no work.
  if (body.length > maximum) return tooMany
  // `every` would skip the holes of a sparse array.
  for (const entry of body) if (!isMessage(entry)) return notJsonRpc
  return body.length > 0 ? operationsOf(body, maximum) : notJsonRpc
}

/** A message with checked members. */
type Message = { readonly [Name in typeof members[number]]?: unknown }

const notJsonRpc = /*#__PURE__*/ Result.fail(/*#__PURE__*/ new MalformedRequest({ reason: "not-json-rpc" }))
const nameNotText = /*#__PURE__*/ Result.fail(/*#__PURE__*/ new MalformedRequest({ reason: "name-not-text" }))
const tooMany = /*#__PURE__*/ Result.fail(/*#__PURE__*/ new MalformedRequest({ reason: "too-many-operations" }))

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
    // Only errors may have a null id (MCP, base protocol: the id of a request must not be null).
    return typeof method === "string" && (hasId || id === undefined) && result === undefined && error === undefined &&
      (params === undefined || (typeof params === "object" && params !== null))
  }
  if (params !== undefined) return false
  if (error === undefined) return result !== undefined && hasId
  // The response to an unreadable request has no id, or a null id (JSON-RPC 2.0 §5).
  return result === undefined && isError(error) && (hasId || id === undefined || id === null)
}

const hasOnlyMembers = (value: object): boolean => {
  // Avoids `Object.keys`, which creates an array for each message. Inherited members are rejected below.
  for (const name in value) if (!isMember(name)) return false
  // The result of a body parser can inherit members, which some servers read and others ignore.
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

// Rejects other members, because Effect would decode an error with a `_tag` as a defect or a cause.
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
      return method.startsWith("tasks/") ? ["task", own(params, "taskId")] : [undefined, undefined]
  }
}

/**
 * Names the method that opens a subscription (MCP 2026-07-28).
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
 * Removes resources from the subscriptions of a parsed body. Changes the body in place, so that the server executes the
 * value that was authorized.
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
