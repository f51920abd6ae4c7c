/**
 * Creates the parts that both SDK adapters share: one gate for all servers of an SDK in a program.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Caller from "../../authorization/Caller.ts"
import type { Gate } from "../../authorization/Gate.ts"
import { AccessDenied } from "../../protocol/AuthError.ts"
import type { Principal } from "../../verification/Principal.ts"
import type { Admitted, Policies } from "../host/Admission.ts"
import * as authInfo from "../host/AuthInfo.ts"
import * as bindPolicy from "../host/BindPolicy.ts"
import * as body from "../host/Body.ts"
import * as honoContext from "../host/HonoContext.ts"
import * as Host from "../host/Host.ts"
import { findMissingRoles } from "../host/MissingRoles.ts"
import * as node from "../host/NodeHost.ts"
import { isEventStream } from "../host/StreamLifetime.ts"
import * as ToolList from "../host/ToolList.ts"
import * as web from "../host/WebHost.ts"
import { readOptions } from "./FetchArguments.ts"
import * as handlerRejection from "./HandlerRejection.ts"
import * as LocalServer from "./LocalServer.ts"
import * as register from "./Register.ts"
import { makePolicies, needsCaller } from "./RegistrationPolicy.ts"
import { makeReader, type ParseArguments } from "./SdkArguments.ts"
import * as sdkHandler from "./SdkHandler.ts"
import type { SdkLayer } from "./SdkOptions.ts"
import * as sdkPolicies from "./SdkPolicies.ts"
import * as sdkRegistry from "./SdkRegistry.ts"
import * as sdkTasks from "./SdkTasks.ts"
import type { Endpoints, FetchOptions, Local } from "./SdkTypes.ts"
import * as SetupLog from "./SetupLog.ts"
import * as transportGuard from "./TransportGuard.ts"
import { anonymousViewer, type Viewer } from "./Visibility.ts"

/** The second argument of `handleRequest` of both SDKs' transports. */
export interface TransportOptions {
  readonly authInfo?: authInfo.AuthInfo
  readonly parsedBody?: unknown
}

/** The server of all requests, or a function that takes a session id and returns the server of that session. */
type ServerOfSession = object | ((session: string | undefined) => object | undefined | Promise<object | undefined>)

/** A handler that is called only for admitted requests. */
type FetchHandler = (request: Request, options: TransportOptions) => Response | Promise<Response>

/** The members that both adapters share. */
export interface SdkHost {
  readonly host: Host.Host
  readonly registry: sdkRegistry.Registry
  readonly limits: body.Limits
  /** Returns the caller of a request from the context that an SDK passes to handlers and factories. */
  readonly callerOf: (context: unknown) => Principal | undefined
  /** Returns the same caller as `callerOf`, with its request. */
  readonly viewerOf: (context: unknown) => Viewer
  readonly register: register.Register
  /** Returns a function that gives servers a fixed caller. */
  readonly local: Local<string>
  /** Returns the policies of requests to the servers that `find` returns. */
  readonly policiesFor: (find: sdkPolicies.Find) => Policies
  /**
   * Returns the policies of requests to `server`, or to the servers that `server` returns if it is a function. Throws
   * `AuthConfigError` if `server` is neither an object nor a function.
   */
  readonly policiesForServer: (server: ServerOfSession, option: string) => Policies
  /** Authorizes a request, and runs the handler if it is admitted. */
  readonly serve: (
    opened: honoContext.Opened,
    reading: Reading,
    policies: Policies,
    handler: FetchHandler
  ) => Promise<Response>
  /** Returns the server that the function of `protect` or `protectFetch` returned for an admitted request. */
  readonly serverFor: (request: object) => object | undefined
  readonly protectFetch: (
    server: ServerOfSession,
    handler: FetchHandler
  ) => (given: Request | honoContext.HonoContext, options?: FetchOptions) => Promise<Response>
  readonly endpoints: Endpoints
}

/** The options for reading the body of a request. */
interface Reading extends FetchOptions {
  /** The maximum length of the body, in bytes. Default: `maximumBody`. */
  readonly limit?: number | undefined
  /** Whether the handler uses only the parsed body, so that the bytes need not be kept. Default: `false`. */
  readonly consumes?: boolean | undefined
}

