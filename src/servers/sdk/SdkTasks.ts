/**
 * Separates the tasks of callers on `@modelcontextprotocol/sdk`, which stores tasks by session id. On a transport without
 * sessions, a name of the caller replaces the session id, so that no caller reaches the tasks of another caller.
 */
import type { Gate } from "../../authorization/Gate.ts"
import type { Principal } from "../../verification/Principal.ts"
import type { Handler, Request, TaskProtocol } from "./SdkPrivates.ts"

/** The methods that read or change the task store. */
export const methods: ReadonlyArray<string> = ["tasks/get", "tasks/result", "tasks/list", "tasks/cancel"]

/**
 * Returns the name of a caller for the task store. The name is the same on every instance of the program, and differs between
 * resources. An anonymous caller gets a new name each time, so that no other caller finds its tasks.
 */
export type OwnerOf = (extra: unknown) => string

/** Creates the function that names callers. A name consists of the resource and the key of the principal. */
export const makeOwnerOf = (gate: Gate, callerOf: (extra: unknown) => Principal | undefined): OwnerOf => (extra) => {
  const caller = callerOf(extra)
  return caller === undefined
    ? crypto.randomUUID()
    : JSON.stringify([gate.published.resourceFor(caller).resource, caller.key])
}

/**
 * Wraps a handler of one of the `methods`. The SDK passes the `sessionId` of `extra` to the task store, so the wrapper sets a
 * missing `sessionId` to the name of the caller.
 */
export const withOwner = (handler: Handler, ownerOf: OwnerOf): Handler => (request, extra) => {
  const { sessionId, taskStore } = extra as { readonly sessionId?: unknown; readonly taskStore?: unknown }
  return sessionId !== undefined || taskStore === undefined
    ? handler(request, extra)
    : handler(request, { ...extra as object, sessionId: ownerOf(extra) })
}

/** Restricts the task store that handlers receive: it creates and finds only tasks of the caller. */
export const instrument = (protocol: TaskProtocol, ownerOf: OwnerOf): void => {
  if (protocol._taskStore === undefined) return
  const { _onrequest, requestTaskStore } = protocol
  let owner: string | undefined
  protocol.requestTaskStore = (request, sessionId) =>
    Reflect.apply(requestTaskStore, protocol, [request, sessionId ?? owner])
  protocol._onrequest = (request, extra) => {
    if (protocol._transport?.sessionId !== undefined) return Reflect.apply(_onrequest, protocol, [request, extra])
    // The SDK calls `requestTaskStore` before `_onrequest` returns, so `owner` belongs to this request.
    owner = ownerOf(extra)
    try {
      return Reflect.apply(_onrequest, protocol, [withoutRelatedTask(request), extra])
    } finally {
      owner = undefined
    }
  }
}

/**
 * Removes the related task from a request. Without sessions, the SDK would queue the answer for that task and check no owner.
 */
const withoutRelatedTask = (request: Request): Request => {
  const meta = request.params?._meta
  if (meta === undefined || !Object.hasOwn(meta, relatedTask)) return request
  const { [relatedTask]: _, ...rest } = meta
  return { ...request, params: { ...request.params, _meta: rest } }
}

const relatedTask = "io.modelcontextprotocol/related-task"
