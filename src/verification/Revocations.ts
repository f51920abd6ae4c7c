/**
 * A list of what was revoked: tokens, subjects, sessions. JWTs are good until they end, whatever happens; the list is how
 * a server takes them back.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { BackingPersistenceStore } from "effect/persistence/Persistence"
import * as Redacted from "effect/Redacted"
import { AuthorizationServerUnavailable } from "../protocol/AuthError.ts"
import { sha256 } from "./internal/sha256.ts"
import type { Principal } from "./Principal.ts"

/**
 * What to revoke: one token; every token of a subject, or of a session (the claim `sid`), that was issued until now.
 *
 * @category models
 * @since 0.1.0
 */
export type Target =
  | { readonly token: Redacted.Redacted<unknown> }
  | { readonly issuer: string; readonly subject: string }
  | { readonly issuer: string; readonly session: string }

/**
 * The list, and the check that `AuthLayer` takes as `revocation`.
 *
 * **Details**
 *
 * What is revoked stays so for 30 days, or as long as `make` was told: no token may live longer. Tokens of a subject or a
 * session that were issued later are good; one without `iat` is not. A sign-in within the second of the revocation may
 * have to be repeated.
 *
 * **Example** (Signing somebody out)
 *
 * ```ts
 * import { AuthLayer, Revocations } from "effect-mcp-auth"
 * import { Effect, Layer } from "effect"
 *
 * const Auth = Layer.unwrap(Effect.map(Revocations.Revocations, ({ isRevoked }) =>
 *   AuthLayer.make({
 *     resource: "https://todos.example.com/mcp",
 *     authorizationServers: ["https://auth.example.com"],
 *     scopes: ["todos:read"],
 *     revocation: isRevoked
 *   })
 * )).pipe(Layer.provide(Revocations.layerMemory))
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
  readonly isRevoked: (principal: Principal["Service"]) => Effect.Effect<boolean, AuthorizationServerUnavailable>
}>()("effect-mcp-auth/Revocations") {}

/**
 * What the list needs of a store: any store of `effect/persistence` has it.
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
 * The store is asked once on every request, and holds hashes only. One that fails, or that takes more than a second, is an
 * outage (503): to let everybody in would be worse.
 *
 * **Example** (In Redis)
 *
 * ```ts
 * import { Revocations } from "effect-mcp-auth"
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
  const keepFor = Duration.fromInputUnsafe(longestToken)
  const outage = (issuer: string) =>
    Effect.fail(new AuthorizationServerUnavailable({ reason: "network", issuer, retryAfter: 1 }))
  return {
    revoke: (target) =>
      Effect.gen(function*() {
        const key = "token" in target
          ? yield* keyOf("token", String(Redacted.value(target.token)))
          : "subject" in target
          ? yield* keyOf("subject", target.issuer, target.subject)
          : yield* keyOf("session", target.issuer, target.session)
        const at = yield* Clock.currentTimeMillis
        yield* store.set(key, { at }, keepFor).pipe(
          Effect.timeout(Duration.seconds(1)),
          Effect.catch(() => outage("issuer" in target ? target.issuer : "revocations"))
        )
      }),
    isRevoked: Effect.fnUntraced(function*({ claims, issuer, subject, token }) {
      const session = Object.hasOwn(claims, "sid") ? claims["sid"] : undefined
      const keys: [string, ...Array<string>] = [yield* keyOf("token", String(Redacted.value(token)))]
      if (subject !== undefined) keys.push(yield* keyOf("subject", issuer, subject))
      if (typeof session === "string") keys.push(yield* keyOf("session", issuer, session))
      const [revoked, ...earlier] = yield* store.getMany(keys).pipe(
        Effect.timeout(Duration.seconds(1)),
        Effect.catch(() => outage(issuer))
      )
      if (revoked !== undefined) return true
      const issuedAt = Object.hasOwn(claims, "iat") ? claims["iat"] : undefined
      return earlier.some((entry) => {
        if (entry === undefined) return false
        const { at } = entry as { readonly at?: unknown }
        // Whole seconds: whoever wrote `iat` cut the rest off.
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
 * import { AuthLayer, Principal, Revocations } from "effect-mcp-auth"
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
    const entries = new Map<string, { readonly value: object; readonly until: number }>()
    const now = () => clock.currentTimeMillisUnsafe()
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

const keyOf = (...parts: readonly [kind: string, ...ReadonlyArray<string>]): Effect.Effect<string> => {
  const hash = sha256(JSON.stringify(parts))
  return typeof hash === "string" ? Effect.succeed(hash) : Effect.promise(() => hash)
}
