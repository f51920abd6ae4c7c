/**
 * From a token to a principal: the interface, and how verifiers are combined. Each way of verifying has a file of its
 * own.
 *
 * @since 0.1.0
 */
import type * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as base64url from "../crypto/Base64Url.ts"
import {
  AuthConfigError,
  type AuthorizationServerUnavailable,
  type InvalidMetadata,
  InvalidToken,
  type InvalidTokenReason
} from "../protocol/AuthError.ts"
import type { Credentials } from "../protocol/Credentials.ts"
import * as OptionValue from "../protocol/OptionValue.ts"
import type { Principal } from "./Principal.ts"

/**
 * What verification can end in, besides a principal.
 *
 * @category errors
 * @since 0.1.0
 */
export type VerificationError = InvalidToken | AuthorizationServerUnavailable | InvalidMetadata | AuthConfigError

/**
 * What a verifier may see of the request besides its credentials.
 *
 * @category models
 * @since 0.1.0
 */
export interface Presented {
  readonly header: (name: string) => string | undefined
  /** Without query; `undefined` where the host does not tell. */
  readonly path?: string | undefined
  /** A parameter of the route that the host's router matched; `undefined` if there is none of this name. */
  readonly routeParameter?: ((name: string) => string | undefined) | undefined
}

/**
 * The present, as a request knows it: its clock, and what that showed when the request came in.
 *
 * @category models
 * @since 0.1.0
 */
export interface Present {
  readonly clock: Clock.Clock
  /** In monotonic nanoseconds. */
  readonly since: bigint
}

/**
 * How long a result may be used again: by the wall clock as long as the token is valid, and by the monotonic clock, which
 * cannot be set back, as long as the result is fresh.
 *
 * @category models
 * @since 0.1.0
 */
export interface Reuse {
  /** The start of the token, in milliseconds since 1970. */
  readonly from: number
  /** The end of the token, in milliseconds since 1970. Exclusive. */
  readonly until: number
  /** In milliseconds of the monotonic clock (`Clock.monotonicTimeNanos`). Exclusive. */
  readonly freshUntil: number
  /** Checked at each use: `false` if the key that the result depends on is gone. */
  readonly isCurrent?: (() => boolean | Effect.Effect<boolean, VerificationError>) | undefined
}

/**
 * The result of a verification.
 *
 * @category models
 * @since 0.1.0
 */
export interface Verified {
  readonly principal: Principal
  /** How long a cache may use the result again; `undefined` if it must not. */
  readonly reuse: Reuse | undefined
}

/**
 * Verifies the credentials of a request; fails with `E`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Verifier<out E = VerificationError> {
  /** With `present`, a cached result is returned without waiting. Verifiers of your own may ignore it. */
  readonly verify: (
    credentials: Credentials,
    request?: Presented | undefined,
    present?: Present | undefined
  ) => Effect.Effect<Verified, E>
}

/**
 * The verifier of a server, as a service.
 *
 * @category services
 * @since 0.1.0
 */
export class TokenVerifier extends Context.Service<TokenVerifier, Verifier>()("effect-mcp-auth/TokenVerifier") {}

