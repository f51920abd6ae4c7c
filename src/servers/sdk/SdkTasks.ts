/**
 * Separates the tasks of callers on `@modelcontextprotocol/sdk`, and applies the policy of a tool to its tasks.
 *
 * The task store of the SDK keeps one name for each task, which the SDK calls `sessionId`. This file replaces that name: it
 * consists of the resource, the key of the principal, and the tool that created the task. A task is looked up under the names of
 * the tools that its caller may use, so the store alone keeps which tool a task belongs to, for all instances that share it.
 */
import type { Gate } from "../../authorization/Gate.ts"
import type { Principal } from "../../verification/Principal.ts"
import {
  getRegistration,
  type Handler,
  type McpServer,
  type Protocol,
  type Request,
  type RequestTaskStore,
  type TaskPage,
  type TaskStore
} from "./SdkPrivates.ts"
import type { SetupLog } from "./SetupLog.ts"
import { anonymousViewer, type Viewer } from "./Visibility.ts"

/** The methods that read or change the task store. */
export const methods: ReadonlyArray<string> = ["tasks/get", "tasks/result", "tasks/list", "tasks/cancel"]

/** A tool of a server that creates tasks. `undefined` in its place stands for methods that the author of the server added. */
type Tool = string | undefined

/** The tasks of all callers of one gate. */
export interface Tasks {
  /** Makes a server keep the tasks of callers apart. Does nothing if the server has no task store. */
  readonly instrument: (server: McpServer) => void
  /** Wraps a handler of one of the `methods`, so that it finds only the tasks that the caller may use. */
  readonly wrap: (server: McpServer, method: string, handler: Handler) => Handler
  /**
   * Returns the tool that created a task of this caller, whether or not the caller may still use the tool. Returns `undefined`
   * if the caller has no such task.
   */
  readonly findTool: (server: McpServer, taskId: string, caller: Principal) => Promise<object | undefined>
}

/** Fails the request of a caller whose token has expired or was revoked since the request arrived. */
export type Recheck = (caller: Principal, extra: unknown) => Promise<void>

/** The parts of a gate that decide about tasks. */
interface Parts {
  readonly gate: Gate
  readonly viewerOf: (extra: unknown) => Viewer
  /** Returns whether a caller may use the tasks of a tool. */
  readonly isAllowed: (registration: object, viewer: Viewer) => Promise<boolean>
  readonly recheck: Recheck
  readonly log: SetupLog
}

