/**
 * Between the gate of a host and the registrations of an SDK: the policy of each operation, as its caller meets it.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { Policy } from "../../authorization/Gate.ts"
import { AuthConfigError } from "../../protocol/AuthError.ts"
import * as Operation from "../../protocol/Operation.ts"
import { type Body, type Host, type PolicyOf, Sender } from "./host.ts"
import { type Caller, needsCaller, type Registry } from "./sdkRegistry.ts"

/** Finds the server that answers a request, once its caller is known and its body is read. */
export type Find = (body: unknown, sender: typeof Sender.Service) => object | undefined | Promise<object | undefined>

/**
 * Reads the arguments of an operation as the registration's handler will get them; fails where they are none, and the
 * SDK refuses them by itself.
 */
export type ReadArguments = (registration: object, operation: Operation.Operation) => Effect.Effect<unknown, unknown>

/**
 * Judges one request. The reading of its body is wrapped: the server, and what depends on arguments, is known by the time
 * that policies are asked for.
 */
export const judge = (
  host: Host,
  registry: Registry,
  readArguments: ReadArguments,
  read: Body,
  find: Find
): { readonly body: Body; readonly policyOf: PolicyOf } => {
  let server: object | undefined
  let caller: Caller
  const dynamic = new Map<unknown, Policy>()

  /** What has to be found out before the policy of an operation can be told; `undefined` where that is nothing. */
  const evaluate = (operation: Operation.Operation): Effect.Effect<void, AuthConfigError> | undefined => {
    const found = server === undefined ? undefined : registry.find(server, operation, caller)
    const scopes = found?.requirement?.scopes
    if (found?.registration === undefined || typeof scopes !== "function") return undefined
    // Nobody has given all arguments while one of them is being completed.
    if (operation.method === "completion/complete") return undefined
    return Effect.flatMap(Effect.result(readArguments(found.registration, operation)), (args) =>
      Result.isFailure(args)
        ? Effect.void
        : Effect.map(
          demanded(scopes, args.success, operation, host.gate.resource.offered),
          (needed) => void dynamic.set(operation.params, { ...needsCaller, scopes: needed })
        ))
  }

  const judgeBy = (
    found: object | undefined,
    body: unknown,
    operations: ReadonlyArray<Operation.Operation>
  ): Effect.Effect<unknown, AuthConfigError> => {
    server = found
    if (server === undefined) return Effect.succeed(body)
    registry.adopt(server)
    const evaluations = operations.flatMap((operation) => evaluate(operation) ?? [])
    return evaluations.length === 0
      ? Effect.succeed(body)
      : Effect.as(Effect.all(evaluations, { discard: true }), body)
  }

  return {
    body: Effect.flatMap(read, (body) => {
      const operations = Operation.fromBody(body)
      return operations.length === 0 ? Effect.succeed(body) : Effect.withFiber((fiber) => {
        const sender = fiber.getRef(Sender)
        caller = sender.principal
        let found: ReturnType<Find>
        try {
          found = find(body, sender)
        } catch (cause) {
          return Effect.fail(notFound(cause))
        }
        if (!(found instanceof Promise)) return judgeBy(found, body, operations)
        const waiting = found
        return Effect.flatMap(
          Effect.tryPromise({ try: () => waiting, catch: notFound }),
          (server) => judgeBy(server, body, operations)
        )
      })
    }),
    policyOf: (operation) => {
      if (server === undefined) return needsCaller
      const found = registry.find(server, operation, caller)
      if (found === undefined) return "unknown"
      const { requirement } = found
      if (requirement === undefined) return needsCaller
      // What is found is not hidden from this caller.
      return typeof requirement.scopes === "function"
        ? dynamic.get(operation.params) ?? needsCaller
        : { scopes: requirement.scopes, unauthorized: "challenge" }
    }
  }
}

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
        fix: `${method} ${target} needs ${missing} for these arguments: add it to baseline or stepUp`
      })
    )
  })

const notFound = (cause: unknown): AuthConfigError =>
  new AuthConfigError({
    reason: "malformed",
    option: "protect",
    fix: `the function that finds or makes the server of a request must not fail, and did: ${
      cause instanceof Error ? cause.message : String(cause)
    }`
  })
