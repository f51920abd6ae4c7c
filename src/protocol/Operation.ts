/**
 * Which operations an MCP request asks for: a peek into its JSON-RPC body, nothing more.
 *
 * @since 0.1.0
 */

/**
 * One JSON-RPC message with a method.
 *
 * **Details**
 *
 * `target` is the tool or prompt name, the resource URI, or for `completion/complete` the prompt name or the URI template
 * whose argument is completed; `undefined` where the method has none or the message does not hold a string. A
 * notification counts as an operation: some servers execute it.
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
 * Lists the operations of a parsed body: one message or a legacy batch.
 *
 * **Details**
 *
 * A `subscriptions/listen` is one operation, and one more for each resource that it watches.
 *
 * **Gotchas**
 *
 * Pass the very value that the server will execute. A second parse, a header or a routing hint could say something else.
 *
 * **Example** (A tool call)
 *
 * ```ts
 * import { Operation } from "effect-mcp-auth"
 * import assert from "node:assert/strict"
 *
 * const body = { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "add_todo", arguments: {} } }
 *
 * assert.deepStrictEqual(Operation.fromBody(body).map(({ method, target }) => [method, target]), [["tools/call", "add_todo"]])
 * ```
 *
 * @category decoding
 * @since 0.1.0
 */
export const fromBody = (body: unknown): ReadonlyArray<Operation> => {
  const messages: ReadonlyArray<unknown> = Array.isArray(body) ? body : [body]
  const operations: Array<Operation> = []
  for (const message of messages) {
    const method = own(message, "method")
    if (typeof method !== "string") continue // a response to the server's own request, or no JSON-RPC at all
    const params = own(message, "params")
    const isNotification = own(message, "id") === undefined
    const add = ([kind, target]: Target) =>
      operations.push({
        method,
        kind,
        target: typeof target === "string" ? target : undefined,
        params,
        isNotification
      })
    add(targetOf(method, params))
    for (const uri of watchedBy(method, params)) add(["resource", uri])
  }
  return operations
}

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

const watchedBy = (method: string, params: unknown): ReadonlyArray<unknown> => {
  const uris = method === "subscriptions/listen"
    ? own(own(params, "notifications"), "resourceSubscriptions")
    : undefined
  return Array.isArray(uris) ? uris : []
}

// Own members only: `__proto__` and `constructor` are legal JSON keys and legal tool names.
const own = (value: unknown, key: string): unknown =>
  typeof value === "object" && value !== null && Object.hasOwn(value, key)
    ? (value as Record<string, unknown>)[key]
    : undefined
