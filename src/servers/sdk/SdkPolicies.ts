/**
 * Finds the policy of each operation in a request. The policies come from the registrations on the SDK's server.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { OperationPolicy } from "../../authorization/policy/OperationPolicy.ts"
import { AuthConfigError } from "../../protocol/AuthError.ts"
import * as ConfigOption from "../../protocol/ConfigOption.ts"
import { own } from "../../protocol/Json.ts"
import * as Operation from "../../protocol/Operation.ts"
import * as OptionValue from "../../protocol/OptionValue.ts"
import type { McpRequest, Policies, PolicyFor } from "../host/Admission.ts"
import * as authInfo from "../host/AuthInfo.ts"
import { needsCaller, scopesFor } from "./RegistrationPolicy.ts"
import type { ReadArguments } from "./SdkArguments.ts"
import type { Found, Registry } from "./SdkRegistry.ts"
import type { SetupLog } from "./SetupLog.ts"
import type { Viewer } from "./Visibility.ts"

/** Returns the server that answers a request, or `undefined` if there is none. */
export type Find = (request: McpRequest) => object | undefined | PromiseLike<object | undefined>

/** Returns whether a value is a promise, also of another library than the platform. */
export const isThenable = (value: object | undefined): value is PromiseLike<object | undefined> =>
  typeof (value as { readonly then?: unknown } | null | undefined)?.then === "function"

/** The operations whose scopes were evaluated from their arguments. */
const evaluated = new WeakSet<Operation.Operation>()

/** Returns whether the scopes of an operation were evaluated from its arguments before. */
export const isEvaluated = (operation: Operation.Operation): boolean => evaluated.has(operation)

/** Returns the caller of a request, as the look-up of registrations needs it. */
export const viewerOf = ({ authInfo: info, principal }: Pick<McpRequest, "authInfo" | "principal">): Viewer => ({
  principal,
  request: info === undefined ? undefined : authInfo.requestOf(info)
})

/**
 * Returns whether a value can be a server of an SDK, also of a version whose registrations this library does not recognize. Every
 * server connects to a transport.
 */
export const isServer = (value: unknown): value is object =>
  typeof value === "object" && value !== null && typeof (value as { readonly connect?: unknown }).connect === "function"

/** Checks that `server` is a server, or a function that returns the server. Otherwise throws `AuthConfigError`. */
export const checkServer = (server: unknown, option: string): void => {
  if (typeof server === "function" || isServer(server)) return
  throw new AuthConfigError({
    reason: "missing",
    option,
    fix:
      `the first argument: ${
        OptionValue.isNot(server, "an McpServer")
      }. Give the McpServer, or a function that takes a ` +
      "session id and returns the McpServer of that session"
  })
}

/** Checks that `handler`, the second argument of `option`, is a function. Otherwise throws `AuthConfigError`. */
export const checkHandler = (handler: unknown, option: string): void => {
  if (typeof handler === "function") return
  throw new AuthConfigError({
    reason: "missing",
    option,
    fix:
      `the second argument: ${
        OptionValue.isNot(handler, "a function")
      }. Give one that takes a request and returns the ` +
      "response of the transport"
  })
}

/**
 * Creates the policies of requests. `find` may return another server for each request. `log` is set if operations without a policy
 * are not rejected: it receives which registrations of the SDK itself any valid token can use, and which reject anonymous requests.
 */
