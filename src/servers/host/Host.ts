import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import type * as HttpClient from "effect/http/HttpClient"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Result from "effect/Result"
import * as Decision from "../../authorization/Decision.ts"
import { AuthLayer, type Gate, type Policy, type Request } from "../../authorization/Gate.ts"
import { check, type RequiredScope } from "../../authorization/Policy.ts"
import type { Rejection } from "../../authorization/Rejection.ts"
import { AuthConfigError, type MalformedRequest, MissingCredentials } from "../../protocol/AuthError.ts"
import type * as Operation from "../../protocol/Operation.ts"
import * as OptionValue from "../../protocol/OptionValue.ts"
import type { Principal } from "../../verification/Principal.ts"
import * as authInfo from "./AuthInfo.ts"
import type * as body from "./Body.ts"
import { BodyDeadlines } from "./BodyDeadlines.ts"
import * as documents from "./Documents.ts"
import * as optionNames from "./HostOptions.ts"
import * as requestHost from "./RequestHost.ts"
import * as sseSession from "./SseSession.ts"
import * as lifetime from "./StreamLifetime.ts"

/* What every host outside Effect does with a request. An adapter translates its request into the gate's, and what comes
 * back into its own answer. */

/** A body that was parsed and checked, or why there is none. */
export type Body = Effect.Effect<body.Message, MalformedRequest | AuthConfigError>

/** Reads and parses a body. Called once, and only when everything before it is in order. */
export type Read = () => Body

/**
 * A request that may come in.
 *
 * @category models
 * @since 0.1.0
 */
export interface Admission<A = unknown> {
  /** The caller; `undefined` for an anonymous request where those are allowed. */
  readonly principal: Principal | undefined
  /** The same caller as the official SDKs want it. */
  readonly authInfo: authInfo.AuthInfo | undefined
  /** The user's own claims, where `claims` is configured. */
  readonly claims: A | undefined
  /** What the request asks for. */
  readonly operations: ReadonlyArray<Operation.Operation>
  /** The parsed body that was judged: what a handler must execute. */
  readonly body: unknown
}

/** The admission, with what the host needs afterwards. */
export interface Admitted<A = unknown> extends Admission<A> {
  readonly method: string
  readonly session: string | undefined
  readonly timing: Decision.RequestTiming | undefined
}

/**
 * What an operation asks of its caller.
 *
 * @category models
 * @since 0.1.0
 */
export interface Requirement<Offered extends string = string> {
  /** All of them are needed. Default: none. */
  readonly scopes?: ReadonlyArray<Offered> | undefined
  /** Needs a caller even without scopes, where anonymous requests are allowed. Default: `false`. */
  readonly authenticated?: boolean | undefined
}

/** A user's requirements as the gate's policies. */
export const policiesOf = (
  requirementOf: ((operation: Operation.Operation) => Requirement | undefined) | undefined
): Policies => {
  if (requirementOf !== undefined && typeof requirementOf !== "function") {
    throw new AuthConfigError({
      reason: "malformed",
      option: "protect.policy",
      fix: `${OptionValue.isNot(requirementOf, "a function")}. Give one that takes an operation and returns what it ` +
        "requires, such as { scopes: [\"todos:write\"] }, or undefined"
    })
  }
  const policies = Effect.succeed<PolicyOf>((operation) => {
    const requirement = requirementOf?.(operation)
    if (requirement === undefined) return undefined
    const { authenticated, scopes = [] } = checkRequirement(requirement)
    return { scopes, unauthorized: "challenge", authenticated }
  })
  return () => policies
}

/** From JavaScript it may be anything. With a misspelled name, such as `scope`, or a promise, any token would do. */
const checkRequirement = (requirement: Requirement): Requirement => {
  const isObject = typeof requirement === "object" && requirement !== null && !("then" in requirement) &&
    !(Symbol.iterator in requirement)
  if (!isObject) {
    throw new AuthConfigError({
      reason: "malformed",
      option: "protect.policy",
      fix:
        `the function returned ${
          OptionValue.describe(requirement)
        }; expected an object or undefined. Return what the ` +
        "operation requires, such as { scopes: [\"todos:write\"] }, and not a promise or an Effect of it"
    })
  }
  for (const name in requirement) {
    if (name !== "scopes" && name !== "authenticated") {
      throw new AuthConfigError({
        reason: "malformed",
        option: `protect.policy: ${name}`,
        fix: "the function returned a requirement with this member, which does not exist. The members are scopes and " +
          "authenticated"
      })
    }
  }
  if (requirement.scopes === undefined || Array.isArray(requirement.scopes)) return requirement
  throw new AuthConfigError({
    reason: "malformed",
    option: "protect.policy: scopes",
    fix:
      `the function returned scopes that are ${OptionValue.describe(requirement.scopes)}; expected a list of scopes. ` +
      "Return one such as [\"todos:write\"]"
  })
}

