import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as HttpClient from "effect/http/HttpClient"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Redacted from "effect/Redacted"
import * as References from "effect/References"
import * as Result from "effect/Result"
import { DecisionListener } from "../../authorization/Decision.ts"
import { makeGate } from "../../composition/makeGate.ts"
import * as Discovery from "../../outbound/Discovery.ts"
import * as Fetcher from "../../outbound/Fetcher.ts"
import * as HttpClientFetcher from "../../outbound/http-client/HttpClientFetcher.ts"
import type { AuthConfigError } from "../../protocol/AuthError.ts"
import type { Audience } from "../../verification/claims/Audience.ts"
import type * as AuthorizationServer from "../../verification/issuers/AuthorizationServer.ts"
import * as JwkSet from "../../verification/keys/JwkSet.ts"
import type { Principal } from "../../verification/Principal.ts"

/** The options of `AuthLayer.make` that decide about a token. */
export interface ServerOptions {
  readonly resource: string
  readonly authorizationServers: readonly [AuthorizationServer.Input]
  readonly audience?: Audience
  readonly scopes: readonly [string, ...ReadonlyArray<string>]
}

/** The decision of the gate about a token. */
export type Decision =
  | { readonly _tag: "Accepted"; readonly principal: Principal }
  | { readonly _tag: "Rejected"; readonly reason: string }
  /** The gate cannot decide, because the keys of the authorization server cannot be fetched. */
  | { readonly _tag: "Undecided"; readonly reason: string }

type Keys = JwkSet.JwkSet | Discovery.Discovery | Fetcher.Fetcher

/** Provides the keys of the authorization server as to a server: fetches its metadata and its key set. */
export const fetchedKeys: Layer.Layer<Keys, never, HttpClient.HttpClient> = JwkSet.layer.pipe(
  Layer.provideMerge(Discovery.layer),
  Layer.provideMerge(HttpClientFetcher.layer),
  Layer.fresh
)

/**
 * Provides keys that accept every signature, for a report that states that the signature was not verified. It sends no request.
 * A server must never use it.
 */
export const unverifiedSignatures: Layer.Layer<Keys> = Layer.mergeAll(
  Layer.succeed(JwkSet.JwkSet, {
    find: (_server, { algorithm }) => Effect.succeed([{ algorithm, verify: () => Effect.succeed(true) }]),
    isCurrent: () => () => true,
    load: () => Effect.void
  }),
  Discovery.layer.pipe(
    Layer.provideMerge(
      Layer.succeed(Fetcher.Fetcher, {
        send: () => Effect.fail(new Fetcher.FetchError({ reason: "not-allowed" }))
      })
    )
  )
)

/**
 * Presents a token as a Bearer token to the gate that `AuthLayer.make` creates from these options, and returns the decision of
 * the gate. Fails if the gate rejects the options. Writes no log and no metric, and calls no `DecisionListener`, because no
 * server has received a request.
 */
export const presentToken = (
  options: ServerOptions,
  token: Redacted.Redacted
): Effect.Effect<Decision, AuthConfigError, Keys> =>
  Effect.gen(function*() {
    // The compiler accepts only literals as scopes, which it compares with the tools of a server. Here there are no tools.
    const gate = yield* makeGate<readonly ["any"], never, unknown, never, never, never, never, never, never>(
      options as Omit<ServerOptions, "scopes"> & { readonly scopes: readonly ["any"] }
    )
    const presented = yield* Effect.result(Effect.withFiber((fiber) =>
      gate.authenticate({
        fiber,
        method: "POST",
        header: () => undefined,
        authorization: [`Bearer ${Redacted.value(token)}`],
        host: [new URL(options.resource).host]
      })
    ))
    if (Result.isSuccess(presented)) {
      return { _tag: "Accepted" as const, principal: presented.success.principal! }
    }
    const { reason, status } = presented.failure
    return { _tag: status >= 500 ? "Undecided" as const : "Rejected" as const, reason }
  }).pipe(
    Effect.scoped,
    Effect.provideService(References.MinimumLogLevel, "None"),
    Effect.provideService(Metric.MetricRegistry, new Map()),
    Effect.provideService(DecisionListener, () => Effect.void)
  )

/** Runs an effect at a time, in milliseconds since 1970. Default: the current time. Durations stay those of the clock. */
export const atTime = (at: number | undefined) => <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  at === undefined ? self : Clock.clockWith((clock) => Effect.provideService(self, Clock.Clock, fixedAt(clock, at)))

const fixedAt = (clock: Clock.Clock, at: number): Clock.Clock => {
  const nanos = BigInt(Math.round(at)) * 1_000_000n
  return {
    currentTimeMillisUnsafe: () => at,
    currentTimeMillis: Effect.succeed(at),
    currentTimeNanosUnsafe: () => nanos,
    currentTimeNanos: Effect.succeed(nanos),
    monotonicTimeNanosUnsafe: () => clock.monotonicTimeNanosUnsafe(),
    monotonicTimeNanos: clock.monotonicTimeNanos,
    sleep: (duration) => clock.sleep(duration)
  }
}
