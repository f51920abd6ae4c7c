/**
 * Rejects tokens that were revoked, individually or by subject, session or client. Without this check, a JWT is valid until it
 * expires.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import type { BackingPersistenceStore } from "effect/persistence/Persistence"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { sha256 } from "../../crypto/Sha256.ts"
import {
  type AuthConfigError,
  type AuthorizationServerUnavailable,
  RevocationStoreUnavailable,
  type SessionStoreUnavailable
} from "../../protocol/AuthError.ts"
import * as ConfigOption from "../../protocol/ConfigOption.ts"
import * as OptionValue from "../../protocol/OptionValue.ts"
import * as monotonic from "../../store/MonotonicTime.ts"
import type { Principal } from "../Principal.ts"
import * as tokenTarget from "../tokens/TokenTarget.ts"
import * as streamChecks from "./StreamChecks.ts"

/**
 * Selects the tokens to revoke: one token, or all tokens that were issued until now to a subject, in a session (the claim `sid`)
 * or to a client (`Principal.clientId`; tokens of machines often have no subject).
 *
 * **Details**
 *
 * A JWT is identified by its signed content, and by `iss` and `jti` if it has both. Its signature is ignored, because an ECDSA
 * signature has a second valid form that anyone can compute. An opaque token is identified by its text.
 *
 * **Gotchas**
 *
 * Revoke only verified tokens, such as `Principal.token`. The token is not checked, so an invented token with the `iss` and
 * `jti` of another token would revoke the other token.
 *
 * @category models
 * @since 0.1.0
 */
export type Target =
  | { readonly token: Redacted.Redacted<unknown> }
  | { readonly issuer: string; readonly subject: string }
  | { readonly issuer: string; readonly session: string }
  | { readonly issuer: string; readonly client: string }

/**
 * Receives each target that is revoked on this instance.
 *
 * @category models
 * @since 0.1.0
 */
export type Listener = (target: Target) => Effect.Effect<void, SessionStoreUnavailable>

/**
 * Provides the list of revocations as a service. With `revocation: Revocations.stored`, the gate checks each token with this
 * list.
 *
 * **Details**
 *
 * A revocation is kept for 30 days, or for the time that is passed to `make`. Tokens must not be valid for longer than that,
 * because a revoked token is accepted again when its revocation is deleted. After the revocation of a subject, a session or a
 * client, tokens that are issued later are valid, and tokens without `iat` are not. A token from the same second as the
 * revocation is revoked, so the user may have to sign in again.
 *
 * Open streams of a revoked token are closed: at once on the instance that revokes it, and within `revocationInterval` on other
 * instances.
 *
 * **Gotchas**
 *
 * The time of a revocation is compared with `iat`. If the clock of the authorization server is ahead of the clock of the
 * instance that revokes, tokens that were issued shortly before the revocation look newer and stay valid. To revoke a token
 * that was issued seconds ago, revoke the token itself as well.
 *
 * **Example** (Signing a user out)
 *
 * ```ts
 * import { AuthLayer } from "effect-mcp-auth"
 * import { Revocations } from "effect-mcp-auth/revocation"
 * import { Effect, Layer } from "effect"
 *
 * const Auth = AuthLayer.make({
 *   resource: "https://todos.example.com/mcp",
 *   authorizationServers: ["https://auth.example.com"],
 *   scopes: ["todos:read"],
 *   revocation: Revocations.stored
 * }).pipe(Layer.provide(Revocations.layerMemory))
 *
 * const signOut = (subject: string) =>
 *   Revocations.Revocations.use((_) => _.revoke({ issuer: "https://auth.example.com", subject }))
 * ```
 *
 * @category services
 * @since 0.1.0
 */
export class Revocations extends Context.Service<Revocations, {
  /**
   * Revokes tokens. Fails if the list cannot be written, or if a gate with the option `sessionStore` cannot end the sessions of the
   * callers. Repeat the call then.
   */
  readonly revoke: (target: Target) => Effect.Effect<void, RevocationStoreUnavailable | SessionStoreUnavailable>
  /** Tells whether the token of a principal is revoked. Fails if the list cannot be read. */
  readonly isRevoked: IsRevoked
  /**
   * Calls a listener after each revocation on this instance, until the scope closes. `revoke` waits for the listener. Revocations
   * of other instances that share the store are not reported.
   */
  readonly subscribe: (listener: Listener) => Effect.Effect<void, never, Scope.Scope>
}>()("effect-mcp-auth/Revocations") {}