/** Builds the layer, and creates the members that both adapters share. `parseArguments` parses with the schemas of one SDK. */
export const make = async <E, Schema>(
  { decodeClaims, layer, limits: given, listsSchemes }: SdkLayer<E>,
  parseArguments: ParseArguments<Schema>,
  sdkOptions: register.SdkOptions
): Promise<SdkHost> => {
  const limits = body.checkLimits(given)
  const host = await Host.make(layer)
  const callerOf = makeCallerOf(host.gate)
  const viewerOf = makeViewerOf(callerOf)
  const localCallers: LocalServer.LocalCallers = new WeakMap()
  const services = (caller: Principal) => {
    const services = host.gate.provideCaller(Context.empty(), caller)
    const local = localCallers.get(caller)
    return local === undefined ? services : Context.merge(services, local)
  }
  const log = SetupLog.make(host.runtime)
  const anonymous = host.gate.published.anonymous === "allow-unscoped"
  const handlers: sdkHandler.HandlerRuntime<any> = {
    runtime: host.runtime,
    anonymous,
    callerOf,
    isLocal: (caller) => localCallers.has(caller),
    structuredDenials: host.gate.published.structuredDenials === true,
    log,
    reject: makeReject(host),
    present: makePresent(host, localCallers),
    services
  }
  const registry = sdkRegistry.make({
    offered: host.gate.resource.offered,
    viewerOf,
    makeTasks: (isAllowed) =>
      sdkTasks.make({ gate: host.gate, viewerOf, isAllowed, log, recheck: makeRecheck(host, localCallers) }),
    guardTransport: (server, transport) => transportGuard.guard(guard, server, transport),
    policies: makePolicies((effect, caller) => Effect.provideContext(effect, services(caller))),
    run: (effect) => host.runtime.runPromise(effect),
    rejectUnlessGranted: sdkHandler.makeReject(handlers),
    addSchemes: listsSchemes ? makeAddSchemes(host.gate, localCallers) : undefined
  })
  const wrap = sdkHandler.make<any>(handlers)
  const readArguments = makeReader(parseArguments)

  const policiesFor: SdkHost["policiesFor"] = (find) =>
    sdkPolicies.make(registry, readArguments, find, host.gate.published.unlisted === "deny" ? undefined : log)

  const guard = transportGuard.make({ host, registry, policiesFor, viewerOf, log })

  const policiesForServer: SdkHost["policiesForServer"] = (server, option) => {
    sdkPolicies.checkServer(server, option)
    if (typeof server === "object") registry.instrument(server)
    if (typeof server === "object") return policiesFor(() => server)
    return policiesFor(({ operations, session }) => {
      const found = server(session)
      return sdkPolicies.isThenable(found)
        ? found.then((_) => storeServer(operations, _))
        : storeServer(operations, found)
    })
  }

  /** The servers that functions returned, by the operations of their requests. */
  const servers = new WeakMap<Admitted["operations"], object>()
  const storeServer = (operations: Admitted["operations"], server: object | undefined): object | undefined => {
    if (typeof server === "object" && server !== null) servers.set(operations, server)
    return server
  }

  const serve = makeServe(host, limits)

  return {
    host,
    registry,
    limits,
    callerOf,
    viewerOf,
    register: register.make({
      registry,
      wrap,
      bind: makeBind(host, log),
      readArguments,
      sdkOptions,
      log: anonymous ? log : undefined
    }),
    local: LocalServer.make(host.gate, registry, decodeClaims, localCallers),
    policiesFor,
    policiesForServer,
    serve,
    serverFor: (request) => {
      const admitted = transportGuard.findAdmitted(request, host)
      return admitted === undefined ? undefined : servers.get(admitted.operations)
    },
    protectFetch: (server, handler) => {
      const policies = policiesForServer(server, "protectFetch")
      sdkPolicies.checkHandler(handler, "protectFetch")
      return (given, ...rest) => serve(honoContext.open(given), readOptions(rest), policies, handler)
    },
    endpoints: makeEndpoints(host)
  }
}

/** Creates the function that binds policies. A policy that needs a role which no caller of the gate has is logged. */
const makeBind = ({ gate, services }: Host.Host, log: SetupLog.SetupLog): bindPolicy.BindPolicy => {
  const bind = bindPolicy.make(gate.resource, services)
  return (policy, what) => {
    const error = findMissingRoles(policy, gate.resource, what)
    // Not an error: the callers of `local` have the roles that the author states.
    if (error !== undefined) log("Warn", `${error.message}. Callers of local are not affected`)
    return bind(policy, what)
  }
}

/** Creates the function that returns the caller of a request from the context that an SDK passes to handlers and factories. */
const makeCallerOf = (gate: Gate) => (context: unknown): Principal | undefined => {
  const info = sdkHandler.authInfoOf(context)
  return info === undefined ? undefined : authInfo.principalOf(info, gate)
}

