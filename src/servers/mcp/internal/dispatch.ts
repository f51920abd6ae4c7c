import * as ByteSize from "effect/ByteSize"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as HttpEffect from "effect/http/HttpEffect"
import * as HttpIncomingMessage from "effect/http/HttpIncomingMessage"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import type * as HttpServerResponse from "effect/http/HttpServerResponse"
import type * as Types from "effect/Types"
import * as Caller from "../../../authorization/Caller.ts"
import * as Decision from "../../../authorization/Decision.ts"
import { AuthLayer } from "../../../authorization/Gate.ts"
import { isHiddenFrom, type OperationPolicy } from "../../../authorization/policy/OperationPolicy.ts"
import type { Rejection } from "../../../authorization/Rejection.ts"
import type { AuthConfigError, MalformedRequest } from "../../../protocol/AuthError.ts"
import * as Operation from "../../../protocol/Operation.ts"
import { Principal } from "../../../verification/Principal.ts"
import * as body from "../../host/Body.ts"
import * as effectRequest from "../../host/EffectRequest.ts"
import * as effectStream from "../../host/EffectStream.ts"
import * as effectBody from "./effectBody.ts"
import * as Registry from "./registry.ts"
import { isVisible } from "./scopeGuard.ts"
import * as toolList from "./toolList.ts"

/* Authorizes the operations of a request before the MCP server dispatches them. */

/** An app of the router. The middleware adds no failure and no service to it. */
type App = Effect.Effect<HttpServerResponse.HttpServerResponse, Types.unhandled>

/** The maximum length of a body if `MaxBodySize` is not provided. */
const maximumBody = ByteSize.fromInputUnsafe(body.defaultLimit)

/** Reads the message of a request, and the operations in it. Only POST requests have operations. The server parses the same text later. */
const readMessage = (
  request: HttpServerRequest.HttpServerRequest,
  limit: ByteSize.ByteSize,
  reading: effectBody.Reading
): Effect.Effect<body.Message, MalformedRequest | AuthConfigError> => {
  if (request.method !== "POST") return Effect.succeed(body.empty)
  const { headers } = request
  if (!body.isJson(headers["content-type"])) return Effect.fail(body.contentTypeRejected)
  if (Number(headers["content-length"] ?? 0) > Number(limit)) return Effect.fail(body.tooLarge)
  return Effect.flatMap(
    effectBody.read(request, limit, reading),
    (text) => Effect.fromResult(body.parseText(text, reading.limits))
  )
}

/** Returns the maximum length of a body. */
const limitOf = (context: Context.Context<never>): ByteSize.ByteSize =>
  Context.get(context, HttpIncomingMessage.MaxBodySize) ?? maximumBody

/**
 * Rewrites the body of a subscription without the resources that are hidden from the caller or do not exist. The server then
 * acknowledges only the other resources, so the caller cannot find out which hidden resources exist. If a removed resource is
 * registered later, the caller receives no updates about it.
 */
const withoutHidden = (
  request: HttpServerRequest.HttpServerRequest,
  policyFor: Registry.PolicyFor,
  operations: ReadonlyArray<Operation.Operation>,
  principal: Principal | undefined,
  app: App
): App => {
  let hidden: Set<string> | undefined
  let undecided: Array<{ readonly target: string; readonly policy: OperationPolicy }> | undefined
  for (const operation of operations) {
    if (operation.method !== Operation.listen || operation.target === undefined) continue
    const policy = policyFor(operation)
    if (policy?.rule !== undefined) {
      if (policy.unauthorized === "hide") (undecided ??= []).push({ target: operation.target, policy })
      continue
    }
    if (policy !== undefined && policy !== Registry.unlistedPolicy && !isHiddenFrom(policy, principal)) continue
    hidden ??= new Set()
    hidden.add(operation.target)
  }
  const without = (hidden: ReadonlySet<string>) =>
    Effect.andThen(effectBody.rewrite(request, Operation.withoutWatched(hidden)), app)
  return undecided === undefined ? hidden === undefined ? app : without(hidden) : Effect.flatMap(
    Effect.filter(undecided, ({ policy }) => Effect.map(isVisible(policy), (visible) => !visible)),
    (invisible) => {
      const all = new Set([...(hidden ?? []), ...invisible.map(({ target }) => target)])
      return all.size === 0 ? app : without(all)
    }
  )
}

/**
 * Returns the caller that the middleware of `AuthLayer` authenticated. If another middleware has since provided another
 * principal to the handlers, returns a caller with that principal.
 */