/**
 * Checks each token with the service `Revocations`, which the layer of the server then requires (see `layerMemory` and `make`).
 *
 * @category constructors
 * @since 0.1.0
 */
export const stored: Mechanism<Revocations> = {
  ["~effect-mcp-auth/Revocations"]: "~effect-mcp-auth/Revocations",
  make: Effect.flatMap(Revocations, (revocations) => toChecked(revocations))
}

/**
 * Identifies the values of `Mechanism`.
 *
 * @category type ids
 * @since 0.1.0
 */
export const TypeId = "~effect-mcp-auth/Revocations"

/**
 * Tells whether the token of a principal is revoked. If the function fails or takes more than 5 seconds, the server answers 503.
 *
 * @category models
 * @since 0.1.0
 */
export type IsRevoked = (
  principal: Principal
) => Effect.Effect<boolean, RevocationStoreUnavailable | AuthorizationServerUnavailable>

/**
 * Describes a value of the option `revocation`, which enables the check of revocations. `R` lists the services that it
 * requires.
 *
 * @category models
 * @since 0.1.0
 */
export interface Mechanism<out R = never> {
  readonly [TypeId]: typeof TypeId
  readonly make: Effect.Effect<
    Pick<Revocations["Service"], "subscribe"> & {
      readonly isRevoked: IsRevoked
      /** Waits until the token of an open stream is revoked. The token is checked about once in each `interval`. */
      readonly untilRevoked: (principal: Principal, interval: Duration.Duration) => Effect.Effect<void>
    },
    AuthConfigError,
    R
  >
}

/**
 * Checks each token with a function. If the function reports a token as revoked, the open streams of this token end at the next
 * check (see `revocationInterval`). Call `Gate.invalidate` to end the streams at once.
 *
 * **Example** (Blocked subjects)
 *
 * ```ts
 * import { AuthLayer } from "effect-mcp-auth"
 * import { Revocations } from "effect-mcp-auth/revocation"
 * import { Effect } from "effect"
 *
 * const blocked = new Set(["mallory"])
 *
 * const Auth = AuthLayer.make({
 *   resource: "https://todos.example.com/mcp",
 *   authorizationServers: ["https://auth.example.com"],
 *   scopes: ["todos:read"],
 *   revocation: Revocations.check(({ subject }) => Effect.succeed(subject !== undefined && blocked.has(subject)))
 * })
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const check = (isRevoked: IsRevoked): Mechanism => ({
  [TypeId]: TypeId,
  make: typeof isRevoked === "function"
    ? toChecks(isRevoked, () => Effect.void)
    : Effect.fail(malformed(isRevoked, "a function from a Principal to an Effect of a boolean"))
})

/**
 * Checks each token with a list of revocations, such as one that `make` creates.
 *
 * **Example** (A list in a store)
 *
 * ```ts
 * import { Revocations } from "effect-mcp-auth/revocation"
 *
 * declare const store: Revocations.Store
 *
 * const revocations = Revocations.make(store)
 * const revocation = Revocations.from(revocations)
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const from = (revocations: Revocations["Service"]): Mechanism => ({
  [TypeId]: TypeId,
  make: toChecked(revocations)
})

const toChecked = (revocations: Revocations["Service"]): Mechanism["make"] =>
  typeof revocations?.isRevoked === "function" && typeof revocations.subscribe === "function"
    ? toChecks((principal) => revocations.isRevoked(principal), (listener) => revocations.subscribe(listener))
    : Effect.fail(malformed(revocations, "the service of Revocations"))

const toChecks = (given: IsRevoked, subscribe: Revocations["Service"]["subscribe"]): Mechanism["make"] =>
  Effect.sync(() => {
    const isRevoked = inTime(given)
    return { isRevoked, untilRevoked: streamChecks.make(isRevoked), subscribe }
  })

const malformed = (value: unknown, expected: string) =>
  ConfigOption.invalid("revocation", value, expected, "Write Revocations.check(function) or Revocations.stored")

/** The time limit of `isRevoked`. Without the limit, a store that hangs would block every request. */
const timeLimit = "5 seconds"

