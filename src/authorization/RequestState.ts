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
 * The key with which `seal` and `open` protect the state of one resource. The authentication layer provides it.
 *
 * @category services
 * @since 0.1.0
 */
export class RequestState extends Context.Service<RequestState, {
  /** The resource identifier. */
  readonly resource: string
}>()("effect-mcp-auth/RequestState") {}

/** The secrets of the services, apart from the services, which every handler can read. */
const secrets = new WeakMap<RequestState["Service"], Redacted.Redacted | undefined>()

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
): Effect.Effect<RequestState["Service"], AuthConfigError> =>
  Effect.fromResult(ConfigOption.attempt(() => {
    if (secret !== undefined) ConfigOption.checkSecret(secret, "requestState.secret")
    const service = { resource }
    secrets.set(service, secret)
    return service
  }))

const seals = /*#__PURE__*/ new WeakMap<RequestState["Service"], Seal.Seal>()

// Made when it is first needed, so that a program without sealed state does not contain the code.
const getSeal = (service: RequestState["Service"]): Seal.Seal => {
  const known = seals.get(service)
  if (known !== undefined) return known
  const made = Seal.make(secrets.get(service), `effect-mcp-auth request state ${service.resource}`)
  seals.set(service, made)
  return made
}

/**
 * Seals state for the caller of the current request.
 *
 * **When to use**
 *
 * Use it in every handler that answers with `InputRequired` and a `requestState`: seal the state before you return it, and
 * `open` the state that comes back.
 *
 * **Details**
 *
 * Sealed state is encrypted (AES-256-GCM) and bound to the resource, to `Principal.key`, to the operation and to a time.
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
    const service = yield* RequestState
    const principal = yield* Principal
    const { lifetime = defaultLifetime, operation } = purpose
    const until = (yield* Clock.currentTimeMillis) + Duration.toMillis(Duration.fromInputUnsafe(lifetime))
    const sealed = yield* getSeal(service).seal(JSON.stringify([until, state]), contextFor(principal, operation))
    return sealed.length > maximumLength ? yield* Effect.die(tooLong(operation, sealed.length)) : sealed
  })

/**
 * Opens state that `seal` sealed for the caller of the current request.
 *
 * **Details**
 *
 * State of another resource or caller, for another operation, expired, altered or invented fails with `MalformedRequest`
 * and the reason `"state"`. The error does not say which of these is the cause.
 *
 * @category sealing
 * @since 0.1.0
 */
export const open = (
  sealed: string,
  { operation }: Pick<Purpose, "operation">
): Effect.Effect<string, MalformedRequest, Principal | RequestState> =>
  Effect.gen(function*() {
    const service = yield* RequestState
    const principal = yield* Principal
    const now = yield* Clock.currentTimeMillis
    const content = sealed.length > maximumLength
      ? undefined
      : yield* getSeal(service).open(sealed, contextFor(principal, operation))
    // It was decrypted with our key, so it is the list that `seal` wrote.
    const [until, state] = content === undefined ? [0, ""] : JSON.parse(content) as [number, string]
    return now < until ? state : yield* new MalformedRequest({ reason: "state" })
  })

const defaultLifetime: Duration.Input = "10 minutes"

/** In characters. Longer sealed text is neither returned nor opened. */
const maximumLength = 64 * 1024

const tooLong = (operation: string, length: number): RangeError =>
  new RangeError(
    `RequestState.seal: the sealed state of ${operation} has ${length} characters; the limit is ${maximumLength}. ` +
      "Keep the data in a store and seal its key"
  )

/** The caller and the operation that state is bound to. */
const contextFor = (principal: Principal, operation: string): string => JSON.stringify([principal.key, operation])
