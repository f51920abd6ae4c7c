import * as Result from "effect/Result"
import { InvalidToken, type InvalidTokenReason } from "../../protocol/AuthError.ts"
import { isRecord, type JsonObject, own } from "../../protocol/Json.ts"
import * as ScopeToken from "../../protocol/ScopeToken.ts"
import { BoundedMap } from "../../store/BoundedMap.ts"
import { freezeSet } from "./Frozen.ts"

export type Claims = JsonObject

/**
 * Describes a claim that contains scopes. `path` is a path through nested objects (`["realm_access", "roles"]`). With the shape
 * `"string"`, the value is split at spaces. With `"string-or-list"`, it may also be a list of strings. With `"keys"`, the value
 * is an object, and the names of its members are the scopes. A token with a value of another type is rejected.
 */
export interface ScopeSource {
  readonly path: readonly [string, ...ReadonlyArray<string>]
  readonly shape: "string" | "string-or-list" | "keys"
}

const sourceOf = (claim: string): ScopeSource => ({ path: [claim], shape: "string-or-list" })

/**
 * The default sources of scopes: `scope` or, if it is absent, `scp`. Each is a string (RFC 9068 §2.2.3) or a list of strings,
 * because Spring Authorization Server, Duende IdentityServer, Okta and Ory Hydra issue lists.
 */
export const standardScopes: readonly [ScopeSource, ...ReadonlyArray<ScopeSource>] = [
  sourceOf("scope"),
  sourceOf("scp")
]

/** The default claims that contain the client id, in this order. */
export const standardClientIds: readonly [string, ...ReadonlyArray<string>] = ["client_id", "azp", "cid", "appid"]

const failures = new Map<InvalidTokenReason, Result.Result<never, InvalidToken>>()

/** Returns a rejection. All rejections with one reason share one value, because this value contains no part of the token. */
export const reject = (reason: InvalidTokenReason): Result.Result<never, InvalidToken> => {
  const known = failures.get(reason)
  if (known !== undefined) return known
  const failure = Result.fail(new InvalidToken({ reason }))
  failures.set(reason, failure)
  return failure
}

export { own }

/**
 * Tells whether a value is a usable `NumericDate`. Fractions are usable (RFC 7519). Infinity is not usable: JSON allows 1e400,
 * which JavaScript reads as infinity. A time in milliseconds (of 2001 or later) is not usable either: an expired token would be
 * valid for thousands of years.
 */
const isNumericDate = (value: unknown): value is number => typeof value === "number" && Math.abs(value) < 1e12

export interface Tolerance {
  /** The tolerance for `exp`, in seconds. */
  readonly expiry: number
  /** The tolerance for `nbf` and `iat`, in seconds. */
  readonly start: number
}

/** Returns the clock tolerance for a configured number of seconds. Default: 0 for `exp`, 30 seconds for `nbf` and `iat`. */
export const toleranceOf = (seconds: number | undefined): Tolerance => ({ expiry: seconds ?? 0, start: seconds ?? 30 })

/** Checks `exp`, and `nbf` and `iat` if present (RFC 7519 §4.1.4–4.1.6, RFC 9068 §2.2). Returns `exp`. `now` is in seconds. */
export const checkTimes = (
  claims: Claims,
  now: number,
  tolerance: Tolerance
): Result.Result<number, InvalidToken> => {
  const exp = own(claims, "exp")
  const nbf = own(claims, "nbf")
  const iat = own(claims, "iat")
  if (!isNumericDate(exp)) return reject("expiry")
  if (nbf !== undefined && !isNumericDate(nbf)) return reject("not-yet-valid")
  if (iat !== undefined && !isNumericDate(iat)) return reject("issued-in-the-future")
  if (now >= exp + tolerance.expiry) return reject("expired")
  if (nbf !== undefined && now < nbf - tolerance.start) return reject("not-yet-valid")
  if (iat !== undefined && now < iat - tolerance.start) return reject("issued-in-the-future")
  return Result.succeed(exp)
}

