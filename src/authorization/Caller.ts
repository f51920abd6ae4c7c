/**
 * A request as a host presents it to the gate, and the caller that the gate finds behind it.
 *
 * @since 0.1.0
 */
import type * as Fiber from "effect/Fiber"
import type { Principal } from "../verification/Principal.ts"
import type * as Presentation from "../verification/tokens/Presentation.ts"
import * as Decision from "./Decision.ts"

/**
 * A request, as far as the gate reads it.
 *
 * **Details**
 *
 * `path` and `dpop` (every line of that header) are what DPoP proofs are checked against: a host that leaves them out admits
 * no DPoP token, and finds no tenant by path.
 *
 * @category models
 * @since 0.1.0
 */
export interface Request extends Presentation.Request {
  /**
   * The fiber that serves the request. The gate reads clock, tracer, log level and `DecisionListener` from it. A host outside
   * Effect passes one fiber of its runtime for all requests.
   */
  readonly fiber: Fiber.Fiber<unknown, unknown>
  /**
   * Every `Authorization` line. A host that receives the lines joined by commas passes them as one: two credentials are rejected in
   * either form.
   */
  readonly authorization: ReadonlyArray<string>
  /** The sessions that the query names (HTTP+SSE transport of MCP 2024-11-05). Default: none. */
  readonly streams?: ReadonlyArray<string> | undefined
  /**
   * Every host that the request names: each `Host` line, `:authority`, the authority of its URL. If hosts are checked, a
   * request that names none is rejected. Default: none.
   */
  readonly host?: ReadonlyArray<string> | undefined
  /** Returns a parameter of the route that the host's router matched; `undefined` if there is none of this name. */
  readonly routeParameter?: ((name: string) => string | undefined) | undefined
}

/**
 * The party behind a request, from `authenticate` to the end of the response.
 *
 * @category models
 * @since 0.1.0
 */
export interface Caller {
  readonly request: Request
  /** The verified identity; `undefined` for an anonymous caller, where those are allowed. */
  readonly principal: Principal | undefined
  readonly timing: Decision.RequestTiming
}

/**
 * Creates a caller.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (request: Request, principal: Principal | undefined, timing: Decision.RequestTiming): Caller =>
  new RequestCaller(request, principal, timing)

// A class, like the timing: see there.
class RequestCaller implements Caller {
  readonly request: Request
  readonly principal: Principal | undefined
  readonly timing: Decision.RequestTiming

  constructor(request: Request, principal: Principal | undefined, timing: Decision.RequestTiming) {
    this.request = request
    this.principal = principal
    this.timing = timing
  }
}

/**
 * Creates the caller of a failure that belongs to no request.
 *
 * @category constructors
 * @since 0.1.0
 */
export const unknown = (fiber: Fiber.Fiber<unknown, unknown>): Caller =>
  make({ fiber, method: "", header: () => undefined, authorization: [] }, undefined, Decision.startTiming(fiber))
