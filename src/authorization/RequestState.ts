/**
 * Seals state that the client stores for the server. A tool returns the state with a question and receives it again with the
 * answer (MCP multi-round-trip requests, task handles). Without a seal, a client could read, change and pass on the state.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import * as Seal from "../crypto/Seal.ts"
import { type AuthConfigError, MalformedRequest } from "../protocol/AuthError.ts"
import * as ConfigOption from "../protocol/ConfigOption.ts"
import * as OptionValue from "../protocol/OptionValue.ts"
import { Principal } from "../verification/Principal.ts"

/**
 * The operation that state belongs to, and the lifetime of the state.
 *
 * @category models
 * @since 0.1.0
 */
export interface Purpose {
  /** The operation that returns the state and receives it again, such as `tools/call plan_trip`. */
  readonly operation: string
  /**
   * The time during which `open` accepts the state: a finite duration above 0. With any other value, `seal` dies with a
   * `RangeError`. Default: 10 minutes.
   */
  readonly lifetime?: Duration.Input | undefined
}

/**
 * The service that `seal` and `open` need: it identifies the key of one resource. The authentication layer provides it.
 *
 * @category services
 * @since 0.1.0
 */
export class RequestState extends Context.Service<RequestState, {
  /** The resource identifier. */
  readonly resource: string
}>()("effect-mcp-auth/RequestState") {}

/** The parts of a key. The secret is not a member of the service, because every handler can read the service. */
interface KeyParts {
  readonly secret: Redacted.Redacted | undefined
  readonly resource: string
}

const keys = /*#__PURE__*/ new WeakMap<RequestState["Service"], KeyParts>()

/**
 * Makes the service of one resource. `resource` is the resource identifier. `secret` is text of 32 bytes or more. If it is
 * `undefined`, the key is random. The key of a resource is derived from the secret and the resource identifier (HKDF, RFC
 * 5869), so two resources with the same secret cannot open each other's state.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (
  secret: Redacted.Redacted | undefined,
  resource: string
): Effect.Effect<RequestState["Service"], AuthConfigError> =>
  Effect.fromResult(ConfigOption.attempt(() => {
    if (secret !== undefined) ConfigOption.checkSecret(secret, "requestState.secret")
    const service = Object.freeze({ resource })
    keys.set(service, { secret, resource })
    return service
  }))

const seals = /*#__PURE__*/ new WeakMap<RequestState["Service"], Seal.Seal>()

// Created on first use, not in `make`, so that a bundle without `seal` and `open` does not contain the cipher.
const getSeal = (service: RequestState["Service"]): Seal.Seal => {
  const known = seals.get(service)
  if (known !== undefined) return known
  const { resource, secret } = keys.get(service) ?? { resource: service.resource, secret: undefined }
  const made = Seal.make(secret, `effect-mcp-auth request state ${resource}`)
  seals.set(service, made)
  return made
}

/**
 * Seals state for the caller of the current request.
 *
 * **When to use**
 *
 * Use it in every handler that answers with `InputRequired` and a `requestState`. Seal the state before you return it. When the
 * client sends it back, call `open`.
 *
 * **Details**
 *
 * Sealed state is encrypted (AES-256-GCM) and bound to the resource, to `Principal.key`, to the operation and to a time of
 * expiry.
 *
 * **Gotchas**
 *
 * Without the option `requestState.secret`, the key is random, and only the process that sealed state can open it. Several
 * instances need a common secret.
 *
 * Sealed state has at most 65,536 characters, which is about 48 KB of state. With more state, `seal` dies with a `RangeError`.
 * Keep large data in a store, and seal the key of the data.
 *
 * **Example** (Sealing and opening)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { AuthLayer, RequestState } from "effect-mcp-auth"
 * import assert from "node:assert/strict"
 *
 * const purpose = { operation: "tools/call plan_trip" }
 *
 * const roundTrip = Effect.gen(function*() {
 *   const sealed = yield* RequestState.seal("step 2 of 3", purpose)
 *   const elsewhere = yield* Effect.flip(RequestState.open(sealed, { operation: "tools/call cancel_trip" }))
 *   return [yield* RequestState.open(sealed, purpose), elsewhere.reason]
 * })
 *
 * const services = RequestState.make(undefined, "https://trips.example.com/mcp")
 * const Caller = AuthLayer.mock({ subject: "alice", scopes: ["trips"] })
 * const provided = Effect.provideServiceEffect(roundTrip, RequestState.RequestState, services).pipe(Effect.provide(Caller))
 * assert.deepStrictEqual(await Effect.runPromise(provided), ["step 2 of 3", "state"])
 * ```
 *
 * @category sealing
 * @since 0.1.0
 */
