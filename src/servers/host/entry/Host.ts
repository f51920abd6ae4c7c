/**
 * Runs a gate on a platform that does not use Effect.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type { AuthLayer } from "../../../authorization/Gate.ts"
import type { Fetcher } from "../../../outbound/Fetcher.ts"
import * as ConfigOption from "../../../protocol/ConfigOption.ts"
import * as OptionValue from "../../../protocol/OptionValue.ts"
import type { Read } from "../Admission.ts"
import * as body from "../Body.ts"
import * as host from "../Host.ts"

/**
 * An admitted request: its caller, its operations, and the parsed body that was checked.
 *
 * @category models
 * @since 0.1.0
 */
export type { Admitted } from "../Admission.ts"

/**
 * The functions that an adapter passes to `admit`. `Read` reads the body, and `Policies` finds the policies of its operations.
 *
 * @category models
 * @since 0.1.0
 */
export type { Policies, Read } from "../Admission.ts"

/**
 * A gate that runs outside Effect. An adapter converts the requests of its platform to `Gate.Request`, and converts rejections
 * to responses of its platform.
 *
 * **Details**
 *
 * `admit` decides about a request to an MCP endpoint, and `admitRoute` about a request to any other route. Call both inside
 * `run`, which reports defects. If a response opens a session, `recordResponse` binds this session to the caller. If the first
 * event of an HTTP+SSE stream names a session, `bindStream` binds this session to the caller. `whenStreamEnds` calls a function
 * when an event stream must end. `document` returns the public metadata documents, which need no token. Pass each rejection
 * through `Rejection.allowOrigin` before you write it. Otherwise, pages of allowed origins cannot read the rejection.
 *
 * @category models
 * @since 0.1.0
 */
export interface Host<A = unknown> extends
  Pick<
    host.Host<A>,
    | "admit"
    | "admitRoute"
    | "bindStream"
    | "claims"
    | "dispose"
    | "document"
    | "fiber"
    | "gate"
    | "recordResponse"
    | "run"
    | "runtime"
    | "whenStreamEnds"
  >
{}

/**
 * Builds the layer of a gate, whose services live until `dispose`. Rejects with the error of the layer if building the layer
 * fails. Requests to authorization servers are sent with the `fetch` of the platform, unless the layer provides a `Fetcher`.
 *
 * **When to use**
 *
 * Use it for a framework or a platform that none of the adapters supports.
 *
 * **Example** (Functions that receive events instead of requests)
 *
 * ```ts
 * import { Result } from "effect"
 * import { Gate, Host, Rejection } from "effect-mcp-auth/host"
 * import assert from "node:assert/strict"
 *
 * interface Event {
 *   readonly method: string
 *   readonly path: string
 *   // Header names are in lower case. Each list contains the values of the header's lines.
 *   readonly headers: Readonly<Record<string, ReadonlyArray<string>>>
 * }
 *
 * const host = await Host.make(Gate.layer({
 *   resource: "https://todos.example.com/whoami",
 *   authorizationServers: ["https://auth.example.com"],
 *   scopes: ["todos:read"]
 * }))
 *
 * const toGateRequest = ({ headers, method, path }: Event): Gate.Request => ({
 *   fiber: host.fiber,
 *   method,
 *   path,
 *   header: (name) => headers[name]?.join(", "),
 *   authorization: headers["authorization"] ?? [],
 *   dpop: headers["dpop"] ?? [],
 *   host: headers["host"] ?? []
 * })
 *
 * const policy: Gate.OperationPolicy = { scopes: ["todos:read"], unauthorized: "challenge", authenticated: true }
 *
 * const whoami = async (event: Event) => {
 *   const admitted = await host.run(() => host.admitRoute(toGateRequest(event), policy))
 *   if (Result.isFailure(admitted)) {
 *     // Lets the pages of allowed origins read the rejection.
 *     const [origin] = event.headers["origin"] ?? []
 *     const { body, headers, status } = Rejection.allowOrigin(admitted.failure, origin, host.gate.published.allowsOrigin)
 *     return { status, headers, body }
 *   }
 *   return { status: 200, headers: {}, body: admitted.success.principal?.owner ?? "" }
 * }
 *
 * const response = await whoami({ method: "GET", path: "/whoami", headers: { host: ["todos.example.com"] } })
 * assert.strictEqual(response.status, 401)
 * await host.dispose()
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make: <R, E, A = unknown>(layer: Layer.Layer<AuthLayer | R, E, Fetcher>) => Promise<Host<A>> = host.make

/**
 * A body that an adapter has already received: its text, its bytes, or the value of a body parser.
 *
 * @category models
 * @since 0.1.0
 */
export interface ReceivedBody {
  readonly body: unknown
  /** The `Content-Type` header. Only `application/json` is accepted. */
  readonly contentType: string | undefined
}

/**
 * Returns the function for `admit` that checks an already received body. Throws `AuthConfigError` if a limit is wrong.
 *
 * **When to use**
 *
 * Use it if requests arrive together with their body, as events of a function platform do. For streams, use `bodyReader` of
 * `NodeRequest` or `WebRequest`, which stops reading at the limit.
 *
 * **Example** (A tool call that arrives as an event)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Host } from "effect-mcp-auth/host"
 * import assert from "node:assert/strict"
 *
 * const call = { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "add_todo" } }
 * const read = Host.bodyReader({ body: JSON.stringify(call), contentType: "application/json" }, { maximumBody: 65_536 })
 * const { operations } = await Effect.runPromise(read())
 * assert.deepStrictEqual(operations.map(({ target }) => target), ["add_todo"])
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const bodyReader = (received: ReceivedBody, options: body.Options = {}): Read => {
  if (!OptionValue.isObject(received)) {
    throw ConfigOption.invalid("Host.bodyReader", received, "an object", "Give one with body and contentType")
  }
  const limits = body.checkReader(options)
  return () => {
    if (!body.isJson(received.contentType)) return Effect.fail(body.contentTypeRejected)
    return body.isWithin(received.body, limits.bytes)
      ? Effect.fromResult(body.parsed(received.body, limits))
      : Effect.fail(body.tooLarge)
  }
}