const callerOf = (
  request: HttpServerRequest.HttpServerRequest,
  principal: Principal | undefined,
  fiber: Fiber.Fiber<unknown, unknown>
): Caller.Caller => {
  const known = effectRequest.gateContextOf(request)?.caller
  return known !== undefined && known.principal === principal ? known : Caller.make(
    effectRequest.toGateRequest(request, fiber),
    principal,
    known?.timing ?? Decision.startTiming(fiber)
  )
}

/**
 * Creates the middleware that runs the steps of the gate after `authenticate`, and then lets the MCP server dispatch the
 * request. It runs inside the middleware of `AuthLayer`, so the caller is authenticated, and outside the MCP server, so no
 * handler has run. `changeToolList` changes the results of `tools/list`.
 */
export const makeDispatch = (
  reading: effectBody.Reading,
  policyFor: Registry.PolicyFor,
  changeToolList: toolList.Change | undefined
) =>
  Effect.map(AuthLayer, (gate) => (app: App): App => {
    const { sessions } = gate
    const mcpApp: effectRequest.McpApp = {
      read: (request) => Effect.withFiber(({ context }) => readMessage(request, limitOf(context), reading))
    }

    /** Sends a response after its session is recorded, or the rejection if that fails. */
    const sendAfter = (
      request: HttpServerRequest.HttpServerRequest,
      recorded: Effect.Effect<void, Rejection>,
      response: HttpServerResponse.HttpServerResponse
    ): Effect.Effect<HttpServerResponse.HttpServerResponse> =>
      effectRequest.respondToRejections(gate, request, Effect.as(recorded, response)) as Effect.Effect<
        HttpServerResponse.HttpServerResponse
      >

    /** Dispatches an authorized request. */
    const run = (
      request: HttpServerRequest.HttpServerRequest,
      caller: Caller.Caller,
      session: string | undefined,
      operations: ReadonlyArray<Operation.Operation>,
      context: Context.Context<never>
    ): App =>
      Effect.flatMap(withoutHidden(request, policyFor, operations, caller.principal, app), (response) => {
        // The server sets `Mcp-Session-Id` in a pre-response handler. Only a handler that is appended later sees the header.
        if (session === undefined && operations.some(isInitialize)) {
          HttpEffect.appendPreResponseHandlerUnsafe(context, (_, sent) => {
            const issued = sent.headers["mcp-session-id"]
            return issued === undefined ? Effect.succeed(sent) : sendAfter(request, sessions.open(caller, issued), sent)
          })
        }
        const changed = changeToolList !== undefined && operations.some(isToolList)
          ? toolList.rewrite(response, changeToolList)
          : response
        const answer = effectStream.endInTime(changed, { gate, caller, operations })
        const isEnded = request.method === "DELETE" && (response.status === 204 || response.status === 404)
        return session !== undefined && isEnded
          ? sendAfter(request, sessions.end(caller, session), answer)
          : Effect.succeed(answer)
      })

    const authorizedApp: App = Effect.withFiber((fiber) => {
      const { context } = fiber
      const request = Context.getUnsafe(context, HttpServerRequest.HttpServerRequest)
      const caller = callerOf(request, Context.getOrUndefined(context, Principal), fiber)
      const session = request.headers["mcp-session-id"]
      const authorized = Effect.flatMapEager(
        session === undefined ? Effect.void : sessions.check(caller, session),
        () => {
          const read = Effect.matchCauseEffectEager(readMessage(request, limitOf(context), reading), {
            onFailure: (cause) => gate.reject(caller, cause),
            onSuccess: Effect.succeed
          })
          return Effect.flatMapEager(read, ({ operations }) =>
            Effect.flatMapEager(gate.recheck(caller, !Exit.isExit(read)), (current) =>
              Effect.mapEager(gate.authorize(current, operations, policyFor), () =>
                operations)))
        }
      )
      return effectRequest.continueWith(
        gate,
        request,
        effectRequest.inForm(gate, request, fiber, mcpApp, authorized),
        (operations): App =>
          run(request, caller, session, operations, context)
      )
    })
    effectRequest.mcpApps.set(authorizedApp, mcpApp)
    return authorizedApp
  })

const isToolList = ({ method }: Operation.Operation): boolean => method === "tools/list"

// Only `initialize` opens a session.
const isInitialize = ({ method }: Operation.Operation): boolean => method === "initialize"
