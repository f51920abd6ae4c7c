/**
 * Verifies JWT access tokens (RFC 9068), following the best practices of RFC 8725.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as base64url from "../../crypto/Base64Url.ts"
import type * as Signature from "../../crypto/Signature.ts"
import type { AuthorizationServerUnavailable, InvalidMetadata, InvalidToken } from "../../protocol/AuthError.ts"
import { type Credentials, textOf } from "../../protocol/Credentials.ts"
import { BoundedMap } from "../../store/BoundedMap.ts"
import * as monotonic from "../../store/MonotonicTime.ts"
import * as Claims from "../claims/Claims.ts"
import type { Rules } from "../claims/Rules.ts"
import { type AuthorizationServer, ofIssuer } from "../issuers/AuthorizationServer.ts"
import * as IssuerRules from "../issuers/IssuerRules.ts"
import { JwkSet, type KeyHint } from "../keys/JwkSet.ts"
import type * as Principal from "../Principal.ts"
import type { TokenVerifier, VerificationError } from "../TokenVerifier.ts"
import { startOf, toleranceOf, verifyClaims } from "./VerifyClaims.ts"

/**
 * Configures a verifier of JWTs.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options extends Rules {
  readonly authorizationServers: ReadonlyArray<AuthorizationServer<unknown>>
  /** How long a cache may reuse a result. Default: 5 minutes. */
  readonly timeToLive?: Duration.Duration | undefined
}

/** Longest token that is decoded, in bytes. */
const maximumLength = 16 * 1024

/** Maximum number of keys that are tried for a token without `kid`, so that a client cannot cause unlimited work. */
const maximumTries = 4

/** Maximum number of cached headers. Verified tokens have few different headers, so each is decoded only once. */
const maximumHeaders = 100

/** A token with a valid format and a known issuer, before its signature is verified. */
interface Candidate {
  readonly server: AuthorizationServer<unknown>
  readonly rules: IssuerRules.Rules
  readonly hint: KeyHint
  readonly segment: string
  /** Whether a verified token had the same header. */
  readonly known: boolean
  readonly header: Claims.Claims
  readonly claims: Claims.Claims
}

