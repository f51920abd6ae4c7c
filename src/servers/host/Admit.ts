import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as AuthChallenge from "../../authorization/AuthChallenge.ts"
import type { Caller, Request } from "../../authorization/Caller.ts"
import type { Gate } from "../../authorization/Gate.ts"
import type { OperationPolicy } from "../../authorization/policy/OperationPolicy.ts"
import type { Rejection } from "../../authorization/Rejection.ts"
import { type AuthConfigError, type MalformedRequest, MissingCredentials } from "../../protocol/AuthError.ts"
import * as ConfigOption from "../../protocol/ConfigOption.ts"
import type * as Operation from "../../protocol/Operation.ts"
import type { Principal } from "../../verification/Principal.ts"
import type { Admitted, McpRequest, Policies, PolicyFor, Read } from "./Admission.ts"
import * as authInfo from "./AuthInfo.ts"
import * as body from "./Body.ts"
import { eagerly } from "./Runner.ts"
import * as sseSession from "./SseSession.ts"

/* The steps of the gate in their order, for every server adapter outside Effect. */

/** The functions with which a server adapter decides about requests. */
export interface Admit<A> {
  /** Decides about a request to an MCP endpoint. `read` is `undefined` for a request that neither has nor needs a body. */
  readonly admit: (
    request: Request,
    read: Read | undefined,
    policies: Policies
  ) => Effect.Effect<Admitted<A>, Rejection>
  /** The first part of `admit`: checks the token and the session. Returns the caller. */
  readonly admitCaller: (request: Request) => Effect.Effect<Caller, Rejection>
  /**
   * The second part of `admit`: checks the operations in the body. `awaited` is `true` if the adapter has waited for the body,
   * so that the token must be checked again.
   */
  readonly admitBody: (
    caller: Caller,
    read: Read | undefined,
    policies: Policies,
    awaited: boolean
  ) => Effect.Effect<Admitted<A>, Rejection>
  /** Decides about a request to any other route, without reading its body. */
  readonly admitRoute: (request: Request, policy: OperationPolicy) => Effect.Effect<Admitted<A>, Rejection>
}

/** Creates the functions of a server adapter. `claimsFor` returns the claims as the option `claims` decodes them. */
export const make = <A>(gate: Gate, claimsFor: (principal: Principal) => A | undefined): Admit<A> => {
  const { attempt, checkSessions, checkStreams } = makeSteps(gate)

  const admissionFor = (
    caller: Caller,
    info: authInfo.AuthInfo | undefined,
    session: string | undefined,
    operations: ReadonlyArray<Operation.Operation>,
    body: unknown
  ): Effect.Effect<Admitted<A>, Rejection> => {
    const { principal } = caller
    let claims: A | undefined
    try {
      claims = principal === undefined ? undefined : claimsFor(principal)
    } catch (defect) {
      return gate.reject(caller, Cause.die(defect), operations)
    }
    return Effect.succeed({ caller, session, principal, authInfo: info, claims, operations, body })
  }

  const findPolicies = (caller: Caller, request: McpRequest, policies: Policies): Effect.Effect<PolicyFor, Rejection> =>
    request.operations.length === 0 ? noPolicies : attempt(caller, () => policies(request), request.operations)

  const authorizeMessage = (
    caller: Caller,
    { operations, value }: body.Message,
    awaited: boolean,
    policies: Policies
  ): Effect.Effect<Admitted<A>, Rejection> => {
    const { principal, request } = caller
    // Policies can call functions of the author of the server, so the token is checked again before these calls. The token can
    // have become invalid while the body arrived.
    return Effect.flatMapEager(gate.recheck(caller, awaited), (current) => {
      const session = request.header("mcp-session-id")
      const info = principal === undefined ? undefined : authInfo.make(principal, gate, request)
      const mcpRequest = {
        session: session ?? request.streams?.[0],
        principal,
        authInfo: info,
        operations,
        body: value
      }
      return Effect.flatMapEager(findPolicies(caller, mcpRequest, policies), (policyFor) =>
        Effect.flatMapEager(
          gate.authorize(current, operations, (operation) => policyOrDefault(policyFor, operation)),
          () => admissionFor(caller, info, session, operations, value)
        ))
    })
  }

  const admitCaller: Admit<A>["admitCaller"] = (request) =>
    Effect.flatMapEager(
      gate.authenticate(request),
      (caller) => Effect.mapEager(checkSessions(caller), () => caller)
    )

  const admitBody: Admit<A>["admitBody"] = (caller, read, policies, awaited) => {
    // A request whose body is not read would run without a check of its operations.
    if (read === undefined && body.carriesMessages(caller.request.method)) return gate.reject(caller, body.notJson)
    const message = read === undefined ? noBody : attempt(caller, read)
    const waits = awaited || !Exit.isExit(message)
    return Effect.flatMapEager(message, (message) => authorizeMessage(caller, message, waits, policies))
  }

  return {
    admit: (request, read, policies) => {
      const body = AuthChallenge.allowsToolResults(gate.published) ? keepResult(read) : read
      return AuthChallenge.inForm(
        gate.published,
        request,
        body,
        Effect.flatMapEager(admitCaller(request), (caller) => admitBody(caller, body, policies, false))
      )
    },
    admitCaller,
    admitBody,
    admitRoute: (request, policy) =>
      Effect.flatMapEager(gate.authenticate(request), (caller) => {
        const { principal } = caller
        if (principal === undefined) return gate.reject(caller, noCredentials)
        if ((policy as OperationPolicy | undefined) === undefined) return gate.reject(caller, noPolicy)
        return Effect.flatMapEager(checkStreams(caller, false), () =>
          Effect.flatMapEager(gate.recheck(caller, false), (current) => {
            const operations = operationsOfRoute(request.method)
            return Effect.flatMapEager(
              gate.authorize(current, operations, () =>
                policy),
              () => admissionFor(caller, authInfo.make(principal, gate), undefined, operations, undefined)
            )
          }))
      })
  }
}

