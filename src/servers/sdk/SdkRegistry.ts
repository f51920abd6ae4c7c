/**
 * Finds the registration that an operation runs on a server of an official SDK. Also finds the policy of that registration, and
 * whether the caller can see the registration.
 *
 * Both SDKs store registrations in the same four records of a server, and look them up when a request begins.
 */
import { AuthConfigError } from "../../protocol/AuthError.ts"
import type { Operation } from "../../protocol/Operation.ts"
import type { Principal } from "../../verification/Principal.ts"
import * as handlerRejection from "./HandlerRejection.ts"
import { hideFromHandler, ResourceNotFound } from "./HiddenRegistrations.ts"
import {
  type GuardTransport,
  InstrumentedServer,
  isStandardMethod,
  readsRegisteredOnly,
  type WrapHandler
} from "./InstrumentedServer.ts"
import * as lookup from "./Lookup.ts"
import * as privateResults from "./PrivateResults.ts"
import { checkPolicy, makePolicies, type RegistrationPolicies, type RegistrationPolicy } from "./RegistrationPolicy.ts"
import { type Handler, isMcpServer, type McpServer, records, type UriTemplate, uriTemplateOf } from "./SdkPrivates.ts"
import * as sdkTasks from "./SdkTasks.ts"
import * as uriMatcher from "./UriMatcher.ts"

/** The registration that an operation runs, and its policy. */
export interface Found {
  readonly registration: object | undefined
  /** `undefined` if the registration was made without this library, or if `registration` is `undefined`. */
  readonly policy: RegistrationPolicy | undefined
}

/** The registrations of one program. */
export interface Registry {
  /** The scopes that callers can obtain. */
  readonly offered: ReadonlySet<string>
  /** Checks the policy of a registration. Throws `AuthConfigError` if the policy is wrong. */
  readonly checkPolicy: (what: string, policy: RegistrationPolicy) => RegistrationPolicy
  /** Stores the policy of a registration. */
  readonly setPolicy: (registration: object, policy: RegistrationPolicy) => void
  /**
   * Makes a server hide registrations from callers. Returns `false` if it is not an `McpServer`. Throws `AuthConfigError` if
   * another gate has instrumented the server, or if it is the member `server` of an instrumented `McpServer`.
   */
  readonly instrument: (server: object) => boolean
  /**
   * Returns what an operation of this caller runs, or `undefined` if the SDK answers that the target or method does not exist.
   */
  readonly find: (server: object, operation: Operation, principal: Principal | undefined) => Found | undefined
  /**
   * Returns the tool that created a task of this caller, and the policy of the tool. Returns `undefined` if the caller has no such
   * task, or the tool is hidden from the caller.
   */
  readonly findTask: (server: object, taskId: string, caller: Principal) => Promise<Found | undefined>
  /** Returns whether a server has a task store. */
  readonly hasTasks: (server: object) => boolean
  /** Returns whether `resources/read` of a server can read only registered resources. */
  readonly readsRegisteredOnly: (server: object) => boolean
  /**
   * Returns whether a resource certainly does not exist for this caller: it is hidden, or it is not registered and the server
   * reads only registered resources.
   */
  readonly isInvisible: (server: object, uri: string, principal: Principal | undefined) => boolean
  /**
   * Removes the registrations that are hidden from a caller. The server must serve only one request. Throws `AuthConfigError`
   * if registrations of the server were removed before.
   */
  readonly removeHidden: (server: object, principal: Principal | undefined) => void
}

// The key of the property in which a server and its `Protocol` store their `InstrumentedServer`. All gates share the key, so
// that each finds out whether another gate has instrumented the server. `makePolicies` explains why this is not a `WeakMap`.
const key = Symbol("effect-mcp-auth/InstrumentedServer")

type Instrumented = { [key]?: InstrumentedServer }

// One function for all servers. If each server had a closure, V8 would keep the server alive until a full garbage collection.
const setRequestHandler = function(this: Instrumented, ...args: ReadonlyArray<unknown>): unknown {
  return this[key]!.setRequestHandler(args)
}

const connect = function(this: Instrumented, ...args: ReadonlyArray<unknown>): unknown {
  return this[key]!.connect(args)
}

const otherGate = new AuthConfigError({
  reason: "conflict",
  option: "server",
  fix:
    "another gate already protects this McpServer, and each gate recognizes only the callers that it has verified. Create one " +
    "McpServer for each gate, or one gate for all authorization servers"
})

const isMember = new AuthConfigError({
  reason: "malformed",
  option: "server",
  fix: "this is the member server of an McpServer, which has no registrations. Give the McpServer itself"
})

const notFresh = new AuthConfigError({
  reason: "conflict",
  option: "createMcpHandler",
  fix:
    "the factory returned a server that has already served a request, so entries hidden from that caller are missing. " +
    "Return a new server for each request"
})