/** The time limit of the store of `make`. */
const storeTime = "1 second"

const down = new RevocationStoreUnavailable({ reason: "revocation-store-down", retryAfter: 1 })
const slow = Effect.fail(new RevocationStoreUnavailable({ reason: "revocation-store-slow", retryAfter: 1 }))

const inTime = (isRevoked: IsRevoked): IsRevoked => (principal) => {
  const answer = OptionValue.toEffect(isRevoked(principal), "the function of Revocations.check")
  return Exit.isExit(answer)
    ? answer
    : Effect.timeoutOrElse(answer, { duration: timeLimit, orElse: () => slow })
}

/**
 * Describes the members of a store of `effect/persistence` that the list uses.
 *
 * @category models
 * @since 0.1.0
 */
export type Store = Pick<BackingPersistenceStore, "getMany" | "set">

/**
 * Creates a list in a store that the instances of a server share. `longestToken` is the longest lifetime of a token, and
 * revocations are kept for this time. Default: 30 days. Throws `AuthConfigError` if `longestToken` is not a duration above 0.
 *
 * **Details**
 *
 * The store is read on every request, again when the body of the request is complete, and regularly for open streams. It
 * contains only hashes and times. If it fails or takes more than 1 second, requests get 503, and open streams stay open until
 * their token expires.
 *
 * **Example** (In Redis)
 *
 * ```ts
 * import { Revocations } from "effect-mcp-auth/revocation"
 * import { Effect, Layer } from "effect"
 * import { Persistence, type Redis } from "effect/persistence"
 *
 * declare const RedisLive: Layer.Layer<Redis.Redis>
 *
 * const RevocationsLive = Layer.effect(
 *   Revocations.Revocations,
 *   Effect.flatMap(Persistence.BackingPersistence, (stores) => Effect.map(stores.make("revocations"), Revocations.make))
 * ).pipe(Layer.provide(Persistence.layerBackingRedis), Layer.provide(RedisLive))
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (store: Store, longestToken: Duration.Input = Duration.days(30)): Revocations["Service"] => {
  const keepFor = OptionValue.toDuration(longestToken)
  if (keepFor === undefined || !Duration.isPositive(keepFor)) {
    // A revocation that is kept for no time would have no effect.
    throw ConfigOption.invalid(
      "Revocations.longestToken",
      longestToken,
      "a duration above 0",
      "Write the longest lifetime of a token, such as \"30 days\"",
      "insecure"
    )
  }
  const listeners = new Set<Listener>()
  return {
    subscribe: (listener) =>
      Effect.asVoid(Effect.acquireRelease(
        Effect.sync(() => listeners.add(listener)),
        () => Effect.sync(() => listeners.delete(listener))
      )),
    revoke: Effect.fnUntraced(function*(target) {
      tokenTarget.check(target, "revoke")
      const keys = yield* Effect.forEach(namesOf(target), keyOf)
      const at = yield* Clock.currentTimeMillis
      yield* Effect.forEach(keys, (key) => store.set(key, { at }, keepFor), { discard: true }).pipe(
        Effect.mapError(() => down),
        Effect.timeoutOrElse({ duration: storeTime, orElse: () => slow })
      )
      // The failure of one listener must not keep the target from the others.
      const heard = yield* Effect.forEach([...listeners], (listener) => Effect.exit(listener(target)))
      yield* Effect.forEach(heard, (exit) => exit, { discard: true })
    }),
    isRevoked: Effect.fnUntraced(function*(principal) {
      const { claims, clientId, issuer, subject, token } = principal
      const id = tokenTarget.idOfPrincipal(principal)
      const session = tokenTarget.sessionOf(principal)
      const itself: ReadonlyArray<Name> = [
        nameOfToken(String(Redacted.value(token))),
        ...(id === undefined ? [] : [["jti", issuer, id] as const])
      ]
      const others: ReadonlyArray<Name> = [
        ...(subject === undefined ? [] : [["subject", issuer, subject] as const]),
        ...(session === undefined ? [] : [["session", issuer, session] as const]),
        ...(clientId === undefined ? [] : [["client", issuer, clientId] as const])
      ]
      const keys = yield* Effect.forEach([...itself, ...others], keyOf)
      const found = yield* store.getMany(keys as [string, ...Array<string>]).pipe(
        Effect.mapError(() => down),
        Effect.timeoutOrElse({ duration: storeTime, orElse: () => slow })
      )
      const issuedAt = Object.hasOwn(claims, "iat") ? claims["iat"] : undefined
      return found.some((entry, index) => {
        if (entry === undefined) return false
        if (index < itself.length) return true
        const { at } = entry as { readonly at?: unknown }
        // Issuers round `iat` down to whole seconds, so the time of the revocation is rounded down as well.
        return typeof at !== "number" || typeof issuedAt !== "number" || issuedAt <= Math.floor(at / 1000)
      })
    })
  }
}

/**
 * Provides a list in the memory of this instance. Other instances do not see it, and it is lost when the process ends.
 *
 * **When to use**
 *
 * Use it if one instance serves all requests. For several instances, use `make` with a shared store.
 *
 * **Example** (Revoking all tokens of a subject)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { AuthLayer, Principal } from "effect-mcp-auth"
 * import { Revocations } from "effect-mcp-auth/revocation"
 * import assert from "node:assert/strict"
 *
 * const program = Effect.gen(function*() {
 *   const { isRevoked, revoke } = yield* Revocations.Revocations
 *   const caller = yield* Principal
 *   const before = yield* isRevoked(caller)
 *   yield* revoke({ issuer: caller.issuer, subject: "alice" })
 *   return [before, yield* isRevoked(caller)]
 * })
 *
 * const Caller = AuthLayer.mock({ subject: "alice", scopes: ["todos:read"] })
 * const answers = program.pipe(Effect.provide(Revocations.layerMemory), Effect.provide(Caller))
 * assert.deepStrictEqual(await Effect.runPromise(answers), [false, true])
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layerMemory: Layer.Layer<Revocations> = /*#__PURE__*/ Layer.effect(
  Revocations,
  /*#__PURE__*/ Effect.map(Clock.Clock, (clock) => {
    // Not a `BoundedMap`, because a revoked token would be valid again if its entry were evicted. The map needs no bound,
    // because clients cannot add entries.
    const entries = new Map<string, { readonly value: object; readonly until: number }>()
    // Monotonic time is used, so that setting the wall clock forward cannot end a revocation.
    const now = () => monotonic.millisOf(clock)
    const get = (key: string) => {
      const entry = entries.get(key)
      return entry === undefined || entry.until <= now() ? undefined : entry.value
    }
    return make({
      getMany: ([first, ...rest]) => Effect.sync(() => [get(first), ...rest.map(get)]),
      set: (key, value, ttl) =>
        Effect.sync(() => {
          // All entries are kept for the same time, so the oldest ones, which the map lists first, expire first.
          for (const [old, { until }] of entries) {
            if (until > now()) break
            entries.delete(old)
          }
          entries.delete(key)
          entries.set(key, {
            value,
            until: now() + (ttl === undefined ? Number.POSITIVE_INFINITY : Duration.toMillis(ttl))
          })
        })
    })
  })
)

/** The name of an entry, before it is hashed. */
type Name = readonly [kind: string, ...ReadonlyArray<string>]

const nameOfToken = (token: string): Name => ["token", tokenTarget.contentOf(token)]

const namesOf = (target: Target): ReadonlyArray<Name> => {
  if ("token" in target) {
    const token = String(Redacted.value(target.token))
    const id = tokenTarget.idOf(token)
    return id === undefined ? [nameOfToken(token)] : [nameOfToken(token), ["jti", id.issuer, id.id]]
  }
  const [name, value] = tokenTarget.selectorOf(target)
  return [[name, target.issuer, value]]
}

const keyOf = (name: Name): Effect.Effect<string> => sha256(JSON.stringify(name))
