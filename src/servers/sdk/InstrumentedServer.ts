/**
 * Wraps the handlers of an `McpServer`, including those that are set later, and records which of them the SDK itself installed.
 */
import * as privateResults from "./PrivateResults.ts"
import { type Handler, marks, type McpServer, type Protocol, type records } from "./SdkPrivates.ts"
import * as sdkTasks from "./SdkTasks.ts"

/** The methods whose handlers are wrapped. */
const methods: ReadonlySet<string> = new Set([
  ...Object.keys(marks),
  "resources/subscribe",
  ...privateResults.others,
  ...sdkTasks.methods
])

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

/** Guards the transport that a server connects to. One function serves all servers. */
export type GuardTransport = (server: McpServer, transport: object) => void

/** A registration that was removed from a server because it is hidden from the caller. */
export interface Removed {
  readonly record: (typeof records)[number]
  readonly name: string
  readonly registration: object
}

/** A handler that was wrapped. */
interface Wrapped {
  readonly method: string
  readonly handler: Handler
  /** The wrapper of the first handler that was wrapped for this method, if the SDK itself installed that handler. */
  readonly standard: Handler | undefined
  /** The wrapper of the handler that the server had before it was instrumented. */
  readonly earlier: Handler | undefined
}

/** The handlers of one server. */
export class InstrumentedServer {
  readonly removed: Array<Removed> = []
  /** Wraps the handlers of this server. Each gate has its own function, so it also tells which gate instrumented the server. */
  readonly wrap: WrapHandler
  readonly #guardTransport: GuardTransport
  readonly #server: McpServer
  readonly #connect: Protocol["connect"]
  readonly #setRequestHandler: Protocol["setRequestHandler"]
  // A list, because a server has few handlers, and most programs create a server for each request. Maps would be a large part
  // of what garbage collection copies.
  readonly #wrapped: Array<Wrapped> = []

  constructor(server: McpServer, wrap: WrapHandler, guardTransport: GuardTransport) {
    this.wrap = wrap
    this.#guardTransport = guardTransport
    this.#server = server
    this.#connect = server.server.connect
    this.#setRequestHandler = server.server.setRequestHandler
    for (const [method, handler] of server.server._requestHandlers) {
      if (!methods.has(method)) continue
      const wrapped = this.#wrapHandler(method, handler)
      // It is unknown whether the SDK or the author of the server set an earlier handler. An earlier handler that lists
      // registrations counts as the SDK's own, because its wrapper hides registrations in either case.
      const standard = method.endsWith("/list") ? wrapped : undefined
      this.#wrapped.push({ method, handler: wrapped, standard, earlier: wrapped })
    }
  }

  #wrapHandler(method: string, handler: Handler): Handler {
    const wrapped = this.wrap(this.#server, method, handler)
    this.#server.server._requestHandlers.set(method, wrapped)
    return wrapped
  }

  #find(method: string): Wrapped | undefined {
    for (const wrapped of this.#wrapped) if (wrapped.method === method) return wrapped
    return undefined
  }

  /** Returns the handlers that were set in another way than through `setRequestHandler`. Usually there are none. */
  #findForeign(): Array<[method: string, Handler]> | undefined {
    let foreign: Array<[method: string, Handler]> | undefined
    for (const [method, handler] of this.#server.server._requestHandlers) {
      if (methods.has(method) && this.#find(method)?.handler !== handler) (foreign ??= []).push([method, handler])
    }
    return foreign
  }

  /** Returns whether this is the `McpServer`, and not its member `server`. */
  isOf(server: object): boolean {
    return this.#server === server
  }

  /** Guards a transport, and calls the original `connect` of the server. */
  connect(args: ReadonlyArray<unknown>): unknown {
    if (typeof args[0] === "object" && args[0] !== null) this.#guardTransport(this.#server, args[0])
    return Reflect.apply(this.#connect, this.#server.server, args)
  }

  /** Calls the original `setRequestHandler` of the server, and wraps the handlers that it sets. */
  setRequestHandler(args: ReadonlyArray<unknown>): unknown {
    const protocol = this.#server.server
    const foreign = this.#findForeign()
    const result = Reflect.apply(this.#setRequestHandler, protocol, args)
    // A server has few handlers, so this takes less time than to look up each of `methods`.
    for (const [method, handler] of protocol._requestHandlers) {
      if (!methods.has(method)) continue
      const before = this.#find(method)
      if (before?.handler === handler) continue
      const other = foreign?.find(([name]) => name === method)
      if (other?.[1] === handler) continue
      const wrapped = this.#wrapHandler(method, handler)
      if (before !== undefined) {
        this.#wrapped[this.#wrapped.indexOf(before)] = { ...before, handler: wrapped }
        continue
      }
      // The SDK installs its own handler once, and only if the method had no handler before.
      const standard = other === undefined ? wrapped : undefined
      this.#wrapped.push({ method, handler: wrapped, standard, earlier: undefined })
    }
    return result
  }

  isStandard(method: string, handler: Handler): boolean {
    return this.#find(method)?.standard === handler
  }

  /** Returns whether a handler is the SDK's own, or probably is, because the server had it before it was instrumented. */
  isPresumedStandard(method: string, handler: Handler): boolean {
    const wrapped = this.#find(method)
    return wrapped !== undefined && (wrapped.standard === handler || wrapped.earlier === handler)
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
