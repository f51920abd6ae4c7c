/**
 * Shares the owners of sessions between the instances of a server, for revisions of MCP before 2026-07-28.
 *
 * Without a shared store, each instance knows only the sessions that it opened. The owner could instead be sealed into the session
 * id, which needs no store. But then no instance would know that a session has ended, nor how many sessions a caller has, and each
 * transport would have to accept an id that it did not create.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { sha256 } from "../../crypto/Sha256.ts"
import { type AuthConfigError, SessionStoreUnavailable } from "../../protocol/AuthError.ts"
import * as ConfigOption from "../../protocol/ConfigOption.ts"
import * as OptionValue from "../../protocol/OptionValue.ts"
import type { Principal } from "../../verification/Principal.ts"
import { selectorOf, sessionOf, type Target } from "../../verification/tokens/TokenTarget.ts"
import type { SharedSessions } from "../Sessions.ts"
import type { Session, Store } from "./Store.ts"

export { memory } from "./MemoryStore.ts"
export type { MemoryOptions } from "./MemoryStore.ts"
export { redis } from "./RedisStore.ts"
export type { RedisOptions } from "./RedisStore.ts"
export type { Session, Store } from "./Store.ts"

/**
 * Identifies the values of `Mechanism`.
 *
 * @category type ids
 * @since 0.1.0
 */
export const TypeId = "~effect-mcp-auth/SessionStore"

/**
 * Describes a value of the option `sessionStore`. `R` lists the services that it requires.
 *
 * @category models
 * @since 0.1.0
 */
export interface Mechanism<out R = never> {
  readonly [TypeId]: typeof TypeId
  /** Creates the sessions of a resource. `perCaller` is the maximum number of sessions of one caller. */
  readonly make: (
    resource: string,
    perCaller: number
  ) => Effect.Effect<SharedSessions, AuthConfigError, R | Scope.Scope>
}

/**
 * Stores the owners of sessions in a store that all instances use: `SessionStore.redis(redis)`, a custom store, or an Effect of a
 * store.
 *
 * **Details**
 *
 * A session that was opened on one instance belongs to the same caller and the same resource on every instance. For every other
 * caller it does not exist. It ends on every instance after a successful DELETE, if its owner exceeds `sessionsPerCaller`, and if
 * `Gate.invalidate` or `Revocations.revoke` selects its owner by subject, client or session. The revocation of a single token ends
 * no session, because the owner may have other tokens.
 *
 * The store is asked on every request with an `Mcp-Session-Id`. If it fails or takes more than 2 seconds, the server answers 503
 * (`session-store-down`).
 *
 * **Gotchas**
 *
 * The store shares the owner of a session, not the state of the transport. The transports of Effect's `McpServer` and of both
 * official SDKs keep their state in memory. Effect's `McpServer` answers 404 for a session of another instance, and the client opens
 * a new one. With the SDKs, your code selects the transport: for a session that this instance did not open, it can create a
 * transport without `sessionIdGenerator`.
 *
 * Sessions of the HTTP+SSE transport of MCP 2024-11-05 are not shared, because their stream is a connection to one instance.
 *
 * **Example** (Two instances behind a load balancer)
 *
 * ```ts
 * import { NodeRedis } from "@effect/platform-node"
 * import { Effect, Layer } from "effect"
 * import { AuthLayer } from "effect-mcp-auth"
 * import { SessionStore } from "effect-mcp-auth/sessions"
 * import { Redis } from "effect/persistence"
 *
 * const Auth = AuthLayer.make({
 *   resource: "https://todos.example.com/mcp",
 *   authorizationServers: ["https://auth.example.com"],
 *   scopes: ["todos:read"],
 *   sessionStore: SessionStore.make(Effect.map(Redis.Redis, (redis) => SessionStore.redis(redis)))
 * }).pipe(Layer.provide(NodeRedis.layer({ url: "redis://localhost:6379" })))
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <R = never>(
  store: Store | Effect.Effect<Store, AuthConfigError, R>
): Mechanism<Exclude<R, Scope.Scope>> => {
  const value: Mechanism<R> = {
    [TypeId]: TypeId,
    make: (resource, perCaller) =>
      Effect.flatMap(
        Effect.isEffect(store) ? store : Effect.succeed(store),
        (store) => isStore(store) ? Effect.succeed(share(store, resource, perCaller)) : Effect.fail(notStore(store))
      )
  }
  // The type omits `Scope`, because the layer provides it.
  return value as Mechanism<Exclude<R, Scope.Scope>>
}

const isStore = (store: unknown): boolean =>
  (["open", "access", "end", "endAll"] as const).every((name) =>
    typeof (store as Partial<Store> | null | undefined)?.[name] === "function"
  )

const notStore = (store: unknown) =>
  ConfigOption.invalid(
    "sessionStore",
    store,
    "a store of sessions",
    "Write SessionStore.make(SessionStore.redis(redis)), or give a store with open, access, end and endAll"
  )

const down = new SessionStoreUnavailable({ reason: "session-store-down", retryAfter: 1 })

/** The time limit of the store. Without it, a store that hangs would block every request of a session. */
const timeLimit = "2 seconds"

