/**
 * Between the gate of a host and the registrations of an SDK: the policy of each operation, as its caller meets it.
 */
import * as Effect from "effect/Effect"
import type { Policy } from "../../authorization/Gate.ts"
import { AuthConfigError } from "../../protocol/AuthError.ts"
import * as Operation from "../../protocol/Operation.ts"
import type { Host, HostRequest, PolicyOf } from "./host.ts"
import { needsCaller, type Registry } from "./sdkRegistry.ts"

/** The server that answers a request: one for all, or one of the request's session. */
export type Target<S extends object> = S | ((session: string | undefined) => S | undefined | Promise<S | undefined>)

/**
 * Reads the arguments of an operation as the registration's handler will get them; fails where they are none, and the
 * SDK refuses them by itself.
 */
export type ReadArguments = (registration: object, operation: Operation.Operation) => Effect.Effect<unknown, unknown>

/** Judges one request: its body is wrapped, so that what depends on arguments is known when policies are asked for. */
export const judge = <S extends object>(
  host: Host,
  registry: Registry,
  readArguments: ReadArguments,
  request: HostRequest,
  target: Target<S>
): { readonly request: HostRequest; readonly policyOf: PolicyOf } => {
  let server: S | undefined
  const dynamic = new Map<unknown, Policy>()

  const evaluate = (operation: Operation.Operation): Effect.Effect<void, AuthConfigError> => {
    const found = server === undefined ? undefined : registry.find(server, operation, undefined)
    const scopes = found?.requirement?.scopes
    if (found?.registration === undefined || typeof scopes !== "function") return Effect.void
    // Nobody has given all arguments yet while one of them is being completed.
    if (operation.method === "completion/complete") return Effect.void
    return readArguments(found.registration, operation).pipe(
      Effect.flatMap((args) => demanded(scopes, args, operation, host.gate.resource.offered)),
      Effect.map((demands) => void dynamic.set(operation.params, { ...needsCaller, scopes: demands })),
      Effect.catchIf((error) => !(error instanceof AuthConfigError), () => Effect.void)
    ) as Effect.Effect<void, AuthConfigError>
  }

  return {
    request: {
      ...request,
      body: Effect.tap(request.body, (body) => {
        const operations = Operation.fromBody(body)
        if (operations.length === 0) return Effect.void
        return Effect.andThen(
          Effect.tryPromise({
            try: async () => {
              server = typeof target === "function" ? await target(request.header("mcp-session-id")) : target
              if (server !== undefined) registry.adopt(server)
            },
            catch: (cause) => cause instanceof AuthConfigError ? cause : broken(cause)
          }),
          Effect.forEach(operations, evaluate, { discard: true })
        )
      })
    },
    policyOf: (operation, caller) => {
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
  Effect.try({
    try: () => {
      const demands = scopes(args)
      const missing = demands.find((scope) => !offered.has(scope))
      if (missing === undefined) return demands
      throw new AuthConfigError({
        reason: "not-offered",
        option: "scopes",
        fix: `${method} ${target} needs ${missing} for these arguments: add it to baseline or stepUp`
      })
    },
    catch: (cause) =>
      cause instanceof AuthConfigError ? cause : new AuthConfigError({
        reason: "malformed",
        option: "scopes",
        fix: `the function that tells the scopes of ${method} ${target} must return a list for every argument`
      })
  })

const broken = (_: unknown) =>
  new AuthConfigError({
    reason: "malformed",
    option: "protect",
    fix: "the function that finds the server of a session must return it, or undefined"
  })