/** Creates the steps that do not depend on the option `claims`. */
const makeSteps = (gate: Gate) => {
  /** Runs an effect that may call a function of the author of the server. Every failure becomes a rejection. */
  const attempt = <B, E>(
    caller: Caller,
    effect: () => Effect.Effect<B, E>,
    operations?: ReadonlyArray<Operation.Operation>
  ): Effect.Effect<B, Rejection> =>
    Effect.matchCauseEffectEager(eagerly(effect), {
      onFailure: (cause) => gate.reject(caller, cause, operations),
      onSuccess: Effect.succeed
    })

  /**
   * Checks the sessions that the query names. An MCP endpoint rejects a session that does not exist. On other routes, such a
   * session is ignored, because a parameter of the same name can have another meaning.
   */
  const checkStreams = (caller: Caller, isMcp: boolean): Effect.Effect<void, Rejection> => {
    for (const id of caller.request.streams ?? []) {
      const key = sseSession.keyOf(id)
      if (!isMcp && !gate.sessions.streams.has(key)) continue
      const checked = gate.sessions.checkStream(caller, key)
      if (checked !== Effect.void) return checked
    }
    return Effect.void
  }

  const checkSessions = (caller: Caller): Effect.Effect<void, Rejection> => {
    const session = caller.request.header("mcp-session-id")
    return Effect.flatMapEager(
      checkStreams(caller, true),
      () => session === undefined ? Effect.void : gate.sessions.check(caller, session)
    )
  }

  return { attempt, checkSessions, checkStreams }
}

const operationsOfRoute = (method: string): ReadonlyArray<Operation.Operation> => [
  { method, target: undefined, kind: undefined, params: undefined, isNotification: false }
]

/** The default policy. It requires a principal, so that a tool without a policy is never public. */
const undeclared: OperationPolicy = { scopes: [], unauthorized: "challenge", authenticated: true }

/**
 * Returns the policy of an operation. A tool, prompt or resource without a policy has the default policy. Returns `undefined`
 * for any other operation without a policy, and if `policyFor` returns `"unknown"`.
 */
const policyOrDefault = (policyFor: PolicyFor, operation: Operation.Operation): OperationPolicy | undefined => {
  const policy = policyFor(operation)
  return policy === "unknown" ? undefined : policy ?? (operation.kind === undefined ? undefined : undeclared)
}

/** Makes the function that reads a body return its first result again. The stream of a body can be read only once. */
const keepResult = (read: Read | undefined): Read | undefined => {
  let kept: Exit.Exit<body.Message, MalformedRequest | AuthConfigError> | undefined
  return read && (() =>
    kept ?? Effect.onExit(Effect.suspend(read), (exit) => {
      kept = exit
      return Effect.void
    }))
}

const noPolicies = Effect.succeed<PolicyFor>(() => undefined)

const noBody = Effect.succeed(body.empty)

const noPolicy = ConfigOption.invalid("policy", undefined, "an object", "Give one with scopes", "missing")

const noCredentials = new MissingCredentials({ reason: "no-authorization" })