const inTime = <A>(
  operation: () => Effect.Effect<A, SessionStoreUnavailable>
): Effect.Effect<A, SessionStoreUnavailable> =>
  Effect.timeoutOrElse(Effect.suspend(() => OptionValue.toEffect(operation(), "a function of the session store")), {
    duration: timeLimit,
    orElse: () => Effect.fail(down)
  })

/** Hashes the names for one resource, so that two servers with one store share no session. */
const share = (store: Store, resource: string, limit: number): SharedSessions => {
  const hash = (...name: ReadonlyArray<string | null>) => sha256(JSON.stringify([resource, ...name]))

  const known = new WeakMap<Principal, Pick<Session, "owner" | "groups">>()

  /** Returns the owner and the groups of a principal. Cached, because a principal is used for many requests. */
  const ownerOf = (principal: Principal | undefined): Effect.Effect<Pick<Session, "owner" | "groups">> => {
    const before = principal === undefined ? undefined : known.get(principal)
    if (before !== undefined) return Effect.succeed(before)
    return Effect.gen(function*() {
      const groups = yield* Effect.forEach(groupsOf(principal), (name) => hash(...name))
      if (principal === undefined) return { owner: undefined, groups }
      const made = { owner: yield* hash("owner", principal.key), groups }
      known.set(principal, made)
      return made
    })
  }

  const sessionFor = (session: string, principal: Principal | undefined): Effect.Effect<Session> =>
    Effect.gen(function*() {
      return { id: yield* hash("session", session), limit, ...yield* ownerOf(principal) }
    })

  return {
    access: (session, principal) =>
      Effect.flatMap(sessionFor(session, principal), (session) => inTime(() => store.access(session))),
    open: (session, principal) =>
      Effect.asVoid(Effect.flatMap(sessionFor(session, principal), (session) => inTime(() => store.open(session)))),
    end: (session) => Effect.flatMap(hash("session", session), (id) => inTime(() => store.end(id))),
    endAll: (target) => {
      const group = groupOf(target)
      return group === undefined
        ? Effect.void
        : Effect.flatMap(hash(...group), (group) => inTime(() => store.endAll(group)))
    }
  }
}

/** The name of a group: the member of a target, its issuer or `null` for every issuer, and the value. */
type Group = readonly [name: string, issuer: string | null, value: string | null]

const everything: Group = ["everything", null, null]

/** Returns the group that a target selects. A single token selects no group. */
const groupOf = (target: Target): Group | undefined => {
  if (target === "everything") return everything
  if ("token" in target) return undefined
  const [name, value] = selectorOf(target)
  return [name, target.issuer ?? null, value]
}

/** Returns the names of all groups to which the sessions of a principal belong. */
const groupsOf = (principal: Principal | undefined): ReadonlyArray<Group> => {
  if (principal === undefined) return [everything]
  const values = { subject: principal.subject, client: principal.clientId, session: sessionOf(principal) }
  return [
    everything,
    ...Object.entries(values).flatMap(([name, value]): ReadonlyArray<Group> =>
      value === undefined ? [] : [[name, null, value], [name, principal.issuer, value]]
    )
  ]
}
