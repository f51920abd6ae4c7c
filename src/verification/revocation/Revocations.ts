/**
 * A list of revoked tokens, subjects, sessions and clients. A JWT is valid until it expires; with this list a server rejects
 * it earlier.
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
import { withTimeLimit } from "../../outbound/TimeLimit.ts"
import { AuthConfigError, AuthorizationServerUnavailable } from "../../protocol/AuthError.ts"
import * as OptionValue from "../../protocol/OptionValue.ts"
import * as monotonic from "../../store/MonotonicTime.ts"
import type { Principal } from "../Principal.ts"
import * as tokenTarget from "../tokens/TokenTarget.ts"

/**
 * The target of a revocation: one token; or every token that was issued until now to a subject, in a session (the claim `sid`), or to a
 * client (`Principal.clientId`; the tokens of machines often have no subject).
 *
 * **Details**
 *
 * A JWT is revoked by what is signed, and by `iss` and `jti` where it has both. Its signature does not count: an ECDSA
 * signature has a second form that is valid and that anyone can compute. An opaque token is revoked by its text.
 *
 * **Gotchas**
 *
 * Revoke only a token that was verified, such as `Principal.token`. Nothing of the token is checked here, so an invented
 * token with the `iss` and `jti` of another one would revoke that one.
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
 * The list of revocations. The option `revocation` takes it as `Revocations.stored`.
 *
 * **Details**
 *
 * A revocation is kept for 30 days, or for the time that `make` is given: no token may live longer. Tokens of a subject, a
 * session or a client that were issued later are valid; a token without `iat` is not. A sign-in within the second of the
 * revocation may have to be repeated.
 *
 * The open streams of a revoked token end as well: at once on the instance that revokes it, elsewhere within
 * `revocationInterval`.
 *
 * **Gotchas**
 *
 * The time of a revocation is compared with `iat`. If the clock of the authorization server is ahead of the clock of the
 * instance that revokes, the tokens that it issued within that difference before the revocation count as issued later. To
 * revoke a token that was issued seconds ago, revoke the token itself as well.
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
  readonly revoke: (target: Target) => Effect.Effect<void, AuthorizationServerUnavailable>
  readonly isRevoked: (principal: Principal) => Effect.Effect<boolean, AuthorizationServerUnavailable>
  /**
   * Calls the listener after each revocation that is made here, until the scope closes; `revoke` waits for it. Revocations
   * that another instance makes in a shared store are not heard.
   */
  readonly subscribe: (listener: (target: Target) => Effect.Effect<void>) => Effect.Effect<void, never, Scope.Scope>
}>()("effect-mcp-auth/Revocations") {}

/**
 * Checks each token in the list of the service `Revocations`, which the layer of the server needs: see `layerMemory` and
 * `make`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const stored: Mechanism<Revocations> = {
  ["~effect-mcp-auth/Revocations"]: "~effect-mcp-auth/Revocations",
  make: Effect.flatMap(Revocations, (revocations) => toChecked(revocations))
}

/**
 * Marks the values of `Mechanism`.
 *
 * @category type ids
 * @since 0.1.0
 */
export const TypeId = "~effect-mcp-auth/Revocations"

/**
 * Returns `true` for a revoked token. A failure is an outage (503). So is an answer that takes more than 5 seconds.
 *
 * @category models
 * @since 0.1.0
 */
export type IsRevoked = (principal: Principal) => Effect.Effect<boolean, AuthorizationServerUnavailable>

/**
 * Enables the check of revocations: the value of the option `revocation`. `R` is what it needs from the layer.
 *
 * @category models
 * @since 0.1.0
 */
export interface Mechanism<out R = never> {
  readonly [TypeId]: typeof TypeId
  readonly make: Effect.Effect<
    Pick<Revocations["Service"], "subscribe"> & { readonly isRevoked: IsRevoked },
    AuthConfigError,
    R
  >
}

/**
 * Checks each token with a function. `Gate.invalidate` ends the open streams of a token that it revokes.
 *
 * **Example** (Subjects in a table)
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
    ? Effect.succeed({ isRevoked: inTime(isRevoked), subscribe: () => Effect.void })
    : Effect.fail(malformed(isRevoked, "a function from a Principal to an Effect of a boolean"))
})

/**
 * Checks each token in a list that you made, such as that of `make`.
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
    ? Effect.succeed({
      isRevoked: inTime((principal) => revocations.isRevoked(principal)),
      subscribe: (listener) => revocations.subscribe(listener)
    })
    : Effect.fail(malformed(revocations, "the service of Revocations"))

const malformed = (value: unknown, expected: string) =>
  new AuthConfigError({
    reason: "malformed",
    option: "revocation",
    fix: `${OptionValue.isNot(value, expected)}. Write Revocations.check(function) or Revocations.stored`
  })

/** The time limit of an answer. Without it, a store that hangs would block every request. */
const timeLimit = "5 seconds"