/**
 * Makes a verifier from a function that returns a principal. A cache uses its results again only within
 * `AuthLayer`'s `cached`.
 *
 * **Gotchas**
 *
 * The function is all there is: issuer, audience, times and binding are its to check. Where a token can be explained in
 * the words of RFC 7662, give the authorization server an `introspection.lookUp` instead, whose answers are judged by
 * the same rules as every token.
 *
 * **Example** (A verifier that knows nobody)
 *
 * ```ts
 * import { AuthError, TokenVerifier } from "effect-mcp-auth"
 * import { Effect } from "effect"
 *
 * const nobody = TokenVerifier.make(() => Effect.fail(new AuthError.InvalidToken({ reason: "inactive" })))
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <E>(
  verify: (
    ...parameters: Parameters<Verifier<E>["verify"]>
  ) => Effect.Effect<Principal, E>
): Verifier<E> => ({
  verify: (...parameters) => {
    const found = verify(...parameters)
    // From JavaScript it may be anything. The gate rejects what is no effect.
    return Effect.isEffect(found as unknown) ? Effect.mapEager(found, toVerified) : found as never
  }
})

const toVerified = (principal: Principal): Verified => ({ principal, reuse: undefined })

const rejections = new Map<InvalidTokenReason, Verifier<InvalidToken>>()

/**
 * The verifier that rejects every token, for the reason given.
 *
 * **Example** (A prefix that is not accepted any more)
 *
 * ```ts
 * import { TokenVerifier } from "effect-mcp-auth"
 *
 * declare const current: TokenVerifier.Verifier
 *
 * const verifier = TokenVerifier.byPrefix({ "v1_": TokenVerifier.reject("revoked") }, current)
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const reject = (reason: InvalidTokenReason): Verifier<InvalidToken> => {
  const known = rejections.get(reason)
  if (known !== undefined) return known
  const failure = Effect.fail(new InvalidToken({ reason }))
  const verifier: Verifier<InvalidToken> = { verify: () => failure }
  rejections.set(reason, verifier)
  return verifier
}

/**
 * Lets a function choose the verifier of each token.
 *
 * **When to use**
 *
 * `byShape`, `byIssuer` and `byPrefix` do not tell your tokens apart.
 *
 * **Details**
 *
 * The choice is made once, from what the token looks like, and it is final: a token that its verifier rejects is never
 * tried with another one.
 *
 * **Gotchas**
 *
 * Nothing of the token is verified when the function sees it.
 *
 * **Example** (By length)
 *
 * ```ts
 * import { TokenVerifier } from "effect-mcp-auth"
 * import { Redacted } from "effect"
 *
 * declare const short: TokenVerifier.Verifier
 * declare const long: TokenVerifier.Verifier
 *
 * const verifier = TokenVerifier.choose((token) => Redacted.value(token).length < 100 ? short : long)
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const choose = <E>(choice: (token: Redacted.Redacted) => Verifier<E>): Verifier<E> => ({
  verify: (credentials, request, present) => choice(credentials.token).verify(credentials, request, present)
})

/**
 * Tells whether a token has the shape of a signed JWT: three segments, of which the first begins as a JSON object.
 *
 * **Details**
 *
 * Shape only: a token that looks like a JWT and is none is rejected as a JWT. An encrypted token (five segments) can only
 * be explained by its issuer, and counts as opaque.
 *
 * **Example** (Shapes)
 *
 * ```ts
 * import { TokenVerifier } from "effect-mcp-auth"
 * import assert from "node:assert/strict"
 *
 * assert.ok(TokenVerifier.isJwt("eyJhbGciOiJSUzI1NiJ9.e30.c2ln"))
 * assert.ok(!TokenVerifier.isJwt("gho_16C7e42F292c6912E7710c838347Ae178B4a"))
 * ```
 *
 * @category guards
 * @since 0.1.0
 */
export const isJwt = (token: string): boolean => {
  // `{` is the byte 0x7b, so its base64url begins with `e` and one of `w`, `x`, `y`, `z`.
  if (!/^e[w-z]/.test(token)) return false
  const first = token.indexOf(".")
  const second = first === -1 ? -1 : token.indexOf(".", first + 1)
  return second !== -1 && !token.includes(".", second + 1)
}

/**
 * One verifier for JWTs, another one for every other token.
 *
 * **Example** (JWTs and opaque tokens)
 *
 * ```ts
 * import { TokenVerifier } from "effect-mcp-auth"
 *
 * declare const jwt: TokenVerifier.Verifier
 * declare const opaque: TokenVerifier.Verifier
 * const both = TokenVerifier.byShape({ jwt, opaque })
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const byShape = <E1, E2>(options: {
  readonly jwt: Verifier<E1>
  readonly opaque: Verifier<E2>
}): Verifier<E1 | E2> =>
  choose<E1 | E2>((token): Verifier<E1 | E2> => isJwt(Redacted.value(token)) ? options.jwt : options.opaque)

/** Beyond it a token is no token, and is not decoded to find out whose it would be. */
const maximumLength = 16 * 1024

