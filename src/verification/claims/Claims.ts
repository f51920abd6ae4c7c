import * as Result from "effect/Result"
import { InvalidToken, type InvalidTokenReason } from "../../protocol/AuthError.ts"
import { isRecord, type JsonObject, own } from "../../protocol/Json.ts"
import * as ScopeToken from "../../protocol/ScopeToken.ts"
import { BoundedMap } from "../../store/BoundedMap.ts"
import { freezeSet } from "./Frozen.ts"

export type Claims = JsonObject

/**
 * A claim that holds scopes. `path` leads through objects (`["realm_access", "roles"]`). A `"string"` is split at spaces, a
 * `"string-or-list"` may also be a list of strings, and of `"keys"` the names of the members count. A value of another type
 * rejects the token.
 */
export interface ScopeSource {
  readonly path: readonly [string, ...ReadonlyArray<string>]
  readonly shape: "string" | "string-or-list" | "keys"
}

/** `scope` (a string); only if it is absent `scp` (a string or a list). */
export const standardScopes: readonly [ScopeSource, ...ReadonlyArray<ScopeSource>] = [
  { path: ["scope"], shape: "string" },
  { path: ["scp"], shape: "string-or-list" }
]

/** The claims that hold the client, in this order. */
export const standardClientIds: readonly [string, ...ReadonlyArray<string>] = ["client_id", "azp", "cid", "appid"]

const failures = new Map<InvalidTokenReason, Result.Result<never, InvalidToken>>()

/** A rejection carries nothing of its token, so one value per reason serves every request, without a stack trace each. */
export const reject = (reason: InvalidTokenReason): Result.Result<never, InvalidToken> => {
  const known = failures.get(reason)
  if (known !== undefined) return known
  const failure = Result.fail(new InvalidToken({ reason }))
  failures.set(reason, failure)
  return failure
}

export { own }

/** A moment that can be compared with a clock: RFC 7519 allows fractions, JSON allows 1e400. */
const isNumericDate = (value: unknown): value is number =>
  typeof value === "number" && Number.isFinite(value) && Math.abs(value) <= 8.64e12

export interface Tolerance {
  /** For `exp`, in seconds. */
  readonly expiry: number
  /** For `nbf` and `iat`, in seconds. */
  readonly start: number
}

/** `exp` is required; `nbf` and `iat` count when present (RFC 7519 §4.1.4–4.1.6, RFC 9068 §2.2). Gives `exp`. */
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

/** Reads the subject from one claim. It must be a string of printable characters. */
export const readSubject = (claims: Claims, claim: string): Result.Result<Subject, InvalidToken> => {
  const value = own(claims, claim)
  return typeof value === "string" && value !== "" && !/[\u0000-\u001f\u007f]/.test(value)
    ? Result.succeed({ value, claim })
    : reject("subject")
}

/** The first of the claims that providers use for the client; one of a wrong type rejects the token. */
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
 * The scopes of the first source that the token has; by default `scope` (a string, RFC 9068 §2.2.3), only if it is absent
 * `scp` (a string or a list of strings). A value of the wrong type rejects the token instead of passing to the next.
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
    if (typeof value === "string") return Result.succeed(scopesOf(value))
    return shape === "string-or-list" && Array.isArray(value) && value.every((_) => typeof _ === "string")
      ? Result.succeed(new Set(value.filter(ScopeToken.isScopeToken)))
      : reject("scope")
  }
  return Result.succeed(new Set())
}

/** An issuer is trusted, and still its lists of scopes must not grow without a bound. */
const scopeSets = new BoundedMap<string, ReadonlySet<string>>(1_000)

/** Tokens are many, and the lists of scopes in them few: each becomes one set, which no handler can change. */
const scopesOf = (list: string): ReadonlySet<string> => {
  const known = scopeSets.get(list)
  if (known !== undefined) return known
  const scopes = freezeSet(new Set(ScopeToken.parse(list)))
  scopeSets.set(list, scopes)
  return scopes
}

const at = (claims: Claims, path: ReadonlyArray<string>): unknown =>
  path.reduce<unknown>((value, name) => isRecord(value) ? own(value, name) : undefined, claims)

/** `aud` as a list, for those who read it; the audience rule has judged it before. */
export const readAudience = (claims: Claims): ReadonlyArray<string> => {
  const audience = own(claims, "aud")
  return typeof audience === "string" ? [audience] : Array.isArray(audience) ? audience : []
}

/**
 * The key that a token is bound to (`cnf`, RFC 7800): `undefined` for a token that is bound to none, `"unusable"` where
 * the claim is there and names none that a client could prove (RFC 9449 §6).
 */
export const bindingOf = (claims: Claims): { readonly thumbprint: string } | "unusable" | undefined => {
  if (!Object.hasOwn(claims, "cnf")) return undefined
  const confirmation = claims["cnf"]
  const thumbprint = isRecord(confirmation) ? own(confirmation, "jkt") : undefined
  return typeof thumbprint === "string" && /^[A-Za-z0-9_-]{43}$/.test(thumbprint) ? { thumbprint } : "unusable"
}
