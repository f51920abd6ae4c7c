/**
 * Finds the registration that an operation runs on a server of an official SDK. Also finds the policy of that registration, and
 * whether the caller can see the registration.
 *
 * Both SDKs store registrations in the same four records of a server, and look them up when a request begins.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { Verdict } from "../../authorization/policy/Verdict.ts"
import { AuthConfigError } from "../../protocol/AuthError.ts"
import { own } from "../../protocol/Json.ts"
import * as Operation from "../../protocol/Operation.ts"
import type { PolicyForTool } from "../host/ToolList.ts"
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
import {
  checkPolicy,
  needsCaller,
  type RegistrationPolicies,
  type RegistrationPolicy,
  type RejectUnlessGranted
} from "./RegistrationPolicy.ts"
import {
  getRegistration,
  type Handler,
  isMcpServer,
  type McpServer,
  records,
  type UriTemplate,
  uriTemplateOf
} from "./SdkPrivates.ts"
import * as sdkTasks from "./SdkTasks.ts"
import * as updateFilter from "./UpdateFilter.ts"
import * as uriMatcher from "./UriMatcher.ts"
import type { Viewer } from "./Visibility.ts"

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
   * Returns the tool that created a task of this caller, and the policy of the tool. Returns `undefined` if the caller has no such
   * task, or the tool is hidden from the caller.
   */
  readonly findTask: (server: object, taskId: string, viewer: Viewer) => Promise<Found | undefined>
  /** Returns whether a server has a task store. */
  readonly hasTasks: (server: object) => boolean
  /**
   * Returns what an operation of this caller runs, or `undefined` if the SDK answers that the target or method does not exist.
   */
  readonly find: (server: object, operation: Operation.Operation, viewer: Viewer) => Found | undefined
  /**
   * Returns the Effect that evaluates the checks on which the visibility of registrations depends, or `undefined` if there is
   * nothing to evaluate. Call it before the other functions that take a viewer. If `operations` is set, it evaluates only the checks
   * that these operations need.
   */
  readonly prepare: (
    server: object,
    operations: ReadonlyArray<Operation.Operation> | undefined,
    viewer: Viewer
  ) => Effect.Effect<void> | undefined
  /** Returns whether `resources/read` of a server can read only registered resources. */
  readonly readsRegisteredOnly: (server: object) => boolean
  /**
   * Returns whether a resource certainly does not exist for this caller: it is hidden, or it is not registered and the server
   * reads only registered resources.
   */
  readonly isInvisible: (server: object, uri: string, viewer: Viewer) => boolean
  /** Returns whether a caller may learn that a resource has changed: the policy of the resource admits a subscription. */
  readonly isUpdateAdmitted: (server: object, uri: string, viewer: Viewer) => boolean | Promise<boolean>
  /**
   * Removes the registrations that are hidden from a caller. The server must serve only one request. Throws `AuthConfigError`
   * if registrations of the server were removed before.
   */
  readonly removeHidden: (server: object, viewer: Viewer) => void
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

/** The parts of a program that the registry needs. */
export interface Parts {
  readonly offered: ReadonlySet<string>
  readonly viewerOf: (extra: unknown) => Viewer
  readonly makeTasks: (
    isAllowed: (registration: object, viewer: Viewer) => Promise<boolean>
  ) => sdkTasks.Tasks
  readonly guardTransport: GuardTransport
  readonly policies: RegistrationPolicies
  /** Runs the checks of policies. */
  readonly run: <A>(effect: Effect.Effect<A>) => Promise<A>
  readonly rejectUnlessGranted: RejectUnlessGranted
  /** Adds security schemes to the tools of a list for a caller. `undefined`: lists contain none. */
  readonly addSchemes: ((result: unknown, policyFor: PolicyForTool, viewer: Viewer) => unknown) | undefined
}

