/**
 * State that travels through the client: a tool returns it with a question and receives it with the answer (MCP
 * multi-round-trip requests, task handles). A client can read, change, keep and pass on everything that it receives.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Seal from "../crypto/Seal.ts"
import { type AuthConfigError, MalformedRequest } from "../protocol/AuthError.ts"
import * as ConfigOption from "../protocol/ConfigOption.ts"
import { Principal } from "../verification/Principal.ts"

/**
 * Describes what a state is for.
 *
 * @category models
 * @since 0.1.0
 */
export interface Purpose {
  /** The operation that returns the state and receives it again, such as `tools/call plan_trip`. */
  readonly operation: string
  /** How long the client may keep it. Default: 10 minutes. */
  readonly lifetime?: Duration.Input | undefined
}

/**
 * Seals state for the caller of the current request.
 *
 * **When to use**
 *
 * In every handler that answers with `InputRequired` and a `requestState`: seal the state before you return it, and open
 * what comes back.
 *
 * **Details**
 *
 * Sealed state is encrypted (AES-256-GCM) and bound to the resource, to `Principal.key`, to the operation and to a time.
 * State of another resource or caller, for another operation, expired, altered or invented fails with `MalformedRequest`
 * and the reason `"state"`. The error does not say which of these is the cause.
 *
 * **Gotchas**
 *
 * Without `requestState.secret` the key is random and known to one process. Several instances need a common secret.
 *
 * Sealed state has at most 65,536 characters, which is about 48 KB of state. Sealing more is a defect (a `RangeError`): keep
 * large data in a store and seal its key.
 *
 * **Example** (Sealing and opening)
 *
 * ```ts
 * import { Effect, Redacted } from "effect"
 * import { AuthLayer, RequestState } from "effect-mcp-auth"
 * import assert from "node:assert/strict"
 *
 * const purpose = { operation: "tools/call plan_trip" }
 *
 * const roundTrip = Effect.gen(function*() {
 *   const { open, seal } = yield* RequestState.make(
 *     Redacted.make("a secret of 32 bytes or more, from the environment"),
 *     "https://trips.example.com/mcp"
 *   )
 *   const sealed = yield* seal("step 2 of 3", purpose)
 *   const elsewhere = yield* Effect.flip(open(sealed, { operation: "tools/call cancel_trip" }))
 *   return [yield* open(sealed, purpose), elsewhere.reason]
 * })
 *
 * const Caller = AuthLayer.mock({ subject: "alice", scopes: ["trips"] })
 * assert.deepStrictEqual(await Effect.runPromise(Effect.provide(roundTrip, Caller)), ["step 2 of 3", "state"])
 * ```
 *
 * @category services
 * @since 0.1.0
 */
export class RequestState extends Context.Service<RequestState, {
  readonly seal: (state: string, purpose: Purpose) => Effect.Effect<string, never, Principal>
  readonly open: (sealed: string, purpose: Purpose) => Effect.Effect<string, MalformedRequest, Principal>
}>()("effect-mcp-auth/RequestState") {}

const rejected = new MalformedRequest({ reason: "state" })

const defaultLifetime = Duration.minutes(10)

/** In characters. Longer sealed text is neither returned nor opened. */
const maximumLength = 64 * 1024

const tooLong = (operation: string, length: number): RangeError =>
  new RangeError(
    `RequestState.seal: the sealed state of ${operation} has ${length} characters; the limit is ${maximumLength}. ` +
      "Keep the data in a store and seal its key"
  )

/**
 * Makes the service of one resource, named by its resource identifier. The secret must have 32 bytes or more, as text.
 * Without a secret the key is random. Resources with the same secret cannot open each other's state: each has its own key,
 * which is derived from the secret and the identifier (HKDF, RFC 5869).
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (
  secret: Redacted.Redacted | undefined,
  resource: string
): Effect.Effect<RequestState["Service"], AuthConfigError> => {
  if (secret !== undefined) {
    const checked = ConfigOption.attempt(() => ConfigOption.checkSecret(secret, "requestState.secret"))
    if (Result.isFailure(checked)) return Effect.fail(checked.failure)
  }
  const sealing = Seal.make(secret, `effect-mcp-auth request state ${resource}`)
  return Effect.succeed({
    seal: Effect.fnUntraced(function*(state, { lifetime, operation }) {
      const principal = yield* Principal
      const now = yield* Clock.currentTimeMillis
      const until = now + Duration.toMillis(Duration.fromInputUnsafe(lifetime ?? defaultLifetime))
      const sealed = yield* sealing.seal(JSON.stringify([until, state]), contextOf(principal, operation))
      return sealed.length > maximumLength ? yield* Effect.die(tooLong(operation, sealed.length)) : sealed
    }),
    open: Effect.fnUntraced(function*(sealed, { operation }) {
      const principal = yield* Principal
      const now = yield* Clock.currentTimeMillis
      if (sealed.length > maximumLength) return yield* Effect.fail(rejected)
      const content = yield* sealing.open(sealed, contextOf(principal, operation))
      if (content === undefined) return yield* Effect.fail(rejected)
      // It was decrypted with our key, so it is the list that `seal` wrote.
      const [until, state] = JSON.parse(content) as [number, string]
      return now < until ? state : yield* Effect.fail(rejected)
    })
  })
}

/** The caller and the operation that state is bound to. */
const contextOf = (principal: Principal, operation: string): string => JSON.stringify([principal.key, operation])
