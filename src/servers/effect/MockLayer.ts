/**
 * Authentication layers for tests.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as ClaimsDecoder from "../../authorization/ClaimsDecoder.ts"
import type * as Gate from "../../authorization/Gate.ts"
import { type RegisterWithMcpAuthToolkit, registerWithMcpAuthToolkit } from "../../authorization/Policy.ts"
import type * as ProtectedResource from "../../authorization/ProtectedResource.ts"
import type { Scopes } from "../../composition/AuthOptions.ts"
import * as GateLayer from "../../composition/GateLayer.ts"
import * as mockGate from "../../composition/mockGate.ts"
import { AuthConfigError, type AuthError } from "../../protocol/AuthError.ts"
import * as Principal from "../../verification/Principal.ts"
import * as EffectHttp from "./EffectHttp.ts"
import type { Protected, Provided } from "./Protected.ts"
import { type Claims, toDecoded } from "./SchemaClaims.ts"

/**
 * The options of `mock`.
 *
 * @category models
 * @since 0.1.0
 */
export type MockOptions<S extends Scopes, C = never, A = unknown> = mockGate.MockOptions<S, Claims<C, A>>

/**
 * Creates a layer that provides the services of `make`, without tokens and without a network. It also provides the `Principal`
 * to effects outside an HTTP request.
 *
 * **When to use**
 *
 * Use it in tests.
 *
 * **Details**
 *
 * Every request has the same caller. The gate makes all its checks except those of the token. The types are those of the real
 * layer, so a test does not compile if `scopes` lacks a required scope. `granted` limits the scopes of the caller, to test
 * rejections. If the claims do not match `claimsService`, building the layer fails with a defect.
 *
 * Throws `AuthConfigError` for options that the real layer rejects, such as an invalid scope.
 *
 * **Example** (Testing an effect)
 *
 * ```ts
 * import { AuthLayer, Principal, requireScopes } from "effect-mcp-auth"
 * import { Effect } from "effect"
 *
 * const whoami = requireScopes("profile")(Effect.map(Principal, (caller) => caller.subject))
 * const test = Effect.provide(whoami, AuthLayer.mock({ subject: "alice", scopes: ["profile"] }))
 * ```
 *
 * @category testing
 * @since 0.1.0
 */
export const mock = <const S extends Scopes, C = never, A = unknown>(
  options: MockOptions<S, C, A>
): Protected<
  Principal.Principal | RegisterWithMcpAuthToolkit | C | Provided<ProtectedResource.OfferedOf<S>, C>,
  never,
  never
> => {
  mockGate.checkNames(options, "AuthLayer.mock")
  const decoded = withDecodedService(options)
  const { gate, principal } = mockGate.make(decoded, "AuthLayer.mock")
  return Object.assign(
    Layer.mergeAll(
      Layer.succeed(Principal.Principal, principal),
      Layer.succeed(registerWithMcpAuthToolkit, undefined),
      Layer.effectContext(Effect.suspend(() => decodeClaims(decoded, principal))),
      protectedBy(gate)
    ),
    { ready: Layer.empty }
  ) as never
}

const withDecodedService = (options: MockOptions<any, any, any>): mockGate.MockOptions<Scopes> => ({
  ...options,
  claimsService: toDecoded(options.claimsService)
})

const protectedBy = (gate: Gate.Gate) =>
  Layer.fresh(EffectHttp.middleware).pipe(Layer.provideMerge(GateLayer.fromGate(gate)))

const toEffect = (reading: ClaimsDecoder.Reading): Effect.Effect<Context.Context<never>, unknown> =>
  Effect.isEffect(reading) ? reading : Effect.fromResult(reading)

const decodeClaims = (
  { claimsService }: mockGate.MockOptions<Scopes>,
  principal: Principal.Principal
): Effect.Effect<Context.Context<never>> =>
  toEffect(ClaimsDecoder.reader(claimsService)?.(principal) ?? Result.succeed(Context.empty())).pipe(
    Effect.catch((error) =>
      Effect.die(
        new AuthConfigError({
          reason: "malformed",
          option: "AuthLayer.mock.claims",
          fix: `the claims do not fit claimsService.schema: ${
            ClaimsDecoder.describeFailure(error)
          }. Give claims that fit, or correct the schema`
        })
      )
    )
  )

/**
 * Creates a layer that rejects every request with the given error.
 *
 * **When to use**
 *
 * Use it to test how clients handle a rejection.
 *
 * **Example** (An outage)
 *
 * ```ts
 * import { AuthError, AuthLayer } from "effect-mcp-auth"
 *
 * const Outage = AuthLayer.mockRejected(
 *   new AuthError.AuthorizationServerUnavailable({ reason: "timeout", issuer: "https://auth.example.com", retryAfter: 5 }),
 *   { scopes: ["todos:read"] }
 * )
 * ```
 *
 * @category testing
 * @since 0.1.0
 */
export const mockRejected = <const S extends Scopes, C = never, A = unknown>(
  error: AuthError,
  options: Pick<MockOptions<S, C, A>, "allowedHosts" | "scopes" | "resource" | "claimsService">
): Layer.Layer<Provided<ProtectedResource.OfferedOf<S>, C>> =>
  protectedBy(
    mockGate.makeRejecting(error, options as unknown as mockGate.MockOptions<Scopes>, "AuthLayer.mockRejected")
  ) as never
