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
 * A request and a response of `node:http`, or of a framework that is built on it. The types have only the members that the gate
 * uses.
 *
 * @category models
 * @since 0.1.0
 */
export type { NodeRequest, NodeResponse } from "../NodeHost.ts"

/**
 * Converts a request to `Gate.Request`. For `Tenants.fromRoute`, `tenantOf` returns the tenant that the router of the
 * application found in the request.
 *
 * @category conversions
 * @since 0.1.0
 */
export { toGateRequest } from "../NodeRequest.ts"

/**
 * Returns the name of the tenant of a request, or `undefined` if it names none.
 *
 * @category models
 * @since 0.1.0
 */
export type { TenantOf } from "../NodeRequest.ts"

/**
 * Sends a rejection or a metadata document.
 *
 * @category conversions
 * @since 0.1.0
 */
export { send } from "../NodeResponse.ts"

/**
 * Prepares the reading of the bodies of an endpoint. For each request, the result returns the function for `admit` that reads
 * and checks the body, or `undefined` if the request neither has nor needs a body. Throws `AuthConfigError` if a limit is
 * wrong.
 *
 * @category constructors
 * @since 0.1.0
 */
export const bodyReader = <A>(
  host: Host<A>,
  options: body.Options = {}
): (req: NodeRequest) => Read | undefined => {
  const reading = nodeRequestBody.reading(host, body.checkReader(options))
  return (req) => nodeRequestBody.bodyReader(req, reading)
}