/** Creates the tasks of a gate. */
export const make = ({ gate, isAllowed, log, recheck, viewerOf }: Parts): Tasks => {
  const ownerOf = (caller: Principal | undefined): Owner => new Owner(gate, caller)

  /** Returns whether a caller may use the tasks of a tool. Tasks that no tool created have no policy. */
  const isToolAllowed = async (server: McpServer, tool: Tool, viewer: Viewer): Promise<boolean> => {
    if (tool === undefined) return true
    const registration = getRegistration(server._registeredTools, tool)
    return registration !== undefined && await isAllowed(registration, viewer)
  }

  /** Returns the tools whose tasks a caller may use. */
  const allowedTools = async (server: McpServer, viewer: Viewer): Promise<ReadonlyArray<Tool>> => {
    const allowed: Array<Tool> = []
    // One after the other, because the checks of a caller are shared by the tools.
    for (const tool of creators(server)) if (await isToolAllowed(server, tool, viewer)) allowed.push(tool)
    return allowed
  }

  /** Returns whether the store shows a task to every caller: it has no owner, or the store does not compare `sessionId`. */
  const isShared = async (store: TaskStore, taskId: string): Promise<boolean> => {
    const shared = await store.getTask(taskId, crypto.randomUUID()) != null
    if (shared) log("Error", sharedTask)
    return shared
  }

  /** Returns the name under which the store keeps a task. Throws if the caller has no such task, or may not use it. */
  const nameOf = async (
    server: McpServer,
    store: TaskStore,
    owner: Owner,
    viewer: Viewer,
    taskId: string
  ): Promise<string> => {
    for (const tool of creators(server)) {
      const name = owner.nameFor(tool)
      if (await store.getTask(taskId, name) == null) continue
      if (!await isShared(store, taskId) && await isToolAllowed(server, tool, viewer)) return name
      break
    }
    throw new InvalidParams("Task not found")
  }

  /** Lists tasks under the names of all tools. A page ends where the store ends its page. */
  const list = async (
    store: TaskStore,
    tools: ReadonlyArray<Tool>,
    cursor: string | undefined,
    pageOf: (tool: Tool, cursor: string | undefined) => Promise<TaskPage>
  ): Promise<TaskPage> => {
    const start = cursor === undefined ? { index: 0, rest: undefined } : parseCursor(tools, cursor)
    let rest = start.rest
    const tasks: Array<TaskPage["tasks"][number]> = []
    for (const tool of tools.slice(start.index)) {
      const page = await pageOf(tool, rest)
      for (const task of page.tasks) if (!await isShared(store, task.taskId)) tasks.push(task)
      if (page.nextCursor !== undefined) return { ...page, tasks, nextCursor: JSON.stringify([tool, page.nextCursor]) }
      rest = undefined
    }
    return { tasks }
  }

  const wrap: Tasks["wrap"] = (server, method, handler) => async (request, extra) => {
    const store = server.server._taskStore
    if (store === undefined) return handler(request, extra)
    const viewer = viewerOf(extra)
    const caller = viewer.principal
    const owner = ownerOf(caller)
    const handleAs = (sessionId: string, changed: unknown) => handler(changed, { ...extra as object, sessionId })
    const { params = {} } = request as { readonly params?: { readonly taskId?: string; readonly cursor?: string } }
    if (method === "tasks/list") {
      return list(store, await allowedTools(server, viewer), params.cursor, async (tool, cursor) => {
        const { cursor: _, ...others } = params
        const changed = { ...request as object, params: cursor === undefined ? others : { ...others, cursor } }
        return await handleAs(owner.nameFor(tool), changed) as TaskPage
      })
    }
    const result = await handleAs(await nameOf(server, store, owner, viewer, params.taskId!), request)
    // The SDK waits until the task has ended, which may be after the token has.
    if (method === "tasks/result" && caller !== undefined) await recheck(caller, extra)
    return result
  }

  const instrument: Tasks["instrument"] = (server) => {
    const protocol = server.server
    const store = protocol._taskStore
    if (store === undefined) return
    const { _onrequest, requestTaskStore } = protocol
    let viewer = anonymousViewer
    protocol.requestTaskStore = (request) => {
      const ofRequest = viewer
      const owner = ownerOf(ofRequest.principal)
      const storeFor = (name: string) => Reflect.apply(requestTaskStore, protocol, [request, name]) as RequestTaskStore
      const find = async (taskId: string) => storeFor(await nameOf(server, store, owner, ofRequest, taskId))
      return {
        createTask: async (params) => storeFor(owner.nameFor(creatorOf(server, request))).createTask(params),
        getTask: async (taskId) => (await find(taskId)).getTask(taskId),
        getTaskResult: async (taskId) => (await find(taskId)).getTaskResult(taskId),
        storeTaskResult: async (taskId, ...others) => (await find(taskId)).storeTaskResult(taskId, ...others),
        updateTaskStatus: async (taskId, ...others) => (await find(taskId)).updateTaskStatus(taskId, ...others),
        listTasks: async (cursor) =>
          list(
            store,
            await allowedTools(server, ofRequest),
            cursor,
            (tool, rest) => storeFor(owner.nameFor(tool)).listTasks(rest)
          )
      }
    }
    protocol._onrequest = (request, extra) => {
      // The SDK calls `requestTaskStore` before `_onrequest` returns, so `viewer` belongs to this request.
      viewer = viewerOf(extra)
      try {
        return Reflect.apply(_onrequest, protocol, [withoutRelatedTask(request), extra])
      } finally {
        viewer = anonymousViewer
      }
    }
    ignoreSessions(protocol)
  }

  const findTool: Tasks["findTool"] = async (server, taskId, caller) => {
    const store = server.server._taskStore
    if (store === undefined) return undefined
    const owner = ownerOf(caller)
    for (const tool of taskTools(server)) {
      if (await store.getTask(taskId, owner.nameFor(tool)) == null) continue
      return await isShared(store, taskId) ? undefined : getRegistration(server._registeredTools, tool)
    }
    return undefined
  }

  return { instrument, wrap, findTool }
}