/** Checks the scopes of a route: a client could not obtain one that the server does not offer. */
export const checkRouteScopes = (gate: Gate, scopes: ReadonlyArray<string> | undefined): ReadonlyArray<string> => {
  if (scopes === undefined) return []
  const checked = check(scopes, "protectRoute.scopes")
  const missing = checked.find((scope) => !gate.resource.offered.has(scope))
  if (missing === undefined) return checked
  throw new AuthConfigError({
    reason: "not-offered",
    option: "scopes",
    fix: `protectRoute requires ${missing}, which the server does not offer. Add it to scopes (baseline or stepUp)`
  })
}

/** Checks the option `tenant` of a host: it has a meaning only for tenants of routes. */
export const checkTenantOption = <F>(gate: Gate, tenantOf: F | undefined, option: string): F | undefined => {
  if (tenantOf === undefined) return undefined
  if (typeof tenantOf === "function" && gate.tenants?.fromRoute === true) return tenantOf
  throw new AuthConfigError({
    reason: "conflict",
    option,
    fix: typeof tenantOf === "function"
      ? "it has no effect, because the names of tenants do not come from routes. Set tenants.id to Tenants.fromRoute, or " +
        "remove it"
      : `${OptionValue.isNot(tenantOf, "a function")}. Give one that takes a request and returns the name of its tenant`
  })
}

/** What a user's handler sees of it. */
export const admission = <A>({ authInfo, body, claims, operations, principal }: Admitted<A>): Admission<A> => ({
  principal,
  authInfo,
  claims,
  operations,
  body
})

/** The scopes that a layer offers, from what it provides. */
export type OfferedBy<R> = R extends RequiredScope<infer S> ? S : never

/** A layer that provides the gate, whatever else it provides. */
export type GateLayer<R, E> =
  & Layer.Layer<R, E, HttpClient.HttpClient>
  & ([AuthLayer] extends [R] ? unknown : "provide the gate: AuthLayer.layerServices, or AuthLayer.mock")

/**
 * Where the policies of operations come from: `undefined` for one that the host knows nothing about, `"unknown"` for one
 * for which it knows that the server has nothing to run.
 */
export type PolicyOf = (operation: Operation.Operation) => Policy | "unknown" | undefined

/** What a request asks for, and who sends it. */
export interface Asked extends Pick<Admission, "principal" | "authInfo" | "operations" | "body"> {
  /** The `Mcp-Session-Id` that the request presents. */
  readonly session: string | undefined
}

/** Finds the policies of a request. Called once, and only where it asks for something. */
export type Policies = (asked: Asked) => Effect.Effect<PolicyOf, AuthConfigError>

/** A decision that waits for something. */
export interface Waiting<A> {
  readonly result: Promise<Result.Result<A, Rejection>>
  /** Nobody waits for it any more. */
  readonly abandon: () => void
}

