/**
 * Defines the interface of verifiers, which verify a token and return its principal, and functions that combine verifiers.
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
import * as ConfigOption from "../protocol/ConfigOption.ts"
import type { Credentials } from "../protocol/Credentials.ts"
import * as OptionValue from "../protocol/OptionValue.ts"
import type { Principal } from "./Principal.ts"

/**
 * Lists the errors of a verification.
 *
 * @category errors
 * @since 0.1.0
 */
export type VerificationError = InvalidToken | AuthorizationServerUnavailable | InvalidMetadata | AuthConfigError

/**
 * Contains the parts of a request that a verifier may use in addition to the credentials.
 *
 * @category models
 * @since 0.1.0
 */
export interface PresentedRequest {
  readonly header: (name: string) => string | undefined
  /** The path without query, or `undefined` if the server adapter does not provide it. */
  readonly path?: string | undefined
  /** Returns a parameter of the matched route, or `undefined` if the route has no parameter of this name. */
  readonly routeParameter?: ((name: string) => string | undefined) | undefined
}

/**
 * Contains the clock of a request and the time at which the request arrived.
 *
 * @category models
 * @since 0.1.0
 */
export interface RequestTiming {
  readonly clock: Clock.Clock
  /** The monotonic time at which the request arrived, in nanoseconds. */
  readonly since: bigint
}

/**
 * Describes how long a result may be reused. The wall clock decides whether the token is valid. The monotonic clock, which
 * cannot be set back, decides whether the result is fresh.
 *
 * @category models
 * @since 0.1.0
 */
export interface Reuse {
  /** When the token becomes valid, in milliseconds since 1970. */
  readonly from: number
  /** When the token expires, in milliseconds since 1970. Exclusive. */
  readonly until: number
  /** When the result stops being fresh, in milliseconds of the monotonic clock (`Clock.monotonicTimeNanos`). Exclusive. */
  readonly freshUntil: number
  /** Called at each use. Returns `false` if the key that verified the token is no longer published. */
  readonly isCurrent?: (() => boolean | Effect.Effect<boolean, VerificationError>) | undefined
}

/**
 * Contains the result of a verification.
 *
 * @category models
 * @since 0.1.0
 */
export interface Verified {
  readonly principal: Principal
  /** How long a cache may reuse the result, or `undefined` if it must not. */
  readonly reuse: Reuse | undefined
}

/**
 * Verifies the credentials of a request. Fails with `E`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Verifier<out E = VerificationError> {
  /**
   * Verifies the credentials. `timing` contains the clock, so that a cache can return a result without suspending. Custom
   * verifiers may ignore `timing`.
   */
  readonly verify: (
    credentials: Credentials,
    request?: PresentedRequest | undefined,
    timing?: RequestTiming | undefined
  ) => Effect.Effect<Verified, E>
}

/**
 * Provides the verifier of a server as a service.
 *
 * @category services
 * @since 0.1.0
 */
export class TokenVerifier
  extends /*#__PURE__*/ Context.Service<TokenVerifier, Verifier>()("effect-mcp-auth/TokenVerifier")
{}

