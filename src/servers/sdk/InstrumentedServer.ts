/**
 * Wraps the handlers of an `McpServer`, including those that are set later, and records which of them the SDK itself installed.
 */
import * as privateResults from "./PrivateResults.ts"
import { type Handler, marks, type McpServer, type Protocol, type records } from "./SdkPrivates.ts"
import * as sdkTasks from "./SdkTasks.ts"

/** The methods whose handlers are wrapped. */
const methods: ReadonlyArray<string> = [
  ...Object.keys(marks),
  "resources/subscribe",
  ...privateResults.others,
  ...sdkTasks.methods
]

/** The methods that a server answers itself, without a handler that the author of the server registered. */
const builtIn: ReadonlySet<string> = new Set([
  "initialize",
  "ping",
  "logging/setLevel",
  "server/discover",
  "subscriptions/listen",
  "notifications/initialized",
  "notifications/cancelled",
  "notifications/progress",
  "notifications/roots/list_changed"
])

/** Wraps a handler of a server. One function serves all servers. */
export type WrapHandler = (server: McpServer, method: string, handler: Handler) => Handler

/** A registration that was removed from a server because it is hidden from the caller. */
export interface Removed {
  readonly record: (typeof records)[number]
  readonly name: string
  readonly registration: object
}

/** The handlers of one server. Each array of handlers has the order of `methods`. */
export class InstrumentedServer {
  readonly removed: Array<Removed> = []
  readonly #server: McpServer
  readonly #wrap: WrapHandler
  readonly #setRequestHandler: Protocol["setRequestHandler"]
  /** The wrappers of the handlers that the SDK itself installed. */
  readonly #standard: Array<Handler | undefined> = []
  readonly #wrapped: Array<Handler | undefined> = []
  /** The wrappers of the handlers that the server had before it was instrumented. */
  readonly #earlier: Array<Handler | undefined> = []

  constructor(server: McpServer, wrap: WrapHandler) {
    this.#server = server
    this.#wrap = wrap
    this.#setRequestHandler = server.server.setRequestHandler
    if (server.server._requestHandlers.size === 0) return
    for (let index = 0; index < methods.length; index++) {
      const wrapped = this.#wrapHandler(index)
      this.#earlier[index] = wrapped
      // It is unknown whether the SDK or the author of the server set an earlier handler. An earlier handler that lists
      // registrations counts as the SDK's own, because its wrapper hides registrations in either case.
      if (wrapped !== undefined && methods[index]!.endsWith("/list")) this.#standard[index] = wrapped
    }
  }

  #wrapHandler(index: number): Handler | undefined {
    const handlers = this.#server.server._requestHandlers
    const method = methods[index]!
    const handler = handlers.get(method)
    if (handler === undefined || handler === this.#wrapped[index]) return undefined
    const wrapped = this.#wrap(this.#server, method, handler)
    this.#wrapped[index] = wrapped
    handlers.set(method, wrapped)
    return wrapped
  }

  /** Calls the original `setRequestHandler` of the server, and wraps the handler that it sets. */
  setRequestHandler(args: ReadonlyArray<unknown>): unknown {
    const protocol = this.#server.server
    const handlers = protocol._requestHandlers
    const before = methods.map((method) => handlers.get(method))
    const result = Reflect.apply(this.#setRequestHandler, protocol, args)
    for (let index = 0; index < methods.length; index++) {
      if (handlers.get(methods[index]!) === before[index]) continue
      // The SDK installs its own handler once, and only if the method had no handler before.
      const isFirst = before[index] === undefined && this.#wrapped[index] === undefined
      const wrapped = this.#wrapHandler(index)
      if (isFirst) this.#standard[index] = wrapped
    }
    return result
  }

  isStandard(method: string, handler: Handler): boolean {
    return this.#standard[methods.indexOf(method)] === handler
  }

  /** Returns whether a handler is the SDK's own, or probably is, because the server had it before it was instrumented. */
  isPresumedStandard(method: string, handler: Handler): boolean {
    return this.isStandard(method, handler) || this.#earlier[methods.indexOf(method)] === handler
  }
}

/** Returns whether the SDK itself handles a method, without code of the author of the server. */
export const isStandardMethod = (
  server: McpServer,
  method: string,
  instrumented: InstrumentedServer | undefined
): boolean => {
  if (builtIn.has(method)) return true
  const handler = server.server._requestHandlers.get(method)
  if (handler === undefined) {
    return server.server.fallbackRequestHandler === undefined && !method.startsWith("notifications/")
  }
  const mark = marks[method]
  return mark !== undefined && server[mark] === true && instrumented?.isStandard(method, handler) === true
}

/** Returns whether `resources/read` of a server can read only registered resources. */
export const readsRegisteredOnly = (server: McpServer, instrumented: InstrumentedServer | undefined): boolean => {
  const method = "resources/read"
  const handler = server.server._requestHandlers.get(method)
  if (handler === undefined) return isStandardMethod(server, method, instrumented)
  return server[marks[method]!] === true && instrumented?.isPresumedStandard(method, handler) === true
}