/** A gate that runs outside Effect. */
export interface Host<A = unknown> {
  readonly gate: Gate
  /** Runs handlers that are Effects; it holds whatever else the layer provides. */
  readonly runtime: ManagedRuntime.ManagedRuntime<any, any>
  /** The user's own claims of a principal. */
  readonly claims: (principal: Principal) => A | undefined
  /** Runs an effect, and gives what came of it where it had to wait for nothing. What fails otherwise becomes a rejection. */
  readonly start: <B>(effect: Effect.Effect<B, Rejection>) => Result.Result<B, Rejection> | Waiting<B>
  /** The same as a promise, which never rejects: what is interrupted becomes a rejection, too. */
  readonly run: <B>(
    effect: Effect.Effect<B, Rejection>,
    signal?: AbortSignal | undefined
  ) => Promise<Result.Result<B, Rejection>>
  /** Decides about a request to an MCP endpoint. Without `read` the request has no body, and needs none. */
  readonly admit: (
    request: Request,
    read: Read | undefined,
    policies: Policies
  ) => Effect.Effect<Admitted<A>, Rejection>
  /**
   * The first half of that for a request that may have its body read without a second look: its token was verified lately,
   * and its session is its own. Gives the other half, for when the body is here, which is an `Exit` where nothing has to be
   * awaited. `undefined` says nothing. `authorization` is the one `Authorization` line of the request; it has no `Origin`.
   */
  readonly recall: (
    request: Request,
    authorization: string,
    policies: Policies
  ) => ((read: Body) => Effect.Effect<Admitted<A>, Rejection>) | undefined
  /**
   * Decides about a request to any other route: it needs a caller with these scopes, and its body is not read.
   */
  readonly admitRoute: (request: Request, scopes: ReadonlyArray<string>) => Effect.Effect<Admitted<A>, Rejection>
  /**
   * The same for a request that needs no second look: its token was verified lately and has the scopes. At once where
   * nobody has to be told; `undefined` says nothing. `authorization` is its one `Authorization` line; it has no `Origin`.
   * `named` are the hosts that it names, if the gate checks them.
   */
  readonly recallRoute: (
    authorization: string,
    method: string,
    scopes: ReadonlyArray<string>,
    named: ReadonlyArray<string>
  ) => Admitted<A> | Effect.Effect<Admitted<A>, Rejection> | undefined
  /** Told of each answer of an MCP handler: binds the session that it opens, releases the one that it ends. */
  readonly answered: (admitted: Admitted<A>, status: number, session: string | undefined) => void
  /**
   * Binds the session that the first event of a stream names; the result releases it. `undefined` for a session that
   * exists already.
   */
  readonly streamOpened: (admitted: Admitted<A>, id: string) => (() => void) | undefined
  /**
   * Calls back when an event stream must end: with its token, when that is revoked or invalidated, or when the host is
   * disposed. The result cancels that. `undefined` for anonymous streams.
   */
  readonly whenStreamEnds: (admitted: Admitted<A>, callback: () => void) => (() => void) | undefined
  /** Watches over the bodies of an endpoint. */
  readonly deadlines: (timeout: Duration.Duration) => BodyDeadlines
  /** Calls back when the host is disposed; the result cancels that. */
  readonly atEnd: (callback: () => void) => () => void
  /** The public document at a path, if there is one. */
  readonly document: (path: string, asked: documents.Asked) => documents.Document | undefined
  readonly dispose: () => Promise<void>
}

/** An operation that nobody declared needs a caller, so that a tool registered elsewhere is never open to all. */
const undeclared: Policy = { scopes: [], unauthorized: "challenge", authenticated: true }

const closed = (policyOf: PolicyOf, operation: Operation.Operation): Policy | undefined => {
  const policy = policyOf(operation)
  return policy === "unknown" ? undefined : policy ?? (operation.kind === undefined ? undefined : undeclared)
}

const nothingAsked: PolicyOf = () => undefined

/** What a request to a route asks for. */
const routeOf = (method: string): ReadonlyArray<Operation.Operation> => [
  { method, target: undefined, kind: undefined, params: undefined, isNotification: false }
]

const noOperations = Effect.succeed<ReadonlyArray<Operation.Operation>>([])

const noCredentials = new MissingCredentials({ reason: "no-authorization" })

/**
 * Builds the layer and keeps it until `dispose`. Fails with the layer's own error.
 *
 * The layer is that of `AuthLayer.layerServices`, or any other that provides the gate; it gets the hardened fetch client
 * unless it brings its own.
 */