/** Creates the registry of a program. */
export const make = (
  { addSchemes, guardTransport, makeTasks, offered, policies, rejectUnlessGranted, run, viewerOf }: Parts
): Registry => {
  const tasks = makeTasks(async (registration, viewer) => {
    const isAllowed = policies.isTaskAllowed(registration, viewer)
    return Effect.isEffect(isAllowed) ? run(isAllowed) : isAllowed
  })
  const matcherOf = uriMatcher.make()
  const lookUp = lookup.make(matcherOf)

  const instrumentedOf = (server: object): InstrumentedServer | undefined => {
    const instrumented = (server as Instrumented)[key]
    return instrumented?.wrap === wrapHandler ? instrumented : undefined
  }

  // An instrumented server was already recognized by `isMcpServer`.
  const isServer = (value: object): value is McpServer => instrumentedOf(value) !== undefined || isMcpServer(value)

  const isInvisible = makeIsInvisible({ isServer, instrumentedOf, lookUp, matcherOf, policies })
  const prepare = makePrepare(policies, lookUp)
  const guarded = makeGuarded({ lookUp, policies, rejectUnlessGranted, run, viewerOf })
  const wrapHandler = makeWrapHandler({ addSchemes, viewerOf, guarded, isInvisible, policies, prepare, run, tasks })

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
    prepare: (server, operations, viewer) => isServer(server) ? prepare(server, operations, viewer) : undefined,
    find: (server, operation, viewer) => {
      if (!isServer(server)) return { registration: undefined, policy: undefined }
      const registration = lookUp(server, operation, (_) => !policies.isHidden(_, viewer))
      if (registration !== undefined) return { registration, policy: policies.get(registration) }
      return isStandardMethod(server, operation.method, instrumentedOf(server))
        ? undefined
        : { registration: undefined, policy: undefined }
    },
    findTask: async (server, taskId, viewer) => {
      if (!isServer(server) || viewer.principal === undefined) return undefined
      const registration = await tasks.findTool(server, taskId, viewer.principal)
      if (registration === undefined) return undefined
      const evaluated = policies.evaluate(registration, viewer)
      if (evaluated !== undefined) await run(evaluated)
      return policies.isHidden(registration, viewer)
        ? undefined
        : { registration, policy: policies.get(registration) }
    },
    hasTasks: (server) => isServer(server) && server.server._taskStore !== undefined,
    readsRegisteredOnly: (server) => isServer(server) && readsRegisteredOnly(server, instrumentedOf(server)),
    isInvisible,
    isUpdateAdmitted: (server, uri, viewer) => {
      if (!isServer(server)) return true
      const operation: Operation.Operation = {
        method: "resources/subscribe",
        kind: "resource",
        target: uri,
        params: { uri },
        isNotification: false
      }
      const decide = (): boolean | Promise<boolean> => {
        if (isInvisible(server, uri, viewer)) return false
        const registration = lookUp(server, operation, (_) => !policies.isHidden(_, viewer))
        const verdict = registration === undefined
          ? undefined
          : policies.evaluateOperation(registration, operation, viewer)
        return verdict === undefined || (Effect.isEffect(verdict) ? run(verdict).then(isGranted) : isGranted(verdict))
      }
      const waiting = prepare(server, [operation], viewer)
      return waiting === undefined ? decide() : run(waiting).then(decide)
    },
    removeHidden: (server, viewer) => {
      if (!isServer(server)) return
      updateFilter.storeViewer(server, viewer)
      const removed = instrumentedOf(server)?.removed
      if (removed !== undefined && removed.length > 0) throw notFresh
      for (const record of records) {
        for (const [name, registration] of Object.entries(server[record])) {
          if (!policies.isHidden(registration, viewer)) continue
          removed?.push({ record, name, registration })
          ;(registration as { readonly remove: () => void }).remove()
        }
      }
    }
  }
}

type Prepare = (
  server: McpServer,
  operations: ReadonlyArray<Operation.Operation> | undefined,
  viewer: Viewer
) => Effect.Effect<void> | undefined