/**
 * For each issuer a verifier. A JWT says who issued it; what says nothing, or names a stranger, is rejected.
 *
 * **Details**
 *
 * The issuer that a token names is unverified here. It only picks the verifier, which has to check it.
 *
 * **Example** (Two issuers, two ways)
 *
 * ```ts
 * import { TokenVerifier } from "effect-mcp-auth"
 *
 * declare const people: TokenVerifier.Verifier
 * declare const programs: TokenVerifier.Verifier
 *
 * const verifier = TokenVerifier.byIssuer({ "https://auth.example.com": people, "https://machines.example.com": programs })
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const byIssuer = <E>(verifiers: Readonly<Record<string, Verifier<E>>>): Verifier<E | InvalidToken> => {
  const known = new Map(Object.entries(verifiers))
  return choose<E | InvalidToken>((token): Verifier<E | InvalidToken> => {
    const issuer = issuerOf(Redacted.value(token))
    if (issuer === undefined) return reject("malformed")
    return known.get(issuer) ?? reject("unknown-issuer")
  })
}

/**
 * `iss` of a JWT, unverified.
 *
 * @category getters
 * @since 0.1.0
 */
export const issuerOf = (token: string): string | undefined => {
  const issuer = claimOf(token, "iss")
  return typeof issuer === "string" ? issuer : undefined
}

/**
 * A claim of a JWT, unverified.
 *
 * @category getters
 * @since 0.1.0
 */
export const claimOf = (token: string, name: string): unknown => {
  if (token.length > maximumLength || !isJwt(token)) return undefined
  const claims = base64url.decodeJsonObject(token.split(".", 2)[1]!)
  return claims !== undefined && Object.hasOwn(claims, name) ? claims[name] : undefined
}

/**
 * For each prefix of opaque tokens a verifier, and one for the rest (default: rejected).
 *
 * **Details**
 *
 * Throws `AuthConfigError` when a prefix is empty or begins another one: a token could have two verifiers.
 *
 * **Example** (Keys of your own beside tokens)
 *
 * ```ts
 * import { AuthError, TokenVerifier } from "effect-mcp-auth"
 * import { Effect } from "effect"
 *
 * const apiKeys = TokenVerifier.make(() => Effect.fail(new AuthError.InvalidToken({ reason: "inactive" })))
 *
 * const verifier = TokenVerifier.byPrefix({ "key_": apiKeys })
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const byPrefix = <E, E2 = InvalidToken>(
  verifiers: Readonly<Record<string, Verifier<E>>>,
  rest?: Verifier<E2>
): Verifier<E | E2 | InvalidToken> => {
  const known = Object.entries(verifiers)
  for (const [prefix] of known) {
    const other = known.find(([_]) => _ !== prefix && _.startsWith(prefix))
    if (prefix === "" || other !== undefined) {
      throw new AuthConfigError({
        reason: "conflict",
        option: "TokenVerifier.byPrefix",
        fix: prefix === ""
          ? "an empty prefix matches every token. Pass that verifier as the second argument instead"
          : `the prefixes ${OptionValue.describe(other![0])} and ${
            OptionValue.describe(prefix)
          } overlap. Prefixes must ` +
            "not overlap: no prefix may begin with another one"
      })
    }
  }
  return choose<E | E2 | InvalidToken>((token): Verifier<E | E2 | InvalidToken> => {
    const text = Redacted.value(token)
    return known.find(([prefix]) => text.startsWith(prefix))?.[1] ?? rest ?? reject("unknown-issuer")
  })
}
