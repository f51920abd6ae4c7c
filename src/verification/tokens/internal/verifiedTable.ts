import * as Effect from "effect/Effect"
import { type Credentials, lineOf, type Scheme, textOf } from "../../../protocol/Credentials.ts"
import * as monotonic from "../../../store/MonotonicTime.ts"
import { freezePrincipal } from "../../claims/Frozen.ts"
import type { Principal } from "../../Principal.ts"
import { isJwt, type RequestTiming, type Reuse, type Verified } from "../../TokenVerifier.ts"

/* The table of verified tokens. `lookupVerified` is the fast path. `find` serves requests whose `Authorization` header was
   parsed first. `docs/fast-path.md` describes what each part saves. */

/** A cached token. The token is a private field, so that it is never printed. */
export class CachedToken {
  // Not a `Redacted`, because each unwrapping is a look-up in a map and the token is compared on every request.
  readonly #token: string
  /** When the result stops being fresh, in monotonic milliseconds. Exclusive. */
  readonly freshUntil: number

  constructor(token: string, freshUntil: number) {
    this.#token = token
    this.freshUntil = freshUntil
  }

  get text(): string {
    return this.#token
  }

  isOf(token: string): boolean {
    return this.#token === token
  }
}

/** A verified token. */
export class Entry extends CachedToken {
  readonly key: Key
  readonly scheme: Scheme
  // The whole value of the `Authorization` header, because comparing it is faster than extracting the token from each request.
  readonly #line: string
  readonly principal: Principal
  readonly from: number
  /** When the token expires, plus the clock tolerance, in milliseconds since 1970. Exclusive. */
  readonly until: number
  readonly isCurrent: Reuse["isCurrent"]
  readonly succeed: Effect.Effect<Verified>
  /** Whether no proof has to be checked: the token is not bound to a key and was presented as a Bearer token. */
  readonly isUnbound: boolean
  /** Whether the entry was used since it was last considered for eviction. */
  used = false

  constructor(credentials: Credentials, key: Key, principal: Principal, reuse: Reuse) {
    super(textOf(credentials), reuse.freshUntil)
    this.key = key
    this.scheme = credentials.scheme
    this.#line = lineOf(credentials)
    this.principal = principal
    this.from = reuse.from
    this.until = reuse.until
    this.isCurrent = reuse.isCurrent
    // No `reuse`: a second cache around this one must not extend the lifetime of the result.
    this.succeed = Effect.succeed({ principal, reuse: undefined })
    this.isUnbound = credentials.scheme === "Bearer" && !Object.hasOwn(principal.claims, "cnf")
  }

  isLine(authorization: string): boolean {
    return this.#line === authorization
  }

  /** Tells whether the token is valid and fresh. `wall` is in milliseconds since 1970, `monotonic` in monotonic milliseconds. */
  isUsable(wall: number, monotonic: number): boolean {
    return wall >= this.from && wall < this.until && monotonic < this.freshUntil
  }
}

/**
 * The key of a token. The key of a JWT with at least `shortest` characters is a number that is computed from the end of the
 * JWT. The key of every other token is the SHA-256 of the token.
 */
export type Key = number | string

/** Returns a number that is computed from the last 12 characters of a text. */
const endOf = (text: string): number => {
  let end = 0
  for (let at = text.length - 12; at < text.length; at++) end = Math.imul(end, 31) + text.charCodeAt(at) | 0
  return end
}

/** Texts with fewer characters have their SHA-256 as the key. */
const shortest = 128

/**
 * Returns the key of a JWT. The text is the JWT, or an `Authorization` line that ends with the JWT. Both give the same number.
 *
 * The end of a JWT is random, so 32 bits of it find an entry without hashing the whole token. The whole token is compared
 * afterwards. If two tokens have the same number, the later one replaces the earlier one. The key is not a string, because a
 * string would have to be cut out and hashed for each request.
 */
const keyOfEnd = (text: string): number | undefined => text.length < shortest ? undefined : endOf(text)

/** Returns the key of a JWT, or `undefined` for short JWTs and for other tokens, whose ends may all be equal. */
export const keyOfJwt = (token: string): number | undefined => isJwt(token) ? keyOfEnd(token) : undefined

/** Maximum number of recently used entries that are skipped to find an unused one. */
const secondChances = 16

/** Maximum number of expired entries that are deleted for each new one. More than one, so that their number shrinks. */
const expiredPerEntry = 2

/**
 * Keeps a hash (the mark) of each token that was presented recently but not cached, so that a token that is presented only
 * once does not replace a cached token that is used repeatedly. If two marks share a place, the later one overwrites the
 * earlier one, which costs an additional verification.
 */