export const make = (registry: Registry, readArguments: ReadArguments, find: Find, log?: SetupLog): Policies => {
  const policiesFor = (
    server: object | undefined,
    request: McpRequest
  ): Effect.Effect<PolicyFor, AuthConfigError> => {
    if (server === undefined) return unknownServer
    if (!isServer(server)) return Effect.fail(noServer(server))
    try {
      registry.instrument(server)
    } catch (error) {
      return Effect.fail(error as AuthConfigError)
    }
    const viewer = viewerOf(request)
    const waiting = registry.prepare(server, request.operations, viewer)
    return waiting === undefined
      ? preparedPolicies(server, request, viewer)
      : Effect.flatMap(waiting, () => preparedPolicies(server, request, viewer))
  }

  const preparedPolicies = (
    server: object,
    { body, operations, principal }: McpRequest,
    viewer: Viewer
  ): Effect.Effect<PolicyFor, AuthConfigError> => {
    let dynamic: Map<Operation.Operation, OperationPolicy> | undefined
    const find = finder(registry, server, operations, viewer)
    if (operations.some(({ method }) => method === Operation.listen)) {
      withoutInvisible(registry, server, operations, viewer, find, body)
    }

    /** Evaluates the scopes of an operation if they depend on its arguments. Otherwise returns `undefined`. */
    const evaluate = (operation: Operation.Operation): Effect.Effect<void, AuthConfigError> | undefined => {
      const found = find(operation)
      const scopes = found?.policy?.scopes
      if (found?.registration === undefined || typeof scopes !== "function") return undefined
      // The arguments are incomplete while one of them is being completed.
      if (operation.method === "completion/complete") return undefined
      evaluated.add(operation)
      return Effect.flatMap(
        Effect.result(readArguments(found.registration, operation)),
        (args) =>
          Result.isFailure(args)
            ? Effect.void
            : Effect.map(
              requiredScopes(scopes, args.success, operation, registry.offered),
              (needed) => {
                dynamic ??= new Map()
                dynamic.set(operation, { ...needsCaller, scopes: needed, unauthorized: found.policy!.unauthorized })
              }
            )
      )
    }

    let tasks: Map<Operation.Operation, Found> | undefined

    /** Looks up the tool of a task. If the store fails, any valid token is enough here, because the handler looks it up again. */
    const findTask = (operation: Operation.Operation): Effect.Effect<void> | undefined => {
      const { kind, target } = operation
      if (kind !== "task" || target === undefined || target.length > Operation.maximumTarget) return undefined
      if (principal === undefined || !registry.hasTasks(server)) return undefined
      return Effect.map(
        Effect.result(Effect.tryPromise(() => registry.findTask(server, target, viewer))),
        (found) => {
          if (Result.isFailure(found) || found.success === undefined) return
          tasks ??= new Map()
          tasks.set(operation, found.success)
        }
      )
    }

    /** Returns whether an operation creates a task, or names one. Tasks have no anonymous owner. */
    const isOfTask = ({ kind, params }: Operation.Operation): boolean =>
      kind === "task" || (kind === "tool" && own(params, "task") !== undefined && registry.hasTasks(server))

    const policyFor: PolicyFor = (operation) => {
      const found = operation.kind === "task" ? tasks?.get(operation) ?? unknownTask : find(operation)
      if (found === undefined) return "unknown"
      const { policy } = found
      if (policy === undefined) {
        if (found.registration !== undefined) {
          log?.("Warn", principal === undefined ? notPublic(operation) : withoutPolicy(operation))
        }
        return needsCaller
      }
      const { rule, scopes, unauthorized } = policy
      if (rule !== undefined) {
        if (rule.isOpen && isOfTask(operation)) return needsCaller
        const isCall = operation.kind !== "task" && operation.method !== "completion/complete"
        return { scopes: [], unauthorized, rule: isCall ? rule : rule.evaluator.withoutCallChecks(rule) }
      }
      // The policy "challenge" for hidden registrations as well: `find` returns only registrations that this caller can see.
      return typeof scopes === "function"
        ? dynamic?.get(operation) ?? needsCaller
        : {
          scopes,
          unauthorized: unauthorized === "hide" ? "challenge" : unauthorized,
          authenticated: isOfTask(operation)
        }
    }

    const evaluations = operations.map((operation) => evaluate(operation) ?? findTask(operation)).filter((_) =>
      _ !== undefined
    )
    return evaluations.length === 0
      ? Effect.succeed(policyFor)
      : Effect.as(Effect.all(evaluations, { discard: true }), policyFor)
  }

  return (request) => {
    let found: ReturnType<Find>
    try {
      found = find(request)
    } catch (cause) {
      return Effect.fail(notFound(cause))
    }
    if (!isThenable(found)) return policiesFor(found, request)
    const waiting = found
    return Effect.flatMap(
      Effect.timeoutOrElse(Effect.tryPromise({ try: async () => waiting, catch: notFound }), {
        duration: longestWait,
        orElse: () => Effect.fail(neverFound)
      }),
      (server) => policiesFor(server, request)
    )
  }
}

