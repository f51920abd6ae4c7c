/**
 * Presents a request of `node:http` to the gate, and sends the rejections of the gate.
 *
 * @since 0.1.0
 */
import type { Read } from "../Admission.ts"
import * as body from "../Body.ts"
import type { NodeRequest } from "../NodeRequest.ts"
import * as nodeRequestBody from "../NodeRequestBody.ts"
import type { Host } from "./Host.ts"

/**
 * A request and a response of `node:http` or of a framework on it, as far as the gate reads them.
 *
 * @category models
 * @since 0.1.0
 */
export type { NodeRequest, NodeResponse } from "../NodeHost.ts"

/**
 * Presents a request to the gate. `tenantOf` returns the tenant that the router of the host found, for `Tenants.fromRoute`.
 *
 * @category conversions
 * @since 0.1.0
 */
export { toGateRequest } from "../NodeRequest.ts"

/**
 * Returns the tenant of a request.
 *
 * @category models
 * @since 0.1.0
 */
export type { TenantOf } from "../NodeRequest.ts"

/**
 * Sends a rejection, or a metadata document.
 *
 * @category conversions
 * @since 0.1.0
 */
export { send } from "../NodeResponse.ts"

/**
 * Returns the function that reads and checks the bodies of an endpoint, for `admit` of a host. It returns `undefined` for a
 * request without a body. Throws `AuthConfigError` if a limit is wrong.
 *
 * @category constructors
 * @since 0.1.0
 */
export const bodyReader = <A>(
  host: Host<A>,
  options: body.Options = {}
): (req: NodeRequest) => Read | undefined => {
  const reading = nodeRequestBody.reading(host, body.checkLimits(options))
  return (req) => nodeRequestBody.bodyReader(req, reading)
}