export interface Subject {
  readonly value: string
  readonly claim: string
}

/** Tells whether a value is a string without control characters. */
const isText = (value: unknown): value is string => typeof value === "string" && !/\p{Cc}/u.test(value)

/** Reads the subject from a claim. The subject must be a string that is not empty and contains no control characters. */
export const readSubject = (claims: Claims, claim: string): Result.Result<Subject, InvalidToken> => {
  const value = own(claims, claim)
  return isText(value) && value !== ""
    ? Result.succeed({ value, claim })
    : reject("subject")
}

/**
 * Reads the client id from the first of the claims `names` that the token has. Rejects a token in which this claim is not a
 * string or is empty.
 */
export const readClientId = (
  claims: Claims,
  names: ReadonlyArray<string> = standardClientIds
): Result.Result<string | undefined, InvalidToken> => {
  const name = names.find((_) => Object.hasOwn(claims, _))
  if (name === undefined) return Result.succeed(undefined)
  const value = claims[name]
  return typeof value === "string" && value !== "" ? Result.succeed(value) : reject("client-id")
}

/**
 * Reads the scopes from the first source that the token has. Default: `scope` or, if it is absent, `scp`, each a string or a list
 * of strings. Ignores parts and entries that are not scope tokens (RFC 6749 §3.3). If the value of this source has the wrong type
 * or contains a control character, rejects the token and does not try the next source.
 */
export const readScopes = (
  claims: Claims,
  sources: ReadonlyArray<ScopeSource> = standardScopes
): Result.Result<ReadonlySet<string>, InvalidToken> => {
  for (const { path, shape } of sources) {
    const value = at(claims, path)
    if (value === undefined) continue
    if (shape === "keys") {
      return isRecord(value)
        ? Result.succeed(new Set(Object.keys(value).filter(ScopeToken.isScopeToken)))
        : reject("scope")
    }
    if (isText(value)) return Result.succeed(scopesOf(value))
    return shape === "string-or-list" && Array.isArray(value) && value.every(isText)
      ? Result.succeed(new Set(value.filter(ScopeToken.isScopeToken)))
      : reject("scope")
  }
  return Result.succeed(new Set())
}

/** Cached scope sets, by the text of the list. The cache is bounded, because issuers determine how many lists there are. */
const scopeSets = new BoundedMap<string, ReadonlySet<string>>(1_000)

/** Returns the scope set of a list. Most tokens contain one of a few lists, so tokens with the same list share a frozen set. */
const scopesOf = (list: string): ReadonlySet<string> => {
  const known = scopeSets.get(list)
  if (known !== undefined) return known
  const scopes = freezeSet(new Set(ScopeToken.parse(list)))
  scopeSets.set(list, scopes)
  return scopes
}

const at = (claims: Claims, path: ReadonlyArray<string>): unknown =>
  path.reduce<unknown>((value, name) => isRecord(value) ? own(value, name) : undefined, claims)

/** Returns `aud` as a list. The audience rule has already checked it. */
export const readAudience = (claims: Claims): ReadonlyArray<string> => {
  const audience = own(claims, "aud")
  return typeof audience === "string" ? [audience] : Array.isArray(audience) ? audience : []
}

/**
 * Returns the thumbprint of the key that a token is bound to (`cnf`, RFC 7800). Returns `undefined` if the token is not bound,
 * and `"unusable"` if `cnf` contains no valid `jkt`, because DPoP supports no other binding (RFC 9449 §6).
 */
export const bindingOf = (claims: Claims): { readonly thumbprint: string } | "unusable" | undefined => {
  if (!Object.hasOwn(claims, "cnf")) return undefined
  const confirmation = claims["cnf"]
  const thumbprint = isRecord(confirmation) ? own(confirmation, "jkt") : undefined
  return typeof thumbprint === "string" && /^[A-Za-z0-9_-]{43}$/.test(thumbprint) ? { thumbprint } : "unusable"
}
