import * as McpSchema from "effect/ai/McpSchema"
import * as McpServer from "effect/ai/McpServer"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Caller from "../../../authorization/Caller.ts"
import { RequiredScopes, Unauthorized } from "../../../authorization/Policy.ts"
import type { OperationPolicy } from "../../../authorization/policy/OperationPolicy.ts"
import type { Verdict } from "../../../authorization/policy/Verdict.ts"
import type { Rejection } from "../../../authorization/Rejection.ts"
import { AccessDenied } from "../../../protocol/AuthError.ts"
import { own } from "../../../protocol/Json.ts"
import { sanitizeCause } from "../../../protocol/RemoteText.ts"
import { Principal } from "../../../verification/Principal.ts"
import * as effectRequest from "../../host/EffectRequest.ts"
import { filterUpdates } from "./localUpdates.ts"
import * as Registry from "./registry.ts"

/* Guards registrations inside the MCP server: checks scopes, and hides registrations from callers. */

class ScopeRejected extends Schema.Error<ScopeRejected>("ScopeRejected")({
  ...McpSchema.McpErrorBase.fields,
  _tag: Schema.tag("ScopeRejected"),
  code: Schema.tag(-32001)
}) {}

/** Fails a call. The data of the error contain the challenge that the gate would have sent. */
const fail = (principal: Principal | undefined, rejection: Rejection | undefined) => {
  const wwwAuthenticate = rejection?.headers["www-authenticate"]
  return Effect.fail(
    new ScopeRejected({
      message: principal === undefined && rejection !== undefined ? "Authentication required" : "Insufficient scope",
      ...(wwwAuthenticate === undefined ? {} : { data: { status: rejection!.status, wwwAuthenticate } })
    })
  )
}

/** Returns the policy of a call of `target`. Without `payload`, returns the part of the policy that applies to every call. */
export type PolicyForCall = (target: string, payload?: { readonly params: unknown }) => OperationPolicy | undefined

/**
 * Checks the scopes of a call inside the MCP server, even if the gate has checked them before. The check matters for calls that
 * did not pass `McpAuth.layerHttp`, such as those over `McpServer.layerHttp`, stdio or an in-memory transport. If the gate is in
 * front of the HTTP request, a pre-response handler turns the JSON-RPC error into the response of the gate: 403, or 401 for an
 * anonymous caller.
 */
const scopeGuard = (policyFor: PolicyForCall, server: McpServer.McpServer["Service"]) =>
  McpServer.middleware((effect, { method, payload, target }) => {
    // `payload` is missing if the server makes a list. No call runs then, so there are no arguments.
    const isCall = payload !== undefined
    const policy = policyFor(target, isCall ? { params: payload } : undefined)
    const required = policy?.scopes ?? []
    const hasGate = Registry.gates.has(server)
    const needsGate = isCall && (hasGate || required.length > 0 || policy?.rule?.isOpen === false)
    if (policy?.rule === undefined && required.length === 0 && !needsGate) return effect
    return Effect.withFiber((fiber) => {
      // Without any gate in the program, code of the author can provide the principal.
      if (needsGate && bypassesGate(fiber) && (hasGate || principalOf(fiber) === undefined)) {
        return rejectWithoutGate(server, hasGate)
      }
      if (policy?.rule !== undefined) {
        return isCall
          ? ruleGuard(effect, Registry.beforeCall(policy, method === "completion/complete"), {
            method,
            payload,
            target
          })
          : effect
      }
      if (required.length === 0) return effect
      const principal = principalOf(fiber)
      if (principal !== undefined && required.every((scope) => principal.scopes.has(scope))) return effect
      const unauthorized = policy?.unauthorized === "deny" ? "deny" : "challenge"
      return rejectWith(fiber, principal, target, { scopes: required, unauthorized })
    })
  })

const principalOf = (fiber: Fiber.Fiber<unknown, unknown>): Principal | undefined =>
  Context.getOrUndefined(fiber.context as Context.Context<any>, Principal)

/** Returns whether a call arrived over HTTP at an endpoint without a gate. */
const bypassesGate = (fiber: Fiber.Fiber<unknown, unknown>): boolean => {
  const request = Context.getOrUndefined(fiber.context as Context.Context<any>, HttpServerRequest.HttpServerRequest)
  return request !== undefined && effectRequest.gateContextOf(request) === undefined
}

