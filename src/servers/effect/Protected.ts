/**
 * The type of the authentication layer.
 *
 * @since 0.1.0
 */
import type * as HttpRouter from "effect/http/HttpRouter"
import type * as Layer from "effect/Layer"
import type * as Gate from "../../authorization/Gate.ts"
import type { RequiredScopesOf } from "../../authorization/Policy.ts"
import type * as RequestState from "../../authorization/RequestState.ts"
import type {
  AccessDenied,
  AuthorizationServerUnavailable,
  InsufficientScope,
  InvalidMetadata
} from "../../protocol/AuthError.ts"
import type * as Principal from "../../verification/Principal.ts"

/**
 * The services that the layer provides: the gate, and one `RequiredScope` for each offered scope. For each request, it also
 * provides the `Principal`, the `RequestState` and the service of the option `claims`.
 *
 * @category utility types
 * @since 0.1.0
 */
export type Provided<S extends string, C = never> =
  | Gate.AuthLayer
  | RequiredScopesOf<S>
  | HttpRouter.Request.From<"Requires", Principal.Principal | RequestState.RequestState | RequiredScopesOf<S> | C>
  | HttpRouter.Request<"Error", AccessDenied>
  | HttpRouter.Request<"Error", InsufficientScope>

/**
 * The authentication layer.
 *
 * @category models
 * @since 0.1.0
 */
export interface Protected<in A, out E, out R> extends Layer.Layer<A, E, R> {
  /**
   * Fetches the metadata and the keys of every authorization server whose tokens are not introspected, and fails if that is not
   * possible. Without this layer, the first token causes these requests. Takes at most 13 seconds.
   *
   * **Details**
   *
   * Provide it after the layer of the HTTP server. A layer that is provided later is built first, so the server listens only
   * after the keys have been fetched. The authentication layer uses these keys.
   */
  readonly ready: Layer.Layer<
    never,
    E | AuthorizationServerUnavailable | InvalidMetadata,
    Exclude<R, HttpRouter.HttpRouter>
  >
}
