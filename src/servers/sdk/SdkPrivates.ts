/**
 * Declares every private member of the official SDKs that this library uses. The other files of `src/` use no private member
 * that is not declared here.
 *
 * The SDKs declare the members of `McpServer` and `Protocol` that begin with `_` as private. Except for the task store, they
 * have the same names in both SDKs. `SdkPrivates.test.ts` checks each private member against the installed versions. If an
 * object lacks one of the members that `isMcpServer` checks, it is not recognized as an `McpServer`. The registration functions
 * then throw, and every request to this server needs a valid token.
 */

/** A handler of the protocol, for one method. */
export type Handler = (request: unknown, extra: unknown) => unknown

/** Registrations by name, or by URI. */
export type Registrations = Record<string, object>

/** The URI templates of both SDKs. */
export interface UriTemplate {
  readonly match: (uri: string) => unknown
  readonly toString: () => string
}

/** A URI template with the private members from which its `match` builds a regular expression. */
export interface ParsedUriTemplate extends UriTemplate {
  readonly parts: ReadonlyArray<string | object>
  readonly escapeRegExp: (text: string) => string
  readonly partToRegExp: (part: object) => ReadonlyArray<{ readonly pattern: string }>
}

/** A registered template of resources. */
export interface RegisteredTemplate {
  readonly resourceTemplate: { readonly uriTemplate: UriTemplate }
}

/** The marks that an SDK sets to `true` when it installs its own handlers. */
export interface Marks {
  readonly _toolHandlersInitialized: boolean
  readonly _promptHandlersInitialized: boolean
  readonly _resourceHandlersInitialized: boolean
  readonly _completionHandlerInitialized: boolean
}

/** An `McpServer` of either SDK. */
export interface McpServer extends Marks {
  _registeredTools: Registrations
  _registeredPrompts: Registrations
  _registeredResources: Registrations
  _registeredResourceTemplates: Registrations
  readonly server: Protocol
}

/** The part of an `McpServer` that sends and receives messages. */
export interface Protocol extends TaskProtocol {
  readonly _requestHandlers: Map<string, Handler>
  readonly fallbackRequestHandler?: unknown
  connect: (...args: ReadonlyArray<unknown>) => unknown
  setRequestHandler: (...args: ReadonlyArray<unknown>) => unknown
}

/** A request, as the SDK passes it to `_onrequest`. */
export interface Request {
  readonly method?: string
  readonly params?: { readonly _meta?: Readonly<Record<string, unknown>>; readonly name?: string }
}

/** A page of `tasks/list`. */
export interface TaskPage {
  readonly tasks: ReadonlyArray<{ readonly taskId: string }>
  readonly nextCursor?: string | undefined
}

/** The member of a task store that finds a task by its id and its `sessionId`. */
export interface TaskStore {
  readonly getTask: (taskId: string, sessionId: string) => Promise<object | null | undefined>
}

/** The task store that handlers receive. */
export interface RequestTaskStore {
  readonly createTask: (params: unknown) => Promise<unknown>
  readonly getTask: (taskId: string) => Promise<unknown>
  readonly getTaskResult: (taskId: string) => Promise<unknown>
  readonly storeTaskResult: (taskId: string, ...others: ReadonlyArray<unknown>) => Promise<unknown>
  readonly updateTaskStatus: (taskId: string, ...others: ReadonlyArray<unknown>) => Promise<unknown>
  readonly listTasks: (cursor: string | undefined) => Promise<TaskPage>
}

/** The queue of messages of tasks. */
export interface TaskMessageQueue {
  readonly enqueue: (taskId: string, message: unknown, sessionId: string | undefined, maximum?: number) => unknown
  readonly dequeue: (taskId: string, sessionId: string | undefined) => unknown
  readonly dequeueAll: (taskId: string, sessionId: string | undefined) => unknown
}

/** The members of a `Protocol` for tasks. Only `@modelcontextprotocol/sdk` has a task store. */
export interface TaskProtocol {
  readonly _taskStore?: TaskStore | undefined
  _taskMessageQueue?: TaskMessageQueue | undefined
  _onrequest: (request: Request, extra: unknown) => unknown
  requestTaskStore: (request: Request, sessionId?: string | undefined) => RequestTaskStore
}

/** The records of an `McpServer` that hold its registrations. */
export const records = [
  "_registeredTools",
  "_registeredPrompts",
  "_registeredResources",
  "_registeredResourceTemplates"
] as const

/** The methods that list registrations or look one up, each with the mark of the SDK's own handler. */
export const marks: Readonly<Record<string, keyof Marks>> = {
  "tools/list": "_toolHandlersInitialized",
  "tools/call": "_toolHandlersInitialized",
  "prompts/list": "_promptHandlersInitialized",
  "prompts/get": "_promptHandlersInitialized",
  "resources/list": "_resourceHandlersInitialized",
  "resources/templates/list": "_resourceHandlersInitialized",
  "resources/read": "_resourceHandlersInitialized",
  "completion/complete": "_completionHandlerInitialized"
}

const isObject = (value: unknown): value is object => typeof value === "object" && value !== null

/** Returns whether a value has the parts of an `McpServer`. */
export const isMcpServer = (value: object): value is McpServer => {
  const { server } = value as Partial<McpServer>
  return isObject(server) && server._requestHandlers instanceof Map &&
    records.every((name) => isObject((value as Partial<McpServer>)[name]))
}

/** Returns a registration by its name. Ignores inherited members, because a tool may be called `constructor`. */
export const getRegistration = (record: Registrations, name: string | undefined): object | undefined =>
  name !== undefined && Object.hasOwn(record, name) ? record[name] : undefined

/** Returns the URI template of a registration, or `undefined` if the registration has no template. */
export const uriTemplateOf = (registration: object): UriTemplate | undefined =>
  (registration as Partial<RegisteredTemplate>).resourceTemplate?.uriTemplate