/**
 * Fails a call that no gate has admitted, and logs the mistake once. If the server has a gate at another endpoint, this applies to all
 * of its tools, because each of them requires a valid token there.
 */
const rejectWithoutGate = (
  server: McpServer.McpServer["Service"],
  hasGate: boolean
): Effect.Effect<never, ScopeRejected> => {
  const rejected = Effect.fail(new ScopeRejected({ message: "Authentication required" }))
  if (reported.has(server)) return rejected
  reported.add(server)
  return Effect.andThen(
    Effect.logError(
      hasGate
        ? "A call reached a server of McpAuth.layerHttp through another endpoint that has no gate, because Effect builds one McpServer " +
          "for all servers of a program. Write Layer.fresh(…) around the other server"
        : "A call reached a registration with scopes or a policy through an endpoint that has no gate, such as McpServer.layerHttp. " +
          "Use McpAuth.layerHttp, and provide AuthLayer.make"
    ),
    rejected
  )
}

/** The servers whose other endpoint was logged. Any client can call it any number of times. */
const reported = new WeakSet<McpServer.McpServer["Service"]>()

/** Rejects a call with the answer of the gate to `policy`, if a gate is in front of the request. */
const rejectWith = (
  fiber: Fiber.Fiber<unknown, unknown>,
  principal: Principal | undefined,
  target: string,
  policy: OperationPolicy | AccessDenied
): Effect.Effect<never, ScopeRejected> => {
  const request = Context.getOrUndefined(fiber.context as Context.Context<any>, HttpServerRequest.HttpServerRequest)
  const inFront = request === undefined ? undefined : effectRequest.gateContextOf(request)
  if (request === undefined || inFront === undefined) return fail(principal, undefined)
  const { gate } = inFront
  const caller = Caller.make(inFront.caller.request, principal, inFront.caller.timing)
  const call = { method: target, target: undefined, kind: undefined, params: undefined, isNotification: false }
  const rejected = policy instanceof AccessDenied
    ? gate.reject(caller, policy, [call])
    : gate.authorize(caller, [call], () => policy)
  return Effect.matchEffect(rejected, {
    onSuccess: () => fail(principal, undefined),
    onFailure: (rejection) => {
      // If the response has started, this handler does not run, and the client finds the challenge in the JSON-RPC error.
      effectRequest.replaceResponse(fiber.context as Context.Context<any>, gate, request, rejection)
      return fail(principal, rejection)
    }
  })
}

/** The request of the gate, which identifies the results of the checks that the gate ran. */
const gateRequestOf = (fiber: Fiber.Fiber<unknown, unknown>): object | undefined => {
  const request = Context.getOrUndefined(fiber.context as Context.Context<any>, HttpServerRequest.HttpServerRequest)
  return request === undefined ? undefined : effectRequest.gateContextOf(request)?.caller.request
}

/**
 * Evaluates the policy of a call again. Scopes, roles and claims are compared again, and the results of checks come from the gate,
 * if it evaluated them for this request.
 */
const ruleGuard = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  policy: OperationPolicy,
  { method, payload, target }: { readonly method: string; readonly payload: unknown; readonly target: string }
) =>
  Effect.withFiber((fiber): Effect.Effect<A, E | ScopeRejected | McpSchema.InvalidParams, R> => {
    const principal = principalOf(fiber)
    const rule = policy.rule!
    const call = { method, target, arguments: own(payload, "arguments") }
    const answer = (verdict: Verdict): Effect.Effect<A, E | ScopeRejected | McpSchema.InvalidParams, R> => {
      switch (verdict._tag) {
        case "Granted":
          return effect
        case "InvalidArguments":
          return Effect.fail(new McpSchema.InvalidParams({ message: "Invalid arguments" }))
        case "Denied":
          return rejectWith(fiber, principal, target, new AccessDenied({ reason: "denied", failed: verdict.failed }))
        case "MissingScopes":
        case "SignIn":
          return policy.unauthorized === "challenge" || verdict._tag === "SignIn"
            ? rejectWith(fiber, principal, target, {
              scopes: policy.unauthorized === "challenge" ? verdict.required : [],
              unauthorized: "challenge",
              authenticated: true
            })
            : rejectWith(
              fiber,
              principal,
              target,
              new AccessDenied({ reason: "denied", failed: verdict.required.map((scope) => `scope ${scope}`) })
            )
      }
    }
    const verdict = rule.evaluator.evaluateCall(rule, principal, call, gateRequestOf(fiber))
    return Effect.isEffect(verdict) ? Effect.flatMap(verdict, answer) : answer(verdict)
  })