/** The caller of one request, as the owner of tasks. */
class Owner {
  readonly #resource: string
  readonly #key: string

  /** An anonymous caller gets a new key for each request, so that no other caller finds its tasks. */
  constructor(gate: Gate, caller: Principal | undefined) {
    this.#resource = caller === undefined ? "anonymous" : gate.published.resourceFor(caller).resource
    this.#key = caller === undefined ? crypto.randomUUID() : caller.key
  }

  /** Returns the name under which the store keeps the tasks of a tool. It is the same on every instance of the program. */
  nameFor(tool: Tool): string {
    return JSON.stringify([this.#resource, this.#key, ...(tool === undefined ? [] : [tool])])
  }
}

/** Returns the names of the tools that create tasks: those that `registerToolTask` registered. */
const taskTools = ({ _registeredTools }: McpServer): ReadonlyArray<string> =>
  Object.keys(_registeredTools).filter((name) => isTaskTool(_registeredTools[name]!))

/** Returns the tools that can have created a task, and `undefined` for methods that the author of the server added. */
const creators = (server: McpServer): ReadonlyArray<Tool> => [...taskTools(server), undefined]

const isTaskTool = (registration: object): boolean => {
  const { handler } = registration as { readonly handler?: unknown }
  return typeof handler === "object" && handler !== null && "createTask" in handler
}

/** Returns the tool that a request calls. Throws if tasks of this tool would have no policy. */
const creatorOf = ({ _registeredTools }: McpServer, { method, params }: Request): Tool => {
  if (method !== "tools/call") return undefined
  const name = params?.name
  const registration = getRegistration(_registeredTools, name)
  if (registration !== undefined && isTaskTool(registration)) return name
  throw new Error(`tool ${name} cannot create tasks. Register it with registerToolTask`)
}

/** The error of a task that does not exist for the caller, and of a cursor that `tasks/list` did not return. */
class InvalidParams extends Error {
  override readonly name = "InvalidParams"
  readonly code = -32602
}

/** Reads a cursor of `list`: a tool, and the cursor of the store for the tasks of this tool. */
const parseCursor = (
  tools: ReadonlyArray<Tool>,
  cursor: string
): { readonly index: number; readonly rest: string } => {
  let parsed: unknown
  try {
    parsed = JSON.parse(cursor)
  } catch {
    throw new InvalidParams("Invalid cursor")
  }
  const [tool, rest] = Array.isArray(parsed) ? parsed : []
  const index = tools.indexOf(tool === null ? undefined : tool)
  if (index < 0 || typeof rest !== "string") throw new InvalidParams("Invalid cursor")
  return { index, rest }
}

/** Makes the queue of a server ignore sessions. Ids of tasks are unique, and the store decides which caller finds a task. */
const ignoreSessions = (protocol: Protocol): void => {
  const queue = protocol._taskMessageQueue
  if (queue === undefined) return
  protocol._taskMessageQueue = {
    enqueue: (taskId, message, _, maximum) => queue.enqueue(taskId, message, undefined, maximum),
    dequeue: (taskId) => queue.dequeue(taskId, undefined),
    dequeueAll: (taskId) => queue.dequeueAll(taskId, undefined)
  }
}

/**
 * Removes the related task from a request. The SDK would queue the answer for that task, and looks it up by the session, which
 * is not the name that the store keeps.
 */
const withoutRelatedTask = (request: Request): Request => {
  const meta = request.params?._meta
  if (meta === undefined || !Object.hasOwn(meta, relatedTask)) return request
  const { [relatedTask]: _, ...rest } = meta
  return { ...request, params: { ...request.params, _meta: rest } }
}

const relatedTask = "io.modelcontextprotocol/related-task"

const sharedTask =
  "the task store shows a task to every sessionId, so the gate answers that the task does not exist. Compare sessionId in the " +
  "store, and create tasks with extra.taskStore"