/**
 * Creates a verifier from a function that returns a principal. The results of the verifier are not cached, unless you wrap the
 * verifier with the function `cached`, which the option `verifier` of `AuthLayer` provides.
 *
 * **Gotchas**
 *
 * The function must check everything itself: issuer, audience, times and binding. If a token can be described by the claims of
 * RFC 7662, set `introspection: Introspection.lookUp(…)` on the authorization server instead. The claims that
 * the look-up function returns are checked by the same rules as the claims of every token.
 *
 * **Example** (A verifier that rejects every token)
 *
 * ```ts
 * import { AuthError, TokenVerifier } from "effect-mcp-auth"
 * import { Effect } from "effect"
 *
 * const rejectAll = TokenVerifier.make(() => Effect.fail(new AuthError.InvalidToken({ reason: "inactive" })))
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
    // A function written in JavaScript may return any value. A value that is not an effect is passed on, because the gate
    // rejects it.
    return Effect.isEffect(found as unknown) ? Effect.mapEager(found, toVerified) : found as never
  }
})

const toVerified = (principal: Principal): Verified => ({ principal, reuse: undefined })

const rejections = new Map<InvalidTokenReason, Verifier<InvalidToken>>()

/**
 * Creates a verifier that rejects every token with the given reason.
 *
 * **Example** (A prefix that is no longer accepted)
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
 * Creates a verifier that lets a function choose the verifier of each token.
 *
 * **When to use**
 *
 * Use it if `byShape`, `byIssuer` and `byPrefix` cannot distinguish your tokens.
 *
 * **Details**
 *
 * The function runs once for each verification. If the chosen verifier rejects the token, no other verifier is tried.
 *
 * **Gotchas**
 *
 * The token is not yet verified when the function receives it.
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
  verify: (credentials, request, timing) => choice(credentials.token).verify(credentials, request, timing)
})

/**
 * Tells whether a token has the shape of a signed JWT: three segments, where the first one decodes to the beginning of a JSON
 * object.
 *
 * **Details**
 *
 * Only the shape is checked: an opaque token that looks like a JWT is verified as a JWT and rejected. An encrypted token (five
 * segments) counts as opaque, because only its issuer can decrypt it.
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
  // The byte of `{` is 0x7b, so its base64url begins with `e` and one of `w`, `x`, `y`, `z`.
  if (!/^e[w-z]/.test(token)) return false
  const first = token.indexOf(".")
  const second = first === -1 ? -1 : token.indexOf(".", first + 1)
  return second !== -1 && !token.includes(".", second + 1)
}

/**
 * Combines a verifier for JWTs with one for all other tokens.
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
  /** Verifies tokens with the shape of a JWT. */
  readonly jwt: Verifier<E1>
  /** Verifies all other tokens. */
  readonly opaque: Verifier<E2>
}): Verifier<E1 | E2> => {
  ConfigOption.check(options, "TokenVerifier.byShape", shapeTable)
  return choose<E1 | E2>((token): Verifier<E1 | E2> => isJwt(Redacted.value(token)) ? options.jwt : options.opaque)
}

const shapeTable: ConfigOption.Table<"jwt" | "opaque"> = { jwt: true, opaque: true }

/** The maximum length of a token that is decoded to read a claim, in characters. */
const maximumLength = 16 * 1024

/**
 * Selects the verifier of a JWT by its issuer. Rejects tokens that have no issuer or an unknown one.
 *
 * **Details**
 *
 * The issuer in the token is not yet verified. It only selects the verifier, which must check it.
 *
 * **Example** (Two issuers)
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
 * Returns the unverified `iss` of a JWT. Returns `undefined` if the token is not a JWT, is longer than 16,384 characters, or
 * has no `iss` that is a string.
 *
 * @category getters
 * @since 0.1.0
 */
export const issuerOf = (token: string): string | undefined => {
  const issuer = claimOf(token, "iss")
  return typeof issuer === "string" ? issuer : undefined
}

/**
 * Returns an unverified claim of a JWT. Returns `undefined` if the token is not a JWT, is longer than 16,384 characters, or
 * lacks the claim.
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
 * Selects the verifier of an opaque token by its prefix. `rest` verifies all other tokens. Default: they are rejected.
 *
 * **Details**
 *
 * Throws `AuthConfigError` if a prefix is empty or prefixes overlap, because a token could then have two verifiers.
 *
 * **Example** (API keys beside tokens)
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
          } overlap. No prefix may begin with another one`
      })
    }
  }
  return choose<E | E2 | InvalidToken>((token): Verifier<E | E2 | InvalidToken> => {
    const text = Redacted.value(token)
    return known.find(([prefix]) => text.startsWith(prefix))?.[1] ?? rest ?? reject("unknown-issuer")
  })
}
