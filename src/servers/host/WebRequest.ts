import type * as Fiber from "effect/Fiber"
import type * as Caller from "../../authorization/Caller.ts"
import * as headerLines from "../../protocol/HeaderLines.ts"
import * as requestPath from "../../protocol/RequestPath.ts"
import * as requestHost from "./RequestHost.ts"
import * as sseSession from "./SseSession.ts"

/** Presents a `Request` to the gate. */
// A class, because creating an object literal with getters takes longer than the rest of the gate's work on a request.
class GateRequest implements Caller.Request {
  readonly fiber: Fiber.Fiber<unknown, unknown>
  readonly method: string
  readonly #request: Request
  readonly #tenantOf: TenantOf | undefined

  constructor(request: Request, fiber: Fiber.Fiber<unknown, unknown>, tenantOf: TenantOf | undefined) {
    this.#request = request
    this.#tenantOf = tenantOf
    this.fiber = fiber
    this.method = request.method
  }

  header(name: string): string | undefined {
    return this.#request.headers.get(name) ?? undefined
  }

  get authorization(): ReadonlyArray<string> {
    const value = this.#request.headers.get("authorization")
    return value === null ? [] : [value]
  }

  get dpop(): ReadonlyArray<string> {
    const value = this.#request.headers.get("dpop")
    return value === null ? [] : headerLines.split(value)
  }

  get host(): ReadonlyArray<string> {
    return requestHost.ofFetch(this.#request.url, this.#request.headers)
  }

  get path(): string {
    return requestPath.of(this.#request.url)
  }

  get streams(): ReadonlyArray<string> {
    return sseSession.idsOf(this.#request.url)
  }

  /** Returns the tenant for every parameter name, because a `Request` has no route parameters other than the tenant. */
  routeParameter(): string | undefined {
    return this.#tenantOf?.()
  }
}

/**
 * Returns the name of the tenant of a request, or `undefined` if it names none. The author of a server supplies this function.
 */
export type TenantOf = () => string | undefined

/** Creates the gate's view of a request. */
export const toGateRequest = (
  request: Request,
  fiber: Fiber.Fiber<unknown, unknown>,
  tenantOf?: TenantOf | undefined
): Caller.Request => new GateRequest(request, fiber, tenantOf)