export const make = async <A, R, E>(
  layer: GateLayer<R, E>,
  claimsOf?: Context.Key<any, A> | undefined
): Promise<Host<A>> => {
  optionNames.checkLayer(layer)
  const services = layer as unknown as Layer.Layer<AuthLayer, E, HttpClient.HttpClient>
  const runtime = ManagedRuntime.make(services.pipe(Layer.provide(FetchHttpClient.layer)))
  const gate = await runtime.runPromise(AuthLayer).catch(async (error: unknown) => {
    await runtime.dispose()
    throw error
  })
  const byPath = documents.byPath(gate)
  let disposed = false
  const ends = new Set<() => void>()

  const claims = (principal: Principal): A | undefined =>
    claimsOf === undefined
      ? undefined
      : Context.getOrUndefined(gate.services(principal) as Context.Context<any>, claimsOf)

  const somebody = (
    principal: Principal,
    method: string,
    operations: ReadonlyArray<Operation.Operation>,
    timing: Decision.RequestTiming
  ): Admitted<A> => ({
    method,
    session: undefined,
    principal,
    authInfo: authInfo.make(principal, gate),
    claims: claims(principal),
    operations,
    body: undefined,
    timing
  })

  /**
   * A session of the query that this caller may not use. On an MCP endpoint that is also one that does not exist; on other
   * routes a parameter of the same name may be something else.
   */
  const foreignStream = (
    { streams = [] }: Request,
    principal: Principal | undefined,
    isMcp: boolean
  ): string | undefined => {
    for (const id of streams) {
      const key = sseSession.keyOf(id)
      if ((isMcp || gate.sessions.has(key)) && gate.sessions.judge(key, principal) !== "own") return key
    }
    return undefined
  }

  /** The second half of a decision. A body that is here already is judged at once. */
  const judge = (
    request: Request,
    timing: Decision.RequestTiming,
    fiber: Fiber.Fiber<unknown, unknown>,
    principal: Principal | undefined,
    read: Body | undefined,
    policies: Policies
  ): Effect.Effect<Admitted<A>, Rejection> => {
    const session = request.header("mcp-session-id")
    const stream = request.streams?.[0]
    const info = principal === undefined ? undefined : authInfo.make(principal, gate)
    let policyOf = nothingAsked
    let judged: unknown
    const operations = read === undefined ? noOperations : Effect.mapEager(read, ({ operations, value }) => {
      judged = value
      return operations
    })
    const authorized = gate.authorize({
      principal,
      session: (stream === undefined ? undefined : foreignStream(request, principal, true)) ?? session,
      protocolVersion: request.header("mcp-protocol-version"),
      operations,
      // Functions of the user's may run here, so the token has been checked again before.
      prepare: (operations) =>
        operations.length === 0
          ? Effect.void
          : Effect.mapEager(
            policies({ session: session ?? stream, principal, authInfo: info, operations, body: judged }),
            (found) => {
              policyOf = found
            }
          ),
      policy: (operation) => closed(policyOf, operation),
      timing,
      request
    }, fiber)
    return Effect.mapEager(authorized, (operations): Admitted<A> => ({
      method: request.method,
      session,
      principal,
      authInfo: info,
      claims: principal === undefined ? undefined : claims(principal),
      operations,
      body: judged,
      timing
    }))
  }

  // Knows what the layer provides, for decisions that are made without running an effect. It waits until the host is
  // disposed: of a fiber that has ended nobody learns anything.
  const idle = runtime.runFork(Effect.callback<never>(() => {}))

  // Whoever traces wants to see every verification, also one out of memory.
  const arriving = (): Decision.RequestTiming | undefined =>
    disposed || idle.cache.tracer !== undefined ? undefined : Decision.startTiming(idle)

  const settle = <B>(exit: Exit.Exit<B, unknown>): Result.Result<B, Rejection> => {
    if (Exit.isSuccess(exit)) return Result.succeed(exit.value)
    const rejection = Exit.findErrorOption(exit)
    if (rejection._tag === "Some") return Result.fail(rejection.value as Rejection)
    if (disposed || Cause.hasInterruptsOnly(exit.cause)) return Result.fail(gate.rejections.closing)
    runtime.runFork(Effect.ignore(gate.rejectCause(exit.cause)))
    return Result.fail(gate.rejections.broken)
  }

  const start = <B>(effect: Effect.Effect<B, Rejection>): Result.Result<B, Rejection> | Waiting<B> => {
    if (disposed) return Result.fail(gate.rejections.closing)
    if (Exit.isExit(effect)) return settle(effect as Exit.Exit<B, Rejection>)
    const fiber = runtime.runFork(effect)
    const exit = fiber.pollUnsafe()
    return exit !== undefined ? settle(exit) : {
      result: new Promise<Result.Result<B, Rejection>>((resolve) => {
        fiber.addObserver((exit) => resolve(settle(exit)))
      }),
      abandon: () => fiber.interruptUnsafe()
    }
  }

  return {
    gate,
    runtime,
    claims,
    start,
    run: async (effect, signal) => {
      const started = start(effect)
      if (Result.isResult(started)) return started
      if (signal?.aborted === true) started.abandon()
      signal?.addEventListener("abort", started.abandon, { once: true })
      const result = await started.result
      signal?.removeEventListener("abort", started.abandon)
      return result
    },
    admit: (request, read, policies) =>
      Effect.withFiber((fiber) => {
        const timing = Decision.startTiming(fiber)
        return Effect.flatMapEager(gate.authenticate(request, timing, fiber), (caller) => {
          const principal = caller === "anonymous" ? undefined : caller
          return judge(request, timing, fiber, principal, read && Effect.suspend(read), policies)
        })
      }),
    recall: (request, authorization, policies) => {
      const timing = arriving()
      const principal = timing &&
        gate.recall(
          authorization,
          timing,
          gate.checksHost ? request.host ?? requestHost.unchecked : requestHost.unchecked
        )
      if (timing === undefined || principal === undefined) return undefined
      const session = request.header("mcp-session-id")
      if (session !== undefined && gate.sessions.judge(session, principal) !== "own") return undefined
      if (request.streams?.[0] !== undefined && foreignStream(request, principal, true) !== undefined) return undefined
      return (read) => {
        try {
          return judge(request, timing, idle, principal, read, policies)
        } catch (defect) {
          return Effect.die(defect)
        }
      }
    },
    admitRoute: (request, scopes) =>
      Effect.withFiber((fiber) => {
        const timing = Decision.startTiming(fiber)
        return Effect.flatMapEager(gate.authenticate(request, timing, fiber), (principal) => {
          const { method } = request
          const protocolVersion = request.header("mcp-protocol-version")
          if (principal === "anonymous") {
            return gate.reject(noCredentials, { principal: undefined, protocolVersion }, timing)
          }
          return Effect.mapEager(
            gate.authorize({
              principal,
              session: foreignStream(request, principal, false),
              protocolVersion,
              operations: Effect.succeed(routeOf(method)),
              policy: () => ({ scopes, unauthorized: "challenge", authenticated: true }),
              timing
            }, fiber),
            (operations) => somebody(principal, method, operations, timing)
          )
        })
      }),
    recallRoute: (authorization, method, scopes, named) => {
      const timing = arriving()
      const principal = timing && gate.recall(authorization, timing, named)
      if (
        timing === undefined || principal === undefined || scopes.some((scope) => !principal.scopes.has(scope))
      ) return undefined
      const operations = routeOf(method)
      const told = gate.admitted(principal, timing, Decision.now(timing), idle, { operations, required: scopes })
      const admitted = somebody(principal, method, operations, timing)
      return told === Effect.void ? admitted : Effect.as(told, admitted)
    },
    answered: ({ method, principal, session }, status, issued) => {
      if (issued !== undefined && session === undefined) gate.sessions.bind(issued, principal)
      if (method === "DELETE" && status >= 200 && status < 300 && session !== undefined) gate.sessions.release(session)
    },
    streamOpened: ({ principal }, id) => {
      const key = sseSession.keyOf(id)
      // A server names each session once. A second stream of the same name must not take it over.
      if (gate.sessions.has(key)) return undefined
      gate.sessions.bind(key, principal)
      return () => gate.sessions.release(key)
    },
    whenStreamEnds: ({ method, operations, principal, timing }, callback) => {
      const end = lifetime.endOfStream(principal, method, operations)
      if (principal === undefined || end === undefined) return undefined
      if (disposed) {
        callback()
        return () => {}
      }
      let wanted = true
      const fiber = runtime.runFork(gate.untilStreamEnds(principal, end, timing))
      fiber.addObserver(() => {
        if (wanted) callback()
      })
      return () => {
        wanted = false
        fiber.interruptUnsafe()
      }
    },
    deadlines: (timeout) => new BodyDeadlines(idle.getRef(Clock.Clock), (watch) => runtime.runFork(watch), timeout),
    atEnd: (callback) => {
      ends.add(callback)
      return () => ends.delete(callback)
    },
    document: (path, asked) => documents.tenantMetadata(gate, path, asked) ?? byPath.get(path),
    dispose: () => {
      disposed = true
      for (const callback of ends) callback()
      return runtime.dispose()
    }
  }
}