export const seal = (state: string, purpose: Purpose): Effect.Effect<string, never, Principal | RequestState> =>
  Effect.gen(function*() {
    ConfigOption.check(purpose, "RequestState.seal", table)
    const service = yield* RequestState
    const principal = yield* Principal
    const { lifetime = defaultLifetime, operation } = purpose
    const time = OptionValue.toDuration(lifetime)
    if (time === undefined || !Duration.isFinite(time) || Duration.toMillis(time) <= 0) {
      return yield* Effect.die(wrongLifetime(operation, lifetime))
    }
    const until = (yield* Clock.currentTimeMillis) + Duration.toMillis(time)
    const sealed = yield* getSeal(service).seal(JSON.stringify([until, state]), contextFor(principal, operation))
    return sealed.length > maximumLength ? yield* Effect.die(tooLong(operation, sealed.length)) : sealed
  })

/**
 * Opens state that `seal` sealed for the caller of the current request.
 *
 * **Details**
 *
 * Fails with `MalformedRequest` and the reason `"state"` if the state belongs to another resource, caller or operation, or if
 * it is expired, altered or invented. The error does not tell these causes apart.
 *
 * @category sealing
 * @since 0.1.0
 */
export const open = (
  sealed: string,
  purpose: Pick<Purpose, "operation">
): Effect.Effect<string, MalformedRequest, Principal | RequestState> =>
  Effect.gen(function*() {
    ConfigOption.check(purpose, "RequestState.open", table)
    const { operation } = purpose
    const service = yield* RequestState
    const principal = yield* Principal
    const now = yield* Clock.currentTimeMillis
    // The client sends the text, so it can be a value of any type.
    const content = typeof sealed !== "string" || sealed.length > maximumLength
      ? undefined
      : yield* getSeal(service).open(sealed, contextFor(principal, operation))
    // The content was decrypted with the key of this service, so it is the JSON that `seal` wrote.
    const [until, state] = content === undefined ? [0, ""] : JSON.parse(content) as [number, string]
    return now < until ? state : yield* new MalformedRequest({ reason: "state" })
  })

// `open` accepts all members, so that a program can use one value for both functions.
const table: ConfigOption.Table<keyof Purpose> = { operation: true, lifetime: true }

const defaultLifetime: Duration.Input = "10 minutes"

/** The maximum length of sealed state, in characters. `seal` and `open` reject longer text. */
const maximumLength = 64 * 1024

const tooLong = (operation: string, length: number): RangeError =>
  new RangeError(
    `RequestState.seal: the sealed state of ${operation} has ${length} characters; the limit is ${maximumLength}. ` +
      "Keep the data in a store and seal its key"
  )

const wrongLifetime = (operation: string, lifetime: unknown): RangeError =>
  new RangeError(
    `RequestState.seal: the lifetime of ${operation}: ${
      OptionValue.isNot(lifetime, "a finite duration above 0")
    }. Write one such as "10 minutes"`
  )

/** Returns the text that binds state to a caller and an operation. `open` succeeds only with the same text. */
const contextFor = (principal: Principal, operation: string): string => JSON.stringify([principal.key, operation])