/**
 * Returns whether a hidden registration exists for the caller of the fiber. If a check dies, the registration is hidden, and the
 * others are not affected.
 */
export const isVisible = (policy: OperationPolicy): Effect.Effect<boolean> => {
  const { rule, scopes, unauthorized } = policy
  if (unauthorized !== "hide") return Effect.succeed(true)
  return Effect.withFiber((fiber): Effect.Effect<boolean> => {
    const principal = principalOf(fiber)
    if (rule === undefined) {
      return Effect.succeed(
        scopes.length === 0 || (principal !== undefined && scopes.every((scope) => principal.scopes.has(scope)))
      )
    }
    const verdict = rule.evaluator.evaluateList(rule, principal, gateRequestOf(fiber))
    return Effect.isEffect(verdict)
      ? Effect.map(verdict, (list) => list !== "none")
      : Effect.succeed(verdict !== "none")
  }).pipe(
    Effect.catchDefect((defect) =>
      Effect.as(
        Effect.logError("The check of a policy failed, so its operation is hidden", sanitizeCause(Cause.die(defect))),
        false
      )
    )
  )
}

/**
 * Removes hidden registrations from lists. A call to a hidden registration fails as if the registration did not exist. The
 * filter runs before the scope guard, so that such a call does not fail with the error of the scope guard.
 */
const visibilityFilter = (policyFor: PolicyForCall) =>
  McpServer.visibility(({ target }) => {
    const policy = policyFor(target)
    return policy === undefined ? Effect.succeed(true) : isVisible(policy)
  })

/** Guards the registrations that have these annotations, and records that they are guarded. */
export const guard = (
  annotations: ReadonlyArray<Context.Context<never>>,
  policyFor: PolicyForCall,
  hides: boolean
): Layer.Layer<never, never, McpServer.McpServer> =>
  Layer.unwrap(Effect.gen(function*() {
    const server = yield* McpServer.McpServer
    const local = yield* Registry.LocalServices
    if (local !== undefined) filterUpdates(server, local)
    const checks = scopeGuard(policyFor, server)
    return Layer.merge(
      // Not `combine`: a combined middleware would run outside the one of `layerLocal`, which provides the caller. Of separate layers,
      // the last one is the innermost.
      (hides ? Layer.merge(visibilityFilter(policyFor).layer, checks.layer) : checks.layer) as Layer.Layer<never>,
      Layer.succeed(Registry.Guarded, new Set(annotations)) as Layer.Layer<never>
    )
  }))

/** Guards a registration that was made with a function of `McpServer` itself. */
const guardOf = (server: McpServer.McpServer["Service"]): Registry.GuardOf => (annotations) => {
  const hides = Context.get(annotations, Unauthorized) === "hide"
  return Effect.scoped(
    Layer.build(guard([annotations], (_, payload) => policyFromAnnotations(annotations, payload), hides))
  ).pipe(Effect.provideService(McpServer.McpServer, server))
}

/** Observes those registrations on a server whose layers are built after this layer. */
export const layerObserver = (): Layer.Layer<never, never, McpServer.McpServer> =>
  // A function, because Effect builds a constant layer only once, for the first of several servers.
  Layer.effectDiscard(Effect.map(McpServer.McpServer, (server) => Registry.observe(server, guardOf(server))))

/** Returns the policy of a call from the annotations of its registration. */
export const policyFromAnnotations = (
  annotations: Context.Context<never>,
  payload?: { readonly params: unknown }
): OperationPolicy =>
  payload === undefined
    ? partOf(annotations)
    : Registry.policyForCall(annotations, payload.params)

/** The part of a policy that applies to every call. */
const partOf = (annotations: Context.Context<never>): OperationPolicy => {
  const rule = Registry.ruleOf(annotations)
  const unauthorized = Context.get(annotations, Unauthorized)
  return rule === undefined
    ? { scopes: Context.get(annotations, RequiredScopes), unauthorized }
    : { scopes: [], unauthorized, rule }
}