class Doorkeeper {
  readonly #capacity: number
  #marks: Int32Array | undefined

  constructor(capacity: number) {
    this.#capacity = capacity
  }

  /** Returns whether this key was presented recently, and records it. */
  record(key: Key): boolean {
    const end = typeof key === "number" ? key : endOf(key)
    const mark = Math.imul(end ^ end >>> 15, 0x2c1b3c6d)
    // Created on first use, because most tables are never full and a server may have a table for each tenant.
    const marks = this.#marks ??= new Int32Array(2 ** Math.ceil(Math.log2(2 * this.#capacity)))
    const place = (mark ^ mark >>> 13) & (marks.length - 1)
    const known = marks[place] === mark
    marks[place] = mark
    return known
  }
}

/** A table of verified tokens with a maximum capacity. */
export interface VerifiedTable {
  /** Returns the cached principal for the value of an `Authorization` header, if it can be used without waiting. */
  readonly lookupVerified: (line: string, timing: RequestTiming) => Principal | undefined
  /** Returns the entry of a token that was presented with this scheme, usable or not. */
  readonly find: (key: Key, token: string, scheme: Scheme) => Entry | undefined
  /**
   * Caches a result and returns its entry, or `undefined` if a full table does not admit the result. `wall` is in milliseconds
   * since 1970, `now` in monotonic milliseconds.
   */
  readonly put: (
    credentials: Credentials,
    key: Key,
    principal: Principal,
    reuse: Reuse,
    wall: number,
    now: number
  ) => Entry | undefined
  readonly has: (entry: Entry) => boolean
  readonly delete: (entry: Entry) => void
  /** Deletes the entries of the principals for which the function returns `true`. */
  readonly evict: (isMeant: (principal: Principal) => boolean) => void
}

export const make = (capacity: number): VerifiedTable => {
  const entries = new Map<Key, Entry>()
  const doorkeeper = new Doorkeeper(Math.max(1, capacity))

  const has = (entry: Entry): boolean => entries.get(entry.key) === entry

  const remove = (entry: Entry): void => {
    if (has(entry)) entries.delete(entry.key)
  }

  const oldest = (): Entry | undefined => entries.values().next().value

  // Without this, each tenant would keep as many expired tokens as its table has places.
  const dropExpired = (wall: number, now: number): void => {
    for (let left = expiredPerEntry; left > 0; left--) {
      const first = oldest()
      if (first === undefined || first.isUsable(wall, now)) return
      remove(first)
    }
  }

  const hasPlace = (key: Key, { isCurrent }: Reuse): boolean => {
    if (entries.size < capacity) return true
    // A result without `isCurrent` comes from introspection. It is cached at once, because verifying the token again would cost
    // another request.
    return capacity > 0 && (isCurrent === undefined || doorkeeper.record(key))
  }

  return {
    lookupVerified: (line, { clock, since }) => {
      const key = keyOfEnd(line)
      const entry = key === undefined ? undefined : entries.get(key)
      if (entry === undefined || !entry.isUnbound || !entry.isLine(line)) return undefined
      if (!entry.isUsable(clock.currentTimeMillisUnsafe(), monotonic.millisOfNanos(since))) return undefined
      if (entry.isCurrent !== undefined && entry.isCurrent() !== true) return undefined
      entry.used = true
      return entry.principal
    },
    find: (key, token, scheme) => {
      const entry = entries.get(key)
      // A result for a token under the scheme DPoP must not be used for the same token under Bearer.
      return entry !== undefined && entry.isOf(token) && entry.scheme === scheme ? entry : undefined
    },
    put: (credentials, key, principal, reuse, wall, now) => {
      dropExpired(wall, now)
      if (!hasPlace(key, reuse)) return undefined
      const entry = new Entry(credentials, key, freezePrincipal(principal), reuse)
      entries.delete(key)
      entries.set(key, entry)
      // A map keeps the order of insertion, so the first entry is the oldest. If it was used, it is moved to the end and kept.
      // Because entries are moved here and not at each use, only requests with a new token take more time.
      for (let chances = secondChances; entries.size > capacity; chances--) {
        const first = oldest()!
        if (!first.used || chances === 0) {
          remove(first)
          break
        }
        first.used = false
        entries.delete(first.key)
        entries.set(first.key, first)
      }
      return entry
    },
    has,
    delete: remove,
    evict: (isMeant) => {
      for (const entry of entries.values()) {
        if (isMeant(entry.principal)) remove(entry)
      }
    }
  }
}
