/**
 * A request as a server adapter presents it to the gate, and the caller that the gate identifies.
 *
 * @since 0.1.0
 */
import type * as Fiber from "effect/Fiber"
import type { Principal } from "../verification/Principal.ts"
import type * as Presentation from "../verification/tokens/Presentation.ts"
import * as Decision from "./Decision.ts"

/**
 * The parts of a request that the gate reads.
 *
 * **Details**
 *
 * The gate checks DPoP proofs with `path` and `dpop` (the value of each `DPoP` header line). If an adapter leaves them out, the
 * gate rejects DPoP tokens. Without `path`, it also finds no tenant by path.
 *
 * @category models
 * @since 0.1.0
 */
export interface Request extends Presentation.Request {
  /**
   * The fiber that serves the request. The gate reads clock, tracer, log level and `DecisionListener` from it. An adapter for a
   * platform without Effect passes one fiber of its runtime for all requests.
   */
  readonly fiber: Fiber.Fiber<unknown, unknown>
  /**
   * The value of each `Authorization` header line. If the platform joins the lines with commas, the adapter passes the joined
   * text as one value. The gate rejects two credentials in either form.
   */
  readonly authorization: ReadonlyArray<string>
  /**
   * The session ids in the query (HTTP+SSE transport of MCP 2024-11-05). The gate checks that the sessions belong to the
   * caller. Leave the ids out only if no handler reads a session id from the query. Default: an empty list.
   */
  readonly streams?: ReadonlyArray<string> | undefined
  /**
   * Each host name under which the request addresses the server, with its port if there is one: the value of each `Host` header
   * line, `:authority`, and the authority of the URL. If the gate checks host names, it rejects a request with an empty list.
   * Default: an empty list.
   */
  readonly host?: ReadonlyArray<string> | undefined
  /** Returns a parameter of the route that the platform's router matched, or `undefined` if there is none of this name. */
  readonly routeParameter?: ((name: string) => string | undefined) | undefined
}

/**
 * The party that sent a request, as `authenticate` identified it. The gate uses the caller until the end of the response.
 *
 * @category models
 * @since 0.1.0
 */
export interface Caller {
  readonly request: Request
  /** The verified identity. `undefined` for an anonymous caller, and while no token is verified yet. */
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

// A class instead of a literal, for the reason that `Arrival` in `Decision.ts` gives.
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
 * Creates an anonymous caller for a failure that belongs to no request.
 *
 * @category constructors
 * @since 0.1.0
 */
export const unknown = (fiber: Fiber.Fiber<unknown, unknown>): Caller =>
  make({ fiber, method: "", header: () => undefined, authorization: [] }, undefined, Decision.startTiming(fiber))
