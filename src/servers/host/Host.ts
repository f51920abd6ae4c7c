import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import { AuthLayer, type Gate } from "../../authorization/Gate.ts"
import * as Fetcher from "../../outbound/Fetcher.ts"
import * as ConfigOption from "../../protocol/ConfigOption.ts"
import type { Principal } from "../../verification/Principal.ts"
import type { Admitted } from "./Admission.ts"
import * as Admit from "./Admit.ts"
import * as documents from "./Documents.ts"
import * as Runner from "./Runner.ts"
import * as sseSession from "./SseSession.ts"
import * as lifetime from "./StreamLifetime.ts"

/* A gate that runs outside Effect. An adapter presents its requests to the gate, and turns rejections into its responses. */

/** The gate, its decisions, and what adapters need after a decision. */
export interface Host<A = unknown> extends Admit.Admit<A>, Runner.Runner {
  readonly gate: Gate
  /** Runs handlers that are Effects. It holds all services of the layer. */
  readonly runtime: ManagedRuntime.ManagedRuntime<any, any>
  /** Returns the author's own claims of a principal, decoded. `undefined` if the option `claims` is not set. */
  readonly claims: (principal: Principal) => A | undefined
  /** Records the response of an MCP handler: binds the session that it opens, and releases the session that it ends. */
  readonly recordResponse: (admitted: Admitted<A>, status: number, session: string | undefined) => void
  /**
   * Binds the session that the first event of a stream names, and returns the function that releases it. Returns `undefined` if the
   * session exists already.
   */
  readonly bindStream: (admitted: Admitted<A>, id: string) => (() => void) | undefined
  /**
   * Calls `callback` when an event stream must end: when its token expires, is revoked or is invalidated, or when the host is
   * disposed. Returns the function that cancels the call, or `undefined` for an anonymous stream, which never ends.
   */
  readonly whenStreamEnds: (admitted: Admitted<A>, callback: () => void) => (() => void) | undefined
  /** Returns the public document at a path, if there is one. */
  readonly document: (path: string, request: documents.MetadataRequest) => documents.Document | undefined
}

/**
 * Builds the layer of a gate and keeps it until `dispose`. Rejects with the error of the layer. The requests to authorization
 * servers are sent with the `fetch` of the platform, unless the layer provides a `Fetcher`.
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
      "Give one that provides the gate, such as Gate.layer({ … })",
      "missing"
    )
  }
  const runtime = ManagedRuntime.make(layer.pipe(Layer.provide(Fetcher.layer)))
  const gate = await runtime.runPromise(AuthLayer).catch(async (error: unknown) => {
    await runtime.dispose()
    throw error
  })
  const { sessions } = gate
  const byPath = documents.byPath(gate)
  const runner = Runner.make(gate, runtime)

  const claims = (principal: Principal): A | undefined => gate.claimsFor?.(principal) as A | undefined

  return {
    ...runner,
    ...Admit.make(gate, claims),
    gate,
    runtime,
    claims,
    recordResponse: ({ caller: { request: { method } }, principal, session }, status, issued) => {
      if (issued !== undefined && session === undefined) sessions.bind(issued, principal)
      if (method === "DELETE" && status >= 200 && status < 300 && session !== undefined) sessions.release(session)
    },
    bindStream: ({ principal }, id) => {
      const key = sseSession.keyOf(id)
      // A server names each session once. A second stream of the same name must not take it over.
      if (sessions.has(key)) return undefined
      sessions.bind(key, principal)
      return () => sessions.release(key)
    },
    whenStreamEnds: ({ caller, operations, principal }, callback) => {
      const end = lifetime.endOfStream(principal, caller.request.method, operations)
      if (end === undefined) return undefined
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
    document: (path, request) => documents.tenantMetadata(gate, path, request) ?? byPath.get(path)
  }
}