/** The records that the methods which list registrations read. */
const listed: Readonly<Record<string, ReadonlyArray<typeof records[number]>>> = {
  "tools/list": ["_registeredTools"],
  "prompts/list": ["_registeredPrompts"],
  "resources/list": ["_registeredResources", "_registeredResourceTemplates"],
  "resources/templates/list": ["_registeredResourceTemplates"]
}

/** Creates the function that evaluates the checks of the registrations that operations list or look up. */
const makePrepare = (policies: RegistrationPolicies, lookUp: lookup.LookUp): Prepare => {
  const forRecords = (
    server: McpServer,
    names: ReadonlyArray<typeof records[number]>,
    viewer: Viewer
  ): ReadonlyArray<Effect.Effect<void>> =>
    names.flatMap((record) =>
      Object.keys(server[record]).flatMap((name) => {
        const registration = getRegistration(server[record], name)
        const evaluated = registration === undefined ? undefined : policies.evaluate(registration, viewer)
        return evaluated === undefined ? [] : [evaluated]
      })
    )

  /** Returns the Effect for the first registration that a lookup needs and that was not evaluated. */
  const forLookUp = (
    server: McpServer,
    operation: Operation.Operation,
    viewer: Viewer
  ): Effect.Effect<void> | undefined => {
    let evaluated: Effect.Effect<void> | undefined
    lookUp(server, operation, (registration) => {
      evaluated ??= policies.evaluate(registration, viewer)
      return !policies.isHidden(registration, viewer)
    })
    // If this registration is hidden, the lookup continues with the next template that matches.
    return evaluated === undefined ? undefined : Effect.flatMap(
      evaluated,
      () => forLookUp(server, operation, viewer) ?? Effect.void
    )
  }

  return (server, operations, viewer) => {
    if (!policies.canEvaluate() || viewer.principal === undefined) return undefined
    const effects = operations === undefined ? forRecords(server, records, viewer) : operations.flatMap((operation) => {
      const found = forLookUp(server, operation, viewer)
      const listing = forRecords(server, listed[operation.method] ?? [], viewer)
      return found === undefined ? listing : [found, ...listing]
    })
    return effects.length === 0 ? undefined : Effect.all(effects, { discard: true })
  }
}

const isGranted = ({ _tag }: Verdict): boolean => _tag === "Granted"

/** Returns the operation of a request that a handler receives. */
const operationOf = (method: string, request: unknown): Operation.Operation | undefined => {
  const { params } = request as { readonly params?: unknown }
  const message = { jsonrpc: "2.0", id: 0, method, ...(params === undefined ? {} : { params }) }
  const operations = Operation.fromBody(message)
  return Result.isSuccess(operations) ? operations.success[0] : undefined
}

/**
 * Creates the function that wraps handlers of the SDK or of the author of the server which name a registration and do not run its
 * handler. Usually, the gate has already authorized the request, but there is no gate in front of a local caller.
 */
const makeGuarded = (
  { lookUp, policies, rejectUnlessGranted, run, viewerOf }:
    & Pick<Parts, "policies" | "rejectUnlessGranted" | "run" | "viewerOf">
    & { readonly lookUp: lookup.LookUp }
) =>
(server: McpServer, method: string, handler: Handler): Handler =>
(request, extra) => {
  const viewer = viewerOf(extra)
  const operation = operationOf(method, request)
  const registration = operation && lookUp(server, operation, (_) => !policies.isHidden(_, viewer))
  const evaluated = registration && policies.evaluateOperation(registration, operation, viewer)
  if (evaluated === undefined) return handler(request, extra)
  const { unauthorized } = policies.get(registration!)!
  const what = `${method} of ${operation!.kind} ${operation!.target}`
  const answer = (verdict: Verdict): unknown => {
    const rejected = rejectUnlessGranted(what, unauthorized, verdict, viewer.principal, extra)
    return rejected === undefined ? handler(request, extra) : rejected.then((error) => Promise.reject(error))
  }
  return Effect.isEffect(evaluated) ? run(evaluated).then(answer) : answer(evaluated)
}