/** Creates a look-up that caches its results, so that several operations with the same target take one look-up. */
const finder = (
  registry: Registry,
  server: object,
  operations: ReadonlyArray<Operation.Operation>,
  viewer: Viewer
): (operation: Operation.Operation) => Found | undefined => {
  const first = operations[0]
  const found = first === undefined ? undefined : registry.find(server, first, viewer)
  if (operations.length <= 1) {
    return (operation) => operation === first ? found : registry.find(server, operation, viewer)
  }
  const keyOf = ({ kind, method, target }: Operation.Operation) => `${method} ${kind} ${target ?? ""}`
  const known = new Map([[keyOf(first!), found]])
  return (operation) => {
    const key = keyOf(operation)
    if (known.has(key)) return known.get(key)
    const found = registry.find(server, operation, viewer)
    known.set(key, found)
    return found
  }
}

/**
 * Removes resources from the body of a subscription: those that are hidden from the caller, and those that do not exist. The
 * server then acknowledges only the remaining resources, so the caller cannot find out whether a hidden resource exists.
 */
const withoutInvisible = (
  registry: Registry,
  server: object,
  operations: ReadonlyArray<Operation.Operation>,
  viewer: Viewer,
  find: (operation: Operation.Operation) => Found | undefined,
  body: unknown
): void => {
  let invisible: Set<string> | undefined
  for (const operation of operations) {
    const { kind, method, target } = operation
    if (method !== Operation.listen || kind !== "resource" || target === undefined) continue
    if (find(operation) !== undefined) continue
    if (!registry.readsRegisteredOnly(server) && !registry.isInvisible(server, target, viewer)) continue
    invisible ??= new Set()
    invisible.add(target)
  }
  if (invisible !== undefined) Operation.withoutWatched(invisible)(body)
}

const notPublic = ({ kind, target }: Operation.Operation): string =>
  `${kind} ${target} was registered with the SDK itself, so an anonymous request for it is rejected with 401. To make it ` +
  "public, register it with this gate and without scopes"

const withoutPolicy = ({ kind, target }: Operation.Operation): string =>
  `${kind} ${target} was registered with the SDK itself, so any valid token can use it, also if its options contain scopes or a ` +
  "policy. Register it with this gate, or reject such operations with unlisted: \"deny\""

/** Stands for a task that the caller does not have. The SDK answers that it does not exist. */
const unknownTask: Found = { registration: undefined, policy: undefined }

const unknownServer = Effect.succeed<PolicyFor>(() => needsCaller)

const requiredScopes = (
  scopes: (args: unknown) => ReadonlyArray<string>,
  args: unknown,
  { method, target }: Operation.Operation,
  offered: ReadonlySet<string>
): Effect.Effect<ReadonlyArray<string>, AuthConfigError> =>
  Effect.suspend(() => {
    const evaluated = ConfigOption.attempt(() => scopesFor(scopes, args, `${method} ${target}`))
    if (Result.isFailure(evaluated)) return Effect.fail(evaluated.failure)
    const needed = evaluated.success
    const missing = needed.find((scope) => !offered.has(scope))
    return missing === undefined ? Effect.succeed(needed) : Effect.fail(
      new AuthConfigError({
        reason: "not-offered",
        option: "scopes",
        fix:
          `${method} ${target} requires ${missing} for these arguments, and the server does not offer that scope. Add ` +
          "it to scopes (baseline or stepUp)"
      })
    )
  })

const noServer = (value: unknown): AuthConfigError =>
  new AuthConfigError({
    reason: "malformed",
    option: "protect",
    fix:
      `the function that returns the MCP server of a request returned ${
        OptionValue.describe(value)
      }; expected an McpServer. ` +
      "Return undefined for a request without a server"
  })

/** The longest wait for the server of a request. A function that waits longer would keep the request and its client waiting. */
const longestWait = "30 seconds"

const neverFound = new AuthConfigError({
  reason: "malformed",
  option: "protect",
  fix:
    `the function that returns the MCP server of a request did not return one within ${longestWait}. Find out what it waits for, ` +
    "and limit that wait"
})

const notFound = (cause: unknown): AuthConfigError =>
  cause instanceof AuthConfigError ? cause : new AuthConfigError({
    reason: "malformed",
    option: "protect",
    fix: `the function that returns the MCP server of a request failed: ${
      cause instanceof Error ? cause.message : String(cause)
    }. Return undefined for a request without a server`
  })
