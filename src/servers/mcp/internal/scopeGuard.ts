import * as McpSchema from "effect/ai/McpSchema"
import * as McpServer from "effect/ai/McpServer"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Caller from "../../../authorization/Caller.ts"
import { RequiredScopes, Unauthorized } from "../../../authorization/Policy.ts"
import type { OperationPolicy } from "../../../authorization/policy/OperationPolicy.ts"
import type { Rejection } from "../../../authorization/Rejection.ts"
import { Principal } from "../../../verification/Principal.ts"
import * as effectRequest from "../../host/EffectRequest.ts"
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
const scopeGuard = (policyFor: PolicyForCall) =>
  McpServer.middleware((effect, { payload, target }) => {
    // `payload` is missing if the server makes a list. No call runs then, so there are no arguments.
    const required = policyFor(target, payload === undefined ? undefined : { params: payload })?.scopes ?? []
    return required.length === 0 ? effect : Effect.withFiber((fiber) => {
      const services = fiber.context as Context.Context<any>
      const principal = Context.getOrUndefined(services, Principal)
      if (principal !== undefined && required.every((scope) => principal.scopes.has(scope))) return effect
      const request = Context.getOrUndefined(services, HttpServerRequest.HttpServerRequest)
      const inFront = request === undefined ? undefined : effectRequest.gateContextOf(request)
      if (request === undefined || inFront === undefined) return fail(principal, undefined)
      const { caller, gate } = inFront
      const call = { method: target, target: undefined, kind: undefined, params: undefined, isNotification: false }
      const authorized = gate.authorize(
        Caller.make(caller.request, principal, caller.timing),
        [call],
        () => ({ scopes: required, unauthorized: "challenge" })
      )
      return Effect.matchEffect(authorized, {
        onSuccess: () => fail(principal, undefined),
        onFailure: (rejection) => {
          // If the response has started, this handler does not run, and the client finds the challenge in the JSON-RPC error.
          effectRequest.replaceResponse(fiber.context, gate, request, rejection)
          return fail(principal, rejection)
        }
      })
    })
  })

/**
 * Removes hidden registrations from lists. A call to a hidden registration fails as if the registration did not exist. The
 * filter runs before the scope guard, so that such a call does not fail with the error of the scope guard.
 */
const visibilityFilter = (policyFor: PolicyForCall) =>
  McpServer.visibility(({ target }) => {
    const policy = policyFor(target)
    return policy === undefined || policy.unauthorized !== "hide" || policy.scopes.length === 0
      ? Effect.succeed(true)
      : Effect.withFiber((fiber) => {
        const principal = Context.getOrUndefined(fiber.context as Context.Context<any>, Principal)
        return Effect.succeed(principal !== undefined && policy.scopes.every((scope) => principal.scopes.has(scope)))
      })
  })

/** Guards the registrations that have these annotations, and records that they are guarded. */
export const guard = (
  annotations: ReadonlyArray<Context.Context<never>>,
  policyFor: PolicyForCall,
  hides: boolean
): Layer.Layer<never> =>
  Layer.merge(
    (hides
      ? scopeGuard(policyFor).combine(visibilityFilter(policyFor)).layer
      : scopeGuard(policyFor).layer) as Layer.Layer<never>,
    Layer.succeed(Registry.Guarded, new Set(annotations)) as Layer.Layer<never>
  )

/** Guards a registration that was made with a function of `McpServer` itself. */
const guardOf: Registry.GuardOf = (annotations) => {
  const hides = Context.get(annotations, Unauthorized) === "hide"
  return Effect.scoped(
    Layer.build(guard([annotations], (_, payload) => policyFromAnnotations(annotations, payload), hides))
  )
}

/** Observes those registrations on a server whose layers are built after this layer. */
export const layerObserver = (): Layer.Layer<never, never, McpServer.McpServer> =>
  // A function, because Effect builds a constant layer only once, for the first of several servers.
  Layer.effectDiscard(Effect.map(McpServer.McpServer, (server) => Registry.observe(server, guardOf)))

/** Returns the policy of a call from the annotations of its registration. */
export const policyFromAnnotations = (
  annotations: Context.Context<never>,
  payload?: { readonly params: unknown }
): OperationPolicy =>
  payload === undefined
    ? { scopes: Context.get(annotations, RequiredScopes), unauthorized: Context.get(annotations, Unauthorized) }
    : Registry.policyForCall(annotations, payload.params)