/** Creates the function that wraps the handlers of servers: it hides registrations, and separates the tasks of callers. */
const makeWrapHandler = (
  { addSchemes, guarded, isInvisible, policies, prepare, run, tasks, viewerOf }: {
    readonly guarded: ReturnType<typeof makeGuarded>
    readonly isInvisible: Registry["isInvisible"]
    readonly prepare: Prepare
    readonly tasks: sdkTasks.Tasks
  } & Pick<Parts, "addSchemes" | "viewerOf" | "policies" | "run">
): WrapHandler => {
  /** Runs a handler after the checks on which the visibility of registrations depends. */
  const prepared = (server: McpServer, method: string, handler: Handler): Handler => (request, extra) => {
    if (!policies.canEvaluate()) return handler(request, extra)
    const operation = operationOf(method, request)
    const waiting = prepare(server, operation === undefined ? [] : [operation], viewerOf(extra))
    return waiting === undefined ? handler(request, extra) : run(waiting).then(() => handler(request, extra))
  }

  // The author of the server writes the handler for subscriptions, and this handler looks up no registration. Subscriptions to
  // hidden resources are therefore rejected here, with the error of the SDK for a resource that does not exist.
  const subscribeVisible = (server: McpServer, handler: Handler): Handler => (request, extra) => {
    const uri = (request as { readonly params?: { readonly uri?: unknown } }).params?.uri
    if (typeof uri === "string" && isInvisible(server, uri, viewerOf(extra))) throw new ResourceNotFound(uri)
    return handler(request, extra)
  }

  return (server, method, handler) => {
    if (sdkTasks.methods.includes(method)) return tasks.wrap(server, method, handler)
    if (method === "resources/subscribe") {
      return prepared(server, method, subscribeVisible(server, guarded(server, method, handler)))
    }
    const withoutHidden = hideFromHandler(server, handler, policies, viewerOf)
    const isCompletion = method === "completion/complete"
    const hiding = prepared(server, method, isCompletion ? guarded(server, method, withoutHidden) : withoutHidden)
    if (method === "tools/call") return (request, extra) => handlerRejection.rethrow(hiding(request, extra), extra)
    if (!privateResults.methods.has(method)) return hiding
    const policyFor = policyForTool(server, policies)
    return (request, extra) => {
      const handled = hiding(request, extra)
      const result = method === "tools/list" && addSchemes !== undefined
        ? privateResults.mapResult(handled, (list) => addSchemes(list, policyFor, viewerOf(extra)))
        : handled
      return viewerOf(extra).principal !== undefined || policies.canHide() ? privateResults.toPrivate(result) : result
    }
  }
}

/** Returns the policy that the gate enforces for the calls of a tool that a server lists. */
const policyForTool = (server: McpServer, policies: RegistrationPolicies): PolicyForTool => ({ execution, name }) => {
  const registration = getRegistration(server._registeredTools, String(name))
  const policy = registration === undefined ? undefined : policies.get(registration)
  if (policy === undefined) return needsCaller
  const { rule, scopes, unauthorized } = policy
  const isTask = own(execution, "taskSupport") === "required"
  // The scopes of a call that depend on its arguments are unknown here. A task has no anonymous owner.
  return typeof scopes === "function" || (isTask && rule?.isOpen === true)
    ? needsCaller
    : { rule, scopes, unauthorized, authenticated: isTask }
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

  return (server, uri, viewer) => {
    if (!isServer(server)) return false
    const resource = { kind: "resource", method: "resources/read", target: uri } as const
    if (lookUp(server, resource, (_) => !policies.isHidden(_, viewer)) !== undefined) return false
    return readsRegisteredOnly(server, instrumentedOf(server)) || isRemoved(server, uri) ||
      lookUp(server, resource, () => true) !== undefined
  }
}
