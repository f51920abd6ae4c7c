/**
 * The tasks of `@modelcontextprotocol/sdk`, which keeps them by session. On a transport without sessions each caller gets a
 * name that stands in for the session, so that no caller reaches the tasks of another one.
 */
import type { Gate } from "../../authorization/Gate.ts"
import type { Principal } from "../../verification/Principal.ts"

/** The methods that reach the tasks of the store. */
export const methods: ReadonlyArray<string> = ["tasks/get", "tasks/result", "tasks/list", "tasks/cancel"]

/**
 * The name of a caller for the task store: the same on every instance, and another one at every resource. A caller without
 * a principal gets a new name each time, so that its tasks are found by no other caller.
 */
export type OwnerOf = (extra: unknown) => string

export const makeOwnerOf = (gate: Gate, callerOf: (extra: unknown) => Principal | undefined): OwnerOf => (extra) => {
  const caller = callerOf(extra)
  return caller === undefined
    ? crypto.randomUUID()
    : JSON.stringify([gate.published.resourceFor(caller).resource, caller.key])
}

type Handler = (request: unknown, extra: unknown) => unknown

/** Wraps a handler of one of the `methods`: the SDK hands the session of its `extra` to the task store. */
export const owned = (handler: Handler, ownerOf: OwnerOf): Handler => (request, extra) => {
  const { sessionId, taskStore } = extra as { readonly sessionId?: unknown; readonly taskStore?: unknown }
  return sessionId !== undefined || taskStore === undefined
    ? handler(request, extra)
    : handler(request, { ...extra as object, sessionId: ownerOf(extra) })
}

interface Request {
  readonly params?: { readonly _meta?: Readonly<Record<string, unknown>> }
}

/** The parts of a server of the SDK that are used here: private by type. */
export interface Protocol {
  readonly _taskStore?: unknown
  readonly _transport?: { readonly sessionId?: unknown } | undefined
  _onrequest: (request: Request, extra: unknown) => unknown
  requestTaskStore: (request: unknown, sessionId: string | undefined) => unknown
}

/** Gives handlers a task store that creates and finds the tasks of their caller. */
export const adopt = (protocol: Protocol, ownerOf: OwnerOf): void => {
  if (protocol._taskStore === undefined) return
  const { _onrequest, requestTaskStore } = protocol
  let owner: string | undefined
  protocol.requestTaskStore = (request, sessionId) =>
    Reflect.apply(requestTaskStore, protocol, [request, sessionId ?? owner])
  protocol._onrequest = (request, extra) => {
    if (protocol._transport?.sessionId !== undefined) return Reflect.apply(_onrequest, protocol, [request, extra])
    // The SDK makes the store of the request before it waits for anything.
    owner = ownerOf(extra)
    try {
      return Reflect.apply(_onrequest, protocol, [withoutRelatedTask(request), extra])
    } finally {
      owner = undefined
    }
  }
}

/** Without sessions, the SDK queues the answer to a request for the task that it names, without looking for an owner. */
const withoutRelatedTask = (request: Request): Request => {
  const meta = request.params?._meta
  if (meta === undefined || !Object.hasOwn(meta, relatedTask)) return request
  const { [relatedTask]: _, ...rest } = meta
  return { ...request, params: { ...request.params, _meta: rest } }
}

const relatedTask = "io.modelcontextprotocol/related-task"
