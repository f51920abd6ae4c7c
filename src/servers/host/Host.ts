import type * as Context from "effect/Context"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Result from "effect/Result"
import { AuthLayer, type Gate } from "../../authorization/Gate.ts"
import type { Rejection } from "../../authorization/Rejection.ts"
import * as Fetcher from "../../outbound/Fetcher.ts"
import * as ConfigOption from "../../protocol/ConfigOption.ts"
import type { Principal } from "../../verification/Principal.ts"
import type { Admitted } from "./Admission.ts"
import * as Admit from "./Admit.ts"
import * as documents from "./Documents.ts"
import * as Runner from "./Runner.ts"
import * as sseSession from "./SseSession.ts"
import * as lifetime from "./StreamLifetime.ts"

/*
 * Runs a gate for server adapters outside Effect. An adapter converts the requests of its platform for the gate, and converts
 * rejections to responses of its platform.
 */

/**
 * A gate that runs outside Effect, with the functions that decide about requests and those that adapters call after a decision.
 */
export interface Host<A = unknown> extends Admit.Admit<A>, Runner.Runner {
  readonly gate: Gate
  /** Runs the effects of handlers. It contains all services of the layer. */
  readonly runtime: ManagedRuntime.ManagedRuntime<any, any>
  /** The services of the layer, for the checks of policies. */
  readonly services: Context.Context<never>
  /** Returns the claims of a principal as the option `claims` decodes them, or `undefined` if that option is not set. */
  readonly claims: (principal: Principal) => A | undefined
  /**
   * Records the response of an MCP handler. `session` is the `Mcp-Session-Id` header of the response. If the response opens a
   * session, binds the session to the caller. After a successful DELETE request, ends the session of the request. Returns a
   * promise only if the sessions are in a shared store. The client must not receive the response before, and receives the
   * rejection instead if the store fails.
   */
  readonly recordResponse: (
    admitted: Admitted<A>,
    status: number,
    session: string | undefined
  ) => Recorded | Promise<Recorded>
  /**
   * Binds a session to the caller. `id` is the session id in the first event of a stream. Returns the function that releases
   * the session, or `undefined` if the session is already bound.
   */
  readonly bindStream: (admitted: Admitted<A>, id: string) => (() => void) | undefined
  /**
   * Counts an event stream of a caller, and calls `callback` when it must end: when the token of its request is revoked or
   * invalidated, when this `Host` is disposed, when the token expires, or when the caller has too many streams. The response to a POST
   * request, except `subscriptions/listen`, may continue for 5 minutes after the token has expired. Returns the function that cancels
   * the callback. Call it when the stream is closed: until then, the stream counts as open.
   */
  readonly whenStreamEnds: (admitted: Admitted<A>, callback: () => void) => () => void
  /** Returns the public document at a path, if there is one. */
  readonly document: documents.Find
}

/** Whether a response may be sent: if the sessions cannot be recorded, the rejection to send instead. */
export type Recorded = Result.Result<void, Rejection>

/**
 * Builds the layer of a gate, whose services live until `dispose`. Rejects with the error of the layer if building the layer
 * fails. Requests to authorization servers are sent with the `fetch` of the platform, unless the layer provides a `Fetcher`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = async <R, E, A = unknown>(
  layer: Layer.Layer<AuthLayer | R, E, Fetcher.Fetcher>
): Promise<Host<A>> => {
  if (!Layer.isLayer(layer as unknown)) {
    throw ConfigOption.invalid(
      "Host.make",
      layer,
      "a layer",
      "Give one such as Gate.layer({ … })",
      "missing"
    )
  }
  const runtime = ManagedRuntime.make(layer.pipe(Layer.provide(Fetcher.layer)))
  const gate = await runtime.runPromise(AuthLayer).catch(async (error: unknown) => {
    await runtime.dispose()
    throw error
  })
  const services = await runtime.context()
  const { sessions } = gate
  const { find } = documents.make(gate)
  const runner = Runner.make(gate, runtime)

  const claims = (principal: Principal): A | undefined => gate.claimsFor?.(principal) as A | undefined

  return {
    ...runner,
    ...Admit.make(gate, claims),
    gate,
    runtime,
    services,
    claims,
    recordResponse: ({ caller, session }, status, issued) => {
      if (session === undefined) {
        return issued === undefined ? recorded : complete(runner.start(() => sessions.open(caller, issued)))
      }
      return endsSession(caller.request.method, status)
        ? complete(runner.start(() => sessions.end(caller, session)))
        : recorded
    },
    bindStream: ({ principal }, id) => {
      const key = sseSession.keyOf(id)
      // A server uses each session id for one stream. A second stream with the same id must not take over the session.
      if (sessions.streams.has(key)) return undefined
      sessions.streams.bind(key, principal)
      return () => sessions.streams.release(key)
    },
    whenStreamEnds: ({ caller, operations, principal }, callback) => {
      const end = lifetime.endOfStream(principal, caller.request.method, operations)
      if (runner.isDisposed()) {
        callback()
        return () => {}
      }
      let isCancelled = false
      const fiber = runtime.runFork(gate.untilStreamEnds(caller, end))
      fiber.addObserver(() => {
        if (!isCancelled) callback()
      })
      return () => {
        isCancelled = true
        fiber.interruptUnsafe()
      }
    },
    document: find
  }
}

const recorded: Recorded = Result.void

const complete = (started: Runner.Started<void>): Recorded | Promise<Recorded> =>
  Result.isResult(started) ? started : started.result

/**
 * Returns whether a response to a DELETE request means that the session has ended. A transport also answers 404 for a session that
 * another instance opened. Its owner wants this session to end as well.
 */
const endsSession = (method: string, status: number): boolean =>
  method === "DELETE" && ((status >= 200 && status < 300) || status === 404)
