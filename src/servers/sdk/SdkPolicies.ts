/**
 * Between the gate of a host and the registrations of an SDK: the policy of each operation, as its caller meets it.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { Policy } from "../../authorization/Policy.ts"
import { AuthConfigError } from "../../protocol/AuthError.ts"
import * as Operation from "../../protocol/Operation.ts"
import * as OptionValue from "../../protocol/OptionValue.ts"
import type { McpRequest, Policies, PolicyOf } from "../host/Admission.ts"
import type { ReadArguments } from "./SdkArguments.ts"
import { type Found, needsCaller, type Registry } from "./SdkRegistry.ts"

/** Finds the server that answers a request. */
export type Find = (asked: McpRequest) => object | undefined | Promise<object | undefined>

/** Checks the server, or the function that finds it, that an author hands to the gate. */
export const checkServer = (server: unknown, option: string): void => {
  if (typeof server === "function" || (typeof server === "object" && server !== null)) return
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

/** Checks the handler that an author hands to the gate behind the server. */
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

/** The policies of requests to the servers that `find` finds, of which each may be another one. */
export const make = (registry: Registry, readArguments: ReadArguments, find: Find): Policies => {
  const policiesOf = (
    server: object | undefined,
    { body, operations, principal }: McpRequest
  ): Effect.Effect<PolicyOf, AuthConfigError> => {
    if (server === undefined) return unknownServer
    registry.adopt(server)
    let dynamic: Map<Operation.Operation, Policy> | undefined
    const find = finder(registry, server, operations, principal)
    if (operations.some(({ method }) => method === Operation.listen)) {
      withoutInvisible(registry, server, operations, principal, find, body)
    }

    /** What has to be found out before the policy of an operation can be told; `undefined` where that is nothing. */
    const evaluate = (operation: Operation.Operation): Effect.Effect<void, AuthConfigError> | undefined => {
      const found = find(operation)
      const scopes = found?.requirement?.scopes
      if (found?.registration === undefined || typeof scopes !== "function") return undefined
      // Nobody has given all arguments while one of them is being completed.
      if (operation.method === "completion/complete") return undefined
      return Effect.flatMap(
        Effect.result(readArguments(found.registration, operation)),
        (args) =>
          Result.isFailure(args)
            ? Effect.void
            : Effect.map(
              demanded(scopes, args.success, operation, registry.offered),
              (needed) => {
                dynamic ??= new Map()
                dynamic.set(operation, { ...needsCaller, scopes: needed })
              }
            )
      )
    }

    const policyOf: PolicyOf = (operation) => {
      const found = find(operation)
      if (found === undefined) return "unknown"
      const { requirement } = found
      if (requirement === undefined) return needsCaller
      // What is found is not hidden from this caller.
      return typeof requirement.scopes === "function"
        ? dynamic?.get(operation) ?? needsCaller
        : { scopes: requirement.scopes, unauthorized: "challenge" }
    }

    const evaluations = operations.map(evaluate).filter((_) => _ !== undefined)
    return evaluations.length === 0
      ? Effect.succeed(policyOf)
      : Effect.as(Effect.all(evaluations, { discard: true }), policyOf)
  }

  return (asked) => {
    let found: ReturnType<Find>
    try {
      found = find(asked)
    } catch (cause) {
      return Effect.fail(notFound(cause))
    }
    if (!(found instanceof Promise)) return policiesOf(found, asked)
    const waiting = found
    return Effect.flatMap(
      Effect.tryPromise({ try: () => waiting, catch: notFound }),
      (server) => policiesOf(server, asked)
    )
  }
}

/** Looks each operation up once, and what several operations name once for all of them. */
const finder = (
  registry: Registry,
  server: object,
  operations: ReadonlyArray<Operation.Operation>,
  principal: McpRequest["principal"]
): (operation: Operation.Operation) => Found | undefined => {
  const first = operations[0]
  const found = first === undefined ? undefined : registry.find(server, first, principal)
  if (operations.length <= 1) {
    return (operation) => operation === first ? found : registry.find(server, operation, principal)
  }
  const keyOf = ({ kind, method, target }: Operation.Operation) => `${method} ${kind} ${target ?? ""}`
  const known = new Map([[keyOf(first!), found]])
  return (operation) => {
    const key = keyOf(operation)
    if (known.has(key)) return known.get(key)
    const found = registry.find(server, operation, principal)
    known.set(key, found)
    return found
  }
}

/**
 * Leaves the resources that this caller cannot see out of a subscription, together with those that do not exist: the
 * server acknowledges the others alone.
 */
const withoutInvisible = (
  registry: Registry,
  server: object,
  operations: ReadonlyArray<Operation.Operation>,
  principal: McpRequest["principal"],
  find: (operation: Operation.Operation) => Found | undefined,
  body: unknown
): void => {
  let invisible: Set<string> | undefined
  for (const operation of operations) {
    const { kind, method, target } = operation
    if (method !== Operation.listen || kind !== "resource" || target === undefined) continue
    if (find(operation) !== undefined) continue
    if (!registry.readsRegistered(server) && !registry.isInvisible(server, target, principal)) continue
    invisible ??= new Set()
    invisible.add(target)
  }
  if (invisible !== undefined) Operation.withoutWatched(invisible)(body)
}

const unknownServer = Effect.succeed<PolicyOf>(() => needsCaller)

const demanded = (
  scopes: (args: unknown) => ReadonlyArray<string>,
  args: unknown,
  { method, target }: Operation.Operation,
  offered: ReadonlySet<string>
): Effect.Effect<ReadonlyArray<string>, AuthConfigError> =>
  Effect.suspend(() => {
    const needed = scopes(args)
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

const notFound = (cause: unknown): AuthConfigError =>
  cause instanceof AuthConfigError ? cause : new AuthConfigError({
    reason: "malformed",
    option: "protect",
    fix: `the function that returns the MCP server of a request failed: ${
      cause instanceof Error ? cause.message : String(cause)
    }. Return undefined for a request without a server`
  })