/** Creates the function that returns the caller with its request, for the checks of policies. */
const makeViewerOf = (callerOf: SdkHost["callerOf"]): SdkHost["viewerOf"] => (context) => {
  const principal = callerOf(context)
  return principal === undefined
    ? anonymousViewer
    : { principal, request: authInfo.requestOf(sdkHandler.authInfoOf(context)!) }
}

/** Creates the function that rejects a call inside the server, where nothing is known about the HTTP request. */
const makeReject =
  ({ fiber, gate, run }: Host.Host): sdkHandler.HandlerRuntime<unknown>["reject"] =>
  async (operation, principal, reason) => {
    const { request, timing } = Caller.unknown(fiber)
    const caller = Caller.make(request, principal, timing)
    const call = { method: operation, target: undefined, kind: undefined, params: undefined, isNotification: false }
    const decided = await run(() =>
      reason instanceof AccessDenied
        ? gate.reject(caller, reason, [call])
        : gate.authorize(caller, [call], () => ({ ...needsCaller, scopes: reason }))
    )
    return Result.isFailure(decided) ? decided.failure : undefined
  }

/** Creates the function that fails a request if the token of its caller is no longer valid after a long wait. */
const makeRecheck =
  ({ fiber, gate, run }: Host.Host, localCallers: LocalServer.LocalCallers): sdkTasks.Recheck =>
  async (principal, extra) => {
    if (localCallers.has(principal)) return
    const { request, timing } = Caller.unknown(fiber)
    const checked = await run(() => gate.recheck(Caller.make(request, principal, timing), true))
    if (Result.isSuccess(checked)) return
    const error = new handlerRejection.HandlerRejected("Authentication required", checked.failure)
    handlerRejection.store(sdkHandler.authInfoOf(extra), error)
    throw error
  }

/** Creates the function that adds security schemes to lists. A local caller cannot sign in, so its lists have none. */
const makeAddSchemes = (gate: Gate, localCallers: LocalServer.LocalCallers): sdkRegistry.Parts["addSchemes"] => {
  const addSchemes = ToolList.make(gate)
  return (result, policyFor, { principal }) =>
    principal !== undefined && localCallers.has(principal) ? result : addSchemes(result, policyFor)
}

/** Creates the function that returns the principal as handlers receive it, with its claims decoded. */
const makePresent = (host: Host.Host, localCallers: LocalServer.LocalCallers): (caller: Principal) => object => {
  const presented = new WeakMap<Principal, object>()
  return (caller) => {
    if (host.gate.claimsFor === undefined) return caller
    const known = presented.get(caller)
    if (known !== undefined) return known
    const local = localCallers.get(caller)
    const claims = local === undefined ? host.claims(caller) : local.mapUnsafe.values().next().value
    const made = Object.freeze({ ...caller, claims })
    // Handlers could change claims that are not frozen, so those are decoded again for each request.
    if (Object.isFrozen(claims)) presented.set(caller, made)
    return made
  }
}

const makeServe =
  (host: Host.Host, limits: body.Limits): SdkHost["serve"] =>
  ({ context, request }, { consumes, limit = limits.bytes, parsedBody, tenant }, policies, handler) =>
    web.serve(
      host,
      request,
      {
        reading: {
          limits: limit === limits.bytes ? limits : { ...limits, bytes: limit },
          consumes,
          parsedBody: parsedBody === undefined ? undefined : () => parsedBody
        },
        policies,
        tenantOf: tenant === undefined ? undefined : () => tenant,
        context
      },
      async (admitted, unread) => {
        const { authInfo, body, operations } = admitted
        if (consumes !== true) transportGuard.storeAdmitted(unread, host, admitted)
        const response = await handler(unread, {
          ...(authInfo === undefined ? {} : { authInfo }),
          ...(body === undefined ? {} : { parsedBody: body })
        })
        const rejection = handlerRejection.find(authInfo)?.rejection
        // The other calls of a batch have run, so a rejection of the batch would make the client repeat them.
        if (rejection === undefined || operations.length > 1 || isEventStream(response.headers.get("content-type"))) {
          return response
        }
        await response.body?.cancel()
        return web.respondTo(host, request, rejection, { context })
      }
    )

const makeEndpoints = (host: Host.Host): Endpoints => ({
  metadataRouter: () => async (req, res, next) => {
    const answered = node.document(host, req, res)
    if (answered === undefined) next()
    else await answered
  },
  metadata: (request) => web.document(host, request),
  gate: host.gate,
  dispose: host.dispose,
  [Symbol.asyncDispose]: host.dispose
})
