/**
 * Presents a `Request` to the gate, and turns the rejections of the gate into a `Response`.
 *
 * @since 0.1.0
 */
import type { Read } from "../Admission.ts"
import * as body from "../Body.ts"
import { WebRequestBody } from "../WebRequestBody.ts"

/**
 * Converts a request to `Gate.Request`. For `Tenants.fromRoute`, `tenantOf` returns the tenant that the router of the
 * application found in the request.
 *
 * @category conversions
 * @since 0.1.0
 */
export { toGateRequest } from "../WebRequest.ts"

/**
 * Returns the name of the tenant of a request, or `undefined` if it names none.
 *
 * @category models
 * @since 0.1.0
 */
export type { TenantOf } from "../WebRequest.ts"

/**
 * Turns a rejection or a metadata document into a response. A response to `HEAD` has no body.
 *
 * @category conversions
 * @since 0.1.0
 */
export { toResponse } from "../WebResponse.ts"

/**
 * Returns the function for `admit` that reads and checks the body of a request. Throws `AuthConfigError` if a limit is wrong.
 *
 * @category constructors
 * @since 0.1.0
 */
export const bodyReader = (request: Request, limits: body.Options = {}): Read =>
  new WebRequestBody(request, { limits: body.checkReader(limits) }).read