/**
 * Creates the verifier.
 *
 * **Details**
 *
 * Checks a token in this order: format and size; the issuer, which selects the authorization server before any key is fetched;
 * algorithm and critical headers; the signature, with keys of that server only; and then the claims: type, times, audience,
 * subject, client, scopes and binding. Errors in the claims are reported only if the signature is valid.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options): Effect.Effect<TokenVerifier["Service"], never, JwkSet> =>
  Effect.gen(function*() {
    const keys = yield* JwkSet
    const serverOf = ofIssuer(options.authorizationServers)
    const general = { resource: options.resource, audience: options.audience, tokenType: options.tokenType }
    const rulesOf = new Map(
      options.authorizationServers.map((server) => [server, IssuerRules.compile(server, general)] as const)
    )
    const timeToLive = Duration.toMillis(options.timeToLive ?? Duration.minutes(5))
    const circumstances = {
      tolerance: toleranceOf(options.clockTolerance),
      effectiveScopes: options.effectiveScopes,
      tenant: options.tenant
    }

    const headers = new BoundedMap<string, Claims.Claims>(maximumHeaders)

    const open = (token: string): Result.Result<Candidate, InvalidToken> => {
      if (token.length > maximumLength) return Claims.reject("too-large")
      // Rejects most invalid tokens early: the base64url of a JSON object begins with `e`.
      if (!token.startsWith("e")) return Claims.reject("malformed")
      const first = token.indexOf(".")
      const second = token.indexOf(".", first + 1)
      if (first < 0 || second < 0 || !base64url.isCanonical(token.slice(second + 1))) return Claims.reject("malformed")
      const segment = token.slice(0, first)
      const known = headers.get(segment)
      const header = known ?? base64url.decodeJsonObject(segment)
      const claims = header === undefined ? undefined : base64url.decodeJsonObject(token.slice(first + 1, second))
      if (header === undefined || claims === undefined) return Claims.reject("malformed")
      const issuer = Claims.own(claims, "iss")
      const server = typeof issuer === "string" ? serverOf(issuer) : undefined
      if (server === undefined) return Claims.reject("unknown-issuer")
      const algorithm = Claims.own(header, "alg")
      if (typeof algorithm !== "string" || !server.algorithms.has(algorithm)) return Claims.reject("algorithm")
      // No critical header is supported, so `crit` rejects the token (RFC 7515 §4.1.11). `b64` changes the signed content and
      // must not be used with JWTs (RFC 7797 §7). Encrypted and compressed content is not supported.
      if (["crit", "b64", "zip", "enc"].some((name) => Object.hasOwn(header, name))) {
        return Claims.reject("critical-header")
      }
      const kid = Claims.own(header, "kid")
      if (kid !== undefined && typeof kid !== "string") return Claims.reject("malformed")
      const rules = rulesOf.get(server)!
      const issuedAt = Claims.own(claims, "iat")
      return Result.succeed({
        server,
        rules,
        segment,
        known: known !== undefined,
        header,
        hint: {
          algorithm,
          kid,
          issuers: rules.keyIssuers(issuer as string),
          issuedAt: typeof issuedAt === "number" ? issuedAt : undefined
        },
        claims
      })
    }

    const judge = (
      credentials: Credentials,
      { claims, header, rules }: Candidate,
      now: number
    ): Result.Result<Principal.Principal, InvalidToken> => {
      const wrongType = rules.tokenType(Claims.own(header, "typ"), claims)
      return wrongType !== undefined
        ? Claims.reject(wrongType)
        : verifyClaims(rules, circumstances, {
          claims,
          introspected: false,
          issuer: claims["iss"] as string,
          credentials
        }, now)
    }

    const signer = (
      token: string,
      candidates: ReadonlyArray<Signature.PublicKey>,
      tried: number = 0
    ): Effect.Effect<Signature.PublicKey | undefined> => {
      const key = tried < maximumTries ? candidates[tried] : undefined
      return key === undefined
        ? Effect.succeed(undefined)
        : Effect.flatMapEager(
          key.verify(token),
          (signed) => signed ? Effect.succeed(key) : signer(token, candidates, tried + 1)
        )
    }

    /**
     * Finds the keys that may have signed a token. While the key set cannot be fetched, a token whose times are invalid is
     * rejected. Any other token may be valid, so the server reports an outage.
     */
    const find = (
      { claims, server }: Candidate,
      hint: KeyHint
    ): Effect.Effect<ReadonlyArray<Signature.PublicKey>, AuthorizationServerUnavailable | InvalidMetadata> =>
      Effect.catchEager(
        keys.find(server, hint),
        (error) =>
          error.reason !== "keys-cooling-down" ? Effect.fail(error) : Clock.clockWith((clock) => {
            const times = Claims.checkTimes(claims, clock.currentTimeMillisUnsafe() / 1000, circumstances.tolerance)
            return Result.isFailure(times) ? Effect.succeed([]) : Effect.fail(error)
          })
      )

    /** Returns the key that signed a token, or the reason for the rejection. */
    const signerOf = (
      token: string,
      candidate: Candidate
    ): Effect.Effect<Signature.PublicKey, VerificationError> => {
      const { hint } = candidate
      return Effect.flatMapEager(find(candidate, hint), (found) =>
        found.length === 0
          ? Effect.fromResult(Claims.reject("unknown-key"))
          : Effect.flatMapEager(signer(token, found), (key) => {
            if (key !== undefined) return Effect.succeed(key)
            if (hint.kid !== undefined) return Effect.fromResult(Claims.reject("signature"))
            // For a token without `kid`, an invalid signature may mean that its key is not cached yet.
            return Effect.flatMap(find(candidate, { ...hint, excluded: found }), (others) =>
              Effect.flatMap(signer(token, others), (key) =>
                key === undefined ? Effect.fromResult(Claims.reject("signature")) : Effect.succeed(key)))
          }))
    }

    return {
      verify: (credentials) => {
        const token = textOf(credentials)
        const opened = open(token)
        if (Result.isFailure(opened)) return Effect.fail(opened.failure)
        const candidate = opened.success
        const { claims, server } = candidate
        return Effect.flatMapEager(signerOf(token, candidate), (key) => {
          if (!candidate.known) headers.set(candidate.segment, candidate.header)
          return Clock.clockWith((clock) => {
            const now = clock.currentTimeMillisUnsafe()
            const judged = judge(credentials, candidate, now / 1000)
            return Result.isFailure(judged) ? Effect.fail(judged.failure) : Effect.succeed({
              principal: judged.success,
              reuse: {
                from: startOf(claims, circumstances.tolerance),
                until: (judged.success.expiresAt + circumstances.tolerance.expiry) * 1000,
                freshUntil: monotonic.millisOf(clock) + timeToLive,
                isCurrent: keys.isCurrent(server, key)
              }
            })
          })
        })
      }
    }
  })
