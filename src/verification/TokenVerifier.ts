/**
 * From a token to a principal: the interface. Each way of verifying has a file of its own.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { AuthorizationServerUnavailable, InvalidMetadata, InvalidToken } from "../protocol/AuthError.ts"
import type { Credentials } from "../protocol/Credentials.ts"
import type { Principal } from "./Principal.ts"

/**
 * What verification can end in, besides a principal.
 *
 * @category errors
 * @since 0.1.0
 */
export type VerificationError = InvalidToken | AuthorizationServerUnavailable | InvalidMetadata

/**
 * Verifies the credentials of a request.
 *
 * @category services
 * @since 0.1.0
 */
export class TokenVerifier extends Context.Service<TokenVerifier, {
  readonly verify: (credentials: Credentials) => Effect.Effect<Principal["Service"], VerificationError>
}>()("effect-mcp-auth/TokenVerifier") {}