const inTime = (isRevoked: IsRevoked): IsRevoked => (principal) => {
  const answer = isRevoked(principal)
  return !Effect.isEffect(answer as unknown) || Exit.isExit(answer)
    ? answer
    : answer.pipe(withTimeLimit(timeLimit, principal.issuer))
}

/**
 * The part of a store that the list needs: any store of `effect/persistence` has it.
 *
 * @category models
 * @since 0.1.0
 */
export type Store = Pick<BackingPersistenceStore, "getMany" | "set">

/**
 * The list in a store that all instances of a server share.
 *
 * **Details**
 *
 * The store is asked on every request, once more when the body of the request is complete, and regularly for open streams.
 * It holds hashes only. If it fails, or takes more than a second, requests get 503, and open streams stay open until their
 * token ends.
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
    // Revocations would end at once.
    throw new AuthConfigError({
      reason: "insecure",
      option: "Revocations.longestToken",
      fix: `${
        OptionValue.isNot(longestToken, "a duration above 0")
      }. Write the longest lifetime of a token, such as "30 days"`
    })
  }
  const outage = (issuer: string) =>
    Effect.fail(new AuthorizationServerUnavailable({ reason: "network", issuer, retryAfter: 1 }))
  const listeners = new Set<(target: Target) => Effect.Effect<void>>()
  return {
    subscribe: (listener) =>
      Effect.asVoid(Effect.acquireRelease(
        Effect.sync(() => listeners.add(listener)),
        () => Effect.sync(() => listeners.delete(listener))
      )),
    revoke: (target) =>
      Effect.gen(function*() {
        tokenTarget.check(target, "revoke")
        const keys = yield* Effect.forEach(namesOf(target), keyOf)
        const at = yield* Clock.currentTimeMillis
        yield* Effect.forEach(keys, (key) => store.set(key, { at }, keepFor), { discard: true }).pipe(
          Effect.timeout(Duration.seconds(1)),
          Effect.catch(() => outage("issuer" in target ? target.issuer : "revocations"))
        )
        yield* Effect.forEach([...listeners], (listener) => listener(target), { discard: true })
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
        Effect.timeout(Duration.seconds(1)),
        Effect.catch(() => outage(issuer))
      )
      const issuedAt = Object.hasOwn(claims, "iat") ? claims["iat"] : undefined
      return found.some((entry, index) => {
        if (entry === undefined) return false
        if (index < itself.length) return true
        const { at } = entry as { readonly at?: unknown }
        // Issuers cut `iat` to whole seconds.
        return typeof at !== "number" || typeof issuedAt !== "number" || issuedAt <= Math.floor(at / 1000)
      })
    })
  }
}

/**
 * The list in the memory of this instance. Another instance does not know of it, and it is gone when this one ends.
 *
 * **When to use**
 *
 * One instance serves all requests. Several share a list through `make`.
 *
 * **Example** (Signed out everywhere)
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
export const layerMemory: Layer.Layer<Revocations> = Layer.effect(
  Revocations,
  Effect.map(Clock.Clock, (clock) => {
    // No `BoundedMap`: evicting an entry early would make a revoked token valid again. Only the server adds entries.
    const entries = new Map<string, { readonly value: object; readonly until: number }>()
    // How long an entry is kept is an age: a step of the wall clock must not drop it.
    const now = () => monotonic.millisOf(clock)
    const get = (key: string) => {
      const entry = entries.get(key)
      return entry === undefined || entry.until <= now() ? undefined : entry.value
    }
    return make({
      getMany: ([first, ...rest]) => Effect.sync(() => [get(first), ...rest.map(get)]),
      set: (key, value, ttl) =>
        Effect.sync(() => {
          // In order of their end, since all are kept equally long: what is over stands in front.
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

/** The name of an entry of the list, before it is hashed. */
type Name = readonly [kind: string, ...ReadonlyArray<string>]

const nameOfToken = (token: string): Name => ["token", tokenTarget.contentOf(token)]

const namesOf = (target: Target): ReadonlyArray<Name> => {
  if ("token" in target) {
    const token = String(Redacted.value(target.token))
    const id = tokenTarget.idOf(token)
    return id === undefined ? [nameOfToken(token)] : [nameOfToken(token), ["jti", id.issuer, id.id]]
  }
  const { issuer } = target
  if ("subject" in target) return [["subject", issuer, target.subject]]
  return "session" in target ? [["session", issuer, target.session]] : [["client", issuer, target.client]]
}

const keyOf = (name: Name): Effect.Effect<string> => sha256(JSON.stringify(name))
