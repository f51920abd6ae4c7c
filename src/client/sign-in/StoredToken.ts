import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as monotonic from "../../store/MonotonicTime.ts"
import { withLease } from "../../store/records/Lease.ts"
import type { Store, Version } from "../../store/records/RecordStore.ts"
import type { BoundKey, BoundKeys } from "../BoundKey.ts"
import { Unavailable } from "../ClientError.ts"
import type { Obtained, Token, TokenRecords } from "../TokenSource.ts"
import * as records from "./SignInRecords.ts"

/* Stores the token of an account for an MCP server. */

/** An account of the client at an MCP server. */
export interface Connection {
  readonly account: string
  /** The URL of the MCP server. */
  readonly resource: string
}

/** The token of a connection in a store. */
export interface StoredToken extends TokenRecords {
  /** Stores the token of a sign-in in place of any other. */
  readonly replace: (
    token: Obtained & Pick<Token, "clientId" | "issuer" | "requested">
  ) => Effect.Effect<void, Unavailable>
}

/** Longer than discovery and a token request together with their time limits. */
const leaseTime = Duration.seconds(90)

/** The longest time that a token without a refresh token is stored after its expiry. */
const afterlife = Duration.minutes(1)

/** A refresh begins this long before the token expires. */
const margin = 60_000

/** The members of a record that contain a key. */
export const keyMembers = (key: BoundKey | undefined): Readonly<Record<string, string | undefined>> => ({
  proofKey: key?.stored && Redacted.value(key.stored),
  thumbprint: key?.thumbprint
})

/**
 * Reads the key of a record. Returns `"lost"` if the record has no usable key although the client binds its tokens, or has one
 * although the client does not.
 */
export const readKey = (
  found: records.Read,
  keys: BoundKeys | undefined
): Effect.Effect<BoundKey | "lost" | undefined> => {
  const stored = records.text(found, "proofKey")
  if (keys === undefined) return Effect.succeed(stored === undefined ? undefined : "lost")
  if (stored === undefined) return Effect.succeed("lost")
  const thumbprint = records.text(found, "thumbprint") ?? ""
  return Effect.map(keys.restore(Redacted.make(stored, { label: "proof-key" }), thumbprint), (key) => key ?? "lost")
}

/** Creates the records of a connection. `keys` are those of the option `dpop`. */
export const make = (
  store: Store,
  { account, resource }: Connection,
  keys: BoundKeys | undefined
): Effect.Effect<StoredToken> =>
  Effect.gen(function*() {
    const key = yield* records.keyOf("token", account, resource)
    const kept = records.make(store)
    const versions = new WeakMap<Token, Version>()
    const lease = withLease(store, `${key}/lease`, { lifetime: leaseTime })

    const read = Effect.gen(function*() {
      const found = yield* kept.get(key)
      if (found === undefined) return undefined
      const token = yield* decode(found, keys)
      if (token === undefined) yield* kept.remove(key, found.version)
      else versions.set(token, found.version)
      return token
    })

    const write = Effect.fnUntraced(function*(token: Token, replaced: Version | undefined) {
      const wall = yield* Clock.currentTimeMillis
      const now = yield* monotonic.millis
      const left = token.expiresAt - now
      const isLasting = token.refreshToken !== undefined || left === Number.POSITIVE_INFINITY
      return yield* kept.put(
        key,
        {
          accessToken: Redacted.value(token.value),
          refreshToken: token.refreshToken && Redacted.value(token.refreshToken),
          ...keyMembers(token.key),
          issuer: token.issuer,
          clientId: token.clientId,
          generation: token.generation,
          granted: token.granted,
          requested: token.requested,
          // Times of the wall clock, because monotonic times mean nothing to another process.
          renewAt: Number.isFinite(left) ? Math.round(wall + token.renewAt - now) : undefined,
          expiresAt: Number.isFinite(left) ? Math.round(wall + left) : undefined
        },
        isLasting ? records.longestLifetime : Duration.sum(Duration.millis(Math.max(0, left)), afterlife),
        replaced
      )
    })

    return {
      read,
      write: (token, replaced) => write(token, replaced && versions.get(replaced)),
      remove: (token) => {
        const version = versions.get(token)
        return version === undefined ? Effect.void : Effect.asVoid(kept.remove(key, version))
      },
      exclusively: (effect) =>
        Effect.catchTag(lease(effect), "RecordStoreUnavailable", (error) => Effect.fail(records.unavailable(error))),
      replace: Effect.fnUntraced(function*({ accessToken, lifetime = Number.POSITIVE_INFINITY, ...obtained }) {
        const now = yield* monotonic.millis
        // Another process can write at the same time. Each attempt reads what it replaces.
        for (let attempt = 0; attempt < 16; attempt++) {
          const current = yield* read
          const early = obtained.refreshToken === undefined ? 0 : Math.min(margin, lifetime / 2)
          const token: Token = {
            ...obtained,
            value: accessToken,
            generation: current === undefined
              ? Math.max(1, yield* Clock.currentTimeMillis)
              : current.generation + 1,
            renewAt: now + lifetime - early,
            expiresAt: now + lifetime
          }
          if (yield* write(token, current && versions.get(current))) return
        }
        return yield* new Unavailable({ detail: "Other processes replace the token all the time", retryAfter: 1 })
      })
    }
  })

const decode = Effect.fnUntraced(function*(
  found: records.Read,
  keys: BoundKeys | undefined
): Effect.fn.Return<Token | undefined> {
  const value = records.text(found, "accessToken")
  const refreshToken = records.text(found, "refreshToken")
  const issuer = records.text(found, "issuer")
  const generation = records.number(found, "generation")
  const granted = records.texts(found, "granted")
  const requested = records.texts(found, "requested")
  if (!value || !issuer || generation === undefined || granted === undefined || requested === undefined) {
    return undefined
  }
  const key = yield* readKey(found, keys)
  if (key === "lost") return undefined
  const now = yield* monotonic.millis
  const wall = yield* Clock.currentTimeMillis
  const toMonotonic = (time = Number.POSITIVE_INFINITY) => now + time - wall
  return {
    value: Redacted.make(value, { label: "access-token" }),
    refreshToken: refreshToken === undefined ? undefined : Redacted.make(refreshToken, { label: "refresh-token" }),
    key,
    issuer,
    clientId: records.text(found, "clientId"),
    generation,
    granted,
    requested,
    renewAt: toMonotonic(records.number(found, "renewAt")),
    expiresAt: toMonotonic(records.number(found, "expiresAt"))
  }
})