/** Creates the registry of a program. */
export const make = (
  offered: ReadonlySet<string>,
  callerOf: (extra: unknown) => Principal | undefined,
  makeTasks: (isAllowed: RegistrationPolicies["isAllowed"]) => sdkTasks.Tasks,
  guardTransport: GuardTransport
): Registry => {
  const policies = makePolicies()
  const tasks = makeTasks(policies.isAllowed)
  const matcherOf = uriMatcher.make()
  const lookUp = lookup.make(matcherOf)

  const instrumentedOf = (server: object): InstrumentedServer | undefined => {
    const instrumented = (server as Instrumented)[key]
    return instrumented?.wrap === wrapHandler ? instrumented : undefined
  }

  // An instrumented server was already recognized by `isMcpServer`.
  const isServer = (value: object): value is McpServer => instrumentedOf(value) !== undefined || isMcpServer(value)

  const isInvisible = makeIsInvisible({ isServer, instrumentedOf, lookUp, matcherOf, policies })
  const wrapHandler = makeWrapHandler({ callerOf, isInvisible, policies, tasks })

  return {
    offered,
    checkPolicy: (what, policy) => checkPolicy(what, policy, offered),
    setPolicy: (registration, policy) => {
      policies.set(registration, policy)
      const template = uriTemplateOf(registration)
      if (template !== undefined) matcherOf(template)
    },
    instrument: (server) => {
      const known = instrumentedOf(server)
      if (known !== undefined) {
        if (!known.isOf(server)) throw isMember
        return true
      }
      if (!isServer(server)) return false
      if ((server as Instrumented)[key] !== undefined) throw otherGate
      const instrumented = new InstrumentedServer(server, wrapHandler, guardTransport)
      ;(server as Instrumented)[key] = instrumented
      ;(server.server as Instrumented)[key] = instrumented
      server.server.setRequestHandler = setRequestHandler
      server.server.connect = connect
      tasks.instrument(server)
      return true
    },
    find: (server, operation, principal) => {
      if (!isServer(server)) return { registration: undefined, policy: undefined }
      const registration = lookUp(server, operation, (_) => !policies.isHidden(_, principal))
      if (registration !== undefined) return { registration, policy: policies.get(registration) }
      return isStandardMethod(server, operation.method, instrumentedOf(server))
        ? undefined
        : { registration: undefined, policy: undefined }
    },
    findTask: async (server, taskId, caller) => {
      if (!isServer(server)) return undefined
      const registration = await tasks.findTool(server, taskId, caller)
      return registration === undefined || policies.isHidden(registration, caller)
        ? undefined
        : { registration, policy: policies.get(registration) }
    },
    hasTasks: (server) => isServer(server) && server.server._taskStore !== undefined,
    readsRegisteredOnly: (server) => isServer(server) && readsRegisteredOnly(server, instrumentedOf(server)),
    isInvisible,
    removeHidden: (server, principal) => {
      if (!isServer(server)) return
      const removed = instrumentedOf(server)?.removed
      if (removed !== undefined && removed.length > 0) throw notFresh
      for (const record of records) {
        for (const [name, registration] of Object.entries(server[record])) {
          if (!policies.isHidden(registration, principal)) continue
          removed?.push({ record, name, registration })
          ;(registration as { readonly remove: () => void }).remove()
        }
      }
    }
  }
}

/** Creates the function that wraps the handlers of servers: it hides registrations, and separates the tasks of callers. */
const makeWrapHandler = (
  { callerOf, isInvisible, policies, tasks }: {
    readonly callerOf: (extra: unknown) => Principal | undefined
    readonly isInvisible: Registry["isInvisible"]
    readonly policies: RegistrationPolicies
    readonly tasks: sdkTasks.Tasks
  }
): WrapHandler => {
  // The author of the server writes the handler for subscriptions, and this handler looks up no registration. Subscriptions to
  // hidden resources are therefore rejected here, with the error of the SDK for a resource that does not exist.
  const subscribeVisible = (server: McpServer, handler: Handler): Handler => (request, extra) => {
    const uri = (request as { readonly params?: { readonly uri?: unknown } }).params?.uri
    if (typeof uri === "string" && isInvisible(server, uri, callerOf(extra))) throw new ResourceNotFound(uri)
    return handler(request, extra)
  }

  return (server, method, handler) => {
    if (sdkTasks.methods.includes(method)) return tasks.wrap(server, method, handler)
    if (method === "resources/subscribe") return subscribeVisible(server, handler)
    const hiding = hideFromHandler(server, handler, policies, callerOf)
    if (method === "tools/call") return (request, extra) => handlerRejection.rethrow(hiding(request, extra), extra)
    if (!privateResults.methods.has(method)) return hiding
    return (request, extra) => {
      const result = hiding(request, extra)
      return callerOf(extra) !== undefined || policies.canHide() ? privateResults.toPrivate(result) : result
    }
  }
}

/** Creates `isInvisible` of the registry. */
const makeIsInvisible = (
  { instrumentedOf, isServer, lookUp, matcherOf, policies }: {
    readonly isServer: (value: object) => value is McpServer
    readonly instrumentedOf: (server: object) => InstrumentedServer | undefined
    readonly lookUp: lookup.LookUp
    readonly matcherOf: (template: UriTemplate) => uriMatcher.Matcher
    readonly policies: RegistrationPolicies
  }
): Registry["isInvisible"] => {
  const isRemoved = (server: McpServer, target: string): boolean => {
    const uri = lookup.normalizeUri(target)
    const isAt = ({ name, record, registration }: InstrumentedServer["removed"][number]): boolean => {
      if (record === "_registeredResources") return name === uri
      const template = record === "_registeredResourceTemplates" ? uriTemplateOf(registration) : undefined
      return template !== undefined && matcherOf(template)(uri!)
    }
    return uri !== undefined && instrumentedOf(server)?.removed.some(isAt) === true
  }

  return (server, uri, principal) => {
    if (!isServer(server)) return false
    const resource = { kind: "resource", method: "resources/read", target: uri } as const
    if (lookUp(server, resource, (_) => !policies.isHidden(_, principal)) !== undefined) return false
    return readsRegisteredOnly(server, instrumentedOf(server)) || isRemoved(server, uri) ||
      lookUp(server, resource, () => true) !== undefined
  }
}
